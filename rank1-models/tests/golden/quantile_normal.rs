//! Quantiles to a normal distribution: what is learned from columns, and what rows become.

use ndarray::{Array2, Axis};
use rank1_core::scaling::QuantileNormal;

use crate::json::{Outcome, Record};
use crate::report::{Precision, Verdict};

pub(crate) fn check(root: &Record<'_>) -> Outcome<()> {
    for case in root.children("cases")? {
        root.report.case(&case, run);
    }
    Ok(())
}

fn run(record: &Record<'_>) -> Outcome<Verdict> {
    record.note(&["tag"]);
    let (rows, features) = (record.count("n_rows")?, record.count("n_features")?);
    for key in ["x_fit", "noise"] {
        record.expect_shape(key, &[rows, features])?;
    }
    let (x_fit, noise, x_new) = (record.matrix("x_fit")?, record.matrix("noise")?, record.matrix("x_new")?);
    let n = record.count("n_quantiles")?;
    let mut fitted = Vec::new();
    for (values, noise) in x_fit.columns().into_iter().zip(noise.columns()) {
        let (values, noise) = (values.to_vec(), noise.to_vec());
        fitted.push(record.ok(QuantileNormal::fit(&values, Some(&noise), n))?);
    }
    let used = fitted.first().map_or(0, |column| column.quantiles.len());
    record.check("n_quantiles_used", used as f64, Precision::Exact)?;
    let references: Vec<f64> = (0..used).map(|i| i as f64 / (used - 1).max(1) as f64).collect();
    record.check("references", references, Precision::Double)?;
    let quantiles = Array2::from_shape_fn((used, features), |(i, f)| fitted[f].quantiles[i]);
    record.check("quantiles", quantiles, Precision::Double)?;
    let apply = |x: &Array2<f64>| {
        let mut out = x.clone();
        for (mut column, fitted) in out.axis_iter_mut(Axis(1)).zip(&fitted) {
            column.mapv_inplace(|v| fitted.apply_published(v));
        }
        out
    };
    record.check("output_fit", apply(&x_fit), Precision::Double)?;
    record.check("output_new", apply(&x_new), Precision::Double)?;
    // What values beyond all quantiles become.
    let ends = QuantileNormal { quantiles: vec![0.0, 1.0] };
    record.check("clip_low", ends.apply_published(-1.0), Precision::Double)?;
    record.check("clip_high", ends.apply_published(2.0), Precision::Double)?;
    Ok(Verdict::Compared)
}
