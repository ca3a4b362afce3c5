//! The parts of the objective besides the NLL: KL weight, member combination, and the L2 penalty of shared weights.
//!
//! The KL divergences themselves live in the priors crate.

use ndarray::{Array, ArrayView, Dimension};
use serde::{Deserialize, Serialize};

use crate::{Error, Real};

/// One evaluation of the objective, in parts, so that a caller can log each.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct ElboParts {
    /// Mean negative log-likelihood, nats per example.
    pub nll: f64,
    /// KL divergence of the posterior from the prior over all factors, divided by the number of training examples, before annealing.
    pub kl: f64,
    /// Weight of the KL at this step, from 0 to 1.
    pub kl_weight: f64,
    /// Penalty of the shared weights, as it enters the objective (neither annealed nor divided).
    pub penalty: f64,
}

impl ElboParts {
    /// Parts from a total KL in nats, which is divided by the number of training examples here.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if `n_train` is 0.
    ///
    /// # Source
    /// Dusenberry et al. 2020, equation (2), divided by `N`. The batch size does not enter the KL term.
    pub fn new(nll: f64, total_kl: f64, n_train: usize, kl_weight: f64, penalty: f64) -> Result<Self, Error> {
        if n_train == 0 {
            let (value, expected) = (0.0, "at least one training example");
            return Err(Error::OutOfRange { op: "ElboParts", argument: "n_train", value, expected });
        }
        Ok(Self { nll, kl: total_kl / n_train as f64, kl_weight, penalty })
    }

    /// What is minimized: `nll + kl_weight * kl + penalty`.
    ///
    /// # Units
    /// Nats per example.
    ///
    /// # Source
    /// Reference code's training loss.
    pub fn objective(&self) -> f64 {
        self.nll + self.kl_weight * self.kl + self.penalty
    }

    /// The bound at full KL weight: `-(nll + kl + penalty)`.
    ///
    /// # Units
    /// Nats per example.
    ///
    /// # Source
    /// The reference code reports it with the KL before annealing, as here.
    pub fn elbo(&self) -> f64 {
        -(self.nll + self.kl + self.penalty)
    }

    /// Whether every part is finite.
    pub fn is_finite(&self) -> bool {
        [self.nll, self.kl, self.kl_weight, self.penalty].iter().all(|part| part.is_finite())
    }
}

/// Linear growth of the KL weight over the first optimizer steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KlAnnealing {
    /// Number of optimizer steps until the weight is one; 0 means one from the start.
    pub steps: u64,
}

impl KlAnnealing {
    /// `min(1, (step + 1) / steps)`, steps counted from 0.
    ///
    /// # Source
    /// Reference code: `steps` is steps per epoch times annealing epochs. The weight ends at exactly one: no tempering.
    pub fn kl_weight(&self, step: u64) -> f64 {
        if step >= self.steps { 1.0 } else { (step + 1) as f64 / self.steps as f64 }
    }
}

/// How the KL divergences of the members become one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberKl {
    /// Plain sum, as in the reference code: `K` times the weight that the averaged bound gives.
    #[default]
    Sum,
    /// Mean: an upper bound of the KL of the equally weighted mixture, by convexity.
    Mean,
}

impl MemberKl {
    /// Factor on the sum over members: 1 or `1/K`.
    ///
    /// # Source
    /// The paper leaves the choice open; the reference code sums.
    pub fn weight(self, n_members: usize) -> f64 {
        match self {
            Self::Sum => 1.0,
            Self::Mean => 1.0 / n_members as f64,
        }
    }

    /// The members' KL divergences as one number, in nats.
    ///
    /// # Shapes
    /// `per_member`: `[K]`.
    ///
    /// # Source
    /// See [`MemberKl::weight`].
    pub fn combine(self, per_member: &[f64]) -> f64 {
        per_member.iter().sum::<f64>() * self.weight(per_member.len())
    }
}

/// `l2 * sum(w^2)`, without a factor one half.
///
/// # Shapes
/// `weights`: any.
///
/// # Source
/// Reference code; as a prior on the weights it is a centered normal of variance `1 / (2 N l2)`.
pub fn l2_penalty<F: Real, D: Dimension>(l2: F, weights: ArrayView<'_, F, D>) -> F {
    l2 * weights.iter().map(|&w| w * w).sum::<F>()
}

/// Gradient of [`l2_penalty`]: `2 l2 w`.
///
/// # Shapes
/// `weights`: any; returns that shape.
///
/// # Source
/// Derivative of [`l2_penalty`].
pub fn l2_penalty_grad<F: Real, D: Dimension>(l2: F, weights: ArrayView<'_, F, D>) -> Array<F, D> {
    weights.mapv(|w| (l2 + l2) * w)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn annealing_counts_from_one_and_stops_at_one() {
        let annealing = KlAnnealing { steps: 390 * 200 };
        for (step, weight) in [(0, 1.0 / 78_000.0), (389, 0.005), (38_999, 0.5), (77_999, 1.0), (90_000, 1.0)]
        {
            assert_eq!(annealing.kl_weight(step), weight);
        }
        assert_eq!(KlAnnealing::default().kl_weight(0), 1.0);
    }

    #[test]
    fn the_objective_anneals_the_kl_and_the_elbo_does_not() {
        let parts = ElboParts::new(0.5, 300.0, 1000, 0.25, 0.125).unwrap();
        assert_eq!(parts.objective(), 0.5 + 0.25 * 0.3 + 0.125);
        assert_eq!(parts.elbo(), -(0.5 + 0.3 + 0.125));
        assert!(ElboParts::new(0.5, 300.0, 0, 0.25, 0.0).is_err());
        assert!(!ElboParts { nll: f64::NAN, ..parts }.is_finite());
    }

    #[test]
    fn the_member_sum_is_k_times_the_mean() {
        let kl = [1.0, 2.0, 6.0];
        assert_eq!(MemberKl::Sum.combine(&kl), 9.0);
        assert_eq!(MemberKl::Mean.combine(&kl), 3.0);
    }

    #[test]
    fn the_penalty_has_no_half() {
        let weights = array![[1.0, -2.0], [0.5, 0.0]];
        assert_eq!(l2_penalty(0.1, weights.view()), 0.1 * 5.25);
        assert_eq!(l2_penalty_grad(0.1, weights.view()), array![[0.2, -0.4], [0.1, 0.0]]);
    }
}
