//! Nonlinearities and their derivatives, in place, on all threads where that pays.

use rank1_core::Real;
use rank1_core::numeric::{sigmoid, softplus};
use rank1_core::simd::vectorized;
use rayon::prelude::*;

use super::rows::{CHUNK, PARALLEL_VALUES, for_chunks, zip_chunks};
use crate::network::{Activation, Network, Op, Origin};

/// Whether the derivative is taken at the values before the activation; the others read it off those after.
pub(super) fn needs_pre(activation: Activation) -> bool {
    matches!(activation, Activation::Silu | Activation::Softplus)
}

/// Replaces values by their activation. NaN passes through.
pub(super) fn apply<F: Real>(activation: Activation, values: &mut [F]) {
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
        Activation::Tanh => {
            let (whole, rest) = values.split_at_mut(values.len() / CHUNK * CHUNK);
            for_chunks(whole, CHUNK, |_, chunk| F::tanh_in_place(chunk));
            F::tanh_in_place(rest);
        }
        Activation::Silu => map(values, |z| z * sigmoid(z)),
        Activation::Softplus => map(values, softplus),
    }
}

fn map<F: Real>(values: &mut [F], f: impl Fn(F) -> F + Sync + Send) {
    if values.len() < PARALLEL_VALUES {
        vectorized(|| values.iter_mut().for_each(|z| *z = f(*z)));
    } else {
        let chunks = values.par_chunks_mut(CHUNK);
        chunks.for_each(|chunk| vectorized(|| chunk.iter_mut().for_each(|z| *z = f(*z))));
    }
}

/// `gradient *= activation'`; at kinks the derivative is zero, as in the reference code.
///
/// `pre` is read where [`needs_pre`] says so, `out` elsewhere.
pub(super) fn backward<F: Real>(activation: Activation, pre: &[F], out: &[F], gradient: &mut [F]) {
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
    zip_chunks(gradient, at, |gradient, at| {
        gradient.iter_mut().zip(at).for_each(|(g, &at)| *g = f(*g, at));
    });
}

/// For every operation whose rows are read by one activation alone, and by no gradient: the number of that activation.
pub(super) fn taken_by(network: &Network) -> Vec<Option<usize>> {
    let mut readers = vec![0; network.nodes.len()];
    for node in &network.nodes {
        let second = match node.op {
            Op::Add(other) | Op::Concat(other) => Some(other),
            _ => None,
        };
        for origin in [Some(node.origin), second].into_iter().flatten() {
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
