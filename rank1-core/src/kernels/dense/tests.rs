//! Claims about dense products: equality with double precision, threads, refused lengths.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::testkit::normals;

fn values<F: Real>(seed: u64, len: usize) -> Vec<F> {
    normals::<f64, _, _>(seed, len).iter().map(|&x| F::of(f64::from(x as f32))).collect()
}

/// Rows, inputs and outputs: sizes of 1, odd ones, several blocks of rows, enough work for threads; many rows and few, which
/// the gradient of the inputs takes as transposed products.
const SIZES: [(usize, usize, usize); 11] = [
    (1, 1, 1),
    (1, 13, 50),
    (3, 7, 16),
    (6, 1, 33),
    (5, 50, 1),
    (128, 13, 50),
    (131, 97, 103),
    (61, 1031, 37),
    (1009, 113, 31),
    (67, 1031, 211),
    (31, 37, 5),
];

fn all<F: Real>((n, d_in, d_out): (usize, usize, usize)) -> [Vec<F>; 3] {
    let shape = DenseShape { d_in, d_out };
    let (x, weight) = (values::<F>(1, n * d_in), values::<F>(2, d_in * d_out));
    let d = values::<F>(3, n * d_out);
    let mut scratch = DenseScratch::default();
    // Larger than needed and full of other numbers, as after another layer.
    let full = DenseShape { d_in: 100, d_out: 300 };
    let nan = vec![F::nan(); 30_000];
    forward(full, &nan[..700], &nan, &mut [F::zero(); 2100], &mut scratch).unwrap();
    let (mut out, mut d_x) = (vec![F::nan(); n * d_out], vec![F::nan(); n * d_in]);
    let mut d_weight = weight.clone();
    forward(shape, &x, &weight, &mut out, &mut scratch).unwrap();
    input_gradient(shape, &d, &weight, &mut d_x, &mut scratch).unwrap();
    weight_gradient(shape, &x, &d, &mut d_weight, &mut scratch).unwrap();
    [out, d_x, d_weight]
}

#[test]
fn tiles_in_single_precision_equal_products_in_double() {
    for size in SIZES {
        for (single, double) in all::<f32>(size).iter().zip(&all::<f64>(size)) {
            let scale = double.iter().fold(0.0, |scale: f64, x| scale.max(x.abs()));
            for (s, d) in single.iter().zip(double) {
                assert!((f64::from(*s) - d).abs() <= 2e-6 * scale, "{size:?}: {s} {d}");
            }
        }
    }
}

#[test]
fn double_precision_is_the_sum_written_out() {
    let (n, d_in, d_out) = (3, 5, 2);
    let (x, weight) = (values::<f64>(1, n * d_in), values::<f64>(2, d_in * d_out));
    let [out, ..] = all::<f64>((n, d_in, d_out));
    for (row, out) in out.chunks(d_out).enumerate() {
        for (o, &out) in out.iter().enumerate() {
            let sum: f64 = (0..d_in).map(|i| x[row * d_in + i] * weight[i * d_out + o]).sum();
            assert!((out - sum).abs() < 1e-14);
        }
    }
}

#[test]
fn every_number_of_threads_gives_the_same_bits() {
    for size in [(1009, 113, 31), (67, 1031, 211)] {
        let bits = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let all = pool.install(|| all::<f32>(size));
            all.map(|values| values.into_iter().map(f32::to_bits).collect::<Vec<_>>())
        };
        let one = bits(1);
        assert_eq!(bits(2), one);
        assert_eq!(bits(3), one);
    }
}

#[test]
fn a_weight_that_stays_is_packed_once_and_a_new_one_after_being_told() {
    // Threads share rows in one case and columns in the other.
    for (n, d_in, d_out) in [(131, 97, 103), (67, 113, 211)] {
        let shape = DenseShape { d_in, d_out };
        let (x, weight) = (values::<f32>(1, n * d_in), values::<f32>(2, d_in * d_out));
        let mut packed = PackedWeight::default();
        let run = |weight: &[f32], packed: &mut PackedWeight| {
            let mut out = vec![f32::NAN; n * d_out];
            forward_packed(shape, &x, weight, packed, &mut out).unwrap();
            out
        };
        let [expected, ..] = all::<f32>((n, d_in, d_out));
        assert_eq!(run(&weight, &mut packed), expected);
        assert_eq!(run(&weight, &mut packed), expected);
        // Copies lie elsewhere in memory.
        for mut copy in vec![packed.clone(); 9] {
            assert_eq!(run(&weight, &mut copy), expected);
        }
        let twice: Vec<f32> = weight.iter().map(|w| 2.0 * w).collect();
        packed.forget();
        assert!(run(&twice, &mut packed).iter().zip(&expected).all(|(two, one)| *two == 2.0 * one));
    }
}

#[test]
fn not_a_number_reaches_its_row_and_no_other() {
    let mut x = values::<f32>(1, 4 * 3);
    x[4] = f32::NAN;
    let mut out = vec![0.0; 4 * 17];
    let shape = DenseShape { d_in: 3, d_out: 17 };
    forward(shape, &x, &values::<f32>(2, 51), &mut out, &mut DenseScratch::default()).unwrap();
    for (row, out) in out.chunks(17).enumerate() {
        assert!(out.iter().all(|y| y.is_nan() == (row == 1)));
    }
}

#[test]
fn wrong_lengths_and_empty_sizes_are_refused_by_name() {
    let shape = DenseShape { d_in: 3, d_out: 2 };
    let mut scratch = DenseScratch::default();
    let mut refused = |x: usize, weight: usize, out: usize| {
        let (x, weight, mut out) = (vec![0.0_f32; x], vec![0.0; weight], vec![0.0; out]);
        forward(shape, &x, &weight, &mut out, &mut scratch).unwrap_err().to_string()
    };
    assert!(refused(5, 6, 4).contains("`x`"));
    assert!(refused(6, 5, 4).contains("`weight`"));
    assert!(refused(6, 6, 5).contains("`out`"));
    let empty = DenseShape { d_in: 0, d_out: 2 };
    assert!(forward::<f32>(empty, &[], &[], &mut [], &mut scratch).is_err());
    forward::<f32>(shape, &[], &[0.0; 6], &mut [], &mut scratch).unwrap();
}
