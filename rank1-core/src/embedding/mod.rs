//! Numbers and categories of a table as vectors: linear, periodic and piecewise-linear embeddings, rows picked by codes, with
//! their gradients.
//!
//! A number of a table tells more through a vector of its own than through one product: its effect need not be linear.
//! One embedding serves all members of a network.
//!
//! # Shapes
//! Everywhere B rows, n features, d values a feature: `x` `[B, n]`, `out` `[B, n, d]`, all row-major.
//!
//! # Source
//! Gorishniy et al. 2022, "On Embeddings for Numerical Features in Tabular Deep Learning".

mod bins;
mod category;
mod linear;
mod periodic;
mod piecewise;

pub use bins::{Edges, quantile_edges};
pub use category::Category;
pub use linear::Linear;
pub use periodic::Periodic;
pub use piecewise::{PiecewiseLinear, encode};

/// `max(0, v)` of every value.
pub fn relu<F: crate::Real>(values: &mut [F]) {
    values.iter_mut().for_each(|v| *v = v.max(F::zero()));
}

/// Gradient of [`relu`] from its results: zero where they are.
pub fn relu_backward<F: crate::Real>(out: &[F], gradient: &mut [F]) {
    gradient.iter_mut().zip(out).for_each(|(g, &out)| {
        if out <= F::zero() {
            *g = F::zero();
        }
    });
}
