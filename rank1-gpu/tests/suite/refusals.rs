//! Bad input: a typed error before anything is launched.

use cubecl::client::Client;
use rank1_gpu::{DrawShape, Error, NoiseKind, launch, transfer};

use super::{KEY, draw, shape};

pub(crate) fn buffers_of_the_wrong_length_are_refused_by_name(client: &Client) {
    let (shape, draw) = (shape((3, 5, 7)), draw(NoiseKind::Normal, None));
    let right = transfer::upload(client, "right", &[1.0; 21]).unwrap();
    let wrong = transfer::upload(client, "wrong", &[1.0; 20]).unwrap();
    let got = launch::draw_factors(client, &draw, shape, &wrong, &right);
    assert!(matches!(got, Err(Error::ShapeMismatch { argument: "location", got: 20, .. })), "{got:?}");
    let got = launch::draw_factors(client, &draw, shape, &right, &wrong);
    assert!(matches!(got, Err(Error::ShapeMismatch { argument: "scale", got: 20, .. })), "{got:?}");
}

pub(crate) fn empty_axes_are_refused(client: &Client) {
    for (empty, name) in [((0, 5, 7), "n_members"), ((3, 0, 7), "n_examples"), ((3, 5, 0), "width")] {
        let got = launch::stream_words(client, KEY, 0, shape(empty));
        assert!(matches!(got, Err(Error::Empty { axis, .. }) if axis == name), "{got:?}");
    }
    let got = transfer::upload(client, "x", &[]);
    assert!(matches!(got, Err(Error::Empty { axis: "x", .. })), "{got:?}");
}

pub(crate) fn more_than_the_device_can_hold_is_refused(client: &Client) {
    let bytes = client.properties().memory.max_page_size;
    // One row more than fits, unless 32-bit addresses end first; either is named.
    let n_examples = usize::try_from(bytes / 4 / 1024 + 1).unwrap();
    let got = launch::stream_words(client, KEY, 0, DrawShape { n_members: 1, n_examples, width: 1024 });
    match got {
        Err(Error::OverLimit { requested, maximum, .. }) => assert!(requested > maximum),
        other => panic!("{other:?}"),
    }
}
