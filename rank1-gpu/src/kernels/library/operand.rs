//! An operand of the product: stored values under a factor, or gradients on their way back through an activation.

use cubecl::prelude::barrier::BarrierExpand;
use cubecl::prelude::*;
use cubecl::std::FastDivmod;
use cubecl::std::tensor::{View, ViewExpand, ViewOperations, ViewOperationsExpand};
use cubecl::unexpanded;
use cubek_matmul::multi_level::args::BatchedCoords;
use cubek_matmul::multi_level::components::global::memory::GlobalLayoutConfig;

use super::gather::{Gathered, Spot};
use crate::Perturbation;
use crate::kernels::activation::through_activation;
use crate::linear::Activation;

/// Rows `[rows, width]` of storage type `S`, read `N` neighbors of a row at a time and computed in f32.
///
/// `value`, or `value * activation'(z)` where there are outputs `y`; then under the factor, of which `rows_per_factor`
/// consecutive rows share a row. The product sees the transpose if `swapped`. If `in_parts`, rows are the depth of the
/// product, and each of its batches has the next `rows_per_part` of them.
#[derive(CubeType, CubeLaunch, Clone)]
#[expand(derive(Clone))]
pub(crate) struct Operand<S: Float, N: Size> {
    pub(crate) values: Box<[Vector<S, N>]>,
    pub(crate) y: ComptimeOption<Box<[Vector<S, N>]>>,
    pub(crate) factor: ComptimeOption<Box<[Vector<f32, N>]>>,
    /// Absent where entry (row, column) lies at `row * width + column`.
    pub(crate) gathered: ComptimeOption<Gathered>,
    pub(crate) rows: u32,
    pub(crate) width: u32,
    pub(crate) rows_per_factor: FastDivmod<u32>,
    pub(crate) factor_width: u32,
    pub(crate) rows_per_part: u32,
    #[cube(comptime)]
    pub(crate) perturbation: Perturbation,
    #[cube(comptime)]
    pub(crate) activation: Activation,
    #[cube(comptime)]
    pub(crate) swapped: bool,
    #[cube(comptime)]
    pub(crate) in_parts: bool,
}

/// An operand with the bounds that the library wants checked.
#[derive(CubeType, Clone)]
#[expand(derive(Clone))]
pub(crate) struct OperandView<S: Float, N: Size> {
    operand: Operand<S, N>,
    #[cube(comptime)]
    config: GlobalLayoutConfig,
}

/// `value` under a factor, entry by entry.
#[cube]
pub(crate) fn perturb_vector<N: Size>(
    value: Vector<f32, N>,
    factor: Vector<f32, N>,
    #[comptime] perturbation: Perturbation,
) -> Vector<f32, N> {
    match comptime!(perturbation) {
        Perturbation::Multiplicative => value * factor,
        Perturbation::Additive => value + factor,
    }
}

/// `grad * activation'(z)` by `y = activation(z)`, entry by entry.
#[cube]
pub(crate) fn through_activation_vector<N: Size>(
    grad: Vector<f32, N>,
    y: Vector<f32, N>,
    #[comptime] activation: Activation,
) -> Vector<f32, N> {
    let mut through = Vector::<f32, N>::new(0.0f32);
    #[unroll]
    for lane in 0..N::value() {
        through.insert(lane, through_activation(grad.extract(lane), y.extract(lane), activation));
    }
    through
}

#[cube]
impl<S: Float, N: Size> OperandView<S, N> {
    pub(crate) fn new(operand: Operand<S, N>, #[comptime] config: GlobalLayoutConfig) -> Self {
        OperandView::<S, N> { operand, config }
    }

    fn extent(&self) -> BatchedCoords {
        let rows =
            if comptime!(self.operand.in_parts) { self.operand.rows_per_part } else { self.operand.rows };
        let width = self.operand.width;
        if comptime!(self.operand.swapped) {
            (u32::MAX.runtime() as usize, width, rows)
        } else {
            (u32::MAX.runtime() as usize, rows, width)
        }
    }

    fn is_inside(&self, position: BatchedCoords) -> bool {
        let (batch, row, column) = position;
        let (_, rows, columns) = self.extent();
        let inside = match comptime!((self.config.check_row_bounds, self.config.check_col_bounds)) {
            (true, true) => row < rows && column < columns,
            (true, false) => row < rows,
            (false, true) => column < columns,
            (false, false) => true.runtime(),
        };
        if comptime!(self.operand.in_parts) {
            // The last part may be shorter than the library knows.
            let row = if comptime!(self.operand.swapped) { column } else { row };
            inside && batch as u32 * self.operand.rows_per_part + row < self.operand.rows
        } else {
            inside
        }
    }

    /// Entries of the operand; all of them must lie inside.
    fn entries(&self, position: BatchedCoords) -> Vector<f32, N> {
        let (batch, first, second) = position;
        let (row, column) = if comptime!(self.operand.swapped) { (second, first) } else { (first, second) };
        if comptime!(self.operand.in_parts) {
            self.stored(batch as u32 * self.operand.rows_per_part + row, column)
        } else {
            self.stored(row, column)
        }
    }

