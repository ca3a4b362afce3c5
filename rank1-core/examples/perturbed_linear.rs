//! Prints how far the predictions of four members of one shared layer spread, and what the members share.
//!
//! Needs only `rank1-core` and `ndarray`: a layer of 7 inputs and 3 classes, factors drawn around one per member and
//! example, the mixture loss with its gradient, and the standard deviation that the factors give each weight.
#![allow(clippy::print_stdout)]

use ndarray::{Array1, Array2, Array3, ArrayView3, array};
use rank1_core::likelihood::Likelihood;
use rank1_core::moments::FactorMoments;
use rank1_core::noise::{NoiseKind, NoiseStream, Rows};
use rank1_core::objective::{NllForm, nll_from_outputs};
use rank1_core::perturb::{Perturbation, PerturbedLinear};
use rank1_core::targets::Targets;
use rank1_core::{Error, layout};

const MEMBERS: usize = 4;
const BATCH: usize = 5;
const INPUTS: usize = 7;
const CLASSES: usize = 3;
const STD: f32 = 0.3;

/// Factors `1 + STD * noise`, one draw per member and example.
fn factor(site: u32, width: usize) -> Result<Array3<f32>, Error> {
    let mut draws = Array3::zeros((MEMBERS, BATCH, width));
    let rows = Rows { step: 0, first_member: 0, n_members: MEMBERS, first_example: 0, n_examples: BATCH };
    let values = draws.as_slice_mut().expect("a new array is contiguous");
    NoiseStream::new(2020, site, 0).fill_rows(NoiseKind::Normal, rows, width, values)?;
    Ok(draws.mapv(|z| 1.0 + STD * z))
}

fn main() -> Result<(), Error> {
    let weight = Array2::from_shape_fn((INPUTS, CLASSES), |(i, c)| ((3 * i + 5 * c) % 7) as f32 / 3.5 - 0.9);
    let examples = Array2::from_shape_fn((BATCH, INPUTS), |(b, i)| ((2 * b + i) % 5) as f32 / 2.5 - 0.8);
    let targets = Targets::classes(array![0, 2, 1, 1, 0], CLASSES)?;

    // Every member sees the same examples; rows are member-major.
    let x = layout::tile(examples.view(), MEMBERS);
    let (input_factor, output_factor) = (factor(0, INPUTS)?, factor(1, CLASSES)?);
    let bias = Array2::zeros((MEMBERS, CLASSES));
    let layer = PerturbedLinear {
        weight: weight.view(),
        input_factor: Some(input_factor.view()),
        output_factor: Some(output_factor.view()),
        bias: Some(bias.view()),
        perturbation: Perturbation::Multiplicative,
        n_members: MEMBERS,
    };
    let logits = layer.forward(x.view())?;

    let members: ArrayView3<'_, f32> = layout::split_members(logits.view(), MEMBERS)?;
    let spread = members.std_axis(ndarray::Axis(0), 1.0).mean().unwrap_or(0.0);
    println!("logits of {MEMBERS} members differ by a standard deviation of {spread:.3}");

    // One posterior sample: outputs [S, K, B, C] with S = 1.
    let outputs = members.insert_axis(ndarray::Axis(0));
    for form in [NllForm::AverageNll, NllForm::MixtureNll] {
        let loss = nll_from_outputs(Likelihood::Categorical, outputs, &targets, None, form)?;
        let rows = loss.outputs.into_shape_with_order(logits.dim()).expect("same number of elements");
        let grads = layer.backward(x.view(), rows.view())?;
        let norm = grads.weight.mapv(|g| g * g).sum().sqrt();
        println!("{form:?}: {:.4} nats per example, weight gradient norm {norm:.4}", loss.value);
    }

    let std = |n| Array1::from_elem(n, STD);
    let moments = FactorMoments::unit_mean(&std(INPUTS), &std(CLASSES));
    let relative = moments.weight_variance(weight.view())?[[0, 0]].sqrt() / weight[[0, 0]].abs();
    println!("each weight varies by {:.1} % of its size", 100.0 * relative);
    Ok(())
}
