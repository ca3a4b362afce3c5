//! Perturbed linear maps and convolutions on CubeCL devices: from Burn tensors to one operation of the kernels.
//!
//! Answers `None` where the kernels do not reach (other devices, other precisions, sizes over a limit) and where shapes do
//! not fit each other, so that callers go on with tensor operations, whose errors name the argument.

mod autodiff;
mod cube;
mod loss;
mod ops;

use burn::backend::{Dispatch, DispatchDevice};
use burn::tensor::{DType, Tensor};
use burn_cubecl::CubeDevice;
use burn_cubecl::cubecl::client::Client;
use rank1_core::perturb::Perturbation;
use rank1_gpu::{ConvShape, Draw, DrawShape, FactorRows, LinearShape, launch};

use crate::layer::ConvGeometry;

pub(crate) use loss::mean_nll;
pub use loss::{Loss, LossArguments, LossTargets, MeanNllOps, MeanNllWithGradient};
pub use ops::{
    FactorArgument, FactorGradients, LayerArguments, LayerGradients, LayerShape, PerturbedLayerBackward,
    PerturbedLayerOps,
};

/// A factor that the kernels draw: its parameters and where the noise of its samples lies.
#[derive(Debug, Clone)]
pub(crate) struct DrawnFactor {
    /// `[K / S, D]` of S samples.
    pub(crate) location: Tensor<2>,
    /// Unconstrained scales, `[K / S, D]`.
    pub(crate) raw_scale: Tensor<2>,
    /// Noise, family and clip of each sample.
    pub(crate) draws: Vec<Draw>,
    /// A row per example, or per member.
    pub(crate) n_examples: usize,
}

impl DrawnFactor {
    /// Of one sample.
    fn shape(&self) -> DrawShape {
        let [n_members, width] = self.location.dims();
        DrawShape { n_members, n_examples: self.n_examples, width }
    }

    fn shape_of_samples(&self) -> DrawShape {
        let shape = self.shape();
        DrawShape { n_members: self.draws.len() * shape.n_members, ..shape }
    }
}

/// A factor of a layer.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "one lives for the call of a layer")]
pub(crate) enum LayerFactor {
    /// `[K*B, D]` or `[K, D]`.
    Given(Tensor<2>),
    /// Drawn by the kernels.
    Drawn(DrawnFactor),
}

/// A perturbed layer but for its input; several samples count as more members.
#[derive(Debug, Clone)]
pub(crate) struct DeviceLayer {
    /// `[D_in, D_out]` or `[kh*kw*C_in, C_out]`.
    pub(crate) weight: Tensor<2>,
    /// Factor s.
    pub(crate) input_factor: Option<LayerFactor>,
    /// Factor r.
    pub(crate) output_factor: Option<LayerFactor>,
    /// `[K, D_out]`.
    pub(crate) bias: Option<Tensor<2>>,
    /// K.
    pub(crate) n_members: usize,
    /// How factors act.
    pub(crate) perturbation: Perturbation,
}

impl DeviceLayer {
    /// The linear map of rows `[K*B, D_in]`, `[K*B, D_out]`; none where the kernels do not reach.
    pub(crate) fn linear(self, x: &Tensor<2>) -> Option<Tensor<2>> {
        let client = self.device(x.dtype())?.client();
        let ([rows, d_in], [_, d_out]) = (x.dims(), self.weight.dims());
        let batch_size = self.batch_size(rows, [d_in, d_in, d_out])?;
        let shape = LinearShape { n_members: self.n_members, batch_size, d_in, d_out };
        let [input, output] = self.factor_rows();
        launch::linear_fits(&client, shape, input, output, self.bias.is_some()).ok()?;
        self.draws_fit(&client).then(|| self.run(x.clone(), LayerShape::Linear(shape)))
    }

    /// The convolution of channels-first images `[K*B, C_in, H, W]`, `[K*B, C_out, H', W']`; none where the kernels do
    /// not reach.
    ///
    /// The kernels have the channels last. What they write lies so in memory and is seen channels first, as the results
    /// of Burn's own convolutions; elementwise operations keep that order, and the next convolution reads it as it lies.
    pub(crate) fn convolution(self, x: &Tensor<4>, geometry: &ConvGeometry) -> Option<Tensor<4>> {
        let client = self.device(x.dtype())?.client();
        let ([rows, c_in, height, width], [_, c_out]) = (x.dims(), self.weight.dims());
        let batch_size = self.batch_size(rows, [geometry.taps() * c_in, c_in, c_out])?;
        let shape = geometry.shape([height, width], c_in, c_out).ok()?;
        let shape = conv_shape(&shape, self.n_members, batch_size);
        let [input, output] = self.factor_rows();
        launch::convolution_fits(&client, shape, input, output, self.bias.is_some()).ok()?;
        self.draws_fit(&client).then(|| {
            let channels_last = x.clone().permute([0, 2, 3, 1]);
            self.run(channels_last, LayerShape::Convolution(shape)).permute([0, 3, 1, 2])
        })
    }

