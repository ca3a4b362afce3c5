//! Arguments and gradients of a perturbed layer, on a device or on the host, and the shape of the linear one.
//!
//! Not for drawing factors: they are buffers here, see [`crate::launch::draw_factors`].

use rank1_core::perturb::Perturbation;

use crate::Error;
use crate::shape::check_axes;

/// What follows the bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Activation {
    /// Nothing.
    #[default]
    Identity,
    /// `max(z, 0)`, with derivative 0 at 0; NaN stays NaN.
    Relu,
    /// Hyperbolic tangent.
    Tanh,
}

/// How many examples share a row of a factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FactorRows {
    /// One row for all examples of a member, `[K, D]`.
    PerMember,
    /// One row for each example, `[K * batch_size, D]`, member-major.
    PerExample,
}

/// A factor that was drawn already.
#[derive(Debug)]
pub struct Factor<'a, T: ?Sized> {
    /// `[K, D]` or `[K * batch_size, D]`.
    pub values: &'a T,
    /// Which of the two.
    pub rows: FactorRows,
}

impl<T: ?Sized> Clone for Factor<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for Factor<'_, T> {}

/// A layer's shared weight with the factors and biases of its `K` members.
///
/// `z = ((x ∘ s) W) ∘ r + bias` and `y = activation(z)`, with sums in place of both products `∘` when additive. `T` is a
/// device's buffer, or a slice of an array on the host.
///
/// # Shapes
/// | field | linear | convolution |
/// | --- | --- | --- |
/// | `weight` | `[D_in, D_out]` | `[kernel_h, kernel_w, C_in, C_out]` |
/// | `input_factor` | `[K or K * B, D_in]` | `[K or K * B, C_in]` |
/// | `output_factor` | `[K or K * B, D_out]` | `[K or K * B, C_out]` |
/// | `bias` | `[K, D_out]` | `[K, C_out]` |
#[derive(Debug)]
pub struct PerturbedLayer<'a, T: ?Sized> {
    /// Shared by the members; row = input.
    pub weight: &'a T,
    /// Factor `s` on the inputs; absent: inputs are not perturbed.
    pub input_factor: Option<Factor<'a, T>>,
    /// Factor `r` on the outputs; absent: outputs are not perturbed.
    pub output_factor: Option<Factor<'a, T>>,
    /// One row per member, added after the output factor.
    pub bias: Option<&'a T>,
    /// Product or sum.
    pub perturbation: Perturbation,
    /// What follows the bias.
    pub activation: Activation,
}

/// Gradients of a scalar with respect to everything a [`PerturbedLayer`] reads, in the shapes of the originals.
///
/// Those of factors have a type of their own where a layer draws them: [`crate::FactorGradients`].
#[derive(Debug, Clone, PartialEq)]
pub struct LayerGrads<T, F = T> {
    /// Gradient of the layer's input.
    pub x: T,
    /// Summed over all rows of all members.
    pub weight: T,
    /// Per example, or summed over the batch where a member's examples share a row; absent where the factor is.
    pub input_factor: Option<F>,
    /// As `input_factor`.
    pub output_factor: Option<F>,
    /// Per member; absent where the bias is.
    pub bias: Option<T>,
}

/// Axes of a perturbed linear map of all members; row `k * batch_size + b` belongs to member `k`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LinearShape {
    /// Number of members `K`.
    pub n_members: usize,
    /// Examples per member `B`.
    pub batch_size: usize,
    /// Width of the input.
    pub d_in: usize,
    /// Width of the output.
    pub d_out: usize,
}

impl LinearShape {
    /// Verifies that no axis is empty and that every buffer has 32-bit addresses.
    ///
    /// # Errors
    /// [`Error::Empty`] names the axis, [`Error::OverLimit`] counts the elements.
    pub fn check(&self, op: &'static str) -> Result<(), Error> {
        let (k, b) = (("n_members", self.n_members), ("batch_size", self.batch_size));
        let (d_in, d_out) = (("d_in", self.d_in), ("d_out", self.d_out));
        check_axes(op, &[k, b, d_in])?;
        check_axes(op, &[k, b, d_out])?;
        check_axes(op, &[d_in, d_out]).map(|_| ())
    }

    pub(crate) fn sizes(&self) -> Sizes {
        let Self { n_members, batch_size, d_in, d_out } = *self;
        Sizes { n_members, batch_size, in_positions: 1, out_positions: 1, c_in: d_in, c_out: d_out, taps: 1 }
    }
}

impl FactorRows {
    /// Rows of a factor.
    pub(crate) fn count(self, n_members: usize, batch_size: usize) -> usize {
        match self {
            Self::PerMember => n_members,
            Self::PerExample => n_members * batch_size,
        }
    }

    /// Consecutive examples that share a row.
    pub(crate) fn examples_per_row(self, batch_size: usize) -> usize {
        match self {
            Self::PerMember => batch_size,
            Self::PerExample => 1,
        }
    }
}

/// What a linear map and a convolution have in common; a linear map has one position and one tap.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) n_members: usize,
    pub(crate) batch_size: usize,
    /// Places of an example's input that have `c_in` channels each.
    pub(crate) in_positions: usize,
    /// Places of an example's output that have `c_out` channels each.
    pub(crate) out_positions: usize,
    pub(crate) c_in: usize,
    pub(crate) c_out: usize,
    /// Entries of the kernel for each pair of channels.
    pub(crate) taps: usize,
}

impl Sizes {
    pub(crate) fn n_examples(&self) -> usize {
        self.n_members * self.batch_size
    }

    pub(crate) fn in_rows(&self) -> usize {
        self.n_examples() * self.in_positions
    }

    pub(crate) fn out_rows(&self) -> usize {
        self.n_examples() * self.out_positions
    }

    /// Every buffer of a layer with its name and the shape it must have.
    pub(crate) fn buffers<'a, T: ?Sized>(
        &self,
        layer: &PerturbedLayer<'a, T>,
    ) -> Vec<(&'static str, &'a T, [usize; 2])> {
        let rows = |factor: Factor<'_, T>| factor.rows.count(self.n_members, self.batch_size);
        let mut all = vec![("weight", layer.weight, [self.taps * self.c_in, self.c_out])];
        if let Some(factor) = layer.input_factor {
            all.push(("input_factor", factor.values, [rows(factor), self.c_in]));
        }
        if let Some(factor) = layer.output_factor {
            all.push(("output_factor", factor.values, [rows(factor), self.c_out]));
        }
        if let Some(bias) = layer.bias {
            all.push(("bias", bias, [self.n_members, self.c_out]));
        }
        all
    }
}
