//! Negative log-likelihoods of a batch under samples and members, with gradients, where the outputs are.
//!
//! Not the KL part of an objective, and no mean over the batch: losses stay per example until they are read.

use cubecl::prelude::*;
use cubecl::server::Handle;

use super::checks::{check_buffer, check_buffer_of, check_types, check_types_in, limits_of};
use crate::kernels::likelihood;
use crate::outputs::{MAX_UNITS, RowPlan};
use crate::shape::{Limits, check_bytes};
use crate::{Error, Likelihood, NllForm, OutputShape, Precision};

/// Losses and gradients on the device.
#[derive(Debug, Clone)]
pub struct NllGrads {
    /// `[B]`, loss of each example in nats; their mean is the loss of the batch.
    pub values: Handle,
    /// `[S, K, B, C]`, gradient of the mean over the batch with respect to the outputs, in the precision of these.
    pub outputs: Handle,
    /// `[K]`, the same with respect to the raw noise scales; only for [`Likelihood::Gaussian`].
    pub raw_noise: Option<Handle>,
}

/// Loss of every example, without gradients.
///
/// # Shapes
/// As [`nll_with_gradient`]; returns `[B]`, f32.
///
/// # Units
/// Nats.
///
/// # Errors
/// As [`nll_with_gradient`].
///
/// # Source
/// As [`nll_with_gradient`].
pub fn nll(
    client: &Client,
    likelihood: Likelihood,
    form: NllForm,
    shape: OutputShape,
    outputs: &Handle,
    targets: &Handle,
    raw_noise: Option<&Handle>,
) -> Result<Handle, Error> {
    nll_in(client, Precision::F32, likelihood, form, shape, outputs, targets, raw_noise)
}

/// [`nll`] of outputs in a chosen precision; tf32 is f32 here.
///
/// # Shapes
/// As [`nll_with_gradient_in`]; returns `[B]`, f32.
///
/// # Units
/// Nats.
///
/// # Errors
/// As [`nll_with_gradient_in`].
///
/// # Source
/// As [`nll_with_gradient`].
pub fn nll_in(
    client: &Client,
    precision: Precision,
    likelihood: Likelihood,
    form: NllForm,
    shape: OutputShape,
    outputs: &Handle,
    targets: &Handle,
    raw_noise: Option<&Handle>,
) -> Result<Handle, Error> {
    let call = Call { op: "nll", client, precision, likelihood, form, shape, outputs, targets, raw_noise };
    Ok(call.run(false)?.values)
}

/// Loss of every example, and the gradient of the mean over the batch.
///
/// The average form is `-mean_sk ln p_sk`, the mixture `-ln mean_sk p_sk`, with `p_sk` the likelihood of the example's
/// target under sample `s` of member `k`.
///
/// # Shapes
/// | value | shape | dtype |
/// | --- | --- | --- |
/// | `outputs` | `[S, K, B, C]` as `shape` says | f32 |
/// | `targets` | `[B]` | u32 labels, or f32 values for the Gaussian likelihoods |
/// | `raw_noise` | `[K]`, for [`Likelihood::Gaussian`] only | f32 |
/// | returns | see [`NllGrads`] | f32 |
///
/// # Units
/// Nats per example. A Gaussian value is a density in the unit of the targets as given.
///
/// # Errors
/// [`Error::ShapeMismatch`], [`Error::Empty`], [`Error::OverLimit`], [`Error::Unsupported`], [`Error::ForeignBuffer`],
/// and [`Error::Undefined`] for a `raw_noise` that is missing or does not belong and for averaged logits, which are outputs
/// of one term; all before the launch.
///
/// # Numerics
/// Values, outputs and targets are not looked at before. A label out of range makes its example's loss and gradients
/// NaN; nothing is read outside the buffers. NaN in the outputs passes to the loss of its example, and to the gradient
/// of its row (average) or of its example (mixture). Minus infinity is a class of probability zero; if every term of an
/// example has probability zero the mixture loss is `+inf` and its gradient NaN.
///
/// Within 1e-5 (1 + |value|) of [`rank1_core::objective::nll_from_outputs`] for log-likelihoods down to about -20: the mixture's
/// gradient weighs terms by `exp` of them, so that its relative error grows with their size times `2^-24`. Relies on
/// the device's `exp` within a few units of the last place and on its `ln` within `2^-21`. Sums have a fixed order:
/// the same device gives the same bits.
///
/// # Source
/// Dusenberry et al. 2020, arXiv:2005.07186, appendix E (13) and (14). The mixture's gradient is minus the
/// responsibility `p_sk / sum p`, divided by `B`; the average's is `-1 / (S K B)`.
pub fn nll_with_gradient(
    client: &Client,
    likelihood: Likelihood,
    form: NllForm,
    shape: OutputShape,
    outputs: &Handle,
    targets: &Handle,
    raw_noise: Option<&Handle>,
) -> Result<NllGrads, Error> {
    nll_with_gradient_in(client, Precision::F32, likelihood, form, shape, outputs, targets, raw_noise)
}

