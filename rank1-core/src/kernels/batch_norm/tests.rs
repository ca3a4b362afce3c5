//! Claims about batch normalization: moments, groups, accuracy, gradients, threads.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::testkit::{central_differences, max_relative_error, normals};

const EPSILON: f64 = 1e-3;

fn shape(per_member: bool) -> NormShape {
    NormShape { n_samples: 2, n_members: 3, n_examples: 5, positions: 7, channels: 2, per_member }
}

fn values<F: Real>(seed: u64, len: usize) -> Vec<F> {
    normals::<F, _, _>(seed, len).to_vec()
}

/// All values of a group and channel, by the definition of the row order.
fn members_of(shape: &NormShape, x: &[f64], group: usize, channel: usize) -> Vec<f64> {
    let mut found = Vec::new();
    for s in 0..shape.n_samples {
        for k in 0..shape.n_members {
            for b in 0..shape.n_examples {
                for p in 0..shape.positions {
                    if !shape.per_member || k == group {
                        let row = (s * shape.n_members + k) * shape.n_examples + b;
                        found.push(x[(row * shape.positions + p) * shape.channels + channel]);
                    }
                }
            }
        }
    }
    found
}

fn forward(shape: &NormShape, x: &[f64], scale: &[f64], shift: &[f64]) -> (Vec<f64>, NormSaved<f64>) {
    let (mut out, mut saved) = (vec![f64::NAN; x.len()], NormSaved::default());
    train_forward(shape, x, scale, shift, EPSILON, &mut out, &mut saved).unwrap();
    (out, saved)
}

#[test]
fn each_group_gets_the_mean_and_deviation_that_its_parameters_ask_for() {
    for per_member in [false, true] {
        let shape = shape(per_member);
        let groups = shape.groups() * shape.channels;
        let x = values::<f64>(1, shape.rows() * shape.row_len());
        let (scale, shift) = (values::<f64>(2, groups), values::<f64>(3, groups));
        let (out, saved) = forward(&shape, &x, &scale, &shift);
        for group in 0..shape.groups() {
            for channel in 0..shape.channels {
                let moments = |of: &[f64]| {
                    let values = members_of(&shape, of, group, channel);
                    assert_eq!(values.len(), shape.count());
                    let mean = values.iter().sum::<f64>() / values.len() as f64;
                    (mean, values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64)
                };
                let at = group * shape.channels + channel;
                let (mean, variance) = moments(&x);
                assert!((saved.mean[at] - mean).abs() < 1e-14);
                assert!((saved.variance[at] - variance).abs() < 1e-14);
                let (mean, spread) = moments(&out);
                assert!((mean - shift[at]).abs() < 1e-13);
                let expected = scale[at].powi(2) * variance / (variance + EPSILON);
                assert!((spread - expected).abs() < 1e-13);
            }
        }
    }
}

#[test]
fn evaluation_with_the_batch_statistics_repeats_training() {
    let shape = shape(true);
    let groups = shape.groups() * shape.channels;
    let x = values::<f64>(1, shape.rows() * shape.row_len());
    let (scale, shift) = (values::<f64>(2, groups), values::<f64>(3, groups));
    let (expected, saved) = forward(&shape, &x, &scale, &shift);
    let mut out = vec![f64::NAN; x.len()];
    eval_forward(&shape, &x, &scale, &shift, &saved.mean, &saved.variance, EPSILON, &mut out).unwrap();
    assert!(max_relative_error(&out, &expected) < 1e-14);
    eval_forward(&shape, &x, &scale, &shift, &shift, &saved.variance, EPSILON, &mut out).unwrap();
    assert!(max_relative_error(&out, &expected) > 1e-3);
}

#[test]
fn all_gradients_agree_with_central_differences() {
    for per_member in [false, true] {
        let shape = shape(per_member);
        let groups = shape.groups() * shape.channels;
        let x = values::<f64>(1, shape.rows() * shape.row_len());
        let (scale, shift) = (values::<f64>(2, groups), values::<f64>(3, groups));
        let probe = values::<f64>(4, x.len());
        let loss = |x: &[f64], scale: &[f64], shift: &[f64]| -> f64 {
            let (out, _) = forward(&shape, x, scale, shift);
            out.iter().zip(&probe).map(|(y, p)| p * y + 0.1 * y * y).sum()
        };
        let (out, mut saved) = forward(&shape, &x, &scale, &shift);
        let d_out: Vec<f64> = out.iter().zip(&probe).map(|(y, p)| p + 0.2 * y).collect();
        // The parameter gradients are added to what is there.
        let (mut d_x, mut d_scale, mut d_shift) =
            (vec![f64::NAN; x.len()], vec![1.0; groups], vec![2.0; groups]);
        backward(&shape, &x, &scale, &mut saved, EPSILON, &d_out, &mut d_x, &mut d_scale, &mut d_shift)
            .unwrap();
        d_scale.iter_mut().for_each(|g| *g -= 1.0);
        d_shift.iter_mut().for_each(|g| *g -= 2.0);
        let expected = central_differences(|x| loss(x, &scale, &shift), &x);
        assert!(max_relative_error(&d_x, &expected) < 1e-8);
        assert!(max_relative_error(&d_scale, &central_differences(|p| loss(&x, p, &shift), &scale)) < 1e-8);
        assert!(max_relative_error(&d_shift, &central_differences(|p| loss(&x, &scale, p), &shift)) < 1e-8);
    }
}

