//! Products on cubek-matmul: planned against the device first, launched with our prologue and epilogue.
//!
//! Not for the choice of an engine, which [`crate::strategy`] makes.

use cubecl::ir::AddressType;
use cubecl::prelude::*;
use cubek_matmul::definition::{
    AvailableVectorSizes, MatmulAvailabilityError, MatmulGlobalElems, MatmulProblem, MatmulSetupError,
    MatmulVectorSizes,
};
use cubek_matmul::multi_level::args::{AccSize, LhsSize, RhsSize};
use cubek_matmul::multi_level::components::tile::TileMatmulKind;
use cubek_matmul::multi_level::definition::{BatchMatmulBlueprint, TilingScheme};
use cubek_matmul::multi_level::routines::batch::double_buffering::CyclicDoubleBufferingAlgorithm;
use cubek_matmul::multi_level::routines::batch::simple::SimpleAlgorithm;
use cubek_matmul::multi_level::routines::batch::simple_unit::SimpleUnitAlgorithm;
use cubek_matmul::multi_level::{BatchMatmulRoutine, LaunchInfo, launch_kernel};
use cubek_matmul::routine::BlueprintStrategy;
use cubek_std::MatrixLayout;

use super::checks::check_precision;
use crate::arithmetic::{Engine, Precision};
use crate::kernels::library::{Fused, OperandLaunch, OperandsLaunch, StoreLaunch};
use crate::strategy::TENSOR_TILE;
use crate::{Error, strategy};

/// Bytes of the widest vector: eight f32 of a factor beside eight halves.
pub(super) const VECTOR_BYTES: u64 = 32;

/// Sums of a cube that would take every register of a multiprocessor.
const ALL_REGISTERS: u32 = 65_536;
/// Planes of a cube in our own tiling.
const PLANES: u32 = 8;

pub(super) type Left<S> = OperandLaunch<S, LhsSize>;
pub(super) type Right<S> = OperandLaunch<S, RhsSize>;
pub(super) type Out<S, O> = StoreLaunch<S, O, AccSize>;

/// A product of `rows` by `depth` by `columns`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    pub(super) rows: usize,
    /// Of a part.
    pub(super) depth: usize,
    pub(super) columns: usize,
    /// Products whose sum is meant, over consecutive parts of a depth; the last may be shorter.
    pub(super) parts: usize,
    pub(super) left: Stored,
    pub(super) right: Stored,
}

/// How an operand lies in memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stored {
    /// As its transpose.
    pub(super) swapped: bool,
    /// Entries of a row that lie together, counted from its first: vectors must not reach over their ends.
    pub(super) neighbors: usize,
}

impl Extent {
    /// A product in one part, of `rows` by `depth` by `columns`.
    pub(super) fn whole([rows, depth, columns]: [usize; 3], left: Stored, right: Stored) -> Self {
        Self { rows, depth, columns, parts: 1, left, right }
    }
}

impl Stored {
    pub(super) fn as_is(neighbors: usize) -> Self {
        Self { swapped: false, neighbors }
    }

    pub(super) fn transposed(neighbors: usize) -> Self {
        Self { swapped: true, neighbors }
    }
}

/// A product that the library accepted for the device.
#[derive(Debug)]
pub(super) struct LibraryProduct {
    op: &'static str,
    routine: Routine,
    info: LaunchInfo<BatchMatmulBlueprint>,
}

#[derive(Debug, Clone, Copy)]
enum Routine {
    Units,
    SingleStage,
    DoubleBuffered,
}

