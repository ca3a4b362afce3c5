//! Colors of a figure: drawn with stand-in values, then replaced by style classes so that the page's theme decides.

use std::fmt::Write as _;

use plotters::style::RGBColor;

use super::super::number::escape;

/// Distinct series styles; a report with more methods starts over.
pub(crate) const SERIES: usize = 16;

/// What a stroke or fill means; the style sheet gives it a color for light, dark and print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
    /// Text and axes.
    Text,
    /// Grid lines.
    Grid,
    /// Reference lines such as the diagonal of perfect calibration.
    Reference,
    /// A line in the color and dash of a series.
    Series(usize),
    /// A marker, error bar or area in the color of a series, never dashed.
    Solid(usize),
}

impl Ink {
    /// The stand-in color that marks this role in the drawn text.
    pub(crate) fn stand_in(self) -> RGBColor {
        match self {
            Self::Text => RGBColor(1, 0, 0),
            Self::Grid => RGBColor(1, 0, 1),
            Self::Reference => RGBColor(1, 0, 2),
            Self::Series(index) => RGBColor(2, 0, (index % SERIES) as u8),
            Self::Solid(index) => RGBColor(3, 0, (index % SERIES) as u8),
        }
    }

    fn class(self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Grid => "grid".to_owned(),
            Self::Reference => "reference".to_owned(),
            Self::Series(index) => format!("dash{0} tint{0}", index % SERIES),
            Self::Solid(index) => format!("tint{}", index % SERIES),
        }
    }

    fn all() -> impl Iterator<Item = Self> {
        let series = (0..SERIES).flat_map(|index| [Self::Series(index), Self::Solid(index)]);
        [Self::Text, Self::Grid, Self::Reference].into_iter().chain(series)
    }
}

/// Turns a drawn SVG document into an inline element with a name, classes in place of stand-in colors, and nothing
/// that the style sheet decides.
pub(crate) fn themed(svg: &str, name: &str, (width, height): (u32, u32)) -> String {
    let body = svg.split_once('>').map_or("", |(_, body)| body);
    let mut body = body.replace(" opacity=\"1\"", "").replace(" font-family=\"sans-serif\"", "");
    for ink in Ink::all() {
        let RGBColor(red, green, blue) = ink.stand_in();
        let color = format!("#{red:02X}{green:02X}{blue:02X}");
        if !body.contains(&color) {
            continue;
        }
        let class = ink.class();
        body = body
            .replace(&format!("fill=\"{color}\" stroke=\"none\""), &format!("class=\"fill {class}\""))
            .replace(&format!("fill=\"none\" stroke=\"{color}\""), &format!("class=\"line {class}\""))
            .replace(&format!("fill=\"{color}\""), &format!("class=\"fill {class}\""))
            .replace(&format!("stroke=\"{color}\""), &format!("class=\"line {class}\""));
    }
    let name = escape(name);
    let mut page = String::with_capacity(body.len() + 200);
    // Writing to a String cannot fail.
    let _ = write!(
        page,
        "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{name}\"><title>{name}</title>\n{body}"
    );
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_has_its_own_stand_in() {
        let mut colors: Vec<_> =
            Ink::all().map(|ink| ink.stand_in()).map(|RGBColor(r, g, b)| (r, g, b)).collect();
        let all = colors.len();
        colors.sort_unstable();
        colors.dedup();
        assert_eq!(colors.len(), all);
    }

    #[test]
    fn stand_ins_become_classes_and_the_name_is_escaped() {
        let drawn = "<svg width=\"8\" height=\"6\" xmlns=\"x\">\n<line opacity=\"1\" stroke=\"#010001\" x1=\"0\"/>\n\
                     <circle fill=\"#030002\" stroke=\"none\"/></svg>\n";
        let svg = themed(drawn, "a < b", (8, 6));
        assert!(svg.starts_with("<svg viewBox=\"0 0 8 6\" role=\"img\" aria-label=\"a &lt; b\">"), "{svg}");
        assert!(svg.contains("<line class=\"line grid\" x1=\"0\"/>"), "{svg}");
        assert!(svg.contains("<circle class=\"fill tint2\"/>"), "{svg}");
    }
}
