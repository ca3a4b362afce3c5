//! Factor draws of a device against the host's formula.

use cubecl::client::Client;
use rank1_gpu::{Clip, Draw, DrawShape, Family, NoiseKind, Precision, ScaleParameter, launch, transfer};
use statrs::distribution::{ContinuousCDF, Normal};

use super::halves::{assert_stored, halves, precisions};
use super::oracle;
use super::{KEY, KINDS, SHAPES, assert_close, draw, forms, parameters, shape};

fn device_draw(client: &Client, draw: &Draw, shape: DrawShape, location: &[f32], scale: &[f32]) -> Vec<f32> {
    device_draw_in(client, Precision::F32, draw, shape, location, scale)
}

fn device_draw_in(
    client: &Client,
    precision: Precision,
    draw: &Draw,
    shape: DrawShape,
    location: &[f32],
    scale: &[f32],
) -> Vec<f32> {
    let location = transfer::upload(client, "location", location).unwrap();
    let scale = transfer::upload(client, "scale", scale).unwrap();
    let out = launch::draw_factors_in(client, precision, draw, shape, &location, &scale).unwrap();
    transfer::download_as(client, &out, precision).unwrap()
}

pub(crate) fn draws_equal_the_host(client: &Client) {
    for kind in KINDS {
        for clip in [None, Some(Clip::REFERENCE)] {
            for shape in SHAPES.map(shape) {
                let (location, scale) = parameters(shape);
                let draw = draw(kind, clip);
                let expected = oracle::draw_factors(&draw, shape, &location, &scale);
                let got = device_draw(client, &draw, shape, &location, &scale);
                assert_close(&got, &expected, &format!("{kind:?} {clip:?} {shape:?}"));
            }
        }
    }
}

pub(crate) fn draws_of_raw_scales_and_log_normal_draws_equal_the_host(client: &Client) {
    for draw in forms(NoiseKind::Normal) {
        for shape in SHAPES.map(shape) {
            let (location, scale) = parameters(shape);
            let expected = oracle::draw_factors(&draw, shape, &location, &scale);
            let got = device_draw(client, &draw, shape, &location, &scale);
            assert_close(&got, &expected, &format!("{draw:?} {shape:?}"));
        }
    }
}

pub(crate) fn draws_stored_in_halves_equal_the_host(client: &Client) {
    for precision in halves(client) {
        let kinds = KINDS.map(|kind| draw(kind, Some(Clip::REFERENCE)));
        for draw in kinds.into_iter().chain(forms(NoiseKind::Normal)) {
            for shape in SHAPES.map(shape) {
                let (location, scale) = parameters(shape);
                let expected = oracle::draw_factors(&draw, shape, &location, &scale);
                let got = device_draw_in(client, precision, &draw, shape, &location, &scale);
                assert_stored(&got, &expected, precision, 1.0, &format!("{draw:?} {shape:?}"));
            }
        }
    }
}

/// Uniform noise around 0 leaves the scale alone: from far below the floor to far above 1, over both branches.
pub(crate) fn raw_scales_are_positive_and_exact_in_proportion(client: &Client) {
    let raw: Vec<f32> =
        (0..1201).map(|i| 0.1 * (i - 800) as f32).chain([-1e30, -800.0, 800.0, 1e30]).collect();
    let shape = shape((1, 1, raw.len()));
    let draw = Draw { scale: ScaleParameter::Softplus, ..Draw::new(NoiseKind::Uniform, KEY, 0) };
    let location = vec![0.0; raw.len()];
    let expected = oracle::draw_factors(&draw, shape, &location, &raw);
    let got = device_draw(client, &draw, shape, &location, &raw);
    for ((raw, got), expected) in raw.iter().zip(got).zip(expected) {
        let error = (f64::from(got) - expected).abs();
        assert!(got > 0.0 && error <= 3e-6 * expected, "{raw}: {got} {expected}");
    }
}

