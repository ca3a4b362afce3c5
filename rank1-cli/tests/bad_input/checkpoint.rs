//! Damaged checkpoints: every changed, missing or shortened file is noticed before anything is predicted.

use std::fs;
use std::path::{Path, PathBuf};

use crate::workbench::{Bench, Toy, assert_says, files, sum, table};

/// Positions tried in each file: the first and last bytes and some in between.
const POSITIONS: usize = 24;

const PREDICT: [&str; 6] = ["predict", "run", "--input", "table.csv", "--output", "out.csv"];

fn trained() -> Bench {
    let bench = Bench::with_table(&table(31, sum));
    bench.train("run", &[]);
    bench
}

fn checkpoint_files(bench: &Bench) -> Vec<PathBuf> {
    let root = bench.path("run/checkpoint");
    let found = files(&root).into_iter().filter(|(_, content)| content.is_some());
    found.map(|(name, _)| root.join(name)).collect()
}

fn positions(len: usize) -> impl Iterator<Item = usize> {
    let stride = (len / POSITIONS).max(1);
    (0..4).chain((0..len).step_by(stride).map(|p| p + p % 7)).chain(len - 4..len).filter(move |&p| p < len)
}

/// Prediction with this content of the file is refused, and names the file or the network's folder.
fn refuses(bench: &Bench, file: &Path, content: &[u8], what: &str) {
    fs::write(file, content).unwrap();
    let line = bench.rank1(&PREDICT).refusal();
    let folder = file.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
    assert!(line.contains("run") && line.contains(&folder), "{}, {what}: {line}", file.display());
    assert!(!bench.path("out.csv").exists() && !bench.path("out.csv.tmp").exists(), "{what}");
}

#[test]
fn a_flipped_byte_anywhere_in_a_checkpoint_is_noticed() {
    let bench = trained();
    let names = checkpoint_files(&bench);
    assert_eq!(names.len(), 3, "model.json, manifest and tensors: {names:?}");
    for file in &names {
        let good = fs::read(file).unwrap();
        for (i, position) in positions(good.len()).enumerate() {
            let mut bad = good.clone();
            // Every bit has its turn; 0x20 changes the case of a letter, such as an exponent's.
            bad[position] ^= if i % 9 == 8 { 0x20 } else { 1 << (i % 8) };
            refuses(&bench, file, &bad, &format!("byte {position}"));
        }
        fs::write(file, good).unwrap();
    }
    bench.succeed(&PREDICT);
}

#[test]
fn white_space_that_json_would_ignore_is_noticed_too() {
    let bench = trained();
    for name in ["run/checkpoint/model.json", "run/checkpoint/network0/manifest.json"] {
        let good = bench.read(name);
        refuses(&bench, &bench.path(name), good.replacen("\n ", "\n\t", 1).as_bytes(), "a tab");
        refuses(&bench, &bench.path(name), format!("{good}\n").as_bytes(), "a line end");
        bench.write(name, good);
    }
    bench.succeed(&PREDICT);
}

#[test]
fn a_shortened_or_emptied_file_is_noticed() {
    let bench = trained();
    for file in &checkpoint_files(&bench) {
        let good = fs::read(file).unwrap();
        for len in [0, 1, good.len() / 2, good.len() - 1] {
            refuses(&bench, file, &good[..len], &format!("{len} bytes left"));
        }
        fs::write(file, good).unwrap();
    }
    bench.succeed(&PREDICT);
}

#[test]
fn a_missing_file_is_noticed() {
    let bench = trained();
    for file in &checkpoint_files(&bench) {
        let good = fs::read(file).unwrap();
        fs::remove_file(file).unwrap();
        assert_says(&bench.refused(&PREDICT), &["run"]);
        fs::write(file, good).unwrap();
    }
}

#[test]
fn the_tensors_of_another_run_are_noticed() {
    let bench = trained();
    bench.train("other", &["--seed", "9"]);
    let name = "checkpoint/network0";
    let is_tensors = |file: &PathBuf| file.extension().is_some_and(|end| end == "safetensors");
    let tensors = checkpoint_files(&bench).into_iter().find(is_tensors).unwrap();
    let tensors = tensors.file_name().unwrap().to_str().unwrap();
    for file in [tensors, "manifest.json"] {
        let good = fs::read(bench.path(&format!("run/{name}/{file}"))).unwrap();
        fs::copy(bench.path(&format!("other/{name}/{file}")), bench.path(&format!("run/{name}/{file}")))
            .unwrap();
        let line = bench.refused(&PREDICT);
        assert_says(&line, &["run/checkpoint/network0"]);
        bench.write(&format!("run/{name}/{file}"), good);
    }
    bench.succeed(&PREDICT);
}

#[test]
fn a_damaged_checkpoint_is_not_resumed() {
    let bench = Bench::with(&Toy::default());
    bench.train("run", &[]);
    fs::remove_file(bench.path("run/run.json")).unwrap();
    let tensors = bench.path("run/checkpoint/network0/step000000027.safetensors");
    let mut bytes = fs::read(&tensors).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&tensors, bytes).unwrap();
    let line = bench.refused(&["train", "recipe.toml", "--quiet", "--out", "run", "--resume"]);
    assert_says(&line, &["run/checkpoint/network0", "step000000027.safetensors", "damaged or replaced"]);
}
