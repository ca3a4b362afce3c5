//! Divergences and their gradients on a device against the host's, whose own tests are central differences.

use cubecl::client::Client;
use cubecl::server::Handle;
use rank1_gpu::{
    Clip, Draw, Error, Family, KlGradients, NoiseKind, Prior, ScaleParameter, host, launch, transfer,
};

use super::gradients::assert_parameters_close;
use super::{KEY, assert_close, draw, parameters, shape};

const PRIORS: [Prior; 3] = [
    Prior::Normal { mean: 1.0, std: 0.7 },
    Prior::Cauchy { location: 1.0, scale: 0.7 },
    Prior::LogNormal { location: 0.3, scale: 0.7 },
];
/// Members, draws and entries: primes, each axis at 1, and more blocks than one pass sums.
const AXES: [(usize, usize, usize); 5] = [(3, 5, 7), (1, 1, 1), (17, 1, 13), (3, 2, 1), (2, 3, 131)];
const SCALES: [ScaleParameter; 2] = [ScaleParameter::Positive, ScaleParameter::Softplus];

fn upload(client: &Client, values: &[f32]) -> Handle {
    transfer::upload(client, "test", values).unwrap()
}

#[track_caller]
fn assert_kl_close(client: &Client, got: &KlGradients<Handle>, expected: &KlGradients<Vec<f64>>, what: &str) {
    let value = transfer::download(client, &got.value).unwrap();
    assert_close(&value, &expected.value, &format!("value, {what}"));
    assert_parameters_close(client, &got.parameters, &expected.parameters, what);
}

pub(crate) fn closed_divergences_equal_the_host(client: &Client) {
    for prior in PRIORS {
        for parameter in SCALES {
            for (n_members, _, width) in AXES {
                let (location, scale) = parameters(shape((n_members, 1, width)));
                let expected =
                    host::kl_closed(prior, parameter, n_members, width, &location, &scale).unwrap();
                let (location, scale) = (upload(client, &location), upload(client, &scale));
                let got =
                    launch::kl_closed(client, prior, parameter, n_members, width, &location, &scale).unwrap();
                let what = format!("{prior:?} {parameter:?} {n_members} {width}");
                assert_kl_close(client, &got, &expected, &what);
            }
        }
    }
}

/// At the prior itself value and gradients vanish to rounding, where a difference of large terms would not.
pub(crate) fn divergence_at_the_prior_is_zero(client: &Client) {
    for prior in [Prior::Normal { mean: 1.0, std: 1e-3 }, Prior::Cauchy { location: 1.0, scale: 1e-3 }] {
        let (location, scale) = (upload(client, &[1.0; 13]), upload(client, &[1e-3; 13]));
        let got =
            launch::kl_closed(client, prior, ScaleParameter::Positive, 1, 13, &location, &scale).unwrap();
        for buffer in [got.value, got.parameters.d_location, got.parameters.d_scale] {
            let values = transfer::download(client, &buffer).unwrap();
            assert!(values.iter().all(|v| v.abs() < 1e-5), "{prior:?}: {values:?}");
        }
    }
}

/// Every pair that has a finite divergence, one draw and several; the clip must not matter.
pub(crate) fn drawn_divergences_equal_the_host(client: &Client) {
    let normal = draw(NoiseKind::Normal, Clip::new(0.9, 1.1).ok());
    let cauchy = Draw { kind: NoiseKind::Cauchy, ..normal };
    let uniform = Draw { kind: NoiseKind::Uniform, ..normal };
    let raw = Draw { scale: ScaleParameter::Softplus, ..normal };
    let log_normal = Draw { family: Family::LogNormal, ..normal };
    let [to_normal, to_cauchy, to_log_normal] = PRIORS;
    let pairs = [
        (normal, to_normal),
        (normal, to_cauchy),
        (raw, to_normal),
        (cauchy, to_cauchy),
        (uniform, to_normal),
        (log_normal, to_normal),
        (log_normal, to_cauchy),
        (log_normal, to_log_normal),
    ];
    for (draw, prior) in pairs {
        for shape in AXES.map(shape) {
            let (location, scale) = parameters(shape);
            let expected = host::kl_monte_carlo(&draw, prior, shape, &location, &scale).unwrap();
            let (location, scale) = (upload(client, &location), upload(client, &scale));
            let got = launch::kl_monte_carlo(client, &draw, prior, shape, &location, &scale).unwrap();
            assert_kl_close(client, &got, &expected, &format!("{draw:?} {prior:?} {shape:?}"));
        }
    }
}

pub(crate) fn nan_parameters_reach_the_value_of_their_member_alone(client: &Client) {
    let mut location = vec![1.0; 3 * 37];
    location[37 + 5] = f32::NAN;
    let (location, scale) = (upload(client, &location), upload(client, &[0.5; 3 * 37]));
    let draw = Draw::new(NoiseKind::Normal, KEY, 0);
    for prior in &PRIORS[..2] {
        let closed =
            launch::kl_closed(client, *prior, ScaleParameter::Softplus, 3, 37, &location, &scale).unwrap();
        let drawn =
            launch::kl_monte_carlo(client, &draw, *prior, shape((3, 1, 37)), &location, &scale).unwrap();
        for got in [closed, drawn] {
            let nan = |buffer: &Handle| -> Vec<usize> {
                let values = transfer::download(client, buffer).unwrap();
                values.iter().enumerate().filter(|(_, v)| v.is_nan()).map(|(i, _)| i).collect()
            };
            assert_eq!(nan(&got.value), [1], "{prior:?}");
            assert_eq!(nan(&got.parameters.d_location), [42], "{prior:?}");
        }
    }
}

pub(crate) fn divergences_that_do_not_exist_are_refused(client: &Client) {
    let [right, wrong] = [21, 20].map(|n| upload(client, &vec![1.0; n]));
    let closed =
        |prior, scale| launch::kl_closed(client, prior, ScaleParameter::Positive, 3, 7, &right, scale);
    let got = closed(PRIORS[0], &wrong);
    assert!(matches!(got, Err(Error::ShapeMismatch { argument: "scale", got: 20, .. })), "{got:?}");
    let got = closed(Prior::Normal { mean: 1.0, std: 0.0 }, &right);
    assert!(matches!(got, Err(Error::InvalidPrior { parameter: "scale", .. })), "{got:?}");
    let got = launch::kl_closed(client, PRIORS[0], ScaleParameter::Positive, 3, 0, &right, &right);
    assert!(matches!(got, Err(Error::Empty { axis: "width", .. })), "{got:?}");
    let drawn = |kind, prior, n_draws| {
        launch::kl_monte_carlo(client, &draw(kind, None), prior, shape((3, n_draws, 7)), &right, &right)
    };
    let got = drawn(NoiseKind::Cauchy, PRIORS[0], 1);
    assert!(matches!(got, Err(Error::InfiniteKl { .. })), "{got:?}");
    let got = drawn(NoiseKind::Normal, PRIORS[2], 1);
    assert!(matches!(got, Err(Error::InfiniteKl { .. })), "{got:?}");
    let got = drawn(NoiseKind::Normal, PRIORS[0], 0);
    assert!(matches!(got, Err(Error::Empty { axis: "n_examples", .. })), "{got:?}");
    let got = drawn(NoiseKind::Normal, PRIORS[0], usize::MAX);
    assert!(matches!(got, Err(Error::OverLimit { .. })), "{got:?}");
}
