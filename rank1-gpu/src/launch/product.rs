//! Grids of products and of sums over rows, checked against a device before anything is launched.
//!
//! Not for the checks of buffers: who builds the operands answers for their lengths.

use cubecl::prelude::*;
use cubecl::server::Handle;

use super::checks::limits_of;
use crate::Error;
use crate::kernels::matrix::{Epilogue, Matrix};
use crate::kernels::{product, segment_sum};
use crate::linear::Activation;
use crate::shape::check_axes;
use crate::strategy::{self, CubeLimits, Strategy, SumCube};

/// A checked product of `rows` by `depth` by `columns`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Product {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) depth: usize,
    pub(super) cut: Strategy,
    grid: (u32, u32, u32),
}

/// Whether a product's sums over parts of its depth may be stored apart and added later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    Whole,
    InParts,
}

impl Product {
    pub(super) fn plan(
        op: &'static str,
        client: &Client,
        [rows, columns, depth]: [usize; 3],
        cut: Depth,
    ) -> Result<Self, Error> {
        let hardware = &client.properties().hardware;
        let limits = CubeLimits {
            units: limits_of(client).units,
            shared_bytes: hardware.max_shared_memory_size as u64,
        };
        let cut = match cut {
            Depth::Whole => strategy::whole(op, rows, columns, depth, limits)?,
            Depth::InParts => strategy::in_parts(op, rows, columns, depth, limits)?,
        };
        check_size(op, client, &[("parts", cut.parts as usize), ("rows", rows), ("columns", columns)])?;
        let tiles = rows.div_ceil(cut.tile.m as usize) as u64 * columns.div_ceil(cut.tile.n as usize) as u64;
        let grid = grid(op, client, tiles, u64::from(cut.parts))?;
        Ok(Self { rows, columns, depth, cut, grid })
    }

    /// # Safety
    /// `left` must be readable at all of `rows` by `depth`, `right` at all of `columns` by `depth`, and `epilogue`
    /// writable at all of `rows` by `columns` for each part.
    pub(super) unsafe fn launch<L: Matrix, R: Matrix, E: Epilogue>(
        &self,
        client: &Client,
        left: L::RuntimeArg,
        right: R::RuntimeArg,
        epilogue: E::RuntimeArg,
    ) {
        let (x, y, z) = self.grid;
        // SAFETY: the kernel asks operands only for entries inside `rows`, `columns` and `depth` and the epilogue only
        // for `rows`, `columns` and the parts of the grid, which the caller vouches for.
        unsafe {
            product::product::launch_unchecked::<L, R, E>(
                client,
                CubeCount::Static(x, y, z),
                CubeDim::new_1d(self.cut.tile.units()),
                left,
                right,
                epilogue,
                self.rows as u32,
                self.columns as u32,
                self.depth as u32,
                self.cut.depth_per_part,
                self.cut.tile,
            );
        }
    }
}

/// A checked sum over the rows of each segment of `[n_segments, length, width]`, giving `[n_segments, width]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct SegmentSum {
    n_segments: usize,
    length: usize,
    width: usize,
    cube: SumCube,
    grid: (u32, u32, u32),
}

impl SegmentSum {
    pub(super) fn plan(
        op: &'static str,
        client: &Client,
        [n_segments, length, width]: [usize; 3],
    ) -> Result<Self, Error> {
        check_size(op, client, &[("segments", n_segments), ("rows", length), ("width", width)])?;
        let cube = SumCube::new(width, length);
        let units = limits_of(client).units;
        if cube.units() > units {
            let limit = "the largest cube of the device in units";
            let (requested, maximum) = (u64::from(cube.units()), u64::from(units));
            return Err(Error::OverLimit { op, limit, requested, maximum });
        }
        let blocks = n_segments as u64 * width.div_ceil(cube.columns as usize) as u64;
        let grid = grid(op, client, blocks, length.div_ceil(SumCube::CHUNK) as u64)?;
        Ok(Self { n_segments, length, width, cube, grid })
    }

