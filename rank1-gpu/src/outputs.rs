//! Outputs of a network, `[S, K, B, C]`, and the grid that reduces them.
//!
//! Not for strides: buffers are contiguous, the last axis fastest.

use cubecl::prelude::{CubeCount, CubeDim};

use rank1_core::likelihood::Likelihood;

use crate::Error;
use crate::shape::{DrawShape, Limits};

/// Units of a cube, a power of two; also the entries of its shared memory.
pub(crate) const MAX_UNITS: usize = 256;
/// Entries of a row in the registers of one unit, above which the compiler would move them to memory.
const MAX_PER_LANE: usize = 256;
/// Entries of a row that one unit takes before the row is given to more units.
const WANTED_PER_LANE: usize = 4;
/// Units of a launch that keep a large device busy.
const WANTED_UNITS: usize = 1 << 16;

/// The shape `[n_samples, n_members, n_examples, n_outputs]` of network outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OutputShape {
    /// Samples per member, `S`.
    pub n_samples: usize,
    /// Number of members, `K`.
    pub n_members: usize,
    /// Examples, `B` or `N`.
    pub n_examples: usize,
    /// Outputs per example, `C`.
    pub n_outputs: usize,
}

impl OutputShape {
    /// Number of entries, `S * K * B * C`.
    ///
    /// # Errors
    /// [`Error::Empty`] if an axis is 0, [`Error::OverLimit`] above `2^31` entries.
    pub fn elements(&self, op: &'static str) -> Result<usize, Error> {
        let axes = [
            ("n_samples", self.n_samples),
            ("n_members", self.n_members),
            ("n_examples", self.n_examples),
            ("n_outputs", self.n_outputs),
        ];
        if let Some((axis, _)) = axes.into_iter().find(|(_, length)| *length == 0) {
            return Err(Error::Empty { op, axis });
        }
        let n_members = self.n_samples.saturating_mul(self.n_members);
        DrawShape { n_members, n_examples: self.n_examples, width: self.n_outputs }.elements(op)
    }

    /// `S * K`, the terms that are averaged for an example.
    pub(crate) fn n_terms(&self) -> usize {
        self.n_samples * self.n_members
    }

    /// `[S, K, B, C]` as a list, for error messages.
    pub(crate) fn axes(&self) -> [usize; 4] {
        [self.n_samples, self.n_members, self.n_examples, self.n_outputs]
    }

    /// Refuses outputs whose last axis does not fit the likelihood.
    pub(crate) fn check_likelihood(
        &self,
        op: &'static str,
        argument: &'static str,
        likelihood: Likelihood,
    ) -> Result<(), Error> {
        let width = likelihood.n_outputs(self.n_outputs);
        if self.n_outputs == width {
            return Ok(());
        }
        let [s, k, b, _] = self.axes();
        let got = self.axes().into_iter().fold(1, usize::saturating_mul);
        Err(Error::ShapeMismatch { op, argument, expected: vec![s, k, b, width], got })
    }
}

/// How a cube is cut into units that share a row, columns and rows of one column taken at once; every count but
/// `per_lane` is a power of two.
///
/// A column is what a result belongs to (an example); its terms are the rows that are summed for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct RowTiling {
    /// Units of one row; lane `l` holds entries `l`, `l + lanes`, ...
    pub(crate) lanes: u32,
    /// Columns of a cube.
    pub(crate) columns: u32,
    /// Rows of a column taken at once.
    pub(crate) groups: u32,
    /// Entries of a row in one unit.
    pub(crate) per_lane: u32,
}

/// A checked launch over rows.
#[derive(Debug)]
pub(crate) struct RowPlan {
    pub(crate) tiling: RowTiling,
    pub(crate) count: CubeCount,
    pub(crate) dim: CubeDim,
}

