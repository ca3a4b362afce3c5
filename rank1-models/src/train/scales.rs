//! The scales of a posterior trained once everything else is.
//!
//! Draws cost steps: while weights and locations have far to go, factors are points. What is left to find is how far an entry
//! may move before the likelihood objects, and that takes few steps in which the scales alone are trained.

use rank1_priors::{raw_to_scale, scale_to_raw};

use super::feed::Feed;
use super::{Observer, Run, Stepper, epoch_order, judge};
use crate::engine::Batch;
use crate::error::Error;
use crate::network::{FactorPlan, Network};
use crate::optimizer::{Optimizer, OptimizerSpec};
use crate::params::ParamGroup;
use crate::predict::{TrainedNetwork, engines};
use crate::recipe::{Annealing, Recipe, ScalesAfter};
use crate::schedule::Schedule;
use crate::train::TrainState;

/// A multiple that leaves no scale that matters.
const NONE: f64 = 1e-5;

/// The network that is trained while factors are points; none where a recipe trains all at once.
pub(super) fn trained_at_locations(network: &Network, recipe: &Recipe) -> Option<Network> {
    recipe.train.scales_after.as_ref().and_then(|_| network.at_locations())
}

/// The parameters with every trained scale times `multiple`.
fn times(network: &Network, parameters: &[f32], multiple: f64) -> Result<Vec<f32>, Error> {
    let mut changed = parameters.to_vec();
    let factors = network.layers.iter().flat_map(|layer| [&layer.input_factor, &layer.output_factor]);
    for id in factors.filter_map(FactorPlan::trained).filter_map(|factor| factor.scale) {
        for raw in network.layout.slice_mut(&mut changed, id) {
            // Twice the smallest scale there is.
            let scale = (multiple * raw_to_scale(f64::from(*raw))).max(2e-7);
            *raw = scale_to_raw(scale)? as f32;
        }
    }
    Ok(changed)
}

impl Run<'_> {
    /// Gives the selected parameters trained scales, or none where these predict the validation rows better.
    pub(super) fn add_scales(
        &mut self,
        state: &mut TrainState,
        observer: &mut dyn Observer,
    ) -> Result<(), Error> {
        let Some(after) = self.recipe.train.scales_after.clone() else { return Ok(()) };
        let (Some(rows), Some(mut best)) = (self.sets.validation, state.best.take()) else { return Ok(()) };
        let scaled = self.train_scales(&after, state, &best.parameters, observer)?;
        let (network, recipe) = (self.network, self.recipe);
        let mut trained = TrainedNetwork {
            network: network.clone(),
            parameters: scaled[..].into(),
            seed: state.seed,
            kept: None,
        };
        let mut engine = engines(recipe, std::slice::from_ref(&trained), &self.compute).remove(0);
        let mut found = (times(network, &scaled, NONE)?, best.nll);
        for &multiple in &after.multiples {
            observer.between()?;
            let parameters = times(network, &scaled, multiple)?;
            trained.parameters = parameters[..].into();
            let nll =
                judge(recipe, &trained, &mut engine, rows, self.judged_samples(), self.compute.ranks())?;
            if nll < found.1 {
                found = (parameters, nll);
            }
        }
        (best.parameters, best.nll) = found;
        if let Some(record) = state.history.last_mut() {
            record.describe_spread(network, &best.parameters, self.stepper.penalty());
        }
        state.best = Some(best);
        Ok(())
    }

    /// The parameters after steps in which all but the scales stay.
    fn train_scales(
        &self,
        after: &ScalesAfter,
        trained: &TrainState,
        parameters: &[f32],
        observer: &mut dyn Observer,
    ) -> Result<Vec<f32>, Error> {
        let mut recipe = self.recipe.clone();
        let optimizer = OptimizerSpec::adam(after.learning_rate);
        recipe.train.optimizer = optimizer.clone();
        recipe.train.scales_after = None;
        recipe.train.early_stopping = None;
        recipe.train.schedule = Schedule::default();
        recipe.train.kl_annealing = Annealing::default();
        (recipe.train.l2, recipe.train.average_from) = (0.0, None);
        let n = self.sets.train.inputs.n_rows();
        let mut stepper = Stepper::new(self.network, &recipe, &self.compute, n);
        let mut state = TrainState {
            seed: trained.seed,
            parameters: parameters.to_vec(),
            optimizer: Optimizer::new(optimizer, parameters.len()),
            best: None,
            average: None,
            history: Vec::new(),
            pending: trained.pending,
            finished: false,
            kept: None,
        };
        let fixed = |spec: &&crate::params::ParamSpec| spec.group != ParamGroup::FactorScale;
        let fixed: Vec<_> =
            self.network.layout.specs().iter().filter(fixed).map(|s| s.range.clone()).collect();
        // Orders of their own, after those that training used.
        let first = (trained.step() / self.lengths.pass) as usize + 1;
        for pass in first.. {
            let order = epoch_order(state.seed, pass, n);
            let mut feed =
                Feed::new(self.sets, &stepper, &order, recipe.train.batch_size, (state.seed, pass))?;
            for rows in order.chunks(recipe.train.batch_size) {
                if state.step() == after.steps {
                    return Ok(state.parameters);
                }
                observer.between()?;
                let own = &rows[stepper.part(rows.len())];
                let targets = self.sets.train.targets.select(own);
                let inputs = feed.next(own)?;
                stepper.step_on_part(&mut state, Batch { inputs, targets: &targets }, rows.len())?;
                for range in &fixed {
                    state.parameters[range.clone()].copy_from_slice(&parameters[range.clone()]);
                }
            }
        }
        Ok(state.parameters)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rank1_core::likelihood::Likelihood;

    use super::*;
    use crate::init::initialize;
    use crate::method::{Method, Rank1};
    use crate::network::{Activation, NetworkShape};

    fn network() -> Network {
        let shape = NetworkShape::mlp(7, vec![5], 3, Activation::Relu, Likelihood::Categorical);
        Network::new(shape, &Method::Rank1(Rank1 { members: 3, ..Rank1::default() })).unwrap()
    }

    #[test]
    fn only_scales_of_factors_are_multiplied() {
        let network = network();
        let before = initialize(&network, 1).unwrap();
        let after = times(&network, &before, 2.0).unwrap();
        for spec in network.layout.specs() {
            let (before, after) = (&before[spec.range.clone()], &after[spec.range.clone()]);
            if spec.group == ParamGroup::FactorScale {
                for (&before, &after) in before.iter().zip(after) {
                    let ratio = raw_to_scale(f64::from(after)) / raw_to_scale(f64::from(before));
                    assert!((ratio - 2.0).abs() < 1e-5, "{ratio}");
                }
            } else {
                assert_eq!(before, after, "{}", spec.name);
            }
        }
    }

    #[test]
    fn a_network_at_its_locations_has_the_same_parameters_and_no_distribution() {
        let network = network();
        let points = network.at_locations().unwrap();
        assert_eq!(points.layout, network.layout);
        for layer in &points.layers {
            for factor in [&layer.input_factor, &layer.output_factor] {
                let factor = factor.trained().unwrap();
                assert!(factor.family.law().is_point() && factor.scale.is_none());
            }
        }
    }
}
