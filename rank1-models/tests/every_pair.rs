//! Every pair of posterior and prior: what a recipe admits trains an epoch from its own initial values, inside its support, and
//! engines agree there; what it does not admit is refused with the reason.
#![allow(clippy::unwrap_used)]

use ndarray::{Array1, Array2, Axis};
use rank1_core::likelihood::Likelihood;
use rank1_core::noise::{At, NoiseStream};
use rank1_core::objective::NllForm;
use rank1_core::targets::Targets;
use rank1_models::Error;
use rank1_models::device::Compute;
use rank1_models::engine::analytic::AnalyticEngine;
use rank1_models::engine::{Batch, DrawKey, NllRequest};
use rank1_models::init::initialize;
use rank1_models::method::{MeanField, Method, Rank1};
use rank1_models::network::{Activation, Network, NetworkShape, TrainedFactor};
use rank1_models::params::ParamGroup;
use rank1_models::penalty::{Penalty, PenaltyWeights};
use rank1_models::recipe::{CheckedRecipe, Override, parse};
use rank1_models::train::{Stepper, TrainState};
use rank1_priors::dist::LogDensity;
use rank1_priors::{LocationDomain, NoiseKind, PosteriorFamily, PriorSpec, raw_to_scale};
#[cfg(feature = "burn")]
use {
    burn::tensor::{Device, Tensor, TensorData},
    rank1_models::engine::Engine,
    rank1_models::engine::autodiff::AutodiffEngine,
    rank1_models::layer::FactorConfig,
};

const RECIPE: &str = r#"
name = "test/pairs"
data = { set = "sine", validation = 0.0 }
model = { kind = "mlp", hidden = [11], activation = "tanh" }
method = { kind = "deterministic" }
predict = { samples = 2 }
[train]
epochs = 1
batch_size = 16
optimizer = { kind = "adam", learning_rate = 0.01 }
"#;

const FAMILIES: [PosteriorFamily; 7] = [
    PosteriorFamily::Normal,
    PosteriorFamily::Cauchy,
    PosteriorFamily::HalfCauchy,
    PosteriorFamily::LogNormal,
    PosteriorFamily::NormalSharedScale,
    PosteriorFamily::NormalFixedScale { scale: 0.1 },
    PosteriorFamily::PointMass,
];

const PRIORS: [PriorSpec; 12] = [
    PriorSpec::Normal { mean: 1.0, std: 0.3 },
    PriorSpec::Cauchy { location: 1.0, scale: 0.1 },
    PriorSpec::LogNormal { location: 0.0, scale: 0.3 },
    PriorSpec::HalfCauchy { scale: 1.0 },
    PriorSpec::LogUniform,
    PriorSpec::StudentT { df: 3.0, location: 1.0, scale: 0.2 },
    PriorSpec::TiedMean { std: 0.3 },
    PriorSpec::EmpiricalBayes { mean: 1.0, concentration: 2.01, rate: 0.101 },
    PriorSpec::TrainableScale { mean: 1.0 },
    PriorSpec::Horseshoe { mean: 1.0, scale: 0.3 },
    PriorSpec::InverseGammaScale { mean: 1.0, concentration: 2.0, rate: 0.1 },
    PriorSpec::ImproperUniform,
];

const N: usize = 101;
const SEED: u64 = 9;

fn rank1(posterior: PosteriorFamily, prior: PriorSpec) -> Method {
    Method::Rank1(Rank1 { members: 3, posterior, prior, ..Rank1::default() })
}

fn recipe(method: &Method, sets: &[&str]) -> Result<CheckedRecipe, Error> {
    let mut overrides = vec![Override::new("method", toml::Value::try_from(method).unwrap())];
    overrides.extend(sets.iter().map(|s| s.parse::<Override>().unwrap()));
    parse(RECIPE, &overrides)
}

