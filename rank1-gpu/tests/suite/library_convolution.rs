//! The perturbed convolution on cubek-matmul, in every precision and on every engine that the device has.

use cubecl::client::Client;
use rank1_gpu::{
    Activation, Arithmetic, ConvShape, Engine, Error, FactorRows, Pads, Perturbation, Precision, launch,
    transfer,
};

use super::convolution::{NO_PADS, SMALL, in_len, numbers, out_len};
use super::layers::{Numbers, Variant, download_grads_in, values};
use super::library::{Depths, Tolerance, arithmetics, is_half, round};
use super::oracle;
use super::{assert_close, skip};

/// Channels in whole vectors of 4 and 8, so that several entries are gathered at once; steps that skip pixels.
const WIDE: ConvShape = ConvShape {
    n_members: 3,
    batch_size: 2,
    height: 7,
    width: 9,
    c_in: 8,
    c_out: 24,
    kernel: (3, 3),
    stride: (2, 1),
    dilation: (1, 2),
    pads: Pads { top: 1, bottom: 1, left: 2, right: 2 },
};

/// Axes of one, windows in nothing but padding, and steps over more than a window.
const SHAPES: [ConvShape; 5] = [
    ConvShape { n_members: 17, batch_size: 1, height: 3, width: 3, ..SMALL },
    ConvShape { c_in: 1, c_out: 1, ..SMALL },
    ConvShape { kernel: (1, 1), pads: NO_PADS, ..SMALL },
    ConvShape { stride: (3, 5), kernel: (2, 2), ..SMALL },
    ConvShape { stride: (1, 2), pads: Pads { top: 5, bottom: 0, left: 4, right: 3 }, ..SMALL },
];

/// Both passes, with the weight, the inputs and the gradients that the device stores.
fn check(client: &Client, arithmetic: Arithmetic, variant: &Variant, shape: ConvShape) {
    let precision = arithmetic.precision;
    let exact = numbers(variant, shape);
    let numbers = Numbers { weight: round(&exact.weight, precision), ..exact };
    let x = round(&values(in_len(shape), 0.3), precision);
    let grad_y = round(&values(out_len(shape), 0.7), precision);
    let layer = variant.host(&numbers);
    let expected = oracle::perturbed_convolution(shape, &layer, &x);
    let expected_grads = oracle::perturbed_convolution_backward(shape, &layer, &x, &grad_y);
    let x = transfer::upload_as(client, "x", &x, precision).unwrap();
    let grad_y = transfer::upload_as(client, "grad_y", &grad_y, precision).unwrap();
    let (y, grads) = variant.on_device_in(client, precision, &numbers, |layer| {
        let y = launch::perturbed_convolution_in(client, arithmetic, shape, layer, &x).unwrap();
        let grads =
            launch::perturbed_convolution_backward_in(client, arithmetic, shape, layer, &x, &y, &grad_y);
        (y, grads.unwrap())
    });
    let what = format!("{arithmetic:?} {variant:?} {shape:?}");
    let tolerance = Tolerance::new(arithmetic, variant);
    let ConvShape { n_members, batch_size, c_in, c_out, kernel, height, width, .. } = shape;
    let (taps, (out_height, out_width)) = (kernel.0 * kernel.1, shape.out_size());
    let got = transfer::download_as(client, &y, precision).unwrap();
    tolerance.check(&got, &expected, taps * c_in, true, &what);
    let depths = Depths {
        x: taps * c_out,
        weight: n_members * batch_size * out_height * out_width,
        input_factor: taps * c_out * batch_size * height * width,
        output_factor: taps * c_in * batch_size * out_height * out_width,
    };
    let got = download_grads_in(client, precision, &grads);
    tolerance.check_grads(&got, &expected_grads, depths, &what);
}

/// Few shapes and kinds of layer: a software adapter compiles each of these kernels for seconds.
pub(crate) fn library_convolutions_and_gradients_equal_the_host(client: &Client) {
    for shape in [SMALL, WIDE] {
        for arithmetic in arithmetics(|it| launch::convolution_engine(client, it, shape)) {
            // Odd channels in one precision and whole vectors in the other, unless the device is fast to compile.
            let is_card = client.properties().identity.physical.is_some();
            if is_card || is_half(arithmetic.precision) == (shape == WIDE) {
                let variant = Variant { input_factor: Some(FactorRows::PerMember), ..Variant::FULL };
                check(client, arithmetic, &variant, shape);
            }
        }
    }
}

pub(crate) fn library_convolutions_whose_factors_add_equal_the_host(client: &Client) {
    let variant = Variant {
        perturbation: Perturbation::Additive,
        activation: Activation::Tanh,
        output_factor: Some(FactorRows::PerMember),
        ..Variant::FULL
    };
    for arithmetic in arithmetics(|it| launch::convolution_engine(client, it, WIDE)) {
        // The slope of a tanh comes from outputs that a half rounds: the bound would have to know each of them.
        if !is_half(arithmetic.precision) {
            check(client, arithmetic, &variant, WIDE);
        }
    }
}

