//! `cargo xtask fuzz`: every reader under changed files; no panic, no long wait, no memory beyond what is stated.
//!
//! The readers and the changes are tests of `rank1-data` and `rank1-models` (`tests/fuzz`); this builds and runs them, one process
//! a reader, survives those that die, and tabulates.

mod child;
mod figures;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};

use crate::args::FuzzOptions;
use crate::process::{built_tests, cargo};
use crate::workspace::Workspace;
use crate::{Verdict, nearest};
use child::Child;
use figures::Figures;

/// Inputs if neither a number nor a time is given.
const INPUTS: u64 = 100_000;

/// A reader and the program that has it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reader {
    name: String,
    program: PathBuf,
}

/// Builds the readers, runs those asked for and prints what came of them.
pub(crate) fn run(workspace: &Workspace, options: &FuzzOptions) -> Result<Verdict> {
    let readers = select(&find(workspace, options.profile.as_deref().unwrap_or("fuzz"))?, &options.readers)?;
    if options.list {
        readers.iter().for_each(|reader| println!("{}", reader.name));
        return Ok(Verdict::Passed);
    }
    let out = options.out.clone().unwrap_or_else(|| workspace.root.join("out/fuzz"));
    if let Some(file) = &options.replay {
        let [reader] = readers.as_slice() else { bail!("--replay needs one READER") };
        return replay(reader, file, &out);
    }
    let (started, mut all) = (Instant::now(), Vec::new());
    for reader in &readers {
        let folder = out.join(&reader.name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
        }
        let inputs = options.inputs.or_else(|| options.seconds.is_none().then_some(INPUTS));
        let child = Child { reader, folder, seed: options.seed.unwrap_or(0) };
        let figures = child.run(inputs, options.seconds)?;
        eprintln!("{}", figures.line());
        all.push(figures);
    }
    println!("{}", figures::table(&all));
    println!("{} readers in {:.0} s", all.len(), started.elapsed().as_secs_f64());
    for figures in &all {
        figures.failures.iter().for_each(|failure| println!("FAILED {}", figures.describe(failure)));
    }
    if let Some(file) = &options.json {
        let text = serde_json::to_vec_pretty(&all).context("figures are numbers and texts")?;
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(Verdict::from_passed(all.iter().all(|figures: &Figures| figures.n_failures == 0)))
}

fn replay(reader: &Reader, file: &Path, out: &Path) -> Result<Verdict> {
    let file = file.canonicalize().with_context(|| format!("--replay {}", file.display()))?;
    let child = Child { reader, folder: out.join("replay"), seed: 0 };
    let figures = child.replay(&file)?;
    println!("{}", figures.line());
    figures.failures.iter().for_each(|failure| println!("FAILED {}: {}", failure.kind, failure.what));
    Ok(Verdict::from_passed(figures.n_failures == 0))
}

/// The readers of all programs called `fuzz`: their tests that are in no module.
fn find(workspace: &Workspace, profile: &str) -> Result<Vec<Reader>> {
    // Selecting the workspace shares the dependencies with every other build of it.
    let words = ["test", "--workspace", "--test", "fuzz", "--no-run", "--quiet", "--profile", profile];
    let programs = built_tests(cargo(workspace).args(words))?;
    ensure!(!programs.is_empty(), "no tests called `fuzz` are built");
    let mut readers = Vec::new();
    for program in programs {
        let list = std::process::Command::new(&program).args(["--list", "--format", "terse"]).output()?;
        ensure!(list.status.success(), "{} does not list its tests", program.display());
        let names = names(&String::from_utf8_lossy(&list.stdout));
        readers.extend(names.into_iter().map(|name| Reader { name, program: program.clone() }));
    }
    Ok(readers)
}

fn names(list: &str) -> Vec<String> {
    let names = list.lines().filter_map(|line| line.strip_suffix(": test"));
    names.filter(|name| !name.contains("::")).map(str::to_owned).collect()
}

fn select(readers: &[Reader], names: &[String]) -> Result<Vec<Reader>> {
    if names.is_empty() {
        return Ok(readers.to_vec());
    }
    let find = |name: &String| {
        readers.iter().find(|reader| reader.name == *name).cloned().with_context(|| {
            let known = readers.iter().map(|reader| reader.name.as_str());
            let hint = nearest::hint(name, known.clone());
            format!("no reader is called `{name}`{hint}; known: {}", known.collect::<Vec<_>>().join(", "))
        })
    };
    names.iter().map(find).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn readers_are_the_tests_outside_of_modules() {
        let list = "csv: test\nharness::mutate::tests::x: test\nidx: test\n";
        assert_eq!(names(list), ["csv", "idx"]);
    }

    #[test]
    fn an_unknown_reader_is_refused_with_the_nearest() {
        let reader = |name: &str| Reader { name: name.into(), program: "p".into() };
        let all = [reader("csv"), reader("npy")];
        assert_eq!(select(&all, &[]).unwrap(), all);
        assert_eq!(select(&all, &["npy".into()]).unwrap(), all[1..]);
        let refused = select(&all, &["cvs".into()]).unwrap_err().to_string();
        assert_eq!(refused, "no reader is called `cvs`; did you mean `csv`?; known: csv, npy");
    }
}
