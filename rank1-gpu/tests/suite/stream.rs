//! The integer stream of a device against the host's, bit for bit.

use cubecl::client::Client;
use rank1_gpu::{DrawShape, launch, transfer};

use super::oracle::word;
use super::{KEY, SHAPES, shape};

fn device_words(client: &Client, key: [u32; 2], step: u32, shape: DrawShape) -> Vec<u32> {
    let words = launch::stream_words(client, key, step, shape).unwrap();
    transfer::download_words(client, &words).unwrap()
}

fn host_words(key: [u32; 2], step: u32, shape: DrawShape) -> Vec<u32> {
    let rows = (0..shape.n_members as u32)
        .flat_map(|member| (0..shape.n_examples as u32).map(move |example| (member, example)));
    rows.flat_map(|(member, example)| {
        (0..shape.width as u32).map(move |index| word(key, [step, member, example], index))
    })
    .collect()
}

pub(crate) fn integer_stream_equals_the_host_bit_for_bit(client: &Client) {
    // Keys and steps with every high bit set, so that a lost carry shows.
    for (key, step) in [(KEY, 17), ([0, 0], 0), ([u32::MAX, u32::MAX], u32::MAX)] {
        for shape in SHAPES.map(shape) {
            assert_eq!(device_words(client, key, step, shape), host_words(key, step, shape), "{shape:?}");
        }
    }
}

/// More blocks than one row of cubes covers on a device that allows 65,535 cubes in a row: the second row must go on
/// where the first ended.
pub(crate) fn words_do_not_depend_on_the_grid(client: &Client) {
    let n_examples = 65_535 * 256 + 259;
    let tall = DrawShape { n_members: 1, n_examples, width: 1 };
    let words = device_words(client, KEY, 5, tall);
    let every = (0..n_examples).step_by(997).chain(n_examples - 600..n_examples);
    for example in every {
        assert_eq!(words[example], word(KEY, [5, 0, example as u32], 0), "example {example}");
    }
}
