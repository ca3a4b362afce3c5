//! The parts of the objective that depend on parameters only: KL divergences and the L2 penalty.
//!
//! No likelihood here; engines compute that.

use rank1_core::Real as _;
use rank1_core::noise::At;
use rank1_priors::{
    KlKind, KlValue, NoiseKind, PosteriorFamily, PriorSpec, SCALE_FLOOR, kl_and_grad_with_prior_scale,
    kl_kind, raw_to_scale,
};
use rayon::prelude::*;

use crate::engine::Site;
use crate::error::Error;
use crate::network::{FactorPlan, Network, WeightPlan};
use crate::params::{ParamGroup, ParamId};

/// Parameters from which on the divergences are shared among threads.
const PARALLEL_PARAMETERS: usize = 1 << 16;

/// Multiples of the parts, and the key of Monte-Carlo draws.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PenaltyWeights {
    /// Multiple of the KL in the objective (annealing weight over N).
    pub kl: f64,
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
#[derive(Debug, Clone, PartialEq)]
pub struct PenaltyParts {
    /// KL of each layer in nats, reduced over members as the method says, before any weight.
    pub kl_by_layer: Vec<f64>,
    /// `l2 * sum(v^2)` over weights and biases.
    pub l2: f64,
}

impl PenaltyParts {
    /// KL of the whole posterior, nats.
    #[must_use]
    pub fn kl_total(&self) -> f64 {
        self.kl_by_layer.iter().sum()
    }
}

/// One divergence term: a slice of locations with its scales and prior.
#[derive(Debug, Clone, PartialEq)]
struct Term {
    layer: usize,
    site: Site,
    family: PosteriorFamily,
    prior: PriorSpec,
    location: ParamId,
    scale: Option<ParamId>,
    prior_parameter: Option<ParamId>,
    factor: f64,
}

