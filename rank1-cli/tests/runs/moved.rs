//! Runs that were moved, with and without their table; runs that may only be read, or not at all.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::workbench::{Bench, Ran, assert_same, assert_says, files, sum, table};

fn trained() -> Bench {
    let bench = Bench::with_table(&table(61, sum));
    bench.train("run", &[]);
    bench
}

/// `rank1 WORDS` in another working directory.
fn from_root(bench: &Bench, words: &[&str]) -> Ran {
    Ran::of(bench.command(words).current_dir("/").output().unwrap())
}

fn absolute(bench: &Bench, name: &str) -> String {
    bench.path(name).display().to_string()
}

#[test]
fn a_table_is_found_from_anywhere_when_the_run_is_renamed() {
    let bench = trained();
    let expected = bench.succeed(&["evaluate", "run", "--json"]).stdout;
    fs::rename(bench.path("run"), bench.path("moved run é")).unwrap();
    let ran = from_root(&bench, &["evaluate", &absolute(&bench, "moved run é"), "--json"]);
    assert_eq!((ran.code, ran.stdout), (Some(0), expected), "{}", ran.stderr);
}

#[test]
fn a_table_that_moved_together_with_its_run_is_found() {
    let bench = trained();
    let expected = bench.succeed(&["evaluate", "run", "--json"]).stdout;
    fs::create_dir_all(bench.path("far/away")).unwrap();
    for name in ["run", "table.csv"] {
        fs::rename(bench.path(name), bench.path("far/away").join(name)).unwrap();
    }
    let ran = from_root(&bench, &["evaluate", &absolute(&bench, "far/away/run"), "--json"]);
    assert_eq!((ran.code, ran.stdout), (Some(0), expected), "{}", ran.stderr);
}

#[test]
fn data_says_where_a_table_is_by_file_or_by_folder() {
    let bench = trained();
    let expected = bench.succeed(&["evaluate", "run", "--json"]).stdout;
    fs::create_dir(bench.path("elsewhere")).unwrap();
    fs::rename(bench.path("table.csv"), bench.path("elsewhere/table.csv")).unwrap();
    let line = bench.refused(&["evaluate", "run"]);
    assert_says(&line, &["run", "cannot read table.csv", "No such file", "--data"]);
    for data in ["elsewhere", "elsewhere/table.csv"] {
        assert_eq!(bench.succeed(&["evaluate", "run", "--data", data, "--json"]).stdout, expected);
    }
    assert_says(
        &bench.refused(&["evaluate", "run", "--data", "nowhere.csv"]),
        &["nowhere.csv", "No such file"],
    );
}

#[test]
fn a_table_beside_the_recipe_is_found_from_anywhere() {
    let bench = trained();
    let out = absolute(&bench, "other");
    let ran = from_root(&bench, &["train", &absolute(&bench, "recipe.toml"), "--quiet", "--out", &out]);
    assert_eq!((ran.code, &*ran.stderr), (Some(0), ""));
    assert_same(&files(&bench.path("run/checkpoint")), &files(&bench.path("other/checkpoint")));
}

#[test]
fn a_table_that_was_edited_is_told_by_evaluate_and_refused_by_resume() {
    let bench = trained();
    let edited = bench.read("table.csv").replacen("0.0000,3.0000", "0.0001,3.0000", 1);
    assert_ne!(edited, bench.read("table.csv"));
    bench.write("table.csv", edited);
    let ran = bench.succeed(&["evaluate", "run", "--json"]);
    assert_says(&ran.stderr, &["note: table.csv is not as it was when the model was trained"]);
    let line = bench.refused(&["train", "recipe.toml", "--quiet", "--out", "run", "--resume"]);
    assert_says(&line, &["table.csv has changed since run was started"]);
}

/// A read-only view of a folder; none, with a line that says so, where mounting is not permitted.
struct ReadOnly<'a>(&'a Path);

impl<'a> ReadOnly<'a> {
    fn of(folder: &Path, at: &'a Path) -> Option<Self> {
        fs::create_dir(at).unwrap();
        let mount = |words: &[&str]| Command::new("mount").args(words).arg(at).output();
        let bound = mount(&["--bind", folder.to_str().unwrap()]);
        if !bound.is_ok_and(|bound| bound.status.success()) {
            eprintln!("skipped: mounting is not permitted here");
            return None;
        }
        assert!(mount(&["-o", "remount,bind,ro"]).unwrap().status.success());
        Some(Self(at))
    }
}

impl Drop for ReadOnly<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[test]
fn a_read_only_run_is_evaluated_and_read_and_not_trained_into() {
    let bench = trained();
    let expected = bench.succeed(&["evaluate", "run", "--json"]).stdout;
    let before = files(&bench.path("run"));
    let at = bench.path("fixed");
    let Some(_mount) = ReadOnly::of(&bench.path("run"), &at) else { return };
    let ran = bench.succeed(&["evaluate", "fixed", "--json"]);
    assert_eq!(ran.stdout, expected);
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    assert_says(&ran.stderr, &["note: fixed cannot be written", "evaluation.json", "Read-only"]);
    assert!(bench.succeed(&["evaluate", "fixed"]).stdout.contains("RMSE"));
    bench.succeed(&["predict", "fixed", "--input", "table.csv", "--output", "out.csv"]);
    bench.succeed(&["report", "fixed", "--output", "report.html"]);
    bench.succeed(&["train", "recipe.toml", "--quiet", "--out", "fixed", "--resume"]);
    let train = ["train", "recipe.toml", "--quiet", "--out"];
    assert_says(&bench.rank1(&[&train[..], &["fixed"]].concat()).refusal(), &["fixed holds a run already"]);
    let line = bench.rank1(&[&train[..], &["fixed/inner"]].concat()).refusal();
    assert_says(&line, &["cannot create run folder fixed/inner", "Read-only"]);
    assert_same(&before, &files(&bench.path("run")));
}

#[test]
fn a_checkpoint_that_may_not_be_looked_into_is_told_as_such() {
    let bench = trained();
    // The superuser may look into everything, so that the command runs as nobody.
    let program = bench.path("rank1");
    fs::copy(env!("CARGO_BIN_EXE_rank1"), &program).unwrap();
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(&program, open.clone()).unwrap();
    fs::set_permissions(bench.path("."), open.clone()).unwrap();
    fs::set_permissions(bench.path("run/checkpoint"), fs::Permissions::from_mode(0o0)).unwrap();
    let mut nobody = Command::new("setpriv");
    nobody.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(&program);
    nobody.args(["predict", "run", "--input", "table.csv", "--output", "-"]).current_dir(bench.path("."));
    let ran = nobody.output();
    fs::set_permissions(bench.path("run/checkpoint"), open).unwrap();
    match ran.map(Ran::of) {
        Ok(ran) if !ran.stderr.contains("setpriv:") => {
            assert_says(&ran.refusal(), &["run/checkpoint/model.json", "Permission denied"]);
        }
        _ => eprintln!("skipped: no other user to be here"),
    }
}
