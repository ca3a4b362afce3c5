//! The factors that a method gives to a layer: none, points, distributions or dropout masks.
//!
//! Not for sizes and order of layers; those are in [`super::plan`] and the architectures.

use rank1_core::perturb::Perturbation;
use rank1_priors::{LocationDomain, PosteriorFamily, Scales};

use crate::method::{Granularity, Method, Rank1, SignInit, Stochastic};
use crate::network::{FactorPlan, FactorPrior, FactorStart, TrainedFactor};
use crate::params::{ParamGroup, ParamLayout};

/// Which factors a layer can have, apart from what the method makes of them.
#[derive(Debug, Clone, Default)]
pub(crate) enum Adapters {
    /// Both, starting as the method says.
    #[default]
    Method,
    /// Those that have a start here.
    Given {
        /// On the inputs.
        input: Option<FactorStart>,
        /// On the outputs.
        output: Option<FactorStart>,
    },
}

/// The layer that gets factors.
pub(super) struct Place<'a> {
    pub(super) name: &'a str,
    pub(super) d_in: usize,
    pub(super) d_out: usize,
    /// Whether it is the first of the network.
    pub(super) first: bool,
    /// Whether dropout acts on its inputs.
    pub(super) drops: bool,
    /// Whether draws are clipped.
    pub(super) clips: bool,
    pub(super) adapters: Adapters,
}

/// The factors that a method gives to a layer.
pub(super) fn factors(
    layout: &mut ParamLayout,
    method: &Method,
    place: Place<'_>,
) -> (FactorPlan, FactorPlan, Perturbation) {
    let starts = |sign_init: SignInit| match &place.adapters {
        Adapters::Method => [Some(FactorStart::Method(sign_init)), Some(FactorStart::Method(sign_init))],
        Adapters::Given { input, output } => [input.clone(), output.clone()],
    };
    let sides = [
        (format!("{}.input_factor", place.name), place.d_in),
        (format!("{}.output_factor", place.name), place.d_out),
    ];
    match method {
        Method::McDropout(m) if place.drops => {
            (FactorPlan::Dropout { rate: m.rate }, FactorPlan::Absent, Perturbation::Multiplicative)
        }
        Method::BatchEnsemble(m) => {
            let mut sides = sides.into_iter().zip(starts(m.sign_init));
            let mut next = || match sides.next() {
                Some(((name, d), Some(start))) => point(layout, name, m.members, d, start),
                _ => FactorPlan::Absent,
            };
            (next(), next(), Perturbation::Multiplicative)
        }
        Method::Rank1(m) => {
            let random = match m.stochastic {
                Stochastic::Both => [true, true],
                Stochastic::Input => [true, false],
                Stochastic::Output => [false, true],
                Stochastic::FirstInput => [place.first, false],
            };
            let mut sides = sides.into_iter().zip(starts(m.sign_init)).zip(random);
            let mut next = || match sides.next() {
                Some((((name, d), Some(start)), true)) => factor(layout, name, d, m, start, place.clips),
                Some((((name, d), Some(start)), false)) => point(layout, name, m.members, d, start),
                _ => FactorPlan::Absent,
            };
            (next(), next(), m.perturbation)
        }
        _ => (FactorPlan::Absent, FactorPlan::Absent, Perturbation::Multiplicative),
    }
}

/// A plain vector per member.
fn point(layout: &mut ParamLayout, name: String, k: usize, d: usize, start: FactorStart) -> FactorPlan {
    FactorPlan::Trained(TrainedFactor {
        family: PosteriorFamily::PointMass,
        location: layout.push(format!("{name}.location"), &[k, d], ParamGroup::FactorLocation),
        scale: None,
        prior: None,
        granularity: Granularity::PerBatch,
        clip: None,
        start,
        initial_std: 0.0,
    })
}

fn factor(
    layout: &mut ParamLayout,
    name: String,
    d: usize,
    m: &Rank1,
    start: FactorStart,
    clips: bool,
) -> FactorPlan {
    let k = m.members;
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
        prior: Some(FactorPrior { spec: m.prior, parameter, center: None }),
        granularity: m.granularity,
        // The reference code clips samples, never the plain point factors of a delta.
        clip: m.clip.filter(|_| clips && !law.is_point()),
        start,
        initial_std: (m.dropout_rate / (1.0 - m.dropout_rate)).sqrt(),
    })
}
