//! `cargo xtask bench peers`: the same training steps here and in PyTorch, taken in turns, and their ratio.
//!
//! Both sides run each case in a process of its own on two threads, in turns. A ratio is PyTorch's time over ours in one round,
//! against the faster of its eager and its compiled mode; told are the median of the rounds and the quartiles. A case reaches its
//! goal when the lower quartile of ten rounds or more does: a machine whose speed changes must not decide.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde_json::json;

use crate::Verdict;
use crate::args::PeersOptions;
use crate::process::{cargo, executable};
use crate::workspace::Workspace;

const SCRIPT: &str = "xtask/peers/torch_steps.py";
const CASES: [&str; 8] =
    ["uci50", "mlp784", "lstm48", "resnet20", "wrn16_2", "predict1_mlp784", "tabm512", "predict_tabm512"];

/// The ratios that are wanted, of the first cases.
const GOALS: [f64; 6] = [15.0, 2.5, 2.5, 1.6, 1.6, 5.0];

/// Rounds below which no ratio counts.
const FEWEST_ROUNDS: usize = 10;
const HOW_TO_GET: &str = "\
no Python with PyTorch was found (looked at RANK1_PYTHON, python3 and python). To get one:
  python3 -m venv .venv
  .venv/bin/pip install torch --index-url https://download.pytorch.org/whl/cpu
  RANK1_PYTHON=.venv/bin/python cargo xtask bench peers
Its compiled mode needs a C++ compiler as well, and the cases of TabM `pip install tabm`.";

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

/// Runs the cases, all when none is named.
pub(super) fn run(workspace: &Workspace, options: &PeersOptions) -> Result<Verdict> {
    let cases = select(&options.cases)?;
    let seconds = options.seconds.to_string();
    let python = find_python().context(HOW_TO_GET)?;
    let steps = built(workspace)?;
    let script = workspace.root.join(SCRIPT);
    if !options.json {
        println!(
            "{:<17}{:>10}{:>10}{:>12}{:>8}{:>16}{:>6}{:>16}{:>14}",
            "case", "ours ms", "eager ms", "compiled ms", "ratio", "(quartiles)", "goal", "", "memory ratio"
        );
    }
    for case in cases {
        let mut rounds = Rounds::default();
        for _ in 0..options.rounds {
            let mut ours = Command::new(&steps);
            rounds.ours.push(sample(ours.args([case, "--json", "--seconds", &seconds]))?);
            let theirs = || {
                let mut command = Command::new(&python);
                command.arg(&script).args([case, "--seconds", &seconds]);
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
        let by_round = self.ratios();
        let [lower, ratio, upper] = [0.25, 0.5, 0.75].map(|share| quantile(by_round.clone(), share));
        let memory = self.memory_ratio();
        let goal = goal(case);
        let verdict = goal.map(|goal| verdict(by_round.len(), lower, goal));
        if as_json {
            let line = json!({
                "case": case,
                "ours_ms": ours,
                "eager_ms": eager,
                "compiled_ms": compiled,
                "ratio": ratio,
                "ratio_lower_quartile": lower,
                "ratio_upper_quartile": upper,
                "ratio_by_round": by_round,
                "goal": goal,
                "verdict": verdict,
                "memory_ratio": memory,
            });
            println!("{line}");
            return;
        }
        println!(
            "{case:<17}{ours:>10.3}{eager:>10.3}{compiled:>12.3}{ratio:>8.2}{:>16}{:>6}{:>16}{memory:>14.2}",
            format!("{lower:.2}-{upper:.2}"),
            goal.map_or_else(String::new, |goal| format!("{goal}")),
            verdict.unwrap_or_default()
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

fn goal(case: &str) -> Option<f64> {
    CASES.iter().zip(GOALS).find(|(name, _)| **name == case).map(|(_, goal)| goal)
}

/// Whether a ratio counts as reached; NaN, of a side that did not run, never does.
fn verdict(rounds: usize, lower_quartile: f64, goal: f64) -> &'static str {
    match (rounds >= FEWEST_ROUNDS, lower_quartile >= goal) {
        (false, _) => "too few rounds",
        (true, true) => "reached",
        (true, false) => "not reached",
    }
}

fn median(samples: &[Sample]) -> f64 {
    quantile(samples.iter().map(|sample| sample.median_ms).collect(), 0.5)
}

/// The value below which this share lies; between two values the nearer.
fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (share * values.len().saturating_sub(1) as f64).round() as usize;
    values.get(at).copied().unwrap_or(f64::NAN)
}

/// The cases asked for, or all.
fn select(names: &[String]) -> Result<Vec<&str>> {
    let find = |name: &String| {
        CASES.iter().copied().find(|case| case == name).with_context(|| {
            let hint = crate::nearest::hint(name, CASES);
            format!("no case is called `{name}`{hint}; known: {}", CASES.join(", "))
        })
    };
    if names.is_empty() { Ok(CASES.to_vec()) } else { names.iter().map(find).collect() }
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
        let nine: Vec<f64> = (0..9).map(f64::from).collect();
        assert_eq!([0.25, 0.5, 0.75].map(|share| quantile(nine.clone(), share)), [2.0, 4.0, 6.0]);
        assert_eq!(both.memory_ratio(), 30.0 / 90.0);
        let eager_only = Rounds { compiled: Vec::new(), ..both };
        assert_eq!(eager_only.ratios(), [4.0, 2.0, 3.0]);
    }

    #[test]
    fn a_ratio_counts_by_its_lower_quartile_over_ten_rounds() {
        assert_eq!((goal("uci50"), goal("predict1_mlp784"), goal("tabm512")), (Some(15.0), Some(5.0), None));
        assert_eq!(verdict(10, 2.5, 2.5), "reached");
        assert_eq!(verdict(10, 2.49, 2.5), "not reached");
        assert_eq!(verdict(9, 9.0, 2.5), "too few rounds");
        assert_eq!(verdict(10, f64::NAN, 2.5), "not reached");
    }

    #[test]
    fn unknown_cases_are_refused_with_a_hint() {
        assert_eq!(select(&[]).unwrap(), CASES);
        assert_eq!(select(&["lstm48".into()]).unwrap(), ["lstm48"]);
        assert!(select(&["lstm4".into()]).unwrap_err().to_string().contains("did you mean `lstm48`?"));
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
