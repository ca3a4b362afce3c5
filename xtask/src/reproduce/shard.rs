//! Parts of an experiment for machines that do not talk to each other: which runs are part I of N.
//!
//! Not for putting parts together; see [`super::collect`].

use std::str::FromStr;

use super::plan::Job;

/// Part `index` of `count`, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shard {
    index: usize,
    count: usize,
}

impl Shard {
    /// The runs of this part. Every part works out the same division by itself: one run after the other, the longest first, goes
    /// to the part with the least expected time so far, of equals to the first.
    pub(crate) fn of(self, jobs: Vec<Job>) -> Vec<Job> {
        let mut loads = vec![0.0; self.count];
        let mut own = Vec::new();
        for job in jobs {
            let part = lightest(&loads);
            loads[part] += job.weight;
            if part + 1 == self.index {
                own.push(job);
            }
        }
        own
    }
}

/// The first of the smallest numbers.
fn lightest(loads: &[f64]) -> usize {
    let lighter = |least: usize, part: usize| if loads[part] < loads[least] { part } else { least };
    (1..loads.len()).fold(0, lighter)
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("expected I/N, for example 1/4, got `{text}`");
        let (index, count) = text.split_once('/').ok_or_else(expected)?;
        let number = |text: &str| text.parse::<usize>().map_err(|_| expected());
        let (index, count) = (number(index)?, number(count)?);
        if count == 0 {
            return Err(format!("expected a number of parts N of at least 1, got `{text}`"));
        }
        if !(1..=count).contains(&index) {
            return Err(format!("expected a part I from 1 to {count}, got `{text}`"));
        }
        Ok(Self { index, count })
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::reproduce::{plan, sample};

    fn parts(jobs: &[Job], count: usize) -> Vec<Vec<Job>> {
        (1..=count).map(|index| Shard { index, count }.of(jobs.to_vec())).collect()
    }

    #[test]
    fn every_run_is_in_one_part_and_parts_take_about_as_long() {
        let (dir, experiment) = sample::experiment();
        let jobs = plan::jobs(dir.path(), &experiment).unwrap();
        let longest = jobs[0].weight;
        for count in [1, 2, 3, 5, 20] {
            let parts = parts(&jobs, count);
            let mut folders: Vec<_> = parts.iter().flatten().map(|job| job.folder.clone()).collect();
            folders.sort();
            let mut all: Vec<_> = jobs.iter().map(|job| job.folder.clone()).collect();
            all.sort();
            assert_eq!(folders, all, "{count} parts");
            let loads = parts.iter().map(|part| part.iter().map(|job| job.weight).sum::<f64>());
            let loads: Vec<f64> = loads.collect();
            let (most, least) = (
                loads.iter().copied().fold(0.0, f64::max),
                loads.iter().copied().fold(f64::INFINITY, f64::min),
            );
            // Of longest-first greedy: the last run of the longest part found no part that was lighter.
            assert!(most - least <= longest, "{count} parts: {loads:?}");
        }
    }

    #[test]
    fn runs_of_weights_5_4_3_3_are_divided_as_a_person_would() {
        let (dir, experiment) = sample::experiment();
        let mut jobs = plan::jobs(dir.path(), &experiment).unwrap();
        jobs.truncate(4);
        jobs.iter_mut().zip([5.0, 4.0, 3.0, 3.0]).for_each(|(job, weight)| job.weight = weight);
        let weights = |part: &Vec<Job>| part.iter().map(|job| job.weight).collect::<Vec<_>>();
        let divided: Vec<Vec<f64>> = parts(&jobs, 2).iter().map(weights).collect();
        assert_eq!(divided, [vec![5.0, 3.0], vec![4.0, 3.0]]);
    }

    #[test]
    fn parts_are_counted_from_one() {
        assert_eq!("2/3".parse::<Shard>().unwrap().to_string(), "2/3");
        for text in ["0/3", "4/3", "1/0", "1", "x/2", "1/2/3"] {
            assert!(text.parse::<Shard>().unwrap_err().contains(&format!("got `{text}`")), "{text}");
        }
    }
}
