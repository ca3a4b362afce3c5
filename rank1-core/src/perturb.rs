//! The rank-1 perturbed linear map of all members at once, forward and backward.
//!
//! The perturbed matrices are never formed: both factors act on vectors. Activations, draws and clipping are elsewhere.

use ndarray::{Array1, Array2, Array3, ArrayView2, ArrayView3, Axis, Slice, Zip};
use serde::{Deserialize, Serialize};

use crate::factor::FactorShape;
use crate::{Error, Real, layout};

/// How a factor acts on its vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Perturbation {
    /// Entry by entry product, the paper's choice in every experiment.
    #[default]
    Multiplicative,
    /// Entry by entry sum.
    Additive,
}

impl Perturbation {
    /// The perturbed value.
    pub(crate) fn apply<F: Real>(self, value: F, factor: F) -> F {
        match self {
            Self::Multiplicative => value * factor,
            Self::Additive => value + factor,
        }
    }
}

/// One layer's shared weight with the factors and biases of `K` members.
///
/// `y[k,b,:] = ((x[k,b,:] ∘ s[k,b,:]) W) ∘ r[k,b,:] + bias[k,:]`, and with sums in place of products when additive.
///
/// # Shapes
/// | field           | shape            | note                                        |
/// |-----------------|------------------|---------------------------------------------|
/// | `weight`        | `[D_in, D_out]`  | shared by members; row = input               |
/// | `input_factor`  | `[K, B or 1, D_in]`  | absent: inputs are not perturbed         |
/// | `output_factor` | `[K, B or 1, D_out]` | absent: outputs are not perturbed        |
/// | `bias`          | `[K, D_out]`     | after the output factor; may be absent      |
#[derive(Debug, Clone, Copy)]
pub struct PerturbedLinear<'a, F> {
    /// Shared weight.
    pub weight: ArrayView2<'a, F>,
    /// Factor on the inputs (`s` in the paper, `alpha` in the reference code).
    pub input_factor: Option<ArrayView3<'a, F>>,
    /// Factor on the outputs (`r` in the paper, `gamma` in the reference code).
    pub output_factor: Option<ArrayView3<'a, F>>,
    /// One bias vector per member.
    pub bias: Option<ArrayView2<'a, F>>,
    /// Product or sum.
    pub perturbation: Perturbation,
    /// Number of members `K`.
    pub n_members: usize,
}

/// Gradients of a scalar with respect to everything a [`PerturbedLinear`] reads, in the shapes of the originals.
#[derive(Debug, Clone, PartialEq)]
pub struct PerturbedLinearGrads<F> {
    /// `[K*B, D_in]`.
    pub x: Array2<F>,
    /// `[D_in, D_out]`.
    pub weight: Array2<F>,
    /// `[K, B or 1, D_in]`, summed over the batch where one draw was shared.
    pub input_factor: Option<Array3<F>>,
    /// `[K, B or 1, D_out]`, summed over the batch where one draw was shared.
    pub output_factor: Option<Array3<F>>,
    /// `[K, D_out]`.
    pub bias: Option<Array2<F>>,
}

