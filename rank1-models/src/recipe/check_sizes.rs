//! Sizes of an architecture in a recipe; other values are checked in [`super::check`].

use super::ModelRecipe;
use super::check::Values;
use crate::network::Body;

/// Most channels, multiples of channels, units and values of an embedding that a recipe asks for.
const MOST_MULTIPLES: usize = 1_000_000;

/// Most bins, frequencies and values of an embedded number.
const MOST_BINS: usize = 10_000;

/// Deepest residual network: its operations are listed before anything else is known of it.
const DEEPEST: usize = 2_000;

/// Widest layer of a network: the product of two such widths is still a number of bytes.
const WIDEST: usize = 100_000_000;

/// Sizes of an architecture; whether the inputs fit it is known when there are rows.
pub(super) fn model(m: &ModelRecipe, v: &mut Values<'_>) {
    let depth = |v: &mut Values<'_>, depth: usize, least: usize, offset: usize, expected: &str| {
        let possible = (least..=DEEPEST).contains(&depth) && (depth - offset).is_multiple_of(6);
        v.need(possible, "model.depth", expected, depth);
    };
    let hidden = match &m.body {
        Body::Mlp { hidden, .. } | Body::Lstm { hidden, .. } => hidden.as_slice(),
        _ => &[],
    };
    let possible = |width: &usize| (1..=WIDEST).contains(width);
    v.need(hidden.iter().all(possible), "model.hidden", "widths of 1 to 100000000", format!("{hidden:?}"));
    match &m.body {
        Body::ResNet { depth: d, width, .. } => {
            depth(v, *d, 8, 2, "6 n + 2: 8, 14, 20, 32, 44, 56, at most 2000");
            v.need((1..=MOST_MULTIPLES).contains(width), "model.width", "1 to 1000000", width);
        }
        Body::WideResnet { depth: d, widen, .. } => {
            depth(v, *d, 10, 4, "6 n + 4: 10, 16, 22, 28, 40, at most 2000");
            v.need((1..=MOST_MULTIPLES).contains(widen), "model.widen", "1 to 1000000", widen);
        }
        Body::Tabm { width, blocks, dropout, embedding_width, bins, frequencies, .. } => {
            v.need((1..=MOST_MULTIPLES).contains(width), "model.width", "1 to 1000000", width);
            v.need(*blocks <= DEEPEST, "model.blocks", "0 to 2000", blocks);
            v.need((0.0..1.0).contains(dropout), "model.dropout", "a rate in [0, 1)", dropout);
            let widths = [("embedding_width", embedding_width), ("frequencies", frequencies)];
            for (key, size) in widths {
                v.need((1..=MOST_BINS).contains(size), &format!("model.{key}"), "1 to 10000", size);
            }
            v.need((2..=MOST_BINS).contains(bins), "model.bins", "2 to 10000", bins);
        }
        Body::Lstm { units, embedding, .. } => {
            v.need((1..=MOST_MULTIPLES).contains(units), "model.units", "1 to 1000000", units);
            v.need(*embedding <= MOST_MULTIPLES, "model.embedding", "0 to 1000000", embedding);
        }
        _ => {}
    }
}
