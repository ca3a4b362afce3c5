//! Whose kernel computes a product, with which tile, and into how many parts its depth is cut.
//!
//! Chosen from shapes and from what the device reports, never from timings, so that the same call sums in the same order
//! on every device of a kind.

use crate::Error;
use crate::arithmetic::{Arithmetic, Engine, Precision};
use crate::linear::Sizes;

/// Entries of a tile side that one unit keeps in registers.
pub(crate) const REGISTERS: u32 = 4;
/// Products with fewer cubes than this take smaller tiles, or cut their depth: about two cubes for each
/// multiprocessor of a mid-size device.
const ENOUGH_CUBES: u64 = 64;
/// Products with fewer large tiles than this stay with our own tiles: few, because the library's kernels read whole vectors. A
/// software adapter was three times as fast with so many; on a card nobody has looked.
const LIBRARY_CUBES: u64 = 8;
/// Columns of a tile of tensor cores, and its rows and depth.
pub(crate) const TENSOR_TILE: u32 = 16;
/// Most tiles of a row that a plane keeps sums of: with so many each unit of 32 has 80 of them, and 255 registers.
const MAX_PLANE_TILES: u32 = 10;
/// Slices of depth that a part must at least have, so that the second pass over the parts stays small beside the first.
const SLICES_PER_PART: u64 = 16;
/// Most parts of a depth.
const MAX_PARTS: u64 = 64;
/// Most parts of the rows of a layer that draws its factors.
const MAX_LAYER_PARTS: usize = 16;
/// Multiprocessors of a card that does not tell their number, as none does through wgpu.
pub(crate) const UNKNOWN_MULTIPROCESSORS: u32 = 32;
/// What stands for them where there is no card: a software adapter has the cores of its machine.
pub(crate) const SOFTWARE_MULTIPROCESSORS: u32 = 8;

/// The part of a product that one cube computes, `m` rows by `n` columns, in slices of depth `k`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Tile {
    pub(crate) m: u32,
    pub(crate) n: u32,
    pub(crate) k: u32,
}

impl Tile {
    const LARGE: Self = Self { m: 64, n: 64, k: 16 };
    const MEDIUM: Self = Self { m: 32, n: 32, k: 16 };
    const FEW_ROWS: Self = Self { m: 16, n: 64, k: 16 };
    const FEW_COLUMNS: Self = Self { m: 64, n: 16, k: 16 };
    const SMALL: Self = Self { m: 16, n: 16, k: 8 };

    /// Units of a cube, one for each square of registers.
    pub(crate) fn units(self) -> u32 {
        (self.m / REGISTERS) * (self.n / REGISTERS)
    }

    /// Times that the units go to memory for a slice of an operand with `side` rows or columns.
    pub(crate) fn rounds(self, side: u32) -> u32 {
        side / REGISTERS * self.k / self.units()
    }

    /// Quads between the starts of two depths in shared memory; one more than needed, against bank conflicts.
    pub(crate) fn stride(side: u32) -> u32 {
        side / REGISTERS + 1
    }

    /// Bytes of shared memory.
    pub(crate) fn shared_bytes(self) -> u64 {
        16 * u64::from(self.k * (Self::stride(self.m) + Self::stride(self.n)))
    }

    fn cubes(self, rows: u64, columns: u64) -> u64 {
        rows.div_ceil(u64::from(self.m)) * columns.div_ceil(u64::from(self.n))
    }
}

/// The units of a cube that sums rows: neighbors take neighboring columns, lanes take turns with the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SumCube {
    pub(crate) columns: u32,
    pub(crate) lanes: u32,
}

impl SumCube {
    /// Rows that one cube adds; longer sums are cut into chunks of so many, and the chunks summed in a second pass.
    pub(crate) const CHUNK: usize = 512;

    pub(crate) fn units(self) -> u32 {
        self.columns * self.lanes
    }

    /// Few columns leave units for more lanes; short sums need few lanes.
    pub(crate) fn new(width: usize, length: usize) -> Self {
        let columns = if width <= 8 { 8 } else { 32 };
        Self { columns, lanes: if length < 16 { 1 } else { 64 / columns * 2 } }
    }
}

/// What a device allows a cube.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CubeLimits {
    pub(crate) units: u32,
    pub(crate) shared_bytes: u64,
}

/// How a product of `rows` by `depth` by `columns` is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Strategy {
    pub(crate) tile: Tile,
    pub(crate) parts: u32,
    pub(crate) depth_per_part: u32,
}