/// Every pair that a recipe admits, and normal weights of mean-field networks under every prior that they admit.
fn admitted() -> Vec<Method> {
    let pairs = FAMILIES.iter().flat_map(|&family| PRIORS.iter().map(move |&prior| rank1(family, prior)));
    let weights = PRIORS.iter().map(|&prior| Method::MeanField(MeanField { prior, ..MeanField::default() }));
    pairs.chain(weights).filter(|method| recipe(method, &[]).is_ok()).collect()
}

fn network(method: &Method) -> Network {
    let shape = NetworkShape::mlp(1, vec![11], 2, Activation::Tanh, Likelihood::HeteroscedasticGaussian);
    Network::new(shape, method).unwrap()
}

/// y = sin(3 x) + 0.1 noise on [-1, 1].
fn rows() -> (Array2<f32>, Vec<f64>) {
    let mut noise = vec![0.0; N];
    NoiseStream::new(5, 1, 0).fill_normal(At { step: 0, member: 0, example: 0 }, &mut noise);
    // 37 and 101 have no common divisor: every batch spans the interval.
    let x: Array1<f32> = (0..N).map(|i| -1.0 + 2.0 * ((37 * i) % N) as f32 / N as f32).collect();
    let y = x.iter().zip(&noise).map(|(x, e)| f64::from((3.0 * x).sin() + 0.1 * e)).collect();
    (x.insert_axis(Axis(1)), y)
}

/// The divergence with the draws of one key, so that two values differ by the parameters alone.
fn kl(network: &Network, parameters: &[f32]) -> f64 {
    let weights = PenaltyWeights { kl: 1.0, entropy: 0.0, l2: 0.0, l2_norms: false, seed: SEED, step: 0 };
    let mut gradient = vec![0.0; parameters.len()];
    let kl = Penalty::new(network).add_gradient(parameters, &mut gradient, weights).unwrap().kl;
    assert!(gradient.iter().all(|g| g.is_finite()), "{:?}", network.layers[0].input_factor);
    kl
}

/// Draws of every factor lie where its family and its prior have mass.
fn assert_inside(network: &Network, parameters: &[f32], step: u32) {
    let factors = network.layers.iter().flat_map(|l| [&l.input_factor, &l.output_factor]);
    for plan in factors {
        let Some(factor) = plan.trained() else { continue };
        let TrainedFactor { family, location, scale, prior: Some(prior), .. } = factor else { continue };
        let domain = factor.domain();
        let of = |id| network.layout.slice(parameters, id).iter().map(|&v| f64::from(v));
        let loc: Vec<f64> = of(*location).map(|raw| domain.location(raw)).collect();
        let scale: Vec<f64> = scale.map(|id| of(id).map(raw_to_scale).collect()).unwrap_or_default();
        let mut noise = vec![0.0_f32; loc.len()];
        let (stream, at) = (NoiseStream::new(SEED, 77, 0), At { step, member: 0, example: 0 });
        match family.noise_kind() {
            NoiseKind::Normal => stream.fill_normal(at, &mut noise),
            NoiseKind::Cauchy => stream.fill_cauchy(at, &mut noise),
            NoiseKind::Unused => {}
        }
        let noise: Vec<f64> = noise.into_iter().map(f64::from).collect();
        let mut draw = vec![0.0; loc.len()];
        family.draw_into(&loc, &scale, &noise, &mut draw).unwrap();
        let positive = family.is_positive() || prior.spec.is_positive();
        assert!(draw.iter().all(|&d| d.is_finite() && (d > 0.0 || !positive)), "{plan:?}: {draw:?}");
        if let Ok(density) = prior.spec.density() {
            assert!(draw.iter().all(|&d| density.log_density(d).is_finite()), "{plan:?}: {draw:?}");
        }
    }
}

/// Pairs whose divergence is the same whatever is trained: no scale to train, and a prior that asks nothing of the location.
fn is_constant(method: &Method) -> bool {
    let Method::Rank1(m) = method else { return false };
    let fixed = matches!(m.posterior, PosteriorFamily::NormalFixedScale { .. } | PosteriorFamily::PointMass);
    fixed && matches!(m.prior, PriorSpec::TiedMean { .. } | PriorSpec::ImproperUniform)
}

