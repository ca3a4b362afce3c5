//! Engines compute the data term: the negative log-likelihood of a batch and its gradient.
//!
//! Everything else of the objective (KL, L2) depends on parameters only and lives in [`crate::penalty`].
//! Two engines exist: [`analytic`], hand-derived on ndarray, and `autodiff` (feature `burn`), the same network on Burn. They
//! draw the same noise and agree to rounding. [`sharded`] is several of one kind, each on a part of the rows.

pub mod analytic;
#[cfg(feature = "burn")]
pub mod autodiff;
pub mod sharded;
pub mod shared_draws;

use std::sync::Arc;

use ndarray::{Array4, ArrayView2, Axis, Slice, concatenate};
use rank1_core::noise::NoiseStream;
use rank1_core::objective::NllForm;
use rank1_core::targets::Targets;

use crate::error::Error;
use crate::ranks::Ranks;

/// A batch of B distinct examples; engines tile it over members themselves.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a, F> {
    /// Normalized inputs, `[B, D_in]`.
    pub inputs: ArrayView2<'a, F>,
    /// Targets of the B examples (values are normalized).
    pub targets: &'a Targets,
}

impl<F> Batch<'_, F> {
    /// The number of examples.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for another number of targets.
    pub(crate) fn n_examples(&self) -> Result<usize, Error> {
        let (expected, got) = (self.inputs.nrows(), self.targets.len());
        if expected == got {
            return Ok(expected);
        }
        Err(Error::Mismatch { what: "number of targets", expected, got })
    }
}

/// The batch of which an engine has a part of the rows.
#[derive(Debug, Clone, Copy)]
pub struct Whole<'a> {
    /// Rows of the whole batch.
    pub rows: usize,
    /// Those whose rows normalizations take their statistics from; none where each takes them from its own rows.
    pub statistics: Option<&'a Ranks>,
}

impl Whole<'_> {
    /// The share that some rows have in the mean over the batch; all of it where nothing is known of other rows.
    pub(crate) fn share(&self, rows: usize) -> f64 {
        if self.rows == rows { 1.0 } else { rows as f64 / self.rows as f64 }
    }
}

/// Which draws a pass uses: same key, same numbers, on any engine and any number of threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrawKey {
    /// Seed of the network (ensemble networks have different ones).
    pub seed: u64,
    /// Optimizer step, or [`DrawKey::PREDICTION`].
    pub step: u32,
    /// Number of the first of the S samples.
    pub first_sample: u32,
    /// Number of the first example: 0 in training, the row of the data set in prediction, so that a
    /// prediction does not depend on how rows are cut into chunks.
    pub first_example: u32,
}

impl DrawKey {
    /// Step number that marks draws of predictions.
    pub const PREDICTION: u32 = u32::MAX;
}

/// What a draw is for; one noise stream each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Site {
    /// Input factor, or dropout mask.
    InputFactor = 0,
    /// Output factor.
    OutputFactor = 1,
    /// Mean-field weight.
    Weight = 2,
    /// Flipout signs of the inputs.
    InputSign = 3,
    /// Flipout signs of the outputs.
    OutputSign = 4,
    /// Monte-Carlo KL of the input factor.
    InputKl = 5,
    /// Monte-Carlo KL of the output factor.
    OutputKl = 6,
    /// Monte-Carlo KL of the weights.
    WeightKl = 7,
}

impl Site {
    /// The noise stream of this site of layer `layer` for sample `sample`.
    #[must_use]
    pub fn stream(self, seed: u64, layer: usize, sample: u32) -> NoiseStream {
        NoiseStream::new(seed, 8 * layer as u32 + self as u32, sample)
    }
}

/// What the objective asks of an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NllRequest {
    /// Samples S per member.
    pub n_samples: usize,
    /// Reduction over samples and members.
    pub form: NllForm,
}

/// Computes likelihood terms of a network at given parameters.
pub trait Engine: Send {
    /// Mean negative log-likelihood of the batch, in nats per example; adds its gradient to `gradient`.
    ///
    /// # Errors
    /// A batch that does not fit the network; NaN passes through and is the trainer's to refuse.
    fn nll(
        &mut self,
        parameters: &[f32],
        gradient: &mut [f32],
        batch: Batch<'_, f32>,
        key: DrawKey,
        request: NllRequest,
    ) -> Result<f64, Error>;