/// A tile for a product that is not cut along its depth.
pub(crate) fn whole(
    op: &'static str,
    rows: usize,
    columns: usize,
    depth: usize,
    limits: CubeLimits,
) -> Result<Strategy, Error> {
    let tile = tile(op, rows as u64, columns as u64, limits)?;
    Ok(Strategy { tile, parts: 1, depth_per_part: depth as u32 })
}

/// A tile and a number of parts for a product with a long depth and a small result, as a weight gradient is.
pub(crate) fn in_parts(
    op: &'static str,
    rows: usize,
    columns: usize,
    depth: usize,
    limits: CubeLimits,
) -> Result<Strategy, Error> {
    let tile = tile(op, rows as u64, columns as u64, limits)?;
    let cubes = tile.cubes(rows as u64, columns as u64);
    let (parts, depth_per_part) = parts(cubes, ENOUGH_CUBES, u64::from(tile.k), depth as u64);
    Ok(Strategy { tile, parts: parts as u32, depth_per_part: depth_per_part as u32 })
}

/// Parts of the depth for a product on cubek-matmul whose result has `cubes` cubes, and the depth of each but the
/// last. Two cubes for each multiprocessor are enough, where the device tells how many it has.
pub(crate) fn library_parts(cubes: u64, depth: usize, multiprocessors: Option<u32>) -> (usize, usize) {
    let enough = multiprocessors.map_or(ENOUGH_CUBES, |n| 2 * u64::from(n));
    let (parts, depth_per_part) = parts(cubes, enough, u64::from(Tile::LARGE.k), depth as u64);
    if parts == 1 { (1, depth) } else { (parts as usize, depth_per_part as usize) }
}

/// Tiles of a row that a plane of tensor cores keeps sums of: few columns in vain and few cubes along a row, each of which
/// reads the left operand anew; that counts as two tiles, which nobody measured.
pub(crate) fn plane_tiles(columns: usize) -> u32 {
    let all = columns.div_ceil(TENSOR_TILE as usize) as u32;
    (1..=MAX_PLANE_TILES).min_by_key(|tiles| all.div_ceil(*tiles) * (tiles + 2)).unwrap_or(1)
}

/// As many parts as give enough cubes, none shorter than is worth a second pass; all but the last of whole slices.
fn parts(cubes: u64, enough: u64, slice: u64, depth: u64) -> (u64, u64) {
    let slices = depth.div_ceil(slice);
    let wanted = enough.div_ceil(cubes);
    let parts = wanted.min(slices / SLICES_PER_PART).clamp(1, MAX_PARTS);
    let depth_per_part = slices.div_ceil(parts) * slice;
    // Rounding up to whole slices can leave the last part without any.
    (depth.div_ceil(depth_per_part), depth_per_part)
}

/// Rows that a linear map with drawn factors does at a time: as few as give each of its products by rows, `d_out` and `d_in`
/// wide, a large tile for every multiprocessor.
///
/// A part of `n` rows holds two draws and, backward, one gradient of a draw at a time, at most `12 n max(d_in, d_out)` bytes.
/// On a device of 8 multiprocessors and with widths of 512 that is 0.4 MB for 64 rows, beside activations of all rows, of
/// which 512 take 1 MB in each layer. Fewer rows would leave multiprocessors idle, more would hold draws that nobody reads
/// yet. A product narrower than a tile does not count beside a wide one, as the last map of a classifier: it takes little of
/// the layer's time at any number of rows, and would ask for many times as many.
fn rows_that_fill([d_in, d_out]: [usize; 2], multiprocessors: u32) -> usize {
    let multiprocessors = multiprocessors.max(1) as usize;
    let (Tile { m, n, .. }, [narrow, wide]) = (Tile::LARGE, [d_in.min(d_out), d_in.max(d_out)]);
    let columns = if narrow < n as usize { wide } else { narrow };
    multiprocessors.div_ceil(columns.div_ceil(n as usize)) * m as usize
}

/// Rows of a part of a layer that has `rows`: those that fill the device, or more, so that there are at most 16 parts.
///
/// Sixteen parts leave a sixteenth of the draws and of their gradients in memory, a few percent of a step; more parts would
/// take time and save little.
pub(crate) fn rows_of_a_part(rows: usize, widths: [usize; 2], multiprocessors: u32) -> usize {
    rows_that_fill(widths, multiprocessors).max(rows.div_ceil(MAX_LAYER_PARTS))
}

