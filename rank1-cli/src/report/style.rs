//! The style sheet: one theme for light screens and paper, one for dark screens; no fonts or images are loaded.

use std::fmt::Write as _;

use super::charts::ink::SERIES;

/// Series colors on white, apart in lightness as well as hue (each at least 3:1 against the background).
const LIGHT: [&str; 8] =
    ["#0b62a4", "#cf4a00", "#00785a", "#a8468c", "#8f6200", "#2188bd", "#5d5d5d", "#6439a0"];
/// The same hues on a dark background.
const DARK: [&str; 8] =
    ["#5aaeef", "#ff8f52", "#3fc9a0", "#ea92cc", "#e3b341", "#9ad8ff", "#bdbdbd", "#b79cf5"];
/// Dash patterns in drawn units, so that lines differ without color.
const DASHES: [&str; 6] = ["none", "30 16", "9 13", "44 14 9 14", "64 18", "22 10 9 10 9 10"];

/// The content of the page's `<style>`.
pub(crate) fn sheet() -> String {
    let mut sheet = String::new();
    let palette = |colors: &[&str; 8]| {
        colors.iter().enumerate().fold(String::new(), |mut text, (index, color)| {
            let _ = write!(text, "--c{index}:{color};");
            text
        })
    };
    let _ = writeln!(
        sheet,
        ":root{{color-scheme:light;--page:#ffffff;--panel:#f6f7f9;--ink:#1a1c20;--soft:#555b66;--rule:#d5d9e0;\
         --grid:#e3e6eb;--accent:#0b62a4;{}}}",
        palette(&LIGHT)
    );
    let _ = writeln!(
        sheet,
        "@media screen and (prefers-color-scheme:dark){{:root{{color-scheme:dark;--page:#14161a;--panel:#1c1f25;\
         --ink:#e8eaee;--soft:#a9b0bc;--rule:#3a3f49;--grid:#2c3038;--accent:#7cc0f5;{}}}}}",
        palette(&DARK)
    );
    for index in 0..SERIES {
        // The second round of eight repeats the colors under other dashes.
        let dash = DASHES[(index + index / 8) % DASHES.len()];
        let _ = writeln!(
            sheet,
            ".tint{index}{{--tint:var(--c{})}}.dash{index}{{stroke-dasharray:{dash}}}",
            index % LIGHT.len()
        );
    }
    sheet.push_str(RULES);
    sheet
}