/// The penalty of one network.
#[derive(Debug, Clone, PartialEq)]
pub struct Penalty {
    network: Network,
    terms: Vec<Term>,
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
                if let FactorPlan::Random { family, location, scale, prior, prior_parameter, .. } = plan {
                    terms.push(Term {
                        layer: index,
                        site,
                        family: *family,
                        prior: *prior,
                        location: *location,
                        scale: *scale,
                        prior_parameter: *prior_parameter,
                        factor,
                    });
                }
            }
            if let WeightPlan::MeanField { scale, prior, .. } = &layer.weight_plan {
                terms.push(Term {
                    layer: index,
                    site: Site::WeightKl,
                    family: PosteriorFamily::Normal,
                    prior: *prior,
                    location: layer.weight,
                    scale: Some(*scale),
                    prior_parameter: None,
                    factor: 1.0,
                });
            }
        }
        Self { network: network.clone(), terms }
    }

    /// The parts at `parameters`; their weighted gradient is added to `gradient`.
    ///
    /// # Errors
    /// Scales or locations that leave the domain of a divergence, which only a diverged run reaches.
    pub fn add_gradient(
        &self,
        parameters: &[f32],
        gradient: &mut [f32],
        weights: PenaltyWeights,
    ) -> Result<PenaltyParts, Error> {
        let mut kl_by_layer = vec![0.0; self.network.layers.len()];
        let values = |term: &Term| self.divergence(term, parameters, weights);
        let found: Vec<_> = if parameters.len() < PARALLEL_PARAMETERS {
            self.terms.iter().map(values).collect()
        } else {
            self.terms.par_iter().map(values).collect()
        };
        for (term, kl) in self.terms.iter().zip(found) {
            kl_by_layer[term.layer] += self.add_term(term, &kl?, parameters, gradient, weights);
        }
        let l2 = if weights.l2 > 0.0 { self.add_l2(parameters, gradient, weights) } else { 0.0 };
        Ok(PenaltyParts { kl_by_layer, l2 })
    }

    /// The divergence of one term with its gradients, before any weight.
    fn divergence(
        &self,
        term: &Term,
        parameters: &[f32],
        weights: PenaltyWeights,
    ) -> Result<KlValue<f32>, Error> {
        let layout = &self.network.layout;
        let of = |id: Option<ParamId>| constrained(id.map_or(&[][..], |id| layout.slice(parameters, id)));
        let (location, scale) = (layout.slice(parameters, term.location), of(term.scale));
        let prior_scale = of(term.prior_parameter);
        let noise = self.noise(term, location.len(), weights)?;
        Ok(kl_and_grad_with_prior_scale(
            term.family,
            term.prior,
            &prior_scale,
            location,
            &scale,
            noise.as_deref(),
        )?)
    }

    fn add_term(
        &self,
        term: &Term,
        kl: &KlValue<f32>,
        parameters: &[f32],
        gradient: &mut [f32],
        weights: PenaltyWeights,
    ) -> f64 {
        let layout = &self.network.layout;
        let factor = (weights.kl * term.factor) as f32;
        if factor != 0.0 {
            add(layout.slice_mut(gradient, term.location), &kl.d_loc, factor);
            let scales = [(term.scale, Some(&kl.d_scale)), (term.prior_parameter, kl.d_prior.as_ref())];
            for (id, d_scale) in scales {
                let (Some(id), Some(d_scale)) = (id, d_scale) else { continue };
                let mut d_raw = layout.slice(parameters, id).to_vec();
                f32::sigmoid_in_place(&mut d_raw);
                d_raw.iter_mut().zip(d_scale).for_each(|(slope, &d)| *slope *= d);
                add(layout.slice_mut(gradient, id), &d_raw, factor);
            }
        }
        kl.value * term.factor
    }

    /// Standard noise of a Monte-Carlo divergence: fresh draws, not those of the forward pass, not clipped.
    fn noise(&self, term: &Term, len: usize, weights: PenaltyWeights) -> Result<Option<Vec<f32>>, Error> {
        let KlKind::MonteCarlo { draws } = kl_kind(term.family, term.prior)? else { return Ok(None) };
        let mut noise = vec![0.0; len * draws];
        for (draw, out) in noise.chunks_exact_mut(len).enumerate() {
            let stream = term.site.stream(weights.seed, term.layer, draw as u32);
            let at = At { step: weights.step, member: 0, example: 0 };
            match term.family.noise_kind() {
                NoiseKind::Normal => stream.fill_normal(at, out),
                NoiseKind::Cauchy => stream.fill_cauchy(at, out),
                NoiseKind::Unused => {}
            }
        }
        Ok(Some(noise))
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
            for (g, &v) in gradient[range.clone()].iter_mut().zip(&parameters[range]) {
                *g += 2.0 * l2 as f32 * v;
                sum += f64::from(v).powi(2);
            }
        }
        l2 * sum
    }

    /// Mean constrained scale of a random factor; none for any other.
    #[must_use]
    pub fn mean_scale(&self, plan: &FactorPlan, parameters: &[f32]) -> Option<f64> {
        let FactorPlan::Random { family, scale, .. } = plan else { return None };
        if let PosteriorFamily::NormalFixedScale { scale } = family {
            return Some(*scale);
        }
        let raw = self.network.layout.slice(parameters, (*scale)?);
        Some(raw.iter().map(|&r| raw_to_scale(f64::from(r))).sum::<f64>() / raw.len() as f64)
    }
}

/// [`raw_to_scale`] of a whole slice.
fn constrained(raw: &[f32]) -> Vec<f32> {
    let mut scale = raw.to_vec();
    f32::softplus_in_place(&mut scale);
    scale.iter_mut().for_each(|scale| *scale += SCALE_FLOOR as f32);
    scale
}

