//! The Burn convolution on a golden case: output and the gradient of every parameter and draw.

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use ndarray::{Array4, ArrayBase, Data, Dimension};
use rank1_models::layer::{ConvGeometry, FactorNoise, Rank1Conv2d};

use crate::burn_dense::{self, BurnFactor};
use crate::conv::Conv;
use crate::json::{Outcome, Record};
use crate::report::Precision;

/// The single-precision copy of an array on the autodiff device.
pub(crate) fn tensor<S: Data<Elem = f64>, D: Dimension, const N: usize>(
    array: &ArrayBase<S, D>,
) -> Tensor<N> {
    let values: Vec<f32> = array.iter().map(|&v| v as f32).collect();
    Tensor::from_data(TensorData::new(values, array.shape().to_vec()), &Device::flex().autodiff())
}

/// Channels last to channels first.
pub(crate) fn channels_first(images: Tensor<4>) -> Tensor<4> {
    images.permute([0, 3, 1, 2])
}

/// Channels first to channels last, as the files have them.
pub(crate) fn channels_last(images: Tensor<4>) -> Tensor<4> {
    images.permute([0, 2, 3, 1])
}

/// A kernel `[kh, kw, C_in, C_out]` as the layer stores it.
pub(crate) fn flat_kernel(kernel: &Array4<f64>) -> Tensor<2> {
    let (kh, kw, c_in, c_out) = kernel.dim();
    tensor::<_, _, 4>(kernel).reshape([kh * kw * c_in, c_out])
}

type Gradients<T> = Vec<(T, T)>;

/// Output and gradients of the Burn layer, channels last.
#[derive(Debug)]
pub(crate) struct BurnRun {
    output: Tensor<4>,
    objective: f64,
    x: Tensor<4>,
    kernel: Tensor<4>,
    bias: Option<Tensor<2>>,
    /// For the locations of input and output factors.
    pub(crate) location: Gradients<Tensor<2>>,
    /// For their unconstrained scales.
    pub(crate) raw_scale: Gradients<Option<Tensor<2>>>,
    /// For their noise.
    pub(crate) noise: Gradients<Option<Tensor<2>>>,
}

/// Runs the layer on every pair of factors and sums.
pub(crate) fn run(
    record: &Record<'_>,
    conv: &Conv,
    factors: &[(BurnFactor, BurnFactor)],
) -> Outcome<BurnRun> {
    let x = tensor::<_, _, 4>(&conv.x).require_grad();
    let kernel = Param::from_tensor(flat_kernel(&conv.kernel));
    let bias = conv.bias.as_ref().map(|bias| Param::from_tensor(burn_dense::tensor(bias)));
    let geometry = ConvGeometry {
        kernel: conv.shape.kernel.into(),
        stride: conv.shape.stride.into(),
        dilation: conv.shape.dilation.into(),
        padding: conv.shape.padding,
    };
    let mut output: Option<Tensor<4>> = None;
    for (index, (s, r)) in factors.iter().enumerate() {
        let layer = Rank1Conv2d {
            weight: kernel.clone(),
            bias: bias.clone().filter(|_| index == 0),
            input_factor: Some(s.factor.clone()),
            output_factor: Some(r.factor.clone()),
            geometry,
            perturbation: conv.perturbation,
            n_members: conv.k,
            stream: 0,
        };
        let noise = FactorNoise { input: s.noise.clone(), output: r.noise.clone(), n_samples: 1 };
        let part = record.ok(layer.forward_with_noise(channels_first(x.clone()), &noise))?;
        output = Some(match output {
            Some(output) => output + part,
            None => part,
        });
    }
    let Some(output) = output.map(channels_last) else { return record.fault("rank", "is zero") };
    let objective = (output.clone() * tensor::<_, _, 4>(&conv.cotangent)).sum();
    let gradients = objective.backward();
    let zero_if_untouched =
        |t: &Tensor<2>| t.grad(&gradients).unwrap_or_else(|| t.clone().inner().zeros_like());
    let maybe = |t: &Option<Tensor<2>>| t.as_ref().and_then(|t| t.grad(&gradients));
    let raw = |f: &BurnFactor| f.factor.raw_scale.as_ref().map(Param::val);
    let location = |f: &BurnFactor| zero_if_untouched(&f.factor.location.val());
    let (kh, kw, c_in, c_out) = conv.kernel.dim();
    Ok(BurnRun {
        objective: f64::from(objective.into_scalar::<f32>()),
        output: output.inner(),
        x: x.grad(&gradients).unwrap_or_else(|| x.clone().inner().zeros_like()),
        kernel: zero_if_untouched(&kernel.val()).reshape([kh, kw, c_in, c_out]),
        bias: bias.map(|bias| zero_if_untouched(&bias.val())),
        location: factors.iter().map(|(s, r)| (location(s), location(r))).collect(),
        raw_scale: factors.iter().map(|(s, r)| (maybe(&raw(s)), maybe(&raw(r)))).collect(),
        noise: factors.iter().map(|(s, r)| (maybe(&s.noise), maybe(&r.noise))).collect(),
    })
}

impl BurnRun {
    /// Compares everything that does not depend on the kind of factor.
    pub(crate) fn check(&self, record: &Record<'_>, grad: &Record<'_>) -> Outcome<()> {
        record.check("output", self.output.clone(), Precision::Burn)?;
        // A sum of products that cancel: its error is measured against their magnitudes.
        let magnitude = (&record.block("output")? * &record.block("cotangent")?).mapv(f64::abs).sum();
        record.check("objective", self.objective, Precision::Within(1e-5 * magnitude.max(1e-6)))?;
        grad.check("x", self.x.clone(), Precision::Burn)?;
        grad.check("kernel", self.kernel.clone(), Precision::Burn)?;
        match &self.bias {
            Some(bias) => grad.check("bias", bias.clone(), Precision::Burn),
            None => Ok(()),
        }
    }
}