/// [`nll_with_gradient`] of outputs in a chosen precision; tf32 is f32 here.
///
/// # Shapes
/// | value | shape | dtype |
/// | --- | --- | --- |
/// | `outputs` | `[S, K, B, C]` as `shape` says | the precision's |
/// | `targets` | `[B]` | u32 labels, or f32 values for the Gaussian likelihoods |
/// | `raw_noise` | `[K]`, for [`Likelihood::Gaussian`] only | f32 |
/// | returns | see [`NllGrads`] | gradient of the outputs: the precision's; all else f32 |
///
/// # Units
/// As [`nll_with_gradient`].
///
/// # Errors
/// As [`nll_with_gradient`]; [`Error::Unsupported`] names a type that the device lacks.
///
/// # Numerics
/// As [`nll_with_gradient`] of the rounded outputs; everything is computed in f32 and the gradient of the outputs is
/// rounded to the precision once. It holds the factor `1 / B`, in the average form `1 / (S K B)`: entries below `2^-14`
/// lose digits in an f16, on some devices all of them, and those below `2^-25` become 0.
///
/// # Source
/// As [`nll_with_gradient`].
pub fn nll_with_gradient_in(
    client: &Client,
    precision: Precision,
    likelihood: Likelihood,
    form: NllForm,
    shape: OutputShape,
    outputs: &Handle,
    targets: &Handle,
    raw_noise: Option<&Handle>,
) -> Result<NllGrads, Error> {
    let op = "nll_with_gradient";
    Call { op, client, precision, likelihood, form, shape, outputs, targets, raw_noise }.run(true)
}

/// Whether the device takes [`nll_with_gradient`] at this shape, asked before there are buffers.
///
/// For f32; what fits in f32 fits in a half, if the device has its type.
///
/// # Errors
/// [`Error::Empty`], [`Error::OverLimit`], [`Error::Unsupported`], as the launch would answer.
pub fn nll_fits(client: &Client, shape: OutputShape) -> Result<(), Error> {
    let op = "nll_fits";
    check_types(op, client)?;
    let limits = limits_of(client);
    check_bytes(op, (shape.elements(op)?, 4), limits)?;
    RowPlan::new(op, limits, (shape.n_examples, shape.n_terms(), shape.n_outputs), true)?;
    RowPlan::new(op, limits, (shape.n_members, 1, 4 * MAX_UNITS), false).map(|_| ())
}

struct Call<'a> {
    op: &'static str,
    client: &'a Client,
    precision: Precision,
    likelihood: Likelihood,
    form: NllForm,
    shape: OutputShape,
    outputs: &'a Handle,
    targets: &'a Handle,
    raw_noise: Option<&'a Handle>,
}