/// The noise itself, without a location that would hide a relative error: over 100,000 words, tails included.
pub(crate) fn standard_noise_is_exact_to_a_few_units_of_f32(client: &Client) {
    let shape = shape((8, 50, 251));
    let width = 8 * 251;
    let (location, scale) = (vec![0.0; width], vec![1.0; width]);
    for kind in KINDS {
        let draw = draw(kind, None);
        let expected = oracle::draw_factors(&draw, shape, &location, &scale);
        let got = device_draw(client, &draw, shape, &location, &scale);
        // A uniform is exact; the tail of a Cauchy is only exact in proportion.
        let worst = got.iter().zip(&expected).map(|(&got, &exact)| {
            let size = if kind == NoiseKind::Normal { 1.0 + exact.abs() } else { exact.abs() };
            (f64::from(got) - exact).abs() / size
        });
        let worst = worst.fold(0.0, f64::max);
        let allowed = if kind == NoiseKind::Uniform { 0.0 } else { 1e-6 };
        assert!(worst <= allowed, "{kind:?}: {worst}");
    }
}

pub(crate) fn clipped_draws_end_on_the_bounds(client: &Client) {
    let clip = Clip::new(0.9, 1.1).unwrap();
    let shape = shape((3, 5, 131));
    let (location, scale) = (vec![1.0; 3 * 131], vec![1.0; 3 * 131]);
    for kind in [NoiseKind::Normal, NoiseKind::Cauchy] {
        let got = device_draw(client, &draw(kind, Some(clip)), shape, &location, &scale);
        assert!(got.iter().all(|value| (clip.min()..=clip.max()).contains(value)), "{kind:?}");
        // Both bounds and the inside are met, each by a good part of 1965 entries.
        let on = |bound: f32| got.iter().filter(|value| value.to_bits() == bound.to_bits()).count();
        let (low, high) = (on(clip.min()), on(clip.max()));
        assert!(low > 500 && high > 500 && low + high < got.len(), "{kind:?}: {low} {high}");
    }
}

pub(crate) fn nan_parameters_pass_through_a_clip(client: &Client) {
    precisions(client).into_iter().for_each(|precision| check_nan_parameters(client, precision));
}

fn check_nan_parameters(client: &Client, precision: Precision) {
    let shape = shape((1, 3, 5));
    let location = [1.0, f32::NAN, 1.0, 1.0, 1.0];
    let scale = [0.1, 0.1, 0.1, f32::NAN, 0.1];
    for (family, scale_kind) in [
        (Family::LocationScale, ScaleParameter::Positive),
        (Family::LocationScale, ScaleParameter::Softplus),
        (Family::LogNormal, ScaleParameter::Softplus),
    ] {
        let clip = Some(Clip::REFERENCE);
        let draw = Draw { family, scale: scale_kind, ..draw(NoiseKind::Normal, clip) };
        for row in device_draw_in(client, precision, &draw, shape, &location, &scale).chunks(5) {
            let nan = row.iter().map(|v| v.is_nan()).collect::<Vec<_>>();
            assert_eq!(nan, [false, true, false, true, false], "{precision:?} {draw:?}");
        }
    }
}

pub(crate) fn device_normals_pass_a_kolmogorov_smirnov_test(client: &Client) {
    let shape = shape((8, 50, 250));
    let width = 8 * 250;
    let mut got =
        device_draw(client, &draw(NoiseKind::Normal, None), shape, &vec![0.0; width], &vec![1.0; width]);
    got.sort_by(f32::total_cmp);
    let normal = Normal::new(0.0, 1.0).unwrap();
    let n = got.len() as f64;
    let gap = |(i, &v): (usize, &f32)| {
        let p = normal.cdf(f64::from(v));
        (p - i as f64 / n).abs().max(((i + 1) as f64 / n - p).abs())
    };
    let distance = got.iter().enumerate().map(gap).fold(0.0, f64::max);
    // Critical distance at significance 0.001 for n = 100,000.
    assert!(distance < 1.9495 / n.sqrt(), "{distance}");
}
