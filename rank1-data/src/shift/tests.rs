//! Claims about the shifts; pictures are small enough to check by hand.

use approx::assert_abs_diff_eq;
use ndarray::{Array1, array};
use rank1_core::targets::Targets;

use super::*;

#[test]
fn quarter_turns_of_a_square_are_exact_and_counterclockwise() {
    let image = array![[1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]];
    let turned = rotate(image.view(), (3, 3), 90.0).unwrap();
    assert_eq!(turned, array![[3.0, 6.0, 9.0, 2.0, 5.0, 8.0, 1.0, 4.0, 7.0]]);
    assert_eq!(rotate(turned.view(), (3, 3), -90.0).unwrap(), image);
    assert_eq!(rotate(image.view(), (3, 3), 720.0).unwrap(), image);
    let half = rotate(image.view(), (3, 3), 180.0).unwrap();
    assert_eq!(half.row(0).iter().rev().copied().collect::<Vec<_>>(), image.row(0).to_vec());
}

#[test]
fn a_quarter_turn_of_a_wide_image_fills_the_uncovered_corners_with_zero() {
    let image = Array2::from_shape_fn((1, 15), |(_, i)| i as f32 + 1.0);
    let turned = rotate(image.view(), (3, 5), 90.0).unwrap().into_shape_with_order((3, 5)).unwrap();
    let expected = array![[0.0, 4.0, 9.0, 14.0, 0.0], [0.0, 3.0, 8.0, 13.0, 0.0], [0.0, 2.0, 7.0, 12.0, 0.0]];
    assert_eq!(turned, expected);
}

#[test]
fn interpolation_is_linear_between_neighbors() {
    // A ramp along x stays a ramp: the pixel beside the center moves by cos and sin of the angle.
    let ramp = Array2::from_shape_fn((1, 49), |(_, i)| (i % 7) as f32);
    let turned = rotate(ramp.view(), (7, 7), 30.0).unwrap();
    let cos = 30.0_f64.to_radians().cos() as f32;
    assert_abs_diff_eq!(turned[[0, 3 * 7 + 3]], 3.0, epsilon = 1e-6);
    assert_abs_diff_eq!(turned[[0, 3 * 7 + 4]], 3.0 + cos, epsilon = 1e-5);
    assert_abs_diff_eq!(turned[[0, 2 * 7 + 3]], 3.0 + 0.5, epsilon = 1e-5);
}

#[test]
fn several_images_are_turned_independently() {
    let images = Array2::from_shape_fn((5, 77), |(n, i)| (n * 100 + i) as f32);
    let together = rotate(images.view(), (7, 11), 17.0).unwrap();
    for (n, image) in images.axis_iter(Axis(0)).enumerate() {
        let alone = rotate(image.insert_axis(Axis(0)), (7, 11), 17.0).unwrap();
        assert_eq!(together.row(n), alone.row(0));
    }
}

#[test]
fn noise_has_the_asked_spread_and_no_mean() {
    let zeros = Array2::zeros((313, 317));
    let noise = gaussian_noise(zeros.view(), 0.2, 9).unwrap();
    let n = noise.len() as f32;
    let mean = noise.sum() / n;
    let sd = (noise.mapv(|x| x * x).sum() / n).sqrt();
    // Four standard errors at n = 99,221.
    assert!(mean.abs() < 4.0 * 0.2 / n.sqrt(), "{mean}");
    assert!((sd / 0.2 - 1.0).abs() < 4.0 / (2.0 * n).sqrt(), "{sd}");
}

#[test]
fn noise_depends_on_seed_and_position_and_not_on_the_other_rows() {
    let inputs = Array2::from_shape_fn((5, 7), |(i, j)| (i + j) as f32);
    let noisy = gaussian_noise(inputs.view(), 0.5, 3).unwrap();
    let fewer = gaussian_noise(inputs.view().split_at(Axis(0), 2).0, 0.5, 3).unwrap();
    assert_eq!(noisy.view().split_at(Axis(0), 2).0, fewer);
    assert_ne!(gaussian_noise(inputs.view(), 0.5, 4).unwrap(), noisy);
    assert_eq!(gaussian_noise(inputs.view(), 0.0, 3).unwrap(), inputs);
    let mut values: Vec<u32> = (&noisy - &inputs).iter().map(|x| x.to_bits()).collect();
    values.sort_unstable();
    values.dedup();
    assert_eq!(values.len(), 35);
}

#[test]
fn shifts_are_read_and_written_in_one_form() {
    for text in ["rotation:30", "rotation:-7.5", "gaussian_noise:0.2"] {
        assert_eq!(text.parse::<Shift>().unwrap().to_string(), text);
    }
    for (text, problem) in [
        ("rotation", "no colon"),
        ("rotate:30", "did you mean `rotation`?"),
        ("fog:3", "unknown kind;"),
        ("rotation:far", "not a number"),
        ("rotation:inf", "not finite"),
        ("gaussian_noise:-1", "negative"),
        ("gaussian_noise:nan", "negative or not finite"),
    ] {
        let got = text.parse::<Shift>().unwrap_err().to_string();
        assert!(got.contains(problem) && got.contains("rotation:DEGREES"), "{got}");
    }
}

#[test]
fn tables_are_not_rotated_and_targets_stay() {
    let split = Split {
        inputs: Array2::zeros((3, 6)),
        remainder: None,
        targets: Targets::Values(Array1::from(vec![1.0, 2.0, 3.0])),
    };
    let rotation: Shift = "rotation:30".parse().unwrap();
    assert!(matches!(rotation.apply(&split, None, 0), Err(Error::ShiftNeedsImages { .. })));
    let got = rotation.apply(&split, Some((3, 3)), 0);
    assert!(matches!(got, Err(Error::Width { expected: 9, got: 6, .. })));
    let noise: Shift = "gaussian_noise:1".parse().unwrap();
    let noisy = noise.apply(&split, None, 0).unwrap();
    assert_eq!(noisy.targets, split.targets);
    assert_ne!(noisy.inputs, split.inputs);
}

#[test]
fn a_row_alone_is_shifted_as_among_all() {
    let inputs = Array2::from_shape_fn((4, 9), |(i, j)| (i * 9 + j) as f32 / 36.0);
    let split = Split { inputs, remainder: None, targets: Targets::Values(Array1::zeros(4)) };
    for text in ["rotation:40", "gaussian_noise:0.3"] {
        let shift: Shift = text.parse().unwrap();
        let all = shift.apply(&split, Some((3, 3)), 6).unwrap();
        for row in 0..4 {
            let mut alone = split.inputs.row(row).to_vec();
            shift.apply_row(&mut alone, Some((3, 3)), row, 6).unwrap();
            assert_eq!(alone, all.inputs.row(row).to_vec(), "{text}");
        }
    }
    let rotation: Shift = "rotation:30".parse().unwrap();
    assert!(matches!(rotation.apply_row(&mut [0.0; 9], None, 0, 0), Err(Error::ShiftNeedsImages { .. })));
}
