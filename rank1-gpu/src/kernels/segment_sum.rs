//! Sums over consecutive rows, in an order that depends on the shape alone.

use cubecl::prelude::*;

use super::activation::before_activation;
use crate::linear::Activation;
use crate::strategy::SumCube;

/// `out[s, c, :]` = sum of the rows of chunk `c` of segment `s`, of `values` or of the gradients before an activation.
///
/// A unit adds every `lanes`-th row of its column, the first unit of a column adds the lanes in order.
#[cube(launch_unchecked)]
pub(crate) fn sum_segments<F: Float>(
    values: &[F],
    y: &ComptimeOption<Box<[F]>>,
    out: &mut [f32],
    n_segments: u32,
    length: u32,
    chunk_length: u32,
    n_chunks: u32,
    width: u32,
    #[comptime] activation: Activation,
    #[comptime] cube: SumCube,
) {
    let across = width.div_ceil(cube.columns);
    let block = CUBE_POS_Y * CUBE_COUNT_X + CUBE_POS_X;
    let segment = block / across;
    let column = block % across * cube.columns + UNIT_POS % cube.columns;
    let lane = UNIT_POS / cube.columns;
    let chunk = CUBE_POS_Z;
    let inside = segment < n_segments && column < width;
    let mut lanes = Shared::<[f32]>::new_slice(comptime!(cube.units() as usize));
    let mut sum = 0.0f32;
    if inside {
        let end = min((chunk + 1u32) * chunk_length, length);
        let mut row = chunk * chunk_length + lane;
        while row < end {
            let at = ((segment * length + row) * width + column) as usize;
            sum += before_activation::<F>(values, y, at, activation);
            row += cube.lanes;
        }
    }
    lanes[UNIT_POS as usize] = sum;
    sync_cube();
    if inside && lane == 0u32 {
        let mut total = sum;
        #[unroll]
        for other in 1..cube.lanes {
            total += lanes[(UNIT_POS + other * cube.columns) as usize];
        }
        out[((segment * n_chunks + chunk) * width + column) as usize] = total;
    }
}