/// Trains an epoch, with every claim about each of its steps, and returns the parameters.
fn trained(network: &Network, recipe: &CheckedRecipe) -> Vec<f32> {
    let (inputs, y) = rows();
    let compute = Compute::default();
    let mut state = TrainState::start(network, recipe.get(), SEED).unwrap();
    let mut stepper = Stepper::new(network, recipe.get(), &compute, N);
    let context = &recipe.get().method;
    assert_inside(network, &state.parameters, 0);
    for (step, from) in (0..N).step_by(16).enumerate() {
        let to = (from + 16).min(N);
        let targets = Targets::values(Array1::from(y[from..to].to_vec())).unwrap();
        let batch = Batch { inputs: inputs.slice(ndarray::s![from..to, ..]), targets: &targets };
        let record = stepper.step(&mut state, batch).unwrap_or_else(|e| panic!("{context:?}: {e}"));
        assert!(record.nll.is_finite() && record.kl.is_finite(), "{context:?}: {record:?}");
        assert_inside(network, &state.parameters, step as u32 + 1);
    }
    state.parameters
}

#[test]
fn a_recipe_refuses_exactly_the_pairs_without_a_divergence_and_says_why() {
    let mut admitted = 0;
    for posterior in FAMILIES {
        for prior in PRIORS {
            let checked = recipe(&rank1(posterior, prior), &[]);
            let reason = match (checked, rank1_priors::kl_kind(posterior, prior)) {
                (Ok(_), Ok(_)) => {
                    admitted += 1;
                    continue;
                }
                (Err(Error::Recipe(problems)), Err(reason)) => (problems, reason),
                (checked, kind) => panic!("{posterior:?} {prior:?}: {checked:?} but {kind:?}"),
            };
            let (problems, reason) = reason;
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert_eq!(problems[0].key, "method.prior");
            assert_eq!(problems[0].message, reason.to_string());
            assert!(problems[0].message.contains(posterior.name()), "{problems:?}");
        }
    }
    assert_eq!(admitted, 65);
    let weights = PRIORS.iter().filter(|&&prior| {
        recipe(&Method::MeanField(MeanField { prior, ..MeanField::default() }), &[]).is_ok()
    });
    // Normal weights: all but log-normal, half-Cauchy and a trained scale.
    assert_eq!(weights.count(), 9);
}

#[test]
fn one_epoch_of_every_admitted_pair_trains_inside_its_support() {
    let methods = admitted();
    assert_eq!(methods.len(), 74);
    for method in methods {
        let (network, recipe) = (network(&method), recipe(&method, &[]).unwrap());
        let before = initialize(&network, SEED).unwrap();
        let after = trained(&network, &recipe);
        for spec in network.layout.specs() {
            if spec.group == ParamGroup::Statistic {
                continue;
            }
            let moved = |i: usize| before[i] != after[i] && after[i].is_finite();
            assert!(spec.range.clone().all(moved), "{} stood still: {method:?}", spec.name);
        }
        let (first, last) = (kl(&network, &before), kl(&network, &after));
        assert!(first.is_finite() && last.is_finite());
        assert_eq!(first == last, is_constant(&method), "KL {first} and {last}: {method:?}");
    }
}

/// The divergence from a half-Cauchy prior pulls locations to zero for ever; they get there and no further.
#[test]
fn no_step_takes_a_location_out_of_its_support() {
    let positive = admitted().into_iter().filter(|method| {
        matches!(method, Method::Rank1(m)
            if LocationDomain::of(m.posterior, m.prior) == LocationDomain::Positive)
    });
    let mut pairs = 0;
    for method in positive {
        // Every step moves what is trained by about 2, so that an unconstrained location of one would be gone at once.
        let sets = ["train.multipliers={ factors = 200.0 }", "train.posterior_temperature=100.0"];
        trained(&network(&method), &recipe(&method, &sets).unwrap());
        pairs += 1;
    }
    // Half-Cauchy under its eight priors, a point under two.
    assert_eq!(pairs, 10);
}

