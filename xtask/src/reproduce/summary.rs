//! Finished and failed runs gathered per set and method; mean and standard error over seeds or splits.

use std::collections::BTreeSet;

use serde_json::Value;
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::experiment::{Better, Block};
use super::outcome::Outcome;
use super::plan::Job;

/// A mean with its standard error; a published figure has the error that was printed and `n` of 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) mean: f64,
    /// Absent for a single value.
    pub(crate) error: Option<f64>,
    pub(crate) n: usize,
}

impl Estimate {
    /// Mean and standard error `sd / sqrt(n)` with the `n - 1` standard deviation; nothing for no value.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        if n == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let error = (n > 1).then(|| (squares / (n - 1) as f64 / n as f64).sqrt());
        Some(Self { mean, error, n })
    }

    /// The 95 % interval of the mean by Student's t; nothing for a single value or a published figure.
    pub(crate) fn interval(&self) -> Option<[f64; 2]> {
        let (error, freedom) = (self.error?, self.n.checked_sub(1).filter(|&n| n > 0)?);
        let half = StudentsT::new(0.0, 1.0, freedom as f64).ok()?.inverse_cdf(0.975) * error;
        Some([self.mean - half, self.mean + half])
    }
}

/// A job and what became of it.
pub(crate) type Finished = (Job, Result<Outcome, String>);

/// All runs of one method on one set.
#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) set: String,
    pub(crate) method: String,
    pub(crate) runs: Vec<(Job, Outcome)>,
    pub(crate) failed: Vec<(Job, String)>,
}

impl Cell {
    pub(crate) fn planned(&self) -> usize {
        self.runs.len() + self.failed.len()
    }

    pub(crate) fn values(&self, metric: &str) -> Vec<f64> {
        self.runs.iter().filter_map(|(_, outcome)| outcome.get(metric)).collect()
    }

    pub(crate) fn estimate(&self, metric: &str) -> Option<Estimate> {
        Estimate::of(&self.values(metric))
    }

    /// Every metric that a run of this cell has.
    pub(crate) fn metrics(&self) -> BTreeSet<&str> {
        self.runs.iter().flat_map(|(_, outcome)| outcome.names()).collect()
    }
}

/// The cells of every block.
pub(crate) fn cells_of_blocks(blocks: &[Block], finished: &[Finished]) -> Vec<Vec<Cell>> {
    blocks.iter().enumerate().map(|(index, block)| cells(index, block, finished)).collect()
}

/// Of the runs of each seed or split the one with the lower validation NLL; a failed one where one has failed.
fn chosen<'a>(runs: &[&'a Finished]) -> Vec<&'a Finished> {
    let validation = |run: &Finished| match &run.1 {
        Ok(outcome) => outcome.validation.get("nll").and_then(Value::as_f64).unwrap_or(f64::INFINITY),
        Err(_) => f64::NEG_INFINITY,
    };
    let best =
        |runs: &[&'a Finished]| runs.iter().copied().min_by(|a, b| validation(a).total_cmp(&validation(b)));
    runs.chunk_by(|a, b| a.0.seed == b.0.seed).filter_map(best).collect()
}

/// The cells of a block in the order of its sets and methods.
fn cells(index: usize, block: &Block, finished: &[Finished]) -> Vec<Cell> {
    let mut cells = Vec::new();
    for set in &block.sets {
        for method in &block.methods {
            let mut cell =
                Cell { set: set.name.clone(), method: method.name.clone(), runs: vec![], failed: vec![] };
            let is_one = |job: &Job, of: &[String]| {
                job.block == index && job.set == cell.set && of.contains(&job.method)
            };
            let of =
                if method.choose.is_empty() { std::slice::from_ref(&method.name) } else { &method.choose };
            let mut own: Vec<&Finished> = finished.iter().filter(|(job, _)| is_one(job, of)).collect();
            own.sort_by_key(|(job, _)| job.seed);
            for (job, result) in chosen(&own) {
                match result {
                    Ok(outcome) => cell.runs.push((job.clone(), outcome.clone())),
                    Err(reason) => cell.failed.push((job.clone(), reason.clone())),
                }
            }
            cells.push(cell);
        }
    }
    cells
}

