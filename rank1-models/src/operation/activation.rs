//! Nonlinearities: their values and derivatives in place, for layers and as operations of their own.

use rank1_core::Real;
use rank1_core::kernels::simd::vectorized;
use rank1_core::numeric::{sigmoid, softplus};
use rayon::prelude::*;

use super::{Back, Cost, Op, Operation, Plan, Reads};
use crate::engine::analytic::{CHUNK, PARALLEL_VALUES, Pass, resize, zip_chunks};
use crate::error::Error;
use crate::network::{Activation, Network, Origin};

/// Whether the derivative is taken at the values before the activation; the others read it off those after.
pub(crate) fn needs_pre(activation: Activation) -> bool {
    matches!(activation, Activation::Silu | Activation::Softplus)
}

/// Replaces values by their activation. NaN passes through.
pub(crate) fn apply<F: Real>(activation: Activation, values: &mut [F]) {
    if matches!(activation, Activation::Linear) {
        return;
    }
    let one = |chunk: &mut [F]| {
        vectorized(
            #[inline(always)]
            || apply_here(activation, chunk),
        )
    };
    if values.len() < PARALLEL_VALUES {
        one(values);
    } else {
        values.par_chunks_mut(CHUNK).for_each(one);
    }
}

/// [`apply`] on this thread, as part of a pass over something else.
#[inline(always)]
pub(crate) fn apply_here<F: Real>(activation: Activation, values: &mut [F]) {
    let (zero, six) = (F::zero(), F::of(6.0));
    match activation {
        Activation::Linear => {}
        Activation::Relu => map(values, |z| if z < zero { zero } else { z }),
        Activation::Relu6 => map(values, |z| {
            if z < zero {
                zero
            } else if z > six {
                six
            } else {
                z
            }
        }),
        Activation::Tanh => F::tanh_in_place(values),
        Activation::Silu => map(values, |z| z * sigmoid(z)),
        Activation::Softplus => map(values, softplus),
    }
}

#[inline(always)]
fn map<F: Real>(values: &mut [F], f: impl Fn(F) -> F) {
    values.iter_mut().for_each(|z| *z = f(*z));
}

/// `gradient *= activation'`; at kinks the derivative is zero, as in the reference code.
///
/// `pre` is read where [`needs_pre`] says so, `out` elsewhere.
pub(crate) fn backward<F: Real>(activation: Activation, pre: &[F], out: &[F], gradient: &mut [F]) {
    let (zero, one, six) = (F::zero(), F::one(), F::of(6.0));
    match activation {
        Activation::Linear => {}
        Activation::Relu => scale(gradient, out, |g, h| if h > zero { g } else { zero }),
        Activation::Relu6 => scale(gradient, out, |g, h| if h > zero && h < six { g } else { zero }),
        Activation::Tanh => scale(gradient, out, |g, h| g * (one - h * h)),
        Activation::Silu => scale(gradient, pre, |g, z| {
            let s = sigmoid(z);
            g * s * (one + z * (one - s))
        }),
        Activation::Softplus => scale(gradient, pre, |g, z| g * sigmoid(z)),
    }
}

fn scale<F: Real>(gradient: &mut [F], at: &[F], f: impl Fn(F, F) -> F + Sync + Send) {
    zip_chunks(
        gradient,
        at,
        #[inline(always)]
        |gradient, at| {
            gradient.iter_mut().zip(at).for_each(|(g, &at)| *g = f(*g, at));
        },
    );
}

impl Plan {
    /// A nonlinearity of its own.
    pub(crate) fn activation(&mut self, at: Origin, activation: Activation) -> Origin {
        self.push(Op::Activation(activation), at, self.volume(at))
    }
}

pub(super) fn cost(activation: Activation) -> Cost {
    Cost { operation: format!("{activation:?}").to_lowercase(), ..Cost::default() }
}

/// A nonlinearity on rows that others read too; else the engine applies it in their place, see [`taken_by`].
#[derive(Debug)]
pub(super) struct ActivationPasses(pub(super) Activation);

impl<F: Real> Operation<F> for ActivationPasses {
    fn forward(
        &mut self,
        pass: Pass<'_, F>,
        place: usize,
        reads: Reads<'_, F>,
        out: &mut Vec<F>,
    ) -> Result<(), Error> {
        let x = reads.rows_of(pass.network.nodes[place].origin)?;
        resize(out, x.len());
        zip_chunks(out, x, <[F]>::copy_from_slice);
        apply(self.0, out);
        Ok(())
    }

    fn backward(
        &mut self,
        pass: Pass<'_, F>,
        place: usize,
        reads: Reads<'_, F>,
        out: &[F],
        back: Back<'_, F>,
    ) -> Result<(), Error> {
        let before = if needs_pre(self.0) { reads.rows_of(pass.network.nodes[place].origin)? } else { out };
        backward(self.0, before, out, back.own);
        std::mem::swap(back.own, back.below);
        Ok(())
    }
}

/// For every operation whose rows are read by one activation alone, and by no gradient: the number of that activation.
pub(crate) fn taken_by(network: &Network) -> Vec<Option<usize>> {
    let mut readers = vec![0; network.nodes.len()];
    for node in &network.nodes {
        for origin in [Some(node.origin), node.op.second()].into_iter().flatten() {
            if let Origin::Node(place) = origin {
                readers[place] += 1;
            }
        }
    }
    let mut taken_by = vec![None; network.nodes.len()];
    for (index, node) in network.nodes.iter().enumerate() {
        let (Op::Activation(kind), Origin::Node(place)) = (node.op, node.origin) else { continue };
        let keeps_nothing = matches!(network.nodes[place].op, Op::Norm(_) | Op::Add(_));
        if keeps_nothing && readers[place] == 1 && !needs_pre(kind) {
            taken_by[place] = Some(index);
        }
    }
    taken_by
}
