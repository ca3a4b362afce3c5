//! Nonlinearities and their derivatives, in place.

use rank1_core::Real;
use rank1_core::numeric::{sigmoid, softplus};

use crate::network::Activation;

/// `out = activation(pre)`.
pub(super) fn apply<F: Real>(activation: Activation, pre: &[F], out: &mut [F]) {
    let six = F::of(6.0);
    let map = |out: &mut [F], f: &dyn Fn(F) -> F| {
        for (o, &z) in out.iter_mut().zip(pre) {
            *o = f(z);
        }
    };
    match activation {
        Activation::Linear => out.copy_from_slice(pre),
        // A direct loop: this one is on the hot path and vectorizes. NaN passes through.
        Activation::Relu => {
            for (o, &z) in out.iter_mut().zip(pre) {
                *o = if z < F::zero() { F::zero() } else { z };
            }
        }
        Activation::Relu6 => map(out, &|z| {
            if z < F::zero() {
                F::zero()
            } else if z > six {
                six
            } else {
                z
            }
        }),
        Activation::Tanh => map(out, &F::tanh),
        Activation::Silu => map(out, &|z| z * sigmoid(z)),
        Activation::Softplus => map(out, &softplus),
    }
}

/// `gradient *= activation'(pre)`; at kinks the derivative is zero, as in the reference code.
pub(super) fn backward<F: Real>(activation: Activation, pre: &[F], out: &[F], gradient: &mut [F]) {
    let (zero, one, six) = (F::zero(), F::one(), F::of(6.0));
    let rows = gradient.iter_mut().zip(pre).zip(out);
    match activation {
        Activation::Linear => {}
        Activation::Relu => {
            for ((g, &z), _) in rows {
                *g = if z > zero { *g } else { zero };
            }
        }
        Activation::Relu6 => rows.for_each(|((g, &z), _)| {
            if !(z > zero && z < six) {
                *g = zero;
            }
        }),
        Activation::Tanh => rows.for_each(|((g, _), &h)| *g *= one - h * h),
        Activation::Silu => rows.for_each(|((g, &z), _)| {
            let s = sigmoid(z);
            *g *= s * (one + z * (one - s));
        }),
        Activation::Softplus => rows.for_each(|((g, &z), _)| *g *= sigmoid(z)),
    }
}