/// The mean difference between two cells over the seeds or splits that both have.
pub(crate) fn paired_difference(a: &Cell, b: &Cell, metric: &str) -> Option<Estimate> {
    let value = |cell: &Cell, seed: usize| {
        cell.runs.iter().find(|(job, _)| job.seed == seed).and_then(|(_, outcome)| outcome.get(metric))
    };
    let differences: Vec<f64> =
        a.runs.iter().filter_map(|(job, _)| Some(value(a, job.seed)? - value(b, job.seed)?)).collect();
    Estimate::of(&differences)
}

/// Whether `a` beats `b`; a metric without a direction has no winner.
pub(crate) fn is_better(better: Better, a: f64, b: f64) -> bool {
    match better {
        Better::Lower => a < b,
        Better::Higher => a > b,
        Better::Neither => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::reproduce::{plan, sample};

    #[test]
    fn a_choice_takes_the_run_with_the_lower_validation_nll_of_each_seed_and_fails_with_any() {
        let (dir, mut experiment) = sample::experiment();
        let block = &mut experiment.blocks[0];
        block.seeds = 3;
        let mut choice = block.methods[0].clone();
        (choice.name, choice.recipe) = ("choice".into(), String::new());
        choice.choose = vec!["good".into(), "other".into()];
        block.methods.push(choice);
        let jobs = plan::jobs(dir.path(), &experiment).unwrap();
        let run = |job: Job| {
            let good = job.method == "good";
            let (validation, nll) = match (job.seed, good) {
                (0, true) => (1.0, 5.0),
                (0, false) => (2.0, 6.0),
                (_, true) => (2.0, 7.0),
                (_, false) => (1.0, 8.0),
            };
            let validation = serde_json::json!({ "nll": validation });
            let mut outcome = Outcome::of(&[("nll", nll)]);
            outcome.validation = validation;
            let failed = job.seed == 2 && good;
            (job, if failed { Err("diverged".into()) } else { Ok(outcome) })
        };
        let finished: Vec<Finished> = jobs.into_iter().map(run).collect();
        let cells = cells(0, &experiment.blocks[0], &finished);
        let cell = cells.iter().find(|cell| cell.method == "choice").unwrap();
        assert_eq!((cell.values("nll"), cell.failed.len()), (vec![5.0, 8.0], 1));
        assert!(finished.iter().all(|(job, _)| job.method != "choice"), "a choice is not trained");
    }

    #[test]
    fn intervals_widen_with_few_values() {
        // Mean 2, standard error 1 / sqrt(3); t(0.975, 2) = 4.302653.
        let [lower, upper] = Estimate::of(&[1.0, 2.0, 3.0]).unwrap().interval().unwrap();
        assert!((lower - (2.0 - 2.484_138)).abs() < 1e-5 && (upper - (2.0 + 2.484_138)).abs() < 1e-5);
        assert_eq!(Estimate::of(&[1.0]).unwrap().interval(), None);
        assert_eq!(Estimate { mean: 1.0, error: Some(0.1), n: 0 }.interval(), None);
    }

    #[test]
    fn mean_and_standard_error_match_a_hand_calculation() {
        // Mean 3, squared deviations 4 + 1 + 1 + 4 + 0 = 10, variance 2.5, standard error sqrt(2.5 / 5).
        let estimate = Estimate::of(&[1.0, 2.0, 4.0, 5.0, 3.0]).unwrap();
        assert_eq!((estimate.mean, estimate.n), (3.0, 5));
        assert!((estimate.error.unwrap() - 0.5_f64.sqrt()).abs() < 1e-15);
    }

    #[test]
    fn a_single_value_has_no_error_and_no_value_no_estimate() {
        assert_eq!(Estimate::of(&[2.0]), Some(Estimate { mean: 2.0, error: None, n: 1 }));
        assert_eq!(Estimate::of(&[]), None);
    }

    #[test]
    fn directions_decide_who_wins() {
        assert!(is_better(Better::Lower, 1.0, 2.0) && !is_better(Better::Lower, 2.0, 1.0));
        assert!(is_better(Better::Higher, 2.0, 1.0) && !is_better(Better::Higher, 1.0, 2.0));
        assert!(!is_better(Better::Neither, 1.0, 2.0) && !is_better(Better::Lower, f64::NAN, 2.0));
    }
}