const RULES: &str = r#"
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0 auto;max-width:78rem;padding:1.5rem clamp(1rem,3vw,2.5rem) 4rem;background:var(--page);color:var(--ink);
font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;overflow-wrap:break-word}
h1{font-size:1.9rem;line-height:1.2;margin:.5rem 0}
h2{font-size:1.45rem;line-height:1.25;margin:3rem 0 .75rem;padding-top:.9rem;border-top:2px solid var(--ink)}
h3{font-size:1.12rem;margin:2rem 0 .35rem}
h4{font-size:1rem;margin:0 0 .35rem}
p{margin:.4rem 0 .8rem;max-width:46rem}
a{color:var(--accent)}
.lead{font-size:1.1rem;color:var(--soft)}
.caption,figcaption,.note,.sources{color:var(--soft);font-size:.9rem}
nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:.3rem 1.2rem;padding:0;margin:1rem 0}
nav a{display:inline-block;padding:.15rem 0}
dl.key{display:grid;grid-template-columns:max-content 1fr;gap:.35rem 1.2rem;max-width:52rem;margin:.6rem 0;font-size:.95rem}
dl.key dt{font-weight:600}dl.key dd{margin:0}
.scroll{overflow-x:auto;max-width:100%;margin:.4rem 0 .6rem}
.scroll:focus-visible,summary:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
table{border-collapse:collapse;border-bottom:1px solid var(--ink);font-size:.92rem;font-variant-numeric:tabular-nums}
thead th{white-space:normal;border-top:1px solid var(--ink);border-bottom:1px solid var(--ink);vertical-align:bottom;line-height:1.25}
th,td{padding:.42rem .5rem;text-align:right;vertical-align:baseline}
td{white-space:nowrap}
tbody tr+tr>*{border-top:1px solid var(--grid)}
th:first-child{position:sticky;left:0;background:var(--page);text-align:left;padding-left:0;z-index:1}
tbody th{font-weight:500;min-width:8.5rem}
th small{display:block;font-weight:400;color:var(--soft);font-size:.85em}
tbody th small{display:inline}
td strong{font-weight:750}
.error{display:block;color:var(--soft);font-size:.85em;line-height:1.2}
td.reason{text-align:left;color:var(--soft);font-style:italic}
tr.published>*{color:var(--soft)}
tr.published>th{font-style:italic}
td.word{text-align:left}
.way{font-weight:700}
.sources{margin:.3rem 0 0;padding-left:1.6rem}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,21.5rem),1fr));gap:2.2rem 2rem;margin:1.2rem 0}
figure{margin:0;min-width:0;break-inside:avoid}
figure.wide{grid-column:1/-1}
figure.wide .panels{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,16.5rem),1fr));gap:1rem 1.2rem}
figure:not(.wide) .panels{max-width:34rem}
figure svg{display:block;width:100%;height:auto}
figcaption{margin-top:.45rem;max-width:46rem}
.panel{margin:0;font-size:.92rem;font-weight:600}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;padding:0;margin:.2rem 0 .5rem;font-size:.9rem}
.legend li{display:flex;align-items:center;gap:.45rem}
figure svg.key{width:2.25rem;height:.9rem;flex:none}
svg text{font-family:inherit}
.fill{fill:var(--tint)}
.line{fill:none;stroke:var(--tint)}
.text{--tint:var(--ink)}
.grid{--tint:var(--grid)}
.reference{--tint:var(--soft);stroke-dasharray:20 14}
details{margin:.9rem 0;border:1px solid var(--rule);border-radius:.4rem;background:var(--panel);padding:0 .9rem}
details[open]{padding-bottom:.8rem}
summary{cursor:pointer;padding:.6rem 0;font-weight:600}
details th:first-child{background:var(--panel)}
details details{background:var(--page)}
pre{overflow-x:auto;font:.85rem/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;margin:.4rem 0}
.note::before{content:"Note: ";font-weight:700}
footer{margin-top:3rem;padding-top:.8rem;border-top:1px solid var(--rule);color:var(--soft);font-size:.9rem}
@media (max-width:40rem){h1{font-size:1.55rem}dl.key{grid-template-columns:1fr;gap:.1rem}dl.key dd{margin-bottom:.5rem}
th,td{padding:.4rem .55rem}th:first-child{max-width:9.5rem;white-space:normal}}
@media print{body{max-width:none;padding:0;font-size:10pt}h2{break-after:avoid}h3,h4{break-after:avoid}nav{display:none}
.scroll{overflow:visible}table{font-size:7.5pt}th,td{padding:2pt 3pt;white-space:normal}th:first-child{position:static}
.figures{grid-template-columns:1fr 1fr}figure.wide .panels{grid-template-columns:1fr 1fr 1fr}
details{border:0;padding:0;background:none}details::details-content{content-visibility:visible;block-size:auto}pre{white-space:pre-wrap}}
"#;

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance of `#rrggbb` as WCAG 2 defines it.
    fn luminance(color: &str) -> f64 {
        let channel = |at: usize| {
            let value = f64::from(u8::from_str_radix(&color[at..at + 2], 16).unwrap_or(0)) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    #[test]
    fn every_series_stands_out_from_its_background() {
        for (page, colors) in [("#ffffff", LIGHT), ("#14161a", DARK)] {
            assert!(sheet().contains(&format!("--page:{page}")));
            for color in colors {
                let (a, b) = (luminance(page), luminance(color));
                let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
                assert!(contrast >= 3.0, "{color} on {page}: {contrast}");
            }
        }
    }

    #[test]
    fn the_sheet_loads_nothing_and_closes_what_it_opens() {
        let sheet = sheet();
        assert!(!sheet.contains("url(") && !sheet.contains("@import") && !sheet.contains("@font-face"));
        assert_eq!(sheet.matches('{').count(), sheet.matches('}').count());
    }
}
