//! ImageNet from its archives: trained, evaluated and predicted without ever being in memory.

use crate::workbench::photos::{self, CLASSES, N_VAL, TRAIN_EACH};
use crate::workbench::{Bench, Toy, assert_same, assert_says, lasting_files};
use crate::{DIGITS, json, numbers, parse_csv};

const DATA: &str = "set = \"imagenet\"\nimage_size = 16\nvalidation = 0.0";
const LENET: [&str; 2] = ["--set", "model={ kind = \"lenet5\" }"];

fn bench(rest: &str) -> Bench {
    let bench = Bench::with(&Toy { data: DATA, train: "epochs = 4", rest, ..Toy::default() });
    photos::packed_imagenet(&bench, "data");
    bench
}

fn train(bench: &Bench, out: &str, more: &[&str]) {
    bench.train(out, &[&LENET, &["--set", "train.batch_size=8"], more].concat());
}

#[test]
fn the_archives_are_trained_on_evaluated_shifted_and_predicted() {
    let bench = bench("[evaluate]\nshifts = [\"fog:2\", \"gaussian_noise:0.1\"]");
    train(&bench, "run", &["--data", "data"]);
    let stored = json(&bench.read("run/evaluation.json"));
    assert_eq!((stored["set"].as_str(), stored["n"].as_u64()), (Some("imagenet"), Some(N_VAL as u64)));
    // Three classes of one color each: the uniform predictor has 1.0986 nats.
    assert!(stored["metrics"]["nll"].as_f64().unwrap() < 1.09, "{}", stored["metrics"]);
    let run = json(&bench.read("run/run.json"));
    assert_eq!(run["rows"], serde_json::json!({ "train": 3 * TRAIN_EACH, "test": N_VAL }));
    assert_says(run["provenance"].as_str().unwrap(), &["ImageNet (ILSVRC2012), 3 classes"]);
    let evaluated = |more: &[&str]| {
        let words = [&["evaluate", "run", "--data", "data", "--json"], more].concat();
        json(&bench.succeed(&words).stdout)
    };
    assert_eq!(evaluated(&[])["metrics"], stored["metrics"]);
    let shifts = stored["shifts"].as_array().unwrap();
    for (point, shift) in shifts.iter().zip(["corrupt/fog:2", "gaussian_noise:0.1"]) {
        assert_eq!(evaluated(&["--shift", shift])["metrics"]["nll"], point["metrics"]["nll"], "{shift}");
    }
    assert_eq!(stored["metrics"]["corrupted_nll"], shifts[0]["metrics"]["nll"]);
    assert_eq!(evaluated(&["--split", "train"])["n"], 3 * TRAIN_EACH);

    for (i, class) in [2, 0, 1].into_iter().enumerate() {
        photos::put(&bench, &format!("new/sub/{i}.jpg"), photos::jpeg(class, 70 + i));
    }
    photos::put(&bench, "new/z.png", photos::png(1, 3, 40));
    photos::put(&bench, "new/readme.txt", "no image");
    bench.succeed(&["predict", "run", "--input", "new", "--output", "new.csv"]);
    let (header, rows) = parse_csv(&bench.read("new.csv"));
    assert_eq!(header[..3], ["file", "prediction", "p(n01440764)"]);
    let names: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(names, ["sub/0.jpg", "sub/1.jpg", "sub/2.jpg", "z.png"]);
    for row in &rows {
        let sum: f64 = numbers(row, 2)[..3].iter().sum();
        assert!((sum - 1.0).abs() < 1e-6 && CLASSES.contains(&row[1].as_str()), "{row:?}");
    }
    bench.succeed(&["predict", "run", "--input", "new/sub/0.jpg", "--output", "one.csv"]);
    let (_, one) = parse_csv(&bench.read("one.csv"));
    assert_eq!((one[0][0].as_str(), &one[0][1..]), ("0.jpg", &rows[0][1..]), "draws follow the row");
}

#[test]
fn folders_are_the_same_set_as_archives() {
    let bench = bench("");
    photos::unpacked_imagenet(&bench, "folders");
    train(&bench, "packed", &["--data", "data"]);
    train(&bench, "unpacked", &["--data", "folders"]);
    assert_same(&lasting_files(&bench.path("packed")), &lasting_files(&bench.path("unpacked")));
}

#[test]
fn held_out_images_stop_and_choose_and_a_part_can_be_trained_on() {
    let bench = bench("[search]\n\"train.l2\" = [0.0, 0.001]");
    let words = ["--data", "data", "--set", "data.validation=0.25", "--set", "data.train_rows=20"];
    train(&bench, "run", &[&words[..], &["--set", "train.early_stopping={ patience = 2 }"]].concat());
    let run = json(&bench.read("run/run.json"));
    assert_eq!((&run["rows"]["train"], run["trials"].as_array().unwrap().len()), (&20.into(), 2));
    let words = ["evaluate", "run", "--data", "data", "--split", "validation", "--json"];
    let found = json(&bench.succeed(&words).stdout);
    assert_eq!(found["n"], 5);
}

#[test]
fn published_corruptions_are_measured_one_by_one_and_on_average() {
    let bench = bench("");
    train(&bench, "run", &["--data", "data"]);
    for (corruption, severity) in [("blur/defocus_blur", 1), ("blur/defocus_blur", 4), ("fog", 1)] {
        for (class, id) in CLASSES.iter().enumerate() {
            let file = format!("copies/{corruption}/{severity}/{id}/a.JPEG");
            photos::put(&bench, &file, photos::jpeg(class, 30 + severity));
        }
    }
    let words = ["evaluate", "run", "--corrupted", "copies"];
    let found = json(&bench.succeed(&[&words[..], &["--json"]].concat()).stdout);
    let points: Vec<_> = found["shifts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|point| (point["kind"].as_str().unwrap(), point["severity"].as_f64().unwrap()))
        .collect();
    assert_eq!(points, [("defocus_blur", 1.0), ("defocus_blur", 4.0), ("fog", 1.0)]);
    let nll = |i: usize| found["shifts"][i]["metrics"]["nll"].as_f64().unwrap();
    let mean = found["metrics"]["corrupted_nll"].as_f64().unwrap();
    assert!((mean - (nll(0) + nll(1) + nll(2)) / 3.0).abs() < DIGITS, "{mean}");
    assert_says(&bench.succeed(&words).stdout, &["imagenet corrupted: 9 rows", "defocus_blur 4"]);
    photos::put(&bench, "copies/fog/1/n09999999/a.JPEG", photos::jpeg(0, 1));
    assert_says(&bench.refused(&words), &["copies/fog/1/n09999999/a.JPEG", "does not occur"]);
}
