//! `cargo xtask reproduce`: trains every method of an experiment with the `rank1` program and tabulates the results.
//!
//! The numbers come from the files that `rank1` wrote; here they are only averaged and printed beside published ones.

mod claims;
mod collect;
mod experiment;
mod listing;
mod outcome;
mod output;
mod plan;
mod pool;
pub(crate) mod program;
mod progress;
mod question;
#[cfg(test)]
mod sample;
mod shard;
#[cfg(test)]
mod shard_tests;
mod summary;
mod tables;
#[cfg(test)]
mod tests;
mod times;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use self::claims::Claims;
use self::experiment::Experiment;
use self::outcome::Outcome;
use self::output::Header;
use self::plan::Job;
use self::pool::Pool;
pub(crate) use self::shard::Shard;
use self::summary::Finished;
use self::tables::BlockView;
use self::times::Call;
use crate::args::ReproduceOptions;
use crate::workspace::Workspace;
use crate::{Verdict, nearest};

/// Runs the named experiments, or lists them.
pub(crate) fn run(workspace: &Workspace, options: &ReproduceOptions) -> Result<Verdict> {
    let variable = std::env::var_os("RANK1_DATA").map(PathBuf::from);
    let data = listing::data_folder(options.data.as_deref(), variable)?;
    let experiments = select(workspace, options, data.as_deref())?;
    if !options.parts.is_empty() && experiments.len() > 1 {
        bail!(
            "--from names the parts of one experiment, got {} NAMEs; collect one after the other",
            experiments.len()
        );
    }
    if options.list {
        println!("{}", listing::list(&experiments, data.as_deref()));
        return Ok(Verdict::Passed);
    }
    let program = program::locate(workspace)?;
    let mut passed = true;
    for experiment in experiments {
        let out = output_folder(workspace, options, &experiment.name)?;
        let session =
            Session { root: &workspace.root, options, program: &program, data: data.as_deref(), out: &out };
        passed &= session.reproduce(experiment)?;
    }
    Ok(Verdict::from_passed(passed))
}

/// The experiments asked for, checked before anything is built; all of them for `--list`.
fn select(workspace: &Workspace, options: &ReproduceOptions, data: Option<&Path>) -> Result<Vec<Experiment>> {
    let folder = workspace.root.join("recipes").join("experiments");
    let known = experiment::names(&folder)?;
    let names = match options.names.as_slice() {
        [] if options.list => known.clone(),
        [] => vec!["default".to_owned()],
        names => names.to_vec(),
    };
    let mut experiments = Vec::new();
    for name in &names {
        if !known.contains(name) {
            let hint = nearest::hint(name, known.iter().map(String::as_str));
            bail!("no experiment is called `{name}`{hint}\nknown experiments: {}", known.join(", "));
        }
        let experiment = experiment::load(&folder, name)?;
        if !options.list {
            // Looked at after --quick, which leaves sets out.
            let mut adjusted = experiment.clone();
            adjusted.adjust(options)?;
            listing::require_data(&adjusted, data)?;
        }
        experiments.push(experiment);
    }
    Ok(experiments)
}

fn output_folder(workspace: &Workspace, options: &ReproduceOptions, name: &str) -> Result<PathBuf> {
    let out = match &options.out {
        Some(out) if options.names.len() > 1 => out.join(name),
        Some(out) => out.clone(),
        None => workspace
            .root
            .join("out/reproduce")
            .join(format!("{name}{}", if options.quick { "-quick" } else { "" })),
    };
    std::fs::create_dir_all(&out)
        .with_context(|| format!("cannot create the output folder {}", out.display()))?;
    out.canonicalize().with_context(|| format!("cannot open the output folder {}", out.display()))
}

/// One experiment with one program and one output folder.
struct Session<'a> {
    root: &'a Path,
    options: &'a ReproduceOptions,
    program: &'a Path,
    data: Option<&'a Path>,
    out: &'a Path,
}

