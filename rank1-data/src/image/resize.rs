//! Bicubic resizing of a window of an image, as TensorFlow's `resize` does it without antialiasing.
//!
//! Not for smoothing: when an image shrinks, four pixels per axis still decide every output pixel.

use super::Picture;

/// A rectangle of pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) top: usize,
    pub(super) left: usize,
    pub(super) height: usize,
    pub(super) width: usize,
}

/// Four source places and their weights for one output place.
type Taps = [(usize, f32); 4];

/// Keys' kernel with a = -1/2 at half-pixel centers; places outside the window have no weight.
fn taps(input: usize, output: usize) -> Vec<Taps> {
    let scale = input as f64 / output as f64;
    let kernel = |x: f64| {
        let x = x.abs();
        if x <= 1.0 {
            (1.5 * x - 2.5) * x * x + 1.0
        } else if x < 2.0 {
            ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
        } else {
            0.0
        }
    };
    let one = |place: usize| {
        let center = (place as f64 + 0.5) * scale - 0.5;
        let first = center.floor() - 1.0;
        let weights = [0.0, 1.0, 2.0, 3.0].map(|step| {
            let at = first + step;
            if at < 0.0 || at >= input as f64 { (0, 0.0) } else { (at as usize, kernel(center - at)) }
        });
        let sum: f64 = weights.iter().map(|(_, weight)| weight).sum();
        weights.map(|(at, weight)| (at, (weight / sum) as f32))
    };
    (0..output).map(one).collect()
}

/// The window resized to `size` by `size` pixels, `[size, size, channels]`; bytes keep their scale but may overshoot.
pub(super) fn bicubic(picture: &Picture, window: Window, size: usize) -> Vec<f32> {
    resize(picture, window, (size, size))
}

fn resize(picture: &Picture, window: Window, (height, width): (usize, usize)) -> Vec<f32> {
    let channels = picture.channels;
    let (rows, columns) = (taps(window.height, height), taps(window.width, width));
    // Only the rows that some output needs are resized along their length.
    let mut across: Vec<Option<Vec<f32>>> = vec![None; window.height];
    let mut out = Vec::with_capacity(height * width * channels);
    for row in &rows {
        for &(y, _) in row {
            across[y].get_or_insert_with(|| {
                let start = ((window.top + y) * picture.width + window.left) * channels;
                let line = &picture.pixels[start..start + window.width * channels];
                let value = |taps: &Taps, c: usize| {
                    taps.iter().map(|&(x, weight)| weight * f32::from(line[x * channels + c])).sum::<f32>()
                };
                columns.iter().flat_map(|taps| (0..channels).map(move |c| value(taps, c))).collect()
            });
        }
        let lines = row.map(|(y, weight)| (across[y].as_deref().unwrap_or_default(), weight));
        out.extend(
            (0..width * channels).map(|i| lines.iter().map(|(line, weight)| weight * line[i]).sum::<f32>()),
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;

    use super::*;

    fn whole(picture: &Picture) -> Window {
        Window { top: 0, left: 0, height: picture.height, width: picture.width }
    }

    #[test]
    fn enlarging_agrees_with_an_independent_implementation() {
        // Rows 0, 3 and 7 by Pillow 13.0 (mode F, BICUBIC), whose kernel is the same where an image grows.
        let pixels = (0..35).map(|i| (i * 37 % 101) as u8).collect();
        let picture = Picture { pixels, height: 5, width: 7, channels: 1 };
        let out = resize(&picture, whole(&picture), (8, 9));
        let expected = [
            (
                0,
                [
                    -5.8529553, 17.8437, 58.413895, 66.87577, 5.898524, 38.598534, 78.546135, 66.90149,
                    12.524914,
                ],
            ),
            (3, [20.576822, 52.41325, 75.0503, 66.3379, 32.681396, 40.625057, 70.84695, 72.857086, 40.7607]),
            (
                7,
                [
                    20.738443, 50.22977, 89.984985, 93.32271, 32.83395, 72.811195, 36.422024, 12.636268,
                    44.58543,
                ],
            ),
        ];
        for (row, expected) in expected {
            for (x, value) in expected.into_iter().enumerate() {
                assert_abs_diff_eq!(out[row * 9 + x], value, epsilon = 2e-4);
            }
        }
    }

    #[test]
    fn a_window_is_cut_out_before_it_is_resized_and_channels_stay_apart() {
        let pixels: Vec<u8> = (0..7 * 9 * 3).map(|i| (i * 31 % 241) as u8).collect();
        let picture = Picture { pixels: pixels.clone(), height: 7, width: 9, channels: 3 };
        let window = Window { top: 2, left: 1, height: 3, width: 5 };
        for c in 0..3 {
            let cut =
                (2..5).flat_map(|y| (1..6).map(move |x| (y * 9 + x) * 3 + c)).map(|i| pixels[i]).collect();
            let cut = Picture { pixels: cut, height: 3, width: 5, channels: 1 };
            let expected = resize(&cut, whole(&cut), (4, 11));
            let got: Vec<f32> = resize(&picture, window, (4, 11)).into_iter().skip(c).step_by(3).collect();
            assert_eq!(got, expected);
        }
    }

    #[test]
    fn equal_sizes_and_equal_pixels_stay() {
        let picture = Picture { pixels: (0..30).collect(), height: 5, width: 6, channels: 1 };
        let same: Vec<f32> = (0..30_u8).map(f32::from).collect();
        assert_eq!(resize(&picture, whole(&picture), (5, 6)), same);
        let flat = Picture { pixels: vec![7; 143], height: 11, width: 13, channels: 1 };
        assert!(bicubic(&flat, whole(&flat), 4).iter().all(|value| (value - 7.0).abs() < 1e-5));
        let point = Picture { pixels: vec![9], height: 1, width: 1, channels: 1 };
        assert!(bicubic(&point, whole(&point), 3).iter().all(|value| (value - 9.0).abs() < 1e-5));
    }
}
