//! Opens a report in headless Chromium: nothing is loaded, nothing overflows, every figure is there and readable.
//!
//! Where there is no Chromium on the `PATH` each test says that it skipped. With `RANK1_SCREENSHOTS` set to a folder
//! the page is saved there with its pictures.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rank1_cli::report::{
    Better, Claim, Comparison, Estimate, NotRun, Origin, RunDocument, SummaryColumn, SummaryRow,
    SummaryTable, history, input, render, table_document,
};
use serde::Deserialize;

#[path = "../src/report/fabricated.rs"]
#[allow(dead_code)]
mod fabricated;
use fabricated::{Fabricated, classification, regression};

/// What the page around the report measures inside it.
#[derive(Debug, Deserialize)]
struct Measured {
    encoding: String,
    width: f64,
    height: f64,
    overflow: f64,
    background: [f64; 3],
    ink: [f64; 3],
    requests: Vec<String>,
    figures: Vec<[f64; 2]>,
    smallest_text: f64,
    collisions: Vec<String>,
    outside: Vec<String>,
}

/// A browser window narrower than 500 pixels does not exist, an `iframe` does; it also leaves the report untouched.
///
/// It names its encoding: without that the browser guesses, and a wrong guess turns every minus sign into three letters.
const AROUND: &str = r#"<!doctype html><html style="color-scheme:light dark"><head><meta charset="utf-8"></head><body style="margin:0">
<iframe id="report" style="border:0;display:block;width:WIDTHpx;height:900px" srcdoc="PAGE"></iframe>
<script>
addEventListener('load', () => {
  const frame = document.getElementById('report'), page = frame.contentDocument, view = frame.contentWindow;
  const rgb = color => color.match(/[\d.]+/g).slice(0, 3).map(Number);
  const style = view.getComputedStyle(page.body), collisions = [], outside = [];
  let smallest = Infinity;
  for (const svg of page.querySelectorAll('figure svg[role=img]')) {
    const box = svg.getBoundingClientRect(), scale = box.width / svg.viewBox.baseVal.width;
    const texts = [...svg.querySelectorAll('text')].map(text => ({
      name: svg.getAttribute('aria-label') + ': ' + text.textContent.trim(), box: text.getBoundingClientRect(),
      size: parseFloat(text.getAttribute('font-size')) * scale }));
    texts.forEach((a, i) => {
      smallest = Math.min(smallest, a.size);
      if (a.box.left < box.left - 1 || a.box.right > box.right + 1 || a.box.top < box.top - 1 ||
        a.box.bottom > box.bottom + 1) outside.push(a.name);
      texts.slice(i + 1).forEach(b => {
        const wide = Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left);
        const high = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top);
        if (wide > 0.5 && high > 0.2 * a.box.height) collisions.push(a.name + ' / ' + b.name);
      });
    });
  }
  const measured = {
    encoding: document.characterSet,
    width: view.innerWidth, height: page.documentElement.scrollHeight,
    overflow: page.documentElement.scrollWidth - page.documentElement.clientWidth,
    background: rgb(style.backgroundColor), ink: rgb(style.color),
    requests: view.performance.getEntriesByType('resource').map(entry => entry.name),
    figures: [...page.querySelectorAll('figure svg[role=img]')].map(svg => {
      const box = svg.getBoundingClientRect(); return [box.width, box.height]; }),
    smallest_text: smallest, collisions, outside };
  frame.style.height = measured.height + 'px';
  const out = document.createElement('script');
  out.type = 'application/json'; out.id = 'measured'; out.textContent = JSON.stringify(measured);
  document.body.append(out);
});
</script></body></html>"#;

struct Browser {
    program: PathBuf,
    folder: tempfile::TempDir,
}

impl Browser {
    fn find() -> Option<Self> {
        let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
        let path = std::env::var_os("PATH").unwrap_or_default();
        let program = std::env::split_paths(&path)
            .flat_map(|folder| names.map(|name| folder.join(name)))
            .find(|program| program.is_file());
        if program.is_none() {
            eprintln!("skipped: no Chromium on the PATH ({})", names.join(", "));
        }
        Some(Self { program: program?, folder: tempfile::tempdir().unwrap() })
    }

