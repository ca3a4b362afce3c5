//! Operations without factors: normalization, nonlinearities, pooling, dropout of units, sums, columns.
//!
//! Perturbed layers are in [`super::layer`], recurrent ones in [`super::recurrent`].

use rank1_core::kernels::batch_norm::{self, NormSaved, NormShape};
use rank1_core::kernels::pool::{self, PoolShape};
use rank1_core::noise::NoiseKind;
use rank1_core::{Real, conv::Padding};

use super::activation;
use super::layer::resize;
use super::recurrent::RecurrentBuffers;
use super::rows::{Pass, Rows, Source, for_chunks, zip_chunks};
use crate::engine::Site;
use crate::error::Error;
use crate::network::{Network, Node, NormPlan, NormSharing, Op, Origin, Volume};

/// First layer number of the draws of [`Op::Dropout`]; layers are numbered from 0.
const DROPOUT_LAYER: usize = 1 << 20;

/// What one operation keeps from its forward pass.
#[derive(Debug)]
pub(super) struct OperationBuffers<F> {
    norm: NormSaved<F>,
    /// Gradient of the scales, then of the shifts.
    norm_gradient: Vec<F>,
    /// Multiples of [`Op::Dropout`].
    kept: Vec<F>,
    raw: Vec<f32>,
    /// Places of the largest values of [`Op::MaxPool`].
    largest: Vec<u32>,
    pub(super) recurrent: RecurrentBuffers<F>,
}

impl<F: Real> OperationBuffers<F> {
    pub(super) fn new() -> Self {
        Self {
            norm: NormSaved::default(),
            norm_gradient: Vec::new(),
            kept: Vec::new(),
            raw: Vec::new(),
            largest: Vec::new(),
            recurrent: RecurrentBuffers::new(),
        }
    }

