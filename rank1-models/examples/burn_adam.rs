//! A Burn network of one's own, a layer of Burn's and two rank-1 layers, trained by Burn's Adam.
//!
//! Prints the parts of the objective in nats per example every 200 steps, the NLL of held-out rows, then mean, aleatoric and
//! epistemic standard deviation: the epistemic part is many times larger in the gap between the rows.
#![allow(clippy::print_stdout)]

use ndarray::Array1;
use rank1_core::likelihood::Likelihood;
use rank1_core::metrics::decompose_variance;
use rank1_core::noise::{At, NoiseStream};
use rank1_core::objective::{MemberKl, NllForm};
use rank1_core::targets::Targets;
use rank1_models::Error;
use rank1_models::burn::nn::{Linear, LinearConfig};
use rank1_models::burn::optim::{AdamConfig, GradientsParams};
use rank1_models::burn::tensor::{Device, Tensor, activation};
use rank1_models::burn::{self, module::Module};
use rank1_models::layer::{
    FactorConfig, LayerStreams, Pass, Rank1Linear, Rank1LinearConfig, gaussian_predictive, kl_of, mean_nll,
};
use rank1_priors::PriorSpec;

const MEMBERS: usize = 4;
const SEED: u64 = 7;
const LIKELIHOOD: Likelihood = Likelihood::HeteroscedasticGaussian;
const PRIOR: PriorSpec = PriorSpec::Normal { mean: 1.0, std: 0.3 };

/// A layer of Burn's and two with factors for each member.
#[derive(Module, Debug)]
struct Net {
    first: Linear,
    hidden: Rank1Linear,
    output: Rank1Linear,
}

impl Net {
    fn new(streams: &mut LayerStreams) -> Result<Self, Error> {
        let factor = FactorConfig { initial_std: 0.1, ..FactorConfig::default() };
        let first = LinearConfig::new(1, 16).init(streams.device());
        let rank1 = |d_in, d_out| Rank1LinearConfig::new(d_in, d_out, MEMBERS).with_factors(factor);
        let (hidden, output) = (rank1(16, 32).init(streams)?, rank1(32, 2).init(streams)?);
        Ok(Self { first, hidden, output })
    }

    /// Rows `[B, 1]` to means and unconstrained noise scales `[S*K*B, 2]`.
    fn forward(&self, x: Tensor<2>, pass: &Pass) -> Result<Tensor<2>, Error> {
        let h = activation::tanh(self.first.forward(pass.tile(x)?));
        let h = activation::tanh(self.hidden.forward(h, pass)?);
        self.output.forward(h, pass)
    }
}

/// Rows of y = sin(3 x) + 0.1 noise on [-1.5, -0.5] and [0.5, 1.5].
fn rows(n: usize, seed: u64) -> (Vec<f32>, Array1<f64>) {
    let mut noise = vec![0.0; n];
    NoiseStream::new(seed, 0, 0).fill_normal(At { step: 0, member: 0, example: 0 }, &mut noise);
    let x = |i: usize| 2.0 * i as f32 / n as f32 - if 2 * i < n { 1.5 } else { 0.5 };
    let x: Vec<f32> = (0..n).map(x).collect();
    let y = x.iter().zip(&noise).map(|(x, n)| f64::from((3.0 * x).sin() + 0.1 * n)).collect();
    (x, y)
}

fn column(values: &[f32], device: &Device) -> Tensor<2> {
    Tensor::<1>::from_floats(values, device).reshape([values.len(), 1])
}

fn main() -> Result<(), Error> {
    let device = Device::flex().autodiff();
    device.seed(SEED); // The initial values of Burn's own layer.
    let mut net = Net::new(&mut LayerStreams::new(SEED, &device))?;
    let mut adam = AdamConfig::new().init();
    let (x, y) = rows(100, 1);
    let (x, y) = (column(&x, &device), Targets::values(y)?);
    for step in 0..=1000 {
        let pass = Pass::training(SEED, step, MEMBERS);
        let outputs = net.forward(x.clone(), &pass)?;
        let nll = mean_nll(LIKELIHOOD, outputs, &y, None, &pass, NllForm::AverageNll)?;
        let kl = kl_of(&[&net.hidden, &net.output], PRIOR, MemberKl::Mean, y.len(), &pass)?;
        let gradients = (nll.clone() + kl.clone()).backward();
        net = adam.step(0.01, net.clone(), GradientsParams::from_grads(gradients, &net));
        if step % 200 == 0 {
            let [nll, kl] = [nll, kl].map(Tensor::into_scalar::<f32>);
            println!("step {step:4}  nll {nll:7.3}  kl {kl:6.3}");
        }
    }
    let (net, device) = (net.valid(), Device::flex());
    let pass = Pass::prediction(SEED, 32, MEMBERS);
    let predict = |x: &[f32]| -> Result<_, Error> {
        gaussian_predictive(net.forward(column(x, &device), &pass)?, None, &pass)
    };
    let (x, y) = rows(50, 2);
    println!("held-out NLL {:.3}", -predict(&x)?.log_density(y.view())?.sum() / y.len() as f64);
    let at = [-2.0, -1.0, 0.0, 1.0, 2.0];
    let mixture = predict(&at)?;
    let (mean, parts) = (mixture.mean(), decompose_variance(&mixture));
    for (i, x) in at.iter().enumerate() {
        let [aleatoric, epistemic] = [&parts.aleatoric, &parts.epistemic].map(|variance| variance[i].sqrt());
        println!("x {x:4.1}  mean {:6.3}  aleatoric {aleatoric:5.3}  epistemic {epistemic:5.3}", mean[i]);
    }
    Ok(())
}
