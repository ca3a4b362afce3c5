//! The Burn layer on a dense case: output and the gradient of every parameter and draw.

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use ndarray::{Array2, Array3};
use rank1_core::factor::ClipBounds;
use rank1_core::layout::{join_members, member_major};
use rank1_models::layer::{Factor, FactorNoise, Rank1Linear};
use rank1_models::method::Granularity;
use rank1_priors::{LocationDomain, PosteriorFamily};

use crate::dense::Dense;
use crate::json::{Outcome, Record};
use crate::report::Precision;

/// A factor's layer with the noise it is fed, `[K*E, D]`.
#[derive(Debug, Clone)]
pub(crate) struct BurnFactor {
    pub(crate) factor: Factor,
    pub(crate) noise: Option<Tensor<2>>,
}

/// The single-precision copy of a matrix on the autodiff device.
pub(crate) fn tensor(array: &Array2<f64>) -> Tensor<2> {
    let values: Vec<f32> = array.iter().map(|&v| v as f32).collect();
    let (rows, columns) = array.dim();
    Tensor::from_data(TensorData::new(values, [rows, columns]), &Device::flex().autodiff())
}

impl BurnFactor {
    /// Locations per member and entry, used as they are.
    pub(crate) fn plain(location: &Array2<f64>) -> Self {
        Self::new(PosteriorFamily::PointMass, location, None, None, None)
    }

    /// Given draws `[E, K, D]`: noise of scale one around zero.
    pub(crate) fn injected(draws: &Array3<f64>, clip: Option<ClipBounds>) -> Self {
        let (_, k, width) = draws.dim();
        let family = PosteriorFamily::NormalFixedScale { scale: 1.0 };
        Self::new(family, &Array2::zeros((k, width)), None, Some(draws), clip)
    }

    /// A trained posterior with its noise `[E, K, D]`.
    pub(crate) fn new(
        family: PosteriorFamily,
        location: &Array2<f64>,
        raw_scale: Option<&Array2<f64>>,
        noise: Option<&Array3<f64>>,
        clip: Option<ClipBounds>,
    ) -> Self {
        let factor = Factor {
            location: Param::from_tensor(tensor(location)),
            raw_scale: raw_scale.map(|raw| Param::from_tensor(tensor(raw))),
            family,
            granularity: Granularity::PerExample,
            clip,
            domain: LocationDomain::Real,
        };
        let rows = |noise: &Array3<f64>| join_members(member_major(noise.view()).view());
        Self { factor, noise: noise.map(|noise| tensor(&rows(noise)).require_grad()) }
    }
}

type Gradients<T> = Vec<(T, T)>;

/// Output and gradients of the Burn layer.
#[derive(Debug)]
pub(crate) struct BurnRun {
    pub(crate) output: Tensor<2>,
    pub(crate) objective: f64,
    pub(crate) x: Tensor<2>,
    pub(crate) kernel: Tensor<2>,
    pub(crate) bias: Option<Tensor<2>>,
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
    dense: &Dense,
    factors: &[(BurnFactor, BurnFactor)],
) -> Outcome<BurnRun> {
    let x = tensor(&dense.x).require_grad();
    let kernel = Param::from_tensor(tensor(&dense.kernel));
    let bias = dense.bias.as_ref().map(|bias| Param::from_tensor(tensor(bias)));
    let mut z: Option<Tensor<2>> = None;
    for (index, (input, output)) in factors.iter().enumerate() {
        let layer = Rank1Linear {
            weight: kernel.clone(),
            bias: bias.clone().filter(|_| index == 0),
            input_factor: Some(input.factor.clone()),
            output_factor: Some(output.factor.clone()),
            perturbation: dense.perturbation,
            n_members: dense.k,
            stream: 0,
        };
        let noise = FactorNoise { input: input.noise.clone(), output: output.noise.clone(), n_samples: 1 };
        let part = record.ok(layer.forward_with_noise(x.clone(), &noise))?;
        z = Some(match z {
            Some(z) => z + part,
            None => part,
        });
    }
    let Some(z) = z else { return record.fault("rank", "is zero") };
    let output = dense.activation.tensor(z);
    let objective = (output.clone() * tensor(&dense.cotangent)).sum();
    let gradients = objective.backward();
    let zero_if_untouched =
        |t: &Tensor<2>| t.grad(&gradients).unwrap_or_else(|| t.clone().inner().zeros_like());
    let maybe = |t: &Option<Tensor<2>>| t.as_ref().and_then(|t| t.grad(&gradients));
    let raw = |f: &BurnFactor| f.factor.raw_scale.as_ref().map(Param::val);
    Ok(BurnRun {
        objective: f64::from(objective.into_scalar::<f32>()),
        output: output.inner(),
        x: zero_if_untouched(&x),
        kernel: zero_if_untouched(&kernel.val()),
        bias: bias.map(|bias| zero_if_untouched(&bias.val())),
        location: factors
            .iter()
            .map(|(s, r)| {
                (zero_if_untouched(&s.factor.location.val()), zero_if_untouched(&r.factor.location.val()))
            })
            .collect(),
        raw_scale: factors.iter().map(|(s, r)| (maybe(&raw(s)), maybe(&raw(r)))).collect(),
        noise: factors.iter().map(|(s, r)| (maybe(&s.noise), maybe(&r.noise))).collect(),
    })
}

impl BurnRun {
    /// Compares everything that does not depend on the kind of factor.
    pub(crate) fn check(&self, record: &Record<'_>, grad: &Record<'_>) -> Outcome<()> {
        record.check("output", self.output.clone(), Precision::Burn)?;
        check_objective(record, self.objective)?;
        grad.check("x", self.x.clone(), Precision::Burn)?;
        grad.check("kernel", self.kernel.clone(), Precision::Burn)?;
        match &self.bias {
            Some(bias) => grad.check("bias", bias.clone(), Precision::Burn),
            None => Ok(()),
        }
    }
}

/// The objective is a sum of products that cancel: its error is measured against their magnitudes.
pub(crate) fn check_objective(record: &Record<'_>, objective: f64) -> Outcome<()> {
    let (output, cotangent) = (record.values("output")?.data, record.values("cotangent")?.data);
    let magnitude: f64 = output.iter().zip(&cotangent).map(|(o, c)| (o * c).abs()).sum();
    record.check("objective", objective, Precision::Within(1e-5 * magnitude.max(1e-6)))
}
