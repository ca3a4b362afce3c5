//! Backward: gradients of outputs on their way to the product while they are loaded, and the ends of the gradients.

use cubecl::prelude::*;

use super::activation::before_activation;
use super::linear::{FactoredRow, factored_row};
use super::matrix::{Epilogue, EpilogueExpand, Matrix, MatrixExpand};
use crate::linear::Activation;

/// Gradient of the product `(x ∘ s) W`: `grad * activation'(z) * factor`, rows of outputs by channels.
///
/// The factor is absent where it adds. `y` is absent without an activation.
#[derive(CubeType, CubeLaunch)]
pub(crate) struct ProductGradient {
    pub(crate) grad: Box<[f32]>,
    pub(crate) y: ComptimeOption<Box<[f32]>>,
    pub(crate) factor: ComptimeOption<Box<[f32]>>,
    pub(crate) width: u32,
    pub(crate) rows_per_factor: u32,
    #[cube(comptime)]
    pub(crate) activation: Activation,
}

#[cube]
impl ProductGradient {
    /// The entry at a position, under the factor's entry at another.
    pub(crate) fn value(&self, at: u32, factor_at: u32) -> f32 {
        let grad = before_activation::<f32>(&self.grad, &self.y, at as usize, self.activation);
        #[comptime]
        match &self.factor {
            ComptimeOption::Some(factor) => grad * factor[factor_at as usize],
            ComptimeOption::None => grad,
        }
    }
}

#[cube]
impl Matrix for ProductGradient {
    type Row = FactoredRow;
    type Column = u32;

    fn row(&self, row: u32) -> Self::Row {
        factored_row(row, self.width, self.rows_per_factor)
    }

    fn column(&self, column: u32) -> Self::Column {
        column
    }

    fn at(&self, row: &Self::Row, column: &Self::Column) -> f32 {
        self.value(row.values + *column, row.factor + *column)
    }

    fn is_row_major(_this: &Self) -> comptime_type!(bool) {
        true
    }
}

/// A multiplicative input factor with what its gradient needs.
#[derive(CubeType, CubeLaunch)]
pub(crate) struct InputFactor {
    pub(crate) values: Box<[f32]>,
    pub(crate) x: Box<[f32]>,
    /// Gradient of the factor before any sum over rows that share it.
    pub(crate) grad: Box<[f32]>,
}

/// Gradient of the inputs, `sum * factor`, and of the factor, `sum * x`, from one sum.
#[derive(CubeType, CubeLaunch)]
pub(crate) struct InputGradient {
    pub(crate) grad: Box<[f32]>,
    pub(crate) factor: ComptimeOption<InputFactor>,
    pub(crate) width: u32,
    pub(crate) rows_per_factor: u32,
}

#[cube]
impl Epilogue for InputGradient {
    type Row = FactoredRow;

    fn row(&self, row: u32, _part: u32) -> Self::Row {
        factored_row(row, self.width, self.rows_per_factor)
    }

    fn store(&mut self, row: &Self::Row, column: u32, sum: f32) {
        let at = (row.values + column) as usize;
        #[comptime]
        match &mut self.factor {
            ComptimeOption::Some(factor) => {
                factor.grad[at] = sum * factor.x[at];
                self.grad[at] = sum * factor.values[(row.factor + column) as usize];
            }
            ComptimeOption::None => self.grad[at] = sum,
        }
    }
}

/// Gradient of a multiplicative output factor before any sum over rows that share it: `sum * grad * activation'(z)`.
#[derive(CubeType, CubeLaunch)]
pub(crate) struct OutputFactorGradient {
    pub(crate) out: Box<[f32]>,
    pub(crate) grad: Box<[f32]>,
    pub(crate) y: ComptimeOption<Box<[f32]>>,
    pub(crate) width: u32,
    #[cube(comptime)]
    pub(crate) activation: Activation,
}

#[cube]
impl Epilogue for OutputFactorGradient {
    type Row = u32;

    fn row(&self, row: u32, _part: u32) -> Self::Row {
        row * self.width
    }

    fn store(&mut self, row: &Self::Row, column: u32, sum: f32) {
        let at = (*row + column) as usize;
        self.out[at] = sum * before_activation::<f32>(&self.grad, &self.y, at, self.activation);
    }
}

/// Sums as they are, the parts of the depth one after another, or added to what is there.
#[derive(CubeType, CubeLaunch)]
pub(crate) struct Parts {
    pub(crate) out: Box<[f32]>,
    pub(crate) n_rows: u32,
    pub(crate) width: u32,
    #[cube(comptime)]
    pub(crate) add: bool,
}

#[cube]
impl Epilogue for Parts {
    type Row = u32;

    fn row(&self, row: u32, part: u32) -> Self::Row {
        (part * self.n_rows + row) * self.width
    }

    fn store(&mut self, row: &Self::Row, column: u32, sum: f32) {
        let at = (*row + column) as usize;
        if comptime!(self.add) {
            self.out[at] += sum;
        } else {
            self.out[at] = sum;
        }
    }
}
