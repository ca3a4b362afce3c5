//! The rank-1 perturbed convolution of all members at once: the readable reference, forward and backward.
//!
//! Allocates its results and temporaries; a training step works on [`crate::kernels::conv::forward`] and its gradients instead.

use ndarray::{Array2, Array3, Array4, ArrayView2, ArrayView3, ArrayView4, Axis};

use super::geometry::ConvShape;
use crate::factor::FactorShape;
use crate::kernels::conv::{self as product, ConvScratch};
use crate::perturb::{Perturbation, fold_to_factor, sum_over_batch};
use crate::{Error, Real, layout};

/// A convolution's shared weight with the factors and biases of `K` members.
///
/// `y[k,b] = conv(x[k,b] ∘ s[k,b], W) ∘ r[k,b] + bias[k]`, factors over channels at every position; with sums in place of
/// products when additive. The input factor acts before the zero padding, so that padding stays zero.
///
/// # Shapes
/// | field           | shape                              | note                                   |
/// |-----------------|------------------------------------|----------------------------------------|
/// | `weight`        | `[kernel_h, kernel_w, C_in, C_out]`| shared by members                      |
/// | `input_factor`  | `[K, B or 1, C_in]`                | absent: inputs are not perturbed       |
/// | `output_factor` | `[K, B or 1, C_out]`               | absent: outputs are not perturbed      |
/// | `bias`          | `[K, C_out]`                       | after the output factor; may be absent |
#[derive(Debug, Clone)]
pub struct PerturbedConv2d<'a, F> {
    /// Sizes, stride, dilation and padding.
    pub shape: ConvShape,
    /// Shared weight.
    pub weight: ArrayView4<'a, F>,
    /// Factor on the input channels.
    pub input_factor: Option<ArrayView3<'a, F>>,
    /// Factor on the output channels.
    pub output_factor: Option<ArrayView3<'a, F>>,
    /// One bias vector per member.
    pub bias: Option<ArrayView2<'a, F>>,
    /// Product or sum.
    pub perturbation: Perturbation,
    /// Number of members `K`.
    pub n_members: usize,
}

/// Gradients of a scalar with respect to everything a [`PerturbedConv2d`] reads, in the shapes of the originals.
#[derive(Debug, Clone, PartialEq)]
pub struct PerturbedConv2dGrads<F> {
    /// `[K*B, H, W, C_in]`.
    pub x: Array4<F>,
    /// `[kernel_h, kernel_w, C_in, C_out]`.
    pub weight: Array4<F>,
    /// `[K, B or 1, C_in]`, summed over the batch where one draw was shared.
    pub input_factor: Option<Array3<F>>,
    /// `[K, B or 1, C_out]`, summed over the batch where one draw was shared.
    pub output_factor: Option<Array3<F>>,
    /// `[K, C_out]`.
    pub bias: Option<Array2<F>>,
}

