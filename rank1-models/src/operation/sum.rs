//! The sum of two values of one size, as around residual blocks.

use rank1_core::Real;

use super::{Back, Cost, Op, Operation, Plan, Reads};
use crate::engine::analytic::{Pass, for_chunks, resize};
use crate::error::Error;
use crate::network::Origin;

impl Plan {
    /// Adds another value of the same size.
    pub(crate) fn add(&mut self, at: Origin, other: Origin) -> Origin {
        self.push(Op::Add(other), at, self.volume(at))
    }
}

pub(super) fn cost() -> Cost {
    Cost { operation: "add".into(), ..Cost::default() }
}

/// The sum; nothing is kept.
#[derive(Debug)]
pub(super) struct SumPasses(pub(super) Origin);

impl<F: Real> Operation<F> for SumPasses {
    fn forward(
        &mut self,
        pass: Pass<'_, F>,
        place: usize,
        reads: Reads<'_, F>,
        out: &mut Vec<F>,
    ) -> Result<(), Error> {
        let node = &pass.network.nodes[place];
        let (left, right) = (reads.rows_of(node.origin)?, reads.rows_of(self.0)?);
        let width = node.volume.len();
        resize(out, left.len());
        for_chunks(out, width, |row, out| {
            let at = row * width..(row + 1) * width;
            let parts = out.iter_mut().zip(&left[at.clone()]).zip(&right[at]);
            parts.for_each(|((out, &left), &right)| *out = left + right);
        });
        Ok(())
    }

    fn backward(
        &mut self,
        _pass: Pass<'_, F>,
        _place: usize,
        _reads: Reads<'_, F>,
        _out: &[F],
        mut back: Back<'_, F>,
    ) -> Result<(), Error> {
        back.accumulate_copy(self.0);
        std::mem::swap(back.own, back.below);
        Ok(())
    }
}
