//! Initial parameters of a network, drawn from its seed.
//!
//! He-normal weights, zero biases; factors and scales as the method says. Not for layers of Burn, which have
//! their own constructors.

use std::convert::Infallible;

use rand::TryRng;
use rank1_core::noise::philox4x32;
use rank1_priors::{
    Link, LocationDomain, LocationInit, PosteriorFamily, ScaleInit, WeightInit, scale_to_raw,
};

use crate::error::Error;
use crate::network::{
    FactorPlan, FactorStart, LayerPlan, Network, Product, TrainedFactor, WeightPlan, WeightStart,
};
use crate::operation;
use crate::params::ParamId;

/// Marks counters of initial values, apart from those of draws and shuffles.
const INIT: u32 = 0x494e_4954;

/// Start of the unconstrained observation noise: softplus gives half a normalized standard deviation.
const INITIAL_NOISE: f64 = 0.5;

/// A counter-based generator: word `i` of parameter `p` depends on the seed, `p` and `i` only.
#[derive(Debug, Clone)]
pub(crate) struct PhiloxRng {
    key: [u32; 2],
    parameter: u32,
    block: u32,
    words: [u32; 4],
    used: usize,
}

impl PhiloxRng {
    fn new(seed: u64, parameter: u32) -> Self {
        Self { key: [seed as u32, (seed >> 32) as u32], parameter, block: 0, words: [0; 4], used: 4 }
    }
}

impl TryRng for PhiloxRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        if self.used == 4 {
            self.words = philox4x32([self.block, self.parameter, 0, INIT], self.key);
            self.block += 1;
            self.used = 0;
        }
        self.used += 1;
        Ok(self.words[self.used - 1])
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let low = u64::from(self.try_next_u32()?);
        Ok(low | u64::from(self.try_next_u32()?) << 32)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for chunk in out.chunks_mut(4) {
            let word = self.try_next_u32()?.to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        Ok(())
    }
}

/// Start of a trained prior scale: the reference code's softplus^-1(1).
const INITIAL_PRIOR_SCALE: f64 = 1.0;

/// The flat parameters of `network` before training.
///
/// Weights start as their plan says (He-normal but for recurrent layers), biases at zero (forget gates at one),
/// normalizations as the identity, factors and scales as the plan says.
/// Each parameter has its own stream, so that adding one changes no other.
///
/// # Errors
/// Settings of initializers that no recipe check lets pass.
pub fn initialize(network: &Network, seed: u64) -> Result<Vec<f32>, Error> {
    let mut init = Initializer { network, seed, flat: vec![0.0; network.layout.len()] };
    for layer in &network.layers {
        let rng = &mut init.rng(layer.weight);
        let start = match layer.start {
            WeightStart::He => WeightInit::HeNormal,
            WeightStart::Glorot => WeightInit::GlorotUniform,
            WeightStart::Orthogonal => WeightInit::Orthogonal,
            WeightStart::Normal(std) => WeightInit::Normal { std },
            WeightStart::FanIn => WeightInit::FanInUniform,
        };
        start.fill(init.slice(layer.weight), layer.fan_in(), layer.d_out, rng)?;
        if let (WeightStart::FanIn, Some(id)) = (layer.start, layer.bias) {
            init.bias(id, layer)?;
        }
        if let WeightPlan::MeanField { scale, initial_std, .. } = layer.weight_plan {
            init.scale(scale, initial_std, PosteriorFamily::Normal)?;
        }
        init.factor(&layer.input_factor)?;
        init.factor(&layer.output_factor)?;
    }
    for node in &network.nodes {
        operation::start(&mut init, node.op)?;
    }
    if let Some(id) = network.noise {
        let raw = scale_to_raw(INITIAL_NOISE)?;
        init.slice(id).fill(raw as f32);
    }
    Ok(init.flat)
}

/// The flat parameters while they are filled.
pub(crate) struct Initializer<'a> {
    network: &'a Network,
    seed: u64,
    flat: Vec<f32>,
}

