//! The objective of a network of one's own against that of the recipes' networks, and what is refused.
#![allow(clippy::unwrap_used)]

use burn::tensor::{Device, Gradients};
use ndarray::Array2;
use rank1_core::likelihood::Likelihood;
use rank1_core::objective::NllForm;
use rank1_core::targets::Targets;

use super::*;
use crate::engine::analytic::AnalyticEngine;
use crate::engine::{Batch, Engine, NllRequest};
use crate::init::initialize;
use crate::layer::{
    FactorConfig, LayerStreams, MeanFieldEmbeddingConfig, MeanFieldLinearConfig, Rank1Conv2dConfig,
    Rank1Linear, Rank1LinearConfig, Rank1LstmConfig, mean_nll,
};
use crate::method::{Method, Rank1};
use crate::network::{Activation, FactorPlan, Network, NetworkShape};
use crate::params::ParamId;
use crate::penalty::{Penalty, PenaltyWeights};

const K: usize = 3;
const B: usize = 5;
const D_IN: usize = 7;
const N_TRAIN: usize = 41;
const NORMAL: PriorSpec = PriorSpec::Normal { mean: 1.0, std: 0.3 };

fn pass() -> Pass {
    Pass::training(3, 2, K).with_samples(2)
}

/// The parameters of a network as tensors.
struct Parameters<'a> {
    network: &'a Network,
    flat: &'a [f32],
    device: Device,
    leaves: Vec<(ParamId, Tensor<2>)>,
}

impl Parameters<'_> {
    fn param(&mut self, id: ParamId) -> Param<Tensor<2>> {
        let values = self.network.layout.slice(self.flat, id).to_vec();
        let shape = match self.network.layout.spec(id).shape[..] {
            [rows, columns] => [rows, columns],
            _ => [1, values.len()],
        };
        let param = Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), &self.device));
        self.leaves.push((id, param.val()));
        param
    }

    fn factor(&mut self, plan: &FactorPlan) -> Option<Factor> {
        let plan = plan.trained()?;
        Some(Factor {
            location: self.param(plan.location),
            raw_scale: plan.scale.map(|id| self.param(id)),
            family: plan.family,
            granularity: plan.granularity,
            clip: plan.clip,
            domain: plan.domain(),
        })
    }

    fn layer(&mut self, index: usize) -> Rank1Linear {
        let plan = &self.network.layers[index];
        Rank1Linear {
            weight: self.param(plan.weight),
            bias: plan.bias.map(|id| self.param(id)),
            input_factor: self.factor(&plan.input_factor),
            output_factor: self.factor(&plan.output_factor),
            perturbation: plan.perturbation,
            n_members: K,
            stream: index,
        }
    }

    fn gradient(&self, gradients: &Gradients) -> Vec<f32> {
        let mut flat = vec![0.0; self.flat.len()];
        for (id, leaf) in &self.leaves {
            let Some(gradient) = leaf.grad(gradients) else { continue };
            self.network.layout.slice_mut(&mut flat, *id).copy_from_slice(&read(gradient).unwrap());
        }
        flat
    }
}

fn batch(likelihood: Likelihood) -> (Array2<f32>, Targets) {
    let targets = match likelihood {
        Likelihood::Categorical => Targets::classes((0..B).map(|i| i % 3).collect(), 3).unwrap(),
        Likelihood::Bernoulli => Targets::classes((0..B).map(|i| i % 2).collect(), 2).unwrap(),
        _ => Targets::values((0..B).map(|i| 0.4 * i as f64 - 0.7).collect()).unwrap(),
    };
    (rank1_core::testkit::normals(1, (B, D_IN)), targets)
}

/// Objective and gradient of a perceptron: by the engine and the penalty, and by a network of Burn layers.
fn both(rank1: Rank1, likelihood: Likelihood, form: NllForm) -> ((f64, Vec<f32>), (f64, Vec<f32>)) {
    let (prior, member_kl) = (rank1.prior, rank1.member_kl);
    let method = Method::Rank1(Rank1 { members: K, ..rank1 });
    let shape = NetworkShape::mlp(D_IN, vec![11], likelihood.n_outputs(3), Activation::Relu, likelihood);
    let network = Network::new(shape, &method).unwrap();
    let flat = initialize(&network, 5).unwrap();
    let (inputs, targets) = batch(likelihood);
    let pass = pass();

    let mut gradient = vec![0.0; flat.len()];
    let weights = PenaltyWeights {
        kl: 1.0 / N_TRAIN as f64,
        entropy: 0.0,
        l2: 0.0,
        l2_norms: false,
        seed: pass.key.seed,
        step: pass.key.step,
    };
    let parts = Penalty::new(&network).add_gradient(&flat, &mut gradient, weights).unwrap();
    let request = NllRequest { n_samples: pass.n_samples, form };
    let of_batch = Batch { inputs: inputs.view(), targets: &targets };
    let mut engine = AnalyticEngine::<f32>::new(network.clone());
    let nll = engine.nll(&flat, &mut gradient, of_batch, pass.key, request).unwrap();
    let expected = (nll + parts.kl / N_TRAIN as f64, gradient);

    let device = Device::flex().autodiff();
    let mut parameters =
        Parameters { network: &network, flat: &flat, device: device.clone(), leaves: vec![] };
    let (hidden, output) = (parameters.layer(0), parameters.layer(1));
    let noise = network.noise.map(|id| parameters.param(id).val());
    let x = Tensor::from_data(TensorData::new(inputs.into_raw_vec_and_offset().0, [B, D_IN]), &device);
    let h = burn::tensor::activation::relu(hidden.forward(pass.tile(x).unwrap(), &pass).unwrap());
    let outputs = output.forward(h, &pass).unwrap();
    let nll = mean_nll(likelihood, outputs, &targets, noise, &pass, form).unwrap();
    let kl = kl_of(&[&hidden, &output], prior, member_kl, N_TRAIN, &pass).unwrap();
    let objective = nll + kl;
    let gradients = objective.backward();
    (expected, (f64::from(objective.into_scalar::<f32>()), parameters.gradient(&gradients)))
}