impl LibraryProduct {
    /// The library's kernel for a product whose operands are stored in `precision`; sums are f32.
    ///
    /// Entries are read and written one by one unless every buffer is `aligned` to [`VECTOR_BYTES`].
    pub(super) fn plan(
        op: &'static str,
        client: &Client,
        engine: Engine,
        precision: Precision,
        extent: Extent,
        aligned: bool,
    ) -> Result<Self, Error> {
        check_precision(op, client, precision)?;
        let routine = match (engine, precision) {
            (Engine::Tiles, _) => {
                return Err(Error::Undefined { op, what: "a product of the library on our own tiles" });
            }
            (Engine::Units, Precision::Tf32) => {
                return Err(Error::Undefined { op, what: "tf32 without tensor cores" });
            }
            (Engine::Units, _) => Routine::Units,
            // The library would round to tf32 unasked.
            (_, Precision::F32) => {
                return Err(Error::Undefined { op, what: "f32 on tensor cores; ask for tf32" });
            }
            (Engine::TensorCores, _) => Routine::SingleStage,
            (Engine::TensorCoresDoubleBuffered, _) => Routine::DoubleBuffered,
        };
        let f32_type = f32::elem_type_native();
        // Without tensor cores our views widen entries, so that the library sees f32 and needs no half arithmetic.
        let operand = if matches!(routine, Routine::Units) { f32_type } else { precision.stored() };
        let problem = problem(extent, MatmulGlobalElems { lhs: operand, rhs: operand, out: f32_type });
        let refused = |error| refusal(op, client, precision, error);
        let vectors = AvailableVectorSizes::from_type_sizes(client, operand.size(), operand.size(), 4)
            .filter_lhs(|&vector| extent.left.neighbors.is_multiple_of(vector))
            .filter_rhs(|&vector| extent.right.neighbors.is_multiple_of(vector))
            .filter_lhs_with_tensor(&problem.lhs_strides, &problem.lhs_shape, problem.lhs_layout)
            .filter_rhs_with_tensor(&problem.rhs_strides, &problem.rhs_shape, problem.rhs_layout)
            .filter_out_with_tensor(&problem.out_strides, &problem.out_shape)
            .pick_max()
            .map_err(refused)?;
        let vectors = if aligned { vectors } else { MatmulVectorSizes { lhs: 1, rhs: 1, out: 1 } };
        let info = match routine {
            Routine::Units => plan::<SimpleUnitAlgorithm>(client, &problem, vectors),
            Routine::SingleStage => plan::<SimpleAlgorithm>(client, &problem, vectors),
            Routine::DoubleBuffered => plan::<CyclicDoubleBufferingAlgorithm>(client, &problem, vectors),
        };
        Ok(Self { op, routine, info: info.map_err(refused)? })
    }

    /// Cubes of the result, one for each of its tiles.
    pub(super) fn cubes(&self, extent: &Extent) -> u64 {
        let tiling = &self.info.blueprint.tiling_scheme;
        let rows = (extent.rows as u64).div_ceil(u64::from(tiling.elements_per_stage_along_m()));
        rows * (extent.columns as u64).div_ceil(u64::from(tiling.elements_per_stage_along_n()))
    }

    /// # Safety
    /// The operands must have the extent of the plan and be readable at all of it, `out` be writable at all of its rows
    /// and columns; the buffers of both must have types `S` and `O`.
    pub(super) unsafe fn launch<S: Float, O: Float>(
        self,
        client: &Client,
        left: Left<S>,
        right: Right<S>,
        out: Out<S, O>,
    ) -> Result<(), Error> {
        let Self { op, routine, info } = self;
        let input = OperandsLaunch::new(left, right);
        let launched = match routine {
            Routine::Units => launch_kernel::<Fused<S, O>, SimpleUnitAlgorithm>(client, input, out, (), info),
            Routine::SingleStage => {
                launch_kernel::<Fused<S, O>, SimpleAlgorithm>(client, input, out, (), info)
            }
            Routine::DoubleBuffered => {
                launch_kernel::<Fused<S, O>, CyclicDoubleBufferingAlgorithm>(client, input, out, (), info)
            }
        };
        launched.map_err(|error| refused(op, error))
    }
}

fn problem(extent: Extent, types: MatmulGlobalElems) -> MatmulProblem {
    let layout = |swapped| if swapped { MatrixLayout::ColMajor } else { MatrixLayout::RowMajor };
    let batches = if extent.parts > 1 { vec![extent.parts] } else { Vec::new() };
    let batch = cubecl::zspace::Shape::from(batches);
    MatmulProblem::from_parameters(
        extent.rows,
        extent.columns,
        extent.depth,
        batch.clone(),
        batch,
        layout(extent.left.swapped),
        layout(extent.right.swapped),
        MatrixLayout::RowMajor,
        None,
        None,
        types,
        // Shapes are checked to have 32-bit positions.
        AddressType::U32,
    )
}

