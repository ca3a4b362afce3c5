//! The parts of the objective that depend on parameters only: KL divergences and the L2 penalty.
//!
//! No likelihood here; engines compute that.

use rank1_core::Real as _;
use rank1_core::noise::{At, NoiseStream};
use rank1_priors::{
    KlKind, KlValue, LocationDomain, NoiseKind, PosteriorFamily, PriorSpec, SCALE_FLOOR, Scales,
    kl_and_grad_into, kl_kind, raw_to_scale,
};
use rayon::prelude::*;

use crate::engine::Site;
use crate::error::Error;
use crate::network::{FactorPlan, Network, WeightPlan};
use crate::optimizer::{add_multiple, sum_of_squares};
use crate::params::{ParamGroup, ParamId};

/// Parameters from which on the divergences are shared among threads.
const PARALLEL_PARAMETERS: usize = 1 << 16;

/// Multiples of the parts, and the key of Monte-Carlo draws.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PenaltyWeights {
    /// Multiple of the KL in the objective (annealing weight over N).
    pub kl: f64,
    /// Multiple of the posterior's entropy that is taken off the KL (Trinh et al. 2022).
    pub entropy: f64,
    /// L2 coefficient.
    pub l2: f64,
    /// Whether L2 takes in the scales and shifts of normalizations.
    pub l2_norms: bool,
    /// Seed of the network.
    pub seed: u64,
    /// Optimizer step.
    pub step: u32,
}

/// Values of the parts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PenaltyParts {
    /// KL of the whole posterior in nats, before any weight; [`Penalty::kl_by_layer`] has its summands.
    pub kl: f64,
    /// Minus `entropy` times the entropy of the posterior in nats, reduced over members as the KL is; without its weight.
    pub entropy: f64,
    /// `l2 * sum(v^2)` over weights and biases.
    pub l2: f64,
}

/// One divergence term: a slice of locations with its scales and prior.
#[derive(Debug, Clone, PartialEq)]
struct Term {
    layer: usize,
    site: Site,
    family: PosteriorFamily,
    prior: PriorSpec,
    location: ParamId,
    domain: LocationDomain,
    scale: Option<ParamId>,
    prior_parameter: Option<ParamId>,
    /// Where the location started, if its prior is centered there.
    center: Option<ParamId>,
    factor: f64,
}

/// The divergence of one term with the memory behind it, kept from step to step.
#[derive(Debug, Default)]
struct TermBuffers {
    /// Constrained locations; empty where what is trained are the locations.
    location: Vec<f32>,
    scale: Vec<f32>,
    prior_scale: Vec<f32>,
    noise: Vec<f32>,
    slope: Vec<f32>,
    kl: KlValue<f32>,
    /// Minus the entropy: the divergence from the improper uniform prior; zero where no multiple of it is asked for.
    neg_entropy: KlValue<f32>,
    failed: Option<Error>,
}

/// The penalty of one network.
#[derive(Debug)]
pub struct Penalty {
    network: Network,
    terms: Vec<Term>,
    buffers: Vec<TermBuffers>,
    kl_by_layer: Vec<f64>,
}

impl Penalty {
    /// Collects the divergence terms of a network.
    #[must_use]
    pub fn new(network: &Network) -> Self {
        let factor = network.member_kl.weight(network.n_members);
        let mut terms = Vec::new();
        for (index, layer) in network.layers.iter().enumerate() {
            for (plan, site) in [(&layer.input_factor, Site::InputKl), (&layer.output_factor, Site::OutputKl)]
            {
                let Some(trained) = plan.trained() else { continue };
                let Some(prior) = trained.prior else { continue };
                terms.push(Term {
                    layer: index,
                    site,
                    family: trained.family,
                    prior: prior.spec,
                    location: trained.location,
                    domain: trained.domain(),
                    scale: trained.scale,
                    prior_parameter: prior.parameter,
                    center: prior.center,
                    factor,
                });
            }
            if let WeightPlan::MeanField { scale, prior, .. } = &layer.weight_plan {
                terms.push(Term {
                    layer: index,
                    site: Site::WeightKl,
                    family: PosteriorFamily::Normal,
                    prior: *prior,
                    location: layer.weight,
                    domain: LocationDomain::Real,
                    scale: Some(*scale),
                    prior_parameter: None,
                    center: None,
                    factor: 1.0,
                });
            }
        }
        let buffers = terms.iter().map(|_| TermBuffers::default()).collect();
        Self { network: network.clone(), terms, buffers, kl_by_layer: vec![0.0; network.layers.len()] }
    }