/// Engines for a layer and its backward pass, best first; the first that the device takes is used.
///
/// In f32 the library gets layers all of whose three products have enough large tiles, that of the weight's gradient in parts.
/// Others stay with our own tiles, which are smaller there, as do those for which the library plans fewer tiles than the
/// device has multiprocessors. Halves have no tiles of ours.
pub(crate) fn engines(arithmetic: Arithmetic, sizes: &Sizes) -> Vec<Engine> {
    if let Some(engine) = arithmetic.engine {
        return vec![engine];
    }
    let fills = |rows: usize, columns: usize, parts: usize| {
        let cubes = Tile::LARGE.cubes(rows as u64, columns as u64) * parts as u64;
        rows > 16 && columns > 16 && cubes >= LIBRARY_CUBES
    };
    let weight = [sizes.taps * sizes.c_in, sizes.c_out];
    let cubes = Tile::LARGE.cubes(weight[0] as u64, weight[1] as u64);
    let (parts, _) = library_parts(cubes, sizes.out_rows(), None);
    let all_fill = fills(sizes.out_rows(), sizes.c_out, 1)
        && fills(sizes.in_rows(), sizes.c_in, 1)
        && fills(weight[0], weight[1], parts);
    match arithmetic.precision {
        Precision::F32 if all_fill => vec![Engine::Units, Engine::Tiles],
        Precision::F32 => vec![Engine::Tiles],
        Precision::Tf32 => vec![Engine::TensorCores],
        Precision::F16 | Precision::Bf16 => vec![Engine::TensorCores, Engine::Units],
    }
}

