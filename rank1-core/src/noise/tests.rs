//! Claims about the noise streams: equality of all paths, distribution, and pinned first draws.

#![allow(clippy::unwrap_used)]

use super::*;
use statrs::distribution::{Cauchy, ContinuousCDF, Normal, Uniform};

const KINDS: [NoiseKind; 4] = [NoiseKind::Uniform, NoiseKind::Normal, NoiseKind::Cauchy, NoiseKind::Sign];

#[test]
fn the_dispatched_sweep_equals_the_scalar_path_bit_for_bit() {
    let stream = NoiseStream::new(0x0123_4567_89ab_cdef, 7, 3);
    for kind in KINDS {
        for width in [0, 1, 2, 3, 4, 5, 13, 63, 64, 65, 1009] {
            let at = At { step: 17, member: 2, example: 5 };
            let mut got = vec![0.0_f32; width];
            stream.fill(kind, at, &mut got);
            for (index, value) in got.iter().enumerate() {
                let scalar = stream.value(kind, at, index);
                assert_eq!(value.to_bits(), scalar.to_bits(), "{kind:?} {width} {index}");
            }
        }
    }
}

#[test]
fn the_instruction_set_does_not_change_a_bit() {
    let rows = Rows { step: 3, first_member: 0, n_members: 3, first_example: 0, n_examples: 5 };
    for kind in KINDS {
        let (mut scalar, mut vector) = (vec![0.0_f32; 3 * 5 * 101], vec![0.0_f32; 3 * 5 * 101]);
        let key = NoiseStream::new(1, 2, 3).key();
        sweep(pulp::Scalar, kind, key, rows, 101, &mut scalar);
        crate::kernels::simd::arch().dispatch(Sweep { kind, key, rows, width: 101, out: &mut vector });
        assert!(scalar.iter().zip(&vector).all(|(a, b)| a.to_bits() == b.to_bits()), "{kind:?}");
    }
}

#[test]
fn rows_equal_single_fills_however_they_are_grouped() {
    let stream = NoiseStream::new(11, 0, 0);
    for width in [1, 7, 11, 64] {
        let rows = Rows { step: 9, first_member: 1, n_members: 3, first_example: 4, n_examples: 5 };
        let mut all = vec![0.0_f32; 3 * 5 * width];
        stream.fill_rows(NoiseKind::Normal, rows, width, &mut all).unwrap();
        for (r, row) in all.chunks(width).enumerate() {
            let at = At { step: 9, member: 1 + (r / 5) as u32, example: 4 + (r % 5) as u32 };
            let mut single = vec![0.0_f32; width];
            stream.fill_normal(at, &mut single);
            assert_eq!(row, &single[..]);
        }
    }
}

#[test]
fn a_wrong_length_is_refused() {
    let rows = Rows { step: 0, first_member: 0, n_members: 3, first_example: 0, n_examples: 5 };
    let got = NoiseStream::new(0, 0, 0).fill_rows(NoiseKind::Sign, rows, 7, &mut [0.0; 104]);
    assert_eq!(
        got,
        Err(Error::ShapeMismatch {
            op: "fill_rows",
            argument: "out",
            expected: vec![3, 5, 7],
            got: vec![104]
        })
    );
}

#[test]
fn every_coordinate_of_the_address_changes_the_row() {
    let base = (NoiseStream::new(1, 1, 1), At { step: 1, member: 1, example: 1 });
    let row = |(stream, at): (NoiseStream, At)| {
        let mut out = [0.0_f32; 8];
        stream.fill_normal(at, &mut out);
        out.map(f32::to_bits)
    };
    let others = [
        (NoiseStream::new(2, 1, 1), base.1),
        (NoiseStream::new(1 + (1 << 32), 1, 1), base.1),
        (NoiseStream::new(1, 2, 1), base.1),
        (NoiseStream::new(1, 1, 2), base.1),
        (base.0, At { step: 2, ..base.1 }),
        (base.0, At { member: 2, ..base.1 }),
        (base.0, At { example: 2, ..base.1 }),
    ];
    let rows: std::collections::HashSet<_> = others.into_iter().chain([base]).map(row).collect();
    assert_eq!(rows.len(), 8);
}

