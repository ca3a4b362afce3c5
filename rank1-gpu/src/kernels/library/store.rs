//! Where the sums of the product go: outputs, or gradients of inputs, weights and factors.

use cubecl::prelude::barrier::BarrierExpand;
use cubecl::prelude::*;
use cubecl::std::tensor::{
    ViewMut, ViewMutExpand, ViewOperations, ViewOperationsExpand, ViewOperationsMut, ViewOperationsMutExpand,
};
use cubecl::unexpanded;
use cubek_matmul::multi_level::args::BatchedCoords;
use cubek_matmul::multi_level::components::global::memory::GlobalLayoutConfig;

use super::operand::{perturb_vector, through_activation_vector};
use crate::Perturbation;
use crate::kernels::activation::activate;
use crate::linear::Activation;

/// The gradient of an input factor before any sum over rows that share it: `sum * x`, or the sum where the factor adds.
#[derive(CubeType, CubeLaunch, Clone)]
#[expand(derive(Clone))]
pub(crate) struct FactorRowsGradient<S: Float, N: Size> {
    pub(crate) x: ComptimeOption<Box<[Vector<S, N>]>>,
    pub(crate) out: Box<[Vector<f32, N>]>,
}

/// What multiplies the sum in the gradient of an output factor: `grad * activation'(z)`.
#[derive(CubeType, CubeLaunch, Clone)]
#[expand(derive(Clone))]
pub(crate) struct OutputGradient<S: Float, N: Size> {
    pub(crate) grad: Box<[Vector<S, N>]>,
    pub(crate) y: ComptimeOption<Box<[Vector<S, N>]>>,
}

/// `out = activation(perturb(sum, factor) + bias) * gradient` in type `O`, each part only if there is one.
///
/// A forward pass has factor, bias and activation, which computes them in f32 and rounds once; a gradient of inputs has
/// the input factor and its rows, one of output factors has `gradient`, one of weights nothing.
#[derive(CubeType, CubeLaunch, Clone)]
#[expand(derive(Clone))]
pub(crate) struct Store<S: Float, O: Float, N: Size> {
    pub(crate) out: Box<[Vector<O, N>]>,
    pub(crate) factor: ComptimeOption<Box<[Vector<f32, N>]>>,
    pub(crate) bias: ComptimeOption<Box<[Vector<f32, N>]>>,
    pub(crate) factor_rows: ComptimeOption<FactorRowsGradient<S, N>>,
    pub(crate) gradient: ComptimeOption<OutputGradient<S, N>>,
    pub(crate) rows: u32,
    pub(crate) width: u32,
    pub(crate) rows_per_factor: u32,
    pub(crate) rows_per_member: u32,
    #[cube(comptime)]
    pub(crate) perturbation: Perturbation,
    /// Of the outputs, or of the gradient.
    #[cube(comptime)]
    pub(crate) activation: Activation,
    /// To what is there.
    #[cube(comptime)]
    pub(crate) add: bool,
}

/// A store with the bounds that the library wants checked.
#[derive(CubeType, Clone)]
#[expand(derive(Clone))]
pub(crate) struct StoreView<S: Float, O: Float, N: Size> {
    store: Store<S, O, N>,
    #[cube(comptime)]
    config: GlobalLayoutConfig,
}

#[cube]
fn activate_vector<N: Size>(z: Vector<f32, N>, #[comptime] activation: Activation) -> Vector<f32, N> {
    let mut y = Vector::<f32, N>::new(0.0f32);
    #[unroll]
    for lane in 0..N::value() {
        y.insert(lane, activate(z.extract(lane), activation));
    }
    y
}

#[cube]
impl<S: Float, O: Float, N: Size> StoreView<S, O, N> {
    pub(crate) fn new(store: Store<S, O, N>, #[comptime] config: GlobalLayoutConfig) -> Self {
        StoreView::<S, O, N> { store, config }
    }

    fn extent(&self) -> BatchedCoords {
        (u32::MAX.runtime() as usize, self.store.rows, self.store.width)
    }

    fn is_inside(&self, position: BatchedCoords) -> bool {
        let (_, row, column) = position;
        match comptime!((self.config.check_row_bounds, self.config.check_col_bounds)) {
            (true, true) => row < self.store.rows && column < self.store.width,
            (true, false) => row < self.store.rows,
            (false, true) => column < self.store.width,
            (false, false) => true.runtime(),
        }
    }