impl<F: Real> PerturbedLinear<'_, F> {
    /// Outputs of all members.
    ///
    /// # Shapes
    /// `x`: `[K*B, D_in]`, member-major; returns `[K*B, D_out]`.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] names the argument that does not fit. NaN passes through.
    ///
    /// # Numerics
    /// Sums run in the element type. No clipping here: see [`crate::factor::ClipBounds`].
    ///
    /// # Source
    /// Dusenberry et al. 2020, arXiv:2005.07186, section 3.1 (our weight is the transpose of theirs); bias placed as in
    /// the reference code.
    pub fn forward(&self, x: ArrayView2<'_, F>) -> Result<Array2<F>, Error> {
        let mut y = self.product("PerturbedLinear::forward", x)?;
        self.finish(&mut y);
        Ok(y)
    }

    /// Outputs together with the bare product `(x ∘ s) W`, which [`PerturbedLinear::backward_from_product`] can reuse.
    ///
    /// # Shapes
    /// `x`: `[K*B, D_in]`; returns two arrays `[K*B, D_out]`: outputs, product.
    ///
    /// # Errors
    /// As [`PerturbedLinear::forward`].
    ///
    /// # Source
    /// As [`PerturbedLinear::forward`].
    pub fn forward_with_product(&self, x: ArrayView2<'_, F>) -> Result<(Array2<F>, Array2<F>), Error> {
        let product = self.product("PerturbedLinear::forward_with_product", x)?;
        let mut y = product.clone();
        self.finish(&mut y);
        Ok((y, product))
    }

    /// Gradients of a scalar loss, given its gradient with respect to the outputs; recomputes the product.
    ///
    /// # Shapes
    /// `x`: `[K*B, D_in]`, `grad_out`: `[K*B, D_out]`; returns [`PerturbedLinearGrads`], absent where the input is absent.
    ///
    /// # Errors
    /// As [`PerturbedLinear::forward`], also for `grad_out`.
    ///
    /// # Source
    /// Chain rule on [`PerturbedLinear::forward`]; checked against central differences.
    pub fn backward(
        &self,
        x: ArrayView2<'_, F>,
        grad_out: ArrayView2<'_, F>,
    ) -> Result<PerturbedLinearGrads<F>, Error> {
        let needs_product = self.output_factor.is_some() && self.perturbation == Perturbation::Multiplicative;
        if needs_product {
            let product = self.product("PerturbedLinear::backward", x)?;
            return self.backward_from_product(x, grad_out, product.view());
        }
        self.backward_from_product(x, grad_out, grad_out)
    }

    /// As [`PerturbedLinear::backward`], with the product of [`PerturbedLinear::forward_with_product`] instead of
    /// another matrix multiplication. The product is read only if there is a multiplicative output factor.
    ///
    /// # Shapes
    /// `x`: `[K*B, D_in]`, `grad_out` and `product`: `[K*B, D_out]`.
    ///
    /// # Errors
    /// As [`PerturbedLinear::backward`].
    ///
    /// # Source
    /// As [`PerturbedLinear::backward`].
    pub fn backward_from_product(
        &self,
        x: ArrayView2<'_, F>,
        grad_out: ArrayView2<'_, F>,
        product: ArrayView2<'_, F>,
    ) -> Result<PerturbedLinearGrads<F>, Error> {
        const OP: &str = "PerturbedLinear::backward";
        let b = self.check(OP, x)?;
        let expected = [x.nrows(), self.weight.ncols()];
        for (argument, array) in [("grad_out", grad_out), ("product", product)] {
            if array.shape() != expected {
                return Err(Error::ShapeMismatch {
                    op: OP,
                    argument,
                    expected: expected.to_vec(),
                    got: array.shape().to_vec(),
                });
            }
        }
        let multiplicative = self.perturbation == Perturbation::Multiplicative;
        let bias = self.bias.map(|_| sum_over_batch(grad_out, self.n_members, b).remove_axis(Axis(1)));
        let output_factor = self.output_factor.map(|factor| {
            let grad = if multiplicative { &grad_out * &product } else { grad_out.to_owned() };
            fold_to_factor(grad, factor, self.n_members, b)
        });
        // Gradient with respect to the product, then through the shared weight to the perturbed input.
        let mut grad_product = grad_out.to_owned();
        if let (true, Some(factor)) = (multiplicative, self.output_factor) {
            perturb_rows(&mut grad_product, factor, b, Perturbation::Multiplicative);
        }
        let weight = self.perturbed_input(x, b).t().dot(&grad_product);
        let mut grad_x = grad_product.dot(&self.weight.t());
        let input_factor = self.input_factor.map(|factor| {
            let grad = if multiplicative { &grad_x * &x } else { grad_x.clone() };
            fold_to_factor(grad, factor, self.n_members, b)
        });
        if let (true, Some(factor)) = (multiplicative, self.input_factor) {
            perturb_rows(&mut grad_x, factor, b, Perturbation::Multiplicative);
        }
        Ok(PerturbedLinearGrads { x: grad_x, weight, input_factor, output_factor, bias })
    }

    /// Shapes of everything against `x`; returns the batch size.
    fn check(&self, op: &'static str, x: ArrayView2<'_, F>) -> Result<usize, Error> {
        let (d_in, d_out) = self.weight.dim();
        let k = self.n_members;
        let b = layout::batch_size(op, x.nrows(), k)?;
        if x.ncols() != d_in {
            let (expected, got) = (vec![k * b, d_in], vec![x.nrows(), x.ncols()]);
            return Err(Error::ShapeMismatch { op, argument: "x", expected, got });
        }
        if let Some(factor) = self.input_factor {
            let shape = FactorShape { n_members: k, batch_size: b, width: d_in };
            shape.check(op, "input_factor", factor)?;
        }
        if let Some(factor) = self.output_factor {
            let shape = FactorShape { n_members: k, batch_size: b, width: d_out };
            shape.check(op, "output_factor", factor)?;
        }
        if let Some(bias) = self.bias
            && bias.dim() != (k, d_out)
        {
            let (expected, got) = (vec![k, d_out], bias.shape().to_vec());
            return Err(Error::ShapeMismatch { op, argument: "bias", expected, got });
        }
        Ok(b)
    }

    fn perturbed_input(&self, x: ArrayView2<'_, F>, b: usize) -> Array2<F> {
        let mut perturbed = x.to_owned();
        if let Some(factor) = self.input_factor {
            perturb_rows(&mut perturbed, factor, b, self.perturbation);
        }
        perturbed
    }

    fn product(&self, op: &'static str, x: ArrayView2<'_, F>) -> Result<Array2<F>, Error> {
        let b = self.check(op, x)?;
        // Without an input factor the copy of x is saved.
        if self.input_factor.is_none() {
            return Ok(x.dot(&self.weight));
        }
        Ok(self.perturbed_input(x, b).dot(&self.weight))
    }

    fn finish(&self, y: &mut Array2<F>) {
        let b = y.nrows() / self.n_members;
        if let Some(factor) = self.output_factor {
            perturb_rows(y, factor, b, self.perturbation);
        }
        if let Some(bias) = self.bias {
            perturb_rows(y, bias.insert_axis(Axis(1)), b, Perturbation::Additive);
        }
    }
}

