//! `cargo xtask bench`: finds and runs the benches of the crates.

mod gpu;
mod peers;

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::process::{cargo, succeeds};
use crate::workspace::Workspace;
use crate::{Verdict, args, nearest};

/// One bench target.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Bench {
    package: String,
    name: String,
}

impl Bench {
    fn full_name(&self) -> String {
        format!("{}/{}", self.package, self.name)
    }
}

/// Runs the benches asked for one after the other, or lists all when none is.
pub(crate) fn run(workspace: &Workspace, bench: Option<args::Bench>) -> Result<Verdict> {
    match bench {
        None => {
            println!("benches (cargo xtask bench NAME, or `all`):");
            find(&workspace.files()?).iter().for_each(|bench| println!("  {}", bench.full_name()));
            println!("  peers       the cases of `steps` beside PyTorch");
            println!("  gpu         the kernels of rank1-gpu on a device: checked, then timed");
            println!("  overhead    the cases of `steps` beside deterministic networks on as many rows");
            Ok(Verdict::Passed)
        }
        Some(args::Bench::Peers(options)) => peers::run(workspace, &options),
        Some(args::Bench::Gpu(options)) => gpu::run(workspace, &options),
        Some(args::Bench::Overhead { words }) => {
            let words: Vec<String> = words.into_iter().chain(["--overhead".into()]).collect();
            named(workspace, &["steps".into()], &words)
        }
        Some(args::Bench::Named(words)) => {
            let n_names = words.iter().position(|word| word.starts_with('-')).unwrap_or(words.len());
            let (names, words) = words.split_at(n_names);
            named(workspace, names, words)
        }
    }
}

/// Runs the benches of these names; a `--` among the words only separates.
fn named(workspace: &Workspace, names: &[String], words: &[String]) -> Result<Verdict> {
    let benches = find(&workspace.files()?);
    let mut passed = true;
    for bench in select(&benches, names)? {
        println!("-- {}", bench.full_name());
        // Selecting the workspace shares the dependencies with every other build of it.
        let is_alone = benches.iter().filter(|other| other.name == bench.name).count() == 1;
        let place = if is_alone { vec!["--workspace"] } else { vec!["-p", &bench.package] };
        let command = [&["bench"], &place[..], &["--bench", &bench.name, "--"]].concat();
        let words = words.iter().filter(|word| *word != "--");
        passed &= succeeds(cargo(workspace).args(command).args(words))?;
    }
    Ok(Verdict::from_passed(passed))
}

/// Every `PACKAGE/benches/NAME.rs` among the files of the workspace.
fn find(files: &[PathBuf]) -> Vec<Bench> {
    let bench = |file: &PathBuf| {
        let mut parts = file.iter().map(|part| part.to_str());
        match (parts.next()??, parts.next()??, parts.next()??, parts.next()) {
            (package, "benches", name, None) => {
                Some(Bench { package: package.to_owned(), name: name.strip_suffix(".rs")?.to_owned() })
            }
            _ => None,
        }
    };
    files.iter().filter_map(bench).collect()
}

fn select(benches: &[Bench], names: &[String]) -> Result<Vec<Bench>> {
    if names.iter().any(|name| name == "all") {
        return Ok(benches.to_vec());
    }
    let mut selected = Vec::new();
    for name in names {
        let found: Vec<&Bench> =
            benches.iter().filter(|bench| bench.name == *name || bench.full_name() == *name).collect();
        match found.as_slice() {
            [bench] => selected.push((*bench).clone()),
            [] => {
                let known: Vec<String> = benches.iter().map(Bench::full_name).collect();
                let hint = nearest::hint(name, benches.iter().map(|bench| bench.name.as_str()));
                bail!("no bench is called `{name}`{hint}\nknown benches: {}", known.join(", "));
            }
            [first, ..] => {
                bail!("`{name}` exists in several crates; write {} or its like", first.full_name())
            }
        }
    }
    Ok(selected)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn sample() -> Vec<Bench> {
        let files =
            ["a/benches/perturb.rs", "b/benches/perturb.rs", "b/benches/noise.rs", "b/benches/data/x.rs"];
        find(&files.map(PathBuf::from))
    }

    fn chosen(names: &[&str]) -> Result<Vec<String>, String> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let benches = select(&sample(), &names).map_err(|error| error.to_string())?;
        Ok(benches.iter().map(Bench::full_name).collect())
    }

    #[test]
    fn benches_are_the_files_directly_in_a_benches_folder() {
        let names: Vec<String> = sample().iter().map(Bench::full_name).collect();
        assert_eq!(names, ["a/perturb", "b/perturb", "b/noise"]);
    }

    #[test]
    fn a_bench_is_chosen_by_short_or_full_name_or_all() {
        assert_eq!(chosen(&["noise", "a/perturb"]).unwrap(), ["b/noise", "a/perturb"]);
        assert_eq!(chosen(&["all"]).unwrap().len(), 3);
    }

    #[test]
    fn unknown_and_ambiguous_names_are_refused_with_what_exists() {
        let unknown = chosen(&["noize"]).unwrap_err();
        assert!(
            unknown.contains("did you mean `noise`?") && unknown.contains("a/perturb, b/perturb"),
            "{unknown}"
        );
        assert!(chosen(&["perturb"]).unwrap_err().contains("write a/perturb"));
    }
}
