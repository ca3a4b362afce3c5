//! Linear layers that draw their factors, whole and in parts, against the host's draws and loops.

use cubecl::client::Client;
use rank1_gpu::{
    Activation, Draw, DrawShape, Engine, Error, FactorRows, LinearShape, NoiseKind, Parts, Precision, launch,
    transfer,
};

use super::drawn_cases::{Case, Kind, Numbers, Source};
use super::linear::{SMALL, n_rows, shape};
use super::{assert_close, forms, skip};

use FactorRows::{PerExample, PerMember};

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

/// Three members of 64 examples: rows of 7 and 11 floats begin at multiples of 256 bytes there, so that each can be a part.
const CUT: LinearShape = shape(3, 64, 7, 11);

pub(crate) fn drawn_layers_equal_the_host_for_every_kind_of_layer(client: &Client) {
    for kind in Kind::all() {
        Case::new(kind, SMALL).check(client, Parts::Auto);
        Case::new(kind, CUT).check(client, Parts::Rows(64));
    }
}

/// Odd primes and axes at 1, several members to a part and several parts to a member, with rows behind the last boundary.
pub(crate) fn drawn_layers_equal_the_host_at_every_shape(client: &Client) {
    for (shape, parts) in [
        (shape(1, 1, 1, 1), Parts::Auto),
        (shape(3, 1, 7, 11), Parts::Rows(1)),
        (shape(17, 1, 13, 19), Parts::Auto),
        (shape(17, 5, 13, 19), Parts::Rows(1)),
        (shape(17, 64, 7, 3), Parts::Rows(128)),
        (shape(131, 1, 5, 7), Parts::Rows(1)),
        (shape(1, 523, 13, 5), Parts::Rows(64)),
        (shape(2, 128, 19, 23), Parts::Rows(1)),
        (shape(5, 7, 64, 128), Parts::Rows(14)),
    ] {
        Case::new(Kind::full(), shape).check(client, parts);
    }
}

/// Inputs and outputs of rows of 256 bytes, which every device takes as a part.
pub(crate) fn parts_change_sums_by_rounding_and_nothing_else(client: &Client) {
    let given = Source::Given(PerExample);
    for (kind, shape) in [
        (Kind::full(), shape(2, 67, 128, 128)),
        (Kind { input: given, ..Kind::full() }, shape(1, 131, 128, 128)),
    ] {
        let case = Case::new(kind, shape);
        let (whole_y, whole) = case.on_device(client, Parts::Rows(n_rows(shape)));
        let (y, parts) = case.on_device(client, Parts::Rows(16));
        assert_eq!(bits(&y), bits(&whole_y));
        assert_eq!(bits(&parts.x), bits(&whole.x));
        assert_eq!(parts.bias.as_deref().map(bits), whole.bias.as_deref().map(bits));
        if let Source::Given(_) = kind.input {
            assert_eq!(bits(&parts.input[0]), bits(&whole.input[0]));
        }
        parts.assert_close(&whole.widened(), "parts");
        // Otherwise there was one part, and nothing was tested.
        assert_ne!(bits(&parts.weight), bits(&whole.weight));
        let again = case.on_device(client, Parts::Rows(16));
        assert_eq!(again.1.bits(), parts.bits(), "two runs agree");
    }
}

/// Large enough for the library by the part: whole and in four parts there, and in small parts on our own tiles.
pub(crate) fn parts_on_the_library_agree_with_parts_on_our_tiles(client: &Client) {
    let kind = Kind { activation: Activation::Identity, ..Kind::full() };
    let mut case = Case::new(kind, shape(2, 256, 448, 448));
    // Sums over 512 rows of numbers as large as those of the other claims.
    case.grad_y.iter_mut().for_each(|grad| *grad *= 0.1);
    case.weight.iter_mut().for_each(|weight| *weight *= 0.1);
    let engine = |rows| launch::engine(client, Precision::F32, shape(1, rows, 448, 448)).unwrap();
    if client.properties().hardware.num_streaming_multiprocessors.is_some() && engine(128) == Engine::Tiles {
        return skip("the device has more multiprocessors than the library has tiles in these parts");
    }
    assert_eq!([64, 128].map(engine), [Engine::Tiles, Engine::Units]);
    let (tiles_y, tiles) = case.on_device(client, Parts::Rows(64));
    let (tiles_y, tiles) = (tiles_y.iter().map(|y| f64::from(*y)).collect::<Vec<_>>(), tiles.widened());
    for parts in [Parts::Rows(512), Parts::Rows(128)] {
        let (y, grads) = case.on_device(client, parts);
        assert_close(&y, &tiles_y, &format!("{parts:?}"));
        grads.assert_close(&tiles, &format!("{parts:?}"));
    }
}

/// A draw of some members and examples has the entries that they have in the draw of all.
pub(crate) fn some_members_and_examples_draw_what_they_have_in_the_whole(client: &Client) {
    let whole = DrawShape { n_members: 5, n_examples: 7, width: 11 };
    for draw in forms(NoiseKind::Normal) {
        let (location, scale) = super::parameters(whole);
        let run = |draw: Draw, shape: DrawShape, members: std::ops::Range<usize>| {
            let [location, scale] = [&location, &scale].map(|of| {
                let of = &of[members.start * whole.width..members.end * whole.width];
                transfer::upload(client, "values", of).unwrap()
            });
            let factors = launch::draw_factors(client, &draw, shape, &location, &scale).unwrap();
            transfer::download(client, &factors).unwrap()
        };
        let all = run(draw, whole, 0..5);
        for (members, examples) in [(2..5, 0..7), (1..2, 3..7), (4..5, 6..7)] {
            let part = Draw {
                first_member: draw.first_member + members.start as u32,
                first_example: draw.first_example + examples.start as u32,
                ..draw
            };
            let shape = DrawShape { n_members: members.len(), n_examples: examples.len(), ..whole };
            let got = run(part, shape, members.clone());
            let row = |k: usize, e: usize| {
                let at = (k * whole.n_examples + e) * whole.width;
                bits(&all[at..at + whole.width])
            };
            let expected: Vec<u32> = members
                .clone()
                .flat_map(|k| examples.clone().flat_map(move |e| [(k, e)]))
                .flat_map(|(k, e)| row(k, e))
                .collect();
            assert_eq!(bits(&got), expected, "{draw:?} {members:?} {examples:?}");
        }
    }
}

