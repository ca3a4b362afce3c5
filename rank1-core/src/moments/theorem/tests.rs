//! Claims about the theorem: identity of both sides, the counter-case, finite differences and Monte Carlo.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::moments::FactorMoments;
use crate::moments::network::SmoothActivation;
use crate::testkit::{central_differences, normals};

const WIDTHS: [usize; 4] = [5, 7, 3, 11];

struct Net {
    weights: Vec<Array2<f64>>,
    readout: Array1<f64>,
    activation: SmoothActivation,
}

impl Net {
    fn new(activation: SmoothActivation) -> Self {
        let weights = (0..3).map(|h| normals(70 + h as u64, (WIDTHS[h], WIDTHS[h + 1])) * 0.6).collect();
        Self { weights, readout: normals(80, 11), activation }
    }

    fn view(&self) -> SmoothNet<'_, f64> {
        self.with(&self.weights)
    }

    fn with<'a>(&'a self, weights: &'a [Array2<f64>]) -> SmoothNet<'a, f64> {
        SmoothNet {
            weights: weights.iter().map(|w| w.view()).collect(),
            gains: vec![0.8, 1.2, 0.9],
            readout: self.readout.view(),
            activation: self.activation,
        }
    }

    /// Score with the input factor `1 + t direction` on one layer.
    fn with_factor(&self, x: &Array1<f64>, layer: usize, change: &Array1<f64>) -> f64 {
        let mut weights = self.weights.clone();
        for (mut row, d) in weights[layer].rows_mut().into_iter().zip(change) {
            row *= 1.0 + d;
        }
        self.with(&weights).score(x.view()).unwrap()
    }
}

/// A full covariance `A Aᵀ` and its square root `A`.
fn sigma(layer: usize) -> (Array2<f64>, Array2<f64>) {
    let root: Array2<f64> = normals(90 + layer as u64, (WIDTHS[layer], WIDTHS[layer]));
    (root.dot(&root.t()), root)
}

fn relative(a: f64, b: f64) -> f64 {
    (a - b).abs() / b.abs()
}

#[test]
fn full_rank_and_rank_one_noise_agree_in_every_layer_and_independent_noise_only_at_the_top() {
    for activation in [SmoothActivation::Tanh, SmoothActivation::Softplus] {
        let net = Net::new(activation);
        let inputs: Array2<f64> = normals(81, (13, 5));
        // Independent factor entries, so that only the shared rows tell the two kinds of noise apart.
        let sigmas: Vec<_> = (0..3)
            .map(|h| Array2::from_diag(&normals::<f64, _, _>(82 + h, WIDTHS[h as usize]).mapv(|v| v * v)))
            .collect();
        let forms = variance_structure(&net.view(), inputs.view(), &sigmas, HessianKind::Exact).unwrap();
        for (layer, form) in forms.iter().enumerate() {
            assert!(relative(form.full_rank, form.rank1) < 1e-12, "{activation:?} {layer}");
        }
        // Input by input, because signed differences may cancel in the sum.
        let (mut apart, mut total) = ([0.0; 3], [0.0; 3]);
        for x in inputs.rows() {
            let x = x.insert_axis(ndarray::Axis(0));
            let forms = variance_structure(&net.view(), x, &sigmas, HessianKind::Exact).unwrap();
            for (layer, form) in forms.iter().enumerate() {
                apart[layer] += (form.independent - form.rank1).abs();
                total[layer] += form.rank1.abs();
            }
        }
        let gap = [0, 1, 2].map(|layer| apart[layer] / total[layer]);
        assert!(gap[0] > 0.05 && gap[1] > 0.05 && gap[2] < 1e-12, "{activation:?} {gap:?}");
        // With the paper's diagonal Hessian independent noise cannot be told apart anywhere.
        let own =
            variance_structure(&net.view(), inputs.view(), &sigmas, HessianKind::OwnActivation).unwrap();
        assert!(own.iter().all(|form| relative(form.independent, form.rank1) < 1e-12));
    }
}

#[test]
fn both_sides_agree_for_correlated_factors() {
    let net = Net::new(SmoothActivation::Tanh);
    let x: Array1<f64> = normals(83, 5);
    for layer in 0..3 {
        let (sigma, _) = sigma(layer);
        let noise = WeightNoise::SharedInput { sigma: sigma.view() };
        let full = weight_form(&net.view(), x.view(), layer, noise, HessianKind::Exact).unwrap();
        let rank1 = factor_form(&net.view(), x.view(), layer, sigma.view(), HessianKind::Exact).unwrap();
        assert!(relative(full, rank1) < 1e-12, "{layer}");
    }
}

#[test]
fn linear_networks_have_no_second_order_change() {
    let net = Net::new(SmoothActivation::Identity);
    let x: Array1<f64> = normals(83, 5);
    let (sigma, _) = sigma(1);
    assert_eq!(factor_form(&net.view(), x.view(), 1, sigma.view(), HessianKind::Exact).unwrap(), 0.0);
}

