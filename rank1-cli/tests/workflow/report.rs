//! One HTML file about runs of both kinds, written in one piece.

use crate::workbench::{Bench, TABLE, Toy, files, table};

#[test]
fn a_report_of_two_runs_is_one_html_file() {
    let bench = Bench::with(&Toy::default());
    bench.train("yacht", &[]);
    bench.write("classes.toml", Toy { data: TABLE, ..Toy::default() }.text());
    bench.write("table.csv", table(61, |a, _, _| if a > 0.0 { "up" } else { "down" }.into()));
    bench.succeed(&["train", "classes.toml", "--quiet", "--out", "table"]);
    let before = files(&bench.path("."));
    let title = "Boats & <answers>";
    let ran = bench.succeed(&["report", "yacht", "table", "--output", "report.html", "--title", title]);
    assert_eq!(ran.stdout, "");
    let mut after = files(&bench.path("."));
    let page =
        String::from_utf8(after.remove(std::path::Path::new("report.html")).unwrap().unwrap()).unwrap();
    assert!(before == after, "nothing else is written");
    assert!(page.starts_with("<!doctype html>") || page.starts_with("<!DOCTYPE html>"));
    assert!(page.trim_end().ends_with("</html>"));
    assert!(page.contains("Boats &amp; &lt;answers&gt;") && page.contains("<svg"));
    for outside in ["src=\"http", "href=\"http", "@import", "<script src"] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn a_broken_file_of_a_run_is_named_with_its_place() {
    for (file, content, place) in [
        ("run.json", "{\"name\": ", "line 1"),
        ("evaluation.json", "{}", "missing field"),
        ("metrics.csv", "epoch\nx\n", "metrics.csv"),
    ] {
        let bench = Bench::with(&Toy::default());
        bench.train("run", &[]);
        bench.write(&format!("run/{file}"), content);
        let line = bench.refused(&["report", "run", "--output", "report.html"]);
        assert!(line.contains(&format!("run/{file}")) && line.contains(place), "{line}");
    }
}