pub(crate) fn library_convolutions_equal_the_host_at_every_shape(client: &Client) {
    let arithmetic = Arithmetic { precision: Precision::F32, engine: Some(Engine::Units) };
    let variant = Variant { activation: Activation::Identity, ..Variant::FULL };
    for shape in SHAPES {
        check(client, arithmetic, &variant, shape);
    }
}

/// A sum over positions that is cut into parts, the last of them short, too large for the host's loops: the tiles, tested
/// elsewhere, are the reference.
pub(crate) fn weight_gradients_in_parts_equal_those_of_the_tiles(client: &Client) {
    let pads = Pads { top: 1, bottom: 1, left: 1, right: 1 };
    let (kernel, c_in, c_out) = ((3, 3), 20, 20);
    let shape =
        ConvShape { n_members: 1, batch_size: 11, height: 17, width: 13, c_in, c_out, kernel, pads, ..SMALL };
    let variant = Variant { activation: Activation::Identity, ..Variant::FULL };
    let numbers = numbers(&variant, shape);
    let x = transfer::upload(client, "x", &values(in_len(shape), 0.3)).unwrap();
    let grad_y = transfer::upload(client, "grad_y", &values(out_len(shape), 0.7)).unwrap();
    let weight = |engine| {
        let arithmetic = Arithmetic { precision: Precision::F32, engine: Some(engine) };
        let grads = variant.on_device(client, &numbers, |layer| {
            launch::perturbed_convolution_backward_in(client, arithmetic, shape, layer, &x, &grad_y, &grad_y)
        });
        transfer::download(client, &grads.unwrap().weight).unwrap()
    };
    let tiles: Vec<f64> = weight(Engine::Tiles).into_iter().map(f64::from).collect();
    assert!(tiles.iter().any(|value| value.abs() > 1.0));
    let units = weight(Engine::Units);
    assert_close(&units, &tiles, "units against tiles");
    assert_eq!(units, weight(Engine::Units), "two runs agree to the bit");
}

pub(crate) fn nan_pixels_stay_under_their_windows_on_the_library(client: &Client) {
    let arithmetic = Arithmetic { precision: Precision::F16, engine: Some(Engine::Units) };
    if let Err(missing) = launch::convolution_engine(client, arithmetic, WIDE) {
        return skip(missing);
    }
    let variant = Variant { input_factor: Some(FactorRows::PerMember), ..Variant::FULL };
    let numbers = numbers(&variant, WIDE);
    let mut x = values(in_len(WIDE), 0.3);
    // Channel 5 of pixel (3, 2) of image 4, seen by rows 1 and 2 and, two columns apart, by columns 0, 2 and 4.
    x[((4 * 7 + 3) * 9 + 2) * 8 + 5] = f32::NAN;
    let x = transfer::upload_as(client, "x", &x, Precision::F16).unwrap();
    let y = variant.on_device_in(client, Precision::F16, &numbers, |layer| {
        launch::perturbed_convolution_in(client, arithmetic, WIDE, layer, &x).unwrap()
    });
    let (out_height, out_width) = WIDE.out_size();
    let y = transfer::download_as(client, &y, Precision::F16).unwrap();
    for (position, y) in y.chunks(WIDE.c_out).enumerate() {
        let (image, row, column) =
            (position / (out_height * out_width), position / out_width % out_height, position % out_width);
        let seen = image == 4 && [1, 2].contains(&row) && [0, 2, 4].contains(&column);
        assert!(y.iter().all(|y| y.is_nan() == seen), "{position}: {y:?}");
    }
}

pub(crate) fn convolutions_of_another_precision_are_refused_by_name(client: &Client) {
    let arithmetic = Arithmetic { precision: Precision::F16, engine: Some(Engine::Units) };
    if let Err(missing) = launch::convolution_engine(client, arithmetic, SMALL) {
        return skip(missing);
    }
    let variant = Variant::FULL;
    let numbers = numbers(&variant, SMALL);
    let full = transfer::upload(client, "x", &vec![1.0; in_len(SMALL)]).unwrap();
    let got = variant.on_device_in(client, Precision::F16, &numbers, |layer| {
        launch::perturbed_convolution_in(client, arithmetic, SMALL, layer, &full)
    });
    assert!(matches!(got, Err(Error::ShapeMismatch { argument: "x", .. })), "{got:?}");
    let tiles = Arithmetic { engine: Some(Engine::Tiles), ..arithmetic };
    let got = launch::convolution_engine(client, tiles, SMALL);
    assert!(matches!(got, Err(Error::Undefined { .. })), "{got:?}");
}
