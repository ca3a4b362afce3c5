//! The network from the Burn layers of this crate, in single precision.

use std::collections::BTreeMap;

use burn::module::Param;
use burn::tensor::module::avg_pool2d;
use burn::tensor::ops::AvgPoolOptions;
use burn::tensor::{Device, Tensor, activation};
use ndarray::Array3;
use rank1_core::layout::join_members;
use rank1_core::perturb::Perturbation;
use rank1_core::targets::Targets;
use rank1_models::layer::{
    BatchNormMode, ConvGeometry, Factor, MemberBatchNorm, MemberBatchNormConfig, MovingVariance, Rank1Conv2d,
    Rank1Linear,
};
use rank1_models::method::Granularity;
use rank1_priors::{LocationDomain, PosteriorFamily};

use super::{CLIP, Factors, Network, Node, Op};
use crate::burn_conv::{channels_first, channels_last, flat_kernel, tensor};
use crate::burn_dense;
use crate::json::{Outcome, Record, Values};

/// The layers by their names.
pub(super) struct Model {
    convs: BTreeMap<String, Rank1Conv2d>,
    norms: BTreeMap<String, MemberBatchNorm>,
    dense: BTreeMap<String, Rank1Linear>,
}

/// One training pass.
pub(super) struct Step {
    pub(super) logits: Tensor<2>,
    pub(super) loss: f64,
    pub(super) moving: Vec<(String, Values)>,
    pub(super) gradients: BTreeMap<String, Values>,
}

type Draw<'a> = &'a dyn Fn(&str) -> Option<(Tensor<2>, Tensor<2>)>;

impl Model {
    pub(super) fn new(record: &Record<'_>, network: &Network) -> Outcome<Self> {
        let factor = |layer: &str, side: &str| -> Outcome<Option<Factor>> {
            let location = network.matrix(layer, &format!("{side}/loc"))?;
            Ok(Some(Factor {
                location: Param::from_tensor(burn_dense::tensor(&location)),
                raw_scale: None,
                family: PosteriorFamily::PointMass,
                granularity: Granularity::PerExample,
                clip: Some(CLIP),
                domain: LocationDomain::Real,
            }))
        };
        let mut model = Self { convs: BTreeMap::new(), norms: BTreeMap::new(), dense: BTreeMap::new() };
        for node in &network.nodes {
            let name = node.name.clone();
            match node.op {
                Op::Conv(stride) => {
                    let kernel = network.kernel(&name)?;
                    let (kernel_h, kernel_w, ..) = kernel.dim();
                    let layer = Rank1Conv2d {
                        weight: Param::from_tensor(flat_kernel(&kernel)),
                        bias: None,
                        input_factor: factor(&name, "alpha")?,
                        output_factor: factor(&name, "gamma")?,
                        geometry: ConvGeometry::same([kernel_h, kernel_w]).with_stride(stride),
                        perturbation: Perturbation::Multiplicative,
                        n_members: network.k,
                        stream: model.convs.len() + model.dense.len(),
                    };
                    model.convs.insert(name, layer);
                }
                Op::BatchNorm => {
                    model.norms.insert(name.clone(), norm(record, network, &name)?);
                }
                Op::Dense => {
                    let layer = Rank1Linear {
                        weight: Param::from_tensor(burn_dense::tensor(&network.matrix(&name, "kernel")?)),
                        bias: Some(Param::from_tensor(burn_dense::tensor(
                            &network.matrix(&name, "ensemble_bias")?,
                        ))),
                        input_factor: factor(&name, "alpha")?,
                        output_factor: factor(&name, "gamma")?,
                        perturbation: Perturbation::Multiplicative,
                        n_members: network.k,
                        stream: model.convs.len() + model.dense.len(),
                    };
                    model.dense.insert(name, layer);
                }
                _ => {}
            }
        }
        Ok(model)
    }

    fn forward(
        &self,
        record: &Record<'_>,
        network: &Network,
        draw: Draw<'_>,
        mode: BatchNormMode,
    ) -> Outcome<Tensor<2>> {
        let mut values: Vec<Tensor<4>> = Vec::new();
        for node in &network.nodes {
            let x = match node.inputs.first() {
                Some(&from) => values[from].clone(),
                None => channels_first(tensor(&network.x)),
            };
            values.push(self.node(record, node, x, &values, draw, mode)?);
        }
        let Some(last) = values.pop() else { return record.fault("graph", "is empty") };
        let [rows, classes, ..] = last.dims();
        Ok(last.reshape([rows, classes]))
    }

    fn node(
        &self,
        record: &Record<'_>,
        node: &Node,
        x: Tensor<4>,
        values: &[Tensor<4>],
        draw: Draw<'_>,
        mode: BatchNormMode,
    ) -> Outcome<Tensor<4>> {
        let [rows, channels, height, width] = x.dims();
        let own =
            |s: &Option<Factor>, r: &Option<Factor>| -> Outcome<(Option<Tensor<2>>, Option<Tensor<2>>)> {
                if let Some((s, r)) = draw(&node.name) {
                    return Ok((Some(s), Some(r)));
                }
                let plain = |f: &Option<Factor>| f.as_ref().map(|f| record.ok(f.draw(None, 1))).transpose();
                Ok((plain(s)?, plain(r)?))
            };
        Ok(match node.op {
            Op::Input => x,
            Op::Conv(_) => {
                let layer = &self.convs[&node.name];
                let (s, r) = own(&layer.input_factor, &layer.output_factor)?;
                record.ok(layer.apply(x, s, r, 1))?
            }
            Op::BatchNorm => record.ok(self.norms[&node.name].forward(x, 1, mode))?,
            Op::Relu => activation::relu(x),
            Op::Add => x + values[node.inputs[1]].clone(),
            Op::AveragePool => {
                let window = [height / node.output[0], width / node.output[1]];
                avg_pool2d(x, AvgPoolOptions::new(window).with_stride(window))
            }
            Op::Flatten => channels_last(x).reshape([rows, channels * height * width, 1, 1]),
            Op::Dense => {
                let layer = &self.dense[&node.name];
                let (s, r) = own(&layer.input_factor, &layer.output_factor)?;
                let y = record.ok(layer.apply(x.reshape([rows, channels]), s, r, 1))?;
                let [_, classes] = y.dims();
                y.reshape([rows, classes, 1, 1])
            }
        })
    }

