//! Batch normalization, shared by members or one for each.

use rank1_core::Real;
use rank1_core::kernels::batch_norm::{self, NormSaved, NormShape, shared};

use super::{Back, Cost, Op, Operation, Plan, Reads};
use crate::engine::Whole;
use crate::engine::analytic::{Pass, Rows, resize};
use crate::error::Error;
use crate::init::Initializer;
use crate::network::{Network, NormSharing, Origin};
use crate::params::{ParamGroup, ParamId};
use crate::ranks::Ranks;

/// One batch normalization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NormPlan {
    /// Name in parameter names.
    pub name: String,
    /// Normalized values per position.
    pub channels: usize,
    /// Positions of a row.
    pub positions: usize,
    /// Whether each member has its own.
    pub sharing: NormSharing,
    /// Scale, `[G, C]`, G = 1 or K.
    pub scale: ParamId,
    /// Shift, `[G, C]`.
    pub shift: ParamId,
    /// Running mean, `[G, C]`.
    pub mean: ParamId,
    /// Running variance, `[G, C]`.
    pub variance: ParamId,
}

impl NormPlan {
    /// Added to the variance.
    pub const EPSILON: f64 = 1e-5;
    /// Share of the running statistics that a training step keeps.
    pub const MOMENTUM: f64 = 0.9;
}

impl Plan {
    /// A batch normalization over all positions of a value.
    pub(crate) fn norm(&mut self, name: &str, at: Origin, sharing: NormSharing) -> Origin {
        let volume = self.volume(at);
        let groups = match sharing {
            NormSharing::Shared => 1,
            NormSharing::PerMember => self.method.n_members(),
        };
        let shape = [groups, volume.channels];
        let scale = self.layout.push(format!("{name}.scale"), &shape, ParamGroup::Norm);
        let shift = self.layout.push(format!("{name}.shift"), &shape, ParamGroup::Norm);
        // Running statistics follow all trained parameters: their places are known when the plan is complete.
        let (mean, variance) = (scale, shift);
        let (channels, positions) = (volume.channels, volume.positions());
        let name = name.to_owned();
        self.norms.push(NormPlan { name, channels, positions, sharing, scale, shift, mean, variance });
        self.push(Op::Norm(self.norms.len() - 1), at, volume)
    }
}

/// Scales and running variances start at one.
pub(super) fn start(init: &mut Initializer<'_>, norm: &NormPlan) {
    init.slice(norm.scale).fill(1.0);
    init.slice(norm.variance).fill(1.0);
}

pub(super) fn cost(network: &Network, index: usize) -> Cost {
    let norm = &network.norms[index];
    Cost {
        name: norm.name.clone(),
        operation: "batch norm".into(),
        parameters: 2 * network.layout.spec(norm.scale).range.len(),
        ..Cost::default()
    }
}

/// Takes part in the sums of both passes of a batch of which this rank has no rows.
pub(crate) fn attend(network: &Network, ranks: &Ranks) -> Result<(), Error> {
    let norms = network.nodes.iter().filter_map(|node| match node.op {
        Op::Norm(index) => Some(2 * network.layout.spec(network.norms[index].scale).range.len()),
        _ => None,
    });
    let sums: Vec<usize> = norms.collect();
    // Backward passes come to the normalizations in the opposite order.
    sums.iter().chain(sums.iter().rev()).try_for_each(|&sums| ranks.sum_doubles(&mut vec![0.0; sums]))
}

/// The normalization of this index with what its backward pass needs.
#[derive(Debug)]
pub(super) struct NormPasses<F> {
    index: usize,
    saved: NormSaved<F>,
    /// Gradient of the scales, then of the shifts.
    gradient: Vec<F>,
}

impl<F: Real> Operation<F> for NormPasses<F> {
    fn forward(
        &mut self,
        pass: Pass<'_, F>,
        place: usize,
        reads: Reads<'_, F>,
        out: &mut Vec<F>,
    ) -> Result<(), Error> {
        let node = &pass.network.nodes[place];
        resize(out, pass.rows.len() * node.volume.len());
        self.normalize(pass, &pass.network.norms[self.index], reads.rows_of(node.origin)?, out)
    }