impl RowPlan {
    /// One column per result and `n_terms` rows of `width` entries for each; with `together`, rows of a column may be
    /// taken at once and are summed by a tree.
    pub(crate) fn new(
        op: &'static str,
        limits: Limits,
        (n_columns, n_terms, width): (usize, usize, usize),
        together: bool,
    ) -> Result<Self, Error> {
        let over = |limit, requested: usize, maximum: u64| {
            Err(Error::OverLimit { op, limit, requested: requested as u64, maximum })
        };
        let allowed = MAX_UNITS.min(limits.units.max(1) as usize);
        let most = if allowed.is_power_of_two() { allowed } else { allowed.next_power_of_two() / 2 };
        let lanes = width.div_ceil(WANTED_PER_LANE).next_power_of_two().min(most);
        let per_lane = width.div_ceil(lanes);
        if per_lane > MAX_PER_LANE {
            return over("the widest row that a cube can hold", width, (lanes * MAX_PER_LANE) as u64);
        }
        let mut groups = 1;
        if together {
            let wanted = WANTED_UNITS.div_ceil(lanes * n_columns).next_power_of_two();
            groups = wanted.min(n_terms.next_power_of_two()).min(most / lanes);
        }
        // Not fewer for a short batch: every count is part of the compiled kernel.
        let columns = most / (lanes * groups);
        let cubes = n_columns.div_ceil(columns);
        let x = cubes.min(limits.cubes.0.max(1) as usize);
        let y = cubes.div_ceil(x);
        if y > limits.cubes.1 as usize {
            let maximum = u64::from(limits.cubes.0) * u64::from(limits.cubes.1);
            return over("the largest number of cubes of a launch", cubes, maximum);
        }
        let [lanes, columns, groups, per_lane] = [lanes, columns, groups, per_lane].map(|count| count as u32);
        Ok(Self {
            tiling: RowTiling { lanes, columns, groups, per_lane },
            count: CubeCount::Static(x as u32, y as u32, 1),
            dim: CubeDim::new_1d(lanes * columns * groups),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const WIDE: Limits = Limits { bytes: 1 << 40, cubes: (65_535, 65_535), units: 1024 };

    #[test]
    fn an_empty_axis_is_named_and_a_product_that_would_wrap_is_refused() {
        let shape = |[n_samples, n_members, n_examples, n_outputs]: [usize; 4]| OutputShape {
            n_samples,
            n_members,
            n_examples,
            n_outputs,
        };
        for (at, name) in ["n_samples", "n_members", "n_examples", "n_outputs"].into_iter().enumerate() {
            let mut axes = [2, 3, 5, 7];
            axes[at] = 0;
            let got = shape(axes).elements("test");
            assert!(matches!(got, Err(Error::Empty { axis, .. }) if axis == name), "{got:?}");
        }
        assert_eq!(shape([2, 3, 5, 7]).elements("test").unwrap(), 210);
        let got = shape([usize::MAX, usize::MAX, 1, 1]).elements("test");
        assert!(matches!(got, Err(Error::OverLimit { maximum, .. }) if maximum == 1 << 31), "{got:?}");
    }

    #[test]
    fn every_column_and_entry_has_a_unit_and_a_cube_is_never_too_large() {
        for units in [8, 32, 48, 256, 1024] {
            for n_columns in [1, 5, 509, 100_003] {
                for (n_terms, width) in [(1, 1), (3, 10), (68, 1000), (17, 85)] {
                    let limits = Limits { units, ..WIDE };
                    let plan = RowPlan::new("test", limits, (n_columns, n_terms, width), true).unwrap();
                    let RowTiling { lanes, columns, groups, per_lane } = plan.tiling;
                    assert!([lanes, columns, groups].iter().all(|count| count.is_power_of_two()));
                    assert_eq!(lanes * columns * groups, plan.dim.num_elems());
                    assert!(plan.dim.num_elems() <= units.min(256), "{plan:?}");
                    assert!((lanes * per_lane) as usize >= width && lanes * (per_lane - 1) < width as u32);
                    let CubeCount::Static(x, y, 1) = plan.count else { unreachable!("plans are flat") };
                    assert!(x as usize * y as usize * columns as usize >= n_columns);
                }
            }
        }
    }

    #[test]
    fn rows_wider_than_a_cube_and_grids_beyond_the_device_are_refused() {
        assert!(RowPlan::new("test", WIDE, (1, 1, 65_536), true).is_ok());
        let got = RowPlan::new("test", WIDE, (1, 1, 65_537), true);
        assert!(matches!(got, Err(Error::OverLimit { requested: 65_537, maximum: 65_536, .. })), "{got:?}");
        let limits = Limits { cubes: (2, 2), units: 1, ..WIDE };
        assert!(RowPlan::new("test", limits, (4, 1, 1), true).is_ok());
        let got = RowPlan::new("test", limits, (5, 1, 1), true);
        assert!(matches!(got, Err(Error::OverLimit { requested: 5, maximum: 4, .. })), "{got:?}");
    }
}