impl Session<'_> {
    /// Trains what is not there yet, prints and writes the results; false when a run or the report failed.
    fn reproduce(&self, mut experiment: Experiment) -> Result<bool> {
        let start = Instant::now();
        let notes = experiment.adjust(self.options)?;
        let jobs = plan::jobs(self.root, &experiment)?;
        let pool = self.pool()?;
        let total = jobs.len();
        if self.options.collect {
            let finished = collect::finished(jobs, self.out, &self.options.parts)?;
            eprintln!("{}: {total} runs are collected in {}", experiment.title, self.out.display());
            let call = Call { reused_runs: total, ..Call::default() };
            return self.tabulate(&experiment, &notes, &pool, finished, call, start);
        }
        let jobs = match self.options.shard {
            Some(shard) => shard.of(jobs),
            None => jobs,
        };
        let part = self.options.shard.map(|shard| format!(" of {total} as part {shard}")).unwrap_or_default();
        eprintln!(
            "{}: {} runs{part}, {} at a time, in {}",
            experiment.title,
            jobs.len(),
            pool.workers,
            self.out.display()
        );
        let (mut finished, jobs) = self.reuse(jobs, &pool.fingerprint);
        let call = Call { workers: pool.workers, reused_runs: finished.len(), wall_seconds: 0.0 };
        finished.extend(pool.run(jobs));
        match self.options.shard {
            // Other parts may be at work on the same folder: it has tables when all are done.
            Some(shard) => Ok(self.told_of_part(shard, &finished, start)),
            None => self.tabulate(&experiment, &notes, &pool, finished, call, start),
        }
    }

    fn pool(&self) -> Result<Pool<'_>> {
        Ok(Pool {
            fingerprint: program::fingerprint(self.program)?,
            program: self.program.to_owned(),
            root: self.root,
            out: self.out,
            data: self.data,
            workers: self
                .options
                .jobs
                .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)),
        })
    }

    /// Says how a part went; whether all of its runs finished.
    fn told_of_part(&self, shard: Shard, finished: &[Finished], start: Instant) -> bool {
        let failed = finished.iter().filter(|(_, result)| result.is_err()).count();
        eprintln!(
            "part {shard} is done in {}: {} runs, {failed} failed; --collect makes the tables when all parts are done",
            progress::duration(start.elapsed().as_secs_f64()),
            finished.len(),
        );
        failed == 0
    }

    /// Prints and writes the tables of all runs; false when a run or the report failed.
    fn tabulate(
        &self,
        experiment: &Experiment,
        notes: &[String],
        pool: &Pool<'_>,
        mut finished: Vec<Finished>,
        call: Call,
        start: Instant,
    ) -> Result<bool> {
        // In which order runs end must not decide anything.
        finished.sort_by(|(a, _), (b, _)| (a.block, &a.folder).cmp(&(b.block, &b.folder)));
        let claims = Claims::read(&self.root.join("recipes/claims.toml"))?;
        let cells = summary::cells_of_blocks(&experiment.blocks, &finished);
        let (blocks, timed) = times::divided(&experiment.blocks);
        let views = tables::views(&blocks, &cells, &claims);
        let header = Header { programs: programs(&finished), ..Header::new(experiment, notes) };
        let verdicts: Vec<_> = experiment.questions.iter().map(|question| question.decide(&views)).collect();
        let text = document(experiment, &header, &views, &verdicts);
        output::save(&self.out.join("tables.md"), &text)?;
        output::write(self.out, &header, &views, &verdicts)?;
        let call = Call { wall_seconds: start.elapsed().as_secs_f64(), ..call };
        println!("{text}{}", times::write(self.out, call, &timed, &cells)?);
        let reported = self.report(pool, &finished);
        let failed = finished.iter().filter(|(_, result)| result.is_err()).count();
        if failed > 0 {
            eprintln!("{failed} of {} runs failed", finished.len());
        }
        eprintln!("done in {}: {}", progress::duration(start.elapsed().as_secs_f64()), self.out.display());
        Ok(failed == 0 && reported)
    }

    /// Splits off the jobs that this output folder already holds.
    fn reuse(&self, jobs: Vec<Job>, fingerprint: &str) -> (Vec<Finished>, Vec<Job>) {
        if self.options.fresh {
            return (Vec::new(), jobs);
        }
        let (mut finished, mut left, mut other_builds) = (Vec::new(), Vec::new(), 0);
        for job in jobs {
            match job
                .finished_by(self.out)
                .map(|program| (program, Outcome::read(&self.out.join(&job.folder))))
            {
                Some((program, Ok(outcome))) => {
                    other_builds += usize::from(program != fingerprint);
                    finished.push((job, Ok(outcome)));
                }
                _ => left.push(job),
            }
        }
        if !finished.is_empty() {
            eprintln!("{} finished runs are reused (--fresh trains them again)", finished.len());
        }
        if other_builds > 0 {
            eprintln!("note: {other_builds} of them were made by another build of rank1");
        }
        (finished, left)
    }

    fn report(&self, pool: &Pool<'_>, finished: &[Finished]) -> bool {
        if finished.iter().all(|(_, result)| result.is_err()) {
            eprintln!("no report: no run finished");
            return false;
        }
        match pool.report(finished) {
            Ok(path) => eprintln!("report: {}", path.display()),
            Err(reason) => {
                eprintln!("the report failed: {reason}");
                return false;
            }
        }
        true
    }
}

/// The distinct programs that made the runs.
fn programs(finished: &[Finished]) -> Vec<String> {
    let mut programs: Vec<String> =
        finished.iter().filter_map(|(_, result)| Some(result.as_ref().ok()?.program.clone())).collect();
    programs.sort();
    programs.dedup();
    programs
}

/// Everything that is printed at the end.
fn document(
    experiment: &Experiment,
    header: &Header<'_>,
    views: &[BlockView<'_>],
    verdicts: &[question::Verdict],
) -> String {
    let mut text = format!("# {}\n", experiment.title);
    if !header.notes.is_empty() {
        text.push_str("\n**Shortened or changed, not comparable with the experiment as written:**\n");
        text.extend(header.notes.iter().map(|note| format!("- {note}\n")));
    }
    for view in views {
        text.push_str(&format!("\n{}", view.print()));
    }
    if !verdicts.is_empty() {
        text.push_str("\n## Verdicts\n\nA difference is for when its 95 % interval lies on the better side of zero, against when it excludes a worthwhile gain.\n");
    }
    for verdict in verdicts {
        text.push_str(&format!("\n{}", verdict.print()));
    }
    text.push_str(&format!("\nMade by {}.\n", header.programs.join("; ")));
    text
}
