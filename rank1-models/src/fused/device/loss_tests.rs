//! The loss of a wgpu device against that of the processor, with the gradients of outputs and noise.
#![allow(clippy::unwrap_used)]
#![cfg(feature = "wgpu")]

use burn::tensor::Device;
use rank1_core::likelihood::Likelihood as Distribution;

use super::*;
use crate::fused::device::tests::{assert_close, random, values, with_device};
use crate::layer::nll::mean_nll_of_operations;

const S: usize = 2;
const K: usize = 3;
const B: usize = 5;

fn targets(likelihood: Distribution) -> Targets {
    let labels =
        |n_classes: usize| Targets::Classes { labels: (0..B).map(|i| i % n_classes).collect(), n_classes };
    match likelihood {
        Distribution::Categorical => labels(7),
        Distribution::Bernoulli => labels(2),
        _ => Targets::Values((0..B).map(|i| 0.3 * i as f64 - 0.5).collect()),
    }
}

/// Three times the loss, and its gradients for outputs and noise.
fn run(device: &Device, likelihood: Distribution, form: NllForm, fused: bool) -> Vec<Vec<f32>> {
    let width = match likelihood {
        Distribution::Categorical => 7,
        Distribution::HeteroscedasticGaussian => 2,
        _ => 1,
    };
    let outputs = random([S * K * B, width], 0, device).require_grad();
    let raw_noise = (likelihood == Distribution::Gaussian).then(|| random([1, K], 1, device).require_grad());
    let targets = targets(likelihood);
    let loss = if fused {
        mean_nll(likelihood, form, &outputs, &targets, raw_noise.as_ref(), S)
            .expect("within the kernels' reach")
    } else {
        mean_nll_of_operations(likelihood, outputs.clone(), &targets, raw_noise.clone(), S, form).unwrap()
    };
    let loss = loss * 3.0;
    let gradients = loss.backward();
    let mut results = vec![values(loss.inner()), values(outputs.grad(&gradients).unwrap())];
    results.extend(raw_noise.map(|noise| values(noise.grad(&gradients).unwrap())));
    results
}

#[test]
fn every_loss_equals_tensor_operations_on_the_processor_with_its_gradients() {
    with_device(|device| {
        for likelihood in [
            Distribution::Categorical,
            Distribution::Bernoulli,
            Distribution::Gaussian,
            Distribution::HeteroscedasticGaussian,
        ] {
            for form in [NllForm::AverageNll, NllForm::MixtureNll] {
                let expected = run(&Device::flex().autodiff(), likelihood, form, false);
                let what = format!("{likelihood:?} {form:?}");
                assert_close(&run(device, likelihood, form, true), &expected, &what);
            }
        }
    });
}

#[test]
fn what_does_not_fit_is_left_to_tensor_operations() {
    with_device(|device| {
        let outputs = random([S * K * B, 7], 0, device);
        let noise = random([1, K], 1, device);
        let call = |likelihood, outputs: &Tensor<2>, noise: Option<&Tensor<2>>, n_samples| {
            mean_nll(likelihood, NllForm::AverageNll, outputs, &targets(likelihood), noise, n_samples)
                .is_some()
        };
        assert!(call(Distribution::Categorical, &outputs, None, S));
        assert!(!call(Distribution::Categorical, &outputs, None, 4));
        assert!(!call(Distribution::Categorical, &outputs, Some(&noise), S));
        assert!(!call(Distribution::Bernoulli, &outputs, None, S));
        assert!(!call(Distribution::Gaussian, &random([S * K * B, 1], 0, device), None, S));
        let processor = random([S * K * B, 7], 0, &Device::flex());
        assert!(!call(Distribution::Categorical, &processor, None, S));
    });
}