fn plan<A: BatchMatmulRoutine<(), Blueprint = BatchMatmulBlueprint>>(
    client: &Client,
    problem: &MatmulProblem,
    vectors: MatmulVectorSizes,
) -> Result<LaunchInfo<BatchMatmulBlueprint>, MatmulSetupError> {
    let settings = A::device_settings(client, vectors);
    let mut expanded = A::expand_blueprint(problem, &settings, &BlueprintStrategy::default())?;
    let inferred = &expanded.blueprint;
    if let Some(tiling) = fewer_sums(inferred, problem.n) {
        expanded.blueprint =
            BatchMatmulBlueprint::builder(inferred.tile_matmul, tiling, inferred.plane_dim, problem)
                .partition_buffering(inferred.partition_buffering)
                .stage_buffering(A::num_stages().stage_buffering())
                .hypercube_blueprint(inferred.hypercube_blueprint.clone())
                .shared_swizzle(inferred.swizzle_modes)
                .build();
    }
    A::prepare(problem, &settings, expanded)
}

/// A tiling of ours for tensor cores where the library's own has sums for all registers and would keep them in memory: in
/// a half it gives four times as many rows as columns 32 by 128 sums to each of 16 planes.
fn fewer_sums(inferred: &BatchMatmulBlueprint, columns: usize) -> Option<TilingScheme> {
    let tiling = &inferred.tiling_scheme;
    let sums = tiling.elements_per_stage_along_m() * tiling.elements_per_stage_along_n();
    if inferred.tile_matmul != TileMatmulKind::Cmma || sums < ALL_REGISTERS {
        return None;
    }
    TilingScheme::builder()
        .with_tile_size((TENSOR_TILE, TENSOR_TILE, TENSOR_TILE).into())
        .with_partition_size((1, strategy::plane_tiles(columns), inferred.plane_dim / TENSOR_TILE).into())
        .with_stage_size((PLANES, 1, 1).into())
        .build()
        .ok()
}

/// Why the library has no kernel, in our words where they have a place for the numbers.
fn refusal(op: &'static str, client: &Client, precision: Precision, error: MatmulSetupError) -> Error {
    use MatmulAvailabilityError::{
        CmmaInstructionUnavailable, PlaneDimUnsupported, SharedMemoryTooBig, TileSizeNotFound,
        TypesUnavailable,
    };
    match error {
        MatmulSetupError::Unavailable(SharedMemoryTooBig { requested, available }) => Error::OverLimit {
            op,
            limit: "the shared memory of a cube in bytes",
            requested: requested as u64,
            maximum: available as u64,
        },
        MatmulSetupError::Unavailable(
            CmmaInstructionUnavailable { .. }
            | TileSizeNotFound
            | TypesUnavailable { .. }
            | PlaneDimUnsupported { .. },
        ) => {
            let feature = match precision {
                Precision::F16 => "tensor cores for f16",
                Precision::Bf16 => "tensor cores for bf16",
                Precision::F32 | Precision::Tf32 => "tensor cores for tf32",
            };
            Error::Unsupported { op, feature, runtime: client.name() }
        }
        error => refused(op, error),
    }
}

fn refused(op: &'static str, error: MatmulSetupError) -> Error {
    Error::Library { op, reason: error.to_string().trim_end().to_owned() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// What the library infers for halves on a device with 32 units to a plane and 1,024 to a cube.
    fn inferred(
        kind: TileMatmulKind,
        tile: (u32, u32, u32),
        tiles: u32,
        planes: u32,
    ) -> BatchMatmulBlueprint {
        let tiling = TilingScheme::builder()
            .with_tile_size(tile.into())
            .with_partition_size((1, tiles, 2).into())
            .with_stage_size((planes, 1, 1).into());
        let extent = Extent::whole([65_536, 1_440, 160], Stored::as_is(160), Stored::as_is(160));
        let half = Precision::F16.stored();
        let types = MatmulGlobalElems { lhs: half, rhs: half, out: f32::elem_type_native() };
        BatchMatmulBlueprint::builder(kind, tiling.build().unwrap(), 32, &problem(extent, types)).build()
    }

    #[test]
    fn a_tiling_with_sums_for_all_registers_is_replaced() {
        let tall = inferred(TileMatmulKind::Cmma, (32, 8, 16), 16, 16);
        let ours = fewer_sums(&tall, 160).unwrap();
        let rows_columns_depth = (
            ours.elements_per_stage_along_m(),
            ours.elements_per_stage_along_n(),
            ours.elements_per_stage_along_k(),
        );
        assert_eq!(rows_columns_depth, (128, 160, 32));
        // A square one has a quarter of them, and units are not counted in tiles of tensor cores.
        assert!(fewer_sums(&inferred(TileMatmulKind::Cmma, (16, 16, 16), 8, 8), 160).is_none());
        assert!(fewer_sums(&inferred(TileMatmulKind::Register, (32, 8, 16), 16, 16), 160).is_none());
    }
}