/// Applies `factor[k, b or 0, :]` to row `k * B + b`.
fn perturb_rows<F: Real>(
    rows: &mut Array2<F>,
    factor: ArrayView3<'_, F>,
    b: usize,
    perturbation: Perturbation,
) {
    for (r, mut row) in rows.rows_mut().into_iter().enumerate() {
        let (member, example) = layout::member_and_example(r, b);
        let example = if factor.len_of(Axis(1)) == 1 { 0 } else { example };
        let factor = factor.index_axis(Axis(0), member).index_axis_move(Axis(0), example);
        Zip::from(&mut row).and(&factor).for_each(|value, &f| *value = perturbation.apply(*value, f));
    }
}

/// Per-row gradients `[K*B, D]` in the shape of the factor, summed over the batch if the draw was shared.
pub(crate) fn fold_to_factor<F: Real>(
    grad: Array2<F>,
    factor: ArrayView3<'_, F>,
    k: usize,
    b: usize,
) -> Array3<F> {
    if factor.len_of(Axis(1)) == b {
        let d = grad.ncols();
        // `grad` may come from a product in column-major order, hence the explicit standard order.
        let flat = grad.as_standard_layout().into_owned();
        return flat
            .into_shape_with_order((k, b, d))
            .expect("row counts were checked against members and batch");
    }
    sum_over_batch(grad.view(), k, b)
}

/// Rows `[K*B, D]` summed over the examples of each member, `[K, 1, D]`.
pub(crate) fn sum_over_batch<F: Real>(rows: ArrayView2<'_, F>, k: usize, b: usize) -> Array3<F> {
    let mut out = Array3::zeros((k, 1, rows.ncols()));
    for member in 0..k {
        let first = layout::row(member, 0, b);
        let sum: Array1<F> = rows.slice_axis(Axis(0), Slice::from(first..first + b)).sum_axis(Axis(0));
        out.index_axis_mut(Axis(0), member).row_mut(0).assign(&sum);
    }
    out
}

#[cfg(test)]
mod tests;
