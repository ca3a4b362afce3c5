//! The factors that a method gives to a layer: none, points, distributions or dropout masks.
//!
//! Not for sizes and order of layers; those are in [`super::plan`] and the architectures.

use rank1_core::perturb::Perturbation;
use rank1_priors::{LocationDomain, PosteriorFamily, Scales};

use crate::method::{Granularity, Method, Rank1, SignInit, Stochastic};
use crate::network::{FactorPlan, FactorPrior, TrainedFactor};
use crate::params::{ParamGroup, ParamLayout};

/// The factors that a method gives to a layer.
pub(super) fn factors(
    layout: &mut ParamLayout,
    method: &Method,
    name: &str,
    (d_in, d_out): (usize, usize),
    drops: bool,
    clips: bool,
) -> (FactorPlan, FactorPlan, Perturbation) {
    let (input, output) = (format!("{name}.input_factor"), format!("{name}.output_factor"));
    match method {
        Method::McDropout(m) if drops => {
            (FactorPlan::Dropout { rate: m.rate }, FactorPlan::Absent, Perturbation::Multiplicative)
        }
        Method::BatchEnsemble(m) => (
            point(layout, input, m.members, d_in, m.sign_init),
            point(layout, output, m.members, d_out, m.sign_init),
            Perturbation::Multiplicative,
        ),
        Method::Rank1(m) => (
            factor(layout, input, d_in, m, m.stochastic != Stochastic::Output, clips),
            factor(layout, output, d_out, m, m.stochastic != Stochastic::Input, clips),
            m.perturbation,
        ),
        _ => (FactorPlan::Absent, FactorPlan::Absent, Perturbation::Multiplicative),
    }
}

/// A plain vector per member.
fn point(layout: &mut ParamLayout, name: String, k: usize, d: usize, sign_init: SignInit) -> FactorPlan {
    FactorPlan::Trained(TrainedFactor {
        family: PosteriorFamily::PointMass,
        location: layout.push(format!("{name}.location"), &[k, d], ParamGroup::FactorLocation),
        scale: None,
        prior: None,
        granularity: Granularity::PerBatch,
        clip: None,
        sign_init,
        initial_std: 0.0,
    })
}

fn factor(
    layout: &mut ParamLayout,
    name: String,
    d: usize,
    m: &Rank1,
    random: bool,
    clips: bool,
) -> FactorPlan {
    let k = m.members;
    if !random {
        return point(layout, name, k, d, m.sign_init);
    }
    let location_name = match LocationDomain::of(m.posterior, m.prior) {
        LocationDomain::Real => "location",
        LocationDomain::Positive => "raw_location",
    };
    let location = layout.push(format!("{name}.{location_name}"), &[k, d], ParamGroup::FactorLocation);
    let law = m.posterior.law();
    let scale_shape = match law.scales {
        Scales::PerEntry => Some([k, d]),
        Scales::Shared => Some([1, 1]),
        Scales::Fixed(_) | Scales::None => None,
    };
    let scale =
        scale_shape.map(|shape| layout.push(format!("{name}.raw_scale"), &shape, ParamGroup::FactorScale));
    let parameter = m
        .prior
        .has_trainable_scale()
        .then(|| layout.push(format!("{name}.prior_raw_scale"), &[1], ParamGroup::Prior));
    FactorPlan::Trained(TrainedFactor {
        family: m.posterior,
        location,
        scale,
        prior: Some(FactorPrior { spec: m.prior, parameter }),
        granularity: m.granularity,
        // The reference code clips samples, never the plain point factors of a delta.
        clip: m.clip.filter(|_| clips && !law.is_point()),
        sign_init: m.sign_init,
        initial_std: (m.dropout_rate / (1.0 - m.dropout_rate)).sqrt(),
    })
}