    /// Zeros outside, also under a factor that adds.
    fn entries_or_zero(&self, position: BatchedCoords) -> Vector<f32, N> {
        let inside = self.is_inside(position);
        let (batch, row, column) = position;
        let entries = self.entries((
            select(inside, batch, 0usize),
            select(inside, row, 0u32),
            select(inside, column, 0u32),
        ));
        select(inside, entries, Vector::<f32, N>::new(0.0f32))
    }

    /// Entries at a place that the library takes to be inside.
    fn entries_unless_behind_a_part(&self, position: BatchedCoords) -> Vector<f32, N> {
        if comptime!(self.operand.in_parts) { self.entries_or_zero(position) } else { self.entries(position) }
    }

    fn spot(&self, row: u32, column: u32) -> Spot {
        let operand = &self.operand;
        #[comptime]
        match &operand.gathered {
            ComptimeOption::Some(gathered) => gathered.spot(row, column, operand.rows),
            ComptimeOption::None => {
                Spot { at: row * operand.width + column, channel: column, exists: true.runtime() }
            }
        }
    }

    fn stored(&self, row: u32, column: u32) -> Vector<f32, N> {
        let operand = &self.operand;
        let spot = self.spot(row, column);
        let at = spot.at as usize / N::value();
        let value = Vector::<f32, N>::cast_from(operand.values[at]);
        let value = #[comptime]
        match &operand.y {
            ComptimeOption::Some(y) => {
                through_activation_vector::<N>(value, Vector::<f32, N>::cast_from(y[at]), operand.activation)
            }
            ComptimeOption::None => value,
        };
        let value = #[comptime]
        match &operand.factor {
            ComptimeOption::Some(factor) => {
                let row = operand.rows_per_factor.div(row);
                let at = (row * operand.factor_width + spot.channel) as usize / N::value();
                perturb_vector::<N>(value, factor[at], operand.perturbation)
            }
            ComptimeOption::None => value,
        };
        #[comptime]
        match &operand.gathered {
            ComptimeOption::Some(_) => select(spot.exists, value, Vector::<f32, N>::new(0.0f32)),
            ComptimeOption::None => value,
        }
    }
}

impl<S: Float, N: Size> OperandView<S, N> {
    pub(crate) fn view<E: CubePrimitive>(self) -> View<'static, E, BatchedCoords> {
        unexpanded!()
    }
}

impl<S: Float, N: Size> OperandViewExpand<S, N> {
    pub(crate) fn __expand_view_method<E: CubePrimitive>(
        self,
        scope: &Scope,
    ) -> ViewExpand<'static, E, BatchedCoords> {
        ViewExpand::new(scope, self)
    }
}

type Position = <BatchedCoords as CubeType>::ExpandType;

impl<S: Float, N: Size> Vectorized for OperandView<S, N> {}
impl<S: Float, N: Size> VectorizedExpand for OperandViewExpand<S, N> {
    fn __expand_vector_size_method(&self, scope: &Scope) -> VectorSize {
        N::__expand_value(scope)
    }
}

impl<S: Float, N: Size, E: CubePrimitive> ViewOperations<E, BatchedCoords> for OperandView<S, N> {}
impl<S: Float, N: Size, E: CubePrimitive> ViewOperationsExpand<E, BatchedCoords> for OperandViewExpand<S, N> {
    fn __expand_read_method(&self, scope: &Scope, position: Position) -> E::ExpandType {
        E::__expand_cast_from(scope, self.__expand_entries_unless_behind_a_part_method(scope, position))
    }

    fn __expand_read_checked_method(&self, scope: &Scope, position: Position) -> E::ExpandType {
        E::__expand_cast_from(scope, self.__expand_entries_or_zero_method(scope, position))
    }

    fn __expand_read_masked_method(
        &self,
        scope: &Scope,
        position: Position,
        value: E::ExpandType,
    ) -> E::ExpandType {
        let inside = self.__expand_is_inside_method(scope, position);
        let entries = self.__expand_entries_or_zero_method(scope, position);
        select::expand::<E>(scope, inside, E::__expand_cast_from(scope, entries), value)
    }

    fn __expand_read_unchecked_method(&self, scope: &Scope, position: Position) -> E::ExpandType {
        E::__expand_cast_from(scope, self.__expand_entries_unless_behind_a_part_method(scope, position))
    }

    fn __expand_as_linear_slice_method(
        &self,
        _scope: &Scope,
        _position: Position,
        _end: Position,
    ) -> &SliceExpand<E> {
        panic!("entries under a factor are nowhere in memory; choose a routine that reads them one by one")
    }

    fn __expand_tensor_map_load_method(
        &self,
        _scope: &Scope,
        _barrier: &BarrierExpand,
        _shared_memory: &mut SliceExpand<E>,
        _position: Position,
    ) {
        panic!("entries under a factor are nowhere in memory; choose a routine that reads them one by one")
    }

    fn __expand_shape_method(&self, scope: &Scope) -> Position {
        self.__expand_extent_method(scope)
    }

    fn __expand_is_in_bounds_method(&self, scope: &Scope, position: Position) -> NativeExpand<bool> {
        self.__expand_is_inside_method(scope, position)
    }
}
