//! Mixtures of K scalar components; mixtures of whole members are in the file beside.

mod member;

use rand::Rng;
use rand_distr::{Distribution, Open01};

use crate::dist::LogDensity;
use crate::error::{Error, positive};
use crate::posterior::same_length;

pub use member::{Estimate, KlBounds, MemberMixture};

/// A mixture of scalar distributions.
#[derive(Debug, Clone, PartialEq)]
pub struct Mixture<D> {
    components: Vec<D>,
    weights: Vec<f64>,
}

impl<D: LogDensity> Mixture<D> {
    /// A mixture with equal weights.
    ///
    /// # Shapes
    /// `components` is `[K]`, at least one.
    ///
    /// # Errors
    /// [`Error::Empty`].
    ///
    /// # Source
    /// Dusenberry et al. 2020, section 3: equal weights `1 / K`.
    pub fn new(components: Vec<D>) -> Result<Self, Error> {
        let weights = vec![1.0; components.len()];
        Self::with_weights(components, weights)
    }

    /// A mixture with the given weights, which are normalized.
    ///
    /// # Shapes
    /// Both `[K]`, at least one.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::Length`], [`Error::Parameter`] for a weight that is not positive and finite.
    ///
    /// # Source
    /// Definition of a finite mixture.
    pub fn with_weights(components: Vec<D>, mut weights: Vec<f64>) -> Result<Self, Error> {
        const OP: &str = "Mixture::with_weights";
        if components.is_empty() {
            return Err(Error::Empty { op: OP, argument: "components" });
        }
        same_length(OP, "weights", components.len(), weights.len())?;
        for weight in &weights {
            positive("Mixture", "weight", *weight)?;
        }
        let total: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|w| *w /= total);
        Ok(Self { components, weights })
    }

    /// The probabilities with which each component made `x`; they sum to one.
    ///
    /// # Shapes
    /// Returns `[K]`.
    ///
    /// # Source
    /// Bayes' rule.
    pub fn responsibilities(&self, x: f64) -> Vec<f64> {
        let logs: Vec<f64> =
            self.components.iter().zip(&self.weights).map(|(c, w)| c.log_density(x) + w.ln()).collect();
        let total = log_sum_exp(&logs);
        logs.iter().map(|l| (l - total).exp()).collect()
    }
}

impl<D: LogDensity> LogDensity for Mixture<D> {
    fn log_density(&self, x: f64) -> f64 {
        let logs: Vec<f64> =
            self.components.iter().zip(&self.weights).map(|(c, w)| c.log_density(x) + w.ln()).collect();
        log_sum_exp(&logs)
    }
    fn log_density_slope(&self, x: f64) -> f64 {
        let pairs = self.responsibilities(x).into_iter().zip(&self.components);
        // A component without mass at x may have no slope there.
        pairs.filter(|(r, _)| *r > 0.0 || r.is_nan()).map(|(r, c)| r * c.log_density_slope(x)).sum()
    }
    fn bulk(&self) -> (f64, f64) {
        let ends = self.components.iter().map(|c| {
            let (center, width) = c.bulk();
            (center - width, center + width)
        });
        let (low, high) =
            ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), (low, high)| (l.min(low), h.max(high)));
        (0.5 * (low + high), 0.5 * (high - low))
    }
}

impl<D: Distribution<f64>> Distribution<f64> for Mixture<D> {
    fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> f64 {
        let u: f64 = Open01.sample(rng);
        let mut passed = 0.0;
        let last = self.components.len() - 1;
        let chosen = self.weights[..last].iter().position(|w| {
            passed += w;
            u < passed
        });
        self.components[chosen.unwrap_or(last)].sample(rng)
    }
}

fn log_sum_exp(logs: &[f64]) -> f64 {
    let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !top.is_finite() {
        // All minus infinity, or a pole; a NaN entry shows in the sum.
        return if logs.iter().any(|l| l.is_nan()) { f64::NAN } else { top };
    }
    top + logs.iter().map(|l| (l - top).exp()).sum::<f64>().ln()
}
