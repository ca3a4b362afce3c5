//! Dropout of single units: inside residual blocks, kept at prediction, or after the layers of a TabM, in training only.

use rank1_core::Real;
use rank1_core::noise::NoiseKind;

use super::{Back, Cost, Op, Operation, Plan, Reads};
use crate::engine::Site;
use crate::engine::analytic::{Pass, resize};
use crate::error::Error;
use crate::method::Method;
use crate::network::{DropoutPlacement, Node, Origin};

/// First layer number of the draws of [`Op::Dropout`]; layers are numbered from 0.
pub(crate) const DROPOUT_LAYER: usize = 1 << 20;

impl Plan {
    /// Dropout of single units in training only; none where the method has its own.
    pub(crate) fn training_dropout(&mut self, at: Origin, rate: f64) -> Origin {
        let per_million = (rate * 1e6).round() as u32;
        if per_million == 0 || matches!(self.method, Method::McDropout(_)) {
            return at;
        }
        self.push(Op::Dropout { per_million, predicts: false }, at, self.volume(at))
    }

    /// Dropout of single units inside a residual block, where the method has it there.
    pub(crate) fn block_dropout(&mut self, at: Origin) -> Origin {
        self.has_blocks = true;
        match &self.method {
            Method::McDropout(m) if m.placement == DropoutPlacement::Blocks => {
                let per_million = (m.rate * 1e6).round() as u32;
                self.push(Op::Dropout { per_million, predicts: true }, at, self.volume(at))
            }
            _ => at,
        }
    }
}

pub(super) fn cost(node: &Node, per_million: u32) -> Cost {
    let operation = format!("dropout {}", f64::from(per_million) / 1e6);
    Cost { operation, kept: 2 * node.volume.len(), ..Cost::default() }
}

/// Dropout with the multiples of its last forward pass.
#[derive(Debug)]
pub(super) struct DropoutPasses<F> {
    rate: f64,
    /// Whether units are dropped in predictions too.
    predicts: bool,
    kept: Vec<F>,
    raw: Vec<f32>,
}

impl<F: Real> Operation<F> for DropoutPasses<F> {
    fn forward(
        &mut self,
        pass: Pass<'_, F>,
        place: usize,
        reads: Reads<'_, F>,
        out: &mut Vec<F>,
    ) -> Result<(), Error> {
        let x = reads.rows_of(pass.network.nodes[place].origin)?;
        resize(out, x.len());
        if pass.training.is_none() && !self.predicts {
            out.copy_from_slice(x);
            return Ok(());
        }
        self.draw_kept(pass, place, self.rate);
        for ((o, &x), &kept) in out.iter_mut().zip(x).zip(&self.kept) {
            *o = x * kept;
        }
        Ok(())
    }

    fn backward(
        &mut self,
        _pass: Pass<'_, F>,
        _place: usize,
        _reads: Reads<'_, F>,
        _out: &[F],
        back: Back<'_, F>,
    ) -> Result<(), Error> {
        back.own.iter_mut().zip(&self.kept).for_each(|(g, &kept)| *g *= kept);
        std::mem::swap(back.own, back.below);
        Ok(())
    }
}

impl<F: Real> DropoutPasses<F> {
    pub(super) fn new(per_million: u32, predicts: bool) -> Self {
        Self { rate: f64::from(per_million) / 1e6, predicts, kept: Vec::new(), raw: Vec::new() }
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
