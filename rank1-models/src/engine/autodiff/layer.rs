//! One perturbed layer as a Burn module: linear or a convolution, with factors, dropout or a random weight.
//!
//! The matrices of recurrent layers are in [`super::recurrent`].

use burn::module::{Param, ParamId as ModuleId};
use burn::tensor::Tensor;
use rank1_core::conv::ConvShape;

use super::Call;
use super::leaves::Leaves;
use super::value::Value;
use crate::error::Error;
use crate::layer::{
    ConvGeometry, Dropout, Factor, MeanFieldConv2d, MeanFieldLinear, Rank1Conv2d, Rank1Linear,
};
use crate::method::Estimator;
use crate::network::{FactorPlan, LayerPlan, Product, Volume, WeightPlan};
use crate::params::ParamId;

/// The value of layer `index`, its activation included.
pub(super) fn forward(call: &Call<'_>, index: usize, x: Value) -> Result<Value, Error> {
    let layer = &call.network.layers[index];
    let y = match layer.product {
        Product::Conv(shape) => {
            let volume = Volume { height: shape.height, width: shape.width, channels: shape.c_in };
            Value::Image(convolve(call, index, &shape, x.image(volume))?)
        }
        Product::Linear | Product::Recurrent => Value::Columns(multiply(call, index, x.columns())?),
        Product::PerMember(_) => Value::Columns(multiply_per_member(call, index, x.columns())?),
    };
    Ok(y.activate(layer.activation))
}

fn multiply(call: &Call<'_>, index: usize, mut x: Tensor<2>) -> Result<Tensor<2>, Error> {
    let Call { network, leaves, pass, .. } = *call;
    let layer = &network.layers[index];
    if let Some(dropout) = dropout(call, index)? {
        x = dropout.forward(x, &pass)?;
    }
    if let Some((scale, estimator)) = mean_field(layer) {
        let linear = MeanFieldLinear {
            mean: leaves.param(layer.weight),
            raw_scale: leaves.param(scale),
            bias: layer.bias.map(|id| leaves.param(id)),
            estimator,
            stream: index,
        };
        return linear.forward(x, &pass);
    }
    let linear = Rank1Linear {
        weight: leaves.param(layer.weight),
        bias: bias(call, layer),
        input_factor: factor(&layer.input_factor, leaves),
        output_factor: factor(&layer.output_factor, leaves),
        perturbation: layer.perturbation,
        n_members: network.n_members,
        stream: index,
    };
    linear.forward(x, &pass)
}

/// A weight for each member; such layers have no factors.
fn multiply_per_member(call: &Call<'_>, index: usize, mut x: Tensor<2>) -> Result<Tensor<2>, Error> {
    let Call { network, leaves, pass, n_examples, .. } = *call;
    let (layer, n_samples) = (&network.layers[index], pass.n_samples);
    if let Some(dropout) = dropout(call, index)? {
        x = dropout.forward(x, &pass)?;
    }
    let (k, d_in, d_out) = (network.n_members, layer.d_in, layer.d_out);
    let x = x.reshape([n_samples, k, n_examples, d_in]);
    let weight = leaves.tensor(layer.weight).reshape([1, k, d_in, d_out]);
    let mut y = x.matmul(weight);
    if let Some(id) = layer.bias {
        y = y + leaves.tensor(id).reshape([1, k, 1, d_out]);
    }
    Ok(y.reshape([n_samples * k * n_examples, d_out]))
}

/// The bias of a layer with a row for each member.
fn bias(call: &Call<'_>, layer: &LayerPlan) -> Option<Param<Tensor<2>>> {
    let bias = call.leaves.param(layer.bias?);
    let ([rows, _], members) = (bias.val().dims(), call.network.n_members);
    if rows == members {
        return Some(bias);
    }
    // Not a leaf: the gradient goes on to the shared row.
    Some(Param::initialized(ModuleId::new(), bias.val().repeat_dim(0, members)))
}

fn convolve(call: &Call<'_>, index: usize, shape: &ConvShape, mut x: Tensor<4>) -> Result<Tensor<4>, Error> {
    let Call { network, leaves, pass, .. } = *call;
    let layer = &network.layers[index];
    let geometry = ConvGeometry {
        kernel: shape.kernel.into(),
        stride: shape.stride.into(),
        dilation: shape.dilation.into(),
        padding: shape.padding,
    };
    if let Some(dropout) = dropout(call, index)? {
        x = dropout.forward_channels(x, &pass)?;
    }
    if let Some((scale, estimator)) = mean_field(layer) {
        let conv = MeanFieldConv2d {
            mean: leaves.param(layer.weight),
            raw_scale: leaves.param(scale),
            bias: layer.bias.map(|id| leaves.param(id)),
            geometry,
            estimator,
            stream: index,
        };
        return conv.forward(x, &pass);
    }
    let conv = Rank1Conv2d {
        weight: leaves.param(layer.weight),
        bias: layer.bias.map(|id| leaves.param(id)),
        input_factor: factor(&layer.input_factor, leaves),
        output_factor: factor(&layer.output_factor, leaves),
        geometry,
        perturbation: layer.perturbation,
        n_members: network.n_members,
        stream: index,
    };
    conv.forward(x, &pass)
}

/// The scales and the estimator of a layer with a random weight.
pub(super) fn mean_field(layer: &LayerPlan) -> Option<(ParamId, Estimator)> {
    match layer.weight_plan {
        WeightPlan::Point => None,
        WeightPlan::MeanField { scale, estimator, .. } => Some((scale, estimator)),
    }
}

/// Dropout on the inputs of a layer, where the method has it.
pub(super) fn dropout(call: &Call<'_>, index: usize) -> Result<Option<Dropout>, Error> {
    let rate = call.network.layers[index].input_factor.dropout_rate();
    Ok(rate.map(|rate| Dropout::new(rate, index)).transpose()?)
}

/// The factor of a plan with this call's parameters; dropout masks are no factors here.
pub(super) fn factor(plan: &FactorPlan, leaves: &Leaves) -> Option<Factor> {
    let factor = plan.trained()?;
    Some(Factor {
        location: leaves.param(factor.location),
        raw_scale: factor.scale.map(|id| leaves.param(id)),
        family: factor.family,
        granularity: factor.granularity,
        clip: factor.clip,
        domain: factor.domain(),
    })
}
