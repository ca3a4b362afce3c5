//! Categories of a table as trained vectors: part of the embedding that a network of tables begins with.

use std::ops::Range;

use ndarray::ArrayView1;
use rank1_core::Real;
use rank1_core::embedding::Category;
use rank1_priors::WeightInit;

use crate::engine::analytic::Pass;
use crate::error::Error;
use crate::init::Initializer;
use crate::params::ParamId;

/// The vectors of one category: a row for each place of its code, those of unseen and missing levels among them.
#[derive(Debug, Clone, PartialEq)]
pub struct CategoryPlan {
    /// Places of its code among the input columns, m of them.
    pub places: Range<usize>,
    /// Values of a vector, d.
    pub width: usize,
    /// `[m, d]`.
    pub weight: ParamId,
}

impl CategoryPlan {
    fn layer<'a, F: Real>(&self, pass: Pass<'a, F>) -> Category<'a, F> {
        Category { weight: pass.network.layout.slice(pass.parameters, self.weight), width: self.width }
    }

    fn code<F: Real>(&self, row: ArrayView1<'_, F>) -> impl ExactSizeIterator<Item = F> {
        self.places.clone().map(move |place| row[place])
    }
}

/// Vectors start within d^-1/2, as linear embeddings of numbers do.
pub(super) fn start(init: &mut Initializer<'_>, category: &CategoryPlan) -> Result<(), Error> {
    let rng = &mut init.rng(category.weight);
    Ok(WeightInit::FanInUniform.fill(init.slice(category.weight), category.width, 1, rng)?)
}

/// Writes the vectors of one row behind each other.
pub(super) fn forward<F: Real>(
    categories: &[CategoryPlan],
    pass: Pass<'_, F>,
    row: ArrayView1<'_, F>,
    mut out: &mut [F],
) -> Result<(), Error> {
    for category in categories {
        let (own, rest) = out.split_at_mut(category.width);
        own.fill(F::zero());
        category.layer(pass).add(category.code(row), own)?;
        out = rest;
    }
    Ok(())
}

/// Adds the gradients of all vectors from those of one row.
pub(super) fn backward<F: Real>(
    categories: &[CategoryPlan],
    pass: Pass<'_, F>,
    row: ArrayView1<'_, F>,
    mut gradient: &[F],
    parameters: &mut [F],
) -> Result<(), Error> {
    for category in categories {
        let (own, rest) = gradient.split_at(category.width);
        let sink = pass.network.layout.slice_mut(parameters, category.weight);
        category.layer(pass).backward(category.code(row), own, sink)?;
        gradient = rest;
    }
    Ok(())
}
