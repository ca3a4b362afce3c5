//! `cargo xtask bench peers`: the same training steps here and in PyTorch, taken in turns, and their ratio.
//!
//! Both sides run each case in a process of its own on two threads. A ratio is PyTorch's time over ours, against the faster
//! of its eager and its compiled mode.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde_json::json;

use crate::Verdict;
use crate::process::{cargo, executable};
use crate::workspace::Workspace;

/// Times that each side of a case is run.
const ROUNDS: usize = 3;
const SCRIPT: &str = "xtask/peers/torch_steps.py";
const CASES: [&str; 6] = ["uci50", "mlp784", "lstm48", "resnet20", "wrn16_2", "predict1_mlp784"];
const HOW_TO_GET: &str = "\
no Python with PyTorch was found (looked at RANK1_PYTHON, python3 and python). To get one:
  python3 -m venv .venv
  .venv/bin/pip install torch --index-url https://download.pytorch.org/whl/cpu
  RANK1_PYTHON=.venv/bin/python cargo xtask bench peers
Its compiled mode needs a C++ compiler as well.";

/// What either side prints for one case.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Sample {
    median_ms: f64,
    /// Unknown on systems that do not say.
    peak_rss_mb: Option<f64>,
}

/// All rounds of one case.
#[derive(Debug, Default)]
struct Rounds {
    ours: Vec<Sample>,
    eager: Vec<Sample>,
    compiled: Vec<Sample>,
}

/// Runs the cases, all when `words` names none.
pub(super) fn run(workspace: &Workspace, words: &[String]) -> Result<Verdict> {
    let mut options = Options::read(words)?;
    if options.cases.is_empty() {
        options.cases.extend(CASES.map(str::to_owned));
    }
    let python = find_python().context(HOW_TO_GET)?;
    let steps = built(workspace)?;
    let script = workspace.root.join(SCRIPT);
    if !options.json {
        println!(
            "{:<17}{:>10}{:>10}{:>12}{:>8}{:>16}{:>14}",
            "case", "ours ms", "eager ms", "compiled ms", "ratio", "(by round)", "memory ratio"
        );
    }
    for case in &options.cases {
        let mut rounds = Rounds::default();
        for _ in 0..ROUNDS {
            let mut ours = Command::new(&steps);
            rounds.ours.push(sample(ours.args([case, "--json", "--seconds", &options.seconds]))?);
            let theirs = || {
                let mut command = Command::new(&python);
                command.arg(&script).args([case, "--seconds", &options.seconds]);
                command
            };
            rounds.eager.push(sample(&mut theirs())?);
            match sample(theirs().arg("--compile")) {
                Ok(compiled) => rounds.compiled.push(compiled),
                Err(error) => eprintln!("note: {case} does not run compiled: {error:#}"),
            }
        }
        rounds.print(case, options.json);
    }
    Ok(Verdict::Passed)
}

impl Rounds {
    fn print(&self, case: &str, as_json: bool) {
        let (ours, eager, compiled) = (median(&self.ours), median(&self.eager), median(&self.compiled));
        let ratio = eager.min(compiled) / ours;
        let by_round = self.ratios();
        let (least, most) = (
            by_round.iter().copied().fold(f64::INFINITY, f64::min),
            by_round.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        );
        let memory = self.memory_ratio();
        if as_json {
            let line = json!({
                "case": case,
                "ours_ms": ours,
                "eager_ms": eager,
                "compiled_ms": compiled,
                "ratio": ratio,
                "ratio_by_round": by_round,
                "memory_ratio": memory,
            });
            println!("{line}");
            return;
        }
        println!(
            "{case:<17}{ours:>10.3}{eager:>10.3}{compiled:>12.3}{ratio:>8.2}{:>16}{memory:>14.2}",
            format!("{least:.2}-{most:.2}")
        );
    }

    /// PyTorch's faster mode over ours, round by round.
    fn ratios(&self) -> Vec<f64> {
        let theirs = |round: usize| {
            let of = |samples: &[Sample]| samples.get(round).map_or(f64::NAN, |sample| sample.median_ms);
            of(&self.eager).min(of(&self.compiled))
        };
        self.ours.iter().enumerate().map(|(round, ours)| theirs(round) / ours.median_ms).collect()
    }

