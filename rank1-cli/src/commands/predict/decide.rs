//! What a person may do with a prediction: calibrated columns, whether to abstain, the decision of least expected cost.
//!
//! Not for the predictions themselves; see [`super::columns`].

use anyhow::{Context, Result, bail};
use ndarray::Array2;
use rank1_core::decision::least_cost;
use rank1_data::{CostMatrix, read_costs};
use rank1_models::predict::Predictive;

use super::columns::{Columns, Values};
use crate::args::PredictArgs;
use crate::calibration::{Adjusted, Artefact, Block, percent};
use crate::model::Model;
use crate::tables;

/// What is added to every block.
pub(super) struct Further {
    calibration: Option<Artefact>,
    /// Stated risk above which a row is left to a person.
    limit: Option<f64>,
    costs: Option<CostMatrix>,
}

impl Further {
    /// Reads and checks what was asked for, and tells what the columns mean.
    ///
    /// # Errors
    /// A damaged calibration, a share without one, costs that do not fit the classes.
    pub(super) fn open(args: &PredictArgs, model: &Model, samples: usize) -> Result<Self> {
        let calibration = if args.uncalibrated { None } else { Artefact::open(&args.run)? };
        let limit = limit(args, calibration.as_ref())?;
        let costs = args.costs.as_ref().map(|path| {
            if model.document.class_names.is_empty() {
                bail!("--costs: the run predicts values; costs are for classes");
            }
            read_costs(path, &model.document.class_names).context("--costs")
        });
        let costs = costs.transpose()?;
        if let Some(artefact) = &calibration {
            tables::note(&format!("note: {}", artefact.meaning()));
            if let (Some(share), Some(limit)) = (args.keep_share, limit) {
                tables::note(&format!(
                    "note: abstain is true above a stated risk of {limit:.6}, which keeps {} % of those rows",
                    percent(share)
                ));
            }
            if let Some(difference) = artefact.difference(samples, model.draws()) {
                tables::note(&format!("note: {difference}"));
            }
        }
        Ok(Self { calibration, limit, costs })
    }

    /// Adds the columns of a block.
    ///
    /// # Errors
    /// A calibration of another kind of target.
    pub(super) fn columns(
        &self,
        columns: &mut Columns,
        model: &Model,
        predictive: &Predictive,
    ) -> Result<()> {
        let adjusted = match &self.calibration {
            Some(artefact) => {
                let Block { adjusted, columns: further } = artefact.block(predictive)?;
                let own =
                    artefact.adjustment.is_some().then(|| adjusted.columns(&model.document.class_names));
                for (name, values) in own.into_iter().flatten().chain(further) {
                    columns.push(name, values)?;
                }
                adjusted
            }
            None => Adjusted::of(predictive, None)?,
        };
        if let Some(limit) = self.limit {
            let abstain = adjusted.stated_risk().iter().map(|&risk| risk > limit).collect();
            columns.push("abstain", Values::Truth(abstain))?;
        }
        if let (Some(matrix), Adjusted::Classes { log_probs }) = (&self.costs, &adjusted) {
            let probs: Array2<f64> = log_probs.mapv(f64::exp);
            let found = least_cost(probs.view(), matrix.costs.view())?;
            let names = found.chosen.iter().map(|&place| matrix.decisions[place].clone()).collect();
            columns.push("decision", Values::Text(names))?;
            columns.push("expected_cost", Values::Number(found.expected.to_vec()))?;
        }
        Ok(())
    }
}

/// The stated risk above which rows are left to a person.
fn limit(args: &PredictArgs, calibration: Option<&Artefact>) -> Result<Option<f64>> {
    if let Some(limit) = args.abstain_above {
        if !(limit >= 0.0 && limit.is_finite()) {
            bail!("--abstain-above: expected a number of at least 0, got {limit}");
        }
        return Ok(Some(limit));
    }
    let Some(share) = args.keep_share else { return Ok(None) };
    if !(share > 0.0 && share <= 1.0) {
        bail!("--keep-share: expected a share above 0 and at most 1, got {share}");
    }
    let run = args.run.display();
    let Some(artefact) = calibration else {
        bail!(
            "--keep-share: the limit is that of calibration rows, and {run} has none; `rank1 calibrate {run} --data FILE` first"
        );
    };
    let Some(risks) = &artefact.stated_risk else {
        bail!(
            "--keep-share: {run} was calibrated by an older program; `rank1 calibrate {run} --data FILE` again"
        );
    };
    Ok(Some(risks.quantile(share)))
}