fn assert_close((expected, got): ((f64, Vec<f32>), (f64, Vec<f32>)), what: &str) {
    assert!(
        (expected.0 - got.0).abs() < 1e-5 * expected.0.abs().max(1.0),
        "{what}: {} {}",
        expected.0,
        got.0
    );
    let largest = expected.1.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
    assert!(largest > 0.0 && largest.is_finite(), "{what}");
    for (i, (e, g)) in expected.1.iter().zip(&got.1).enumerate() {
        assert!((e - g).abs() < 1e-5 * largest.max(1.0), "{what}, parameter {i}: {e} {g}");
    }
}

#[test]
fn the_objective_of_ones_own_network_is_that_of_the_engine_and_the_penalty_with_its_gradient() {
    for (likelihood, form) in [
        (Likelihood::Categorical, NllForm::AverageNll),
        (Likelihood::Categorical, NllForm::MixtureNll),
        (Likelihood::Categorical, NllForm::MarginalizedLogits),
        (Likelihood::Bernoulli, NllForm::MixtureNll),
        (Likelihood::Gaussian, NllForm::AverageNll),
        (Likelihood::Gaussian, NllForm::MixtureNll),
        (Likelihood::HeteroscedasticGaussian, NllForm::AverageNll),
        (Likelihood::HeteroscedasticGaussian, NllForm::MixtureNll),
    ] {
        let pair = both(Rank1 { prior: NORMAL, ..Rank1::default() }, likelihood, form);
        assert_close(pair, &format!("{likelihood:?} {form:?}"));
    }
}

#[test]
fn divergences_are_those_of_the_penalty_in_closed_form_and_by_the_same_draws() {
    let heavy = PriorSpec::StudentT { df: 3.0, location: 1.0, scale: 0.2 };
    let positive = PriorSpec::HalfCauchy { scale: 1.0 };
    for (posterior, prior) in [
        (PosteriorFamily::Cauchy, PriorSpec::Cauchy { location: 1.0, scale: 0.1 }),
        (PosteriorFamily::NormalSharedScale, NORMAL),
        (PosteriorFamily::NormalFixedScale { scale: 0.2 }, NORMAL),
        (PosteriorFamily::PointMass, PriorSpec::LogNormal { location: 0.0, scale: 0.3 }),
        // By draws.
        (PosteriorFamily::Normal, heavy),
        (PosteriorFamily::HalfCauchy, positive),
        (PosteriorFamily::LogNormal, positive),
    ] {
        for member_kl in [MemberKl::Sum, MemberKl::Mean] {
            // Draws near their locations: the comparison is of divergences.
            let rank1 = Rank1 { posterior, prior, member_kl, dropout_rate: 1e-3, ..Rank1::default() };
            let pair = both(rank1, Likelihood::Categorical, NllForm::AverageNll);
            assert_close(pair, &format!("{posterior:?} {prior:?} {member_kl:?}"));
        }
    }
}

