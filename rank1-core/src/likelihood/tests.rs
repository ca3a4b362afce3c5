//! Claims about the likelihoods: values by hand, gradients, and refused combinations.

#![allow(clippy::unwrap_used)]

use approx::assert_relative_eq;
use ndarray::{Array1, Array2, array};
use statrs::distribution::{Continuous, Normal};

use super::*;
use crate::testkit::{central_differences, max_relative_error, normals};

/// A likelihood with targets of 5 examples and outputs of `m` tiles of them.
fn case(likelihood: Likelihood, m: usize) -> (Array2<f64>, Targets, Option<Array1<f64>>) {
    let targets = match likelihood {
        Likelihood::Categorical => Targets::classes(array![0, 6, 3, 3, 1], 7).unwrap(),
        Likelihood::Bernoulli => Targets::classes(array![0, 1, 1, 0, 1], 2).unwrap(),
        _ => Targets::values(normals(20, 5)).unwrap(),
    };
    let outputs = normals(21, (5 * m, likelihood.n_outputs(7)));
    (outputs, targets, (likelihood == Likelihood::Gaussian).then(|| array![-1.0, 0.2, 2.5]))
}

const ALL: [Likelihood; 4] = [
    Likelihood::Categorical,
    Likelihood::Bernoulli,
    Likelihood::Gaussian,
    Likelihood::HeteroscedasticGaussian,
];

#[test]
fn gradients_match_central_differences() {
    for likelihood in ALL {
        let (outputs, targets, noise) = case(likelihood, 6);
        let weights: Array1<f64> = normals(22, outputs.nrows());
        let value = |o: &Array2<f64>, n: Option<&Array1<f64>>| {
            likelihood.log_likelihood(o.view(), &targets, n.map(|n| n.view())).unwrap().dot(&weights)
        };
        let grads = likelihood
            .backward(outputs.view(), &targets, noise.as_ref().map(|n| n.view()), weights.view())
            .unwrap();
        let by_outputs =
            |p: &[f64]| value(&Array2::from_shape_vec(outputs.dim(), p.to_vec()).unwrap(), noise.as_ref());
        let numeric = central_differences(by_outputs, outputs.as_slice().unwrap());
        assert!(max_relative_error(&grads.outputs, &numeric) < 1e-9, "{likelihood:?}");
        assert_eq!(grads.raw_noise.is_some(), likelihood == Likelihood::Gaussian);
        if let (Some(got), Some(raw)) = (grads.raw_noise, noise) {
            let by_noise = |p: &[f64]| value(&outputs, Some(&Array1::from(p.to_vec())));
            let numeric = central_differences(by_noise, raw.as_slice().unwrap());
            assert!(max_relative_error(&got, &numeric) < 1e-9);
        }
    }
}

#[test]
fn rows_cycle_through_targets_and_members() {
    let (outputs, targets, noise) = case(Likelihood::Gaussian, 6);
    let noise = noise.unwrap();
    let got = Likelihood::Gaussian.log_likelihood(outputs.view(), &targets, Some(noise.view())).unwrap();
    let Targets::Values(y) = &targets else { unreachable!() };
    for sample in 0..2 {
        for member in 0..3 {
            for b in 0..5 {
                let r = (sample * 3 + member) * 5 + b;
                let density = Normal::new(outputs[[r, 0]], noise_scale(noise[member])).unwrap();
                assert_relative_eq!(got[r], density.ln_pdf(y[b]), max_relative = 1e-12);
            }
        }
    }
}

#[test]
fn the_heteroscedastic_scale_is_the_second_output() {
    let targets = Targets::values(array![0.7]).unwrap();
    let got = Likelihood::HeteroscedasticGaussian
        .log_likelihood(array![[0.2, -1.3]].view(), &targets, None)
        .unwrap();
    let scale = (-1.3_f64).exp().ln_1p() + NOISE_FLOOR;
    assert_relative_eq!(got[0], Normal::new(0.2, scale).unwrap().ln_pdf(0.7), max_relative = 1e-12);
}

#[test]
fn a_bernoulli_logit_equals_two_categorical_logits() {
    let (outputs, targets, _) = case(Likelihood::Bernoulli, 3);
    let two = Array2::from_shape_fn((15, 2), |(r, c)| if c == 1 { outputs[[r, 0]] } else { 0.0 });
    let one = Likelihood::Bernoulli.log_likelihood(outputs.view(), &targets, None).unwrap();
    let both = Likelihood::Categorical.log_likelihood(two.view(), &targets, None).unwrap();
    assert!(max_relative_error(&one, &both) < 1e-14);
}

#[test]
fn extreme_outputs_stay_finite_and_the_noise_floor_holds() {
    let targets = Targets::classes(array![0], 2).unwrap();
    let got = Likelihood::Categorical.log_likelihood(array![[-1e6, 1e6]].view(), &targets, None).unwrap();
    assert_eq!(got[0], -2e6);
    let got = Likelihood::Bernoulli.log_likelihood(array![[1e6_f32]].view(), &targets, None).unwrap();
    assert_eq!(got[0], -1e6);
    let values = Targets::values(array![0.0]).unwrap();
    let got = Likelihood::HeteroscedasticGaussian
        .log_likelihood(array![[0.0, -1e9]].view(), &values, None)
        .unwrap();
    assert_relative_eq!(got[0], -0.5 * LN_TWO_PI - NOISE_FLOOR.ln(), max_relative = 1e-12);
}

#[test]
fn combinations_that_mean_nothing_are_refused() {
    let classes = Targets::classes(array![0, 1, 2], 3).unwrap();
    let values = Targets::values(array![0.0, 1.0, 2.0]).unwrap();
    let out = |c| Array2::<f64>::zeros((3, c));
    let noise = array![0.0];
    let refused = |got: Result<Array1<f64>, Error>| matches!(got, Err(Error::Undefined { .. }));
    assert!(refused(Likelihood::Gaussian.log_likelihood(out(1).view(), &classes, Some(noise.view()))));
    assert!(refused(Likelihood::Gaussian.log_likelihood(out(1).view(), &values, None)));
    assert!(refused(Likelihood::Categorical.log_likelihood(out(3).view(), &values, None)));
    assert!(refused(Likelihood::Categorical.log_likelihood(out(3).view(), &classes, Some(noise.view()))));
    assert!(refused(Likelihood::Bernoulli.log_likelihood(out(1).view(), &classes, None)));
    let shape = |got: Result<Array1<f64>, Error>| matches!(got, Err(Error::ShapeMismatch { .. }));
    assert!(shape(Likelihood::Categorical.log_likelihood(out(2).view(), &classes, None)));
    assert!(shape(Likelihood::Categorical.log_likelihood(Array2::zeros((4, 3)).view(), &classes, None)));
    assert!(shape(Likelihood::Categorical.log_likelihood(Array2::zeros((0, 3)).view(), &classes, None)));
    let two = array![0.0, 0.0];
    assert!(shape(Likelihood::Gaussian.log_likelihood(
        Array2::zeros((9, 1)).view(),
        &values,
        Some(two.view())
    )));
}
