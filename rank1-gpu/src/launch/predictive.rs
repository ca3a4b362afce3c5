//! The predictive of a classifier where its logits are: `[S, K, N, C]` becomes a few numbers per example.
//!
//! Not in log space: for the likelihood of labels use [`super::nll`], which is.

use cubecl::prelude::*;
use cubecl::server::Handle;

use super::checks::{check_buffer, check_buffer_of, check_types, check_types_in, limits_of};
use crate::kernels::predictive;
use crate::outputs::RowPlan;
use crate::shape::check_bytes;
use crate::{Error, Likelihood, OutputShape, Precision};

/// Class that stands in [`ClassPredictive::member_classes`] where a member's probabilities are NaN.
pub const NO_CLASS: u32 = predictive::NO_CLASS;

/// What samples and members together say of `N` examples, on the device.
#[derive(Debug, Clone)]
pub struct ClassPredictive {
    /// `[N, C]` f32, mean probability over samples and members.
    pub probs: Handle,
    /// `[4, N]` f32, rows in this order: entropy of the mean probability (total), expected entropy of one draw
    /// (aleatoric), their difference (epistemic, the mutual information of label and draw), all in nats, and the
    /// fraction of unordered pairs of members that predict different classes, NaN for a single member.
    pub summary: Handle,
    /// `[K, N]` u32, class of the largest mean probability of each member; the first one wins a tie.
    pub member_classes: Handle,
}

/// Takes samples in chunks, so that `[S, K, N, C]` need not be held at once.
///
/// [`PredictiveAccumulator::predictive`] may be called after any chunk.
#[derive(Debug)]
pub struct PredictiveAccumulator {
    likelihood: Likelihood,
    n_samples: usize,
    n_members: usize,
    n_examples: usize,
    n_classes: usize,
    /// `[K, N, C]`.
    prob_sum: Handle,
    /// `[K, N]`.
    entropy_sum: Handle,
}

impl PredictiveAccumulator {
    /// Starts with no sample.
    ///
    /// # Shapes
    /// `K = n_members`, `N = n_examples`, `C = n_classes`, which is 2 for [`Likelihood::Bernoulli`]. Holds
    /// `K * N * (C + 1)` floats on the device.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::OverLimit`], [`Error::Unsupported`]; [`Error::Undefined`] for a likelihood without
    /// classes, or with one logit for any number of classes but two.
    ///
    /// # Source
    /// As [`class_predictive`].
    pub fn new(
        client: &Client,
        likelihood: Likelihood,
        n_members: usize,
        n_examples: usize,
        n_classes: usize,
    ) -> Result<Self, Error> {
        let op = "PredictiveAccumulator::new";
        check_types(op, client)?;
        if !likelihood.is_classification() {
            return Err(Error::Undefined { op, what: "a class predictive of a Gaussian likelihood" });
        }
        if likelihood == Likelihood::Bernoulli && n_classes != 2 {
            return Err(Error::Undefined { op, what: "a Bernoulli likelihood of other than two classes" });
        }
        let sums = OutputShape { n_samples: 1, n_members, n_examples, n_outputs: n_classes };
        let elements = sums.elements(op)?;
        check_bytes(op, (elements.max(4 * n_examples), 4), limits_of(client))?;
        Ok(Self {
            likelihood,
            n_samples: 0,
            n_members,
            n_examples,
            n_classes,
            prob_sum: client.empty(4 * elements),
            entropy_sum: client.empty(4 * n_members * n_examples),
        })
    }

