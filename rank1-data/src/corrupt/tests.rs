//! Claims about all corruptions together.

use super::*;
use ndarray::Array2;
use rank1_core::targets::Targets;

use crate::{Error, InputLayout, Split};

const UNSEEDED: [CorruptionKind; 8] = [
    CorruptionKind::DefocusBlur,
    CorruptionKind::ZoomBlur,
    CorruptionKind::Brightness,
    CorruptionKind::Contrast,
    CorruptionKind::Pixelate,
    CorruptionKind::JpegCompression,
    CorruptionKind::GaussianBlur,
    CorruptionKind::Saturate,
];

/// Smooth shapes with some grain, so that every corruption has something to change.
fn picture(height: usize, width: usize, channels: usize) -> Vec<u8> {
    let value = |i: usize| {
        let (y, x, channel) = (i / (width * channels), i / channels % width, i % channels);
        let wave = (y as f32 * 0.37 + channel as f32).sin() * (x as f32 * 0.23).cos();
        let grain = (i * 37 % 23) as f32;
        (120.0 + 90.0 * wave + grain) as u8
    };
    (0..height * width * channels).map(value).collect()
}

fn all() -> impl Iterator<Item = Corruption> {
    let severities = |&kind| (1..=Corruption::SEVERITIES).map(move |severity| Corruption { kind, severity });
    CorruptionKind::all().iter().flat_map(severities)
}

#[test]
fn the_seed_and_the_index_decide_the_bytes() {
    let image = picture(23, 31, 3);
    for corruption in all() {
        let apply = |seed, index| corruption.apply(&image, 23, 31, 3, ImageKey { seed, index }).unwrap();
        let (first, again, other_seed, other_index) = (apply(1, 4), apply(1, 4), apply(2, 4), apply(1, 5));
        assert_eq!(first, again, "{corruption}");
        assert_ne!(first, image, "{corruption}");
        let unseeded = UNSEEDED.contains(&corruption.kind());
        assert_eq!((first == other_seed, first == other_index), (unseeded, unseeded), "{corruption}");
    }
}

#[test]
fn the_number_of_threads_changes_nothing_and_every_image_has_its_own_index() {
    let images: Vec<u8> = (0..5).flat_map(|_| picture(13, 11, 3)).collect();
    let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
    let (one, two) = (pool(1), pool(2));
    for corruption in all() {
        let run = || corruption.apply_all(&images, 5, 13, 11, 3, 9).unwrap();
        let got = one.install(run);
        assert_eq!(got, two.install(run), "{corruption}");
        let last = corruption.apply(&images[..429], 13, 11, 3, ImageKey { seed: 9, index: 4 }).unwrap();
        assert_eq!(got[4 * 429..], last, "{corruption}");
    }
}

#[test]
fn images_of_any_size_and_both_numbers_of_channels_are_corrupted() {
    for (height, width) in [(1, 1), (1, 7), (2, 2), (3, 5), (17, 29), (28, 28)] {
        for channels in [1, 3] {
            let image = picture(height, width, channels);
            for corruption in all() {
                let got =
                    corruption.apply(&image, height, width, channels, ImageKey { seed: 0, index: u64::MAX });
                assert_eq!(got.unwrap().len(), image.len(), "{corruption} {height} x {width} x {channels}");
            }
        }
    }
}

#[test]
fn an_image_nearer_to_224_pixels_takes_the_stronger_constants() {
    let noise = Corruption::new(CorruptionKind::GaussianNoise, 1).unwrap();
    let change = |height, width| {
        let image = vec![128; height * width];
        let got = noise.apply(&image, height, width, 1, ImageKey { seed: 5, index: 0 }).unwrap();
        let squares = got.iter().map(|&byte| (f64::from(byte) - 127.5).powi(2)).sum::<f64>();
        (squares / got.len() as f64).sqrt() / 255.0
    };
    // Standard deviations 0.04 and 0.08, the second within clipping.
    assert!((change(128, 300) - 0.04).abs() < 0.001, "{}", change(128, 300));
    assert!((change(129, 131) - 0.08).abs() < 0.002, "{}", change(129, 131));
    let image = picture(131, 137, 3);
    for corruption in all().filter(|corruption| corruption.severity() % 4 == 1) {
        let got = corruption.apply(&image, 131, 137, 3, ImageKey { seed: 0, index: 0 }).unwrap();
        assert_ne!(got, image, "{corruption}");
    }
}

