//! Initial values of layer parameters from a seed; the distributions are in `rank1-priors`.

use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use rank1_priors::{Error, LocationDomain, LocationInit, PosteriorFamily, ScaleInit, WeightInit};

use crate::method::SignInit;

/// Seeds of the parts of one layer, well separated for neighbouring seeds.
pub(super) fn subseed(seed: u64, part: u64) -> u64 {
    // One step of SplitMix64 on the pair.
    let mut z = seed.wrapping_mul(4).wrapping_add(part).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
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

/// Shared weights.
pub(super) fn he_normal(d_in: usize, d_out: usize, seed: u64) -> Result<Vec<f32>, Error> {
    filled(d_in * d_out, |out| WeightInit::HeNormal.fill(out, d_in, d_out, &mut rng(seed)))
}

/// Uniform weights scaled by both fans.
pub(super) fn glorot_uniform(d_in: usize, d_out: usize, seed: u64) -> Result<Vec<f32>, Error> {
    filled(d_in * d_out, |out| WeightInit::GlorotUniform.fill(out, d_in, d_out, &mut rng(seed)))
}

/// Orthonormal rows, or columns where there are more rows than columns, uniform over all such matrices.
pub(super) fn orthogonal(rows: usize, columns: usize, seed: u64) -> Result<Vec<f32>, Error> {
    filled(rows * columns, |out| WeightInit::Orthogonal.fill(out, rows, columns, &mut rng(seed)))
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
