//! The product of two matrices, tile by tile: operands are computed while they are loaded, sums finished while stored.
//!
//! Plain shared memory and registers, no planes and no matrix units, so that every runtime compiles it.

use cubecl::prelude::*;

use super::matrix::{Epilogue, EpilogueExpand, Matrix, MatrixExpand};
use crate::strategy::{REGISTERS, Tile};

type Quad = Vector<f32, Const<4>>;

/// `sum_d left[i, d] * right[j, d]` for each part of the depth: both operands are given with the depth as columns.
///
/// A cube computes a tile, a unit 4 by 4 of its entries in registers. A slice of each operand lies in shared memory in
/// quads of four rows, depth by depth, so that a unit reads its eight values of a depth in two loads. Entries behind
/// the ends are zeros and are not stored. Sums run over the depth from first to last.
#[cube(launch_unchecked)]
pub(crate) fn product<L: Matrix, R: Matrix, E: Epilogue>(
    left: &L,
    right: &R,
    epilogue: &mut E,
    n_rows: u32,
    n_columns: u32,
    depth: u32,
    depth_per_part: u32,
    #[comptime] tile: Tile,
) {
    let across = n_columns.div_ceil(tile.n);
    let cube = CUBE_POS_Y * CUBE_COUNT_X + CUBE_POS_X;
    let first_row = cube / across * tile.m;
    let first_column = cube % across * tile.n;
    let first_depth = CUBE_POS_Z * depth_per_part;
    let end_depth = min(first_depth + depth_per_part, depth);

    let mut left_slice = Shared::<[Quad]>::new_slice(comptime!((tile.k * Tile::stride(tile.m)) as usize));
    let mut right_slice = Shared::<[Quad]>::new_slice(comptime!((tile.k * Tile::stride(tile.n)) as usize));
    let left_rows = rows_of_unit::<L>(left, first_row, comptime!(tile.m), tile);
    let right_rows = rows_of_unit::<R>(right, first_column, comptime!(tile.n), tile);

    let quads_across = comptime!(tile.n / REGISTERS);
    let row_quad = UNIT_POS / quads_across;
    let column_quad = UNIT_POS % quads_across;
    let mut sums = Array::<Quad>::new(4usize);
    #[unroll]
    for i in 0..4usize {
        sums[i] = Quad::new(0.0f32);
    }

    let mut start = first_depth;
    while start < end_depth {
        load::<L>(
            left,
            &left_rows,
            &mut left_slice,
            first_row,
            n_rows,
            start,
            end_depth,
            comptime!(tile.m),
            tile,
        );
        load::<R>(
            right,
            &right_rows,
            &mut right_slice,
            first_column,
            n_columns,
            start,
            end_depth,
            comptime!(tile.n),
            tile,
        );
        sync_cube();
        for d in 0..tile.k {
            let rows = left_slice[(d * comptime!(Tile::stride(tile.m)) + row_quad) as usize];
            let columns = right_slice[(d * comptime!(Tile::stride(tile.n)) + column_quad) as usize];
            #[unroll]
            for i in 0..4usize {
                sums[i] += Quad::new(rows.extract(i)) * columns;
            }
        }
        sync_cube();
        start += tile.k;
    }

    let first_row = first_row + row_quad * REGISTERS;
    let first_column = first_column + column_quad * REGISTERS;
    #[unroll]
    for i in 0..4usize {
        let row = first_row + i as u32;
        if row < n_rows {
            let place = epilogue.row(row, CUBE_POS_Z);
            let sums = sums[i];
            #[unroll]
            for j in 0..4usize {
                let column = first_column + j as u32;
                if column < n_columns {
                    epilogue.store(&place, column, sums.extract(j));
                }
            }
        }
    }
}

/// The rows of an operand that this unit loads in every slice.
#[cube]
fn rows_of_unit<M: Matrix>(
    matrix: &M,
    first_row: u32,
    #[comptime] side: u32,
    #[comptime] tile: Tile,
) -> Sequence<M::Row> {
    let mut rows = Sequence::<M::Row>::new();
    #[unroll]
    for round in 0..tile.rounds(side) {
        let (quad, _) = pair_of_unit(round, side, tile, M::is_row_major(matrix));
        #[unroll]
        for lane in 0..4u32 {
            rows.push(matrix.row(first_row + quad * REGISTERS + lane));
        }
    }
    rows
}

/// The quad of rows and the depth that this unit loads in a round.
#[cube]
fn pair_of_unit(
    #[comptime] round: u32,
    #[comptime] side: u32,
    #[comptime] tile: Tile,
    #[comptime] by_depth: bool,
) -> (u32, u32) {
    let pair = UNIT_POS + comptime!(round * tile.units());
    let quads = comptime!(side / REGISTERS);
    if comptime!(by_depth) { (pair / tile.k, pair % tile.k) } else { (pair % quads, pair / quads) }
}

#[cube]
fn load<M: Matrix>(
    matrix: &M,
    rows: &Sequence<M::Row>,
    slice: &mut Shared<[Quad]>,
    first_row: u32,
    n_rows: u32,
    start: u32,
    end_depth: u32,
    #[comptime] side: u32,
    #[comptime] tile: Tile,
) {
    #[unroll]
    for round in 0..tile.rounds(side) {
        let (quad, depth) = pair_of_unit(round, side, tile, M::is_row_major(matrix));
        let mut values = Quad::new(0.0f32);
        if start + depth < end_depth {
            let column = matrix.column(start + depth);
            #[unroll]
            for lane in 0..4u32 {
                if first_row + quad * REGISTERS + lane < n_rows {
                    let value = matrix.at(rows.index(comptime!((4 * round + lane) as usize)), &column);
                    values.insert(comptime!(lane as usize), value);
                }
            }
        }
        slice[(depth * comptime!(Tile::stride(side)) + quad) as usize] = values;
    }
}
