//! Members dropped after training: those are kept whose mixture predicts the validation rows best.
//!
//! Of many members that share weights a few do as well as all, or better, and cost less (Gorishniy et al. 2025 keep 8 of 32).

use ndarray::{Array2, ArrayView2, Axis};
use rank1_core::targets::Targets;

use super::{Observer, Run, judge};
use crate::error::Error;
use crate::predict::{Predictive, TrainedNetwork, engines, predict};
use crate::recipe::PruneMembers;
use crate::train::TrainState;

impl Run<'_> {
    /// Drops members of the selected parameters as the recipe says.
    pub(super) fn prune(&mut self, state: &mut TrainState, observer: &mut dyn Observer) -> Result<(), Error> {
        let (Some(prune), Some(rows)) = (self.recipe.train.prune_members, self.sets.validation) else {
            return Ok(());
        };
        observer.between()?;
        let (recipe, samples) = (self.recipe, self.judged_samples());
        let all = TrainedNetwork {
            network: self.network.clone(),
            parameters: state.selected().into(),
            seed: state.seed,
            kept: None,
        };
        let mut engines_of_all = engines(recipe, std::slice::from_ref(&all), &self.compute);
        let chunk = recipe.predict.chunk_rows;
        let networks = std::slice::from_ref(&all);
        let mut choose = || -> Result<(Vec<usize>, u64), Error> {
            let predictive = predict(networks, &mut engines_of_all, rows.inputs, samples, chunk)?;
            let mut kept = chosen(log_likelihoods(&predictive, rows.targets)?.view(), prune);
            kept.sort_unstable();
            // As bits: JSON has no word for what is not finite.
            Ok((kept, predictive.nll(rows.targets)?.to_bits()))
        };
        let (kept, nll_of_all) = match self.compute.ranks() {
            Some(ranks) => ranks.of_first(choose)?,
            None => choose()?,
        };
        let nll_of_all = f64::from_bits(nll_of_all);
        if kept.len() == self.network.n_members {
            return Ok(());
        }
        observer.between()?;
        let (network, parameters) = self.network.of_members(&all.parameters, &kept)?;
        let smaller =
            TrainedNetwork { network, parameters: parameters[..].into(), seed: state.seed, kept: None };
        let mut engine = engines(recipe, std::slice::from_ref(&smaller), &self.compute).remove(0);
        // Its own draws are others than those that it was chosen by.
        let nll = judge(recipe, &smaller, &mut engine, rows, samples, self.compute.ranks())?;
        if prune == PruneMembers::Auto && nll >= nll_of_all {
            return Ok(());
        }
        state.kept = Some(kept);
        match &mut state.best {
            Some(best) => (best.parameters, best.nll) = (parameters, nll),
            None => (state.parameters, state.average) = (parameters, None),
        }
        Ok(())
    }
}

/// Log-likelihood of every row under every member, `[K, N]`, each the mean of its samples.
fn log_likelihoods(predictive: &Predictive, targets: &Targets) -> Result<Array2<f64>, Error> {
    match (predictive, targets) {
        (Predictive::Classes(p), Targets::Classes { labels, .. }) => {
            let of = p.member_log_probs.view();
            let shape = (p.n_members(), labels.len());
            Ok(Array2::from_shape_fn(shape, |(member, row)| of[[member, row, labels[row]]]))
        }
        (Predictive::Values { mixture, n_members }, Targets::Values(values)) => {
            let mut of = Array2::zeros((*n_members, values.len()));
            for (member, mut own) in of.axis_iter_mut(Axis(0)).enumerate() {
                own.assign(&mixture.member(member, *n_members)?.log_density(values.view())?);
            }
            Ok(of)
        }
        _ => Err(rank1_core::Error::Undefined {
            op: "train::prune",
            what: "targets of the other kind (classes or values)",
        }
        .into()),
    }
}

/// Members in the order in which they are added: each time the one that brings the mixture's NLL lowest, the first of equals.
fn chosen(of_members: ArrayView2<'_, f64>, prune: PruneMembers) -> Vec<usize> {
    let (n_members, n) = of_members.dim();
    let mut order: Vec<usize> = Vec::new();
    let mut sum = vec![f64::NEG_INFINITY; n];
    let mut reached = f64::INFINITY;
    let most = match prune {
        PruneMembers::To(most) => most.min(n_members),
        PruneMembers::Auto => n_members,
    };
    while order.len() < most {
        let with = |member: usize| -> Vec<f64> {
            sum.iter().zip(of_members.row(member)).map(|(&sum, &own)| log_sum(sum, own)).collect()
        };
        let nll = |sums: &[f64]| ((order.len() + 1) as f64).ln() - sums.iter().sum::<f64>() / n as f64;
        let left = (0..n_members).filter(|member| !order.contains(member));
        let best = left.map(|member| (nll(&with(member)), member)).min_by(|a, b| a.0.total_cmp(&b.0));
        let Some((lowest, member)) = best else { break };
        if prune == PruneMembers::Auto && !order.is_empty() && lowest >= reached {
            break;
        }
        reached = lowest;
        sum = with(member);
        order.push(member);
    }
    order
}

/// ln(exp a + exp b).
fn log_sum(a: f64, b: f64) -> f64 {
    let (high, low) = if a > b { (a, b) } else { (b, a) };
    if high == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn members_that_complement_each_other_are_chosen_before_good_ones() {
        // Member 0 is best alone; 1 and 2 know a half of the rows each; 3 knows nothing.
        let likelihood = array![[0.55, 0.55], [0.9, 0.3], [0.3, 0.9], [0.1, 0.1]].mapv(f64::ln);
        assert_eq!(chosen(likelihood.view(), PruneMembers::Auto), [0, 1, 2]);
        assert_eq!(chosen(likelihood.view(), PruneMembers::To(1)), [0]);
        assert_eq!(chosen(likelihood.view(), PruneMembers::To(4)), [0, 1, 2, 3]);
        let alike = array![[0.5], [0.5], [0.5]].mapv(f64::ln);
        assert_eq!(chosen(alike.view(), PruneMembers::Auto), [0]);
        let impossible = array![[0.0, 0.5], [0.3, 0.0]].mapv(f64::ln);
        assert_eq!(chosen(impossible.view(), PruneMembers::To(2)), [0, 1]);
    }
}
