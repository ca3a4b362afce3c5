//! `reproduce --collect`: the runs of all parts in one output folder, as if one machine had made them.
//!
//! Not for dividing runs; see [`super::shard`].

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::outcome::Outcome;
use super::plan::Job;
use super::summary::Finished;

/// Most missing runs that are named.
const NAMED: usize = 5;

/// What became of every run, from `out` itself and from other folders, whose runs are copied into `out`.
///
/// # Errors
/// A run that no folder has, or only of another recipe or with other options; a folder that cannot be read or written.
pub(crate) fn finished(jobs: Vec<Job>, out: &Path, others: &[PathBuf]) -> Result<Vec<Finished>> {
    for folder in others {
        if !folder.join("runs").is_dir() {
            bail!("--from {}: expected the output folder of a part, with `runs` in it", folder.display());
        }
    }
    let (mut finished, mut missing, total) = (Vec::new(), Vec::new(), jobs.len());
    for job in jobs {
        match one(&job, out, others)? {
            Some(result) => finished.push((job, result)),
            None => missing.push(job.title()),
        }
    }
    if !missing.is_empty() {
        let named = missing.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = if missing.len() > NAMED { ", ..." } else { "" };
        bail!(
            "{} of {total} runs are in none of the folders, or of another recipe or other options ({named}{more}): run every part with the same NAME, --quick, --seeds and N, or name its folder by --from DIR",
            missing.len()
        );
    }
    Ok(finished)
}

/// The result of a job, if any folder has one.
fn one(job: &Job, out: &Path, others: &[PathBuf]) -> Result<Option<Result<Outcome, String>>> {
    if job.finished_by(out).is_none()
        && let Some(other) = others.iter().find(|other| job.finished_by(other).is_some())
    {
        job.clear(out).and_then(|()| job.copy(other, out)).with_context(|| {
            format!("cannot copy the run {} from {}", job.folder.display(), other.display())
        })?;
    }
    if job.finished_by(out).is_some() {
        let outcome = Outcome::read(&out.join(&job.folder));
        return outcome.map(|outcome| Some(Ok(outcome))).map_err(anyhow::Error::msg).with_context(|| {
            format!("{}: a finished run that cannot be read", out.join(&job.folder).display())
        });
    }
    let reason =
        std::iter::once(out).chain(others.iter().map(PathBuf::as_path)).find_map(|at| job.failure(at));
    Ok(reason.map(Err))
}
