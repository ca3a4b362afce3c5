//! The arguments of the library's kernels, made of our operands and our store.

use std::marker::PhantomData;

use cubecl::prelude::*;
use cubecl::std::tensor::{View, ViewMut};
use cubek_matmul::multi_level::args::{BatchedCoords, MatmulArgs};
use cubek_matmul::multi_level::components::global::memory::GlobalLayoutConfig;

use super::operand::{Operand, OperandView};
use super::store::{Store, StoreView};

/// Arguments of a fused product with buffers of type `S` and results of type `O`.
#[derive(Clone)]
pub(crate) struct Fused<S: Float, O: Float> {
    _storage: PhantomData<(S, O)>,
}

/// Both operands, read `L` and `R` entries at a time.
#[derive(CubeType, CubeLaunch, Clone)]
#[expand(derive(Clone))]
pub(crate) struct Operands<S: Float, L: Size, R: Size> {
    pub(crate) left: Operand<S, L>,
    pub(crate) right: Operand<S, R>,
}

/// What a kernel of the library reads and writes.
#[derive(CubeType)]
pub(crate) struct State<S: Float, O: Float, L: Size, R: Size, N: Size> {
    left: OperandView<S, L>,
    right: OperandView<S, R>,
    out: StoreView<S, O, N>,
}

#[cube]
impl<S: Float, O: Float, L: Size, R: Size, N: Size> State<S, O, L, R, N> {
    fn new(left: OperandView<S, L>, right: OperandView<S, R>, out: StoreView<S, O, N>) -> Self {
        State::<S, O, L, R, N> { left, right, out }
    }
}

#[cube]
impl<S: Float, O: Float> MatmulArgs for Fused<S, O> {
    type Input<Lhs: CubePrimitive, Rhs: CubePrimitive, EO: CubePrimitive> = Operands<S, Lhs::Size, Rhs::Size>;
    type Output<EO: CubePrimitive> = Store<S, O, EO::Size>;
    type Config = ();
    type State<Lhs: CubePrimitive, Rhs: CubePrimitive, EO: CubePrimitive> =
        State<S, O, Lhs::Size, Rhs::Size, EO::Size>;

    fn init_state<Lhs: CubePrimitive, Rhs: CubePrimitive, EO: CubePrimitive>(
        input: &Self::Input<Lhs, Rhs, EO>,
        output: &mut Self::Output<EO>,
        _config: (),
        #[comptime] lhs_layout_config: GlobalLayoutConfig,
        #[comptime] rhs_layout_config: GlobalLayoutConfig,
        #[comptime] out_layout_config: GlobalLayoutConfig,
    ) -> Self::State<Lhs, Rhs, EO> {
        State::new(
            OperandView::new(input.left.clone(), lhs_layout_config),
            OperandView::new(input.right.clone(), rhs_layout_config),
            StoreView::new(output.clone(), out_layout_config),
        )
    }

    fn view_lhs<Lhs: CubePrimitive, Rhs: CubePrimitive, EO: CubePrimitive>(
        state: &Self::State<Lhs, Rhs, EO>,
    ) -> View<'_, Lhs, BatchedCoords> {
        state.left.clone().view::<Lhs>()
    }

    fn batch_lhs<Lhs: CubePrimitive, Rhs: CubePrimitive, EO: CubePrimitive>(
        _state: &Self::State<Lhs, Rhs, EO>,
        batch: usize,
    ) -> usize {
        batch
    }

    fn view_rhs<Lhs: CubePrimitive, Rhs: CubePrimitive, EO: CubePrimitive>(
        state: &Self::State<Lhs, Rhs, EO>,
    ) -> View<'_, Rhs, BatchedCoords> {
        state.right.clone().view::<Rhs>()
    }

    fn batch_rhs<Lhs: CubePrimitive, Rhs: CubePrimitive, EO: CubePrimitive>(
        _state: &Self::State<Lhs, Rhs, EO>,
        batch: usize,
    ) -> usize {
        batch
    }

    fn view_acc<Lhs: CubePrimitive, Rhs: CubePrimitive, EO: CubePrimitive>(
        _state: &Self::State<Lhs, Rhs, EO>,
    ) -> ComptimeOption<View<'_, EO, BatchedCoords>> {
        ComptimeOption::new_None()
    }

    fn batch_acc<Lhs: CubePrimitive, Rhs: CubePrimitive, EO: CubePrimitive>(
        _state: &Self::State<Lhs, Rhs, EO>,
        batch: usize,
    ) -> usize {
        batch
    }

    fn view_out<Lhs: CubePrimitive, Rhs: CubePrimitive, EO: CubePrimitive>(
        state: &Self::State<Lhs, Rhs, EO>,
    ) -> ViewMut<'_, EO, BatchedCoords> {
        state.out.clone().view_mut::<EO>()
    }

    fn batch_out<Lhs: CubePrimitive, Rhs: CubePrimitive, EO: CubePrimitive>(
        _state: &Self::State<Lhs, Rhs, EO>,
        batch: usize,
    ) -> usize {
        batch
    }

    fn runtime_config<Lhs: CubePrimitive, Rhs: CubePrimitive, EO: CubePrimitive>(
        _state: &Self::State<Lhs, Rhs, EO>,
    ) {
    }
}
