//! `rank1 predict --shard I/N`: all parts together are the unsharded file, whatever the input, the format and the draws.

use std::process::Stdio;

use parquet::file::reader::{FileReader as _, SerializedFileReader};

use crate::formats::{bench, parquet_of, rows};
use crate::workbench::photos;
use crate::workbench::{Bench, Ran, Toy, assert_says, files};

/// What a part is called.
fn part(index: usize, count: usize) -> String {
    format!("{index}/{count}")
}

/// Of tables the column `id`, which the model does not know, is kept.
fn predict(bench: &Bench, input: &str, more: &[&str]) -> String {
    let keep: &[&str] = if input.starts_with("flowers") { &[] } else { &["--keep", "id"] };
    bench.succeed(&[&["predict", "run", "--input", input, "--output", "-"], keep, more].concat()).stdout
}

/// The lines of all parts; the header once.
fn joined(bench: &Bench, input: &str, count: usize, more: &[&str], has_header: bool) -> String {
    let mut all = String::new();
    for index in 1..=count {
        let shard = part(index, count);
        let text = predict(bench, input, &[&["--shard", &shard], more].concat());
        let repeated = usize::from(has_header && index > 1);
        all.extend(text.split_inclusive('\n').skip(repeated));
    }
    all
}

#[test]
fn parts_of_a_table_are_the_whole_file_from_every_source_with_either_kind_of_draws() {
    let bench = bench("");
    for draws in ["shared", "per_row"] {
        for more in [&["--members"][..], &["--standard-error", "0.02", "--samples", "64"]] {
            let more = [&["--draws", draws], more].concat();
            let whole = predict(&bench, "rows.csv", &more);
            assert_eq!(whole.lines().count(), 144);
            for (input, count, block) in
                [("rows.csv", 2, "7"), ("rows.csv.gz", 3, "1000"), ("rows.parquet", 4, "13")]
            {
                let more = [&more[..], &["--rows-per-block", block]].concat();
                assert_eq!(joined(&bench, input, count, &more, true), whole, "{input} {draws}");
            }
        }
    }
    let lines = ["--draws", "per_row", "--format", "jsonl"];
    assert_eq!(joined(&bench, "rows.csv", 3, &lines, false), predict(&bench, "rows.csv", &lines));
}

#[test]
fn a_part_of_parquet_is_a_file_with_its_rows() {
    let bench = bench("");
    let cells = |name: &str| -> Vec<String> {
        let file = std::fs::File::open(bench.path(name)).unwrap();
        let reader = SerializedFileReader::new(file).unwrap();
        reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect()
    };
    let write = |name: &str, more: &[&str]| {
        let words = ["predict", "run", "--input", "rows.parquet", "--output", name, "--keep", "id"];
        bench.succeed(&[&words[..], more].concat());
        cells(name)
    };
    let whole = write("all.parquet", &[]);
    let parts = (1..=3).flat_map(|index| write(&format!("{index}.parquet"), &["--shard", &part(index, 3)]));
    assert_eq!(parts.collect::<Vec<_>>(), whole);
}

#[test]
fn more_parts_than_rows_leave_some_without_rows_and_lose_none() {
    let bench = bench("");
    for (name, content) in [("few.csv", rows(3).into_bytes()), ("few.parquet", parquet_of(&rows(3)))] {
        bench.write(name, content);
        let whole = predict(&bench, name, &["--draws", "per_row"]);
        assert_eq!(joined(&bench, name, 5, &["--draws", "per_row"], true), whole);
    }
    let empty = predict(&bench, "few.csv", &["--shard", "1/5"]);
    assert_eq!(empty, "row,id,mean,std,total,aleatoric,epistemic,lower,upper\n");
    bench.succeed(&[
        "predict",
        "run",
        "--input",
        "few.csv",
        "--output",
        "e.parquet",
        "--keep",
        "id",
        "--shard",
        "1/5",
    ]);
    let reader = SerializedFileReader::new(std::fs::File::open(bench.path("e.parquet")).unwrap()).unwrap();
    assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
    assert_eq!(reader.metadata().file_metadata().schema().get_fields().len(), 9);
}

#[test]
fn parts_of_a_folder_of_images_are_the_whole() {
    let data = "set = \"images\"\nfile = \"flowers\"\nimage_size = 12\nvalidation = 0.0";
    let bench = Bench::with(&Toy { data, ..Toy::default() });
    photos::flowers(&bench, "flowers");
    bench.train("run", &["--set", "train.epochs=1"]);
    let whole = predict(&bench, "flowers", &["--draws", "per_row"]);
    assert_eq!(whole.lines().count(), 25, "{whole}");
    let blocks = ["--draws", "per_row", "--rows-per-block", "2"];
    assert_eq!(joined(&bench, "flowers", 3, &blocks, true), whole);
    assert_eq!(
        joined(&bench, "flowers/oak/03.png", 2, &[], true),
        predict(&bench, "flowers/oak/03.png", &[])
    );
}

#[test]
fn a_wrong_row_is_refused_with_its_number_by_the_part_that_has_it() {
    let bench = bench("");
    bench.write(
        "wrong.csv",
        format!("{}wrong,nothing,0.1,red\n{}", rows(8), &rows(3)["id,a,b,color\n".len()..]),
    );
    let words = |shard| {
        ["predict", "run", "--input", "wrong.csv", "--output", "o.csv", "--keep", "id", "--shard", shard]
    };
    let whole =
        bench.refused(&["predict", "run", "--input", "wrong.csv", "--output", "o.csv", "--keep", "id"]);
    assert_says(&whole, &["row 9 (line 10)"]);
    assert_eq!(bench.refused(&words("2/2")), whole);
    bench.succeed(&words("1/2"));
    // A row that is none cannot be counted.
    bench.write("ragged.csv", format!("{}1,2\n", rows(8)));
    let words =
        ["predict", "run", "--input", "ragged.csv", "--output", "r.csv", "--keep", "id", "--shard", "1/4"];
    assert_says(&bench.refused(&words), &["row 9 (line 10) has 2 fields"]);
}

#[test]
fn impossible_parts_and_streams_are_refused() {
    let bench = bench("");
    let words = |shard| ["predict", "run", "--input", "rows.csv", "--output", "o.csv", "--shard", shard];
    for (shard, said) in [
        ("0/2", "a part I from 1 to 2, got `0/2`"),
        ("3/2", "a part I from 1 to 2, got `3/2`"),
        ("1/0", "a number of parts N of at least 1, got `1/0`"),
        ("2", "expected I/N"),
    ] {
        assert_says(&bench.rank1(&words(shard)).stderr, &["--shard", said]);
        assert!(!bench.path("o.csv").exists());
    }
    let before = files(&bench.path("."));
    let words = ["predict", "run", "--input", "-", "--output", "o.csv", "--shard", "1/2"];
    let child =
        bench.command(&words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let ran = Ran::of(child.unwrap().wait_with_output().unwrap());
    assert_says(&ran.refusal(), &["--shard 1/2", "/dev/stdin is a stream", "--input FILE"]);
    assert_eq!(files(&bench.path(".")), before);
    // Standard input that is a file can be counted.
    let words = ["predict", "run", "--input", "-", "--output", "-", "--keep", "id", "--shard", "2/2"];
    let file = std::fs::File::open(bench.path("rows.csv")).unwrap();
    let ran = Ran::of(bench.command(&words).stdin(file).output().unwrap());
    assert_eq!((ran.code, ran.stdout), (Some(0), predict(&bench, "rows.csv", &["--shard", "2/2"])));
}
