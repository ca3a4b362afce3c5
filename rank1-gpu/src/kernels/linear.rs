//! Forward: a weight, inputs times their factor while they are loaded, and outputs finished while they are stored.

use cubecl::prelude::*;

use super::activation::activate;
use super::matrix::{Epilogue, EpilogueExpand, Matrix, MatrixExpand};
use crate::Perturbation;
use crate::linear::Activation;

/// A row of values and the row of the factor that goes with it, as positions of their first entries.
#[derive(CubeType)]
pub(crate) struct FactoredRow {
    pub(crate) values: u32,
    pub(crate) factor: u32,
}

/// The row of values `row` and its factor's, of which `rows_per_factor` consecutive rows share one.
#[cube]
pub(crate) fn factored_row(row: u32, width: u32, rows_per_factor: u32) -> FactoredRow {
    FactoredRow { values: row * width, factor: row / rows_per_factor * width }
}

/// A value under a factor.
#[cube]
pub(crate) fn perturb(value: f32, factor: f32, #[comptime] perturbation: Perturbation) -> f32 {
    match comptime!(perturbation) {
        Perturbation::Multiplicative => value * factor,
        Perturbation::Additive => value + factor,
    }
}

/// `[rows, width]` as it is.
#[derive(CubeType, CubeLaunch)]
pub(crate) struct Plain {
    pub(crate) values: Box<[f32]>,
    pub(crate) width: u32,
}

#[cube]
impl Matrix for Plain {
    type Row = u32;
    type Column = u32;

    fn row(&self, row: u32) -> Self::Row {
        row * self.width
    }

    fn column(&self, column: u32) -> Self::Column {
        column
    }

    fn at(&self, row: &Self::Row, column: &Self::Column) -> f32 {
        self.values[(*row + *column) as usize]
    }

    fn is_row_major(_this: &Self) -> comptime_type!(bool) {
        true
    }
}

/// Rows `[rows, width]` under a factor; `rows_per_factor` consecutive rows share one of its rows.
#[derive(CubeType, CubeLaunch)]
pub(crate) struct Factored {
    pub(crate) values: Box<[f32]>,
    pub(crate) factor: ComptimeOption<Box<[f32]>>,
    pub(crate) width: u32,
    pub(crate) rows_per_factor: u32,
    #[cube(comptime)]
    pub(crate) perturbation: Perturbation,
}

#[cube]
impl Matrix for Factored {
    type Row = FactoredRow;
    type Column = u32;

    fn row(&self, row: u32) -> Self::Row {
        factored_row(row, self.width, self.rows_per_factor)
    }

    fn column(&self, column: u32) -> Self::Column {
        column
    }

    fn at(&self, row: &Self::Row, column: &Self::Column) -> f32 {
        let value = self.values[(row.values + *column) as usize];
        #[comptime]
        match &self.factor {
            ComptimeOption::Some(factor) => {
                perturb(value, factor[(row.factor + *column) as usize], self.perturbation)
            }
            ComptimeOption::None => value,
        }
    }

    fn is_row_major(_this: &Self) -> comptime_type!(bool) {
        true
    }
}

/// `out = activation(perturb(sum, factor) + bias)`.
#[derive(CubeType, CubeLaunch)]
pub(crate) struct Outputs {
    pub(crate) out: Box<[f32]>,
    pub(crate) factor: ComptimeOption<Box<[f32]>>,
    pub(crate) bias: ComptimeOption<Box<[f32]>>,
    pub(crate) width: u32,
    pub(crate) rows_per_factor: u32,
    pub(crate) rows_per_member: u32,
    #[cube(comptime)]
    pub(crate) perturbation: Perturbation,
    #[cube(comptime)]
    pub(crate) activation: Activation,
}

/// Positions of the first entries of the rows that an output meets.
#[derive(CubeType)]
pub(crate) struct OutputRow {
    out: u32,
    factor: u32,
    bias: u32,
}

#[cube]
impl Epilogue for Outputs {
    type Row = OutputRow;

    fn row(&self, row: u32, _part: u32) -> Self::Row {
        OutputRow {
            out: row * self.width,
            factor: row / self.rows_per_factor * self.width,
            bias: row / self.rows_per_member * self.width,
        }
    }

    fn store(&mut self, row: &Self::Row, column: u32, sum: f32) {
        let factored = #[comptime]
        match &self.factor {
            ComptimeOption::Some(factor) => {
                perturb(sum, factor[(row.factor + column) as usize], self.perturbation)
            }
            ComptimeOption::None => sum,
        };
        let z = #[comptime]
        match &self.bias {
            ComptimeOption::Some(bias) => factored + bias[(row.bias + column) as usize],
            ComptimeOption::None => factored,
        };
        self.out[(row.out + column) as usize] = activate(z, self.activation);
    }
}
