//! BatchEnsemble layers: plain factors per member, summed over the rank; the convolutions are not implemented.

use ndarray::{Array2, Axis};

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
    match record.text("layer")? {
        "DenseBatchEnsemble" => {}
        other => return Ok(Verdict::NotImplemented(format!("layer {other}"))),
    }
    record.note(&["matches_formula"]);
    let dense = Dense::read(record)?;
    let rank = record.count("rank")?;
    let stacked = record.values("alpha")?.shape.len() == 3;
    let (d_in, d_out) = dense.kernel.dim();
    let read = |key: &str, width: usize| -> Outcome<Vec<Array2<f64>>> {
        if stacked {
            record.expect_shape(key, &[rank, dense.k, width])?;
            return Ok(record.cube(key)?.axis_iter(Axis(0)).map(|a| a.to_owned()).collect());
        }
        record.expect_shape(key, &[dense.k, width])?;
        Ok(vec![record.matrix(key)?])
    };
    let (alpha, gamma) = (read("alpha", d_in)?, read("gamma", d_out)?);
    if alpha.len() != rank {
        return record.fault("rank", "is not the number of factors");
    }
    let pairs: Vec<_> = alpha.into_iter().zip(gamma).collect();
    plain_factors(record, &dense, &pairs, stacked.then_some(rank))
}
