//! The fused perturbed convolution and its backward pass against the host's loops.

use cubecl::client::Client;
use rank1_gpu::{ConvShape, Error, FactorRows, LayerGrads, Pads, launch, transfer};

use super::assert_close;
use super::layers::{Lengths, Numbers, Variant, assert_grads_close, download_grads, values};
use super::oracle;

pub(crate) const SMALL: ConvShape = ConvShape {
    n_members: 2,
    batch_size: 3,
    height: 5,
    width: 7,
    c_in: 3,
    c_out: 5,
    kernel: (3, 2),
    stride: (1, 1),
    dilation: (1, 1),
    pads: Pads { top: 1, bottom: 1, left: 0, right: 1 },
};

pub(crate) const NO_PADS: Pads = Pads { top: 0, bottom: 0, left: 0, right: 0 };

/// Odd sizes with each axis at 1, strides that divide nothing or skip pixels, dilations, windows in nothing but padding,
/// and sums over more than one part and chunk.
const SHAPES: [ConvShape; 12] = [
    SMALL,
    ConvShape { n_members: 1, ..SMALL },
    ConvShape { n_members: 17, batch_size: 1, height: 3, width: 3, ..SMALL },
    ConvShape { height: 1, ..SMALL },
    ConvShape { c_in: 1, c_out: 1, ..SMALL },
    ConvShape { kernel: (1, 1), pads: NO_PADS, ..SMALL },
    ConvShape { kernel: (5, 7), pads: NO_PADS, ..SMALL },
    ConvShape { stride: (2, 3), dilation: (2, 1), ..SMALL },
    ConvShape { stride: (3, 5), kernel: (2, 2), ..SMALL },
    ConvShape { stride: (1, 2), pads: Pads { top: 5, bottom: 0, left: 4, right: 3 }, ..SMALL },
    ConvShape { height: 9, width: 11, c_in: 5, c_out: 17, kernel: (3, 3), ..SMALL },
    ConvShape { n_members: 1, batch_size: 5, height: 23, width: 11, ..SMALL },
];

pub(crate) fn numbers(variant: &Variant, shape: ConvShape) -> Numbers {
    let ConvShape { n_members, batch_size, c_in, c_out, kernel, .. } = shape;
    let weight = kernel.0 * kernel.1 * c_in * c_out;
    variant.numbers(Lengths { n_members, batch_size, c_in, c_out, weight })
}

pub(crate) fn in_len(shape: ConvShape) -> usize {
    shape.n_members * shape.batch_size * shape.height * shape.width * shape.c_in
}

pub(crate) fn out_len(shape: ConvShape) -> usize {
    let (height, width) = shape.out_size();
    shape.n_members * shape.batch_size * height * width * shape.c_out
}

fn device(
    client: &Client,
    variant: &Variant,
    numbers: &Numbers,
    shape: ConvShape,
    x: &[f32],
    grad_y: &[f32],
) -> (Vec<f32>, LayerGrads<Vec<f32>>) {
    let x = transfer::upload(client, "x", x).unwrap();
    let grad_y = transfer::upload(client, "grad_y", grad_y).unwrap();
    let (y, grads) = variant.on_device(client, numbers, |layer| {
        let y = launch::perturbed_convolution(client, shape, layer, &x).unwrap();
        let grads = launch::perturbed_convolution_backward(client, shape, layer, &x, &y, &grad_y).unwrap();
        (y, grads)
    });
    (transfer::download(client, &y).unwrap(), download_grads(client, &grads))
}

fn check(client: &Client, variant: &Variant, shape: ConvShape) {
    let numbers = numbers(variant, shape);
    let (x, grad_y) = (values(in_len(shape), 0.3), values(out_len(shape), 0.7));
    let layer = variant.host(&numbers);
    let (y, grads) = device(client, variant, &numbers, shape, &x, &grad_y);
    let what = format!("{variant:?} {shape:?}");
    assert_close(&y, &oracle::perturbed_convolution(shape, &layer, &x), &what);
    let expected = oracle::perturbed_convolution_backward(shape, &layer, &x, &grad_y);
    assert_grads_close(&grads, &expected, &what);
}