    /// The part that these rows have in the mean negative log-likelihood of a whole batch; the parts of all rows sum to it, and
    /// their gradients to its gradient. `key` names the first of these rows, `gradient` holds zeros. There may be no rows.
    ///
    /// # Errors
    /// As [`Engine::nll`]; shared statistics where the engine cannot share them, and [`Error::Ranks`].
    fn nll_of_part(
        &mut self,
        parameters: &[f32],
        gradient: &mut [f32],
        batch: Batch<'_, f32>,
        key: DrawKey,
        request: NllRequest,
        whole: Whole<'_>,
    ) -> Result<f64, Error> {
        if whole.statistics.is_some() {
            return Err(Error::Device {
                device: "tensors".to_owned(),
                reason: "statistics of batches are shared by ranks on the processor only, by the analytic engine; elsewhere set \
                         `train.batch_statistics = \"per_rank\"`"
                    .to_owned(),
            });
        }
        let rows = batch.n_examples()?;
        if rows == 0 {
            return Ok(0.0);
        }
        let (nll, share) = (self.nll(parameters, gradient, batch, key, request)?, whole.share(rows));
        gradient.iter_mut().for_each(|slope| *slope *= share as f32);
        Ok(share * nll)
    }

    /// Network outputs of several samples of all members, `[S, K, B, C]`; `key` names the first sample.
    ///
    /// An engine may keep what it made of the weights for as long as the same parameters come.
    ///
    /// # Errors
    /// Inputs that do not fit the network.
    fn outputs(
        &mut self,
        parameters: &Arc<[f32]>,
        inputs: ArrayView2<'_, f32>,
        key: DrawKey,
        n_samples: usize,
    ) -> Result<Array4<f32>, Error>;

    /// [`Engine::outputs`] of examples whose numbers do not follow each other: example `i` of the batch draws as number
    /// `examples[i]`, and `key.first_example` is not read.
    ///
    /// # Errors
    /// As [`Engine::outputs`]; another number of examples than of inputs.
    fn outputs_listed(
        &mut self,
        parameters: &Arc<[f32]>,
        inputs: ArrayView2<'_, f32>,
        examples: &[u32],
        key: DrawKey,
        n_samples: usize,
    ) -> Result<Array4<f32>, Error> {
        check_listed(inputs, examples)?;
        let mut parts = Vec::new();
        let mut start = 0;
        // One pass for every run of numbers that follow each other.
        for run in examples.chunk_by(|a, b| a.wrapping_add(1) == *b) {
            let rows = inputs.slice_axis(Axis(0), Slice::from(start..start + run.len()));
            let key = DrawKey { first_example: run[0], ..key };
            parts.push(self.outputs(parameters, rows, key, n_samples)?);
            start += run.len();
        }
        let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
        concatenate(Axis(2), &views)
            .map_err(|_| rank1_core::Error::Empty { op: "predict", argument: "inputs" }.into())
    }

    /// [`Engine::outputs`] with draws that all examples share: those of example 0, whatever `key.first_example` is.
    ///
    /// # Errors
    /// As [`Engine::outputs`].
    fn outputs_alike(
        &mut self,
        parameters: &Arc<[f32]>,
        inputs: ArrayView2<'_, f32>,
        key: DrawKey,
        n_samples: usize,
    ) -> Result<Array4<f32>, Error> {
        self.outputs_listed(parameters, inputs, &vec![0; inputs.nrows()], key, n_samples)
    }

    /// Starts to measure the time of every operation, from zero.
    fn measure(&mut self) {}

    /// Times since [`Engine::measure`], one per operation of the network; empty for an engine that cannot tell.
    fn operation_times(&self) -> &[analytic::OperationTimes] {
        &[]
    }
}

fn check_listed(inputs: ArrayView2<'_, f32>, examples: &[u32]) -> Result<(), Error> {
    let (expected, got) = (inputs.nrows(), examples.len());
    if expected == got {
        return Ok(());
    }
    Err(Error::Mismatch { what: "number of listed examples", expected, got })
}