    /// Opens `page` at a width and in a theme; gives what was measured and every line of the browser's console.
    fn open(&self, page: &str, width: u32, dark: bool) -> (Measured, Vec<String>) {
        let file = self.folder.path().join("around.html");
        let quoted = page.replace('&', "&amp;").replace('"', "&quot;");
        std::fs::write(&file, AROUND.replace("WIDTH", &width.to_string()).replace("PAGE", &quoted)).unwrap();
        let (document, console) = self.run(&file, (width, 900), dark, &["--dump-dom".to_owned()]);
        let json = document.split("id=\"measured\">").nth(1).and_then(|rest| rest.split("</script>").next());
        let json = json.unwrap_or_else(|| panic!("nothing was measured; console: {console:?}"));
        let measured: Measured = serde_json::from_str(json).unwrap();
        (measured, console)
    }

    /// Saves a picture of the page that was opened last, where pictures were asked for.
    fn save(&self, width: u32, height: f64, dark: bool) {
        let Some(folder) = std::env::var_os("RANK1_SCREENSHOTS") else { return };
        let theme = if dark { "dark" } else { "light" };
        let png = Path::new(&folder).join(format!("report-{width}-{theme}.png"));
        let what = format!("--screenshot={}", png.display());
        self.run(&self.folder.path().join("around.html"), (width, height.ceil() as u32), dark, &[what]);
    }

    fn run(&self, file: &Path, size: (u32, u32), dark: bool, what: &[String]) -> (String, Vec<String>) {
        let (stdout, stderr) = (self.folder.path().join("stdout"), self.folder.path().join("stderr"));
        let mut child = Command::new(&self.program)
            // The sandbox refuses to start for root; the only page opened is the one written above.
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
                "--enable-logging=stderr",
            ])
            .arg(format!("--blink-settings=preferredColorScheme={}", u8::from(!dark)))
            .arg(format!("--user-data-dir={}", self.folder.path().join("profile").display()))
            .arg(format!("--window-size={},{}", size.0, size.1))
            .args(what)
            .arg(format!("file://{}", file.display()))
            .stdout(std::fs::File::create(&stdout).unwrap())
            .stderr(std::fs::File::create(&stderr).unwrap())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let patience = Instant::now() + Duration::from_secs(120);
        while child.try_wait().unwrap().is_none() {
            if Instant::now() > patience {
                child.kill().unwrap();
                panic!("the browser did not finish in two minutes");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let read = |path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
        let console =
            read(stderr).lines().filter(|line| line.contains("CONSOLE")).map(ToOwned::to_owned).collect();
        (read(stdout), console)
    }
}

const METHODS: [&str; 7] = [
    "deterministic",
    "mc_dropout",
    "mean_field",
    "batch_ensemble",
    "rank1_gaussian",
    "rank1_cauchy",
    "deep_ensemble",
];

/// A report as a reproduction writes it: seven methods, three seeds, images and tables, published rows.
fn page() -> String {
    let mut runs: Vec<RunDocument> = Vec::new();
    for seed in 0..3 {
        for (place, method) in METHODS.into_iter().enumerate() {
            let handicap = [1.0, 0.7, 0.8, 0.4, 0.2, 0.1, 0.0][place];
            runs.push(classification(&Fabricated { set: "mnist10k", method, seed, handicap }));
            runs.push(regression(&Fabricated { set: "boston", method, seed, handicap }));
            runs.push(regression(&Fabricated { set: "yacht", method, seed, handicap: 1.0 - handicap }));
        }
    }
    let claim = |method: &str, metric: &str, claimed| Claim {
        set: "boston".to_owned(),
        method: method.to_owned(),
        metric: metric.to_owned(),
        claimed,
        standard_error: Some(0.11),
        source: "Lakshminarayanan, Pritzel and Blundell 2017, arXiv:1612.01474, Table 1".to_owned(),
    };
    let comparison = Comparison {
        tables: vec![uci_table()],
        claims: vec![
            claim("pbp", "rmse", 3.01),
            claim("pbp", "nll", 2.57),
            claim("mc_dropout", "rmse", 2.97),
            claim("deep_ensemble", "nll", 2.41),
        ],
        not_run: vec![NotRun {
            set: "protein".to_owned(),
            method: "rank1_gaussian".to_owned(),
            reason: "needs the UCI archive, see --data".to_owned(),
        }],
    };
    render(&runs, &comparison, "Rank-1 Bayesian neural networks: reproduction")
}

