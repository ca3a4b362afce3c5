//! What depends on the machine and the hour: measured with every run, kept apart from the results, which can then be compared byte
//! for byte.

use std::path::Path;

use anyhow::Result;
use serde::Serialize;
use serde_json::json;

use super::claims::Claims;
use super::experiment::{Block, Column};
use super::output::{self, Row};
use super::summary::Cell;
use super::tables;

/// Numbers of a run that another run of the same recipe does not have.
const TIMES: [&str; 4] =
    ["run.wall_seconds", "run.microseconds_per_prediction", "run.peak_memory_bytes", "run.threads"];

/// Whether two runs of one recipe differ in this metric.
pub(crate) fn is_time(metric: &str) -> bool {
    TIMES.contains(&metric)
}

/// The call of the program, beside the times of runs.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Call {
    pub(crate) workers: usize,
    /// Seconds of this call; reused and collected runs took none.
    pub(crate) wall_seconds: f64,
    pub(crate) reused_runs: usize,
}

/// Blocks without their columns of times, and the same blocks with nothing but these.
pub(crate) fn divided(blocks: &[Block]) -> (Vec<Block>, Vec<Block>) {
    let with = |block: &Block, times: bool| {
        let mut block = block.clone();
        block.columns.retain(|column: &Column| is_time(&column.metric) == times);
        block.comparisons.retain(|comparison| is_time(&comparison.metric) == times);
        block.published.retain(|_| !times);
        block
    };
    let all = |times| blocks.iter().map(|block| with(block, times)).collect();
    (all(false), all(true))
}

/// Writes `times.json` and returns the tables for the screen; `blocks` have columns of times only.
pub(crate) fn write(out: &Path, call: Call, blocks: &[Block], cells: &[Vec<Cell>]) -> Result<String> {
    let claims = Claims::default();
    let views = tables::views(blocks, cells, &claims);
    let rows = views.iter().flat_map(output::rows).filter(|row| is_time(row.metric));
    let document = json!({"call": call, "results": rows.collect::<Vec<Row<'_>>>()});
    output::save(&out.join("times.json"), &format!("{}\n", serde_json::to_string_pretty(&document)?))?;
    let shown = views.iter().filter(|view| !view.block.columns.is_empty() && !view.block.sets.is_empty());
    let text: Vec<String> = shown.map(|view| format!("\n{}", view.print_times())).collect();
    Ok(text.concat())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::reproduce::sample;

    #[test]
    fn a_column_of_times_is_in_one_of_the_two() {
        let (_dir, mut experiment) = sample::experiment();
        let block = &mut experiment.blocks[0];
        let time = Column { metric: "run.wall_seconds".into(), ..block.columns[0].clone() };
        block.columns.push(time);
        let (results, times) = divided(&experiment.blocks);
        let metrics =
            |block: &Block| block.columns.iter().map(|column| column.metric.clone()).collect::<Vec<_>>();
        assert_eq!(metrics(&results[0]), ["nll", "accuracy", "shift_mean.nll", "run.parameters"]);
        assert_eq!(metrics(&times[0]), ["run.wall_seconds"]);
        assert_eq!((results[0].comparisons.len(), times[0].comparisons.len()), (1, 0));
        assert!(times[1].columns.is_empty() && times[1].published.is_empty());
    }
}