impl<'a> Initializer<'a> {
    /// The network that is initialized.
    pub(crate) fn network(&self) -> &'a Network {
        self.network
    }

    /// The values of a parameter.
    pub(crate) fn slice(&mut self, id: ParamId) -> &mut [f32] {
        self.network.layout.slice_mut(&mut self.flat, id)
    }

    /// A bias as wide as its weight: all rows alike where members share that, so that only factors tell them apart.
    fn bias(&mut self, id: ParamId, layer: &LayerPlan) -> Result<(), Error> {
        let rng = &mut self.rng(id);
        let out = self.slice(id);
        if matches!(layer.product, Product::PerMember(_)) {
            return Ok(WeightInit::FanInUniform.fill(out, layer.fan_in(), 1, rng)?);
        }
        let (first, others) = out.split_at_mut(layer.d_out);
        WeightInit::FanInUniform.fill(first, layer.fan_in(), 1, rng)?;
        others.chunks_exact_mut(layer.d_out).for_each(|row| row.copy_from_slice(first));
        Ok(())
    }

    /// The generator of a parameter.
    pub(crate) fn rng(&self, id: ParamId) -> PhiloxRng {
        PhiloxRng::new(self.seed, id.index() as u32)
    }

    fn scale(&mut self, id: ParamId, std: f64, family: PosteriorFamily) -> Result<(), Error> {
        let rng = &mut self.rng(id);
        Ok(ScaleInit::from_scale(std, family)?.fill_raw(self.slice(id), rng)?)
    }

    fn factor(&mut self, plan: &FactorPlan) -> Result<(), Error> {
        let Some(factor) = plan.trained() else { return Ok(()) };
        match &factor.start {
            FactorStart::Method(sign_init) => {
                self.location(factor.location, (factor.family, factor.domain()), *sign_init)?;
            }
            FactorStart::Chunks { widths, normal } => self.chunks(factor, widths, *normal)?,
        }
        if let Some(id) = factor.scale {
            self.scale(id, factor.initial_std, factor.family)?;
        }
        if let Some(id) = factor.prior.and_then(|prior| prior.parameter) {
            let raw = scale_to_raw(INITIAL_PRIOR_SCALE)?;
            self.slice(id).fill(raw as f32);
        }
        Ok(())
    }

    /// One value for each member and chunk; the prior is centered there.
    fn chunks(&mut self, factor: &TrainedFactor, widths: &[usize], normal: bool) -> Result<(), Error> {
        if factor.domain() != LocationDomain::Real || factor.family.law().link != Link::Identity {
            return Err(Error::Architecture {
                kind: "tabm",
                expected: "a posterior on the whole line, because the first factors start around zero",
                got: factor.family.name().to_owned(),
            });
        }
        let init = match normal {
            true => LocationInit::AroundZero { std: 1.0 },
            false => LocationInit::RandomSign { probability: 0.5 },
        };
        let rng = &mut self.rng(factor.location);
        let mut values = vec![0.0_f32; widths.len()];
        let width = widths.iter().sum::<usize>().max(1);
        for member in self.slice(factor.location).chunks_exact_mut(width) {
            init.fill(&mut values, rng)?;
            let repeated = values.iter().zip(widths).flat_map(|(&v, &width)| std::iter::repeat_n(v, width));
            member.iter_mut().zip(repeated).for_each(|(entry, v)| *entry = v);
        }
        if let Some(center) = factor.prior.and_then(|prior| prior.center) {
            let start = self.slice(factor.location).to_vec();
            self.slice(center).copy_from_slice(&start);
        }
        Ok(())
    }

    /// Locations inside the support; positive ones as the unconstrained numbers that are trained.
    fn location(
        &mut self,
        id: ParamId,
        (family, domain): (PosteriorFamily, LocationDomain),
        sign_init: f64,
    ) -> Result<(), Error> {
        let rng = &mut self.rng(id);
        let init = LocationInit::for_factor(family, domain, sign_init)?;
        let out = self.slice(id);
        init.fill_raw(domain, out, rng)?;
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rank1_core::likelihood::Likelihood;
    use rank1_priors::PriorSpec;

    use super::*;
    use crate::method::{BatchEnsemble, Method, Rank1};
    use crate::network::{Activation, NetworkShape};

    const NORMAL: PriorSpec = PriorSpec::Normal { mean: 1.0, std: 0.1 };

    fn network(method: &Method) -> Network {
        let shape = NetworkShape::mlp(7, vec![11], 3, Activation::Relu, Likelihood::Categorical);
        Network::new(shape, method).unwrap()
    }

    /// Trained numbers of the locations of the first input factor.
    fn locations(network: &Network, flat: &[f32]) -> (ParamId, Vec<f32>) {
        let location = network.layers[0].input_factor.trained().unwrap().location;
        (location, network.layout.slice(flat, location).to_vec())
    }

    #[test]
    fn factors_that_may_be_negative_start_by_the_same_numbers_as_ever() {
        let cauchy = PriorSpec::Cauchy { location: 1.0, scale: 0.1 };
        let mut methods = vec![];
        for sign_init in [-0.5, 0.0, 0.75] {
            methods.push(Method::BatchEnsemble(BatchEnsemble { members: 3, sign_init }));
            for (posterior, prior) in [
                (PosteriorFamily::Normal, NORMAL),
                (PosteriorFamily::Cauchy, cauchy),
                (PosteriorFamily::NormalSharedScale, NORMAL),
                (PosteriorFamily::NormalFixedScale { scale: 0.1 }, NORMAL),
                (PosteriorFamily::PointMass, NORMAL),
                (PosteriorFamily::PointMass, cauchy),
            ] {
                methods.push(Method::Rank1(Rank1 { posterior, prior, sign_init, ..Rank1::default() }));
            }
        }
        for method in methods {
            let sign_init = match &method {
                Method::BatchEnsemble(m) => m.sign_init,
                Method::Rank1(m) => m.sign_init,
                _ => unreachable!(),
            };
            let network = network(&method);
            let (id, found) = locations(&network, &initialize(&network, 5).unwrap());
            let mut expected = vec![0.0_f32; found.len()];
            let init = LocationInit::from_random_sign_init(sign_init).unwrap();
            init.fill(&mut expected, &mut PhiloxRng::new(5, id.index() as u32)).unwrap();
            assert_eq!(found, expected, "{method:?}");
            assert!(network.layout.spec(id).name.ends_with(".location"));
        }
    }

    #[test]
    fn positive_locations_are_named_and_stored_as_what_is_trained() {
        for (posterior, prior) in [
            (PosteriorFamily::HalfCauchy, PriorSpec::HalfCauchy { scale: 1.0 }),
            (PosteriorFamily::PointMass, PriorSpec::LogNormal { location: 0.0, scale: 0.1 }),
        ] {
            let at = |sign_init| {
                let method = Method::Rank1(Rank1 { posterior, prior, sign_init, ..Rank1::default() });
                let network = network(&method);
                let (id, raw) = locations(&network, &initialize(&network, 5).unwrap());
                assert!(network.layout.spec(id).name.ends_with(".raw_location"));
                raw.iter().map(|&raw| LocationDomain::Positive.location(raw)).collect::<Vec<f32>>()
            };
            assert!(at(-0.0).iter().chain(&at(1.0)).all(|l| (l - 1.0).abs() < 1e-6));
            let spread = at(-0.5);
            assert!(spread.iter().any(|&l| l < 0.8) && spread.iter().any(|&l| l > 1.2));
        }
    }
}
