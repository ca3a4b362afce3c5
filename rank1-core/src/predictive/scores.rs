//! Predictives of other programs, by their probabilities, and the usual scores in one call.

use ndarray::{ArrayView1, ArrayView4};

use super::{ClassPredictive, PredictiveAccumulator};
use crate::metrics::{self, checks};
use crate::{Error, Real};

/// Bins of the calibration error in [`ClassScores`].
const ECE_BINS: usize = 15;

/// What is usually told of a classifier, means over examples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassScores {
    /// Negative log-likelihood of the mixture, nats.
    pub nll: f64,
    /// Mean negative log-likelihood of single draws, nats.
    pub gibbs_nll: f64,
    /// Share of examples whose most probable class is the label.
    pub accuracy: f64,
    /// Squared distance to the one-hot label, summed over classes.
    pub brier: f64,
    /// Expected calibration error over 15 bins of equal width.
    pub ece: f64,
}

impl ClassPredictive {
    /// Averages probabilities that another program computed.
    ///
    /// # Shapes
    /// `probs` `[S, K, N, C]`; one sample of one member is `[1, 1, N, C]`.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::NotFinite`], [`Error::OutOfRange`] for an entry outside of `[0, 1]`,
    /// [`Error::NotNormalized`] for a row that does not sum to 1.
    pub fn from_probs<F: Real>(probs: ArrayView4<'_, F>) -> Result<Self, Error> {
        let wide = probs.mapv(Real::wide);
        checks::probs("ClassPredictive::from_probs", "probs", wide.view())?;
        Self::from_log_probs(wide.mapv(f64::ln).view())
    }

    /// Averages probabilities that another program gives as logarithms; minus infinity is a probability of zero.
    ///
    /// # Shapes
    /// `log_probs` `[S, K, N, C]`.
    ///
    /// # Errors
    /// As [`ClassPredictive::from_probs`], for positive entries in place of those outside of `[0, 1]`.
    pub fn from_log_probs<F: Real>(log_probs: ArrayView4<'_, F>) -> Result<Self, Error> {
        const OP: &str = "ClassPredictive::from_log_probs";
        let wide = log_probs.mapv(Real::wide);
        checks::log_probs(OP, "log_probs", wide.view())?;
        let sums = wide.rows().into_iter().map(|row| row.iter().map(|v| v.exp()).sum());
        checks::normalized(OP, "log_probs", sums)?;
        let (_, k, n, c) = wide.dim();
        let mut sum = PredictiveAccumulator::new(k, n, c)?;
        wide.outer_iter().try_for_each(|sample| sum.add_log_probs(sample))?;
        sum.predictive()
    }

    /// The usual scores against labels.
    ///
    /// ```
    /// use ndarray::array;
    /// use rank1_core::predictive::ClassPredictive;
    ///
    /// let probs = array![[[[0.8_f32, 0.2], [0.3, 0.7]]]];
    /// let scores = ClassPredictive::from_probs(probs.view())?.scores(array![0, 1].view())?;
    /// assert_eq!(scores.accuracy, 1.0);
    /// # Ok::<(), rank1_core::Error>(())
    /// ```
    ///
    /// # Shapes
    /// `labels` `[N]`.
    ///
    /// # Errors
    /// As [`metrics::nll`].
    pub fn scores(&self, labels: ArrayView1<'_, usize>) -> Result<ClassScores, Error> {
        let probs = self.probs();
        Ok(ClassScores {
            nll: metrics::nll(self.log_probs.view(), labels)?,
            gibbs_nll: metrics::gibbs_nll_of_predictive(self, labels)?,
            accuracy: metrics::accuracy(probs.view(), labels)?,
            brier: metrics::brier(probs.view(), labels)?,
            ece: metrics::ece(probs.view(), labels, ECE_BINS)?,
        })
    }
}