    /// Logits by the moving statistics, or by the batch's.
    pub(super) fn logits(
        &self,
        record: &Record<'_>,
        network: &Network,
        training: bool,
    ) -> Outcome<Tensor<2>> {
        let mode = if training { BatchNormMode::Training } else { BatchNormMode::Evaluation };
        self.forward(record, network, &|_| None, mode)
    }

    /// Logits by the moving statistics with given factors.
    pub(super) fn drawn(
        &self,
        record: &Record<'_>,
        network: &Network,
        factors: &Factors,
    ) -> Outcome<Tensor<2>> {
        let rows = |values: &Array3<f64>| burn_dense::tensor(&join_members(values.view()));
        let draw = |layer: &str| factors.get(layer).map(|(s, r)| (rows(s), rows(r)));
        self.forward(record, network, &draw, BatchNormMode::Evaluation)
    }

    /// One pass in training mode with the gradients of the average NLL.
    pub(super) fn train(&self, record: &Record<'_>, network: &Network) -> Outcome<Step> {
        let logits = self.logits(record, network, true)?;
        let [rows, classes] = logits.dims();
        let Targets::Classes { labels, .. } = &network.targets else {
            return record.fault("labels_examples", "are no classes");
        };
        let hot = ndarray::Array2::from_shape_fn((rows, classes), |(row, class)| {
            f64::from(u8::from(labels[row % network.e] == class))
        });
        let loss = (activation::log_softmax(logits.clone(), 1) * burn_dense::tensor(&hot)).sum()
            * (-1.0 / rows as f32);
        let tape = loss.backward();
        let mut gradients = BTreeMap::new();
        let mut keep = |layer: &str, name: &str, parameter: Tensor<2>, shape: Option<Vec<usize>>| {
            let Some(gradient) = parameter.grad(&tape) else { return };
            let values = Values::from(gradient);
            let shape = shape.unwrap_or_else(|| values.shape.clone());
            gradients.insert(format!("{layer}/{name}:0"), values.reshaped(&shape));
        };
        let sides = |s: &Option<Factor>, r: &Option<Factor>| {
            [("alpha/loc", s), ("gamma/loc", r)].map(|(name, f)| (name, f.as_ref().map(|f| f.location.val())))
        };
        for (name, layer) in &self.convs {
            let shape = network.param(name, "kernel")?.shape.clone();
            keep(name, "kernel", layer.weight.val(), Some(shape));
            for (side, location) in sides(&layer.input_factor, &layer.output_factor) {
                location.into_iter().for_each(|location| keep(name, side, location, None));
            }
        }
        for (name, layer) in &self.dense {
            keep(name, "kernel", layer.weight.val(), None);
            layer.bias.iter().for_each(|bias| keep(name, "ensemble_bias", bias.val(), None));
            for (side, location) in sides(&layer.input_factor, &layer.output_factor) {
                location.into_iter().for_each(|location| keep(name, side, location, None));
            }
        }
        let mut moving = Vec::new();
        for (name, layer) in &self.norms {
            let shape = network.param(name, "gamma")?.shape.clone();
            keep(name, "gamma", layer.scale.val(), Some(shape.clone()));
            keep(name, "beta", layer.shift.val(), Some(shape.clone()));
            for (statistic, state) in
                [("moving_mean", &layer.moving_mean), ("moving_variance", &layer.moving_variance)]
            {
                let value = Values::from(state.value_sync()).reshaped(&shape);
                moving.push((format!("{name}/{statistic}:0"), value));
            }
        }
        Ok(Step { logits: logits.inner(), loss: f64::from(loss.into_scalar::<f32>()), moving, gradients })
    }
}

fn norm(record: &Record<'_>, network: &Network, name: &str) -> Outcome<MemberBatchNorm> {
    let row = |what: &str| -> Outcome<Tensor<2>> {
        let values = network.flat(name, what)?.to_vec();
        let row = ndarray::Array2::from_shape_vec((1, values.len()), values);
        Ok(burn_dense::tensor(&record.ok(row)?))
    };
    let config = MemberBatchNormConfig {
        epsilon: network.epsilon,
        momentum: network.momentum,
        // Keras' double-precision layers are not fused.
        moving_variance: MovingVariance::Biased,
        ..MemberBatchNormConfig::shared(network.flat(name, "gamma")?.len())
    };
    let mut layer = record.ok(config.init(&Device::flex().autodiff()))?;
    layer.scale = Param::from_tensor(row("gamma")?);
    layer.shift = Param::from_tensor(row("beta")?);
    layer.moving_mean.update(row("moving_mean")?);
    layer.moving_variance.update(row("moving_variance")?);
    Ok(layer)
}