pub(crate) fn convolutions_equal_the_host_for_every_kind_of_layer(client: &Client) {
    // What convolutions do not share with linear maps: both perturbations of pixels, and gradients with and without an
    // activation and a factor.
    let all = Variant::all();
    for variant in [all[0], all[2], all[4], all[6]] {
        check(client, &variant, SMALL);
    }
}

pub(crate) fn convolutions_equal_the_host_at_every_shape(client: &Client) {
    let variant = Variant { input_factor: Some(FactorRows::PerMember), ..Variant::FULL };
    for shape in SHAPES {
        check(client, &variant, shape);
    }
}

pub(crate) fn nan_pixels_reach_the_outputs_that_see_them_alone(client: &Client) {
    let variant = Variant { input_factor: Some(FactorRows::PerMember), ..Variant::FULL };
    let shape = ConvShape { kernel: (2, 2), stride: (2, 2), pads: NO_PADS, ..SMALL };
    let mut x = values(in_len(shape), 0.3);
    // Pixel (1, 3) of image 1; windows do not overlap, so (0, 1) alone sees it.
    x[((5 + 1) * 7 + 3) * 3 + 2] = f32::NAN;
    let numbers = numbers(&variant, shape);
    let (y, grads) = device(client, &variant, &numbers, shape, &x, &values(out_len(shape), 0.7));
    for (position, y) in y.chunks(5).enumerate() {
        assert!(y.iter().all(|y| y.is_nan() == (position == 2 * 3 + 1)), "{position}: {y:?}");
    }
    for (position, grad) in grads.x.chunks(3).enumerate() {
        let (image, y, x) = (position / 35, position / 7 % 5, position % 7);
        let seen = image == 1 && y < 2 && matches!(x, 2 | 3);
        assert!(grad.iter().all(|grad| grad.is_nan() == seen), "{position}: {grad:?}");
    }
}

pub(crate) fn convolution_arguments_that_do_not_fit_are_refused_by_name(client: &Client) {
    let right = numbers(&Variant::FULL, SMALL);
    let upload = |n: usize| transfer::upload(client, "values", &vec![1.0; n]).unwrap();
    let (x, y) = (upload(in_len(SMALL)), upload(out_len(SMALL)));
    let refused = |numbers: &Numbers, name: &str| {
        Variant::FULL.on_device(client, numbers, |layer| {
            let forward = launch::perturbed_convolution(client, SMALL, layer, &x);
            assert!(
                matches!(forward, Err(Error::ShapeMismatch { argument, .. }) if argument == name),
                "{name}: {forward:?}"
            );
        });
    };
    refused(&Numbers { weight: vec![1.0; 89], ..right.clone() }, "weight");
    refused(&Numbers { input_factor: vec![1.0; 6], ..right.clone() }, "input_factor");
    refused(&Numbers { output_factor: vec![1.0; 10], ..right.clone() }, "output_factor");
    refused(&Numbers { bias: vec![1.0; 5], ..right.clone() }, "bias");
    Variant::FULL.on_device(client, &right, |layer| {
        let got = launch::perturbed_convolution(client, SMALL, layer, &y);
        assert!(matches!(got, Err(Error::ShapeMismatch { argument: "x", .. })), "{got:?}");
        let got = launch::perturbed_convolution_backward(client, SMALL, layer, &x, &x, &y);
        assert!(matches!(got, Err(Error::ShapeMismatch { argument: "y", .. })), "{got:?}");
        let got = launch::perturbed_convolution_backward(client, SMALL, layer, &x, &y, &x);
        assert!(matches!(got, Err(Error::ShapeMismatch { argument: "grad_y", .. })), "{got:?}");
        for (bad, name) in [
            (ConvShape { width: 0, ..SMALL }, "width"),
            (ConvShape { stride: (0, 1), ..SMALL }, "vertical stride"),
            (ConvShape { kernel: (8, 2), ..SMALL }, "out_height"),
        ] {
            let got = launch::perturbed_convolution(client, bad, layer, &x);
            assert!(matches!(got, Err(Error::Empty { axis, .. }) if axis == name), "{got:?}");
        }
    });
}
