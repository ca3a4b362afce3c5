//! What a product reads and where its sums go, as the tile code sees them.
//!
//! Everything that a fused product does beside multiplying lives in implementations of these traits.

use cubecl::prelude::*;

/// A matrix whose entries are computed while they are loaded.
#[cube]
pub(crate) trait Matrix: LaunchArg + Send + Sync + 'static {
    /// What is worth computing once for a row; the row may lie behind the last.
    type Row: CubeType;
    /// What is worth computing once for a column; the column may lie behind the last.
    type Column: CubeType;

    fn row(&self, row: u32) -> Self::Row;
    fn column(&self, column: u32) -> Self::Column;
    /// The entry, both of whose coordinates lie inside.
    fn at(&self, row: &Self::Row, column: &Self::Column) -> f32;
    /// Whether neighbors in memory are neighbors of a row, so that neighboring units best take neighboring columns.
    fn is_row_major(this: &Self) -> comptime_type!(bool);
}

/// The transpose.
#[derive(CubeType, CubeLaunch)]
pub(crate) struct Swapped<M: Matrix> {
    pub(crate) inner: M,
}

#[cube]
impl<M: Matrix> Matrix for Swapped<M> {
    type Row = M::Column;
    type Column = M::Row;

    fn row(&self, row: u32) -> Self::Row {
        self.inner.column(row)
    }

    fn column(&self, column: u32) -> Self::Column {
        self.inner.row(column)
    }

    fn at(&self, row: &Self::Row, column: &Self::Column) -> f32 {
        self.inner.at(column, row)
    }

    fn is_row_major(this: &Self) -> comptime_type!(bool) {
        let inner = M::is_row_major(&this.inner);
        comptime!(!inner)
    }
}

/// What happens to the sums of a product.
#[cube]
pub(crate) trait Epilogue: LaunchArg + Send + Sync + 'static {
    /// What is worth computing once for a row.
    type Row: CubeType;

    /// A row inside the result, for the sums over one part of the depth.
    fn row(&self, row: u32, part: u32) -> Self::Row;
    /// Finishes and stores a sum; called once for each entry and part.
    fn store(&mut self, row: &Self::Row, column: u32, sum: f32);
}
