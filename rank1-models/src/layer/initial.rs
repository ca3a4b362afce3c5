//! Initial values of layer parameters from a seed; the distributions are in `rank1-priors`.

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use rank1_priors::{Error, LocationDomain, LocationInit, PosteriorFamily, ScaleInit, WeightInit};

use super::streams::mixed;
use crate::method::SignInit;

/// Seeds of the parts of one layer, well separated for neighbouring seeds.
pub(super) fn subseed(seed: u64, part: u64) -> u64 {
    // One step of SplitMix64 on the pair.
    mixed(seed.wrapping_mul(4).wrapping_add(part).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

pub(super) fn tensor(values: Vec<f32>, shape: [usize; 2], device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Factor locations, or the unconstrained numbers that positive ones are trained by.
pub(super) fn locations(
    (family, domain): (PosteriorFamily, LocationDomain),
    init: SignInit,
    n: usize,
    seed: u64,
) -> Result<Vec<f32>, Error> {
    let init = LocationInit::for_factor(family, domain, init)?;
    filled(n, |out| init.fill_raw(domain, out, &mut rng(subseed(seed, 0))))
}

/// Unconstrained factor scales.
pub(super) fn raw_scales(family: PosteriorFamily, std: f64, n: usize, seed: u64) -> Result<Vec<f32>, Error> {
    filled(n, |out| ScaleInit::from_scale(std, family)?.fill_raw(out, &mut rng(subseed(seed, 1))))
}

/// A shared weight, `[d_in, d_out]`.
pub(super) fn weight(
    init: WeightInit,
    [d_in, d_out]: [usize; 2],
    seed: u64,
    device: &Device,
) -> Result<Param<Tensor<2>>, Error> {
    let values = filled(d_in * d_out, |out| init.fill(out, d_in, d_out, &mut rng(seed)))?;
    Ok(Param::from_tensor(tensor(values, [d_in, d_out], device)))
}

/// A truncated normal of given parameters.
pub(super) fn truncated_normal(mean: f64, std: f64, n: usize, seed: u64) -> Result<Vec<f32>, Error> {
    filled(n, |out| ScaleInit { raw: mean, jitter: std }.fill_raw(out, &mut rng(seed)))
}

fn rng(seed: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed)
}

fn filled(n: usize, fill: impl FnOnce(&mut [f32]) -> Result<(), Error>) -> Result<Vec<f32>, Error> {
    let mut values = vec![0.0; n];
    fill(&mut values)?;
    Ok(values)
}
