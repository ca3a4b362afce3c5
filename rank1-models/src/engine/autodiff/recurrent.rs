//! The recurrent layer as a Burn module: factors, masks and weights drawn once a sequence, then its last state.
//!
//! The two matrices are layers of their own in the plan and draw under their own numbers.

use burn::module::{Param, ParamId as ModuleId};
use burn::tensor::{Device, Tensor, TensorData};
use ndarray::ArrayView2;
use rank1_core::Error as CoreError;

use super::Pass;
use super::layer::{factor, mask, mean_field};
use super::value::Value;
use crate::engine::{DrawKey, Site};
use crate::error::Error;
use crate::layer::{DrawRows, Factor, LstmNoise, Rank1Lstm, positive_scale};
use crate::network::LstmPlan;

/// The last state of every row, `[S*K*B, U]`.
pub(super) fn forward(
    pass: &Pass<'_>,
    plan: LstmPlan,
    x: Value,
    inputs: ArrayView2<'_, f32>,
) -> Result<Tensor<2>, Error> {
    let d_in = pass.network.layers[plan.input].d_in;
    let x = x.columns().narrow(1, 0, plan.steps * d_in);
    let [rows, _] = x.dims();
    let xs = x.reshape([rows, plan.steps, d_in]).permute([1, 0, 2]);
    let present = present_steps(plan, inputs, pass.device)?;
    let random = [plan.input, plan.recurrent].map(|index| mean_field(&pass.network.layers[index]).is_some());
    if !random.contains(&true) {
        return sequence(pass, plan, xs, present);
    }
    // Random weights are drawn once per sample: each sample is a pass of its own.
    let per_sample = rows / pass.n_samples;
    let last = (0..pass.n_samples).map(|sample| {
        let key = DrawKey { first_sample: pass.key.first_sample + sample as u32, ..pass.key };
        let xs = xs.clone().narrow(1, sample * per_sample, per_sample);
        sequence(&Pass { key, n_samples: 1, ..*pass }, plan, xs, present.clone())
    });
    Ok(Tensor::cat(last.collect::<Result<Vec<_>, _>>()?, 0))
}

/// Runs the steps `[T, S*K*B, D]`; `present` is `[T, B]`.
fn sequence(
    pass: &Pass<'_>,
    plan: LstmPlan,
    xs: Tensor<3>,
    present: Option<Tensor<2>>,
) -> Result<Tensor<2>, Error> {
    let Pass { network, leaves, n_samples, .. } = *pass;
    let (input, recurrent) = (&network.layers[plan.input], &network.layers[plan.recurrent]);
    let lstm = Rank1Lstm {
        weight: weight(pass, plan.input),
        recurrent_weight: weight(pass, plan.recurrent),
        bias: input.bias.map(|id| leaves.param(id)),
        input_factor: factor(&input.input_factor, leaves),
        output_factor: factor(&input.output_factor, leaves),
        recurrent_input_factor: factor(&recurrent.input_factor, leaves),
        recurrent_output_factor: factor(&recurrent.output_factor, leaves),
        perturbation: input.perturbation,
        n_members: network.n_members,
    };
    let device = pass.device.clone().without_autodiff();
    let (of_input, of_recurrent) = (pass.rows(plan.input), pass.rows(plan.recurrent));
    let noise = LstmNoise {
        input: noise(&lstm.input_factor, &of_input, Site::InputFactor, &device),
        output: noise(&lstm.output_factor, &of_input, Site::OutputFactor, &device),
        recurrent_input: noise(&lstm.recurrent_input_factor, &of_recurrent, Site::InputFactor, &device),
        recurrent_output: noise(&lstm.recurrent_output_factor, &of_recurrent, Site::OutputFactor, &device),
        n_samples,
    };
    let mut factors = lstm.draw(&noise)?;
    // A dropout mask acts as a factor that stays the same over the sequence.
    if let Some((_, mask)) = mask(pass, plan.input)? {
        factors.input = Some(mask);
    }
    if let Some((_, mask)) = mask(pass, plan.recurrent)? {
        factors.recurrent_input = Some(mask);
    }
    let [_, rows, _] = xs.dims();
    let present = present.map(|present| present.repeat_dim(1, n_samples * network.n_members));
    let state = lstm.zero_state(rows, &xs.device());
    Ok(lstm.apply(xs, state, present, &factors, n_samples)?.state.hidden)
}

/// The matrix of a layer: the parameter, or the draw of the pass's only sample.
fn weight(pass: &Pass<'_>, index: usize) -> Param<Tensor<2>> {
    let (layer, leaves) = (&pass.network.layers[index], pass.leaves);
    let Some((scale, _)) = mean_field(layer) else { return leaves.param(layer.weight) };
    let mean = leaves.tensor(layer.weight);
    let shape = mean.dims();
    let device = pass.device.clone().without_autodiff();
    let noise = pass.rows(index).weight_noise(shape[0], shape[1], &device).reshape(shape);
    // Not a leaf: the gradient goes on to mean and scale.
    Param::initialized(ModuleId::new(), mean + positive_scale(leaves.tensor(scale)) * noise)
}

fn noise(factor: &Option<Factor>, rows: &DrawRows, site: Site, device: &Device) -> Option<Tensor<2>> {
    let factor = factor.as_ref()?;
    let [_, width] = factor.location.dims();
    Some(rows.noise(site, factor.noise_kind()?, factor.granularity, width, device))
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