    /// Finishes sums and stores them; all of their places must lie inside.
    fn put(&mut self, position: BatchedCoords, sums: Vector<f32, N>) {
        let (batch, row, column) = position;
        let store = &mut self.store;
        // Parts of a depth, one after another; all else has one batch.
        let at = ((batch as u32 * store.rows + row) * store.width + column) as usize / N::value();
        #[comptime]
        match &mut store.factor_rows {
            ComptimeOption::Some(rows) => {
                let by_x = #[comptime]
                match &rows.x {
                    ComptimeOption::Some(x) => sums * Vector::<f32, N>::cast_from(x[at]),
                    ComptimeOption::None => sums,
                };
                rows.out[at] = by_x;
            }
            ComptimeOption::None => {}
        }
        let value = #[comptime]
        match &store.factor {
            ComptimeOption::Some(factor) => {
                let at = (row / store.rows_per_factor * store.width + column) as usize / N::value();
                perturb_vector::<N>(sums, factor[at], store.perturbation)
            }
            ComptimeOption::None => sums,
        };
        let value = #[comptime]
        match &store.bias {
            ComptimeOption::Some(bias) => {
                value + bias[(row / store.rows_per_member * store.width + column) as usize / N::value()]
            }
            ComptimeOption::None => value,
        };
        let value = #[comptime]
        match &store.gradient {
            ComptimeOption::Some(gradient) => {
                let grad = Vector::<f32, N>::cast_from(gradient.grad[at]);
                let grad = #[comptime]
                match &gradient.y {
                    ComptimeOption::Some(y) => {
                        let y = Vector::<f32, N>::cast_from(y[at]);
                        through_activation_vector::<N>(grad, y, store.activation)
                    }
                    ComptimeOption::None => grad,
                };
                value * grad
            }
            ComptimeOption::None => activate_vector::<N>(value, store.activation),
        };
        let value = Vector::<O, N>::cast_from(value);
        if comptime!(store.add) {
            store.out[at] += value;
        } else {
            store.out[at] = value;
        }
    }
}

impl<S: Float, O: Float, N: Size> StoreView<S, O, N> {
    pub(crate) fn view_mut<E: CubePrimitive>(self) -> ViewMut<'static, E, BatchedCoords> {
        unexpanded!()
    }
}

impl<S: Float, O: Float, N: Size> StoreViewExpand<S, O, N> {
    pub(crate) fn __expand_view_mut_method<E: CubePrimitive>(
        self,
        scope: &Scope,
    ) -> ViewMutExpand<'static, E, BatchedCoords> {
        ViewMutExpand::new(scope, self)
    }
}

type Position = <BatchedCoords as CubeType>::ExpandType;

const WRITE_ONLY: &str = "finished outputs are written, entry by entry, and not read";

impl<S: Float, O: Float, N: Size> Vectorized for StoreView<S, O, N> {}
impl<S: Float, O: Float, N: Size> VectorizedExpand for StoreViewExpand<S, O, N> {
    fn __expand_vector_size_method(&self, scope: &Scope) -> VectorSize {
        N::__expand_value(scope)
    }
}

impl<S: Float, O: Float, N: Size, E: CubePrimitive> ViewOperations<E, BatchedCoords> for StoreView<S, O, N> {}
impl<S: Float, O: Float, N: Size, E: CubePrimitive> ViewOperationsExpand<E, BatchedCoords>
    for StoreViewExpand<S, O, N>
{
    fn __expand_read_method(&self, _scope: &Scope, _position: Position) -> E::ExpandType {
        panic!("{WRITE_ONLY}")
    }

    fn __expand_read_checked_method(&self, _scope: &Scope, _position: Position) -> E::ExpandType {
        panic!("{WRITE_ONLY}")
    }

    fn __expand_read_masked_method(
        &self,
        _scope: &Scope,
        _position: Position,
        _value: E::ExpandType,
    ) -> E::ExpandType {
        panic!("{WRITE_ONLY}")
    }

    fn __expand_read_unchecked_method(&self, _scope: &Scope, _position: Position) -> E::ExpandType {
        panic!("{WRITE_ONLY}")
    }

    fn __expand_as_linear_slice_method(
        &self,
        _scope: &Scope,
        _position: Position,
        _end: Position,
    ) -> &SliceExpand<E> {
        panic!("{WRITE_ONLY}")
    }

    fn __expand_tensor_map_load_method(
        &self,
        _scope: &Scope,
        _barrier: &BarrierExpand,
        _shared_memory: &mut SliceExpand<E>,
        _position: Position,
    ) {
        panic!("{WRITE_ONLY}")
    }

    fn __expand_shape_method(&self, scope: &Scope) -> Position {
        self.__expand_extent_method(scope)
    }

    fn __expand_is_in_bounds_method(&self, scope: &Scope, position: Position) -> NativeExpand<bool> {
        self.__expand_is_inside_method(scope, position)
    }
}

impl<S: Float, O: Float, N: Size, E: CubePrimitive> ViewOperationsMut<E, BatchedCoords>
    for StoreView<S, O, N>
{
}
impl<S: Float, O: Float, N: Size, E: CubePrimitive> ViewOperationsMutExpand<E, BatchedCoords>
    for StoreViewExpand<S, O, N>
{
    fn __expand_write_method(&self, scope: &Scope, position: Position, value: E::ExpandType) {
        let sums = Vector::<f32, N>::__expand_cast_from(scope, value);
        self.clone().__expand_put_method(scope, position, sums);
    }

    fn __expand_write_checked_method(&self, scope: &Scope, position: Position, value: E::ExpandType) {
        let inside = self.__expand_is_inside_method(scope, position);
        if_expand(scope, inside, |scope| {
            ViewOperationsMutExpand::<E, BatchedCoords>::__expand_write_method(self, scope, position, value);
        });
    }

    fn __expand_as_linear_slice_mut_method(
        &self,
        _scope: &Scope,
        _position: Position,
        _end: Position,
    ) -> &mut SliceExpand<E> {
        panic!("{WRITE_ONLY}")
    }

    fn __expand_tensor_map_store_method(
        &self,
        _scope: &Scope,
        _shared_memory: &SliceExpand<E>,
        _position: Position,
    ) {
        panic!("{WRITE_ONLY}")
    }
}