#[test]
fn the_factor_hessian_matches_second_differences_along_directions() {
    let net = Net::new(SmoothActivation::Softplus);
    let x: Array1<f64> = normals(84, 5);
    for (layer, &width) in WIDTHS[..3].iter().enumerate() {
        let hessian = factor_hessian(&net.view(), x.view(), layer, HessianKind::Exact).unwrap();
        for seed in 0..4 {
            let direction: Array1<f64> = normals(85 + seed, width);
            let slope = |t: &[f64]| {
                let along = |u: &[f64]| net.with_factor(&x, layer, &(&direction * (t[0] + u[0])));
                central_differences(along, &[0.0])[0]
            };
            let numeric = central_differences(slope, &[0.0])[0];
            assert!(relative(direction.dot(&hessian.dot(&direction)), numeric) < 1e-5, "{layer} {seed}");
        }
    }
}

#[test]
fn monte_carlo_of_small_factor_noise_gives_half_the_form() {
    let net = Net::new(SmoothActivation::Tanh);
    let x: Array1<f64> = normals(86, 5);
    let center = net.view().score(x.view()).unwrap();
    let n = 20_000;
    for (layer, &width) in WIDTHS[..3].iter().enumerate() {
        let scale = 0.02;
        let (sigma, root) = sigma(layer);
        let z: Array2<f64> = normals(87 + layer as u64, (n, width));
        // Pairs of opposite draws cancel every odd order.
        let changes: Vec<f64> = z
            .rows()
            .into_iter()
            .map(|z| {
                let d = root.dot(&z) * scale;
                (net.with_factor(&x, layer, &d) + net.with_factor(&x, layer, &-&d)) / 2.0 - center
            })
            .collect();
        let mean = changes.iter().sum::<f64>() / n as f64;
        let error = (changes.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / (n * n) as f64).sqrt();
        let form =
            factor_form(&net.view(), x.view(), layer, (sigma * scale * scale).view(), HessianKind::Exact);
        let half = form.unwrap() / 2.0;
        // Four standard errors, and 2 % of the value for the fourth order.
        assert!((mean - half).abs() < 4.0 * error + 0.02 * half.abs(), "{layer}: {mean} {half} {error}");
        assert!(error < 0.2 * half.abs(), "{layer}: the estimate must be sharp enough to fail");
    }
}

#[test]
fn the_dense_covariance_of_input_factor_noise_is_the_shared_input_case() {
    let net = Net::new(SmoothActivation::Softplus);
    let x: Array1<f64> = normals(88, 5);
    for layer in 0..3 {
        let (sigma, _) = sigma(layer);
        let (d_in, d_out) = (WIDTHS[layer], WIDTHS[layer + 1]);
        let moments = FactorMoments {
            input_covariance: sigma.clone(),
            ..FactorMoments::unit_mean(&Array1::zeros(d_in), &Array1::zeros(d_out))
        };
        let covariance = moments.weight_covariance(net.weights[layer].view()).unwrap();
        let dense = WeightNoise::Dense { covariance: covariance.view() };
        let shared = WeightNoise::SharedInput { sigma: sigma.view() };
        let form = |noise| weight_form(&net.view(), x.view(), layer, noise, HessianKind::Exact).unwrap();
        assert!(relative(form(dense), form(shared)) < 1e-12);
    }
}

#[test]
fn the_printed_index_is_not_symmetric_and_so_not_a_covariance() {
    // Square layer, the only one where an input with an output index (`W_ij Σ_il W_kl`) can be written down at all.
    let weight: Array2<f64> = normals(95, (3, 3));
    let root: Array2<f64> = normals(96, (3, 3));
    let sigma = root.dot(&root.t());
    let printed =
        |(i, j): (usize, usize), (k, l): (usize, usize)| weight[[i, j]] * sigma[[i, l]] * weight[[k, l]];
    let corrected = WeightNoise::SharedInput { sigma: sigma.view() };
    let (a, b) = ((0, 1), (2, 0));
    assert!((printed(a, b) - printed(b, a)).abs() > 1e-3);
    let moment = |a, b| corrected.second_moment(weight.view(), a, b);
    assert!((moment(a, b) - moment(b, a)).abs() < 1e-15);
}

#[test]
fn covariances_of_the_wrong_size_are_refused() {
    let net = Net::new(SmoothActivation::Tanh);
    let x: Array1<f64> = normals(97, 5);
    let wrong = Array2::<f64>::eye(4);
    let got = factor_form(&net.view(), x.view(), 0, wrong.view(), HessianKind::Exact);
    assert!(matches!(got, Err(Error::ShapeMismatch { argument: "sigma", .. })));
    let noise = WeightNoise::Dense { covariance: wrong.view() };
    let got = weight_form(&net.view(), x.view(), 0, noise, HessianKind::Exact);
    assert!(matches!(got, Err(Error::ShapeMismatch { argument: "covariance", .. })));
    let sigmas = [Array2::eye(5)];
    let got = variance_structure(&net.view(), Array2::zeros((2, 5)).view(), &sigmas, HessianKind::Exact);
    assert!(matches!(got, Err(Error::ShapeMismatch { argument: "sigmas", .. })));
}
