//! Broken or unfitting ImageNet files: every refusal names the file, and a run that stopped goes on when it is mended.

use std::fs;

use crate::workbench::photos::{self, CLASSES};
use crate::workbench::{Bench, Toy, assert_same, assert_says, lasting_files};

const DATA: &str = "set = \"imagenet\"\nimage_size = 12\nvalidation = 0.0";
const TRAIN: [&str; 8] = ["train", "recipe.toml", "--quiet", "--resume", "--out", "run", "--data", "data"];

fn bench() -> Bench {
    Bench::with(&Toy { data: DATA, train: "epochs = 2\ncheckpoint_every = 1", ..Toy::default() })
}

fn packed() -> Bench {
    let bench = bench();
    photos::packed_imagenet(&bench, "data");
    bench
}

#[test]
fn a_corrupt_photograph_among_good_ones_is_named_and_the_run_goes_on_when_it_is_mended() {
    let bench = bench();
    photos::unpacked_imagenet(&bench, "data");
    bench.train("whole", &["--data", "data"]);
    for file in ["train/n02123045/n02123045_3.JPEG", "val/ILSVRC2012_val_00000005.JPEG"] {
        let (path, place) = (bench.path(&format!("data/{file}")), format!("data/{file}"));
        let good = fs::read(&path).unwrap();
        bench.write(&place, &good[..good.len() - 40]);
        let line = bench.rank1(&TRAIN).refusal();
        assert_says(&line, &[&place, "truncated"]);
        assert!(!bench.path("run/run.json").exists() && !bench.path("run/evaluation.json").exists());
        bench.write(&place, good);
    }
    bench.succeed(&TRAIN);
    assert_same(&lasting_files(&bench.path("whole")), &lasting_files(&bench.path("run")));
}

#[test]
fn truncated_archives_are_named() {
    for (file, cut) in [("ILSVRC2012_img_train.tar", 3_000), ("ILSVRC2012_img_val.tar", 1_500)] {
        let bench = packed();
        let whole = fs::read(bench.path(&format!("data/{file}"))).unwrap();
        bench.write(&format!("data/{file}"), &whole[..whole.len() - cut]);
        assert_says(&bench.refused(&TRAIN), &["recipe.toml: data", file]);
    }
}

#[test]
fn labels_and_classes_that_do_not_fit_are_named() {
    let bench = packed();
    let labels = bench.read("data/val_labels.txt");
    bench.write("data/val_labels.txt", labels.replacen(CLASSES[1], "n09999999", 1));
    let line = bench.refused(&TRAIN);
    assert_says(&line, &["ILSVRC2012_val_00000002.JPEG", "n09999999", "does not occur in the training part"]);
    bench.write("data/val_labels.txt", format!("{labels}\n{}", CLASSES[0]));
    assert_says(&bench.refused(&TRAIN), &["val_labels.txt: 10 labels for 9 images"]);
    bench.write("data/val_labels.txt", labels.replacen(CLASSES[1], "cat", 1));
    assert_says(&bench.refused(&TRAIN), &["val_labels.txt: row 2: `cat`"]);
    fs::remove_file(bench.path("data/val_labels.txt")).unwrap();
    assert_says(&bench.refused(&TRAIN), &["data: no labels (val_labels.txt, LOC_val_solution.csv"]);
    fs::remove_file(bench.path("data/ILSVRC2012_img_val.tar")).unwrap();
    assert_says(&bench.refused(&TRAIN), &["no `val` folder or `ILSVRC2012_img_val.tar`"]);
    let line = bench.refused(&["train", "recipe.toml", "--out", "run"]);
    assert_says(&line, &["`imagenet` is not embedded", "--data DIR"]);
}

#[test]
fn shifts_and_keys_that_do_not_apply_to_photographs_are_refused_before_training() {
    let bench = packed();
    let refused = |set: &str| bench.refused(&[&TRAIN[..], &["--set", set]].concat());
    assert_says(&refused("evaluate.shifts=[\"rotation:30\"]"), &["recipe.toml: evaluate", "rotation:30"]);
    assert_says(&refused("data.augment={ pad = 4 }"), &["data.augment", "random crops of their own"]);
    assert_says(&refused("data.train_rows=25"), &["at most the 24 training rows there are, got 25"]);
    assert_says(&refused("evaluate.ood=glyphs"), &["recipe.toml: evaluate", "`glyphs`"]);
    assert_says(&refused("model={ kind = \"resnet50\", depth = 3 }"), &["model.depth"]);
}
