//! A training on several ranks, on paper.
//!
//! Not for counting; every number comes from [`rank1_models::cluster`].

use anyhow::Result;

use super::network::{bytes, grouped};
use super::{plain, say};
use crate::commands::info::ClusterDocument;

/// Prints what was assumed, a row for each number of ranks, and where adding ranks stops helping.
///
/// # Errors
/// A stdout that takes no more.
pub fn print_cluster(document: &ClusterDocument) -> Result<()> {
    let ClusterDocument { machine, work, limits, .. } = document;
    let origin = if document.rate_is_measured { " measured here (a product of 512 x 512 x 512)" } else { "" };
    let decoding = match machine.decode_seconds {
        0.0 => String::new(),
        seconds if machine.decodes_beside => format!(", {} ms to decode an image beside it", ms(seconds)),
        seconds => format!(", {} ms to decode an image", ms(seconds)),
    };
    say(&format!(
        "on ranks, computed: {} GFLOP/s{origin} and {} Gbit/s each, {:.1} us to a message{decoding}; {} steps of {} examples on {} rows",
        grouped((machine.flops_per_second / 1e9).round() as u64),
        machine.bytes_per_second * 8.0 / 1e9,
        machine.latency_seconds * 1e6,
        grouped(work.steps),
        grouped(work.batch_size as u64),
        grouped(document.rows as u64)
    ))?;
    let mut table = plain(&[
        "ranks",
        "examples each",
        "arithmetic ms",
        "decoding ms",
        "all-reduce ms",
        "step ms",
        "efficiency",
        "training",
        "memory of a rank",
    ]);
    for plan in &document.plans {
        table.add_row([
            if plan.ranks == document.asked {
                format!("{} (asked)", plan.ranks)
            } else {
                plan.ranks.to_string()
            },
            plan.examples.to_string(),
            ms(plan.compute_seconds),
            ms(plan.decode_seconds),
            ms(plan.all_reduce_seconds),
            ms(plan.step_seconds),
            format!("{:.2}", plan.efficiency),
            duration(plan.training_seconds),
            bytes(plan.memory_bytes),
        ]);
    }
    say(&table.to_string())?;
    say(&format!(
        "at least half of each rank is used up to P = {}; the training is shortest at P = {}",
        limits.half_used, limits.fastest
    ))
}

/// Milliseconds with three significant digits.
fn ms(seconds: f64) -> String {
    let value = seconds * 1e3;
    match value {
        0.0 => "0".to_owned(),
        v if v < 1.0 => format!("{v:.3}"),
        v if v < 100.0 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}

/// A time in the largest unit of which there are two.
fn duration(seconds: f64) -> String {
    for (unit, of_one) in [("days", 86_400.0), ("h", 3_600.0), ("min", 60.0)] {
        if seconds >= 2.0 * of_one {
            return format!("{:.1} {unit}", seconds / of_one);
        }
    }
    format!("{seconds:.1} s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit_and_few_digits() {
        let texts = [1.25, 119.0, 121.0, 7_300.0, 200_000.0].map(duration);
        assert_eq!(texts, ["1.2 s", "119.0 s", "2.0 min", "2.0 h", "2.3 days"]);
        assert_eq!([0.0, 0.000_012_3, 0.0123, 1.234].map(ms), ["0", "0.012", "12.3", "1234"]);
    }
}
