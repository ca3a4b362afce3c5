//! A folder in which a test runs the `rank1` command: writes recipes and tables, runs, compares files; asserts nothing
//! of its own beyond how a refusal looks.
// Each test program uses a part of it.
#![allow(dead_code, unreachable_pub, missing_debug_implementations, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

pub mod photos;

/// A temporary folder and the command that runs in it.
pub struct Bench {
    folder: TempDir,
}

/// What a run of the command left behind.
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Settings of a small recipe; each field is TOML.
pub struct Toy<'a> {
    pub data: &'a str,
    pub method: &'a str,
    pub train: &'a str,
    pub rest: &'a str,
}

/// A regression on 308 rows of six columns: three epochs take milliseconds.
pub const YACHT: &str = "set = \"yacht\"";

/// The table `table.csv`, target `y`.
pub const TABLE: &str = "set = \"csv\"\nfile = \"table.csv\"\ntarget = \"y\"";

/// A posterior that starts narrow, as the paper's do: a few epochs say what they did, without bounds of the gradient.
const NARROW: &str = "kind = \"rank1\"\nmembers = 2\ndropout_rate = 0.001\nmember_kl = \"sum\"\n\
                      prior = { family = \"normal\", mean = 1.0, std = 0.1 }";

impl Default for Toy<'_> {
    fn default() -> Self {
        Self { data: YACHT, method: NARROW, train: "epochs = 3", rest: "" }
    }
}

impl Toy<'_> {
    /// The recipe as a file has it.
    pub fn text(&self) -> String {
        let Self { data, method, train, rest } = self;
        format!(
            "name = \"test/toy\"\nseed = 5\n[data]\n{data}\n[model]\nkind = \"mlp\"\nhidden = [8]\n[method]\n{method}\n\
             [train]\n{train}\nbatch_size = 32\noptimizer = {{ kind = \"adam\", learning_rate = 0.01 }}\n\
             [predict]\nsamples = 4\n{rest}\n"
        )
    }
}

impl Bench {
    pub fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    /// A bench with `toy` as `recipe.toml`.
    pub fn with(toy: &Toy<'_>) -> Self {
        let bench = Self::new();
        bench.write("recipe.toml", toy.text());
        bench
    }

    /// A bench with a recipe for the table `csv`.
    pub fn with_table(csv: &str) -> Self {
        let bench = Self::with(&Toy { data: TABLE, ..Toy::default() });
        bench.write("table.csv", csv);
        bench
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The command, ready to run in the folder.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rank1"));
        command.current_dir(self.folder.path()).args(words);
        command
    }

    /// `rank1 WORDS`.
    pub fn rank1(&self, words: &[&str]) -> Ran {
        Ran::of(self.command(words).output().unwrap())
    }

    /// `rank1 WORDS`, which must succeed.
    pub fn succeed(&self, words: &[&str]) -> Ran {
        let ran = self.rank1(words);
        assert_eq!(ran.code, Some(0), "rank1 {}: {}", words.join(" "), ran.stderr);
        ran
    }

    /// `rank1 WORDS`, which must be refused with one line and leave the folder as it was; the line.
    pub fn refused(&self, words: &[&str]) -> String {
        let before = files(self.folder.path());
        let line = self.rank1(words).refusal();
        assert_same(&before, &files(self.folder.path()));
        line
    }

    /// Trains `recipe.toml` into `out`, which must succeed.
    pub fn train(&self, out: &str, more: &[&str]) {
        let words = [&["train", "recipe.toml", "--quiet", "--threads", "1", "--out", out], more].concat();
        self.succeed(&words);
    }
}

impl Ran {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The one line of a refusal; exit code 2, nothing on stdout.
    pub fn refusal(&self) -> String {
        self.error(2)
    }

    /// The one line of an error with this exit code.
    pub fn error(&self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "exit code; stderr: {}", self.stderr);
        assert_eq!(self.stdout, "", "stdout of a refusal");
        let lines: Vec<&str> = self.stderr.lines().collect();
        assert_eq!(lines.len(), 1, "one line was expected: {}", self.stderr);
        assert!(lines[0].starts_with("error: "), "{}", lines[0]);
        lines[0].to_string()
    }
}

/// Every file below a folder and its content, folders with none.
pub fn files(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().to_path_buf();
            if path.is_dir() {
                found.insert(name, None);
                open.push(path);
            } else {
                found.insert(name, Some(fs::read(&path).unwrap()));
            }
        }
    }
    found
}

/// The files of a finished run that are the same in every run of a recipe: all but run.json, which has times.
pub fn lasting_files(run: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = files(run);
    assert!(found.remove(Path::new("run.json")).is_some(), "{} is not finished", run.display());
    found
}

/// Panics with the names of the files that differ.
pub fn assert_same(a: &BTreeMap<PathBuf, Option<Vec<u8>>>, b: &BTreeMap<PathBuf, Option<Vec<u8>>>) {
    let names: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
    let differing: Vec<_> = names.into_iter().filter(|name| a.get(*name) != b.get(*name)).collect();
    assert!(differing.is_empty(), "these files differ: {differing:?}");
}

/// Every text must occur in the line.
pub fn assert_says(line: &str, texts: &[&str]) {
    for text in texts {
        assert!(line.contains(text), "`{text}` is missing in: {line}");
    }
}

/// A table of `rows` rows: numbers `a` and `b`, the category `color`, and the target `y` as `target` makes it.
pub fn table(rows: usize, target: impl Fn(f64, f64, &str) -> String) -> String {
    let mut text = String::from("a,b,color,y\n");
    for row in 0..rows {
        let (a, b) = ((row as f64 * 0.7).sin(), (row as f64 * 1.3).cos() * 3.0);
        let color = ["red", "green", "blue"][row % 3];
        text.push_str(&format!("{a:.4},{b:.4},{color},{}\n", target(a, b, color)));
    }
    text
}

/// A real-valued target.
pub fn sum(a: f64, b: f64, color: &str) -> String {
    format!("{:.4}", 2.0 * a - b + color.len() as f64)
}
