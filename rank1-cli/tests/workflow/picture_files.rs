//! Picture files as people have them: what is left out is named, turned photographs, names and links, bad files of a batch,
//! and severities that travel with corrupted copies.

use std::fs;

use crate::workbench::photos::{self, png, put};
use crate::workbench::{Bench, Toy, assert_says};
use crate::{json, parse_csv};

const DATA: &str = "set = \"images\"\nfile = \"flowers\"\ntest_fraction = 0.25\nvalidation = 0.0";
const TRAIN: [&str; 6] = ["train", "recipe.toml", "--quiet", "--json", "--out", "run"];

fn bench() -> Bench {
    let bench = Bench::with(&Toy { data: DATA, ..Toy::default() });
    photos::flowers(&bench, "flowers");
    bench
}

fn rows(bench: &Bench, run: &str) -> u64 {
    let rows = json(&bench.read(&format!("{run}/run.json")))["rows"].clone();
    ["train", "test"].iter().map(|part| rows[part].as_u64().unwrap()).sum()
}

#[test]
fn quiet_training_still_names_and_counts_what_is_left_out() {
    for size in [&[][..], &["--set", "data.image_size=12"]] {
        let bench = bench();
        put(&bench, "flowers/notes.txt", "text");
        put(&bench, "flowers/.DS_Store", "x");
        put(&bench, "flowers/oak/Thumbs.db", "x");
        put(&bench, "flowers/oak/more/12.png", png(0, 12, 16));
        let ran = bench.succeed(&[&TRAIN[..], size].concat());
        assert_says(
            &ran.stderr,
            &["for your information: 2", "flowers/notes.txt", "1 pictures in its sub-folders"],
        );
        assert!(!ran.stderr.contains("DS_Store") && !ran.stderr.contains("Thumbs"), "{}", ran.stderr);
        assert_eq!(rows(&bench, "run"), 25);
        put(&bench, "flowers/loose.png", png(0, 1, 16));
        put(&bench, "flowers/rose/clip.gif", "GIF89a");
        let words = [&["train", "recipe.toml", "--quiet", "--out", "no"], size].concat();
        let line = bench.refused(&words);
        assert_says(&line, &["flowers/loose.png", "no class", "1 more", "data.bad_images = \"skip\""]);
        let skip = ["train", "recipe.toml", "--quiet", "--out", "skip", "--set", "data.bad_images=skip"];
        let ran = bench.succeed(&[&skip[..], size].concat());
        assert_says(&ran.stderr, &["no usable images: 2", "flowers/loose.png", "rose/clip.gif: a .gif file"]);
        assert_eq!(rows(&bench, "skip"), 25);
    }
}

#[test]
fn one_bad_picture_stops_a_batch_before_it_is_predicted_or_is_left_out_and_named() {
    for size in [&[][..], &["--set", "data.image_size=12"]] {
        let bench = bench();
        bench.succeed(&[&TRAIN[..], size].concat());
        for i in 0..3 {
            put(&bench, &format!("new/{i}.png"), png(0, i, 16));
        }
        bench.succeed(&["predict", "run", "--input", "new", "--output", "good.csv"]);
        put(&bench, "new/notes.txt", "text");
        let predict = ["predict", "run", "--input", "new", "--output", "out.csv"];
        let ran = bench.succeed(&predict);
        assert_says(&ran.stderr, &["for your information: 1", "new/notes.txt"]);
        assert_eq!(bench.read("out.csv"), bench.read("good.csv"));
        put(&bench, "new/1a.png", &png(0, 1, 16)[..70]);
        put(&bench, "new/2a.heic", "x");
        fs::remove_file(bench.path("out.csv")).unwrap();
        assert_says(&bench.refused(&predict), &["new/2a.heic: a .heic file", "--bad-images skip"]);
        fs::remove_file(bench.path("new/2a.heic")).unwrap();
        assert_says(&bench.refused(&predict), &["new/1a.png", "truncated", "--bad-images skip"]);
        put(&bench, "new/2a.heic", "x");
        let ran = bench.succeed(&[&predict[..], &["--bad-images", "skip"]].concat());
        assert_says(&ran.stderr, &["no usable images: 2", "new/1a.png", "new/2a.heic"]);
        assert_eq!(bench.read("out.csv"), bench.read("good.csv"));
        // What the recipe says holds unless the command says otherwise.
        let skip = [&TRAIN[..5], &["skip", "--set", "data.bad_images=skip"], size].concat();
        bench.succeed(&skip);
        bench.succeed(&["predict", "skip", "--input", "new", "--output", "out.csv"]);
        let stop = ["predict", "skip", "--input", "new", "--output", "no.csv", "--bad-images", "stop"];
        assert_says(&bench.refused(&stop), &["new/2a.heic"]);
        fs::remove_dir_all(bench.path("new")).unwrap();
        put(&bench, "new/1.png", "text");
        let line = bench.refused(&[&predict[..4], &["--output", "no.csv", "--bad-images", "skip"]].concat());
        assert_says(&line, &["new: none of its 1 images can be used", "new/1.png"]);
    }
}

