//! Operations without factors as tensors: normalization, nonlinearities, dropout of units, pooling, sums, columns.
//!
//! Perturbed layers are in [`super::layer`], recurrent ones in [`super::recurrent`].

use burn::module::RunningState;
use burn::tensor::Tensor;
use burn::tensor::module::{avg_pool2d, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};
use rank1_core::conv::{Padding, Pads};

use super::value::Value;
use super::{Call, embedding};
use crate::error::Error;
use crate::layer::{BatchStatistics, Dropout, MemberBatchNorm, MovingVariance};
use crate::network::{InputShape, Network, NormPlan, Op, Origin, Volume};
use crate::operation::dropout::DROPOUT_LAYER;

/// The value of the operation at place `index`, which reads `x` and perhaps another value.
pub(super) fn forward(
    call: &Call<'_>,
    index: usize,
    x: Value,
    value: impl Fn(Origin) -> Value,
) -> Result<Value, Error> {
    let node = &call.network.nodes[index];
    let before = volume(call.network, node.origin);
    Ok(match node.op {
        Op::Activation(kind) => x.activate(kind),
        Op::Dropout { predicts: false, .. } if !call.training => x,
        Op::Dropout { per_million, .. } => {
            let dropout = Dropout::new(f64::from(per_million) / 1e6, DROPOUT_LAYER + index)?;
            match x {
                Value::Columns(x) => Value::Columns(dropout.forward(x, &call.pass)?),
                Value::Image(x) => {
                    let width = node.volume.len();
                    let mask = dropout.mask(&call.pass, call.n_rows(), width, &call.plain_device())?;
                    Value::Image(x * Value::Columns(mask).image(node.volume))
                }
            }
        }
        Op::Add(other) => match (x, value(other)) {
            (Value::Image(x), Value::Image(y)) => Value::Image(x + y),
            (x, y) => Value::Columns(x.columns() + y.columns()),
        },
        Op::Concat(other) => Value::Columns(Tensor::cat(vec![x.columns(), value(other).columns()], 1)),
        Op::Columns { start } => Value::Columns(x.columns().narrow(1, start, node.volume.len())),
        Op::MaxPool { window, stride, padding } => {
            Value::Image(max_pool(x.image(before), window, stride, padding))
        }
        Op::AveragePool { window, stride } => {
            let options = AvgPoolOptions::new([window; 2]).with_stride([stride; 2]);
            Value::Image(avg_pool2d(x.image(before), options))
        }
        Op::GlobalAverage => {
            let x = x.image(before);
            let [rows, channels, height, width] = x.dims();
            let mean = x.reshape([rows, channels, height * width]).mean_dim(2);
            Value::Columns(mean.reshape([rows, channels]))
        }
        Op::Embedding(embedding) => Value::Columns(embedding::forward(call, embedding, x.columns())),
        Op::Layer(_) | Op::Lstm(_) | Op::Norm(_) => unreachable!("the engine runs these itself"),
    })
}

/// Batch normalization `index`, and the statistics of the batch in training.
pub(super) fn normalize(
    call: &Call<'_>,
    index: usize,
    x: Tensor<4>,
) -> Result<(Value, Option<BatchStatistics>), Error> {
    let Call { network, leaves, pass, .. } = *call;
    let n_samples = pass.n_samples;
    let norm = &network.norms[index];
    let layer = MemberBatchNorm {
        scale: leaves.param(norm.scale),
        shift: leaves.param(norm.shift),
        moving_mean: RunningState::new(leaves.tensor(norm.mean)),
        moving_variance: RunningState::new(leaves.tensor(norm.variance)),
        update: MovingVariance::Unbiased,
        epsilon: NormPlan::EPSILON,
        momentum: NormPlan::MOMENTUM,
    };
    if !call.training {
        return Ok((Value::Image(layer.with_moving_statistics(x, n_samples)?), None));
    }
    let (y, statistics) = layer.with_batch_statistics(x, n_samples)?;
    Ok((Value::Image(y), Some(statistics)))
}

fn max_pool(x: Tensor<4>, window: usize, stride: usize, padding: Padding) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    let Pads { top, bottom, left, right } =
        padding.pads((height, width), (window, window), (stride, stride), (1, 1));
    let options = MaxPoolOptions::new([window; 2])
        .with_stride([stride; 2])
        .with_padding_pairs([(top, bottom), (left, right)]);
    max_pool2d(x, options)
}

/// Size of a value.
fn volume(network: &Network, origin: Origin) -> Volume {
    match (origin, network.shape.input) {
        (Origin::Node(place), _) => network.nodes[place].volume,
        (Origin::Input, InputShape::Image { height, width, channels }) => Volume { height, width, channels },
        (Origin::Input, other) => Volume::columns(other.width()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use burn::tensor::{Device, TensorData};
    use rank1_core::kernels::pool::{self, PoolShape};

    use super::*;

    #[test]
    fn pooling_of_a_padded_image_and_its_gradient_equal_the_arrays() {
        for (window, stride, padding) in
            [(3, 2, Padding::Same), (2, 2, Padding::Valid), (3, 1, Padding::Same)]
        {
            let (height, width, channels) = (7, 4, 3);
            let shape = PoolShape {
                height,
                width,
                channels,
                window: (window, window),
                stride: (stride, stride),
                padding,
            };
            // All values below zero: padding with zeros would win.
            let x: Vec<f32> = (0..2 * shape.in_len()).map(|i| (i as f32 * 0.7).sin() - 2.0).collect();
            let weights: Vec<f32> = (0..2 * shape.out_len()).map(|i| (i as f32 * 0.3).cos()).collect();
            let (mut y, mut places) = (vec![0.0; weights.len()], vec![0; weights.len()]);
            pool::max_forward(&shape, &x, &mut y, &mut places).unwrap();
            let mut d_x = vec![0.0; x.len()];
            pool::max_backward(&shape, &places, &weights, &mut d_x).unwrap();

            let device = Device::flex().autodiff();
            let tensor = |values: &[f32], per_row: usize| {
                Tensor::<2>::from_data(TensorData::new(values.to_vec(), [2, per_row]), &device)
            };
            let rows = tensor(&x, shape.in_len()).require_grad();
            let image = Value::Columns(rows.clone()).image(Volume { height, width, channels });
            let got = Value::Image(max_pool(image, window, stride, padding)).columns();
            let gradients = (got.clone() * tensor(&weights, shape.out_len())).sum().backward();
            assert_eq!(got.into_data().try_to_vec::<f32>().unwrap(), y);
            let got = rows.grad(&gradients).unwrap().into_data().try_to_vec::<f32>().unwrap();
            let worst = got.iter().zip(&d_x).map(|(g, e)| (g - e).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-6, "window {window} stride {stride}: {worst}");
        }
    }
}