#[test]
fn every_layer_has_a_finite_divergence_with_a_gradient() {
    let device = Device::flex().autodiff();
    let mut streams = LayerStreams::new(1, &device);
    let linear = Rank1LinearConfig::new(5, 2, K).init(&mut streams).unwrap();
    let conv = Rank1Conv2dConfig::new(3, 2, [3, 3], K).init(&mut streams).unwrap();
    let lstm = Rank1LstmConfig::new(3, 2, K).init(&mut streams).unwrap();
    let weights = MeanFieldLinearConfig::new(5, 2).init(&mut streams).unwrap();
    let table = MeanFieldEmbeddingConfig { n_tokens: 7, width: 3 }.init(&mut streams).unwrap();
    let layers: [&dyn BayesianLayer; 5] = [&linear, &conv, &lstm, &weights, &table];
    let counts: Vec<usize> = layers.iter().map(|layer| layer.kl_terms().len()).collect();
    assert_eq!(counts, [2, 2, 4, 1, 1]);
    let value = |layers: &[&dyn BayesianLayer], prior| {
        kl_of(layers, prior, MemberKl::Sum, 1, &pass()).unwrap().into_scalar::<f32>()
    };
    for prior in [NORMAL, PriorSpec::StudentT { df: 3.0, location: 1.0, scale: 0.2 }] {
        let kl = kl_of(&layers, prior, MemberKl::Sum, 1, &pass()).unwrap();
        let gradients = kl.backward();
        let all = kl.into_scalar::<f32>();
        let sum: f32 = layers.iter().map(|layer| value(&[*layer], prior)).sum();
        assert!(all.is_finite() && (all - sum).abs() < 1e-5 * sum.abs(), "{all} {sum}");
        for parameter in [
            linear.input_factor.as_ref().unwrap().location.val(),
            conv.output_factor.as_ref().unwrap().raw_scale.as_ref().unwrap().val(),
            lstm.recurrent_output_factor.as_ref().unwrap().location.val(),
            weights.raw_scale.val(),
            table.mean.val(),
        ] {
            let slope = read(parameter.grad(&gradients).unwrap()).unwrap();
            assert!(slope.iter().all(|v| v.is_finite()) && slope.iter().any(|&v| v != 0.0));
        }
    }
    let own = weights.kl(NORMAL, None).unwrap().into_scalar::<f32>();
    assert!((value(&[&weights], NORMAL) - own).abs() < 1e-5 * own);
}

#[test]
fn the_four_divergences_of_an_lstm_have_draws_of_their_own() {
    let mut streams = LayerStreams::new(1, &Device::flex());
    let lstm = Rank1LstmConfig::new(3, 2, K).init(&mut streams).unwrap();
    let mut sites: Vec<u32> = lstm.kl_terms().iter().map(|term| term.site as u32).collect();
    sites
        .extend([Site::InputFactor, Site::OutputFactor, Site::InputSign, Site::OutputSign].map(|s| s as u32));
    sites.sort_unstable();
    assert_eq!(sites, [0, 1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn layers_that_share_a_stream_are_refused() {
    let device = Device::flex();
    let config = Rank1LinearConfig::new(5, 5, K);
    let of = |streams: &mut LayerStreams| config.init(streams).unwrap();
    let (one, two) = (of(&mut LayerStreams::new(1, &device)), of(&mut LayerStreams::new(2, &device)));
    let weights = MeanFieldLinearConfig::new(5, 2).init(&mut LayerStreams::new(3, &device)).unwrap();
    let kl = |layers: &[&dyn BayesianLayer]| kl_of(layers, NORMAL, MemberKl::Sum, 9, &pass());
    for layers in [[&one as &dyn BayesianLayer, &two], [&one, &one], [&one, &one.clone()], [&one, &weights]] {
        assert!(matches!(check_streams(&layers), Err(Error::SharedStream { stream: 0 })));
        let error = kl(&layers).unwrap_err();
        assert!(matches!(error, Error::SharedStream { stream: 0 }));
        assert!(error.to_string().contains("LayerStreams"), "{error}");
    }
    let mut streams = LayerStreams::new(1, &device);
    let (one, two) = (of(&mut streams), of(&mut streams));
    assert!(kl(&[&one, &two]).is_ok());
}

#[test]
fn nothing_to_penalize_and_pairs_without_a_divergence_are_refused() {
    let device = Device::flex();
    let mut streams = LayerStreams::new(1, &device);
    let layer = Rank1LinearConfig::new(5, 2, K).init(&mut streams).unwrap();
    let plain =
        Rank1LinearConfig { input_factor: None, output_factor: None, ..Rank1LinearConfig::new(5, 2, K) };
    let plain = plain.init(&mut streams).unwrap();
    let kl = |layers: &[&dyn BayesianLayer], prior, n| kl_of(layers, prior, MemberKl::Sum, n, &pass());
    assert!(matches!(kl(&[], NORMAL, 9), Err(Error::Core(CoreError::Empty { .. }))));
    assert!(kl(&[&plain], NORMAL, 9).is_err());
    assert!(kl(&[&plain, &layer], NORMAL, 9).is_ok());
    assert!(matches!(
        kl(&[&layer], NORMAL, 0),
        Err(Error::Core(CoreError::OutOfRange { argument: "n_train", .. }))
    ));
    let cauchy = FactorConfig { family: PosteriorFamily::Cauchy, ..FactorConfig::default() };
    let cauchy = Rank1LinearConfig::new(5, 2, K).with_factors(cauchy).init(&mut streams).unwrap();
    assert!(matches!(kl(&[&cauchy], NORMAL, 9), Err(Error::Priors(rank1_priors::Error::NoKl { .. }))));
    assert!(kl(&[&layer], PriorSpec::TrainableScale { mean: 1.0 }, 9).is_err());
}