/// Kolmogorov-Smirnov distance of 100,000 values from a distribution function.
fn ks_distance(kind: NoiseKind, cdf: impl Fn(f64) -> f64) -> f64 {
    let (k, b, d) = (8, 50, 250);
    let mut x = vec![0.0_f32; k * b * d];
    let rows = Rows { step: 0, first_member: 0, n_members: k, first_example: 0, n_examples: b };
    NoiseStream::new(20_200_514, 4, 0).fill_rows(kind, rows, d, &mut x).unwrap();
    x.sort_by(f32::total_cmp);
    let n = x.len() as f64;
    let gap = |(i, &v): (usize, &f32)| {
        let p = cdf(f64::from(v));
        (p - i as f64 / n).abs().max(((i + 1) as f64 / n - p).abs())
    };
    x.iter().enumerate().map(gap).fold(0.0, f64::max)
}

#[test]
fn draws_pass_a_kolmogorov_smirnov_test() {
    // Critical distance at significance 0.001 for n = 100,000: 1.9495 / sqrt(n).
    let critical = 1.9495 / 100_000.0_f64.sqrt();
    let normal = Normal::new(0.0, 1.0).unwrap();
    let cauchy = Cauchy::new(0.0, 1.0).unwrap();
    let uniform = Uniform::new(0.0, 1.0).unwrap();
    assert!(ks_distance(NoiseKind::Normal, |x| normal.cdf(x)) < critical);
    assert!(ks_distance(NoiseKind::Cauchy, |x| cauchy.cdf(x)) < critical);
    assert!(ks_distance(NoiseKind::Uniform, |x| uniform.cdf(x)) < critical);
}

#[test]
fn normals_have_unit_moments_and_no_correlation_between_lanes_members_or_examples() {
    let (k, b, d) = (4, 100, 256);
    let n = k * b * d;
    let mut x = vec![0.0_f32; n];
    let rows = Rows { step: 5, first_member: 0, n_members: k, first_example: 0, n_examples: b };
    NoiseStream::new(42, 0, 0).fill_rows(NoiseKind::Normal, rows, d, &mut x).unwrap();
    let mean_of = |f: &dyn Fn(usize) -> f64| (0..n).map(f).sum::<f64>() / n as f64;
    let at = |i: usize| f64::from(x[i % n]);
    // Five standard errors each: sqrt(1/n), sqrt(2/n), sqrt(96/n), and sqrt(1/n) for products.
    let standard = (1.0 / n as f64).sqrt();
    assert!(mean_of(&at).abs() < 5.0 * standard);
    assert!((mean_of(&|i| at(i).powi(2)) - 1.0).abs() < 5.0 * 2.0_f64.sqrt() * standard);
    assert!((mean_of(&|i| at(i).powi(4)) - 3.0).abs() < 5.0 * 96.0_f64.sqrt() * standard);
    for lag in [1, 2, 3, 4, d, b * d] {
        assert!(mean_of(&|i| at(i) * at(i + lag)).abs() < 5.0 * standard, "lag {lag}");
    }
}

#[test]
fn signs_are_balanced() {
    let mut x = vec![0.0_f32; 100_000];
    NoiseStream::new(3, 0, 0).fill_sign(At::default(), &mut x);
    assert!(x.iter().all(|&v| v == 1.0 || v == -1.0));
    let total: f32 = x.iter().sum();
    assert!(total.abs() < 5.0 * 100_000.0_f32.sqrt());
}

#[test]
fn the_first_draws_are_pinned() {
    // Changing these numbers changes every trained model: a breaking change.
    let bits = |kind| {
        let mut out = [0.0_f32; 6];
        NoiseStream::new(2020, 5, 7).fill(kind, At { step: 1, member: 2, example: 3 }, &mut out);
        out.map(f32::to_bits)
    };
    let pinned = [
        [0x3e67_7264, 0x3e42_8e84, 0x3f70_dc89, 0x3f26_6023, 0x3dee_8568, 0x3f49_02c9],
        [0x3fca_9850, 0x3f2f_54db, 0xbeb0_95a2, 0xbd5e_e054, 0xbf8d_f2aa, 0xbfe0_4af8],
        [0xbf94_e5d2, 0xbfbc_59b2, 0x40aa_433a, 0x3f02_577a, 0xc027_0a94, 0x3f9f_f987],
        [0x3f80_0000, 0x3f80_0000, 0xbf80_0000, 0xbf80_0000, 0x3f80_0000, 0xbf80_0000],
    ];
    assert_eq!(KINDS.map(bits), pinned);
}