impl<F: Real> PerturbedConv2d<'_, F> {
    /// Outputs of all members.
    ///
    /// # Shapes
    /// `x`: `[K*B, H, W, C_in]`, member-major; returns `[K*B, OH, OW, C_out]`.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] names the argument that does not fit, [`Error::OutOfRange`] a size of the shape.
    ///
    /// # Source
    /// Dusenberry et al. 2020, arXiv:2005.07186, section 3.1, extended to channels as in the reference code.
    pub fn forward(&self, x: ArrayView4<'_, F>) -> Result<Array4<F>, Error> {
        let b = self.check("PerturbedConv2d::forward", x)?;
        let mut y = self.product(self.perturbed_input(x, b).view())?;
        if let Some(factor) = self.output_factor {
            perturb_channels(&mut y, factor, b, self.perturbation);
        }
        if let Some(bias) = self.bias {
            perturb_channels(&mut y, bias.insert_axis(Axis(1)), b, Perturbation::Additive);
        }
        Ok(y)
    }

    /// Gradients of a scalar loss, given its gradient with respect to the outputs; recomputes the product.
    ///
    /// # Shapes
    /// `x`: `[K*B, H, W, C_in]`, `grad_out`: `[K*B, OH, OW, C_out]`; returns [`PerturbedConv2dGrads`], absent where the
    /// input is absent.
    ///
    /// # Errors
    /// As [`PerturbedConv2d::forward`], also for `grad_out`.
    ///
    /// # Source
    /// Chain rule on [`PerturbedConv2d::forward`]; checked against central differences.
    pub fn backward(
        &self,
        x: ArrayView4<'_, F>,
        grad_out: ArrayView4<'_, F>,
    ) -> Result<PerturbedConv2dGrads<F>, Error> {
        const OP: &str = "PerturbedConv2d::backward";
        let b = self.check(OP, x)?;
        let (out_height, out_width) = self.shape.out_size();
        expect_shape(OP, "grad_out", &grad_out, [x.dim().0, out_height, out_width, self.shape.c_out])?;
        let multiplicative = self.perturbation == Perturbation::Multiplicative;
        let k = self.n_members;
        let perturbed = self.perturbed_input(x, b);
        let mut scratch = ConvScratch::new();

        let bias =
            self.bias.map(|_| sum_over_batch(over_positions(grad_out).view(), k, b).remove_axis(Axis(1)));
        let mut grad_product = grad_out.as_standard_layout().into_owned();
        let mut output_factor = None;
        if let Some(factor) = self.output_factor {
            let per_row = if multiplicative {
                over_positions((&self.product(perturbed.view())? * &grad_out).view())
            } else {
                over_positions(grad_out)
            };
            output_factor = Some(fold_to_factor(per_row, factor, k, b));
            if multiplicative {
                perturb_channels(&mut grad_product, factor, b, Perturbation::Multiplicative);
            }
        }

        let mut weight = Array4::zeros(self.weight.raw_dim());
        let d_out = contiguous(&grad_product);
        product::weight_gradient(
            &self.shape,
            contiguous(&perturbed),
            None,
            d_out,
            contiguous_mut(&mut weight),
            &mut scratch,
        )?;
        let mut grad_x = Array4::zeros(x.raw_dim());
        let shared = self.weight.as_standard_layout();
        let shared = shared.as_slice().expect("standard layout");
        product::input_gradient(&self.shape, d_out, shared, contiguous_mut(&mut grad_x), &mut scratch)?;

        let mut input_factor = None;
        if let Some(factor) = self.input_factor {
            let per_row = if multiplicative {
                over_positions((&grad_x * &x).view())
            } else {
                over_positions(grad_x.view())
            };
            input_factor = Some(fold_to_factor(per_row, factor, k, b));
            if multiplicative {
                perturb_channels(&mut grad_x, factor, b, Perturbation::Multiplicative);
            }
        }
        Ok(PerturbedConv2dGrads { x: grad_x, weight, input_factor, output_factor, bias })
    }

    /// Shapes of everything against `x`; returns the batch size.
    fn check(&self, op: &'static str, x: ArrayView4<'_, F>) -> Result<usize, Error> {
        let ConvShape { height, width, c_in, c_out, kernel, .. } = self.shape;
        self.shape.check()?;
        let (rows, k) = (x.dim().0, self.n_members);
        let b = layout::batch_size(op, rows, k)?;
        expect_shape(op, "x", &x, [rows, height, width, c_in])?;
        expect_shape(op, "weight", &self.weight, [kernel.0, kernel.1, c_in, c_out])?;
        for (argument, factor, width) in
            [("input_factor", self.input_factor, c_in), ("output_factor", self.output_factor, c_out)]
        {
            if let Some(factor) = factor {
                FactorShape { n_members: k, batch_size: b, width }.check(op, argument, factor)?;
            }
        }
        if let Some(bias) = self.bias
            && bias.dim() != (k, c_out)
        {
            let (expected, got) = (vec![k, c_out], bias.shape().to_vec());
            return Err(Error::ShapeMismatch { op, argument: "bias", expected, got });
        }
        Ok(b)
    }

    fn perturbed_input(&self, x: ArrayView4<'_, F>, b: usize) -> Array4<F> {
        let mut perturbed = x.as_standard_layout().into_owned();
        if let Some(factor) = self.input_factor {
            perturb_channels(&mut perturbed, factor, b, self.perturbation);
        }
        perturbed
    }

    /// The shared convolution of images that are perturbed already.
    fn product(&self, perturbed: ArrayView4<'_, F>) -> Result<Array4<F>, Error> {
        let (out_height, out_width) = self.shape.out_size();
        let mut y = Array4::zeros((perturbed.dim().0, out_height, out_width, self.shape.c_out));
        let weight = self.weight.as_standard_layout();
        product::forward(
            &self.shape,
            perturbed.as_slice().expect("perturbed images are in standard layout"),
            None,
            weight.as_slice().expect("standard layout"),
            contiguous_mut(&mut y),
            &mut ConvScratch::new(),
        )?;
        Ok(y)
    }
}

/// Applies `factor[k, b or 0, :]` to the channels at every position of image `k * B + b`.
fn perturb_channels<F: Real>(
    images: &mut Array4<F>,
    factor: ArrayView3<'_, F>,
    b: usize,
    perturbation: Perturbation,
) {
    for (r, mut image) in images.outer_iter_mut().enumerate() {
        let (member, example) = layout::member_and_example(r, b);
        let example = if factor.len_of(Axis(1)) == 1 { 0 } else { example };
        for ((_, _, channel), value) in image.indexed_iter_mut() {
            *value = perturbation.apply(*value, factor[[member, example, channel]]);
        }
    }
}

/// `[N, H, W, C]` summed to `[N, C]`.
fn over_positions<F: Real>(images: ArrayView4<'_, F>) -> Array2<F> {
    images.sum_axis(Axis(2)).sum_axis(Axis(1))
}

fn contiguous<F>(array: &Array4<F>) -> &[F] {
    array.as_slice().expect("made in standard layout")
}

fn contiguous_mut<F>(array: &mut Array4<F>) -> &mut [F] {
    array.as_slice_mut().expect("made in standard layout")
}

fn expect_shape<F>(
    op: &'static str,
    argument: &'static str,
    array: &ArrayView4<'_, F>,
    expected: [usize; 4],
) -> Result<(), Error> {
    if array.shape() == expected {
        return Ok(());
    }
    Err(Error::ShapeMismatch { op, argument, expected: expected.to_vec(), got: array.shape().to_vec() })
}
