//! The layers against hand formulas: values, gradients, divergences and refusals.
#![allow(clippy::unwrap_used)]

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rank1_core::factor::ClipBounds;
use rank1_core::noise::NoiseKind;
use rank1_core::perturb::Perturbation;
use rank1_priors::{PosteriorFamily, PriorSpec};

use super::*;
use crate::engine::{DrawKey, Site};
use crate::method::{Estimator, Granularity};

const K: usize = 3;
const B: usize = 5;
const D_IN: usize = 7;
const D_OUT: usize = 11;

fn rows(n_samples: usize, n_members: usize) -> DrawRows {
    let key = DrawKey { seed: 3, step: 4, first_sample: 0, first_example: 0 };
    DrawRows { key, layer: 0, n_samples, n_members, n_examples: B }
}

fn streams(device: &Device) -> LayerStreams {
    LayerStreams::new(0, device)
}

fn values(tensor: Tensor<2>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

fn normals(n_rows: usize, width: usize, seed: u64, device: &Device) -> Tensor<2> {
    let values: ndarray::Array2<f32> = rank1_core::testkit::normals(seed, (n_rows, width));
    Tensor::from_data(TensorData::new(values.into_raw_vec_and_offset().0, [n_rows, width]), device)
}

#[test]
fn a_rank1_layer_equals_one_perturbed_matrix_per_row() {
    let device = Device::flex();
    let layer = Rank1LinearConfig::new(D_IN, D_OUT, K).init(&mut LayerStreams::new(9, &device)).unwrap();
    let noise = layer.noise(&rows(2, K)).unwrap();
    let x = normals(2 * K * B, D_IN, 1, &device);
    let got = values(layer.forward_with_noise(x.clone(), &noise).unwrap());
    let draw =
        |f: &Option<Factor>, n: &Option<Tensor<2>>| values(f.as_ref().unwrap().draw(n.clone(), 2).unwrap());
    let (s, r) = (draw(&layer.input_factor, &noise.input), draw(&layer.output_factor, &noise.output));
    let (x, w) = (values(x), values(layer.weight.val()));
    for row in 0..2 * K * B {
        for o in 0..D_OUT {
            let expected: f32 = (0..D_IN)
                .map(|i| x[row * D_IN + i] * w[i * D_OUT + o] * s[row * D_IN + i] * r[row * D_OUT + o])
                .sum();
            assert!((got[row * D_OUT + o] - expected).abs() < 1e-4, "row {row} output {o}");
        }
    }
}

#[test]
fn draws_follow_the_family_and_stop_gradients_where_clipped() {
    let device = Device::flex().autodiff();
    let noise = Tensor::<2>::from_floats([[0.5], [-2.0], [40.0], [-0.25]], &device);
    for (family, expected) in [
        (PosteriorFamily::Normal, [1.5, -1.0, 10.0, 0.75]),
        (PosteriorFamily::HalfCauchy, [1.5, 3.0, 10.0, 1.25]),
        (PosteriorFamily::LogNormal, [1.5_f32.exp(), (-1.0_f32).exp(), 10.0, 0.75_f32.exp()]),
        (PosteriorFamily::NormalFixedScale { scale: 2.0 }, [2.0, -3.0, 10.0, 0.5]),
    ] {
        let config = FactorConfig { family, sign_init: 0.0, initial_std: 1.0, ..FactorConfig::default() };
        let mut factor = config.init(2, 1, 0, &device).unwrap();
        // Locations of one for every family, whatever it starts at and is trained by.
        let one = factor.domain.raw(1.0).unwrap();
        factor.location = factor.location.map(|l| Tensor::full(l.dims(), one, &device).require_grad());
        if let Some(raw) = factor.raw_scale.take() {
            factor.raw_scale =
                Some(raw.map(|raw| Tensor::full(raw.dims(), 1.0_f32.exp_m1().ln(), &device).require_grad()));
        }
        let draw = factor.draw(Some(noise.clone()), 1).unwrap();
        let gradients = draw.clone().sum().backward();
        for (got, expected) in values(draw.inner()).into_iter().zip(expected) {
            assert!((got - expected).abs() < 1e-5, "{family:?}: {got} {expected}");
        }
        let slope = values(factor.location.grad(&gradients).unwrap());
        let log_normal = family == PosteriorFamily::LogNormal;
        let chain = factor.domain.slope(one) as f32;
        // The second member's first draw is cut: only its other draw counts.
        let first = if log_normal { expected[0] + expected[1] } else { 2.0 * chain };
        let second = if log_normal { expected[3] } else { chain };
        assert!((slope[0] - first).abs() < 1e-5 && (slope[1] - second).abs() < 1e-5, "{family:?}: {slope:?}");
    }
}

#[test]
fn a_cut_draw_passes_no_gradient_however_far_out_it_is() {
    let device = Device::flex().autodiff();
    // The largest Cauchy variate that a draw can have, and exponents beyond single precision.
    for (family, noise) in [
        (PosteriorFamily::Cauchy, 2.7e9_f32),
        (PosteriorFamily::HalfCauchy, -2.7e9),
        (PosteriorFamily::LogNormal, 400.0),
    ] {
        let config = FactorConfig { family, initial_std: 3.0, ..FactorConfig::default() };
        let factor = config.init(1, 3, 0, &device).unwrap();
        let noise = Tensor::<2>::from_floats([[0.1, noise, 0.1]], &device);
        let draw = factor.draw(Some(noise), 1).unwrap();
        let gradients = draw.clone().sum().backward();
        assert_eq!(values(draw.inner())[1], 10.0, "{family:?}");
        for parameter in [factor.location.val(), factor.raw_scale.as_ref().unwrap().val()] {
            let slope = values(parameter.grad(&gradients).unwrap());
            assert_eq!(slope[1], 0.0, "{family:?}: {slope:?}");
            assert!(slope[0].is_finite() && slope[0] > 0.0, "{family:?}: {slope:?}");
        }
    }
}

#[test]
fn positive_factors_refuse_random_signs_and_points_know_their_prior() {
    let device = Device::flex();
    let prior = PriorSpec::HalfCauchy { scale: 1.0 };
    let point = FactorConfig { family: PosteriorFamily::PointMass, ..FactorConfig::default() };
    let inside = point.under(prior).init(K, 101, 1, &device).unwrap();
    assert!(values(inside.locations()).iter().all(|&l| l > 0.0));
    assert!(inside.kl(prior, None).unwrap().into_scalar::<f32>().is_finite());
    let outside = point.init(K, 101, 1, &device).unwrap().kl(prior, None).unwrap_err().to_string();
    assert!(outside.contains("outside its support") && outside.contains("Positive"), "{outside}");
    for config in [
        FactorConfig { family: PosteriorFamily::HalfCauchy, ..FactorConfig::default() },
        FactorConfig { family: PosteriorFamily::LogNormal, ..FactorConfig::default() },
        point.under(prior),
    ] {
        assert!(FactorConfig { sign_init: 0.5, ..config }.init(K, 3, 1, &device).is_err(), "{config:?}");
        assert!(FactorConfig { sign_init: 1.0, ..config }.init(K, 3, 1, &device).is_ok(), "{config:?}");
    }
}

#[test]
fn a_point_mass_needs_no_noise_and_repeats_over_samples() {
    let device = Device::flex();
    let config =
        FactorConfig { family: PosteriorFamily::PointMass, sign_init: 0.5, ..FactorConfig::default() };
    let factor = config.init(K, D_IN, 1, &device).unwrap();
    assert_eq!((factor.noise_kind(), factor.raw_scale.is_none()), (None, true));
    let location = values(factor.location.val());
    assert!(location.iter().all(|v| v.abs() == 1.0) && location.contains(&-1.0));
    assert_eq!(values(factor.draw(None, 2).unwrap()), [location.clone(), location].concat());
}

#[test]
fn a_divergence_is_its_closed_form_with_gradients() {
    let device = Device::flex().autodiff();
    let factor =
        FactorConfig { initial_std: 0.2, ..FactorConfig::default() }.init(K, D_IN, 5, &device).unwrap();
    let prior = PriorSpec::Normal { mean: 1.0, std: 0.1 };
    let kl = factor.kl(prior, None).unwrap();
    let raw = factor.raw_scale.clone().unwrap();
    let scale = positive_scale(raw.val());
    let formula = (((factor.location.val() - 1.0).square() + scale.clone().square()) / 0.02
        - (scale / 0.1).log()
        - 0.5)
        .sum();
    let (got, expected) = (kl.backward(), formula.backward());
    let close = |a: f32, b: f32| (a - b).abs() <= 1e-5 * b.abs().max(1.0);
    assert!(close(kl.into_scalar(), formula.into_scalar()));
    for parameter in [factor.location.val(), raw.val()] {
        let pair = [&got, &expected].map(|g| values(parameter.grad(g).unwrap()));
        assert!(pair[0].iter().zip(&pair[1]).all(|(a, b)| close(*a, *b)));
    }
}

#[test]
fn flipout_with_equal_signs_is_the_reparameterized_layer() {
    let device = Device::flex();
    let config = MeanFieldLinearConfig { initial_std: 0.3, ..MeanFieldLinearConfig::new(D_IN, D_OUT) };
    let config = MeanFieldLinearConfig { estimator: Estimator::Flipout, ..config };
    let layer = config.init(&mut streams(&device)).unwrap();
    let x = normals(2 * B, D_IN, 1, &device);
    let mut noise = layer.noise(&rows(2, 1));
    let flipped = values(layer.forward_with_noise(x.clone(), &noise).unwrap());
    let signs = noise.signs.as_mut().unwrap();
    (signs.input, signs.output) = (signs.input.ones_like(), signs.output.ones_like());
    let unflipped = values(layer.forward_with_noise(x.clone(), &noise).unwrap());
    noise.signs = None;
    let plain = values(layer.forward_with_noise(x, &noise).unwrap());
    let distance = |a: &[f32], b: &[f32]| a.iter().zip(b).fold(0.0_f32, |m, (a, b)| m.max((a - b).abs()));
    assert!(distance(&unflipped, &plain) < 1e-4);
    assert!(distance(&flipped, &plain) > 1e-2, "the signs must matter");
}

#[test]
fn an_embedding_shares_one_table_and_names_a_bad_id() {
    let device = Device::flex();
    let layer = MeanFieldEmbeddingConfig { n_tokens: 7, width: 3 }.init(&mut streams(&device)).unwrap();
    let noise = normals(7, 3, 2, &device);
    let ids = Tensor::<2, Int>::from_ints([[6, 0], [6, 5]], &device);
    let out = layer.forward_with_noise(ids, noise.clone()).unwrap().into_data().try_to_vec::<f32>().unwrap();
    let table = values(layer.table(noise.clone()).unwrap());
    assert_eq!(out[..3], table[18..]);
    assert_eq!(out[..3], out[6..9]);
    let bad = layer.forward_with_noise(Tensor::<2, Int>::from_ints([[7]], &device), noise);
    assert!(matches!(bad, Err(crate::Error::Core(rank1_core::Error::OutOfRange { argument: "ids", .. }))));
}

#[test]
fn a_dropout_mask_keeps_the_mean_and_the_rate() {
    let device = Device::flex();
    let dropout = Dropout::new(0.25, 0).unwrap();
    let mask = values(dropout.mask(&Pass::training(3, 4, 1), 4001, 5, &device).unwrap());
    let zeros = mask.iter().filter(|&&m| m == 0.0).count() as f64 / mask.len() as f64;
    // Four standard errors of a proportion at n = 20,005.
    assert!((zeros - 0.25).abs() < 0.0123, "{zeros}");
    assert!(mask.iter().all(|&m| m == 0.0 || (m - 4.0 / 3.0).abs() < 1e-6));
    assert!(Dropout::new(1.0, 0).is_err() && Dropout::new(f64::NAN, 0).is_err());
}

#[test]
fn missing_or_misshapen_noise_is_refused() {
    let device = Device::flex();
    let layer = Rank1LinearConfig::new(D_IN, D_OUT, K).init(&mut streams(&device)).unwrap();
    let x = normals(K * B, D_IN, 1, &device);
    let mut noise = layer.noise(&rows(1, K)).unwrap();
    noise.input = Some(normals(K * B, D_IN + 1, 2, &device));
    assert!(layer.forward_with_noise(x.clone(), &noise).is_err());
    noise.input = None;
    assert!(layer.forward_with_noise(x, &noise).is_err());
    assert!(layer.noise(&rows(1, K + 1)).is_err());
}

#[test]
fn parameters_are_counted_as_the_paper_counts_them() {
    let device = Device::flex();
    let layer = Rank1LinearConfig::new(D_IN, D_OUT, K).init(&mut streams(&device)).unwrap();
    assert_eq!(layer.num_params(), D_IN * D_OUT + K * D_OUT + 2 * K * (D_IN + D_OUT));
}

#[test]
fn per_batch_draws_and_no_clipping_are_settings() {
    let device = Device::flex();
    let config = FactorConfig {
        granularity: Granularity::PerBatch,
        clip: None,
        family: PosteriorFamily::Cauchy,
        ..FactorConfig::default()
    };
    let layer = Rank1LinearConfig {
        input_factor: Some(config),
        output_factor: None,
        perturbation: Perturbation::Additive,
        ..Rank1LinearConfig::new(D_IN, D_OUT, K)
    };
    let mut layer = layer.init(&mut streams(&device)).unwrap();
    let noise = layer.noise(&rows(1, K)).unwrap();
    assert_eq!(noise.input.clone().unwrap().dims(), [K, D_IN]);
    assert!(noise.output.is_none());
    let expected =
        rows(1, K).noise(Site::InputFactor, NoiseKind::Cauchy, Granularity::PerBatch, D_IN, &device);
    assert_eq!(values(noise.input.clone().unwrap()), values(expected));
    let x = normals(K * B, D_IN, 1, &device);
    let free = values(layer.forward_with_noise(x.clone(), &noise).unwrap());
    layer.input_factor.as_mut().unwrap().clip = Some(ClipBounds { min: 1.0, max: 1.0 });
    assert_ne!(free, values(layer.forward_with_noise(x, &noise).unwrap()));
}

#[test]
fn a_flipout_convolution_with_equal_signs_is_the_reparameterized_one() {
    let device = Device::flex();
    let config = MeanFieldConv2dConfig { initial_std: 0.3, ..MeanFieldConv2dConfig::new(3, 2, [3, 2]) };
    let config = MeanFieldConv2dConfig { estimator: Estimator::Flipout, ..config };
    let layer = config.init(&mut streams(&device)).unwrap();
    let x = normals(2 * B, 3 * 7 * 5, 1, &device).reshape([2 * B, 3, 7, 5]);
    let mut noise = layer.noise(&rows(2, 1));
    let flat = |y: Tensor<4>| y.into_data().try_to_vec::<f32>().unwrap();
    let flipped = flat(layer.forward_with_noise(x.clone(), &noise).unwrap());
    // By hand: the two signs of a row multiply its images before and after a convolution with the perturbation.
    let signs = noise.signs.clone().unwrap();
    let by_channel = |x: Tensor<4>, signs: Tensor<2>| {
        let [rows, channels] = signs.dims();
        x * signs.reshape([rows, channels, 1, 1])
    };
    let mut parts = Vec::new();
    for (s, x) in x.clone().split(B, 0).into_iter().enumerate() {
        let [own_in, own_out] = [&signs.input, &signs.output].map(|signs| signs.clone().narrow(0, s * B, B));
        let draw = noise.weight.clone().narrow(0, s, 1).reshape([18, 2]);
        let noisy = layer
            .geometry
            .convolve(by_channel(x.clone(), own_in), positive_scale(layer.raw_scale.val()) * draw);
        parts.push(
            layer.geometry.convolve(x, layer.mean.val()).unwrap() + by_channel(noisy.unwrap(), own_out),
        );
    }
    let distance = |a: &[f32], b: &[f32]| a.iter().zip(b).fold(0.0_f32, |m, (a, b)| m.max((a - b).abs()));
    assert!(distance(&flipped, &flat(Tensor::cat(parts, 0))) < 1e-4);
    let signs = noise.signs.as_mut().unwrap();
    (signs.input, signs.output) = (signs.input.ones_like(), signs.output.ones_like());
    let unflipped = flat(layer.forward_with_noise(x.clone(), &noise).unwrap());
    noise.signs = None;
    assert!(distance(&unflipped, &flat(layer.forward_with_noise(x.clone(), &noise).unwrap())) < 1e-4);
    assert!(distance(&flipped, &unflipped) > 1e-2, "the signs must matter");
    noise.weight = Tensor::zeros([3, 18, 2], &device);
    assert!(layer.forward_with_noise(x, &noise).is_err(), "3 samples do not divide 10 rows");
}

#[test]
fn filter_wise_dropout_drops_whole_channels() {
    let device = Device::flex();
    let (dropout, pass) = (Dropout::new(0.5, 0).unwrap(), Pass::training(3, 4, K));
    let mask = dropout.mask(&pass, K * B, 3, &device).unwrap();
    let y = dropout.forward_channels(Tensor::ones([K * B, 3, 2, 7], &device), &pass).unwrap();
    let y = y.into_data().try_to_vec::<f32>().unwrap();
    for (channel, kept) in y.chunks_exact(14).zip(values(mask.clone())) {
        assert!(channel.iter().all(|&v| v == kept) && (kept == 0.0 || kept == 2.0));
    }
    assert!(dropout.forward_channels(Tensor::ones([K * B + 1, 3, 2, 7], &device), &pass).is_err());
}

#[test]
fn a_pass_draws_what_its_rows_draw_and_refuses_those_of_another() {
    let device = Device::flex();
    let pass = Pass { key: rows(2, K).key, n_samples: 2, n_members: K };
    let mut places = streams(&device);
    let layer = Rank1LinearConfig::new(D_IN, D_OUT, K).init(&mut places).unwrap();
    let other = Rank1LinearConfig::new(D_IN, D_OUT, K).init(&mut places).unwrap();
    let x = normals(2 * K * B, D_IN, 1, &device);
    let got = values(layer.forward(x.clone(), &pass).unwrap());
    let noise = layer.noise(&rows(2, K)).unwrap();
    assert_eq!(got, values(layer.forward_with_noise(x.clone(), &noise).unwrap()));
    assert_eq!(got, values(layer.forward(x.clone(), &pass).unwrap()));
    let drawn = |layer: &Rank1Linear, pass: &Pass| {
        values(layer.noise(&pass.rows(layer.stream, 2 * K * B).unwrap()).unwrap().input.unwrap())
    };
    assert_ne!(drawn(&layer, &pass), drawn(&other, &pass), "equal noise of two layers");
    assert_ne!(drawn(&layer, &pass), drawn(&layer, &Pass { key: DrawKey { step: 5, ..pass.key }, ..pass }));
    assert!(layer.forward(x.clone(), &Pass { n_members: K + 2, n_samples: 2, ..pass }).is_err());
    assert!(layer.forward(x.clone(), &Pass { n_members: 2, n_samples: 1, ..pass }).is_err());
    assert!(layer.forward(x.narrow(0, 0, 2 * K * B - 1), &pass).is_err());
    assert!(layer.forward(normals(2 * K * B, D_IN + 1, 1, &device), &pass).is_err());
}

#[test]
fn chunks_of_a_batch_draw_as_the_whole() {
    let device = Device::flex();
    let layer = Rank1LinearConfig::new(D_IN, D_OUT, K).init(&mut streams(&device)).unwrap();
    let pass = Pass::prediction(3, 2, K);
    let x = normals(B, D_IN, 1, &device);
    let outputs = |x: Tensor<2>, pass: Pass| {
        let y = layer.forward(pass.tile(x).unwrap(), &pass).unwrap();
        pass.untile(y).unwrap()
    };
    let whole = outputs(x.clone(), pass);
    let parts =
        [outputs(x.clone().narrow(0, 0, 2), pass), outputs(x.narrow(0, 2, B - 2), pass.from_example(2))];
    whole
        .into_data()
        .assert_approx_eq::<f32>(&Tensor::cat(parts.to_vec(), 2).into_data(), Default::default());
}

#[test]
fn layers_of_random_weights_draw_once_a_sample() {
    let device = Device::flex();
    let mut streams = streams(&device);
    let pass = Pass::prediction(3, 2, K);
    let config = MeanFieldLinearConfig { initial_std: 0.3, ..MeanFieldLinearConfig::new(D_IN, D_OUT) };
    let linear = config.init(&mut streams).unwrap();
    let y = linear.forward(pass.tile(normals(B, D_IN, 1, &device)).unwrap(), &pass).unwrap();
    let y = values(y);
    let slots: Vec<&[f32]> = y.chunks(B * D_OUT).collect();
    assert!(slots[0] == slots[1] && slots[1] == slots[2] && slots[0] != slots[3]);
    let embedding = MeanFieldEmbeddingConfig { n_tokens: 7, width: 3 }.init(&mut streams).unwrap();
    let ids = Tensor::<2, Int>::from_ints([[6, 0]; 2 * K], &device);
    let out = embedding.forward(ids, &pass).unwrap();
    assert_eq!(out.dims(), [2 * K, 2, 3]);
    let rows = values(out.reshape([2 * K, 6]));
    assert_eq!(rows[..6], rows[6..12]);
    assert_ne!(rows[..6], rows[18..24]);
}
