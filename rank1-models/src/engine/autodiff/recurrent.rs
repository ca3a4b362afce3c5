//! The recurrent layer as a Burn module: factors, masks and weights drawn once a sequence, then its last state.
//!
//! The two matrices are layers of their own in the plan and draw under their own numbers.

use burn::module::{Param, ParamId as ModuleId};
use burn::tensor::{Device, Tensor, TensorData};
use ndarray::ArrayView2;
use rank1_core::Error as CoreError;

use super::Call;
use super::layer::{dropout, factor, mean_field};
use super::value::Value;
use crate::engine::{DrawKey, Site};
use crate::error::Error;
use crate::layer::{Factor, LstmNoise, Pass, Rank1Lstm, noise_rows, positive_scale};
use crate::network::LstmPlan;

/// The last state of every row, `[S*K*B, U]`.
pub(super) fn forward(
    call: &Call<'_>,
    plan: LstmPlan,
    x: Value,
    inputs: ArrayView2<'_, f32>,
) -> Result<Tensor<2>, Error> {
    let d_in = call.network.layers[plan.input].d_in;
    let x = x.columns().narrow(1, 0, plan.steps * d_in);
    let [rows, _] = x.dims();
    let xs = x.reshape([rows, plan.steps, d_in]).permute([1, 0, 2]);
    let present = present_steps(plan, inputs, call.device)?;
    let random = [plan.input, plan.recurrent].map(|index| mean_field(&call.network.layers[index]).is_some());
    if !random.contains(&true) {
        return sequence(call, plan, xs, present);
    }
    // Random weights are drawn once per sample: each sample is a pass of its own.
    let all = call.pass;
    let per_sample = rows / all.n_samples;
    let last = (0..all.n_samples).map(|sample| {
        let key = DrawKey { first_sample: all.key.first_sample + sample as u32, ..all.key };
        let xs = xs.clone().narrow(1, sample * per_sample, per_sample);
        sequence(&Call { pass: Pass { key, n_samples: 1, ..all }, ..*call }, plan, xs, present.clone())
    });
    Ok(Tensor::cat(last.collect::<Result<Vec<_>, _>>()?, 0))
}

/// Runs the steps `[T, S*K*B, D]`; `present` is `[T, B]`.
fn sequence(
    call: &Call<'_>,
    plan: LstmPlan,
    xs: Tensor<3>,
    present: Option<Tensor<2>>,
) -> Result<Tensor<2>, Error> {
    let Call { network, leaves, pass, .. } = *call;
    let n_samples = pass.n_samples;
    let (input, recurrent) = (&network.layers[plan.input], &network.layers[plan.recurrent]);
    let lstm = Rank1Lstm {
        weight: weight(call, plan.input)?,
        recurrent_weight: weight(call, plan.recurrent)?,
        bias: input.bias.map(|id| leaves.param(id)),
        input_factor: factor(&input.input_factor, leaves),
        output_factor: factor(&input.output_factor, leaves),
        recurrent_input_factor: factor(&recurrent.input_factor, leaves),
        recurrent_output_factor: factor(&recurrent.output_factor, leaves),
        perturbation: input.perturbation,
        n_members: network.n_members,
        stream: plan.input,
    };
    let device = call.plain_device();
    let noise = |factor: &Option<Factor>, layer: usize, site: Site| {
        noise_rows("AutodiffEngine", factor.as_ref(), lstm.n_members, &call.rows(layer)?, site, &device)
    };
    let noise = LstmNoise {
        input: noise(&lstm.input_factor, plan.input, Site::InputFactor)?,
        output: noise(&lstm.output_factor, plan.input, Site::OutputFactor)?,
        recurrent_input: noise(&lstm.recurrent_input_factor, plan.recurrent, Site::InputFactor)?,
        recurrent_output: noise(&lstm.recurrent_output_factor, plan.recurrent, Site::OutputFactor)?,
        n_samples,
    };
    let mut factors = lstm.draw(&noise)?;
    // A dropout mask acts as a factor that stays the same over the sequence.
    for (layer, of) in [(plan.input, &mut factors.input), (plan.recurrent, &mut factors.recurrent_input)] {
        if let Some(dropout) = dropout(call, layer)? {
            *of = Some(dropout.mask(&pass, call.n_rows(), network.layers[layer].d_in, &device)?);
        }
    }
    let [_, rows, _] = xs.dims();
    let present = present.map(|present| present.repeat_dim(1, n_samples * network.n_members));
    let state = lstm.zero_state(rows, &xs.device());
    Ok(lstm.apply(xs, state, present, &factors, n_samples)?.state.hidden)
}

/// The matrix of a layer: the parameter, or the draw of the pass's only sample.
fn weight(call: &Call<'_>, index: usize) -> Result<Param<Tensor<2>>, Error> {
    let (layer, leaves) = (&call.network.layers[index], call.leaves);
    let Some((scale, _)) = mean_field(layer) else { return Ok(leaves.param(layer.weight)) };
    let mean = leaves.tensor(layer.weight);
    let shape = mean.dims();
    let noise = call.rows(index)?.weight_noise(shape[0], shape[1], &call.plain_device()).reshape(shape);
    // Not a leaf: the gradient goes on to mean and scale.
    Ok(Param::initialized(ModuleId::new(), mean + positive_scale(leaves.tensor(scale)) * noise))
}

/// 1 where an example has the step and 0 where it is over, `[T, B]`; none if all sequences are full.
fn present_steps(
    plan: LstmPlan,
    inputs: ArrayView2<'_, f32>,
    device: &Device,
) -> Result<Option<Tensor<2>>, Error> {
    let Some(column) = plan.length_column else { return Ok(None) };
    let lengths = inputs.column(column);
    for &length in lengths {
        if !(length >= 0.0 && length <= plan.steps as f32 && length.fract() == 0.0) {
            return Err(CoreError::OutOfRange {
                op: "AutodiffEngine",
                argument: "number of steps (last column)",
                value: f64::from(length),
                expected: "a whole number from 0 to the steps of the network",
            }
            .into());
        }
    }
    let one = |step: usize, length: f32| if (step as f32) < length { 1.0_f32 } else { 0.0 };
    let values: Vec<f32> =
        (0..plan.steps).flat_map(|step| lengths.iter().map(move |&length| one(step, length))).collect();
    let shape = [plan.steps, lengths.len()];
    Ok(Some(Tensor::from_data(TensorData::new(values, shape), device)))
}
