//! The network in double precision, from the functions of `rank1-core`, forward and backward.

use std::collections::BTreeMap;

use ndarray::{Array2, Array4};
use rank1_core::conv::{ConvShape, Padding, PerturbedConv2d};
use rank1_core::kernels::batch_norm::{self, NormSaved, NormShape};
use rank1_core::kernels::pool::{self, PoolShape};
use rank1_core::perturb::{Perturbation, PerturbedLinear};

use super::{Factors, Network, Node, Op};
use crate::batch_norm::keras_rate;
use crate::json::{Outcome, Record, Values};

/// Values of all nodes, `[K*E, H, W, C]`.
pub(super) struct Pass {
    values: Vec<Array4<f64>>,
    saved: BTreeMap<usize, NormSaved<f64>>,
    pub(super) logits: Array2<f64>,
}

impl Pass {
    /// Moving statistics after this pass by their names; Keras' double-precision layer moves by the biased variance.
    pub(super) fn moved(&self, network: &Network) -> Outcome<Vec<(String, Vec<f64>)>> {
        let mut out = Vec::new();
        for (index, saved) in &self.saved {
            let layer = &network.nodes[*index].name;
            for (name, batch) in [("moving_mean", &saved.mean), ("moving_variance", &saved.variance)] {
                let old = network.flat(layer, name)?.iter();
                let rate = keras_rate(network.momentum);
                let moved = old.zip(batch).map(|(old, new)| old + rate * (new - old)).collect();
                out.push((format!("{layer}/{name}:0"), moved));
            }
        }
        Ok(out)
    }
}

fn norm_shape(network: &Network, x: &Array4<f64>) -> NormShape {
    let (_, height, width, channels) = x.dim();
    NormShape {
        n_samples: 1,
        n_members: network.k,
        n_examples: network.e,
        positions: height * width,
        channels,
        per_member: false,
    }
}

fn pool_shape(x: &Array4<f64>, node: &Node) -> PoolShape {
    let (_, height, width, channels) = x.dim();
    let window = (height / node.output[0], width / node.output[1]);
    PoolShape { height, width, channels, window, stride: window, padding: Padding::Valid }
}

fn conv_shape(x: &Array4<f64>, kernel: &Array4<f64>, stride: usize) -> ConvShape {
    let (_, height, width, c_in) = x.dim();
    let (kernel_h, kernel_w, _, c_out) = kernel.dim();
    ConvShape {
        height,
        width,
        c_in,
        c_out,
        kernel: (kernel_h, kernel_w),
        stride: (stride, stride),
        dilation: (1, 1),
        padding: Padding::Same,
    }
}

fn slice(array: &Array4<f64>) -> &[f64] {
    array.as_slice().expect("values are made in standard layout")
}

fn slice_mut(array: &mut Array4<f64>) -> &mut [f64] {
    array.as_slice_mut().expect("values are made in standard layout")
}

fn rows(array: &Array4<f64>) -> Array2<f64> {
    let (rows, h, w, c) = array.dim();
    array.to_shape((rows, h * w * c)).expect("standard layout").into_owned()
}

/// All nodes in order; batch normalization by the batch or by the moving statistics.
pub(super) fn forward(
    record: &Record<'_>,
    network: &Network,
    factors: &Factors,
    training: bool,
) -> Outcome<Pass> {
    let mut values: Vec<Array4<f64>> = Vec::new();
    let mut saved = BTreeMap::new();
    for (index, node) in network.nodes.iter().enumerate() {
        let input = node.inputs.first().map(|&i| &values[i]);
        let x = input.unwrap_or(&network.x);
        let [h, w, c] = node.output;
        let mut out = Array4::zeros((network.k * network.e, h, w, c));
        match node.op {
            Op::Input => out.assign(&network.x),
            Op::Conv(stride) => {
                let kernel = network.kernel(&node.name)?;
                let (s, r) = &factors[&node.name];
                let layer = PerturbedConv2d {
                    shape: conv_shape(x, &kernel, stride),
                    weight: kernel.view(),
                    input_factor: Some(s.view()),
                    output_factor: Some(r.view()),
                    bias: None,
                    perturbation: Perturbation::Multiplicative,
                    n_members: network.k,
                };
                out = record.ok(layer.forward(x.view()))?;
            }
            Op::BatchNorm => {
                let shape = norm_shape(network, x);
                let part = |name: &str| network.flat(&node.name, name);
                let (scale, shift) = (part("gamma")?, part("beta")?);
                if training {
                    let mut own = NormSaved::default();
                    let done = batch_norm::train_forward(
                        &shape,
                        slice(x),
                        scale,
                        shift,
                        network.epsilon,
                        slice_mut(&mut out),
                        &mut own,
                    );
                    record.ok(done)?;
                    saved.insert(index, own);
                } else {
                    let (mean, variance) = (part("moving_mean")?, part("moving_variance")?);
                    let done = batch_norm::eval_forward(
                        &shape,
                        slice(x),
                        scale,
                        shift,
                        mean,
                        variance,
                        network.epsilon,
                        slice_mut(&mut out),
                    );
                    record.ok(done)?;
                }
            }
            Op::Relu => out.assign(&x.mapv(|v| v.max(0.0))),
            Op::Add => out.assign(&(x + &values[node.inputs[1]])),
            Op::AveragePool => {
                record.ok(pool::average_forward(&pool_shape(x, node), slice(x), slice_mut(&mut out)))?;
            }
            Op::Flatten => slice_mut(&mut out).copy_from_slice(slice(x)),
            Op::Dense => {
                let kernel = network.matrix(&node.name, "kernel")?;
                let bias = network.matrix(&node.name, "ensemble_bias")?;
                let (s, r) = &factors[&node.name];
                let layer = PerturbedLinear {
                    weight: kernel.view(),
                    input_factor: Some(s.view()),
                    output_factor: Some(r.view()),
                    bias: Some(bias.view()),
                    perturbation: Perturbation::Multiplicative,
                    n_members: network.k,
                };
                let y = record.ok(layer.forward(rows(x).view()))?;
                out.iter_mut().zip(&y).for_each(|(out, y)| *out = *y);
            }
        }
        if out.dim() != (network.k * network.e, h, w, c) {
            return record.fault("graph", format!("{} has other sizes than its arrays", node.name));
        }
        values.push(out);
    }
    let Some(last) = values.last() else { return record.fault("graph", "is empty") };
    let logits = rows(last);
    Ok(Pass { values, saved, logits })
}