fn uci_table() -> SummaryTable {
    let sets = ["boston", "concrete", "energy", "yacht", "wine", "kin8nm", "naval", "power", "protein"];
    let columns = sets.map(|set| SummaryColumn {
        label: set.to_owned(),
        unit: Some("nats".to_owned()),
        better: Better::Lower,
        ..SummaryColumn::default()
    });
    let row = |place: usize, label: &str, origin: Origin| SummaryRow {
        label: label.to_owned(),
        origin,
        cells: (0..sets.len())
            .map(|set| {
                let mean = 2.4 + 0.05 * place as f64 - 0.3 * set as f64;
                (set < 7).then_some(Estimate { mean, standard_error: Some(0.04), n: 20 })
            })
            .collect(),
    };
    SummaryTable {
        title: "Test NLL on the UCI sets".to_owned(),
        caption: "Mixture NLL, mean ± standard error over the 20 standard splits.".to_owned(),
        row_header: "Method".to_owned(),
        columns: columns.to_vec(),
        rows: vec![
            row(0, "Rank-1 Gaussian", Origin::Ours),
            row(1, "Deterministic", Origin::Ours),
            row(
                2,
                "PBP",
                Origin::Published { source: "Hernández-Lobato and Adams 2015, Table 2".to_owned() },
            ),
            row(0, "Rank-1 Cauchy", Origin::NotRun { reason: "left out by --quick".to_owned() }),
        ],
    }
}

fn luminance([red, green, blue]: [f64; 3]) -> f64 {
    let linear = |value: f64| {
        let value = value / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
}

#[test]
fn the_report_is_whole_and_readable_at_phone_and_desk_width_in_both_themes() {
    let Some(browser) = Browser::find() else { return };
    let page = page();
    if let Some(folder) = std::env::var_os("RANK1_SCREENSHOTS") {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(Path::new(&folder).join("report.html"), &page).unwrap();
    }
    let figures = page.matches("role=\"img\"").count();
    for (width, dark) in [(390, false), (390, true), (1280, false), (1280, true)] {
        let at = format!("at {width} pixels, dark = {dark}");
        let (measured, console) = browser.open(&page, width, dark);
        browser.save(width, measured.height, dark);
        assert!(console.is_empty(), "{at}: {console:?}");
        assert!(measured.requests.is_empty(), "{at}: {:?}", measured.requests);
        assert_eq!(measured.encoding, "UTF-8", "{at}");
        assert_eq!(measured.width, f64::from(width));
        assert!(measured.overflow <= 0.0, "{at}: {} pixels wider than the window", measured.overflow);
        assert_eq!(measured.figures.len(), figures, "{at}");
        assert!(
            measured.figures.iter().all(|[w, h]| *w >= 200.0 && *h >= 120.0),
            "{at}: {:?}",
            measured.figures
        );
        assert!(measured.smallest_text >= 10.0, "{at}: text of {} pixels", measured.smallest_text);
        assert!(measured.collisions.is_empty(), "{at}: {:#?}", measured.collisions);
        assert!(measured.outside.is_empty(), "{at}: {:#?}", measured.outside);
        let (paper, ink) = (luminance(measured.background), luminance(measured.ink));
        assert_eq!(paper < 0.05, dark, "{at}: background {:?}", measured.background);
        let contrast = (paper.max(ink) + 0.05) / (paper.min(ink) + 0.05);
        assert!(contrast >= 7.0, "{at}: contrast {contrast}");
    }
}

#[test]
fn a_page_that_loads_something_or_is_too_wide_is_found_out() {
    let Some(browser) = Browser::find() else { return };
    let page = page();
    let foreign =
        "<img alt=\"\" src=\"https://example.invalid/a.png\"><div style=\"width:2000px\">wide</div></body>";
    let (measured, console) = browser.open(&page.replace("</body>", foreign), 390, false);
    assert!(!console.is_empty() || !measured.requests.is_empty());
    assert!(measured.overflow > 1000.0);
}
