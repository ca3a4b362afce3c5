//! Places that cannot be written: below a file, read-only, full, or with too small a limit on file sizes.
//!
//! Mounting needs privileges; where there are none those tests say that they skipped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::workbench::{Bench, Ran, Toy, assert_says, files, sum, table};

/// A mounted tmpfs, unmounted when dropped.
struct Mount(PathBuf);

impl Mount {
    /// None, with a line that says so, where mounting is not permitted.
    fn tmpfs(at: &Path, options: &str) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(at).output();
        match mount {
            Ok(done) if done.status.success() => Some(Self(at.to_path_buf())),
            _ => {
                eprintln!("skipped: mounting a tmpfs is not permitted here");
                None
            }
        }
    }

    fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        assert!(Command::new("mount").args(["-o", &options]).arg(&self.0).status().unwrap().success());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Names below a folder that a half-written file would have.
fn temporaries(folder: &Path) -> Vec<PathBuf> {
    files(folder).into_keys().filter(|name| name.to_string_lossy().ends_with(".tmp")).collect()
}

#[test]
fn a_run_folder_below_a_file_is_refused() {
    let bench = Bench::with(&Toy::default());
    bench.write("file", "not a folder");
    for out in ["file", "file/run"] {
        let line = bench.refused(&["train", "recipe.toml", "--quiet", "--out", out]);
        assert_says(&line, &["cannot create run folder", out]);
    }
}

#[test]
fn outputs_below_a_file_or_a_missing_folder_are_refused() {
    let bench = Bench::with_table(&table(31, sum));
    bench.train("run", &[]);
    bench.write("file", "not a folder");
    for output in ["file/out", "absent/out", "run"] {
        let predict = ["predict", "run", "--input", "table.csv", "--output", output];
        assert_says(&bench.refused(&predict), &["write", output]);
        assert_says(&bench.refused(&["report", "run", "--output", output]), &["write", output]);
    }
}

#[test]
fn a_full_device_is_reported_and_stays_a_device() {
    use std::os::unix::fs::FileTypeExt;
    let bench = Bench::with_table(&table(31, sum));
    bench.train("run", &[]);
    if !fs::metadata("/dev/full").is_ok_and(|there| there.file_type().is_char_device()) {
        eprintln!("skipped: no /dev/full here");
        return;
    }
    let predict = ["predict", "run", "--input", "table.csv", "--output", "/dev/full"];
    assert_says(&bench.refused(&predict), &["write /dev/full", "No space left"]);
    assert!(fs::metadata("/dev/full").unwrap().file_type().is_char_device());
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let ran = bench.command(&["evaluate", "run"]).stdout(full).output().unwrap();
    assert_says(&Ran::of(ran).refusal(), &["cannot write to stdout", "No space left"]);
}

#[test]
fn a_read_only_folder_is_refused() {
    let bench = Bench::with_table(&table(31, sum));
    bench.train("run", &[]);
    let Some(_mount) = Mount::tmpfs(&bench.path("fixed"), "ro,size=64k") else { return };
    let line = bench.refused(&["train", "recipe.toml", "--quiet", "--out", "fixed/run"]);
    assert_says(&line, &["cannot create run folder fixed/run", "Read-only"]);
    let predict = ["predict", "run", "--input", "table.csv", "--output", "fixed/out.csv"];
    assert_says(&bench.refused(&predict), &["write fixed/out.csv", "Read-only"]);
}

#[test]
fn a_full_disk_stops_training_and_the_last_state_can_be_resumed() {
    let bench = Bench::with(&Toy { train: "epochs = 6\ncheckpoint_every = 1", ..Toy::default() });
    let Some(mount) = Mount::tmpfs(&bench.path("small"), "size=4m") else { return };
    bench.train("undisturbed", &["--set", "model.hidden=[300]"]);
    let train = ["train", "recipe.toml", "--quiet", "--set", "model.hidden=[300]", "--out", "small/run"];
    // Room for one state beside the filler, not for the two that a save needs at a time.
    bench.write("small/filler", vec![0; 4 * 1024 * 1024 - 140 * 1024]);
    let line = bench.rank1(&train).refusal();
    assert_says(&line, &["write small/run/checkpoint/network0/", "No space left on device"]);
    assert_eq!(temporaries(&bench.path("small")), Vec::<PathBuf>::new());
    assert!(bench.path("small/run/checkpoint/network0/manifest.json").exists(), "a state was saved before");
    fs::remove_file(bench.path("small/filler")).unwrap();
    bench.succeed(&[&train[..], &["--resume"]].concat());
    crate::workbench::assert_same(
        &files(&bench.path("undisturbed/checkpoint")),
        &files(&bench.path("small/run/checkpoint")),
    );
    drop(mount);
}

#[test]
fn a_disk_without_room_for_the_recipe_leaves_no_run_folder() {
    let bench = Bench::with(&Toy::default());
    let Some(_mount) = Mount::tmpfs(&bench.path("small"), "size=64k") else { return };
    bench.write("small/filler", vec![0; 64 * 1024]);
    let line = bench.refused(&["train", "recipe.toml", "--quiet", "--out", "small/run"]);
    assert_says(&line, &["small/run", "No space left on device"]);
}

#[test]
fn a_full_disk_refuses_predictions_and_keeps_the_file_before() {
    let bench = Bench::with_table(&table(331, sum));
    bench.train("run", &[]);
    let Some(mount) = Mount::tmpfs(&bench.path("small"), "size=64k") else { return };
    bench.write("small/out.csv", "before");
    bench.write("small/filler", vec![0; 48 * 1024]);
    let predict = ["predict", "run", "--input", "table.csv", "--output", "small/out.csv"];
    assert_says(&bench.refused(&predict), &["write small/out.csv", "No space left on device"]);
    mount.remount("size=1m");
    bench.succeed(&predict);
    assert!(bench.read("small/out.csv").starts_with("row,mean,"));
}

#[test]
fn a_limit_on_file_sizes_stops_a_save_and_leaves_no_half_file() {
    let bench = Bench::with(&Toy { train: "epochs = 2\ncheckpoint_every = 1", ..Toy::default() });
    // Ignored signal: the write then fails with an error, as on a full disk.
    let script =
        "trap '' XFSZ; ulimit -f 8; exec \"$0\" train recipe.toml --quiet --out run --set model.hidden=[300]";
    let ran = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_rank1")])
        .current_dir(bench.path("."))
        .output()
        .unwrap();
    let line = Ran::of(ran).refusal();
    assert_says(&line, &["write run/checkpoint/network0/step000000009.safetensors", "File too large"]);
    assert_eq!(temporaries(&bench.path(".")), Vec::<PathBuf>::new());
    bench.succeed(&[
        "train",
        "recipe.toml",
        "--quiet",
        "--out",
        "run",
        "--set",
        "model.hidden=[300]",
        "--resume",
    ]);
}