fn tile(op: &'static str, rows: u64, columns: u64, limits: CubeLimits) -> Result<Tile, Error> {
    let wish = match (rows <= 16, columns <= 16) {
        (true, true) => Tile::SMALL,
        (true, false) => Tile::FEW_ROWS,
        (false, true) => Tile::FEW_COLUMNS,
        (false, false) if Tile::LARGE.cubes(rows, columns) < ENOUGH_CUBES => Tile::MEDIUM,
        (false, false) => Tile::LARGE,
    };
    let fits = |tile: &Tile| tile.units() <= limits.units && tile.shared_bytes() <= limits.shared_bytes;
    let over = |limit, requested, maximum| Error::OverLimit { op, limit, requested, maximum };
    match [wish, Tile::MEDIUM, Tile::SMALL].into_iter().find(fits) {
        Some(tile) => Ok(tile),
        None if Tile::SMALL.units() > limits.units => {
            let requested = u64::from(Tile::SMALL.units());
            Err(over("the largest cube of the device in units", requested, u64::from(limits.units)))
        }
        None => {
            let requested = Tile::SMALL.shared_bytes();
            Err(over("the shared memory of a cube in bytes", requested, limits.shared_bytes))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::linear::LinearShape;

    const WEBGPU: CubeLimits = CubeLimits { units: 256, shared_bytes: 16_384 };
    const ALL: [Tile; 5] = [Tile::LARGE, Tile::MEDIUM, Tile::FEW_ROWS, Tile::FEW_COLUMNS, Tile::SMALL];

    #[test]
    fn every_tile_fits_the_least_device_and_loads_in_whole_rounds() {
        for tile in ALL {
            assert!(tile.units() <= 256 && tile.shared_bytes() < 16_384, "{tile:?}");
            for side in [tile.m, tile.n] {
                assert_eq!(tile.rounds(side) * tile.units(), side / REGISTERS * tile.k, "{tile:?}");
                assert_eq!(side % REGISTERS, 0);
            }
        }
    }

    #[test]
    fn the_tile_follows_the_shape() {
        let tile = |rows, columns| whole("test", rows, columns, 100, WEBGPU).unwrap().tile;
        assert_eq!(tile(4096, 512), Tile::LARGE);
        assert_eq!(tile(128, 128), Tile::MEDIUM);
        assert_eq!(tile(16, 512), Tile::FEW_ROWS);
        assert_eq!(tile(4096, 10), Tile::FEW_COLUMNS);
        assert_eq!(tile(1, 1), Tile::SMALL);
    }

    #[test]
    fn parts_cover_the_depth_once_and_none_is_empty() {
        for (rows, columns, depth) in
            [(7, 11, 15), (64, 64, 100_003), (512, 512, 4096), (27, 16, 1 << 20), (1, 1, 1), (9, 9, 257)]
        {
            let cut = in_parts("test", rows, columns, depth, WEBGPU).unwrap();
            let (parts, each) = (u64::from(cut.parts), u64::from(cut.depth_per_part));
            assert!(parts * each >= depth as u64 && (parts - 1) * each < depth as u64, "{cut:?}");
            assert!(cut.parts == 1 || cut.depth_per_part.is_multiple_of(cut.tile.k), "{cut:?}");
        }
        assert_eq!(in_parts("test", 7, 11, 15, WEBGPU).unwrap().parts, 1);
        assert!(in_parts("test", 27, 16, 1 << 20, WEBGPU).unwrap().parts > 30);
    }

    #[test]
    fn the_library_gets_as_many_parts_as_the_device_has_work_for() {
        // 1,440 by 160 in 12 cubes over the pixels of 64 images.
        assert_eq!(library_parts(12, 65_536, None), (6, 10_928));
        assert_eq!(library_parts(12, 65_536, Some(132)), (22, 2_992));
        assert_eq!(library_parts(264, 65_536, Some(132)), (1, 65_536));
        // Parts of fewer than 256 are not worth it.
        assert_eq!(library_parts(1, 1_000, Some(132)).0, 3);
        assert_eq!(library_parts(1, 200, Some(132)), (1, 200));
    }

    #[test]
    fn planes_compute_few_columns_in_vain_and_many_at_once() {
        for (columns, tiles) in
            [(1, 1), (16, 1), (17, 2), (160, 10), (320, 10), (128, 8), (512, 8), (176, 6), (4096, 10)]
        {
            assert_eq!(plane_tiles(columns), tiles, "{columns}");
        }
    }

    #[test]
    fn the_library_gets_large_maps_in_f32_and_everything_else_than_f32() {
        let sizes = |[batch_size, d_in, d_out]: [usize; 3]| {
            LinearShape { n_members: 1, batch_size, d_in, d_out }.sizes()
        };
        let best = |precision: Precision, axes| engines(precision.into(), &sizes(axes))[0];
        assert_eq!(best(Precision::F32, [512, 512, 512]), Engine::Units);
        // The weight's gradient has one tile, but enough rows for parts.
        assert_eq!(best(Precision::F32, [2048, 64, 64]), Engine::Units);
        // Products without enough tiles: the outputs', the weight's gradient's even in parts, or narrow ones.
        for axes in [[64, 448, 960], [1024, 64, 64], [100_000, 16, 512], [1, 1, 1]] {
            assert_eq!(best(Precision::F32, axes), Engine::Tiles, "{axes:?}");
        }
        assert_eq!(best(Precision::Tf32, [1, 1, 1]), Engine::TensorCores);
        assert_eq!(engines(Precision::Bf16.into(), &sizes([1, 1, 1])), [Engine::TensorCores, Engine::Units]);
        let forced = Arithmetic { precision: Precision::F32, engine: Some(Engine::Units) };
        assert_eq!(engines(forced, &sizes([1, 1, 1])), [Engine::Units]);
    }

    #[test]
    fn a_part_has_a_large_tile_for_every_multiprocessor_in_its_narrower_product_if_that_is_wide() {
        assert_eq!(rows_of_a_part(512, [784, 512], 8), 64);
        assert_eq!(rows_of_a_part(4096, [784, 512], 8), 256);
        assert_eq!(rows_that_fill([784, 512], 8), 64);
        assert_eq!(rows_that_fill([784, 512], 16), 128);
        assert_eq!(rows_that_fill([784, 64], 16), 1024);
        assert_eq!(rows_that_fill([784, 63], 16), 128);
        assert_eq!(rows_that_fill([512, 10], 16), 128);
        assert_eq!(rows_that_fill([512, 784], 132), 1088);
        assert_eq!(rows_that_fill([4096, 4096], 132), 192);
        assert_eq!(rows_that_fill([1, 1], 0), 64);
    }

    #[test]
    fn cubes_of_sums_have_at_most_128_units() {
        for (width, length, units) in [(1, 1, 8), (8, 1000, 128), (9, 15, 32), (512, 16, 128)] {
            assert_eq!(SumCube::new(width, length).units(), units);
        }
    }

    #[test]
    fn a_device_with_small_cubes_gets_small_tiles_or_a_refusal_with_numbers() {
        let tile = |limits| whole("test", 4096, 512, 100, limits);
        assert_eq!(tile(CubeLimits { units: 128, ..WEBGPU }).unwrap().tile, Tile::MEDIUM);
        assert_eq!(tile(CubeLimits { shared_bytes: 4096, ..WEBGPU }).unwrap().tile, Tile::SMALL);
        let error = tile(CubeLimits { units: 8, ..WEBGPU }).unwrap_err();
        assert!(matches!(error, Error::OverLimit { requested: 16, maximum: 8, .. }), "{error}");
        let error = tile(CubeLimits { shared_bytes: 1000, ..WEBGPU }).unwrap_err();
        assert!(matches!(error, Error::OverLimit { requested: 1280, maximum: 1000, .. }), "{error}");
    }
}