    /// KL of each layer in nats at the last [`Penalty::add_gradient`], reduced over members as the method says, before
    /// any weight; zeros before the first.
    #[must_use]
    pub fn kl_by_layer(&self) -> &[f64] {
        &self.kl_by_layer
    }

    /// The parts at `parameters`; their weighted gradient is added to `gradient`.
    ///
    /// # Errors
    /// Scales or locations that leave the domain of a divergence, which only a diverged run reaches.
    pub fn add_gradient(
        &mut self,
        parameters: &[f32],
        gradient: &mut [f32],
        weights: PenaltyWeights,
    ) -> Result<PenaltyParts, Error> {
        let network = &self.network;
        let divergence = |(term, buffers): (&Term, &mut TermBuffers)| {
            buffers.failed = term.divergence(network, parameters, weights, buffers).err();
        };
        if parameters.len() < PARALLEL_PARAMETERS {
            self.terms.iter().zip(&mut self.buffers).for_each(divergence);
        } else {
            self.terms.par_iter().zip(&mut self.buffers).for_each(divergence);
        }
        self.kl_by_layer.fill(0.0);
        let mut entropy = 0.0;
        for (term, buffers) in self.terms.iter().zip(&mut self.buffers) {
            if let Some(error) = buffers.failed.take() {
                return Err(error);
            }
            self.kl_by_layer[term.layer] += term.add(&self.network, buffers, parameters, gradient, weights);
            entropy += weights.entropy * term.factor * buffers.neg_entropy.value;
        }
        let l2 = if weights.l2 > 0.0 { self.add_l2(parameters, gradient, weights) } else { 0.0 };
        Ok(PenaltyParts { kl: self.kl_by_layer.iter().sum(), entropy, l2 })
    }

    fn add_l2(&self, parameters: &[f32], gradient: &mut [f32], weights: PenaltyWeights) -> f64 {
        let (l2, mut sum) = (weights.l2, 0.0);
        for spec in self.network.layout.specs() {
            let penalized = match spec.group {
                ParamGroup::Weight | ParamGroup::Bias => true,
                ParamGroup::Norm => weights.l2_norms,
                _ => false,
            };
            if !penalized {
                continue;
            }
            let range = spec.range.clone();
            add_multiple(&mut gradient[range.clone()], 2.0 * l2 as f32, &parameters[range.clone()]);
            sum += sum_of_squares(&parameters[range]);
        }
        l2 * sum
    }

    /// Mean constrained scale of a random factor; none for any other.
    #[must_use]
    pub fn mean_scale(&self, plan: &FactorPlan, parameters: &[f32]) -> Option<f64> {
        let factor = plan.trained()?;
        if let Scales::Fixed(scale) = factor.family.law().scales {
            return Some(scale);
        }
        let raw = self.network.layout.slice(parameters, factor.scale?);
        Some(raw.iter().map(|&r| raw_to_scale(f64::from(r))).sum::<f64>() / raw.len() as f64)
    }
}