#[test]
fn single_precision_statistics_hold_far_from_zero() {
    let shape = NormShape { positions: 1024, ..shape(false) };
    // 1000 with a deviation of 0.1: squares alone would lose all digits of the variance in single precision.
    let x: Vec<f32> =
        values::<f32>(1, shape.rows() * shape.row_len()).iter().map(|v| 1000.0 + 0.1 * v).collect();
    let wide: Vec<f64> = x.iter().map(|&v| f64::from(v)).collect();
    let (mut out, mut saved) = (vec![0.0; x.len()], NormSaved::default());
    train_forward(&shape, &x, &[1.0; 2], &[0.0; 2], 0.0, &mut out, &mut saved).unwrap();
    for channel in 0..2 {
        let values = members_of(&shape, &wide, 0, channel);
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64;
        assert!((f64::from(saved.variance[channel]) / variance - 1.0).abs() < 1e-7);
        assert_eq!(saved.mean[channel], mean as f32);
    }
}

#[test]
fn every_number_of_threads_gives_the_same_bits() {
    let shape = NormShape { positions: 13, ..shape(true) };
    let groups = shape.groups() * shape.channels;
    let x = values::<f32>(1, shape.rows() * shape.row_len());
    let (scale, shift) = (values::<f32>(2, groups), values::<f32>(3, groups));
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let (mut out, mut d_x, mut saved) = (x.clone(), x.clone(), NormSaved::default());
        let (mut d_scale, mut d_shift) = (scale.clone(), shift.clone());
        pool.install(|| {
            train_forward(&shape, &x, &scale, &shift, EPSILON, &mut out, &mut saved).unwrap();
            backward(&shape, &x, &scale, &mut saved, EPSILON, &out, &mut d_x, &mut d_scale, &mut d_shift)
                .unwrap();
        });
        [out, d_x, d_scale, d_shift, saved.mean, saved.variance]
            .concat()
            .iter()
            .map(|v| v.to_bits())
            .collect()
    };
    let one: Vec<u32> = run(1);
    assert_eq!(one, run(2));
    assert_eq!(one, run(3));
}

#[test]
fn a_constant_channel_is_finite_and_one_value_has_no_correction() {
    let shape = shape(false);
    let x = vec![3.25; shape.rows() * shape.row_len()];
    let (out, saved) = forward(&shape, &x, &[1.0; 2], &[0.5; 2]);
    assert_eq!(saved.variance, [0.0; 2]);
    assert!(out.iter().all(|&v| v == 0.5));
    assert_eq!(unbiased(3.0, 4), 4.0);
    assert_eq!(unbiased(3.0_f32, 1), 3.0);
}

#[test]
fn wrong_lengths_and_a_foreign_epsilon_are_refused() {
    let shape = shape(true);
    let x = values::<f64>(1, shape.rows() * shape.row_len());
    let ones = vec![1.0; 6];
    let (mut out, mut saved) = (x.clone(), NormSaved::default());
    let shared = [1.0; 2];
    let refused = train_forward(&shape, &x, &shared, &ones, EPSILON, &mut out, &mut saved);
    assert!(matches!(refused, Err(Error::ShapeMismatch { argument: "scale", .. })));
    assert!(train_forward(&shape, &x, &ones, &ones, f64::NAN, &mut out, &mut saved).is_err());
    train_forward(&shape, &x, &ones, &ones, EPSILON, &mut out, &mut saved).unwrap();
    let (mut d_x, mut d_scale, mut d_shift) = (x.clone(), ones.clone(), ones.clone());
    let refused = backward(&shape, &x, &ones, &mut saved, 1e-5, &out, &mut d_x, &mut d_scale, &mut d_shift);
    assert!(matches!(refused, Err(Error::OutOfRange { argument: "epsilon", .. })));
}