    /// Examples of a member, if the shapes fit each other.
    fn batch_size(&self, rows: usize, [fan_in, c_in, c_out]: [usize; 3]) -> Option<usize> {
        let batch_size = rows.checked_div(self.n_members)?;
        let n_members = self.n_members;
        let fits = |factor: &Option<LayerFactor>, width: usize| match factor {
            None => true,
            Some(LayerFactor::Given(values)) => [[rows, width], [n_members, width]].contains(&values.dims()),
            Some(LayerFactor::Drawn(drawn)) => {
                let all = drawn.shape_of_samples();
                drawn.raw_scale.dims() == drawn.location.dims()
                    && [all.n_members, all.width] == [n_members, width]
                    && [1, batch_size].contains(&drawn.n_examples)
            }
        };
        let fit = batch_size * n_members == rows
            && self.weight.dims() == [fan_in, c_out]
            && fits(&self.input_factor, c_in)
            && fits(&self.output_factor, c_out)
            && self.bias.as_ref().is_none_or(|bias| bias.dims() == [n_members, c_out]);
        fit.then_some(batch_size)
    }

    fn draws_fit(&self, client: &Client) -> bool {
        let mut factors = [&self.input_factor, &self.output_factor].into_iter().flatten();
        factors.all(|factor| match factor {
            LayerFactor::Given(_) => true,
            LayerFactor::Drawn(drawn) => launch::draw_fits(client, drawn.shape_of_samples()).is_ok(),
        })
    }

    /// The CubeCL device of the layer, if it has one and all numbers are `f32`.
    fn device(&self, of_x: DType) -> Option<CubeDevice> {
        let DispatchDevice::Cube(device) = self.weight.device().without_autodiff().as_dispatch().clone()
        else {
            return None;
        };
        let factors = [&self.input_factor, &self.output_factor].into_iter().flatten();
        let mut types = factors.flat_map(|factor| match factor {
            LayerFactor::Given(values) => [values.dtype(); 2],
            LayerFactor::Drawn(drawn) => [drawn.location.dtype(), drawn.raw_scale.dtype()],
        });
        let f32_alone = types.all(|dtype| dtype == DType::F32)
            && [of_x, self.weight.dtype()] == [DType::F32; 2]
            && self.bias.as_ref().is_none_or(|bias| bias.dtype() == DType::F32);
        f32_alone.then_some(device)
    }

    /// Whether each factor has a row per member or per example; with one example they are the same.
    fn factor_rows(&self) -> [Option<FactorRows>; 2] {
        let n_members = self.n_members;
        [&self.input_factor, &self.output_factor].map(|factor| {
            let n_rows = match factor.as_ref()? {
                LayerFactor::Given(values) => values.dims()[0],
                LayerFactor::Drawn(drawn) => drawn.shape_of_samples().n_members * drawn.n_examples,
            };
            Some(if n_rows == n_members { FactorRows::PerMember } else { FactorRows::PerExample })
        })
    }

    fn run<const D: usize>(self, x: Tensor<D>, shape: LayerShape) -> Tensor<D> {
        let output = <Dispatch as PerturbedLayerOps>::perturbed_layer(LayerArguments {
            x: x.into_dispatch(),
            weight: self.weight.into_dispatch(),
            input_factor: argument(self.input_factor),
            output_factor: argument(self.output_factor),
            bias: self.bias.map(Tensor::into_dispatch).into(),
            shape,
            perturbation: self.perturbation,
        });
        Tensor::from_dispatch(output)
    }
}

fn argument(factor: Option<LayerFactor>) -> FactorArgument<Dispatch> {
    match factor {
        None => FactorArgument::Absent,
        Some(LayerFactor::Given(values)) => FactorArgument::Given(values.into_dispatch()),
        Some(LayerFactor::Drawn(drawn)) => FactorArgument::Drawn {
            shape: drawn.shape(),
            location: drawn.location.into_dispatch(),
            raw_scale: drawn.raw_scale.into_dispatch(),
            draws: drawn.draws,
        },
    }
}

fn conv_shape(shape: &rank1_core::conv::ConvShape, n_members: usize, batch_size: usize) -> ConvShape {
    ConvShape {
        n_members,
        batch_size,
        height: shape.height,
        width: shape.width,
        c_in: shape.c_in,
        c_out: shape.c_out,
        kernel: shape.kernel,
        stride: shape.stride,
        dilation: shape.dilation,
        pads: shape.pads(),
    }
}

#[cfg(test)]
mod tests;