/// Gradients of all trained variables by their names.
pub(super) fn backward(
    record: &Record<'_>,
    network: &Network,
    factors: &Factors,
    pass: &Pass,
    d_logits: &Array2<f64>,
) -> Outcome<BTreeMap<String, Values>> {
    let mut grads: Vec<Array4<f64>> = pass.values.iter().map(|v| Array4::zeros(v.dim())).collect();
    if let Some(last) = grads.last_mut() {
        last.iter_mut().zip(d_logits).for_each(|(slot, g)| *slot = *g);
    }
    let mut out = BTreeMap::new();
    for (index, node) in network.nodes.iter().enumerate().rev() {
        let Some(&from) = node.inputs.first() else { continue };
        let (x, d_out) = (&pass.values[from], grads[index].clone());
        let mut keep = |name: &str, value: Values| out.insert(format!("{}/{name}:0", node.name), value);
        let d_x = match node.op {
            Op::Input => continue,
            Op::Conv(stride) => {
                let kernel = network.kernel(&node.name)?;
                let (s, r) = &factors[&node.name];
                let layer = PerturbedConv2d {
                    shape: conv_shape(x, &kernel, stride),
                    weight: kernel.view(),
                    input_factor: Some(s.view()),
                    output_factor: Some(r.view()),
                    bias: None,
                    perturbation: Perturbation::Multiplicative,
                    n_members: network.k,
                };
                let own = record.ok(layer.backward(x.view(), d_out.view()))?;
                keep("kernel", own.weight.into());
                for (name, gradient) in [("alpha/loc", own.input_factor), ("gamma/loc", own.output_factor)] {
                    keep(name, member_rows(gradient));
                }
                own.x
            }
            Op::BatchNorm => {
                let shape = norm_shape(network, x);
                let Some(saved) = pass.saved.get(&index) else {
                    return record.fault("graph", "was not run in training mode");
                };
                let scale = network.flat(&node.name, "gamma")?;
                let mut d_x = Array4::zeros(x.dim());
                let (mut d_scale, mut d_shift) = (vec![0.0; scale.len()], vec![0.0; scale.len()]);
                let done = batch_norm::backward(
                    &shape,
                    slice(x),
                    scale,
                    &mut saved.clone(),
                    network.epsilon,
                    slice(&d_out),
                    slice_mut(&mut d_x),
                    &mut d_scale,
                    &mut d_shift,
                );
                record.ok(done)?;
                keep("gamma", d_scale.into());
                keep("beta", d_shift.into());
                d_x
            }
            Op::Relu => &d_out * &x.mapv(|v| f64::from(u8::from(v > 0.0))),
            Op::Add => {
                grads[node.inputs[1]] += &d_out;
                d_out
            }
            Op::AveragePool => {
                let mut d_x = Array4::zeros(x.dim());
                let shape = pool_shape(x, node);
                record.ok(pool::average_backward(&shape, slice(&d_out), slice_mut(&mut d_x)))?;
                d_x
            }
            Op::Flatten => {
                let mut d_x = Array4::zeros(x.dim());
                slice_mut(&mut d_x).copy_from_slice(slice(&d_out));
                d_x
            }
            Op::Dense => {
                let kernel = network.matrix(&node.name, "kernel")?;
                let bias = network.matrix(&node.name, "ensemble_bias")?;
                let (s, r) = &factors[&node.name];
                let layer = PerturbedLinear {
                    weight: kernel.view(),
                    input_factor: Some(s.view()),
                    output_factor: Some(r.view()),
                    bias: Some(bias.view()),
                    perturbation: Perturbation::Multiplicative,
                    n_members: network.k,
                };
                let own = record.ok(layer.backward(rows(x).view(), rows(&d_out).view()))?;
                keep("kernel", own.weight.into());
                if let Some(bias) = own.bias {
                    keep("ensemble_bias", bias.into());
                }
                for (name, gradient) in [("alpha/loc", own.input_factor), ("gamma/loc", own.output_factor)] {
                    keep(name, member_rows(gradient));
                }
                let mut d_x = Array4::zeros(x.dim());
                d_x.iter_mut().zip(&own.x).for_each(|(slot, g)| *slot = *g);
                d_x
            }
        };
        grads[from] += &d_x;
    }
    Ok(out)
}

/// `[K, 1, C]` as `[K, C]`.
fn member_rows(gradient: Option<ndarray::Array3<f64>>) -> Values {
    let gradient = gradient.unwrap_or_default();
    let (k, _, width) = gradient.dim();
    Values::from(gradient).reshaped(&[k, width])
}