impl Call<'_> {
    fn run(self, with_gradient: bool) -> Result<NllGrads, Error> {
        let Self { op, client, precision, shape, .. } = self;
        check_types_in(op, client, precision)?;
        let elements = shape.elements(op)?;
        shape.check_likelihood(op, "outputs", self.likelihood)?;
        check_noise(op, self.likelihood, self.raw_noise.is_some())?;
        if self.form == NllForm::MarginalizedLogits {
            return Err(Error::Undefined {
                op,
                what: "averaged logits; average them before and give one term",
            });
        }
        let limits = limits_of(client);
        // Losses, or parts of the gradient of a noise scale, are words in every precision.
        let words = if self.raw_noise.is_some() { elements } else { shape.n_examples };
        check_bytes(op, (elements, precision.bytes()), limits)?;
        check_bytes(op, (words, 4), limits)?;
        check_buffer_of(op, client, "outputs", self.outputs, &shape.axes(), precision.bytes())?;
        check_buffer(op, client, "targets", self.targets, &[shape.n_examples])?;
        if let Some(raw_noise) = self.raw_noise {
            check_buffer(op, client, "raw_noise", raw_noise, &[shape.n_members])?;
        }
        let sizes = (shape.n_examples, shape.n_terms(), shape.n_outputs);
        let plan = RowPlan::new(op, limits, sizes, true)?;
        // Buffers that a kernel does not touch still need an address.
        let kept = |used: bool, length: usize| if used { length } else { 1 };
        let n_d_outputs = kept(with_gradient, elements);
        let grads = NllGrads {
            values: client.empty(4 * shape.n_examples),
            outputs: client.empty(precision.bytes() * n_d_outputs),
            raw_noise: None,
        };
        match self.likelihood {
            Likelihood::Categorical => {
                self.categorical(plan, &grads, (elements, n_d_outputs), with_gradient);
                Ok(grads)
            }
            _ => self.scalar(plan, grads, (elements, n_d_outputs), with_gradient, limits),
        }
    }

    /// The factor of every derivative: minus one over the terms of the mean over the batch, in the average form over
    /// samples and members too.
    fn scale(&self) -> f32 {
        let terms = match self.form {
            NllForm::AverageNll => self.shape.n_terms(),
            _ => 1,
        };
        (-1.0 / (terms as f64 * self.shape.n_examples as f64)) as f32
    }

    fn categorical(
        &self,
        plan: RowPlan,
        grads: &NllGrads,
        (elements, n_d_outputs): (usize, usize),
        with_gradient: bool,
    ) {
        let Self { shape, client, .. } = *self;
        // SAFETY: `run` proved that `outputs` holds `elements = n_terms * batch_size * width` entries of the precision's
        // type, which the kernel is compiled for, and `targets` `batch_size` words; `values` was made with `batch_size`
        // floats and `d_outputs` with `elements` entries of that type, or it is not written. Units without a column, a term or an entry use those numbered 0 and write nothing; a label at or
        // behind `width` is replaced by 0. Positions are below `elements`, at most 2^31, so none wraps. Shared memory
        // holds as many entries as the largest cube of `RowPlan` has units.
        unsafe {
            likelihood::categorical_nll::launch_unchecked(
                client,
                plan.count,
                plan.dim,
                BufferArg::from_raw_parts(self.outputs.clone(), elements),
                BufferArg::from_raw_parts(self.targets.clone(), shape.n_examples),
                BufferArg::from_raw_parts(grads.values.clone(), shape.n_examples),
                BufferArg::from_raw_parts(grads.outputs.clone(), n_d_outputs),
                shape.n_terms() as u32,
                shape.n_examples as u32,
                shape.n_outputs as u32,
                self.scale(),
                f32::INFINITY,
                f32::NAN,
                plan.tiling,
                self.form,
                with_gradient,
                self.precision.stored(),
            );
        }
    }

    fn scalar(
        &self,
        plan: RowPlan,
        grads: NllGrads,
        (elements, n_d_outputs): (usize, usize),
        with_gradient: bool,
        limits: Limits,
    ) -> Result<NllGrads, Error> {
        let Self { shape, client, .. } = *self;
        let n_rows = shape.n_terms() * shape.n_examples;
        let (raw_noise, n_raw_noise) = match self.raw_noise {
            Some(raw_noise) => (raw_noise.clone(), shape.n_members),
            None => (client.empty(4), 1),
        };
        let parts = with_gradient && self.raw_noise.is_some();
        let n_parts = if parts { n_rows } else { 1 };
        let d_noise_rows = client.empty(4 * n_parts);
        let sum_plan = RowPlan::new(self.op, limits, (shape.n_members, 1, 4 * MAX_UNITS), false)?;
        // SAFETY: as in `categorical`, with one or two outputs per row; `targets` holds one word per example, a float's
        // bits where the likelihood reads a float. `raw_noise` holds a float per member and `d_noise_rows` one per row,
        // or the likelihood does not touch them.
        unsafe {
            likelihood::scalar_nll::launch_unchecked(
                client,
                plan.count,
                plan.dim,
                BufferArg::from_raw_parts(self.outputs.clone(), elements),
                BufferArg::from_raw_parts(self.targets.clone(), shape.n_examples),
                BufferArg::from_raw_parts(raw_noise, n_raw_noise),
                BufferArg::from_raw_parts(grads.values.clone(), shape.n_examples),
                BufferArg::from_raw_parts(grads.outputs.clone(), n_d_outputs),
                BufferArg::from_raw_parts(d_noise_rows.clone(), n_parts),
                shape.n_terms() as u32,
                shape.n_members as u32,
                shape.n_examples as u32,
                self.scale(),
                f32::INFINITY,
                f32::NAN,
                plan.tiling,
                self.likelihood,
                self.form,
                with_gradient,
                self.precision.stored(),
            );
        }
        if !parts {
            return Ok(grads);
        }
        let out = client.empty(4 * shape.n_members);
        // SAFETY: `d_noise_rows` holds `n_samples * n_members * batch_size` floats and `out` one per member; cubes
        // without a member read those of member 0 and write nothing. The cube has `lanes` units, one column each.
        unsafe {
            likelihood::sum_rows::launch_unchecked(
                client,
                sum_plan.count,
                sum_plan.dim,
                BufferArg::from_raw_parts(d_noise_rows, n_parts),
                BufferArg::from_raw_parts(out.clone(), shape.n_members),
                shape.n_samples as u32,
                shape.n_members as u32,
                shape.n_examples as u32,
                sum_plan.tiling.lanes,
            );
        }
        Ok(NllGrads { raw_noise: Some(out), ..grads })
    }
}

fn check_noise(op: &'static str, likelihood: Likelihood, given: bool) -> Result<(), Error> {
    match (likelihood, given) {
        (Likelihood::Gaussian, false) => {
            Err(Error::Undefined { op, what: "a Gaussian likelihood without `raw_noise`" })
        }
        (Likelihood::Gaussian, true) | (_, false) => Ok(()),
        (_, true) => Err(Error::Undefined { op, what: "a separate noise scale for this likelihood" }),
    }
}