impl Term {
    /// The divergence with its gradients, before any weight.
    fn divergence(
        &self,
        network: &Network,
        parameters: &[f32],
        weights: PenaltyWeights,
        buffers: &mut TermBuffers,
    ) -> Result<(), Error> {
        let of = |id: Option<ParamId>| id.map_or(&[][..], |id| network.layout.slice(parameters, id));
        let mut location = of(Some(self.location));
        if self.domain == LocationDomain::Positive {
            constrain(location, &mut buffers.location);
            location = &buffers.location;
        }
        if self.center.is_some() {
            // As if the factor had started at one, as all others do; it is on the whole line.
            let trained = of(Some(self.location)).iter().zip(of(self.center));
            buffers.location.clear();
            buffers.location.extend(trained.map(|(&l, &center)| l - center + 1.0));
            location = &buffers.location;
        }
        constrain(of(self.scale), &mut buffers.scale);
        constrain(of(self.prior_parameter), &mut buffers.prior_scale);
        let stream = |draw| self.site.stream(weights.seed, self.layer, draw);
        let (len, noise) = (location.len(), &mut buffers.noise);
        let noise = monte_carlo_noise(self.family, self.prior, stream, weights.step, len, noise)?;
        let (prior_scale, scale) = (&buffers.prior_scale, &buffers.scale);
        let (family, noise) = (self.family, noise.then_some(&buffers.noise[..]));
        kl_and_grad_into(family, self.prior, prior_scale, location, scale, noise, &mut buffers.kl)?;
        if weights.entropy > 0.0 {
            let flat = PriorSpec::ImproperUniform;
            kl_and_grad_into(family, flat, &[], location, scale, None, &mut buffers.neg_entropy)?;
            let (kl, neg_entropy) = (&mut buffers.kl, &buffers.neg_entropy);
            add_multiple(&mut kl.d_loc, weights.entropy as f32, &neg_entropy.d_loc);
            add_multiple(&mut kl.d_scale, weights.entropy as f32, &neg_entropy.d_scale);
        }
        Ok(())
    }

    /// Adds the weighted gradient and returns the divergence, reduced over members.
    fn add(
        &self,
        network: &Network,
        buffers: &mut TermBuffers,
        parameters: &[f32],
        gradient: &mut [f32],
        weights: PenaltyWeights,
    ) -> f64 {
        let TermBuffers { slope, kl, .. } = buffers;
        let layout = &network.layout;
        let factor = (weights.kl * self.factor) as f32;
        if factor != 0.0 {
            // Of these the positive ones are functions of what is trained.
            let (free, positive) = match self.domain {
                LocationDomain::Real => (Some(self.location), None),
                LocationDomain::Positive => (None, Some(self.location)),
            };
            if let Some(id) = free {
                add_multiple(layout.slice_mut(gradient, id), factor, &kl.d_loc);
            }
            let constrained = [
                (positive, Some(&kl.d_loc)),
                (self.scale, Some(&kl.d_scale)),
                (self.prior_parameter, kl.d_prior.as_ref()),
            ];
            for (id, derivative) in constrained {
                let (Some(id), Some(derivative)) = (id, derivative) else { continue };
                slope.clear();
                slope.extend_from_slice(layout.slice(parameters, id));
                f32::sigmoid_in_place(slope);
                slope.iter_mut().zip(derivative).for_each(|(slope, &d)| *slope *= d);
                add_multiple(layout.slice_mut(gradient, id), factor, slope);
            }
        }
        kl.value * self.factor
    }
}

/// Standard noise of a Monte-Carlo divergence of `len` entries: fresh draws of a step, each from a stream of its own, not those of the
/// forward pass, not clipped. Whether there is any.
pub(crate) fn monte_carlo_noise(
    family: PosteriorFamily,
    prior: PriorSpec,
    stream: impl Fn(u32) -> NoiseStream,
    step: u32,
    len: usize,
    noise: &mut Vec<f32>,
) -> Result<bool, Error> {
    let KlKind::MonteCarlo { draws } = kl_kind(family, prior)? else { return Ok(false) };
    noise.clear();
    noise.resize(len * draws, 0.0);
    for (draw, out) in noise.chunks_exact_mut(len).enumerate() {
        let (stream, at) = (stream(draw as u32), At { step, member: 0, example: 0 });
        match family.noise_kind() {
            NoiseKind::Normal => stream.fill_normal(at, out),
            NoiseKind::Cauchy => stream.fill_cauchy(at, out),
            NoiseKind::Unused => {}
        }
    }
    Ok(true)
}

/// [`raw_to_scale`] of a whole slice, into `scale`.
fn constrain(raw: &[f32], scale: &mut Vec<f32>) {
    scale.clear();
    scale.extend_from_slice(raw);
    f32::softplus_in_place(scale);
    scale.iter_mut().for_each(|scale| *scale += SCALE_FLOOR as f32);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
