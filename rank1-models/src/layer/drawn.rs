//! Factors that the kernels of a device draw, from the counters that [`DrawRows::noise`] would have filled a tensor by.
//!
//! Not for passes of several samples, whose streams differ: those take noise from the host.

use rank1_core::factor::ClipBounds;
use rank1_gpu::{Clip, Draw, Family, NoiseKind, ScaleParameter};
use rank1_priors::PosteriorFamily;

use super::{DrawRows, Factor};
use crate::engine::Site;
use crate::fused::device::{DrawnFactor, LayerFactor};
use crate::method::Granularity;

/// Both factors of a layer; none if one of them needs noise from the host.
pub(super) fn layer_factors(
    factors: [(&Option<Factor>, Site); 2],
    rows: &DrawRows,
) -> Option<[Option<LayerFactor>; 2]> {
    let [input, output] = factors.map(|(factor, site)| match factor {
        None => Some(None),
        Some(factor) => factor_of(factor, rows, site).map(Some),
    });
    Some([input?, output?])
}

fn factor_of(factor: &Factor, rows: &DrawRows, site: Site) -> Option<LayerFactor> {
    if factor.noise_kind().is_none() {
        return factor.draw(None, rows.n_samples).ok().map(LayerFactor::Given);
    }
    let (kind, family) = match factor.family {
        PosteriorFamily::Normal => (NoiseKind::Normal, Family::LocationScale),
        PosteriorFamily::Cauchy => (NoiseKind::Cauchy, Family::LocationScale),
        PosteriorFamily::LogNormal => (NoiseKind::Normal, Family::LogNormal),
        _ => return None,
    };
    let (first_example, n_examples) = match factor.granularity {
        Granularity::PerBatch => (0, 1),
        Granularity::PerExample => (rows.key.first_example, rows.n_examples),
    };
    if rows.n_samples != 1 {
        return None;
    }
    let clip = match factor.clip {
        None => None,
        Some(ClipBounds { min, max }) => Some(Clip::new(min as f32, max as f32).ok()?),
    };
    let key = site.stream(rows.key.seed, rows.layer, rows.key.first_sample).key();
    let draw = Draw {
        family,
        scale: ScaleParameter::Softplus,
        first_example,
        clip,
        ..Draw::new(kind, key, rows.key.step)
    };
    let (location, raw_scale) = (factor.location.val(), factor.raw_scale.as_ref()?.val());
    Some(LayerFactor::Drawn(DrawnFactor { location, raw_scale, draw, n_examples }))
}
