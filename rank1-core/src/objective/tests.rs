//! Claims about the four forms of the loss: identities, order, gradients, extremes.

#![allow(clippy::unwrap_used)]

use approx::assert_relative_eq;
use ndarray::{Array4, array};
use proptest::prelude::*;

use super::*;
use crate::numeric::log_softmax;
use crate::testkit::{central_differences, max_relative_error, normals};

const FORMS: [NllForm; 4] = [
    NllForm::MarginalizedLogits,
    NllForm::MarginalizedProbabilities,
    NllForm::AverageNll,
    NllForm::MixtureNll,
];

fn labels() -> Targets {
    Targets::classes(array![6, 0, 3, 1, 3], 7).unwrap()
}

fn value(outputs: &Array4<f64>, form: NllForm) -> f64 {
    nll_from_outputs(Likelihood::Categorical, outputs.view(), &labels(), None, form).unwrap().value
}

#[test]
fn gradients_match_central_differences_in_every_form() {
    let regression = Targets::values(normals(30, 5)).unwrap();
    let noise = array![0.3, -0.7, 1.1];
    let binary = Targets::classes(array![1, 0, 0, 1, 1], 2).unwrap();
    let cases = [
        (Likelihood::Categorical, labels(), None),
        (Likelihood::Bernoulli, binary, None),
        (Likelihood::Gaussian, regression.clone(), Some(noise)),
        (Likelihood::HeteroscedasticGaussian, regression, None),
    ];
    for (likelihood, targets, noise) in cases {
        let outputs: Array4<f64> = normals(31, (2, 3, 5, likelihood.n_outputs(7)));
        for form in FORMS {
            let run = |o: &Array4<f64>, n: Option<&Array1<f64>>| {
                nll_from_outputs(likelihood, o.view(), &targets, n.map(|n| n.view()), form)
            };
            if form == NllForm::MarginalizedLogits && !likelihood.is_classification() {
                assert!(matches!(run(&outputs, noise.as_ref()), Err(Error::Undefined { .. })));
                continue;
            }
            let grads = run(&outputs, noise.as_ref()).unwrap();
            let by_outputs = |p: &[f64]| {
                run(&Array4::from_shape_vec(outputs.dim(), p.to_vec()).unwrap(), noise.as_ref())
                    .unwrap()
                    .value
            };
            let numeric = central_differences(by_outputs, outputs.as_slice().unwrap());
            assert!(max_relative_error(&grads.outputs, &numeric) < 1e-9, "{likelihood:?} {form:?}");
            if let (Some(got), Some(raw)) = (&grads.raw_noise, &noise) {
                let by_noise = |p: &[f64]| run(&outputs, Some(&Array1::from(p.to_vec()))).unwrap().value;
                let numeric = central_differences(by_noise, raw.as_slice().unwrap());
                assert!(max_relative_error(got, &numeric) < 1e-9, "{form:?}");
            }
        }
    }
}

#[test]
fn the_mixture_equals_the_literal_average_of_probabilities() {
    let outputs: Array4<f64> = normals(32, (2, 3, 5, 7));
    let Targets::Classes { labels: y, .. } = labels() else { unreachable!() };
    let mut expected = 0.0;
    for b in 0..5 {
        let mut p = 0.0;
        for s in 0..2 {
            for k in 0..3 {
                p +=
                    log_softmax(outputs.index_axis(Axis(0), s).index_axis(Axis(0), k))[[b, y[b]]].exp() / 6.0;
            }
        }
        expected -= p.ln() / 5.0;
    }
    assert_relative_eq!(value(&outputs, NllForm::MixtureNll), expected, max_relative = 1e-13);
    assert_relative_eq!(value(&outputs, NllForm::MarginalizedProbabilities), expected, max_relative = 1e-13);
}

#[test]
fn one_member_and_one_sample_make_all_forms_equal() {
    let outputs: Array4<f64> = normals(33, (1, 1, 5, 7));
    let expected = value(&outputs, NllForm::AverageNll);
    for form in FORMS {
        assert_relative_eq!(value(&outputs, form), expected, max_relative = 1e-14);
    }
}

