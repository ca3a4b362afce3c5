//! Parts of a reproduction put together are, byte for byte, what one machine makes.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use super::tests::Bench;
use super::*;

/// Everything that a reproduction writes beside its runs, but for the times and the page that has them too.
const RESULTS: [&str; 4] = ["tables.md", "results.json", "results.csv", "comparison.json"];

fn part(bench: &Bench, shard: &str, out: &Path) -> bool {
    let options = ReproduceOptions { shard: Some(shard.parse().unwrap()), ..bench.options.clone() };
    bench.try_run(&options, out).unwrap()
}

fn collect(bench: &Bench, out: &Path, parts: &[&Path]) -> Result<bool> {
    let parts = parts.iter().map(|part| part.to_path_buf()).collect();
    bench.try_run(&ReproduceOptions { collect: true, parts, ..bench.options.clone() }, out)
}

fn results(out: &Path) -> Vec<(&'static str, String)> {
    RESULTS.iter().map(|file| (*file, std::fs::read_to_string(out.join(file)).unwrap())).collect()
}

fn folders<const N: usize>() -> (tempfile::TempDir, [PathBuf; N]) {
    let root = tempfile::tempdir().unwrap();
    let folders = std::array::from_fn(|i| root.path().join(i.to_string()));
    folders.iter().for_each(|folder| std::fs::create_dir(folder).unwrap());
    (root, folders)
}

#[test]
fn two_parts_in_a_shared_folder_or_in_two_are_the_whole() {
    let bench = Bench::new();
    let (_root, [whole, shared, first, second, joined]) = folders();
    assert!(bench.try_run(&bench.options, &whole).unwrap());
    for shard in ["2/2", "1/2"] {
        assert!(part(&bench, shard, &shared));
        assert!(!shared.join("results.json").exists(), "a part makes no tables");
    }
    assert!(collect(&bench, &shared, &[]).unwrap());
    assert_eq!(results(&shared), results(&whole));
    assert!(part(&bench, "1/2", &first) && part(&bench, "2/2", &second));
    assert!(collect(&bench, &joined, &[&first, &second]).unwrap());
    assert_eq!(results(&joined), results(&whole));
    assert!(joined.join("report.html").is_file());
    // The times are there, apart.
    let times = std::fs::read_to_string(joined.join("times.json")).unwrap();
    assert!(times.contains("run.microseconds_per_prediction") && times.contains("\"reused_runs\": 12"));
    assert!(results(&whole).iter().all(|(_, text)| !text.contains("wall_seconds")));
}

#[test]
fn a_failed_run_of_a_part_is_the_same_row() {
    let bench = Bench::new();
    bench.recipe("digits/good.toml", "fail = 1");
    let (_root, [whole, first, second, third, joined]) = folders();
    assert!(!bench.try_run(&bench.options, &whole).unwrap());
    let passed =
        [("1/3", &first), ("2/3", &second), ("3/3", &third)].map(|(shard, out)| part(&bench, shard, out));
    assert_eq!(passed.iter().filter(|passed| !**passed).count(), 1, "the part that has the failed run fails");
    assert!(!collect(&bench, &joined, &[&first, &second, &third]).unwrap());
    assert_eq!(results(&joined), results(&whole));
    assert!(results(&joined)[0].1.contains("failed: diverged at step 7"));
}

#[test]
fn missing_runs_and_folders_that_are_none_are_named() {
    let bench = Bench::new();
    let (_root, [first, joined]) = folders();
    let error = collect(&bench, &joined, &[&first]).unwrap_err().to_string();
    assert!(
        error.starts_with("--from ") && error.contains("expected the output folder of a part"),
        "{error}"
    );
    assert!(part(&bench, "1/2", &first));
    let error = collect(&bench, &joined, &[&first]).unwrap_err().to_string();
    assert!(error.contains("of 12 runs are in none of the folders"), "{error}");
    assert!(error.contains("seed") && error.contains("--from DIR"), "{error}");
    // Other options make other runs.
    let quick = ReproduceOptions { quick: true, collect: true, ..bench.options.clone() };
    let error = bench.try_run(&quick, &first).unwrap_err().to_string();
    assert!(error.contains("other options"), "{error}");
    assert!(!joined.join("results.json").exists());
}

#[test]
fn a_run_that_was_made_again_after_a_failure_counts() {
    let bench = Bench::new();
    let (_root, [out]) = folders();
    bench.recipe("digits/good.toml", "fail = 1");
    let passed = ["1/2", "2/2"].map(|shard| part(&bench, shard, &out));
    assert!(passed.contains(&false));
    let recipe = bench.root.path().join("recipes/digits/good.toml");
    std::fs::write(recipe, "name = \"digits/good\"\n").unwrap();
    assert!(["1/2", "2/2"].iter().all(|shard| part(&bench, shard, &out)));
    assert!(collect(&bench, &out, &[]).unwrap());
    assert!(!results(&out)[0].1.contains("failed"));
}
