//! Trains a rank-1 Gaussian mixture on a noisy sine with a gap and prints mean, aleatoric and epistemic standard
//! deviation inside the data, in the gap and outside: the epistemic part grows where there are no rows.
#![allow(clippy::print_stdout)]

use ndarray::{Array1, Array2, Axis};
use rank1_core::metrics::decompose_variance;
use rank1_core::noise::{At, NoiseStream};
use rank1_core::targets::Targets;
use rank1_models::predict::Predictive;
use rank1_models::recipe::Recipe;
use rank1_models::{Error, Model};

/// 200 rows of y = sin(3 x) + 0.1 noise on [-1.5, -0.5] and [0.5, 1.5].
fn rows() -> Result<(Array2<f32>, Targets), Error> {
    let mut noise = vec![0.0; 200];
    NoiseStream::new(1, 0, 0).fill_normal(At { step: 0, member: 0, example: 0 }, &mut noise);
    let x: Array1<f32> =
        (0..200).map(|i| if i < 100 { -1.5 + 0.01 * i as f32 } else { 0.01 * i as f32 - 0.5 }).collect();
    let y = x.iter().zip(&noise).map(|(x, n)| f64::from((3.0 * x).sin() + 0.1 * n)).collect();
    Ok((x.insert_axis(Axis(1)), Targets::values(y)?))
}

fn main() -> Result<(), Error> {
    let recipe = Recipe::mlp([50])
        .set("model.activation", "tanh")
        .rank1(4)
        .normal_prior(1.0, 0.3)
        .adam(0.01)
        .steps(4000)
        .batch_size(32)
        .set("train.kl_annealing", 0.5)
        .samples(32)
        .check()?;
    let (x, y) = rows()?;
    let mut model = Model::fit(x.view(), &y, &recipe)?;
    let at = [-2.0_f32, -1.0, 0.0, 1.0, 2.0];
    let predictive = model.predict(Array1::from_iter(at).insert_axis(Axis(1)).view())?;
    let Predictive::Values { mixture, .. } = &predictive else { return Ok(()) };
    let (mean, parts) = (mixture.mean(), decompose_variance(mixture));
    println!("{:>5} {:>7} {:>7} {:>10} {:>10}", "x", "sin 3x", "mean", "aleatoric", "epistemic");
    for (i, x) in at.iter().enumerate() {
        let (aleatoric, epistemic) = (parts.aleatoric[i].sqrt(), parts.epistemic[i].sqrt());
        println!("{x:5.1} {:7.3} {:7.3} {aleatoric:10.3} {epistemic:10.3}", (3.0 * x).sin(), mean[i]);
    }
    Ok(())
}
