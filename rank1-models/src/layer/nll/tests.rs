//! Bounds, finite values and refusals; values and gradients are compared with the engine's in `kl/tests.rs`.
#![allow(clippy::unwrap_used)]

use burn::tensor::Device;
use ndarray::Array1;

use super::*;

const S: usize = 2;
const K: usize = 3;
const B: usize = 5;

fn pass() -> Pass {
    Pass::prediction(1, S, K)
}

fn outputs(width: usize, scale: f32) -> Tensor<2> {
    let values: ndarray::Array2<f32> = rank1_core::testkit::normals(1, (S * K * B, width));
    let data = TensorData::new(values.into_raw_vec_and_offset().0, [S * K * B, width]);
    Tensor::from_data(data, &Device::flex().autodiff()) * scale
}

fn classes(n: usize) -> Targets {
    Targets::classes((0..B).map(|i| i % n).collect(), n).unwrap()
}

fn values() -> Targets {
    Targets::values(Array1::linspace(-1.0, 1.0, B)).unwrap()
}

#[test]
fn the_mixture_is_never_worse_than_the_average() {
    for (likelihood, width, targets) in [
        (Likelihood::Categorical, 4, classes(4)),
        (Likelihood::Bernoulli, 1, classes(2)),
        (Likelihood::HeteroscedasticGaussian, 2, values()),
    ] {
        let nll = |form| {
            let loss = mean_nll(likelihood, outputs(width, 1.0), &targets, None, &pass(), form).unwrap();
            loss.into_scalar::<f32>()
        };
        assert!(nll(NllForm::MixtureNll) < nll(NllForm::AverageNll) - 1e-3, "{likelihood:?}");
        assert_eq!(nll(NllForm::MixtureNll), nll(NllForm::MarginalizedProbabilities));
    }
}

#[test]
fn far_out_outputs_have_finite_losses_and_gradients() {
    for (likelihood, width, targets) in
        [(Likelihood::Categorical, 4, classes(4)), (Likelihood::Bernoulli, 1, classes(2))]
    {
        for form in [NllForm::AverageNll, NllForm::MixtureNll, NllForm::MarginalizedLogits] {
            let outputs = outputs(width, 1e4).detach().require_grad();
            let loss = mean_nll(likelihood, outputs.clone(), &targets, None, &pass(), form).unwrap();
            let gradient = outputs.grad(&loss.backward()).unwrap().into_data();
            assert!(loss.into_scalar::<f32>().is_finite(), "{likelihood:?} {form:?}");
            assert!(gradient.iter::<f32>().all(f32::is_finite), "{likelihood:?} {form:?}");
        }
    }
}

#[test]
fn outputs_targets_and_noise_that_do_not_fit_are_refused() {
    let device = Device::flex().autodiff();
    let noise = |k: usize| Some(Tensor::<2>::zeros([1, k], &device));
    let call = |likelihood, outputs, targets: &Targets, noise| {
        mean_nll(likelihood, outputs, targets, noise, &pass(), NllForm::AverageNll)
    };
    let (class, gauss) = (Likelihood::Categorical, Likelihood::Gaussian);
    assert!(call(class, outputs(4, 1.0), &classes(4), None).is_ok());
    assert!(matches!(call(class, outputs(3, 1.0), &classes(4), None), Err(Error::Mismatch { .. })));
    assert!(call(class, outputs(4, 1.0), &values(), None).is_err());
    assert!(call(Likelihood::Bernoulli, outputs(1, 1.0), &classes(3), None).is_err());
    assert!(call(gauss, outputs(1, 1.0), &values(), noise(K)).is_ok());
    assert!(call(gauss, outputs(1, 1.0), &values(), None).is_err());
    let wrong = call(gauss, outputs(1, 1.0), &values(), noise(K + 1));
    assert!(matches!(wrong, Err(Error::Core(CoreError::ShapeMismatch { argument: "raw_noise", .. }))));
    // Rows of another pass, and targets of another batch.
    let untiled = outputs(4, 1.0).narrow(0, 0, B);
    assert!(call(class, untiled, &classes(4), None).unwrap_err().to_string().contains("Pass::tile"));
    let short = Targets::classes(vec![0, 1].into(), 4).unwrap();
    let error = call(class, outputs(4, 1.0), &short, None).unwrap_err().to_string();
    assert_eq!(error, "number of targets: expected 5, got 2");
    let label = Targets::Classes { labels: vec![0, 1, 2, 3, 4].into(), n_classes: 4 };
    assert!(call(class, outputs(4, 1.0), &label, None).is_err());
    assert!(
        mean_nll(gauss, outputs(1, 1.0), &values(), noise(K), &pass(), NllForm::MarginalizedLogits).is_err()
    );
}