    fn backward(
        &mut self,
        pass: Pass<'_, F>,
        place: usize,
        reads: Reads<'_, F>,
        _out: &[F],
        back: Back<'_, F>,
    ) -> Result<(), Error> {
        let x = reads.rows_of(pass.network.nodes[place].origin)?;
        resize(back.below, back.own.len());
        let norm = &pass.network.norms[self.index];
        self.norm_backward(pass, norm, x, back.own, back.parameters, back.below)
    }
}

impl<F: Real> NormPasses<F> {
    pub(super) fn new(index: usize) -> Self {
        Self { index, saved: NormSaved::default(), gradient: Vec::new() }
    }

    fn normalize(&mut self, pass: Pass<'_, F>, norm: &NormPlan, x: &[F], out: &mut [F]) -> Result<(), Error> {
        let layout = &pass.network.layout;
        let of = |id| layout.slice(pass.parameters, id);
        let shape = norm_shape(pass.rows, norm);
        let epsilon = NormPlan::EPSILON;
        if let Some(whole) = pass.training {
            let (scale, shift) = (of(norm.scale), of(norm.shift));
            let Some(ranks) = whole.statistics else {
                return Ok(batch_norm::train_forward(
                    &shape,
                    x,
                    scale,
                    shift,
                    epsilon,
                    out,
                    &mut self.saved,
                )?);
            };
            let sums = shared::forward_sums(&shape, x, of(norm.mean), &mut self.saved)?;
            ranks.sum_doubles(sums)?;
            let count = NormShape { n_examples: whole.rows, ..shape }.count();
            shared::forward(&shape, count, x, scale, shift, epsilon, out, &mut self.saved)?;
        } else {
            let (mean, variance) = (of(norm.mean), of(norm.variance));
            batch_norm::eval_forward(
                &shape,
                x,
                of(norm.scale),
                of(norm.shift),
                mean,
                variance,
                epsilon,
                out,
            )?;
        }
        Ok(())
    }

    fn norm_backward(
        &mut self,
        pass: Pass<'_, F>,
        norm: &NormPlan,
        x: &[F],
        own: &[F],
        gradient: &mut [F],
        below: &mut [F],
    ) -> Result<(), Error> {
        let layout = &pass.network.layout;
        let shape = norm_shape(pass.rows, norm);
        let scale = layout.slice(pass.parameters, norm.scale);
        self.gradient.clear();
        self.gradient.resize(2 * scale.len(), F::zero());
        let (d_scale, d_shift) = self.gradient.split_at_mut(scale.len());
        let (epsilon, saved) = (NormPlan::EPSILON, &mut self.saved);
        let whole = pass.training.unwrap_or(Whole { rows: pass.rows.examples, statistics: None });
        let statistics_of = NormShape {
            n_examples: if whole.statistics.is_some() { whole.rows } else { shape.n_examples },
            ..shape
        };
        match whole.statistics {
            None => batch_norm::backward(&shape, x, scale, saved, epsilon, own, below, d_scale, d_shift)?,
            Some(ranks) => {
                ranks.sum_doubles(shared::backward_sums(&shape, x, saved, own, d_scale, d_shift)?)?;
                shared::backward(&shape, statistics_of.count(), x, scale, saved, own, below)?;
            }
        }
        add(layout.slice_mut(gradient, norm.scale), d_scale);
        add(layout.slice_mut(gradient, norm.shift), d_shift);
        // What a step subtracts, so that running = momentum * running + (1 - momentum) * batch.
        // Where ranks share a batch, the parts of all ranks sum to that.
        let count = statistics_of.count();
        let part = whole.share(pass.rows.examples);
        for (id, batch) in [(norm.mean, &self.saved.mean), (norm.variance, &self.saved.variance)] {
            let running = layout.slice(pass.parameters, id);
            let share = F::of(part * (1.0 - NormPlan::MOMENTUM));
            for ((g, &running), &batch) in layout.slice_mut(gradient, id).iter_mut().zip(running).zip(batch) {
                let batch = if id == norm.variance { batch_norm::unbiased(batch, count) } else { batch };
                *g += share * (running - batch);
            }
        }
        Ok(())
    }
}

fn norm_shape(rows: Rows, norm: &NormPlan) -> NormShape {
    NormShape {
        n_samples: rows.samples,
        n_members: rows.members,
        n_examples: rows.examples,
        positions: norm.positions,
        channels: norm.channels,
        per_member: norm.sharing == NormSharing::PerMember,
    }
}

fn add<F: Real>(out: &mut [F], values: &[F]) {
    out.iter_mut().zip(values).for_each(|(o, &v)| *o += v);
}