    /// Our peak memory over that of PyTorch's eager mode; NaN where a side does not say.
    fn memory_ratio(&self) -> f64 {
        let peak = |samples: &[Sample]| {
            samples.iter().filter_map(|sample| sample.peak_rss_mb).fold(f64::NAN, f64::max)
        };
        peak(&self.ours) / peak(&self.eager)
    }
}

fn median(samples: &[Sample]) -> f64 {
    let mut times: Vec<f64> = samples.iter().map(|sample| sample.median_ms).collect();
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

#[derive(Debug, PartialEq)]
struct Options {
    cases: Vec<String>,
    json: bool,
    seconds: String,
}

impl Options {
    fn read(words: &[String]) -> Result<Self> {
        let mut options = Self { cases: Vec::new(), json: false, seconds: "5".to_owned() };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--json" => options.json = true,
                "--seconds" => match words.next().filter(|n| n.parse::<u32>().is_ok_and(|n| n > 0)) {
                    Some(seconds) => options.seconds.clone_from(seconds),
                    None => bail!("--seconds needs a whole number of at least 1"),
                },
                case if CASES.contains(&case) => options.cases.push(case.to_owned()),
                other => {
                    let hint = crate::nearest::hint(other, CASES);
                    bail!("no case is called `{other}`{hint}\nknown cases: {}", CASES.join(", "));
                }
            }
        }
        Ok(options)
    }
}

/// The Python of `RANK1_PYTHON`, or the first on the path that can import torch.
fn find_python() -> Option<OsString> {
    let named = std::env::var_os("RANK1_PYTHON");
    let candidates = named.map_or_else(|| vec!["python3".into(), "python".into()], |python| vec![python]);
    candidates.into_iter().find(|python| {
        let mut command = Command::new(python);
        command.args(["-c", "import torch"]).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    })
}

/// Builds the bench of the steps and says where its program is.
fn built(workspace: &Workspace) -> Result<PathBuf> {
    let mut command = cargo(workspace);
    command.args(["bench", "--workspace", "--bench", "steps", "--no-run", "--message-format=json"]);
    let output = command.stderr(Stdio::inherit()).output().context("cannot start cargo")?;
    if !output.status.success() {
        bail!("the bench `steps` cannot be built");
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let program = text.lines().find_map(|line| executable(line, "steps"));
    program.context("cargo did not say where the bench `steps` is")
}

fn sample(command: &mut Command) -> Result<Sample> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{name}`"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{name}` failed: {}", said.lines().last().unwrap_or("no message"));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().rfind(|line| line.starts_with('{')).unwrap_or_default();
    serde_json::from_str(line).with_context(|| format!("`{name}` printed no result: {text}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn samples(times: &[f64]) -> Vec<Sample> {
        times.iter().map(|&median_ms| Sample { median_ms, peak_rss_mb: Some(10.0 * median_ms) }).collect()
    }

    #[test]
    fn ratios_are_against_the_faster_mode_and_a_missing_mode_counts_for_nothing() {
        let ours = samples(&[1.0, 2.0, 3.0]);
        let both = Rounds { ours, eager: samples(&[4.0, 4.0, 9.0]), compiled: samples(&[8.0, 2.0, 12.0]) };
        assert_eq!(both.ratios(), [4.0, 1.0, 3.0]);
        assert_eq!((median(&both.ours), median(&both.eager)), (2.0, 4.0));
        assert_eq!(both.memory_ratio(), 30.0 / 90.0);
        let eager_only = Rounds { compiled: Vec::new(), ..both };
        assert_eq!(eager_only.ratios(), [4.0, 2.0, 3.0]);
    }

    #[test]
    fn options_are_read_and_unknown_cases_refused_with_a_hint() {
        let read = |line: &str| {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            Options::read(&words).map_err(|error| error.to_string())
        };
        let expected = Options { cases: vec!["lstm48".into()], json: true, seconds: "9".into() };
        assert_eq!(read("lstm48 --json --seconds 9"), Ok(expected));
        assert!(read("lstm").unwrap_err().contains("no case is called `lstm`"));
        assert!(read("--seconds 0").unwrap_err().contains("whole number"));
    }

    #[test]
    fn the_script_and_its_cases_are_there() {
        let script = std::fs::read_to_string(
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/torch_steps.py"),
        );
        let script = script.unwrap();
        for case in CASES {
            assert!(script.contains(&format!("\"{case}\"")), "{case}");
        }
    }
}
