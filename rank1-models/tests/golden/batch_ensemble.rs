//! BatchEnsemble layers: plain factors per member, summed over the rank, dense and convolutional.

use ndarray::{Array2, Axis};

use crate::conv::{self, Conv};
use crate::dense::{Dense, plain_factors};
use crate::json::{Outcome, Record};
use crate::report::Verdict;

pub(crate) fn check(root: &Record<'_>) -> Outcome<()> {
    for case in root.children("cases")? {
        root.report.case(&case, run);
    }
    Ok(())
}

fn run(record: &Record<'_>) -> Outcome<Verdict> {
    record.note(&["matches_formula"]);
    match record.text("layer")? {
        "DenseBatchEnsemble" => {
            let dense = Dense::read(record)?;
            let (pairs, rank) = factors(record, dense.k, dense.kernel.dim())?;
            plain_factors(record, &dense, &pairs, rank)
        }
        "Conv2DBatchEnsemble" => {
            let conv = Conv::read(record)?;
            let (pairs, rank) = factors(record, conv.k, conv.widths())?;
            conv::plain_factors(record, &conv, &pairs, rank)
        }
        other => Ok(Verdict::NotImplemented(format!("layer {other}"))),
    }
}

type Pairs = Vec<(Array2<f64>, Array2<f64>)>;

/// Both factors of every rank, and the rank where the file stacks them.
fn factors(record: &Record<'_>, k: usize, (d_in, d_out): (usize, usize)) -> Outcome<(Pairs, Option<usize>)> {
    let rank = record.count("rank")?;
    let stacked = record.values("alpha")?.shape.len() == 3;
    let read = |key: &str, width: usize| -> Outcome<Vec<Array2<f64>>> {
        if stacked {
            record.expect_shape(key, &[rank, k, width])?;
            return Ok(record.cube(key)?.axis_iter(Axis(0)).map(|a| a.to_owned()).collect());
        }
        record.expect_shape(key, &[k, width])?;
        Ok(vec![record.matrix(key)?])
    };
    let (alpha, gamma) = (read("alpha", d_in)?, read("gamma", d_out)?);
    if alpha.len() != rank {
        return record.fault("rank", "is not the number of factors");
    }
    Ok((alpha.into_iter().zip(gamma).collect(), stacked.then_some(rank)))
}
