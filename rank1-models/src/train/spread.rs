//! The spread of the factors' posterior chosen on validation rows, once their locations are trained.
//!
//! Training with wide draws costs steps. Where these are few, locations are trained with draws that hardly move, and the width
//! of the distribution around them is what a few predictions of held-out rows say.

use rank1_priors::scale_to_raw;

use super::Run;
use crate::error::Error;
use crate::network::{FactorPlan, Network};
use crate::train::TrainState;

/// The parameters with one scale for every entry of every factor that has trained scales.
pub(super) fn with_spread(network: &Network, parameters: &[f32], spread: f64) -> Result<Vec<f32>, Error> {
    let mut changed = parameters.to_vec();
    let raw = scale_to_raw(spread)? as f32;
    let factors = network.layers.iter().flat_map(|layer| [&layer.input_factor, &layer.output_factor]);
    for id in factors.filter_map(FactorPlan::trained).filter_map(|factor| factor.scale) {
        network.layout.slice_mut(&mut changed, id).fill(raw);
    }
    Ok(changed)
}

impl Run<'_> {
    /// Gives the selected parameters the spread with the lowest validation NLL, or leaves what was trained if that is lower.
    pub(super) fn choose_spread(&mut self, state: &mut TrainState) -> Result<(), Error> {
        let (Some(rows), Some(mut best)) = (self.sets.validation, state.best.take()) else { return Ok(()) };
        let trained = best.parameters.clone();
        for &spread in &self.recipe.train.choose_spread {
            let parameters = with_spread(self.network, &trained, spread)?;
            let nll = self.validation_nll(&parameters, state.seed, rows)?;
            if nll < best.nll {
                best.nll = nll;
                best.parameters = parameters;
            }
        }
        state.best = Some(best);
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rank1_core::likelihood::Likelihood;
    use rank1_priors::raw_to_scale;

    use super::*;
    use crate::init::initialize;
    use crate::method::{Method, Rank1};
    use crate::network::{Activation, NetworkShape};
    use crate::params::ParamGroup;

    #[test]
    fn only_scales_of_factors_change_and_all_to_the_same() {
        let shape = NetworkShape::mlp(7, vec![5], 3, Activation::Relu, Likelihood::Categorical);
        let network = Network::new(shape, &Method::Rank1(Rank1 { members: 3, ..Rank1::default() })).unwrap();
        let before = initialize(&network, 1).unwrap();
        let after = with_spread(&network, &before, 0.2).unwrap();
        for spec in network.layout.specs() {
            let (before, after) = (&before[spec.range.clone()], &after[spec.range.clone()]);
            if spec.group == ParamGroup::FactorScale {
                assert!(after.iter().all(|&raw| (raw_to_scale(f64::from(raw)) - 0.2).abs() < 1e-6));
            } else {
                assert_eq!(before, after, "{}", spec.name);
            }
        }
    }
}
