//! Which rows go to a person: a limit on the stated risk chosen on calibration rows, and what limits leave of other rows.

use anyhow::{Context, Result, bail};
use ndarray::{Array1, Array2};
use rank1_core::decision::{kept_below, least_cost};
use rank1_core::drift::NumberReference;
use rank1_core::metrics::predicted_classes;
use rank1_core::targets::Targets;
use rank1_data::read_costs;

use super::apply::Adjusted;
use super::document::{Artefact, Costs, ReferralChoice};
use crate::args::CalibrateArgs;
use crate::report::table_document::{ReferralPoint, SHOWN_SHARES};

/// The share of the calibration rows that is kept where nothing else is asked for.
const DEFAULT_SHARE: f64 = 0.9;

/// Shares of the calibration rows whose limits are measured besides those of a table.
const FURTHER_SHARES: [f64; 12] = [0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.55, 0.65, 0.75];

/// How the limit is to be chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct ReferralSettings {
    keep_share: Option<f64>,
    costs: Option<Costs>,
}

impl ReferralSettings {
    /// Reads and checks what was asked for.
    ///
    /// # Errors
    /// A share that is none, costs of values, a cost matrix of other classes, a referral cost without a matrix or with a share.
    pub fn of(args: &CalibrateArgs, class_names: &[String]) -> Result<Self> {
        if let Some(share) = args.keep_share.filter(|share| !(*share > 0.0 && *share <= 1.0)) {
            bail!("--keep-share: expected a share above 0 and at most 1, got {share}");
        }
        let costs = match &args.costs {
            None => None,
            Some(_) if class_names.is_empty() => {
                bail!("--costs: the run predicts values; costs are for classes")
            }
            Some(path) => {
                let matrix = read_costs(path, class_names).context("--costs")?;
                let by_class = matrix.costs.rows().into_iter().map(|row| row.to_vec()).collect();
                Some(Costs { decisions: matrix.decisions, by_class, referral: args.referral_cost })
            }
        };
        if let Some(cost) = args.referral_cost {
            if costs.is_none() {
                bail!("--referral-cost: is weighed against the costs of decisions, which --costs FILE gives");
            }
            if args.keep_share.is_some() {
                bail!("--referral-cost: chooses the share that is kept; leave out --keep-share");
            }
            if !cost.is_finite() {
                bail!("--referral-cost: expected a finite number, got {cost}");
            }
        }
        Ok(Self { keep_share: args.keep_share, costs })
    }

    /// The limit for predictions of the calibration rows: of least mean cost if a referral has one, else of the share.
    ///
    /// # Errors
    /// Targets of the other kind than the predictions.
    pub fn choose(
        self,
        adjusted: &Adjusted,
        targets: &Targets,
        risks: &NumberReference,
    ) -> Result<ReferralChoice> {
        let mut keep_share = self.keep_share.unwrap_or(DEFAULT_SHARE);
        if self.costs.as_ref().is_some_and(|costs| costs.referral.is_some()) {
            let measured = Measured::of(adjusted, targets, self.costs.as_ref())?;
            let mut least = f64::INFINITY;
            // From all rows down, so that of equal costs the fewest rows are referred.
            for share in shares().into_iter().rev() {
                let total = measured.point(share, risks.quantile(share))?.total_cost;
                if let Some(total) = total.filter(|total| *total < least) {
                    (least, keep_share) = (total, share);
                }
            }
        }
        Ok(ReferralChoice { keep_share, limit: risks.quantile(keep_share), costs: self.costs })
    }
}

/// All shares that are measured, ascending.
fn shares() -> Vec<f64> {
    let mut all = [&FURTHER_SHARES[..], &SHOWN_SHARES[..]].concat();
    all.sort_by(f64::total_cmp);
    all
}

/// Stated risks, losses and costs of labelled rows, all `[N]`.
struct Measured {
    risks: Array1<f64>,
    losses: Array1<f64>,
    is_square: bool,
    /// Expected and observed cost of the decision of least expected cost.
    costs: Option<[Array1<f64>; 2]>,
    referral: Option<f64>,
}

impl Measured {
    fn of(adjusted: &Adjusted, targets: &Targets, costs: Option<&Costs>) -> Result<Self> {
        let (losses, is_square, costed) = match (adjusted, targets) {
            (Adjusted::Classes { log_probs }, Targets::Classes { labels, .. }) => {
                let probs = log_probs.mapv(f64::exp);
                let predicted = predicted_classes(probs.view())?;
                let losses = predicted.iter().zip(labels).map(|(a, b)| f64::from(u8::from(a != b))).collect();
                let costed = |costs: &Costs| -> Result<[Array1<f64>; 2]> {
                    let matrix = costs.matrix()?;
                    let found = least_cost(probs.view(), matrix.view())?;
                    let observed =
                        found.chosen.iter().zip(labels).map(|(&place, &label)| matrix[[label, place]]);
                    Ok([found.expected.clone(), observed.collect()])
                };
                (losses, false, costs.map(costed).transpose()?)
            }
            (Adjusted::Values { mixture, .. }, Targets::Values(values)) => {
                ((&mixture.mean() - values).mapv(|error| error * error), true, None)
            }
            _ => bail!("the model predicts the other kind of target (classes or values)"),
        };
        let referral = costs.and_then(|costs| costs.referral);
        Ok(Self { risks: adjusted.stated_risk(), losses, is_square, costs: costed, referral })
    }

