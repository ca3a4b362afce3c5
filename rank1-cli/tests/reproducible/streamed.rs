//! Images that stay on disk: the bytes of a run depend on no thread, no chunk and no interruption.

use crate::interrupted::survives_in;
use crate::workbench::{Bench, Toy, assert_same, lasting_files, photos};

const DATA: &str = "set = \"imagenet\"\nimage_size = 12\nvalidation = 0.2";

fn bench(toy: &Toy<'_>) -> Bench {
    let bench = Bench::with(toy);
    photos::packed_imagenet(&bench, "data");
    bench
}

#[test]
fn threads_and_chunks_change_no_byte() {
    let method = "kind = \"ensemble\"\nnetworks = 2\nof = { kind = \"rank1\", members = 2 }";
    let rest = "[evaluate]\nshifts = [\"frost:3\"]";
    let toy = Toy { data: DATA, method, train: "epochs = 3\nearly_stopping = { patience = 2 }", rest };
    let bench = bench(&toy);
    let small = ["--set", "model={ kind = \"resnet\", depth = 8, width = 2 }", "--data", "data"];
    for (run, threads) in [("one", "1"), ("two", "2")] {
        let words = ["train", "recipe.toml", "--quiet", "--out", run, "--threads", threads];
        let words = [&words[..], &small].concat();
        let ran = bench.command(&words).env("RAYON_NUM_THREADS", threads).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }
    assert_same(&lasting_files(&bench.path("one")), &lasting_files(&bench.path("two")));
    bench.train("chunks", &[&small[..], &["--set", "predict.chunk_rows=5"]].concat());
    for file in ["evaluation.json", "metrics.csv"] {
        assert_eq!(bench.read(&format!("chunks/{file}")), bench.read(&format!("one/{file}")), "{file}");
    }
}

#[test]
fn a_killed_run_goes_on_to_the_same_bytes() {
    let toy = Toy { data: DATA, train: "epochs = 40\ncheckpoint_every = 1", ..Toy::default() };
    survives_in(&bench(&toy), &["--data", "data"], "2");
}
