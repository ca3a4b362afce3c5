//! Embeddings of numbers and categories as tensors; codes of bins come from arrays.

use burn::tensor::{Tensor, TensorData, activation};
use rank1_core::embedding::{Edges, encode};

use super::Call;
use crate::network::EmbeddingPlan;
use crate::operation::embedding::EmbeddingKind;
use crate::params::ParamId;

/// The value of embedding `index`, `[S*K*B, n d + codes]`.
pub(super) fn forward(call: &Call<'_>, index: usize, inputs: Tensor<2>) -> Tensor<2> {
    let plan = &call.network.embeddings[index];
    let mut parts = Vec::new();
    if !plan.numbers.is_empty() {
        let embedded = numbers(call, plan, columns(&inputs, &plan.numbers));
        let [rows, n, width] = embedded.dims();
        parts.push(embedded.reshape([rows, n * width]));
    }
    if !plan.codes.is_empty() {
        parts.push(columns(&inputs, &plan.codes));
    }
    for category in &plan.categories {
        let code = inputs.clone().narrow(1, category.places.start, category.places.len());
        parts.push(code.matmul(call.leaves.tensor(category.weight)));
    }
    Tensor::cat(parts, 1)
}

/// Numbers `[R, n]` as vectors `[R, n, d]`.
fn numbers(call: &Call<'_>, plan: &EmbeddingPlan, x: Tensor<2>) -> Tensor<3> {
    let of = |id: ParamId| call.leaves.tensor(id);
    match &plan.kind {
        EmbeddingKind::Plain => {
            let [rows, n] = x.dims();
            x.reshape([rows, n, 1])
        }
        EmbeddingKind::Linear { weight, bias } => activation::relu(linear(plan, x, of(*weight), of(*bias))),
        EmbeddingKind::Periodic { frequencies, weight, bias } => {
            let [_, m] = of(*frequencies).dims();
            // One for each feature, or one for all.
            let [layers, width] = of(*bias).dims();
            let angles = times_vectors(x, of(*frequencies) * std::f32::consts::TAU);
            // All cosines of a feature, then all its sines.
            let waves = Tensor::cat(vec![angles.clone().cos(), angles.sin()], 2);
            let weight = of(*weight).reshape([layers, 2 * m, width]);
            activation::relu(per_feature(waves, weight) + of(*bias).reshape([1, layers, width]))
        }
        EmbeddingKind::PiecewiseLinear { edges, weight, linear_weight, linear_bias } => {
            piecewise(plan, &x, edges, of(*weight)) + linear(plan, x, of(*linear_weight), of(*linear_bias))
        }
    }
}

fn columns(inputs: &Tensor<2>, places: &[usize]) -> Tensor<2> {
    Tensor::cat(places.iter().map(|&place| inputs.clone().narrow(1, place, 1)).collect(), 1)
}

/// Every number times the vector of its feature: `[R, n]` and `[n, d]` give `[R, n, d]`.
fn times_vectors(x: Tensor<2>, vectors: Tensor<2>) -> Tensor<3> {
    let ([rows, n], [_, d]) = (x.dims(), vectors.dims());
    x.reshape([rows, n, 1]) * vectors.reshape([1, n, d])
}

fn linear(plan: &EmbeddingPlan, x: Tensor<2>, weight: Tensor<2>, bias: Tensor<2>) -> Tensor<3> {
    let n = plan.numbers.len();
    times_vectors(x, weight) + bias.reshape([1, n, plan.width])
}

/// A matrix for each feature, or one for all: `[R, n, m]` and `[n or 1, m, d]` give `[R, n, d]`.
fn per_feature(x: Tensor<3>, weight: Tensor<3>) -> Tensor<3> {
    x.swap_dims(0, 1).matmul(weight).swap_dims(0, 1)
}

fn piecewise(plan: &EmbeddingPlan, x: &Tensor<2>, edges: &Edges, weight: Tensor<2>) -> Tensor<3> {
    let [rows, n] = x.dims();
    let values: Vec<f64> = x.to_data().iter::<f32>().map(f64::from).collect();
    let code: Vec<f32> = encode(edges, &values).into_iter().map(|v| v as f32).collect();
    let code = Tensor::<2>::from_data(TensorData::new(code, [rows, edges.n_bins()]), &x.device());
    let of = |feature: usize| {
        let (first, bins) = (edges.first_bin(feature), edges.of(feature).len() - 1);
        let one = code.clone().narrow(1, first, bins).matmul(weight.clone().narrow(0, first, bins));
        one.reshape([rows, 1, plan.width])
    };
    Tensor::cat((0..n).map(of).collect(), 1)
}