    pub(super) fn forward<'a>(
        &mut self,
        pass: Pass<'_, F>,
        index: usize,
        source: impl Fn(Origin) -> Source<'a, F>,
        out: &mut Vec<F>,
    ) -> Result<(), Error> {
        let Pass { network, rows, .. } = pass;
        let node = &network.nodes[index];
        resize(out, rows.len() * node.volume.len());
        let from = source(node.origin);
        match node.op {
            Op::Norm(norm) => self.normalize(pass, &network.norms[norm], rows_of(from)?, out)?,
            Op::Activation(kind) => {
                zip_chunks(out, rows_of(from)?, <[F]>::copy_from_slice);
                activation::apply(kind, out);
            }
            Op::Dropout { per_million } => {
                self.draw_kept(pass, index, f64::from(per_million) / 1e6);
                for ((o, &x), &kept) in out.iter_mut().zip(rows_of(from)?).zip(&self.kept) {
                    *o = x * kept;
                }
            }
            Op::Add(other) => {
                let (left, right) = (rows_of(from)?, rows_of(source(other))?);
                let width = node.volume.len();
                for_chunks(out, width, |row, out| {
                    let at = row * width..(row + 1) * width;
                    let parts = out.iter_mut().zip(&left[at.clone()]).zip(&right[at]);
                    parts.for_each(|((out, &left), &right)| *out = left + right);
                });
            }
            Op::Concat(other) => {
                let width = volume(network, node.origin).len();
                let (left, right) = (from, source(other));
                for (row, out) in out.chunks_exact_mut(node.volume.len()).enumerate() {
                    out[..width].copy_from_slice(left.row(rows, row, width));
                    let rest = node.volume.len() - width;
                    out[width..].copy_from_slice(right.row(rows, row, rest));
                }
            }
            Op::Columns { start } => {
                let width = volume(network, node.origin).len();
                for (row, out) in out.chunks_exact_mut(node.volume.len()).enumerate() {
                    out.copy_from_slice(&from.row(rows, row, width)[start..start + node.volume.len()]);
                }
            }
            Op::MaxPool { window, stride, padding } => {
                let shape = pool_shape(volume(network, node.origin), window, stride, padding);
                self.largest.resize(out.len(), 0);
                pool::max_forward(&shape, rows_of(from)?, out, &mut self.largest)?;
            }
            Op::AveragePool { window, stride } => {
                let shape = pool_shape(volume(network, node.origin), window, stride, Padding::Valid);
                pool::average_forward(&shape, rows_of(from)?, out)?;
            }
            Op::GlobalAverage => {
                let v = volume(network, node.origin);
                pool::global_average_forward(v.positions(), v.channels, rows_of(from)?, out)?;
            }
            Op::Layer(_) | Op::Lstm(_) => unreachable!("the engine runs layers itself"),
        }
        Ok(())
    }

    /// Turns `own`, the gradient of the operation's value, into that of what it read, in `below`.
    pub(super) fn backward(
        &mut self,
        pass: Pass<'_, F>,
        index: usize,
        gradient: &mut [F],
        source: Source<'_, F>,
        out: &[F],
        own: &mut Vec<F>,
        below: &mut Vec<F>,
    ) -> Result<(), Error> {
        let Pass { network, rows, .. } = pass;
        let node = &network.nodes[index];
        let before = volume(network, node.origin);
        match node.op {
            Op::Norm(norm) => {
                resize(below, own.len());
                self.norm_backward(pass, &network.norms[norm], rows_of(source)?, own, gradient, below)?;
            }
            Op::Activation(kind) => {
                let before = if activation::needs_pre(kind) { rows_of(source)? } else { out };
                activation::backward(kind, before, out, own);
                std::mem::swap(own, below);
            }
            Op::Dropout { .. } => {
                own.iter_mut().zip(&self.kept).for_each(|(g, &kept)| *g *= kept);
                std::mem::swap(own, below);
            }
            Op::Columns { start } => {
                if node.origin == Origin::Input {
                    return Ok(());
                }
                below.clear();
                below.resize(rows.len() * before.len(), F::zero());
                let width = node.volume.len();
                for (to, from) in below.chunks_exact_mut(before.len()).zip(own.chunks_exact(width)) {
                    to[start..start + width].copy_from_slice(from);
                }
            }
            Op::MaxPool { window, stride, padding } => {
                resize(below, rows.len() * before.len());
                let shape = pool_shape(before, window, stride, padding);
                pool::max_backward(&shape, &self.largest, own, below)?;
            }
            Op::AveragePool { window, stride } => {
                resize(below, rows.len() * before.len());
                pool::average_backward(&pool_shape(before, window, stride, Padding::Valid), own, below)?;
            }
            Op::GlobalAverage => {
                resize(below, rows.len() * before.len());
                pool::global_average_backward(before.positions(), before.channels, own, below)?;
            }
            Op::Layer(_) | Op::Lstm(_) | Op::Add(_) | Op::Concat(_) => {
                unreachable!("the engine splits and runs these itself")
            }
        }
        Ok(())
    }

    fn normalize(&mut self, pass: Pass<'_, F>, norm: &NormPlan, x: &[F], out: &mut [F]) -> Result<(), Error> {
        let layout = &pass.network.layout;
        let of = |id| layout.slice(pass.parameters, id);
        let shape = norm_shape(pass.rows, norm);
        let epsilon = NormPlan::EPSILON;
        if pass.training {
            let (scale, shift) = (of(norm.scale), of(norm.shift));
            batch_norm::train_forward(&shape, x, scale, shift, epsilon, out, &mut self.norm)?;
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
        self.norm_gradient.clear();
        self.norm_gradient.resize(2 * scale.len(), F::zero());
        let (d_scale, d_shift) = self.norm_gradient.split_at_mut(scale.len());
        let epsilon = NormPlan::EPSILON;
        batch_norm::backward(&shape, x, scale, &mut self.norm, epsilon, own, below, d_scale, d_shift)?;
        add(layout.slice_mut(gradient, norm.scale), d_scale);
        add(layout.slice_mut(gradient, norm.shift), d_shift);
        // What a step subtracts, so that running = momentum * running + (1 - momentum) * batch.
        let count = pass.rows.len() * norm.positions / (scale.len() / norm.channels);
        for (id, batch) in [(norm.mean, &self.norm.mean), (norm.variance, &self.norm.variance)] {
            let running = layout.slice(pass.parameters, id);
            let share = F::of(1.0 - NormPlan::MOMENTUM);
            for ((g, &running), &batch) in layout.slice_mut(gradient, id).iter_mut().zip(running).zip(batch) {
                let batch = if id == norm.variance { batch_norm::unbiased(batch, count) } else { batch };
                *g += share * (running - batch);
            }
        }
        Ok(())
    }

    fn draw_kept(&mut self, pass: Pass<'_, F>, index: usize, rate: f64) {
        let Pass { network, rows, key, .. } = pass;
        let width = network.nodes[index].volume.len();
        let per_member = rows.examples * width;
        self.raw.resize(rows.samples * rows.members * per_member, 0.0);
        for (chunk, out) in self.raw.chunks_exact_mut(per_member).enumerate() {
            let (sample, member) = (chunk / rows.members, chunk % rows.members);
            let number = key.key.first_sample + sample as u32;
            let stream = Site::InputFactor.stream(key.key.seed, DROPOUT_LAYER + index, number);
            key.fill(stream, NoiseKind::Uniform, (member, rows.examples), width, out);
        }
        let (dropped, keep) = (rate as f32, F::of(1.0 / (1.0 - rate)));
        self.kept.clear();
        self.kept.extend(self.raw.iter().map(|&u| if u >= dropped { keep } else { F::zero() }));
    }
}

/// Divides the gradient of joined columns between the two that were read.
pub(super) fn split<F: Real>(
    node: &Node,
    network: &Network,
    own: &[F],
    first: &mut Vec<F>,
    second: &mut Vec<F>,
    rows: Rows,
) {
    first.clear();
    second.clear();
    let width = volume(network, node.origin).len();
    debug_assert_eq!(own.len(), rows.len() * node.volume.len());
    for own in own.chunks_exact(node.volume.len()) {
        first.extend_from_slice(&own[..width]);
        second.extend_from_slice(&own[width..]);
    }
}

/// Size of a value; that of the input is as wide as its rows.
fn volume(network: &Network, origin: Origin) -> Volume {
    match origin {
        Origin::Input => Volume::columns(network.shape.inputs()),
        Origin::Node(place) => network.nodes[place].volume,
    }
}

fn rows_of<F>(source: Source<'_, F>) -> Result<&[F], Error> {
    match source {
        Source::Rows(rows) => Ok(rows),
        Source::Examples(_) => Err(rank1_core::Error::Undefined {
            op: "AnalyticEngine",
            what: "an operation without factors directly on the inputs",
        }
        .into()),
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

fn pool_shape(volume: Volume, window: usize, stride: usize, padding: Padding) -> PoolShape {
    PoolShape {
        height: volume.height,
        width: volume.width,
        channels: volume.channels,
        window: (window, window),
        stride: (stride, stride),
        padding,
    }
}

fn add<F: Real>(out: &mut [F], values: &[F]) {
    out.iter_mut().zip(values).for_each(|(o, &v)| *o += v);
}
