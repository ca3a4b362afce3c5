//! Factors that the kernels of a device draw, from the counters that [`DrawRows::noise`] would have filled a tensor by.
//!
//! Not for families that the kernels do not draw: those take noise from the host.

use burn::module::Param;
use burn::tensor::Tensor;
use rank1_core::factor::ClipBounds;
use rank1_core::perturb::Perturbation;
use rank1_gpu::{Clip, Draw, Family, NoiseKind, ScaleParameter};
use rank1_priors::{Link, LocationDomain, Scales};

use super::{DrawRows, Factor};
use crate::engine::Site;
use crate::fused::device::{DeviceLayer, DrawnFactor, LayerFactor};
use crate::method::Granularity;

/// A layer of `n_members` with factors for `rows`; none if a factor needs noise from the host, or if the `n_rows` inputs are
/// those of another pass, which `forward` refuses by name.
pub(super) fn device_layer(
    [input_factor, output_factor]: [&Option<Factor>; 2],
    weight: &Param<Tensor<2>>,
    bias: Option<&Param<Tensor<2>>>,
    perturbation: Perturbation,
    (n_members, n_rows): (usize, usize),
    rows: &DrawRows,
) -> Option<DeviceLayer> {
    let slots = rows.n_samples * rows.n_members;
    if rows.n_members != n_members || n_rows != slots * rows.n_examples {
        return None;
    }
    let factor = |factor: &Option<Factor>, site| match factor {
        None => Some(None),
        Some(factor) => factor_of(factor, rows, site).map(Some),
    };
    Some(DeviceLayer {
        weight: weight.val(),
        input_factor: factor(input_factor, Site::InputFactor)?,
        output_factor: factor(output_factor, Site::OutputFactor)?,
        bias: bias.map(|bias| bias.val().repeat_dim(0, rows.n_samples)),
        n_members: slots,
        perturbation,
    })
}

fn factor_of(factor: &Factor, rows: &DrawRows, site: Site) -> Option<LayerFactor> {
    if factor.noise_kind().is_none() {
        return factor.draw(None, rows.n_samples).ok().map(LayerFactor::Given);
    }
    // The kernels take locations as they are trained.
    if factor.domain != LocationDomain::Real {
        return None;
    }
    let law = factor.family.law();
    if law.folded || law.scales != Scales::PerEntry {
        return None;
    }
    let kind = match law.noise {
        rank1_priors::NoiseKind::Normal => NoiseKind::Normal,
        rank1_priors::NoiseKind::Cauchy => NoiseKind::Cauchy,
        rank1_priors::NoiseKind::Unused => return None,
    };
    let family = match law.link {
        Link::Identity => Family::LocationScale,
        Link::Exponential => Family::LogNormal,
    };
    let (first_example, n_examples) = match factor.granularity {
        Granularity::PerBatch => (0, 1),
        Granularity::PerExample => (rows.key.first_example, rows.n_examples),
    };
    let clip = match factor.clip {
        None => None,
        Some(ClipBounds { min, max }) => Some(Clip::new(min as f32, max as f32).ok()?),
    };
    let draw = |s: usize| {
        let stream = site.stream(rows.key.seed, rows.layer, rows.key.first_sample + s as u32);
        let plain = Draw::new(kind, stream.key(), rows.key.step);
        Draw { family, scale: ScaleParameter::Softplus, first_example, clip, ..plain }
    };
    let draws = (0..rows.n_samples).map(draw).collect();
    let (location, raw_scale) = (factor.location.val(), factor.raw_scale.as_ref()?.val());
    Some(LayerFactor::Drawn(DrawnFactor { location, raw_scale, draws, n_examples }))
}