fn add(out: &mut [f32], values: &[f32], factor: f32) {
    for (o, &v) in out.iter_mut().zip(values) {
        *o += factor * v;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rank1_core::likelihood::Likelihood;

    use super::*;
    use crate::init::initialize;
    use crate::method::{MeanField, Method, Rank1};
    use crate::network::{Activation, NetworkShape};

    fn network(method: &Method) -> Network {
        let shape = NetworkShape::mlp(7, vec![5], 3, Activation::Relu, Likelihood::Categorical);
        Network::new(shape, method).unwrap()
    }

    const WEIGHTS: PenaltyWeights = PenaltyWeights { kl: 0.5, l2: 0.01, l2_norms: true, seed: 3, step: 2 };

    fn total(penalty: &Penalty, parameters: &[f32], gradient: &mut [f32]) -> f64 {
        let parts = penalty.add_gradient(parameters, gradient, WEIGHTS).unwrap();
        WEIGHTS.kl * parts.kl_total() + parts.l2
    }

    #[test]
    fn gradients_are_those_of_central_differences_for_every_kind_of_divergence() {
        let rank1 =
            |posterior, prior| Method::Rank1(Rank1 { members: 3, posterior, prior, ..Rank1::default() });
        for method in [
            rank1(PosteriorFamily::Normal, PriorSpec::Normal { mean: 1.0, std: 0.1 }),
            rank1(PosteriorFamily::Cauchy, PriorSpec::Cauchy { location: 1.0, scale: 0.1 }),
            rank1(PosteriorFamily::NormalSharedScale, PriorSpec::TrainableScale { mean: 1.0 }),
            // Monte Carlo: the same draws at every parameter value, because the key is the same.
            rank1(PosteriorFamily::Normal, PriorSpec::StudentT { df: 3.0, location: 1.0, scale: 0.2 }),
            Method::MeanField(MeanField::default()),
        ] {
            let network = network(&method);
            let penalty = Penalty::new(&network);
            let parameters = initialize(&network, 1).unwrap();
            let mut gradient = vec![0.0; parameters.len()];
            total(&penalty, &parameters, &mut gradient);
            let (mut scratch, mut moved) = (gradient.clone(), parameters.clone());
            for i in 0..parameters.len() {
                // Parameters are f32: the step actually taken is measured.
                let h = 1e-3 * (1.0 + parameters[i].abs());
                moved[i] = parameters[i] + h;
                let (above, high) = (total(&penalty, &moved, &mut scratch), f64::from(moved[i]));
                moved[i] = parameters[i] - h;
                let (below, low) = (total(&penalty, &moved, &mut scratch), f64::from(moved[i]));
                moved[i] = parameters[i];
                let expected = (above - below) / (high - low);
                let error = (expected - f64::from(gradient[i])).abs();
                assert!(error < 2e-3 * (1.0 + expected.abs()), "{method:?} {i}: {expected} {}", gradient[i]);
            }
        }
    }

    #[test]
    fn the_mean_over_members_is_the_sum_divided_by_their_number() {
        let with = |member_kl| network(&Method::Rank1(Rank1 { members: 3, member_kl, ..Rank1::default() }));
        let (sum, mean) =
            (with(rank1_core::objective::MemberKl::Sum), with(rank1_core::objective::MemberKl::Mean));
        let parameters = initialize(&sum, 1).unwrap();
        let kl = |n: &Network| {
            let mut gradient = vec![0.0; parameters.len()];
            Penalty::new(n).add_gradient(&parameters, &mut gradient, WEIGHTS).unwrap().kl_total()
        };
        assert!((kl(&sum) / 3.0 - kl(&mean)).abs() < 1e-9 * kl(&sum));
    }

    #[test]
    fn a_layer_has_two_divergences_and_a_point_factor_none() {
        let count = |method: &Method| Penalty::new(&network(method)).terms.len();
        assert_eq!(count(&Method::Rank1(Rank1::default())), 4);
        let stochastic = crate::method::Stochastic::Input;
        assert_eq!(count(&Method::Rank1(Rank1 { stochastic, ..Rank1::default() })), 2);
        assert_eq!(count(&Method::Deterministic), 0);
    }
}
