//! Claims about pooling: equality with loops, gradients, ties, refused shapes.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::testkit::{central_differences, max_relative_error, normals};

const BASE: PoolShape =
    PoolShape { height: 7, width: 5, channels: 3, window: (3, 2), stride: (2, 2), padding: Padding::Valid };
const N: usize = 3;

fn shapes() -> [PoolShape; 8] {
    [
        BASE,
        PoolShape { padding: Padding::Same, ..BASE },
        PoolShape { padding: Padding::Same, stride: (1, 3), window: (2, 4), ..BASE },
        PoolShape { padding: Padding::Explicit { top: 2, bottom: 0, left: 1, right: 1 }, ..BASE },
        PoolShape { stride: (1, 1), channels: 1, ..BASE },
        PoolShape { channels: 8, window: (2, 2), ..BASE },
        PoolShape { channels: 19, padding: Padding::Same, ..BASE },
        PoolShape { window: (7, 5), ..BASE },
    ]
}

fn values(seed: u64, len: usize) -> Vec<f64> {
    normals::<f64, _, _>(seed, len).to_vec()
}

/// All values that the window of output `(image, oy, ox, channel)` sees.
fn window(shape: &PoolShape, x: &[f64], at: [usize; 4]) -> Vec<f64> {
    let pads = shape.pads();
    let mut seen = Vec::new();
    for ky in 0..shape.window.0 {
        for kx in 0..shape.window.1 {
            let iy = (at[1] * shape.stride.0 + ky) as isize - pads.top as isize;
            let ix = (at[2] * shape.stride.1 + kx) as isize - pads.left as isize;
            if (0..shape.height as isize).contains(&iy) && (0..shape.width as isize).contains(&ix) {
                let pixel = (at[0] * shape.height + iy as usize) * shape.width + ix as usize;
                seen.push(x[pixel * shape.channels + at[3]]);
            }
        }
    }
    seen
}

fn by_loops(shape: &PoolShape, x: &[f64], of: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let (out_height, out_width) = shape.out_size();
    let mut out = Vec::new();
    for image in 0..x.len() / shape.in_len() {
        for oy in 0..out_height {
            for ox in 0..out_width {
                out.extend((0..shape.channels).map(|c| of(&window(shape, x, [image, oy, ox, c]))));
            }
        }
    }
    out
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[test]
fn averages_and_their_gradients_equal_loops() {
    for shape in shapes().into_iter().filter(|shape| shape.padding == Padding::Valid) {
        let x = values(1, N * shape.in_len());
        let mean = |seen: &[f64]| seen.iter().sum::<f64>() / seen.len() as f64;
        let mut out = vec![f64::NAN; N * shape.out_len()];
        average_forward(&shape, &x, &mut out).unwrap();
        assert!(max_relative_error(&out, &by_loops(&shape, &x, mean)) < 1e-14, "{shape:?}");
        let d_out = values(2, out.len());
        let mut d_x = vec![f64::NAN; x.len()];
        average_backward(&shape, &d_out, &mut d_x).unwrap();
        let expected = central_differences(|x| dot(&by_loops(&shape, x, mean), &d_out), &x);
        assert!(max_relative_error(&d_x, &expected) < 1e-9, "{shape:?}");
    }
}

#[test]
fn maxima_and_their_gradients_equal_loops_under_every_padding() {
    for shape in shapes() {
        // Distinct values at least 0.1 apart: no difference quotient crosses a tie.
        let count = N * shape.in_len();
        let x: Vec<f64> = (0..count).map(|i| (i * 97 % count) as f64 * 0.1 - 20.0).collect();
        let max = |seen: &[f64]| seen.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut out = vec![f64::NAN; N * shape.out_len()];
        let mut argmax = vec![7; out.len()];
        max_forward(&shape, &x, &mut out, &mut argmax).unwrap();
        assert_eq!(out, by_loops(&shape, &x, max), "{shape:?}");
        let d_out = values(2, out.len());
        let mut d_x = vec![f64::NAN; x.len()];
        max_backward(&shape, &argmax, &d_out, &mut d_x).unwrap();
        let expected = central_differences(|x| dot(&by_loops(&shape, x, max), &d_out), &x);
        assert!(max_relative_error(&d_x, &expected) < 1e-8, "{shape:?}");
    }
}

#[test]
fn the_first_of_equal_values_gets_the_gradient_and_padding_never_does() {
    let shape =
        PoolShape { height: 2, width: 2, channels: 1, window: (3, 3), padding: Padding::Same, ..BASE };
    let (mut out, mut argmax, mut d_x) = ([0.0], [0], [0.0; 4]);
    max_forward(&shape, &[-3.0, -1.0, -1.0, -2.0], &mut out, &mut argmax).unwrap();
    assert_eq!((out, argmax), ([-1.0], [1]));
    max_backward(&shape, &argmax, &[5.0], &mut d_x).unwrap();
    assert_eq!(d_x, [0.0, 5.0, 0.0, 0.0]);
    max_forward(&shape, &[f64::NEG_INFINITY; 4], &mut out, &mut argmax).unwrap();
    assert_eq!(argmax, [0]);
    max_forward(&shape, &[1.0, f64::NAN, 2.0, 3.0], &mut out, &mut argmax).unwrap();
    assert!(out[0].is_nan() && argmax == [1]);
}

#[test]
fn the_global_average_is_the_mean_over_positions() {
    let x = [1.0, 10.0, 2.0, 20.0, 6.0, 60.0, 0.0, 1.0, 0.0, 1.0, 3.0, 1.0];
    let mut out = [0.0; 4];
    global_average_forward(3, 2, &x, &mut out).unwrap();
    assert_eq!(out.map(|v: f64| (v * 1e12).round() / 1e12), [3.0, 30.0, 1.0, 1.0]);
    let mut d_x = [0.0; 12];
    global_average_backward(3, 2, &[3.0, 6.0, 9.0, 12.0], &mut d_x).unwrap();
    assert_eq!(d_x, [1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 3.0, 4.0, 3.0, 4.0, 3.0, 4.0]);
}

#[test]
fn wrong_shapes_are_refused() {
    let shape = shapes()[1];
    let (x, mut out) = (vec![0.0; shape.in_len()], vec![0.0; shape.out_len()]);
    assert!(matches!(average_forward(&shape, &x, &mut out), Err(Error::Undefined { .. })));
    assert!(matches!(
        max_forward(&shape, &x[1..], &mut out, &mut []),
        Err(Error::ShapeMismatch { argument: "x", .. })
    ));
    assert!(matches!(
        max_forward(&shape, &x, &mut out, &mut [0]),
        Err(Error::ShapeMismatch { argument: "argmax", .. })
    ));
    let outside = vec![u32::MAX; out.len()];
    let mut d_x = x.clone();
    assert!(matches!(max_backward(&shape, &outside, &out, &mut d_x), Err(Error::OutOfRange { .. })));
    let lost = PoolShape { padding: Padding::Explicit { top: 3, bottom: 0, left: 0, right: 0 }, ..BASE };
    assert!(matches!(lost.check(), Err(Error::OutOfRange { argument: "padding above", .. })));
    assert!(global_average_forward::<f32>(0, 3, &[], &mut []).is_err());
}
