//! Claims about whole pages and whole run folders.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use super::fabricated::{Fabricated, classification, history_csv, regression};
use super::{Claim, Comparison, NotRun, RunDocument, read_run, render};

fn write_run(folder: &Path, run: &RunDocument) {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("recipe.toml"), &run.recipe_text).unwrap();
    std::fs::write(folder.join("run.json"), serde_json::to_string_pretty(&run.run).unwrap()).unwrap();
    std::fs::write(folder.join("evaluation.json"), serde_json::to_string_pretty(&run.evaluation).unwrap())
        .unwrap();
    std::fs::write(folder.join("metrics.csv"), history_csv(&run.history)).unwrap();
}

fn a_run_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_run(&folder.path().join("run"), &classification(&Fabricated::default()));
    folder
}

fn refusal(damage: impl FnOnce(&Path)) -> String {
    let folder = a_run_folder();
    let run = folder.path().join("run");
    damage(&run);
    let message = read_run(&run).unwrap_err().to_string();
    message.replace(&run.display().to_string(), "RUN")
}

#[test]
fn a_run_folder_reads_back_as_it_was_written() {
    let folder = a_run_folder();
    let run = read_run(&folder.path().join("run")).unwrap();
    let written = classification(&Fabricated::default());
    assert_eq!((run.name.as_str(), run.method.as_str()), ("run", "rank1_gaussian"));
    assert_eq!(run.evaluation.metrics, written.evaluation.metrics);
    assert_eq!(run.history, written.history);
    assert!(run.evaluation.reliability[0].confidence.is_nan(), "an empty bin has no confidence");
}

#[test]
fn a_missing_folder_and_missing_files_are_named_with_a_remedy() {
    let message = refusal(|run| std::fs::remove_dir_all(run).unwrap());
    assert_eq!(message, "RUN: no such run folder");
    let message = refusal(|run| std::fs::remove_file(run.join("run.json")).unwrap());
    assert_eq!(
        message,
        "RUN/run.json: missing, the run is not complete; finish it with `rank1 train RECIPE --out RUN --resume`"
    );
    let message = refusal(|run| std::fs::remove_file(run.join("evaluation.json")).unwrap());
    assert_eq!(
        message,
        "RUN/evaluation.json: missing, the run is not complete; write it with `rank1 evaluate RUN`"
    );
}

#[test]
fn a_document_that_was_cut_off_is_named_with_its_line() {
    let message = refusal(|run| {
        let path = run.join("evaluation.json");
        let text = std::fs::read_to_string(&path).unwrap();
        let half: Vec<&str> = text.lines().take(10).collect();
        std::fs::write(path, half.join("\n")).unwrap();
    });
    assert!(message.starts_with("RUN/evaluation.json: line 10, column "), "{message}");
    assert!(message.contains("EOF while parsing"), "{message}");
}

#[test]
fn a_missing_field_is_named() {
    let message = refusal(|run| std::fs::write(run.join("run.json"), "{\"name\": \"a\"}").unwrap());
    assert_eq!(message, "RUN/run.json: line 1, column 13: missing field `task`");
}

#[test]
fn a_histogram_with_the_wrong_number_of_edges_is_refused() {
    let message = refusal(|run| {
        let mut broken = classification(&Fabricated::default());
        broken.evaluation.entropy.as_mut().unwrap().edges.pop();
        write_run(run, &broken);
    });
    assert_eq!(message, "RUN/evaluation.json: `entropy.edges` needs one edge more than there are bins");
}

