//! Several samples of the same posterior, each from its own stream: in layers that draw them, and drawn at once.

use cubecl::client::Client;
use rank1_gpu::{
    Draw, DrawShape, DrawnFactor, DrawnLayer, Error, FactorSource, LinearShape, NoiseKind,
    ParameterGradients, Parts, launch, transfer,
};

use super::drawn_cases::{Case, Kind};
use super::gradients::assert_parameters_close;
use super::linear;
use super::oracle;
use super::{assert_close, draw, forms, parameters, samples_of, shape, waves};

/// Two members of three samples: all of them a part, the members of a sample and a half, each member, and parts of a member.
pub(crate) fn layers_of_several_samples_equal_the_host(client: &Client) {
    let long = |batch_size| linear::shape(6, batch_size, 7, 11);
    for kind in Kind::all() {
        Case::sampled(kind, long(5), 3).check(client, Parts::Auto);
        Case::sampled(kind, long(64), 3).check(client, Parts::Rows(192));
    }
    for (shape, rows) in [(long(64), 64), (long(64), 128), (long(128), 64), (long(1), 1)] {
        Case::sampled(Kind::full(), shape, 3).check(client, Parts::Rows(rows));
    }
    // As many samples as members: one member each.
    Case::sampled(Kind::full(), linear::shape(5, 3, 7, 11), 5).check(client, Parts::Auto);
}

pub(crate) fn samples_drawn_at_once_equal_the_host_with_their_gradients(client: &Client) {
    for draw in forms(NoiseKind::Normal) {
        for (n_samples, axes) in [(3, (2, 5, 7)), (3, (2, 1, 7)), (5, (1, 1, 1)), (1, (3, 5, 7))] {
            check_samples(client, draw, n_samples, shape(axes));
        }
    }
    // More examples than one unit sums.
    check_samples(client, draw(NoiseKind::Normal, None), 2, shape((17, 67, 13)));
}

fn check_samples(client: &Client, draw: Draw, n_samples: usize, shape: DrawShape) {
    let draws = samples_of(draw, n_samples);
    let (location, scale) = parameters(shape);
    let d_factors = waves(n_samples * shape.n_members * shape.n_examples * shape.width);
    let zeros = vec![0.0; location.len()];
    let mut sums = ParameterGradients { d_location: zeros.clone(), d_scale: zeros };
    let mut factors = vec![];
    for (draw, d_factors) in draws.iter().zip(d_factors.chunks(d_factors.len() / n_samples)) {
        factors.extend(oracle::draw_factors(draw, shape, &location, &scale));
        let got = oracle::draw_factors_backward(draw, shape, &location, &scale, d_factors);
        sums.d_location.iter_mut().zip(got.d_location).for_each(|(sum, of)| *sum += of);
        sums.d_scale.iter_mut().zip(got.d_scale).for_each(|(sum, of)| *sum += of);
    }
    let [location, scale, d_factors] =
        [&location, &scale, &d_factors].map(|values| transfer::upload(client, "values", values).unwrap());
    let got = launch::draw_samples(client, &draws, shape, &location, &scale).unwrap();
    let what = format!("{n_samples} {draw:?} {shape:?}");
    assert_close(&transfer::download(client, &got).unwrap(), &factors, &what);
    let backward =
        || launch::draw_samples_backward(client, &draws, shape, &location, &scale, &d_factors).unwrap();
    let got = backward();
    assert_parameters_close(client, &got, &sums, &what);
    let bits = |of: &ParameterGradients<_>| {
        let both = [&of.d_location, &of.d_scale].map(|of| transfer::download(client, of).unwrap());
        both.concat().iter().map(|v| v.to_bits()).collect::<Vec<_>>()
    };
    assert_eq!(bits(&got), bits(&backward()), "two runs agree, {what}");
}

pub(crate) fn samples_that_do_not_fit_are_refused_by_name(client: &Client) {
    let shape = shape((2, 5, 7));
    let draw = draw(NoiseKind::Normal, None);
    let draws = samples_of(draw, 3);
    let upload = |n: usize| transfer::upload(client, "values", &vec![1.0; n]).unwrap();
    let (right, wrong) = (upload(14), upload(15));
    let got = launch::draw_samples(client, &[], shape, &right, &right);
    assert!(matches!(got, Err(Error::Empty { axis: "draws", .. })), "{got:?}");
    let got = launch::draw_samples(client, &draws, shape, &right, &wrong);
    assert!(matches!(got, Err(Error::ShapeMismatch { argument: "scale", got: 15, .. })), "{got:?}");
    let got = launch::draw_samples_backward(client, &draws, shape, &right, &right, &upload(70));
    assert!(matches!(got, Err(Error::ShapeMismatch { argument: "d_factors", got: 70, .. })), "{got:?}");
    let many = DrawShape { n_members: 1 << 30, n_examples: 1, width: 1 };
    let got = launch::draw_samples(client, &draws, many, &right, &right);
    assert!(matches!(got, Err(Error::OverLimit { .. })), "{got:?}");

    let case = Case::sampled(Kind::full(), linear::shape(6, 5, 7, 11), 3);
    let refused = |shape: LinearShape, n_draws: usize, expected: fn(&Error) -> bool| {
        case.with(client, |layer, x, grad_y| {
            let Some(FactorSource::Drawn(factor)) = layer.output_factor else {
                unreachable!("both factors are drawn")
            };
            let draws = samples_of(draw, n_draws);
            let output_factor = Some(FactorSource::Drawn(DrawnFactor { draws: &draws, ..factor }));
            let layer = DrawnLayer { output_factor, ..*layer };
            let got = launch::drawn_linear(client, Parts::Auto, shape, &layer, x).unwrap_err();
            assert!(expected(&got), "{got:?}");
            let backward = launch::drawn_linear_backward;
            let got = backward(client, Parts::Auto, shape, &layer, x, grad_y, grad_y).unwrap_err();
            assert!(expected(&got), "{got:?}");
        });
    };
    refused(case.shape, 0, |error| matches!(error, Error::Empty { axis: "draws", .. }));
    refused(case.shape, 4, |error| matches!(error, Error::SampleMismatch { n_members: 6, n_samples: 4, .. }));
    refused(
        case.shape,
        2,
        |error| matches!(error, Error::ShapeMismatch { argument: "output_location", expected, .. } if *expected == [3, 11]),
    );
}
