//! All parameters of a network as named slices of one flat vector.
//!
//! Optimizers, clipping and penalties run over flat slices in single passes; engines read views of the
//! same memory. Not for values that are never trained.

use std::ops::Range;

use ndarray::{ArrayView1, ArrayView2, ShapeBuilder};
use serde::{Deserialize, Serialize};

/// What a parameter is; decides its penalty and its learning-rate multiplier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParamGroup {
    /// Shared weight matrices (slow weights), including mean-field means.
    Weight,
    /// Unconstrained scales of mean-field weights.
    WeightScale,
    /// Biases, one vector per member.
    Bias,
    /// Locations of factor posteriors, and point factors.
    FactorLocation,
    /// Unconstrained scales of factor posteriors.
    FactorScale,
    /// Unconstrained observation noise of the Gaussian likelihood.
    Noise,
    /// Unconstrained parameters of trainable priors.
    Prior,
    /// Scales and shifts of batch normalizations.
    Norm,
    /// Running means and variances of batch normalizations: kept and stored with the parameters, but not trained.
    ///
    /// In a gradient vector their place holds what a step subtracts from them.
    Statistic,
}

/// Index of a parameter in its layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParamId(usize);

impl ParamId {
    /// Position in the layout.
    #[must_use]
    pub fn index(self) -> usize {
        self.0
    }
}

/// Name, shape, group and place of one parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamSpec {
    /// Path-like name, for example `layer0.input_factor.location`.
    pub name: String,
    /// Shape, row-major.
    pub shape: Vec<usize>,
    /// What it is.
    pub group: ParamGroup,
    /// Place in the flat vector.
    pub range: Range<usize>,
}

/// The parameters of a network in the order of the flat vector.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParamLayout {
    specs: Vec<ParamSpec>,
    len: usize,
    n_trainable: usize,
}

impl ParamLayout {
    /// Appends a parameter and returns its index.
    ///
    /// # Panics
    /// If a trained parameter follows a statistic: a fault of this crate, not of the caller.
    pub fn push(&mut self, name: String, shape: &[usize], group: ParamGroup) -> ParamId {
        let size: usize = shape.iter().product();
        let range = self.len..self.len + size;
        assert!(group == ParamGroup::Statistic || self.n_trainable == self.len, "`{name}` after statistics");
        self.len += size;
        if group != ParamGroup::Statistic {
            self.n_trainable = self.len;
        }
        self.specs.push(ParamSpec { name, shape: shape.to_vec(), group, range });
        ParamId(self.specs.len() - 1)
    }

    /// Number of trainable scalars: the start of the flat vector, before the statistics.
    #[must_use]
    pub fn n_trainable(&self) -> usize {
        self.n_trainable
    }

    /// Length of the flat vector: trainable scalars, then statistics.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no parameter at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The parameters in order.
    #[must_use]
    pub fn specs(&self) -> &[ParamSpec] {
        &self.specs
    }

    /// One parameter's description.
    #[must_use]
    pub fn spec(&self, id: ParamId) -> &ParamSpec {
        &self.specs[id.0]
    }

    /// The slice of `flat` that belongs to a parameter.
    #[must_use]
    pub fn slice<'a, F>(&self, flat: &'a [F], id: ParamId) -> &'a [F] {
        &flat[self.spec(id).range.clone()]
    }

    /// The mutable slice of `flat` that belongs to a parameter.
    pub fn slice_mut<'a, F>(&self, flat: &'a mut [F], id: ParamId) -> &'a mut [F] {
        &mut flat[self.spec(id).range.clone()]
    }

    /// A parameter of two axes as a matrix view.
    ///
    /// # Shapes
    /// `[rows, columns]` as pushed, row-major.
    ///
    /// # Panics
    /// If the parameter has not two axes: a fault of this crate, not of the caller.
    #[must_use]
    pub fn matrix<'a, F>(&self, flat: &'a [F], id: ParamId) -> ArrayView2<'a, F> {
        let spec = self.spec(id);
        let [rows, columns] = spec.shape[..] else { panic!("`{}` is no matrix", spec.name) };
        ArrayView2::from_shape((rows, columns).into_shape_with_order(), self.slice(flat, id))
            .expect("a layout slice has the size of its shape")
    }

    /// Row `row` of a matrix parameter.
    #[must_use]
    pub fn row<'a, F>(&self, flat: &'a [F], id: ParamId, row: usize) -> &'a [F] {
        let spec = self.spec(id);
        let width = spec.shape[spec.shape.len() - 1];
        &self.slice(flat, id)[row * width..(row + 1) * width]
    }

    /// A parameter as a flat view.
    ///
    /// # Shapes
    /// `[n]`, n the product of its axes.
    #[must_use]
    pub fn vector<'a, F>(&self, flat: &'a [F], id: ParamId) -> ArrayView1<'a, F> {
        ArrayView1::from(self.slice(flat, id))
    }

    /// The number of trainable scalars of a group.
    #[must_use]
    pub fn count(&self, group: ParamGroup) -> usize {
        self.specs.iter().filter(|s| s.group == group).map(|s| s.range.len()).sum()
    }
}
