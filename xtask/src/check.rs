//! `cargo xtask check`: the gate before a commit, cheapest step first.

use anyhow::Result;

use crate::process::{cargo, succeeds, timed};
use crate::workspace::Workspace;
use crate::{Verdict, tidy};

type Step<'a> = (&'static str, Box<dyn FnOnce() -> Result<bool> + 'a>);

/// Runs format, tidy, lints, tests and docs, and stops at the first that fails.
pub(crate) fn run(workspace: &Workspace) -> Result<Verdict> {
    let cargo_step = |words: &'static [&'static str]| {
        Box::new(move || succeeds(cargo(workspace).args(words))) as Box<dyn FnOnce() -> Result<bool>>
    };
    let docs = move || {
        succeeds(
            cargo(workspace)
                .args(["doc", "--workspace", "--no-deps", "--quiet"])
                .env("RUSTDOCFLAGS", "-D warnings"),
        )
    };
    in_order(vec![
        ("format", cargo_step(&["fmt", "--all", "--check"])),
        ("tidy", Box::new(move || Ok(tidy::run(workspace)? == Verdict::Passed))),
        (
            "clippy",
            cargo_step(&["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]),
        ),
        ("tests", cargo_step(&["test", "--workspace", "--quiet"])),
        ("docs", Box::new(docs)),
    ])
}

fn in_order(steps: Vec<Step<'_>>) -> Result<Verdict> {
    let (passed, total) = timed(|| {
        for (name, step) in steps {
            println!("-- {name}");
            let (passed, time) = timed(step)?;
            println!("   {name} {} in {:.1} s", if passed { "passed" } else { "FAILED" }, time.as_secs_f64());
            if !passed {
                return Ok(false);
            }
        }
        Ok(true)
    })?;
    println!("check {} in {:.1} s", if passed { "passed" } else { "FAILED" }, total.as_secs_f64());
    Ok(Verdict::from_passed(passed))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn steps_run_in_order_and_stop_at_the_first_failure() {
        let seen = RefCell::new(Vec::new());
        let step = |name: &'static str, passes: bool| -> Step<'_> {
            let seen = &seen;
            (
                name,
                Box::new(move || {
                    seen.borrow_mut().push(name);
                    Ok(passes)
                }),
            )
        };
        let verdict = in_order(vec![step("a", true), step("b", false), step("c", true)]).unwrap();
        assert_eq!(verdict, Verdict::Failed);
        assert_eq!(*seen.borrow(), ["a", "b"]);
    }

    #[test]
    fn all_steps_passing_passes() {
        assert_eq!(in_order(vec![("a", Box::new(|| Ok(true)))]).unwrap(), Verdict::Passed);
    }
}
