//! Two rank-1 layers in a Burn module of one's own, trained by plain autodiff and gradient descent.
//!
//! Prints the objective in nats per example every 250 steps, then the mean and the spread of the 4 members' predictions
//! inside and outside of the training range: the spread is larger outside.
#![allow(clippy::print_stdout)]

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Gradients, Tensor};
use rank1_models::Error;
use rank1_models::engine::DrawKey;
use rank1_models::layer::{DrawRows, FactorConfig, Rank1Linear, Rank1LinearConfig};
use rank1_priors::PriorSpec;

const MEMBERS: usize = 4;
const EXAMPLES: usize = 64;
const NOISE_STD: f32 = 0.1;

#[derive(Module, Debug)]
struct Net {
    hidden: Rank1Linear,
    output: Rank1Linear,
}

impl Net {
    fn new(device: &Device) -> Result<Self, Error> {
        let factor = Some(FactorConfig { initial_std: 0.1, ..FactorConfig::default() });
        let layer = |d_in, d_out, seed| {
            let config = Rank1LinearConfig::new(d_in, d_out, MEMBERS).with_seed(seed);
            Rank1LinearConfig { input_factor: factor, output_factor: factor, ..config }.init(device)
        };
        Ok(Self { hidden: layer(1, 32, 1)?, output: layer(32, 1, 2)? })
    }

    /// Rows `[K*B, 1]`, member by member; every row draws its own factors.
    fn forward(&self, x: Tensor<2>, step: u32) -> Result<Tensor<2>, Error> {
        let key = DrawKey { seed: 7, step, first_sample: 0, first_example: 0 };
        let n_examples = x.dims()[0] / MEMBERS;
        let rows = |layer| DrawRows { key, layer, n_samples: 1, n_members: MEMBERS, n_examples };
        let h = self.hidden.forward(x, &self.hidden.noise(&rows(0))?)?.tanh();
        self.output.forward(h, &self.output.noise(&rows(1))?)
    }

    fn kl(&self) -> Result<Tensor<1>, Error> {
        let prior = PriorSpec::Normal { mean: 1.0, std: 0.3 };
        Ok(self.hidden.kl(prior)? + self.output.kl(prior)?)
    }
}

/// One step of gradient descent on every parameter of a module.
struct Descent<'a>(&'a Gradients, f32);

impl ModuleMapper for Descent<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (gradients, rate) = (self.0, self.1);
        param.map(|value| match value.grad(gradients) {
            Some(gradient) => Tensor::from_inner(value.inner() - gradient * rate).require_grad(),
            None => value,
        })
    }
}

fn main() -> Result<(), Error> {
    let device = Device::flex().autodiff();
    // y = sin(3 x) on [-1, 1], the same examples for every member.
    let grid: Vec<f32> = (0..EXAMPLES).map(|i| 2.0 * i as f32 / (EXAMPLES - 1) as f32 - 1.0).collect();
    let x = Tensor::<1>::from_floats(grid.as_slice(), &device).reshape([EXAMPLES, 1]).repeat_dim(0, MEMBERS);
    let y = (x.clone() * 3.0).sin();
    let mut net = Net::new(&device)?;
    for step in 0..=1500 {
        let residual = (net.forward(x.clone(), step)? - y.clone()) / NOISE_STD;
        let nll = (residual.square() * 0.5).mean();
        let kl = net.kl()? / EXAMPLES as f32;
        let objective = nll.clone() + kl.clone();
        if step % 250 == 0 {
            println!(
                "step {step:4}  nll {:8.3}  kl {:6.3}",
                nll.into_scalar::<f32>(),
                kl.into_scalar::<f32>()
            );
        }
        let gradients = objective.backward();
        net = net.map(&mut Descent(&gradients, 1e-3));
    }
    for at in [0.5_f32, 2.0, 4.0] {
        let x = Tensor::<2>::full([MEMBERS * 100, 1], at, &device);
        let outputs = net.forward(x, u32::MAX)?.inner();
        let spread = outputs.clone().var(0).sqrt().into_scalar::<f32>();
        println!("x {at:4.1}  mean {:6.3}  spread {spread:6.3}", outputs.mean().into_scalar::<f32>());
    }
    Ok(())
}
