//! A user's own images: folders of classes and their archive, in memory or cropped while they are read.

use std::fs;

use crate::workbench::photos;
use crate::workbench::{Bench, Ran, Toy, assert_same, assert_says, lasting_files};
use crate::{json, parse_csv};

const DATA: &str = "set = \"images\"\nfile = \"flowers\"\ntest_fraction = 0.25\nvalidation = 0.0";

fn bench() -> Bench {
    let bench = Bench::with(&Toy { data: DATA, ..Toy::default() });
    photos::flowers(&bench, "flowers");
    bench
}

fn train(bench: &Bench, out: &str, more: &[&str]) -> Ran {
    let words = ["train", "recipe.toml", "--threads", "1", "--set", "train.batch_size=8", "--out", out];
    bench.succeed(&[&words, more].concat())
}

#[test]
fn a_folder_and_its_archive_are_trained_on_and_new_files_predicted() {
    let bench = bench();
    train(&bench, "run", &["--set", "model={ kind = \"lenet5\" }", "--set", "data.augment={ pad = 2 }"]);
    let run = json(&bench.read("run/run.json"));
    assert_eq!(
        (run["set"].as_str(), &run["rows"]),
        (Some("flowers"), &serde_json::json!({ "train": 18, "test": 6 }))
    );
    let mut builder = tar::Builder::new(fs::File::create(bench.path("flowers.tar")).unwrap());
    builder.append_dir_all("flowers", bench.path("flowers")).unwrap();
    builder.finish().unwrap();
    train(&bench, "a", &[]);
    train(&bench, "b", &["--set", "data.file=flowers.tar"]);
    let without_recipe = |run: &str| {
        let mut files = lasting_files(&bench.path(run));
        files.retain(|name, _| name.ends_with("evaluation.json") || name.ends_with("metrics.csv"));
        files
    };
    assert_same(&without_recipe("a"), &without_recipe("b"));
    bench.succeed(&["predict", "run", "--input", "flowers/oak", "--output", "out.csv"]);
    let (header, rows) = parse_csv(&bench.read("out.csv"));
    assert_eq!(header[..4], ["file", "prediction", "p(oak)", "p(rose)"]);
    assert_eq!((rows.len(), rows[11][0].as_str()), (12, "11.png"));
    bench.write("large.png", photos::png(0, 1, 17));
    let line = bench.refused(&["predict", "run", "--input", "large.png", "--output", "no.csv"]);
    assert_says(&line, &["large.png", "17 x 17", "16 x 16"]);
    let line = bench.refused(&["predict", "run", "--input", "recipe.toml", "--output", "no.csv"]);
    assert_says(&line, &["recipe.toml", "expected an image file (.jpg"]);
}

#[test]
fn unusable_files_stop_or_are_left_out_and_named() {
    let bench = bench();
    photos::put(&bench, "flowers/rose/05.png", b"no image");
    for size in [None, Some("data.image_size=12")] {
        let more: Vec<&str> = size.iter().flat_map(|size| ["--set", size]).collect();
        let out = if size.is_some() { "streamed" } else { "stored" };
        let words = ["--set", "data.bad_images=skip"];
        let ran = train(&bench, out, &[&more[..], &words].concat());
        assert_says(
            &ran.stderr,
            &["no usable images: 1", "rose/05.png: a file of another kind, expected JPEG, PNG"],
        );
        let run = json(&bench.read(&format!("{out}/run.json")));
        assert_says(run["provenance"].as_str().unwrap(), &["1 unusable files left out"]);
        let found = json(&bench.succeed(&["evaluate", out, "--json"]).stdout);
        assert_eq!(found["metrics"], json(&bench.read(&format!("{out}/evaluation.json")))["metrics"]);
    }
    let line = bench.refused(&["train", "recipe.toml", "--out", "no"]);
    assert_says(
        &line,
        &["recipe.toml: data", "rose/05.png", "data.bad_images = \"skip\" leaves such files out"],
    );
}

#[test]
fn photographs_of_all_sizes_are_cropped_while_they_are_read() {
    let bench = Bench::with(&Toy { data: DATA, ..Toy::default() });
    for i in 0..8 {
        photos::put(&bench, &format!("flowers/oak/{i}.jpg"), photos::jpeg(0, i));
        photos::put(&bench, &format!("flowers/rose/{i}.jpg"), photos::jpeg(1, i));
    }
    let line = bench.refused(&["train", "recipe.toml", "--out", "no"]);
    assert_says(&line, &["a set needs one size"]);
    train(&bench, "run", &["--set", "data.image_size=12"]);
    assert_eq!(json(&bench.read("run/evaluation.json"))["n"], 4);
    let found =
        json(&bench.succeed(&["info", "recipe.toml", "--set", "data.image_size=12", "--json"]).stdout);
    assert_eq!(found["rows"][0]["weight"], serde_json::json!([432, 8]));
    fs::create_dir(bench.path("flowers/fern")).unwrap();
    photos::put(&bench, "flowers/fern/0.jpg", photos::jpeg(2, 0));
    photos::put(&bench, "flowers/fern/1.jpg", photos::jpeg(2, 1));
    assert_says(&bench.refused(&["evaluate", "run"]), &["3 classes", "2 the model was trained on"]);
}
