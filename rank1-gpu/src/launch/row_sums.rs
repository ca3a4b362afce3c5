//! Sums of the gradients of factors and biases over the rows that share them.
//!
//! The same for our own tiles and for cubek-matmul.

use cubecl::prelude::*;
use cubecl::server::Handle;

use super::layer::Layer;
use super::product::SegmentSum;
use crate::Error;
use crate::linear::{Factor, FactorRows, Sizes};

/// What a layer has beside its weight, as far as launches depend on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Present {
    pub(super) input_factor: Option<FactorRows>,
    pub(super) output_factor: Option<FactorRows>,
    pub(super) bias: bool,
}

impl Present {
    pub(super) fn of(layer: &Layer<'_>) -> Self {
        let rows = |factor: Option<Factor<'_, Handle>>| factor.map(|factor| factor.rows);
        Self {
            input_factor: rows(layer.input_factor),
            output_factor: rows(layer.output_factor),
            bias: layer.bias.is_some(),
        }
    }
}

/// Sums of the gradients of factors and biases over the rows that share them, checked before the first launch.
pub(super) struct RowSums {
    pub(super) input_factor: Option<SegmentSum>,
    pub(super) output_factor: Option<SegmentSum>,
    pub(super) bias: Option<SegmentSum>,
}

impl RowSums {
    pub(super) fn plan(
        op: &'static str,
        client: &Client,
        sizes: &Sizes,
        present: Present,
    ) -> Result<Self, Error> {
        let &Sizes { n_members, batch_size, in_positions, out_positions, c_in, c_out, .. } = sizes;
        let sum = |extent| SegmentSum::plan(op, client, extent);
        let shared = |factor: Option<FactorRows>, positions: usize, width: usize| {
            let rows =
                |rows: FactorRows| [rows.count(n_members, batch_size), rows.examples_per_row(batch_size)];
            factor.map(rows).map(|[segments, length]| sum([segments, length * positions, width])).transpose()
        };
        Ok(Self {
            input_factor: shared(present.input_factor, in_positions, c_in)?,
            output_factor: shared(present.output_factor, out_positions, c_out)?,
            bias: present.bias.then(|| sum([n_members, batch_size * out_positions, c_out])).transpose()?,
        })
    }
}