#[test]
fn black_images_and_white_images_stay_finite() {
    for corruption in all() {
        for byte in [0, 255] {
            let image = vec![byte; 19 * 17 * 3];
            let got = corruption.apply(&image, 19, 17, 3, ImageKey { seed: 1, index: 1 }).unwrap();
            if byte == 0 && corruption.kind() == CorruptionKind::Fog {
                assert_eq!(got, image, "no range, so nothing of the cloud is seen");
            }
        }
    }
}

#[test]
fn saturation_leaves_gray_images_as_they_are() {
    let image = picture(9, 7, 1);
    for severity in 1..=5 {
        let corruption = Corruption::new(CorruptionKind::Saturate, severity).unwrap();
        assert_eq!(corruption.apply(&image, 9, 7, 1, ImageKey { seed: 0, index: 0 }).unwrap(), image);
    }
}

#[test]
fn names_are_read_back_and_a_near_miss_is_told() {
    assert_eq!((CorruptionKind::standard().len(), CorruptionKind::all().len()), (15, 19));
    for corruption in all() {
        let text = corruption.to_string();
        assert_eq!(text.parse::<Corruption>().unwrap(), corruption);
        let json = serde_json::to_string(&corruption).unwrap();
        assert_eq!(json, format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<Corruption>(&json).unwrap(), corruption);
        let kind = serde_json::to_string(&corruption.kind()).unwrap();
        assert_eq!(kind, format!("\"{}\"", corruption.kind()));
    }
    let refusal = |text: &str| text.parse::<Corruption>().unwrap_err().to_string();
    assert!(
        refusal("gausian_noise:2").contains("did you mean `gaussian_noise`?"),
        "{}",
        refusal("gausian_noise:2")
    );
    assert!(refusal("fog:6").contains("severity `6`, expected a whole number from 1 to 5"));
    assert!(refusal("fog:x").contains("severity `x`"));
    assert!(refusal("fog").contains("no colon"));
    assert!(serde_json::from_str::<Corruption>("\"fog:0\"").is_err());
}

#[test]
fn what_is_no_image_is_refused() {
    let fog = Corruption::new(CorruptionKind::Fog, 3).unwrap();
    let refusal = |got: usize, n, height, width, channels| {
        fog.apply_all(&vec![0; got], n, height, width, channels, 0).unwrap_err()
    };
    assert_eq!(refusal(24, 1, 3, 4, 2), CorruptError::Channels { got: 2 });
    assert_eq!(refusal(0, 1, 0, 4, 1), CorruptError::Size { height: 0, width: 4 });
    assert_eq!(refusal(65_536, 1, 1, 65_536, 1), CorruptError::Size { height: 1, width: 65_536 });
    let got = refusal(71, 2, 3, 4, 3);
    assert!(got.to_string().contains("71 bytes, expected 72: 2 image(s) of 3 x 4 x 3"), "{got}");
    assert!(fog.apply_all(&[], 0, 3, 4, 3, 0).unwrap().is_empty());
    assert!(matches!(Corruption::new(CorruptionKind::Fog, 0), Err(CorruptError::Severity { .. })));
}

#[test]
fn a_split_of_images_is_corrupted_row_by_row_and_other_rows_are_refused() {
    let (images, layout) = (picture(7, 5, 3), InputLayout::Image { height: 7, width: 5, channels: 3 });
    let bytes: Vec<u8> = images.iter().chain(&images).copied().collect();
    let values = bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect();
    let targets = Targets::Classes { labels: vec![1, 0].into(), n_classes: 2 };
    let split = Split::new(Array2::from_shape_vec((2, 105), values).unwrap(), targets).unwrap();
    let snow: Corruption = "snow:4".parse().unwrap();
    let got = corrupt_split(&split, layout, snow, 3).unwrap();
    assert_eq!(got.targets, split.targets);
    let expected = snow.apply_all(&bytes, 2, 7, 5, 3, 3).unwrap();
    let read: Vec<u8> = got.inputs.iter().map(|value| (value * 255.0).round() as u8).collect();
    assert_eq!(read, expected);

    let refusal = |split: &Split, layout| corrupt_split(split, layout, snow, 3).unwrap_err();
    let got = refusal(&split, InputLayout::Columns);
    assert_eq!(got.to_string(), "corruption `snow:4` needs images, but the inputs are plain columns");
    let wrong = InputLayout::Image { height: 7, width: 5, channels: 1 };
    assert!(matches!(refusal(&split, wrong), Error::Width { expected: 35, got: 105, .. }));
    let mut normalized = split.clone();
    normalized.inputs[[1, 4]] = -0.25;
    let got = refusal(&normalized, layout);
    assert!(matches!(got, Error::Corrupt(CorruptError::NotPixel { row: 1, column: 4, .. })), "{got}");
}
