//! Draw-and-scale of images and its gradients on a device against the host, in both orders of axes.

use cubecl::client::Client;
use rank1_gpu::{
    Draw, DrawShape, Error, ImageLayout, ImageShape, NoiseKind, Precision, host, launch, transfer,
};

use super::gradients::assert_parameters_close;
use super::halves::{assert_stored, halves};
use super::library::round;
use super::{draw, forms, parameters, shape, waves};

const LAYOUTS: [ImageLayout; 2] = [ImageLayout::ChannelsFirst, ImageLayout::ChannelsLast];
/// Members, images, channels, height and width: primes, each axis at 1, and planes above what one unit takes.
const IMAGES: [[usize; 5]; 9] = [
    [3, 5, 7, 3, 2],
    [1, 5, 7, 3, 2],
    [3, 1, 7, 3, 2],
    [3, 5, 1, 3, 2],
    [3, 5, 7, 1, 1],
    [1, 1, 1, 1, 1],
    [17, 2, 5, 1, 3],
    [2, 3, 4, 7, 11],
    [2, 19, 3, 5, 5],
];

fn check(client: &Client, precision: Precision, draw: &Draw, shape: DrawShape, images: ImageShape) {
    let (location, scale) = parameters(shape);
    let n = shape.n_members * images.batch_size * shape.width * images.height * images.width;
    let (x, d_out) = (round(&waves(n), precision), round(&waves(n + 1).split_off(1), precision));
    let what = format!("{precision:?} {draw:?} {shape:?} {images:?}");
    let forward = host::scale_images_by_draw(draw, shape, images, &x, &location, &scale).unwrap();
    let backward =
        host::scale_images_by_draw_backward(draw, shape, images, &x, &location, &scale, &d_out).unwrap();
    let [x, d_out] =
        [x, d_out].map(|values| transfer::upload_as(client, "test", &values, precision).unwrap());
    let [location, scale] =
        [location, scale].map(|values| transfer::upload(client, "test", &values).unwrap());
    let out = launch::scale_images_by_draw_in(client, precision, draw, shape, images, &x, &location, &scale)
        .unwrap();
    let out = transfer::download_as(client, &out, precision).unwrap();
    assert_stored(&out, &forward, precision, 1.0, &what);
    let got = launch::scale_images_by_draw_backward_in(
        client, precision, draw, shape, images, &x, &location, &scale, &d_out,
    )
    .unwrap();
    let d_x = transfer::download_as(client, &got.d_x, precision).unwrap();
    assert_stored(&d_x, &backward.d_x, precision, 1.0, &format!("d_x, {what}"));
    assert_parameters_close(client, &got.parameters, &backward.parameters, &what);
}

pub(crate) fn scaled_images_and_their_gradients_equal_the_host(client: &Client) {
    check_images(client, Precision::F32);
}

pub(crate) fn scaled_images_of_halves_and_their_gradients_equal_the_host(client: &Client) {
    for precision in halves(client) {
        check_images(client, precision);
        check_forms(client, precision);
    }
}

fn check_images(client: &Client, precision: Precision) {
    for [n_members, batch_size, channels, height, width] in IMAGES {
        for layout in LAYOUTS {
            let images = ImageShape { batch_size, height, width, layout };
            let own = shape((n_members, batch_size, channels));
            check(client, precision, &draw(NoiseKind::Normal, None), own, images);
            let shared = DrawShape { n_examples: 1, ..own };
            check(client, precision, &draw(NoiseKind::Normal, None), shared, images);
        }
    }
}

pub(crate) fn images_scaled_by_every_form_of_draw_equal_the_host(client: &Client) {
    check_forms(client, Precision::F32);
}

fn check_forms(client: &Client, precision: Precision) {
    for draw in forms(NoiseKind::Normal) {
        for layout in LAYOUTS {
            let images = ImageShape { batch_size: 3, height: 5, width: 3, layout };
            check(client, precision, &draw, shape((2, 3, 5)), images);
        }
    }
}

pub(crate) fn images_that_do_not_fit_are_refused(client: &Client) {
    let (shape, draw) = (shape((2, 3, 5)), draw(NoiseKind::Normal, None));
    let images = ImageShape { batch_size: 3, height: 7, width: 2, layout: ImageLayout::ChannelsFirst };
    let [right, x, wrong] = [10, 420, 419].map(|n| transfer::upload(client, "test", &vec![1.0; n]).unwrap());
    let scaled = |images, x| launch::scale_images_by_draw(client, &draw, shape, images, x, &right, &right);
    assert!(scaled(images, &x).is_ok());
    match scaled(images, &wrong) {
        Err(Error::ShapeMismatch { argument: "x", expected, got: 419, .. }) => {
            assert_eq!(expected, [6, 5, 7, 2]);
        }
        other => panic!("{other:?}"),
    }
    match scaled(ImageShape { layout: ImageLayout::ChannelsLast, ..images }, &wrong) {
        Err(Error::ShapeMismatch { argument: "x", expected, .. }) => assert_eq!(expected, [6, 7, 2, 5]),
        other => panic!("{other:?}"),
    }
    let got = scaled(ImageShape { height: 0, ..images }, &x);
    assert!(matches!(got, Err(Error::Empty { axis: "height", .. })), "{got:?}");
    let got = scaled(ImageShape { batch_size: 6, ..images }, &x);
    assert!(matches!(got, Err(Error::BatchMismatch { n_examples: 3, batch_size: 6, .. })), "{got:?}");
    let got = scaled(ImageShape { width: usize::MAX, ..images }, &x);
    assert!(matches!(got, Err(Error::OverLimit { .. })), "{got:?}");
    let got = launch::scale_images_by_draw_backward(client, &draw, shape, images, &x, &right, &right, &wrong);
    assert!(matches!(got, Err(Error::ShapeMismatch { argument: "d_out", got: 419, .. })), "{got:?}");
}
