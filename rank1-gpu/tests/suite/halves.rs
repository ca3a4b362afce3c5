//! Buffers of halves: what a device may store in one, and what it refuses.
//!
//! Not for layers, whose precisions have engines.

use cubecl::client::Client;
use cubecl::server::Handle;
use rank1_gpu::{DrawShape, Error, Likelihood, NllForm, NoiseKind, OutputShape, Precision, launch, transfer};

use super::{draw, shape, skip};

const HALVES: [(Precision, &str); 2] = [(Precision::F16, "f16"), (Precision::Bf16, "bf16")];
const ROWS: DrawShape = DrawShape { n_members: 3, n_examples: 5, width: 7 };
const OUTPUTS: OutputShape = OutputShape { n_samples: 1, n_members: 3, n_examples: 5, n_outputs: 7 };

/// f32 and those halves that the device has.
pub(super) fn precisions(client: &Client) -> Vec<Precision> {
    [Precision::F32].into_iter().chain(halves(client)).collect()
}

/// The halves that the device has; what it does not have it must name.
pub(super) fn halves(client: &Client) -> Vec<Precision> {
    let parameters = transfer::upload(client, "parameters", &[1.0]).unwrap();
    let mut had = Vec::new();
    for (precision, name) in HALVES {
        let draw = draw(NoiseKind::Normal, None);
        match launch::draw_factors_in(client, precision, &draw, shape((1, 1, 1)), &parameters, &parameters) {
            Ok(_) => had.push(precision),
            Err(Error::Unsupported { feature, .. }) => {
                assert!(feature.ends_with(name), "{feature}");
                skip(format!("no {feature}"));
            }
            Err(error) => panic!("{precision:?}: {error}"),
        }
    }
    had
}

/// The nearest number of a precision, of two the even one.
fn nearest(value: f64, precision: Precision) -> f64 {
    match precision {
        Precision::F32 | Precision::Tf32 => value,
        Precision::F16 => half::f16::from_f64(value).to_f64(),
        Precision::Bf16 => half::bf16::from_f64(value).to_f64(),
    }
}

/// Equality of numbers that were computed in f32 within 1e-5 (unit + |expected|) and then stored in a precision.
///
/// Rounding to the nearest never changes the order of two numbers, so that a right entry lies between the roundings of
/// both ends of that interval: mostly it is the f64 number rounded once, seldom the neighbor. WGSL would allow a
/// conversion to round to the other side, and to 0 what is below the smallest normal number; no device at hand does.
#[track_caller]
pub(super) fn assert_stored(got: &[f32], expected: &[f64], precision: Precision, unit: f64, what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    for (at, (&got, &expected)) in got.iter().zip(expected).enumerate() {
        let error = 1e-5 * (unit + expected.abs());
        let [least, most] = [expected - error, expected + error].map(|end| nearest(end, precision));
        assert!(
            (least..=most).contains(&f64::from(got)),
            "{what} in {precision:?}, entry {at}: {got} is not {expected}, of which {least} to {most} may be stored"
        );
    }
}

/// Every function at 105 entries, with the name of the argument that it is given in a precision.
fn calls(
    client: &Client,
    precision: Precision,
    large: &Handle,
) -> Vec<(&'static str, Result<Vec<Handle>, Error>)> {
    let draw = draw(NoiseKind::Normal, None);
    let p = &transfer::upload(client, "parameters", &[1.0; 21]).unwrap();
    let labels = &transfer::upload_words(client, "labels", &[1; 5]).unwrap();
    let likelihood = Likelihood::Categorical;
    let form = NllForm::MixtureNll;
    vec![
        (
            "d_factors",
            launch::draw_factors_backward_in(client, precision, &draw, ROWS, p, p, large)
                .map(|got| vec![got.d_location, got.d_scale]),
        ),
        (
            "outputs",
            launch::nll_in(client, precision, likelihood, form, OUTPUTS, large, labels, None)
                .map(|values| vec![values]),
        ),
        (
            "outputs",
            launch::nll_with_gradient_in(client, precision, likelihood, form, OUTPUTS, large, labels, None)
                .map(|got| vec![got.values, got.outputs]),
        ),
    ]
}

pub(crate) fn halves_that_a_device_lacks_are_refused_by_name_everywhere(client: &Client) {
    let had = halves(client);
    for (precision, name) in HALVES {
        let large = transfer::upload_as(client, "large", &[1.0; 105], precision).unwrap();
        for (at, (_, got)) in calls(client, precision, &large).into_iter().enumerate() {
            match got {
                Ok(_) => assert!(had.contains(&precision), "call {at}"),
                Err(Error::Unsupported { feature, .. }) => {
                    assert!(!had.contains(&precision) && feature.ends_with(name), "call {at}: {feature}");
                }
                Err(error) => panic!("{precision:?}, call {at}: {error}"),
            }
        }
    }
}

pub(crate) fn buffers_of_the_other_width_are_refused_by_name(client: &Client) {
    let full = transfer::upload(client, "full", &[1.0; 105]).unwrap();
    let half = transfer::upload_as(client, "half", &[1.0; 105], Precision::F16).unwrap();
    let wrong = [(Precision::F32, &half, 52)];
    let wrong = wrong.into_iter().chain(halves(client).into_iter().map(|precision| (precision, &full, 210)));
    for (precision, buffer, n) in wrong {
        for (name, got) in calls(client, precision, buffer) {
            match got {
                Err(Error::ShapeMismatch { argument, got, .. }) => assert_eq!((argument, got), (name, n)),
                other => panic!("{precision:?} {name}: {other:?}"),
            }
        }
    }
    for precision in halves(client) {
        let draw = draw(NoiseKind::Normal, None);
        let p = transfer::upload(client, "parameters", &[1.0; 21]).unwrap();
        // Parameters are f32 in every precision.
        let got = launch::draw_factors_in(client, precision, &draw, ROWS, &p, &half);
        assert!(matches!(got, Err(Error::ShapeMismatch { argument: "scale", got: 52, .. })), "{got:?}");
    }
}

/// Not a half, but of the same functions: nothing of them is a product of tensor cores.
pub(crate) fn tf32_is_f32_where_nothing_is_a_product(client: &Client) {
    let large = transfer::upload(client, "large", &super::waves(105)).unwrap();
    let results = |precision| {
        let read = |buffer: &Handle| transfer::download_words(client, buffer).unwrap();
        let all = calls(client, precision, &large).into_iter();
        all.map(|(_, got)| got.unwrap().iter().map(read).collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    assert_eq!(results(Precision::Tf32), results(Precision::F32));
}
