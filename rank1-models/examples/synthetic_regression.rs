//! Trains a rank-1 Gaussian mixture on a noisy sine with a gap and prints mean, aleatoric and epistemic standard
//! deviation inside the data, in the gap and outside: the epistemic part grows outside, hardly in the gap.
#![allow(clippy::print_stdout)]

use ndarray::{Array1, Array2};
use rank1_core::likelihood::Likelihood;
use rank1_core::metrics::decompose_variance;
use rank1_core::noise::{At, NoiseStream};
use rank1_core::targets::Targets;
use rank1_models::Error;
use rank1_models::device::Compute;
use rank1_models::fit::{FitOptions, TrainingData, fit};
use rank1_models::network::{Activation, NetworkShape};
use rank1_models::predict::{Predictive, predict};
use rank1_models::recipe::parse;

const RECIPE: &str = r#"
name = "example/sine"
data = { set = "sine", validation = 0.0 }
model = { kind = "mlp", hidden = [50], activation = "tanh" }
predict = { samples = 32 }

[method]
kind = "rank1"
members = 4
prior = { family = "normal", mean = 1.0, std = 0.3 }
member_kl = "mean"

[train]
steps = 4000
batch_size = 32
optimizer = { kind = "adam", learning_rate = 0.01 }
kl_annealing = 0.5
"#;

/// 200 rows of y = sin(3 x) + 0.1 noise on [-1.5, -0.5] and [0.5, 1.5].
fn rows() -> Result<(Array2<f32>, Targets), Error> {
    let mut noise = vec![0.0; 200];
    NoiseStream::new(1, 0, 0).fill_normal(At { step: 0, member: 0, example: 0 }, &mut noise);
    let x: Array1<f32> =
        (0..200).map(|i| if i < 100 { -1.5 + 0.01 * i as f32 } else { 0.01 * i as f32 - 0.5 }).collect();
    let y = x.iter().zip(&noise).map(|(x, n)| f64::from((3.0 * x).sin() + 0.1 * n)).collect();
    Ok((x.insert_axis(ndarray::Axis(1)), Targets::values(y)?))
}

fn main() -> Result<(), Error> {
    let recipe = parse(RECIPE, &[])?;
    let shape = NetworkShape::mlp(1, vec![50], 2, Activation::Tanh, Likelihood::HeteroscedasticGaussian);
    let (inputs, targets) = rows()?;
    let data = TrainingData { inputs: inputs.into(), targets, validation: Vec::new(), augmentation: None };
    let options =
        FitOptions { threads: 1, compute: &Compute::default(), checkpoint: None, progress: &|_| {} };
    let fitted = fit(&recipe, &shape, &data, options)?;
    let settings = recipe.get();
    let mut engines: Vec<_> = fitted
        .networks
        .iter()
        .map(|n| Compute::default().engine(settings.train.engine, &n.network))
        .collect();
    let at = [-2.0_f32, -1.0, 0.0, 1.0, 2.0];
    let inputs = Array1::from_vec(at.to_vec()).insert_axis(ndarray::Axis(1));
    let predictive = predict(&fitted.networks, &mut engines, inputs.view(), settings.predict.samples, 1024)?;
    let Predictive::Values { mixture, .. } = &predictive else { return Ok(()) };
    let (mean, parts) = (mixture.mean(), decompose_variance(mixture));
    println!("{:>5} {:>7} {:>7} {:>10} {:>10}", "x", "sin 3x", "mean", "aleatoric", "epistemic");
    for (i, x) in at.iter().enumerate() {
        let (aleatoric, epistemic) = (parts.aleatoric[i].sqrt(), parts.epistemic[i].sqrt());
        println!("{x:5.1} {:7.3} {:7.3} {aleatoric:10.3} {epistemic:10.3}", (3.0 * x).sin(), mean[i]);
    }
    Ok(())
}