#[test]
fn many_seeds_make_one_section_per_data_set_and_one_curve_per_method() {
    let mut runs = Vec::new();
    for seed in 0..5 {
        for method in ["deterministic", "rank1_gaussian"] {
            runs.push(classification(&Fabricated { method, seed, ..Fabricated::default() }));
            runs.push(regression(&Fabricated { set: "yacht", method, seed, ..Fabricated::default() }));
        }
    }
    let page = render(&runs, &Comparison::default(), "Report");
    assert_eq!(page.matches("<section id=\"set").count(), 2);
    assert!(page.contains("20 runs of 2 methods on 2 data sets."));
    let risk = page.split("<h4>Risk and coverage</h4>").nth(1).unwrap().split("</figure>").next().unwrap();
    assert_eq!(risk.matches("<polyline class=\"line dash").count(), 2);
    let titles = [
        "Reliability",
        "Quantile calibration",
        "Risk and coverage",
        "NLL under rotation",
        "NLL and number of draws",
        "Entropy of known and unknown inputs",
        "KL per layer",
        "Factor spread per layer",
        "Predicted and observed",
        "Error by stated uncertainty",
        "Coverage along the prediction",
        "Which columns matter",
        "Where it is worst",
        "Members alone and together",
    ];
    for title in titles {
        assert!(page.contains(&format!("<h4>{title}</h4>")), "{title}");
    }
}

#[test]
fn nothing_is_loaded_and_nothing_from_the_runs_is_markup() {
    let mut run = classification(&Fabricated { set: "<script>alert(1)</script>", ..Fabricated::default() });
    run.name = "<img src=x>".to_owned();
    run.method = "\"><b>".to_owned();
    run.recipe_text = "</pre><iframe>".to_owned();
    run.evaluation.metrics.insert("<i>".to_owned(), 1.0);
    run.evaluation.shifts[0].kind = "</svg><i>".to_owned();
    run.evaluation.event = Some("<b>".to_owned());
    let mut table = regression(&Fabricated { set: "<u>", ..Fabricated::default() });
    if let Some(found) = &mut table.evaluation.table {
        found.target = "<u>".to_owned();
        found.slices[0].slice = "</svg><i>".to_owned();
    }
    table.evaluation.baselines[0].left_out = Some("<b>".to_owned());
    let comparison = Comparison {
        claims: vec![Claim {
            set: run.run.set.clone(),
            method: "<u>".to_owned(),
            metric: "nll".to_owned(),
            claimed: 0.1,
            standard_error: None,
            source: "<u>".to_owned(),
        }],
        not_run: vec![NotRun { set: "<u>".to_owned(), method: "<u>".to_owned(), reason: "<u>".to_owned() }],
        ..Comparison::default()
    };
    let page = render(&[run, table], &comparison, "<u>");
    for markup in
        ["<script", "<img", "<iframe", "<i>", "<u>", "<b>", "src=\"", "url(", "@import", "http:", "https:"]
    {
        assert!(!page.contains(markup), "{markup}");
    }
}

#[test]
fn rows_that_were_not_run_keep_their_reason_with_and_without_a_section() {
    let row = |set: &str| NotRun {
        set: set.to_owned(),
        method: "flipout".to_owned(),
        reason: "needs the archive".to_owned(),
    };
    let comparison = Comparison { not_run: vec![row("mnist10k"), row("protein")], ..Comparison::default() };
    let page = render(&[classification(&Fabricated::default())], &comparison, "Report");
    assert!(page.contains("not run here: needs the archive"));
    assert!(page.contains("<li>protein, Mean-field VI, Flipout: needs the archive</li>"));
}

#[test]
fn a_page_without_runs_and_a_run_without_curves_are_still_pages() {
    let empty = render(&[], &Comparison::default(), "Nothing");
    assert!(empty.contains("0 runs of 0 methods on 0 data sets.") && empty.ends_with("</html>\n"));
    let mut bare = RunDocument::default();
    bare.run.set = "bare".to_owned();
    let page = render(&[bare], &Comparison::default(), "Bare");
    assert!(!page.contains("<figure") && page.contains("<h2>bare</h2>"));
    assert!(!page.contains("NaN") && !page.contains("inf"));
}

#[test]
fn the_same_runs_give_the_same_bytes() {
    let runs = [
        classification(&Fabricated::default()),
        regression(&Fabricated { set: "wine", ..Fabricated::default() }),
    ];
    assert_eq!(render(&runs, &Comparison::default(), "R"), render(&runs, &Comparison::default(), "R"));
}
