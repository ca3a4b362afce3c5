//! Columns of a value: a part of them, or those of two values side by side.

use rank1_core::Real;

use super::{Back, Cost, Op, Operation, Plan, Reads};
use crate::engine::analytic::{Pass, resize};
use crate::error::Error;
use crate::network::{Origin, Volume};

impl Plan {
    /// The steps of the network's input, one position each.
    pub(crate) fn take_sequence(&mut self, steps: usize, features: usize) -> Origin {
        let volume = Volume { height: 1, width: steps, channels: features };
        self.push(Op::Columns { start: 0 }, Origin::Input, volume)
    }

    /// `len` columns from `start` on.
    pub(crate) fn columns(&mut self, at: Origin, start: usize, len: usize) -> Origin {
        self.push(Op::Columns { start }, at, Volume::columns(len))
    }

    /// The columns of another value after those of the first.
    pub(crate) fn concat(&mut self, at: Origin, other: Origin) -> Origin {
        let volume = Volume::columns(self.volume(at).len() + self.volume(other).len());
        self.push(Op::Concat(other), at, volume)
    }
}

pub(super) fn cost_of_part() -> Cost {
    Cost { operation: "columns".into(), ..Cost::default() }
}

pub(super) fn cost_of_both() -> Cost {
    Cost { operation: "concat".into(), ..Cost::default() }
}

/// Columns from this one on.
#[derive(Debug)]
pub(super) struct PartPasses(pub(super) usize);

impl<F: Real> Operation<F> for PartPasses {
    fn forward(
        &mut self,
        pass: Pass<'_, F>,
        place: usize,
        reads: Reads<'_, F>,
        out: &mut Vec<F>,
    ) -> Result<(), Error> {
        let (network, start) = (pass.network, self.0);
        let node = &network.nodes[place];
        resize(out, pass.rows.len() * node.volume.len());
        let (from, width) = (reads.of(node.origin), network.volume(node.origin).len());
        for (row, out) in out.chunks_exact_mut(node.volume.len()).enumerate() {
            out.copy_from_slice(&from.row(pass.rows, row, width)[start..start + node.volume.len()]);
        }
        Ok(())
    }

    fn backward(
        &mut self,
        pass: Pass<'_, F>,
        place: usize,
        _reads: Reads<'_, F>,
        _out: &[F],
        back: Back<'_, F>,
    ) -> Result<(), Error> {
        let node = &pass.network.nodes[place];
        if node.origin == Origin::Input {
            return Ok(());
        }
        let (before, width) = (pass.network.volume(node.origin).len(), node.volume.len());
        back.below.clear();
        back.below.resize(pass.rows.len() * before, F::zero());
        for (to, from) in back.below.chunks_exact_mut(before).zip(back.own.chunks_exact(width)) {
            to[self.0..self.0 + width].copy_from_slice(from);
        }
        Ok(())
    }
}

/// The columns of this value after those of the first.
#[derive(Debug)]
pub(super) struct BothPasses(pub(super) Origin);

impl<F: Real> Operation<F> for BothPasses {
    fn forward(
        &mut self,
        pass: Pass<'_, F>,
        place: usize,
        reads: Reads<'_, F>,
        out: &mut Vec<F>,
    ) -> Result<(), Error> {
        let node = &pass.network.nodes[place];
        resize(out, pass.rows.len() * node.volume.len());
        let width = pass.network.volume(node.origin).len();
        let (left, right) = (reads.of(node.origin), reads.of(self.0));
        for (row, out) in out.chunks_exact_mut(node.volume.len()).enumerate() {
            let rest = out.len() - width;
            out[..width].copy_from_slice(left.row(pass.rows, row, width));
            out[width..].copy_from_slice(right.row(pass.rows, row, rest));
        }
        Ok(())
    }

    fn backward(
        &mut self,
        pass: Pass<'_, F>,
        place: usize,
        _reads: Reads<'_, F>,
        _out: &[F],
        mut back: Back<'_, F>,
    ) -> Result<(), Error> {
        let node = &pass.network.nodes[place];
        let width = pass.network.volume(node.origin).len();
        let mut rest = back.memory();
        back.below.clear();
        rest.clear();
        for own in back.own.chunks_exact(node.volume.len()) {
            back.below.extend_from_slice(&own[..width]);
            rest.extend_from_slice(&own[width..]);
        }
        back.accumulate(self.0, rest);
        Ok(())
    }
}