struct Start {
    network: Network,
    parameters: Vec<f32>,
    inputs: Array2<f32>,
    targets: Targets,
}

/// A batch and the network's own initial values; nothing synthetic.
fn start(method: &Method) -> Start {
    let network = network(method);
    let parameters = initialize(&network, SEED).unwrap();
    let (inputs, y) = rows();
    let inputs = inputs.slice(ndarray::s![..7, ..]).to_owned();
    Start { network, parameters, inputs, targets: Targets::values(Array1::from(y[..7].to_vec())).unwrap() }
}

const KEY: DrawKey = DrawKey { seed: SEED, step: 3, first_sample: 0, first_example: 0 };
const REQUEST: NllRequest = NllRequest { n_samples: 2, form: NllForm::AverageNll };

/// NLL and gradient of the analytic engine in double precision, at parameters in double precision.
fn double(start: &Start, engine: &mut AnalyticEngine<f64>, parameters: &[f64]) -> (f64, Vec<f64>) {
    let inputs = start.inputs.mapv(f64::from);
    let mut gradient = vec![0.0; parameters.len()];
    let batch = Batch { inputs: inputs.view(), targets: &start.targets };
    let nll = engine.nll_and_gradient(parameters, &mut gradient, batch, KEY, REQUEST).unwrap();
    (nll, gradient)
}

/// Largest difference relative to the largest magnitude.
fn error(got: impl Iterator<Item = f64>, expected: &[f64]) -> f64 {
    let scale = expected.iter().fold(1e-2_f64, |m, v| m.max(v.abs()));
    got.zip(expected)
        .map(|(g, e)| (g - e).abs() / scale)
        .fold(0.0, |m, e| if e.is_nan() { e } else { m.max(e) })
}

#[test]
fn both_precisions_and_central_differences_agree_at_the_initial_values_of_every_pair() {
    for method in admitted() {
        let start = start(&method);
        let wide: Vec<f64> = start.parameters.iter().map(|&p| f64::from(p)).collect();
        let mut engine = AnalyticEngine::<f64>::new(start.network.clone());
        let (nll, gradient) = double(&start, &mut engine, &wide);
        assert!(gradient.iter().any(|g| g.abs() > 1e-3), "a gradient that is zero proves nothing");

        let mut single = vec![0.0_f32; wide.len()];
        let batch = Batch { inputs: start.inputs.view(), targets: &start.targets };
        let mut narrow = AnalyticEngine::<f32>::new(start.network.clone());
        let found = narrow.nll_and_gradient(&start.parameters, &mut single, batch, KEY, REQUEST).unwrap();
        assert!((found - nll).abs() < 1e-4 * nll.abs().max(1.0), "{method:?}: {found} {nll}");
        let worst = error(single.iter().map(|&g| f64::from(g)), &gradient);
        assert!(worst < 1e-4, "{method:?}: {worst}");

        let numeric: Vec<f64> = (0..wide.len())
            .map(|i| {
                let mut moved = wide.clone();
                moved[i] = wide[i] + 1e-6;
                let above = double(&start, &mut engine, &moved).0;
                moved[i] = wide[i] - 1e-6;
                (above - double(&start, &mut engine, &moved).0) / 2e-6
            })
            .collect();
        let worst = error(numeric.into_iter(), &gradient);
        assert!(worst < 1e-6, "{method:?}: {worst}");
    }
}