    fn point(&self, keep_share: f64, limit: f64) -> Result<ReferralPoint> {
        let found = kept_below(&self.risks, &self.losses, limit)?;
        let mean = |costs: &Array1<f64>| Ok::<_, anyhow::Error>(kept_below(&self.risks, costs, limit)?.loss);
        let (expected_cost, cost) = match &self.costs {
            Some([expected, observed]) => (mean(expected)?, mean(observed)?),
            None => (None, None),
        };
        // Of no kept row the decisions cost nothing.
        let total = |referral: f64| found.share * cost.unwrap_or(0.0) + (1.0 - found.share) * referral;
        Ok(ReferralPoint {
            keep_share,
            limit,
            kept: found.share,
            risk: found.loss.map(|loss| if self.is_square { loss.sqrt() } else { loss }),
            expected_cost,
            cost,
            total_cost: self.referral.map(total),
        })
    }
}

impl Costs {
    /// `[C, A]`.
    fn matrix(&self) -> Result<Array2<f64>> {
        let shape = (self.by_class.len(), self.decisions.len());
        Array2::from_shape_vec(shape, self.by_class.concat())
            .context("calibration.json: expected a cost for each class and decision")
    }
}

impl Artefact {
    /// What limits of calibration rows keep of these, and how wrong and costly it is; last, the limit that was chosen.
    pub(super) fn referral(
        &self,
        adjusted: &Adjusted,
        targets: &Targets,
    ) -> Result<(Vec<ReferralPoint>, Option<ReferralPoint>)> {
        let Some(reference) = &self.stated_risk else { return Ok((Vec::new(), None)) };
        let choice = self.referral.as_ref();
        let measured = Measured::of(adjusted, targets, choice.and_then(|choice| choice.costs.as_ref()))?;
        let points = shares().into_iter().map(|share| measured.point(share, reference.quantile(share)));
        let chosen = choice.map(|choice| measured.point(choice.keep_share, choice.limit));
        Ok((points.collect::<Result<_>>()?, chosen.transpose()?))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ndarray::array;

    use super::*;

    /// Four rows of two classes; the last two are coin throws, of which one is lost.
    fn rows() -> (Adjusted, Targets, NumberReference) {
        let probs: Array2<f64> = array![[0.99, 0.01], [0.02, 0.98], [0.55, 0.45], [0.52, 0.48]];
        let adjusted = Adjusted::Classes { log_probs: probs.mapv(f64::ln) };
        let risks = NumberReference::of(adjusted.stated_risk().view()).unwrap();
        (adjusted, Targets::classes(array![0, 1, 0, 1], 2).unwrap(), risks)
    }

    fn settings(referral: Option<f64>) -> ReferralSettings {
        let costs = Costs {
            decisions: vec!["grant".into(), "refuse".into()],
            by_class: vec![vec![0.0, 1.0], vec![1.0, 0.0]],
            referral,
        };
        ReferralSettings { keep_share: None, costs: Some(costs) }
    }

    #[test]
    fn a_cheap_person_gets_the_doubtful_rows_and_an_expensive_one_none() {
        let (adjusted, targets, risks) = rows();
        let limit = |referral| settings(Some(referral)).choose(&adjusted, &targets, &risks).unwrap().limit;
        // Row three is right by chance and costs nothing, row four costs one; only a person cheaper than that gets it.
        let expensive = limit(2.0);
        assert!((expensive - 0.48).abs() < 1e-9, "{expensive}");
        // 1 - 0.55 rounds below 0.45.
        let cheap = limit(0.1);
        assert!((0.45 - 1e-9..0.48 - 1e-9).contains(&cheap), "{cheap}");
        // Paid for being asked, a person gets as many rows as the least share allows.
        assert!(limit(-1.0) < 0.02);
        assert_eq!(settings(None).choose(&adjusted, &targets, &risks).unwrap().keep_share, DEFAULT_SHARE);
    }

    #[test]
    fn expected_and_observed_costs_are_of_the_kept_and_the_total_of_all() {
        let (adjusted, targets, _) = rows();
        let measured = Measured::of(&adjusted, &targets, settings(Some(0.3)).costs.as_ref()).unwrap();
        let near =
            |found: Option<f64>, wanted: f64| assert!((found.unwrap() - wanted).abs() < 1e-9, "{found:?}");
        let all = measured.point(1.0, 0.5).unwrap();
        near(all.expected_cost, (0.01 + 0.02 + 0.45 + 0.48) / 4.0);
        near(all.cost, 0.25);
        near(all.total_cost, 0.25);
        let half = measured.point(0.5, 0.1).unwrap();
        near(half.expected_cost, 0.015);
        near(half.cost, 0.0);
        near(half.total_cost, 0.15);
        let none = measured.point(0.05, 0.0).unwrap();
        assert_eq!((none.risk, none.cost, none.kept), (None, None, 0.0));
        near(none.total_cost, 0.3);
    }

    #[test]
    fn shares_ascend_and_each_is_there_once() {
        let shares = shares();
        assert!(shares.windows(2).all(|pair| pair[0] < pair[1]) && shares.len() == 22, "{shares:?}");
    }
}
