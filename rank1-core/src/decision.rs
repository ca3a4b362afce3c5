//! Decisions from probabilities: the one of least expected cost, and the rows that are better left to a person.

use ndarray::{Array1, Array2, ArrayView2};

use crate::Error;
use crate::metrics::checks;

/// The decision of each row, and what it is expected to cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Decisions {
    /// `[N]` number of the decision.
    pub chosen: Array1<usize>,
    /// `[N]` its expected cost, in the unit of the costs.
    pub expected: Array1<f64>,
}

/// The decision of least expected cost; the first of equal ones.
///
/// # Shapes
/// `probs` `[N, C]`, rows sum to one; `costs` `[C, A]`, what each of A decisions costs where the class is c.
///
/// # Errors
/// [`Error::ShapeMismatch`], [`Error::Empty`], [`Error::NotFinite`], [`Error::OutOfRange`] for what is no probability.
///
/// # Source
/// Bayes decision: `argmin_a sum_c p(c) costs[c, a]`.
pub fn least_cost(probs: ArrayView2<'_, f64>, costs: ArrayView2<'_, f64>) -> Result<Decisions, Error> {
    const OP: &str = "least_cost";
    checks::probs(OP, "probs", probs)?;
    checks::finite(OP, "costs", costs)?;
    checks::same_shape(OP, "costs", vec![probs.ncols(), costs.ncols()], costs.shape().to_vec())?;
    let expected: Array2<f64> = probs.dot(&costs);
    let least = |row: ndarray::ArrayView1<'_, f64>| checks::argmax(row.mapv(|cost| -cost).view());
    let chosen: Array1<usize> = expected.rows().into_iter().map(least).collect();
    let expected = expected.rows().into_iter().zip(&chosen).map(|(row, &place)| row[place]).collect();
    Ok(Decisions { chosen, expected })
}

/// Share of the rows that are kept, and the mean loss of those.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kept {
    /// Share of rows whose risk is at most the limit.
    pub share: f64,
    /// Mean loss of these; none without any.
    pub loss: Option<f64>,
}

/// What a limit on the stated risk keeps.
///
/// # Shapes
/// `risks` and `losses` `[N]`.
///
/// # Errors
/// [`Error::ShapeMismatch`], [`Error::Empty`], [`Error::NotFinite`].
pub fn kept_below(risks: &Array1<f64>, losses: &Array1<f64>, limit: f64) -> Result<Kept, Error> {
    const OP: &str = "kept_below";
    checks::finite(OP, "risks", risks.view())?;
    checks::finite(OP, "losses", losses.view())?;
    checks::same_len(OP, "losses", risks.len(), losses.len())?;
    let kept: Vec<f64> =
        risks.iter().zip(losses).filter(|(risk, _)| **risk <= limit).map(|(_, loss)| *loss).collect();
    let loss = (!kept.is_empty()).then(|| kept.iter().sum::<f64>() / kept.len() as f64);
    Ok(Kept { share: kept.len() as f64 / risks.len() as f64, loss })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn the_decision_weighs_what_may_be_by_what_it_costs() {
        // A missed event costs ten times a false alarm: the alarm from 1 in 11 on.
        let costs = array![[0.0, 1.0], [10.0, 0.0]];
        let probs = array![[0.95, 0.05], [0.9, 0.1], [0.2, 0.8]];
        let found = least_cost(probs.view(), costs.view()).unwrap();
        assert_eq!(found.chosen, array![0, 1, 1]);
        for (found, expected) in found.expected.iter().zip([0.5, 0.9, 0.2]) {
            assert!((found - expected).abs() < 1e-12);
        }
        let even =
            least_cost(array![[0.5, 0.5]].view(), array![[1.0, 1.0, 0.5, 0.5], [0.0, 0.0, 0.5, 0.5]].view());
        assert_eq!(even.unwrap().chosen, array![0]);
        assert!(least_cost(probs.view(), array![[0.0, 1.0]].view()).is_err());
        assert!(least_cost(probs.view(), array![[0.0, f64::NAN], [1.0, 1.0]].view()).is_err());
        assert!(least_cost(array![[1.5, -0.5]].view(), costs.view()).is_err());
    }

    #[test]
    fn a_limit_keeps_the_rows_below_it() {
        let (risks, losses) = (array![0.1, 0.4, 0.2, 0.9], array![0.0, 1.0, 0.0, 1.0]);
        assert_eq!(kept_below(&risks, &losses, 0.4).unwrap(), Kept { share: 0.75, loss: Some(1.0 / 3.0) });
        assert_eq!(kept_below(&risks, &losses, 0.0).unwrap(), Kept { share: 0.0, loss: None });
        assert!(kept_below(&risks, &array![0.0], 0.4).is_err());
    }
}