    /// Adds `n_samples` samples of every member.
    ///
    /// # Shapes
    /// `logits`: `[n_samples, K, N, C]` f32, or `[n_samples, K, N, 1]` for [`Likelihood::Bernoulli`].
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`], [`Error::Empty`], [`Error::OverLimit`], [`Error::ForeignBuffer`]; a refused chunk leaves
    /// the sums as they were.
    ///
    /// # Source
    /// As [`class_predictive`].
    pub fn add(&mut self, client: &Client, n_samples: usize, logits: &Handle) -> Result<(), Error> {
        self.add_in(client, Precision::F32, n_samples, logits)
    }

    /// [`PredictiveAccumulator::add`] of logits in a chosen precision; tf32 is f32 here. Chunks may differ in theirs.
    ///
    /// # Shapes
    /// `logits`: as there, of the precision's type.
    ///
    /// # Errors
    /// As there; [`Error::Unsupported`] names a type that the device lacks.
    ///
    /// # Source
    /// As [`class_predictive`].
    pub fn add_in(
        &mut self,
        client: &Client,
        precision: Precision,
        n_samples: usize,
        logits: &Handle,
    ) -> Result<(), Error> {
        let op = "PredictiveAccumulator::add";
        check_types_in(op, client, precision)?;
        let (n_members, n_examples) = (self.n_members, self.n_examples);
        let n_outputs = self.likelihood.n_outputs(self.n_classes);
        let shape = OutputShape { n_samples, n_members, n_examples, n_outputs };
        let elements = shape.elements(op)?;
        let limits = limits_of(client);
        check_bytes(op, (elements, precision.bytes()), limits)?;
        check_buffer_of(op, client, "logits", logits, &shape.axes(), precision.bytes())?;
        let n_columns = n_members * n_examples;
        self.check_sums(op, client)?;
        let plan = RowPlan::new(op, limits, (n_columns, n_samples, self.n_classes), false)?;
        // SAFETY: `check_buffer_of` proved that `logits` holds `n_samples * n_columns` rows of `n_outputs` entries of the
        // precision's type, which the kernel is compiled for, and the sums were made with `n_columns` rows of `n_classes`
        // floats and `n_columns` floats. A row of the kernel has
        // `n_classes` entries; with one logit it reads that one for both of its two. Units without a column use column
        // 0 and write nothing; positions stay below `elements` or below that of the sums, which are at most 2^31.
        // Shared memory holds as many entries as the largest cube of `RowPlan` has units.
        unsafe {
            predictive::add_samples::launch_unchecked(
                client,
                plan.count,
                plan.dim,
                BufferArg::from_raw_parts(logits.clone(), elements),
                BufferArg::from_raw_parts(self.prob_sum.clone(), n_columns * self.n_classes),
                BufferArg::from_raw_parts(self.entropy_sum.clone(), n_columns),
                n_samples as u32,
                n_columns as u32,
                self.n_classes as u32,
                f32::NAN,
                plan.tiling,
                self.likelihood == Likelihood::Bernoulli,
                self.n_samples == 0,
                precision.stored(),
            );
        }
        self.n_samples += n_samples;
        Ok(())
    }

    /// The predictive of the samples so far.
    ///
    /// # Shapes
    /// As the fields of [`ClassPredictive`].
    ///
    /// # Errors
    /// [`Error::Empty`] before the first sample, [`Error::OverLimit`], [`Error::ForeignBuffer`].
    ///
    /// # Source
    /// As [`class_predictive`].
    pub fn predictive(&self, client: &Client) -> Result<ClassPredictive, Error> {
        let op = "PredictiveAccumulator::predictive";
        if self.n_samples == 0 {
            return Err(Error::Empty { op, axis: "n_samples" });
        }
        let (k, n, c) = (self.n_members, self.n_examples, self.n_classes);
        self.check_sums(op, client)?;
        let plan = RowPlan::new(op, limits_of(client), (n, k, c), false)?;
        let predictive = ClassPredictive {
            probs: client.empty(4 * n * c),
            summary: client.empty(4 * 4 * n),
            member_classes: client.empty(4 * k * n),
        };
        // SAFETY: the sums were made with `k * n * c` and `k * n` floats, the results a line above with the lengths
        // given here. Units without an example use example 0 and write nothing; entries behind `c` are skipped, so that
        // positions stay below `k * n * c`, `n * c` and `4 * n`, each at most 2^31.
        unsafe {
            predictive::summarize::launch_unchecked(
                client,
                plan.count,
                plan.dim,
                BufferArg::from_raw_parts(self.prob_sum.clone(), k * n * c),
                BufferArg::from_raw_parts(self.entropy_sum.clone(), k * n),
                BufferArg::from_raw_parts(predictive.probs.clone(), n * c),
                BufferArg::from_raw_parts(predictive.member_classes.clone(), k * n),
                BufferArg::from_raw_parts(predictive.summary.clone(), 4 * n),
                k as u32,
                n as u32,
                c as u32,
                (self.n_samples * k) as f32,
                (k * (k - 1) / 2) as f32,
                f32::NAN,
                plan.tiling,
            );
        }
        Ok(predictive)
    }

    /// Number of samples of each member so far.
    ///
    /// # Source
    /// Bookkeeping; no formula.
    pub fn n_samples(&self) -> usize {
        self.n_samples
    }

    /// Sums over samples of each member's probabilities and of the entropies of its draws.
    ///
    /// Divided by [`PredictiveAccumulator::n_samples`] they are the member's own predictive and expected entropy. What
    /// they hold before the first sample is not defined.
    ///
    /// # Shapes
    /// Returns `[K, N, C]` and `[K, N]`, f32.
    ///
    /// # Source
    /// As [`class_predictive`].
    pub fn member_sums(&self) -> (&Handle, &Handle) {
        (&self.prob_sum, &self.entropy_sum)
    }

    fn check_sums(&self, op: &'static str, client: &Client) -> Result<(), Error> {
        let (k, n, c) = (self.n_members, self.n_examples, self.n_classes);
        check_buffer(op, client, "prob_sum", &self.prob_sum, &[k, n, c])
    }
}

/// The predictive of all samples at once.
///
/// # Shapes
/// | value | shape | dtype |
/// | --- | --- | --- |
/// | `logits` | `[S, K, N, C]` as `shape` says; `C = 1` for [`Likelihood::Bernoulli`], whose predictive has two classes | f32 |
/// | returns | see [`ClassPredictive`] | |
///
/// # Units
/// Entropies in nats.
///
/// # Errors
/// [`Error::ShapeMismatch`], [`Error::Empty`], [`Error::OverLimit`], [`Error::Unsupported`], [`Error::ForeignBuffer`],
/// and [`Error::Undefined`] for a likelihood without classes; all before the launch.
///
/// # Numerics
/// NaN or `+inf` among the logits of an example, or a draw without any class above minus infinity, makes that example's
/// probabilities and summary NaN and the class of that member [`NO_CLASS`]. Minus infinity is a class of probability
/// zero. Probabilities below 1e-38 become 0. The mutual information is a difference of entropies; a negative rounding
/// error is set to 0.
///
/// Within 1e-5 (1 + |value|) of [`crate::host::class_predictive`]; classes and disagreement equal it unless two
/// probabilities of a member differ by less than their rounding. Sums have a fixed order: the same device and chunks
/// give the same bits.
///
/// # Source
/// Dusenberry et al. 2020, arXiv:2005.07186, section 5: mean over samples and mixture components, disagreement of
/// members after the mean over their samples. Depeweg et al. 2018, arXiv:1710.07283, for the parts of the entropy.
pub fn class_predictive(
    client: &Client,
    likelihood: Likelihood,
    shape: OutputShape,
    logits: &Handle,
) -> Result<ClassPredictive, Error> {
    class_predictive_in(client, Precision::F32, likelihood, shape, logits)
}

/// [`class_predictive`] of logits in a chosen precision; tf32 is f32 here.
///
/// # Shapes
/// As [`class_predictive`], `logits` of the precision's type; results as there, f32.
///
/// # Units
/// Entropies in nats.
///
/// # Errors
/// As [`class_predictive`]; [`Error::Unsupported`] names a type that the device lacks.
///
/// # Numerics
/// As [`class_predictive`] of the rounded logits: everything is computed and returned in f32.
///
/// # Source
/// As [`class_predictive`].
pub fn class_predictive_in(
    client: &Client,
    precision: Precision,
    likelihood: Likelihood,
    shape: OutputShape,
    logits: &Handle,
) -> Result<ClassPredictive, Error> {
    let OutputShape { n_samples, n_members, n_examples, n_outputs } = shape;
    shape.check_likelihood("class_predictive", "logits", likelihood)?;
    let n_classes = if likelihood == Likelihood::Bernoulli { 2 } else { n_outputs };
    let mut sums = PredictiveAccumulator::new(client, likelihood, n_members, n_examples, n_classes)?;
    sums.add_in(client, precision, n_samples, logits)?;
    sums.predictive(client)
}
