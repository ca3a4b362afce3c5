//! Products on the makers' library: planned against the device first, launched with our prologue and epilogue.
//!
//! Not for the choice of an engine, which [`crate::strategy`] makes.

use cubecl::ir::AddressType;
use cubecl::prelude::*;
use cubek_matmul::definition::{
    AvailableVectorSizes, MatmulAvailabilityError, MatmulGlobalElems, MatmulProblem, MatmulSetupError,
    MatmulVectorSizes,
};
use cubek_matmul::multi_level::args::{AccSize, LhsSize, RhsSize};
use cubek_matmul::multi_level::definition::BatchMatmulBlueprint;
use cubek_matmul::multi_level::routines::batch::double_buffering::CyclicDoubleBufferingAlgorithm;
use cubek_matmul::multi_level::routines::batch::simple::SimpleAlgorithm;
use cubek_matmul::multi_level::routines::batch::simple_unit::SimpleUnitAlgorithm;
use cubek_matmul::multi_level::{BatchMatmulRoutine, LaunchInfo, launch_kernel};
use cubek_matmul::routine::BlueprintStrategy;
use cubek_std::MatrixLayout;

use super::checks::check_precision;
use crate::Error;
use crate::arithmetic::{Engine, Precision};
use crate::kernels::library::{Fused, OperandLaunch, OperandsLaunch, StoreLaunch};

/// Bytes of the widest vector: eight f32 of a factor beside eight halves.
pub(super) const VECTOR_BYTES: u64 = 32;

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
    let expanded = A::expand_blueprint(problem, &settings, &BlueprintStrategy::default())?;
    A::prepare(problem, &settings, expanded)
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