#[test]
fn more_formats_are_read_on_request_and_otherwise_refused_or_named_in_both_modes() {
    let bench = bench();
    for (ending, format) in [
        ("webp", image::ImageFormat::WebP),
        ("BMP", image::ImageFormat::Bmp),
        ("tif", image::ImageFormat::Tiff),
    ] {
        let mut file = std::io::Cursor::new(Vec::new());
        image::load_from_memory(&png(1, 3, 16)).unwrap().to_rgb8().write_to(&mut file, format).unwrap();
        put(&bench, &format!("flowers/rose/x.{ending}"), file.into_inner());
    }
    for (n, size) in [&[][..], &["--set", "data.image_size=12"]].into_iter().enumerate() {
        let train = |out: &str, more: &[&str]| {
            let words = ["train", "recipe.toml", "--quiet", "--out", out];
            [&words[..], size, more].concat().into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        let words = |words: &[String]| bench.rank1(&words.iter().map(String::as_str).collect::<Vec<_>>());
        let line = words(&train("no", &[])).refusal();
        assert_says(&line, &["rose/x.BMP: a .bmp file", "`formats` has \"bmp\"", "2 more files"]);
        let skip = format!("skip{n}");
        let ran = words(&train(&skip, &["--set", "data.bad_images=skip"]));
        assert_says(&ran.stderr, &["no usable images: 3", "x.webp", "x.tif", "x.BMP"]);
        assert_eq!(rows(&bench, &skip), 24);
        let all = format!("all{n}");
        let ran = words(&train(&all, &["--set", "data.formats=[\"webp\", \"bmp\", \"tiff\"]"]));
        assert_eq!((ran.code, rows(&bench, &all)), (Some(0), 27), "{}", ran.stderr);
        bench.succeed(&["predict", &skip, "--input", "flowers/rose", "--output", "out.csv"]);
        assert_eq!(parse_csv(&bench.read("out.csv")).1.len(), 15);
    }
}

/// A picture file with a chunk of Exif data that says it is stored upside down.
fn upside_down(class: usize, number: usize) -> Vec<u8> {
    let upright = image::load_from_memory(&png(class, number, 16)).unwrap();
    let mut bytes = Vec::new();
    let mut encoder = image::codecs::png::PngEncoder::new(&mut bytes);
    let exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x03\0\0\0\0\0\0\0".to_vec();
    image::ImageEncoder::set_exif_metadata(&mut encoder, exif).unwrap();
    upright.rotate180().write_with_encoder(encoder).unwrap();
    bytes
}

#[test]
fn a_photograph_predicts_and_trains_as_it_is_shown() {
    for size in [&[][..], &["--set", "data.image_size=12"]] {
        let bench = bench();
        bench.succeed(&[&TRAIN[..], size].concat());
        for i in 0..4 {
            put(&bench, &format!("upright/{i}.png"), png(i % 2, i, 16));
            put(&bench, &format!("tagged/{i}.png"), upside_down(i % 2, i));
        }
        let predicted = |folder: &str| {
            bench.succeed(&["predict", "run", "--input", folder, "--output", "out.csv"]);
            bench.read("out.csv")
        };
        assert_eq!(predicted("upright"), predicted("tagged"));
        for i in 0..12 {
            put(&bench, &format!("flowers/oak/{i:02}.png"), upside_down(0, i));
        }
        bench.succeed(&[&TRAIN[..5], &["turned"], size].concat());
        let metrics = |run: &str| json(&bench.read(&format!("{run}/evaluation.json")))["metrics"].clone();
        assert_eq!(metrics("run"), metrics("turned"));
    }
}

#[cfg(unix)]
#[test]
fn names_of_any_bytes_and_links_give_every_picture_once() {
    use std::ffi::OsStr;
    use std::os::unix::{ffi::OsStrExt, fs::symlink};
    let bench = bench();
    fs::rename(bench.path("flowers/rose"), bench.path("flowers/r, \"b\" 青")).unwrap();
    fs::write(bench.path("flowers/oak").join(OsStr::from_bytes(b"\xff.png")), png(0, 12, 16)).unwrap();
    symlink("../../elsewhere.png", bench.path("flowers/oak/link.png")).unwrap();
    bench.write("elsewhere.png", png(0, 13, 16));
    bench.succeed(&TRAIN);
    assert_eq!(rows(&bench, "run"), 26);
    fs::create_dir(bench.path("new")).unwrap();
    for name in [&b"bad\xff.png"[..], "a, \"b\"\n青.PNG".as_bytes()] {
        fs::write(bench.path("new").join(OsStr::from_bytes(name)), png(0, 3, 16)).unwrap();
    }
    symlink(".", bench.path("new/again")).unwrap();
    let ran = bench.succeed(&["predict", "run", "--input", "new", "--output", "out.csv"]);
    assert_says(&ran.stderr, &["new/again: a link to `.`"]);
    let (header, rows) = parse_csv(&bench.read("out.csv"));
    assert_eq!(header[..4], ["file", "prediction", "p(oak)", "p(r, \"b\" 青)"]);
    let names: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(names, ["a, \"b\"\n青.PNG", "bad\\xff.png"]);
    symlink("nowhere.png", bench.path("flowers/oak/dangling.png")).unwrap();
    let line = bench.rank1(&["train", "recipe.toml", "--out", "no"]).refusal();
    assert_says(&line, &["oak/dangling.png: a dangling link", "`nowhere.png`"]);
}

/// CIFAR-10's binary version of ten images a file, whose labels are the numbers from 0 to 9 in turn.
fn tiny_cifar(bench: &Bench) {
    let names: Vec<String> = (0..10).map(|i| format!("class_{i}")).collect();
    put(bench, "data/cifar-10-batches-bin/batches.meta.txt", names.join("\n"));
    for file in ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"]
    {
        let image =
            |i: u8| [vec![i], (0..3_072).map(|at| (at as u8 ^ i).wrapping_mul(17)).collect()].concat();
        let bytes: Vec<u8> = (0..10).flat_map(image).collect();
        put(bench, &format!("data/cifar-10-batches-bin/{file}.bin"), bytes);
    }
}

#[test]
fn severities_travel_with_corrupted_copies() {
    let bench = Bench::with(&Toy { data: "set = \"cifar10\"\nvalidation = 0.0", ..Toy::default() });
    tiny_cifar(&bench);
    bench.train("run", &["--data", "data"]);
    let corrupt = |out: &str, severities: &[&str]| {
        let words =
            ["data", "corrupt", "cifar10", "--data", "data", "--out", out, "--corruption", "contrast"];
        let more: Vec<&str> = severities.iter().flat_map(|severity| ["--severity", severity]).collect();
        bench.succeed(&[&words[..], &more].concat());
    };
    let found = |words: &[&str]| -> Vec<u64> {
        let found = bench.succeed(&[&["evaluate", "run", "--json", "--corrupted"], words].concat());
        let shifts = json(&found.stdout)["shifts"].clone();
        shifts.as_array().unwrap().iter().map(|point| point["severity"].as_f64().unwrap() as u64).collect()
    };
    corrupt("three", &["3"]);
    assert_eq!(found(&["three"]), [3]);
    corrupt("two", &["4", "1"]);
    assert_eq!(found(&["two"]), [1, 4]);
    corrupt("five", &[]);
    assert_eq!(found(&["five"]), [1, 2, 3, 4, 5]);
    let three = bench.succeed(&["evaluate", "run", "--json", "--shift", "contrast:3", "--data", "data"]);
    let told = bench.succeed(&["evaluate", "run", "--json", "--corrupted", "three"]);
    assert_eq!(json(&told.stdout)["metrics"]["corrupted_nll"], json(&three.stdout)["metrics"]["nll"]);
    for folder in ["three", "five"] {
        fs::remove_file(bench.path(&format!("{folder}/severities.json"))).unwrap();
    }
    assert_eq!(found(&["five"]), [1, 2, 3, 4, 5], "as the published files, which tell nothing");
    let line = bench.refused(&["evaluate", "run", "--corrupted", "three"]);
    assert_says(&line, &["labels.npy", "not those of five severities", "--severities"]);
    assert_eq!(found(&["three", "--severities", "3"]), [3]);
    let line = bench.refused(&["evaluate", "run", "--corrupted", "two", "--severities", "2,4"]);
    assert_says(&line, &["severities.json says severities [1, 4], asked for are [2, 4]"]);
    assert_says(&bench.rank1(&["evaluate", "run", "--severities", "2"]).stderr, &["--corrupted"]);
}