pub(crate) fn nan_in_a_drawn_layer_stays_where_it_reaches(client: &Client) {
    let mut case = Case::new(Kind { activation: Activation::Identity, ..Kind::full() }, CUT);
    case.x[70 * CUT.d_in + 3] = f32::NAN;
    // The location of member 2 in entry 4.
    case.input.0[0][2 * CUT.d_in + 4] = f32::NAN;
    for parts in [Parts::Rows(64), Parts::Rows(n_rows(CUT))] {
        let (y, grads) = case.on_device(client, parts);
        for (row, y) in y.chunks(CUT.d_out).enumerate() {
            assert!(y.iter().all(|y| y.is_nan() == (row == 70 || row >= 128)), "{parts:?} {row}: {y:?}");
        }
        for (row, grad) in grads.x.chunks(CUT.d_in).enumerate() {
            let expected: Vec<bool> = (0..7).map(|i| row >= 128 && i == 4).collect();
            assert_eq!(grad.iter().map(|g| g.is_nan()).collect::<Vec<_>>(), expected, "{parts:?} {row}");
        }
        for (at, grad) in grads.weight.iter().enumerate() {
            assert_eq!(grad.is_nan(), [3, 4].contains(&(at / CUT.d_out)), "{parts:?} {at}");
        }
        // Member 1 has the NaN of its input; a factor that is no number passes nothing on through a clip.
        let nan = |values: &[f32]| -> Vec<usize> {
            values.iter().enumerate().filter(|(_, v)| v.is_nan()).map(|(at, _)| at).collect()
        };
        assert_eq!(nan(&grads.input[1]), [7 + 3], "{parts:?}");
        assert_eq!(nan(&grads.output[1]), (11..33).collect::<Vec<_>>(), "{parts:?}");
        assert!(nan(grads.bias.as_ref().unwrap()).is_empty());
    }
}

pub(crate) fn drawn_arguments_that_do_not_fit_are_refused_by_name(client: &Client) {
    let right = Case::new(Kind::full(), SMALL);
    let given = Case::new(
        Kind { input: Source::Given(PerMember), output: Source::Given(PerExample), ..Kind::full() },
        SMALL,
    );
    let shorter = |values: &Vec<f32>| values[1..].to_vec();
    let refused = |case: Case, name: &str| {
        case.with(client, |layer, x, grad_y| {
            let forward = launch::drawn_linear(client, Parts::Auto, SMALL, layer, x);
            assert!(
                matches!(forward, Err(Error::ShapeMismatch { argument, .. }) if argument == name),
                "{name}: {forward:?}"
            );
            let backward =
                launch::drawn_linear_backward(client, Parts::Auto, SMALL, layer, x, grad_y, grad_y);
            assert!(
                matches!(backward, Err(Error::ShapeMismatch { argument, .. }) if argument == name),
                "{name}: {backward:?}"
            );
        });
    };
    refused(Case { x: shorter(&right.x), ..right.clone() }, "x");
    refused(Case { weight: shorter(&right.weight), ..right.clone() }, "weight");
    refused(Case { bias: shorter(&right.bias), ..right.clone() }, "bias");
    for (at, names) in
        [["input_location", "output_location"], ["input_scale", "output_scale"]].iter().enumerate()
    {
        let mut case = right.clone();
        case.input.0[at].pop();
        refused(case, names[0]);
        let mut case = right.clone();
        case.output.0[at].pop();
        refused(case, names[1]);
    }
    refused(Case { input: Numbers(vec![shorter(&given.input.0[0])]), ..given.clone() }, "input_factor");
    refused(Case { output: Numbers(vec![shorter(&given.output.0[0])]), ..given.clone() }, "output_factor");
    right.with(client, |layer, x, grad_y| {
        let backward =
            |shape, y, grad_y| launch::drawn_linear_backward(client, Parts::Auto, shape, layer, x, y, grad_y);
        let got = backward(SMALL, x, grad_y);
        assert!(matches!(got, Err(Error::ShapeMismatch { argument: "y", .. })), "{got:?}");
        let got = backward(SMALL, grad_y, x);
        assert!(matches!(got, Err(Error::ShapeMismatch { argument: "grad_y", .. })), "{got:?}");
        for (empty, name) in [
            (LinearShape { n_members: 0, ..SMALL }, "n_members"),
            (LinearShape { batch_size: 0, ..SMALL }, "batch_size"),
            (LinearShape { d_out: 0, ..SMALL }, "d_out"),
        ] {
            let got = launch::drawn_linear(client, Parts::Rows(0), empty, layer, x);
            assert!(matches!(got, Err(Error::Empty { axis, .. }) if axis == name), "{got:?}");
        }
        let huge = LinearShape { n_members: 1 << 20, batch_size: 1 << 20, ..SMALL };
        let got = launch::drawn_linear(client, Parts::Auto, huge, layer, x);
        assert!(matches!(got, Err(Error::OverLimit { .. })), "{got:?}");
    });
}