#[cfg(feature = "burn")]
#[test]
fn engines_agree_at_the_initial_values_of_every_pair_and_after_an_epoch() {
    for method in admitted() {
        let mut start = start(&method);
        let recipe = recipe(&method, &[]).unwrap();
        let trained = trained(&start.network, &recipe);
        for parameters in [start.parameters.clone(), trained] {
            start.parameters = parameters;
            let run = |engine: &mut dyn Engine| {
                let mut gradient = vec![0.0_f32; start.parameters.len()];
                let batch = Batch { inputs: start.inputs.view(), targets: &start.targets };
                let nll = engine.nll(&start.parameters, &mut gradient, batch, KEY, REQUEST).unwrap();
                (nll, gradient)
            };
            let analytic = run(&mut AnalyticEngine::<f32>::new(start.network.clone()));
            let autodiff = run(&mut AutodiffEngine::new(start.network.clone(), Device::flex()));
            let gap = (analytic.0 - autodiff.0).abs() / analytic.0.abs().max(1.0);
            assert!(gap < 1e-4, "{method:?}: {} {}", analytic.0, autodiff.0);
            let expected: Vec<f64> = autodiff.1.iter().map(|&g| f64::from(g)).collect();
            let worst = error(analytic.1.iter().map(|&g| f64::from(g)), &expected);
            assert!(worst < 1e-4, "{method:?}: {worst}");
        }
    }
}

/// Mean and standard deviation of the locations' distance from one, on the scale on which they are drawn.
#[cfg(feature = "burn")]
fn moments(family: PosteriorFamily, domain: LocationDomain, trained: &[f32]) -> [f64; 2] {
    let distance = |&raw: &f32| match (family, domain) {
        (PosteriorFamily::LogNormal, _) => f64::from(raw),
        (_, LocationDomain::Positive) => domain.location(f64::from(raw)).ln(),
        (_, LocationDomain::Real) => f64::from(raw) - 1.0,
    };
    let values: Vec<f64> = trained.iter().map(distance).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64;
    [mean, variance.sqrt()]
}

#[cfg(feature = "burn")]
#[test]
fn layers_of_burn_start_by_the_same_law_inside_the_support_of_every_pair() {
    const WIDTH: usize = 4000;
    let device = Device::flex();
    for method in admitted() {
        let Method::Rank1(m) = &method else { continue };
        let config = FactorConfig { family: m.posterior, sign_init: m.sign_init, ..FactorConfig::default() };
        let factor = config.under(m.prior).init(1, WIDTH, 3, &device).unwrap();
        let host = |t: Tensor<2>| t.into_data().try_to_vec::<f32>().unwrap();

        let shape = NetworkShape::mlp(WIDTH, vec![], 1, Activation::Tanh, Likelihood::Gaussian);
        let one = Method::Rank1(Rank1 { members: 1, ..m.clone() });
        let network = Network::new(shape, &one).unwrap();
        let parameters = initialize(&network, SEED).unwrap();
        let trained = network.layers[0].input_factor.trained().unwrap();
        let (location, domain) = (trained.location, trained.domain());
        assert_eq!(factor.domain, domain, "{method:?}");
        for trained in [host(factor.location.val()), network.layout.slice(&parameters, location).to_vec()] {
            let [mean, std] = moments(m.posterior, domain, &trained);
            // Four standard errors of a mean and of a standard deviation of 4,000 numbers.
            assert!(mean.abs() < 0.032 && (std - 0.5).abs() < 0.0224, "{method:?}: {mean} {std}");
        }

        let mut noise = vec![0.0_f32; WIDTH];
        let (stream, at) = (NoiseStream::new(SEED, 77, 0), At { step: 0, member: 0, example: 0 });
        match m.posterior.noise_kind() {
            NoiseKind::Cauchy => stream.fill_cauchy(at, &mut noise),
            _ => stream.fill_normal(at, &mut noise),
        }
        let tensor = Tensor::<2>::from_data(TensorData::new(noise.clone(), [1, WIDTH]), &device);
        let draw = host(factor.draw(factor.noise_kind().map(|_| tensor), 1).unwrap());
        let positive = m.posterior.is_positive() || m.prior.is_positive();
        assert!(draw.iter().all(|d| d.is_finite() && (*d > 0.0 || !positive)), "{method:?}");
        // A trained scale of the prior is no part of a factor.
        if !m.prior.has_trainable_scale() {
            let kl = factor.kl(m.prior, Some(&noise)).unwrap().into_scalar::<f32>();
            assert!(kl.is_finite(), "{method:?}: {kl}");
        }
    }
}