#[test]
fn the_mixture_gradient_is_the_responsibility() {
    let ll = array![[[-1.0_f64, -30.0]], [[-2.0, -31.0]]];
    let (_, grad) = nll_from_log_likelihoods(ll.view(), NllForm::MixtureNll).unwrap();
    let first = 1.0 / (1.0 + (-1.0_f64).exp());
    for b in 0..2 {
        assert_relative_eq!(grad[[0, 0, b]], -first / 2.0, max_relative = 1e-12);
        assert_relative_eq!(grad[[1, 0, b]], -(1.0 - first) / 2.0, max_relative = 1e-12);
    }
}

#[test]
fn huge_logits_give_finite_losses_and_one_responsible_member() {
    let mut outputs = Array4::<f64>::zeros((1, 2, 5, 7));
    outputs.index_axis_mut(Axis(1), 1).assign(&(normals::<f64, _, _>(34, (1, 5, 7)) * 1e6));
    for form in FORMS {
        let got = nll_from_outputs(Likelihood::Categorical, outputs.view(), &labels(), None, form).unwrap();
        assert!(got.value.is_finite() && got.outputs.iter().all(|g| g.is_finite()), "{form:?}");
    }
}

#[test]
fn an_impossible_example_gives_an_infinite_mixture_loss_and_nan_passes() {
    let none = array![[[f64::NEG_INFINITY, -1.0]], [[f64::NEG_INFINITY, -1.0]]];
    assert_eq!(nll_from_log_likelihoods(none.view(), NllForm::MixtureNll).unwrap().0, f64::INFINITY);
    let one = array![[[f64::NEG_INFINITY]], [[-1.0_f64]]];
    let (value, grad) = nll_from_log_likelihoods(one.view(), NllForm::MixtureNll).unwrap();
    assert_relative_eq!(value, 1.0 + 2.0_f64.ln(), max_relative = 1e-14);
    assert_eq!((grad[[0, 0, 0]], grad[[1, 0, 0]]), (0.0, -1.0));
    for nan in [array![[[f64::NAN]], [[-1.0]]], array![[[-1.0]], [[f64::NAN]]]] {
        for form in [NllForm::MixtureNll, NllForm::AverageNll] {
            assert!(nll_from_log_likelihoods(nan.view(), form).unwrap().0.is_nan());
        }
    }
}

#[test]
fn axes_that_do_not_fit_are_refused() {
    let outputs = Array4::<f64>::zeros((2, 3, 10, 7));
    let got = nll_from_outputs(Likelihood::Categorical, outputs.view(), &labels(), None, NllForm::AverageNll);
    assert!(matches!(got, Err(Error::ShapeMismatch { argument: "outputs", .. })));
    let targets = Targets::values(normals(35, 5)).unwrap();
    let noise = array![0.0, 0.0];
    let outputs = Array4::<f64>::zeros((2, 3, 5, 1));
    let got = log_likelihoods(Likelihood::Gaussian, outputs.view(), &targets, Some(noise.view()));
    assert!(matches!(got, Err(Error::ShapeMismatch { argument: "raw_noise", .. })));
    let empty = Array3::<f64>::zeros((0, 3, 5));
    assert!(matches!(nll_from_log_likelihoods(empty.view(), NllForm::MixtureNll), Err(Error::Empty { .. })));
}

proptest! {
    #[test]
    fn the_mixture_never_exceeds_the_average(seed in 0_u64..500, s in 1_usize..4, k in 1_usize..4, spread in 0.1_f64..50.0) {
        let outputs: Array4<f64> = normals::<f64, _, _>(seed, (s, k, 5, 7)) * spread;
        let (mixture, average) = (value(&outputs, NllForm::MixtureNll), value(&outputs, NllForm::AverageNll));
        prop_assert!(mixture <= average + 1e-12 * average.abs());
        prop_assert!(mixture >= 0.0);
    }

    #[test]
    fn member_order_does_not_change_the_loss(seed in 0_u64..200) {
        let outputs: Array4<f64> = normals(seed, (2, 3, 5, 7));
        let turned = outputs.select(Axis(1), &[2, 0, 1]);
        for form in FORMS {
            prop_assert!((value(&outputs, form) - value(&turned, form)).abs() < 1e-13);
        }
    }
}
