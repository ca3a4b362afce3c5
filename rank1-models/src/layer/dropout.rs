//! Dropout by the mask of a pass, so that training and prediction share one path and one source of randomness.

use burn::tensor::{Device, Tensor};
use rank1_core::Error;
use rank1_core::noise::NoiseKind;

use super::Pass;
use crate::engine::Site;
use crate::method::Granularity;

/// Multiplies each entry by 0 with probability `rate`, else by `1 / (1 - rate)`.
///
/// # Shapes
/// `[S*K*B, D]`, or whole channels of `[S*K*B, C, H, W]`; the shape stays.
///
/// # Streams
/// Draws from [`Dropout::stream`], one of [`super::LayerStreams::next_stream`]; the same pass draws the same mask again.
///
/// # Example
/// ```
/// use rank1_models::burn::tensor::{Device, Tensor};
/// use rank1_models::layer::{Dropout, LayerStreams, Pass};
///
/// let device = Device::flex();
/// let mut streams = LayerStreams::new(7, &device);
/// let dropout = Dropout::new(0.5, streams.next_stream())?;
/// let y = dropout.forward(Tensor::ones([4, 3], &device), &Pass::training(7, 0, 1))?;
/// assert!(y.into_data().iter::<f32>().all(|v| v == 0.0 || v == 2.0));
/// # Ok::<(), rank1_models::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    /// Probability of a zero, in [0, 1).
    pub rate: f64,
    /// Number of the noise stream.
    pub stream: usize,
}

impl Dropout {
    /// Checked dropout with a stream of [`super::LayerStreams::next_stream`].
    ///
    /// # Errors
    /// [`Error::OutOfRange`] unless `0 <= rate < 1`.
    ///
    /// # Source
    /// Srivastava et al. 2014; kept at prediction as in Gal and Ghahramani 2016.
    pub fn new(rate: f64, stream: usize) -> Result<Self, Error> {
        if (0.0..1.0).contains(&rate) {
            return Ok(Self { rate, stream });
        }
        Err(Error::OutOfRange { op: "Dropout::new", argument: "rate", value: rate, expected: "in [0, 1)" })
    }

    /// A mask of zeros and `1 / (1 - rate)`.
    ///
    /// # Shapes
    /// Returns `[n_rows, width]` with `n_rows = S*K*B`.
    ///
    /// # Errors
    /// As [`Pass::n_examples`].
    ///
    /// # Source
    /// An entry is kept where its uniform draw is at least `rate`.
    pub fn mask(
        &self,
        pass: &Pass,
        n_rows: usize,
        width: usize,
        device: &Device,
    ) -> Result<Tensor<2>, Error> {
        let rows = pass.rows(self.stream, n_rows)?;
        let uniform =
            rows.noise(Site::InputFactor, NoiseKind::Uniform, Granularity::PerExample, width, device);
        Ok(uniform.greater_equal_scalar(self.rate as f32).float() * (1.0 / (1.0 - self.rate)) as f32)
    }

    /// `x ∘ mask` with the mask of a pass.
    ///
    /// # Shapes
    /// `x`: `[S*K*B, D]`; returns the same.
    ///
    /// # Errors
    /// As [`Dropout::mask`].
    ///
    /// # Source
    /// As [`Dropout::mask`].
    pub fn forward(&self, x: Tensor<2>, pass: &Pass) -> Result<Tensor<2>, Error> {
        let [rows, width] = x.dims();
        let mask = self.mask(pass, rows, width, &x.device().without_autodiff())?;
        Ok(x * mask)
    }

    /// Filter-wise dropout: whole channels of a feature map are kept or dropped.
    ///
    /// # Shapes
    /// `x`: `[S*K*B, C, H, W]`; returns the same.
    ///
    /// # Errors
    /// As [`Dropout::mask`].
    ///
    /// # Source
    /// Tompson et al. 2015, arXiv:1411.4280 ("spatial dropout"); rates per filter as in Gal and Ghahramani 2016.
    pub fn forward_channels(&self, x: Tensor<4>, pass: &Pass) -> Result<Tensor<4>, Error> {
        let [rows, channels, ..] = x.dims();
        let mask = self.mask(pass, rows, channels, &x.device().without_autodiff())?;
        Ok(x * mask.reshape([rows, channels, 1, 1]))
    }
}