    /// The sums of `values` in f32, or of what `values` become on their way back through an activation with outputs `y`.
    ///
    /// # Safety
    /// `values`, and `y` if there is one, must hold `n_segments * length * width` entries of type `F`.
    pub(super) unsafe fn launch<F: Float>(
        &self,
        client: &Client,
        values: &Handle,
        y: Option<&Handle>,
        activation: Activation,
    ) -> Handle {
        let &Self { n_segments, length, width, cube, grid: (x, y_count, n_chunks) } = self;
        let out_rows = n_segments * n_chunks as usize;
        let out = client.empty(4 * out_rows * width);
        // SAFETY: units outside the segments or the width do nothing; rows stay below `length`, so reads stay below
        // `n_segments * length * width`, for which the caller vouches. One unit for each segment, chunk and column
        // writes, inside `out`, which was made with as many floats; chunks are no more than rows.
        unsafe {
            segment_sum::sum_segments::launch_unchecked::<F>(
                client,
                CubeCount::Static(x, y_count, n_chunks),
                CubeDim::new_1d(cube.units()),
                buffer_arg(values),
                y.map(buffer_arg).into(),
                floats(&out),
                n_segments as u32,
                length as u32,
                SumCube::CHUNK.min(length) as u32,
                n_chunks,
                width as u32,
                activation,
                cube,
            );
        }
        if n_chunks == 1 {
            return out;
        }
        let chunks = Self { length: n_chunks as usize, grid: (x, y_count, 1), ..*self };
        chunks.in_one_chunk(client, &out)
    }

    /// The sums of a buffer that nobody else reads: itself where every segment is one row.
    ///
    /// # Safety
    /// `values` must hold `n_segments * length * width` floats.
    pub(super) unsafe fn launch_on(&self, client: &Client, values: Handle) -> Handle {
        if self.length == 1 {
            return values;
        }
        // SAFETY: the caller vouches for the buffer.
        unsafe { self.launch::<f32>(client, &values, None, Activation::Identity) }
    }

    /// The second pass: however many chunks there are, one cube adds those of its columns.
    fn in_one_chunk(&self, client: &Client, values: &Handle) -> Handle {
        let &Self { n_segments, length, width, cube, grid: (x, y, _) } = self;
        let out = client.empty(4 * n_segments * width);
        // SAFETY: as in `launch`; `values` are its chunks, `length` of them for each segment.
        unsafe {
            segment_sum::sum_segments::launch_unchecked::<f32>(
                client,
                CubeCount::Static(x, y, 1),
                CubeDim::new_1d(cube.units()),
                floats(values),
                None.into(),
                floats(&out),
                n_segments as u32,
                length as u32,
                length as u32,
                1,
                width as u32,
                Activation::Identity,
                cube,
            );
        }
        out
    }
}

/// A buffer as a kernel's argument, with the length that it has.
pub(super) fn floats(buffer: &Handle) -> BufferArg {
    // SAFETY: the length is the buffer's own.
    unsafe { BufferArg::from_raw_parts(buffer.clone(), (buffer.size_in_used() / 4) as usize) }
}

/// A buffer of any type as a kernel's argument; the kernel divides its bytes by the size of the type that it declares.
pub(super) fn buffer_arg(buffer: &Handle) -> BufferArg {
    // SAFETY: kernels take their lengths from the buffer's own bytes; this length is not above its entries.
    unsafe { BufferArg::from_raw_parts(buffer.clone(), (buffer.size_in_used() / 4) as usize) }
}

/// The device can hold, and the kernels address, a buffer with these axes.
pub(super) fn check_size(
    op: &'static str,
    client: &Client,
    axes: &[(&'static str, usize)],
) -> Result<usize, Error> {
    let elements = check_axes(op, axes)?;
    let (requested, maximum) = (4 * elements as u64, limits_of(client).bytes);
    if requested > maximum {
        return Err(Error::OverLimit {
            op,
            limit: "the largest buffer of the device in bytes",
            requested,
            maximum,
        });
    }
    Ok(elements)
}

/// Cubes in rows of the device's width; surplus ones find nothing to do.
fn grid(op: &'static str, client: &Client, cubes: u64, layers: u64) -> Result<(u32, u32, u32), Error> {
    let most = client.properties().hardware.max_cube_count;
    // Also keeps a surplus cube's rows within 32 bits.
    let x = cubes.min(u64::from(most.0.clamp(1, 65_535)));
    let y = cubes.div_ceil(x);
    let over = |requested, maximum: u32| {
        let limit = "the largest number of cubes of a launch";
        Err(Error::OverLimit { op, limit, requested, maximum: u64::from(maximum) })
    };
    if y > u64::from(most.1) {
        return over(y, most.1);
    }
    if layers > u64::from(most.2) {
        return over(layers, most.2);
    }
    Ok((x as u32, y as u32, layers as u32))
}
