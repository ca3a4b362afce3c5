//! Shapes of draws, checked against the limits of a device before anything is launched.
//!
//! Not for strides: every buffer is contiguous and member-major, row `k * n_examples + e`.

use cubecl::prelude::{CubeCount, CubeDim};

use crate::Error;

/// Entries of one buffer: the kernels compute positions in 32 bits, and half of them keep every sum from wrapping.
pub(crate) const MAX_ELEMENTS: u64 = 1 << 31;
/// Units of a cube; a multiple of every plane size in use.
const UNITS_PER_CUBE: u32 = 256;

/// The shape `[n_members, n_examples, width]` of a factor draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DrawShape {
    /// Number of members `K`.
    pub n_members: usize,
    /// Draws per member: the batch size for one draw per example, 1 for one shared by the batch.
    pub n_examples: usize,
    /// Entries of a factor, `D`.
    pub width: usize,
}

/// What limits a launch: the largest buffer in bytes, and the largest grid and cube.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) bytes: u64,
    pub(crate) cubes: (u32, u32),
    pub(crate) units: u32,
}

impl DrawShape {
    /// Number of entries, `K * n_examples * D`.
    ///
    /// # Errors
    /// [`Error::Empty`] if an axis is 0, [`Error::OverLimit`] above `2^31` entries.
    pub fn elements(&self, op: &'static str) -> Result<usize, Error> {
        check_axes(
            op,
            &[("n_members", self.n_members), ("n_examples", self.n_examples), ("width", self.width)],
        )
    }

    /// Size of one buffer of this shape, `entry` bytes each, and the grid with one unit per four entries of a row.
    pub(crate) fn plan(&self, op: &'static str, entry: usize, limits: Limits) -> Result<Plan, Error> {
        let elements = self.elements(op)?;
        let blocks = self.n_members * self.n_examples * self.width.div_ceil(4);
        Plan::new(op, (elements, entry), blocks, limits)
    }
}

impl Plan {
    /// A buffer of `elements` of `entry` bytes each, written by `n_units` units, at most as many as elements.
    pub(crate) fn new(
        op: &'static str,
        (elements, entry): (usize, usize),
        n_units: usize,
        limits: Limits,
    ) -> Result<Self, Error> {
        let over = |limit, requested, maximum| Err(Error::OverLimit { op, limit, requested, maximum });
        check_bytes(op, (elements, entry), limits)?;
        let units = UNITS_PER_CUBE.min(limits.units.max(1));
        let cubes = (n_units as u64).div_ceil(u64::from(units));
        // A row of cubes first; further rows only where one does not hold them all.
        let x = cubes.min(u64::from(limits.cubes.0.max(1)));
        let y = cubes.div_ceil(x);
        if y > u64::from(limits.cubes.1) {
            let maximum = u64::from(limits.cubes.0) * u64::from(limits.cubes.1);
            return over("the largest number of cubes of a launch", cubes, maximum);
        }
        Ok(Self { elements, count: CubeCount::Static(x as u32, y as u32, 1), dim: CubeDim::new_1d(units) })
    }
}

/// Number of elements of a buffer with these axes: none is 0, and the product has 32-bit addresses.
pub(crate) fn check_axes(op: &'static str, axes: &[(&'static str, usize)]) -> Result<usize, Error> {
    if let Some((axis, _)) = axes.iter().find(|(_, length)| *length == 0) {
        return Err(Error::Empty { op, axis });
    }
    let product = axes.iter().fold(1_u64, |all, (_, length)| all.saturating_mul(*length as u64));
    if product > MAX_ELEMENTS {
        return Err(Error::OverLimit {
            op,
            limit: "the number of elements of a 32-bit address",
            requested: product,
            maximum: MAX_ELEMENTS,
        });
    }
    Ok(product as usize)
}

/// The device can hold a buffer of `elements` of `entry` bytes each.
pub(crate) fn check_bytes(
    op: &'static str,
    (elements, entry): (usize, usize),
    limits: Limits,
) -> Result<(), Error> {
    let requested = entry as u64 * elements as u64;
    if requested > limits.bytes {
        let limit = "the largest buffer of the device in bytes";
        return Err(Error::OverLimit { op, limit, requested, maximum: limits.bytes });
    }
    Ok(())
}

/// A checked launch.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) elements: usize,
    pub(crate) count: CubeCount,
    pub(crate) dim: CubeDim,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const WIDE: Limits = Limits { bytes: 1 << 40, cubes: (65_535, 65_535), units: 256 };

    fn shape(n_members: usize, n_examples: usize, width: usize) -> DrawShape {
        DrawShape { n_members, n_examples, width }
    }

    fn grid(shape: DrawShape, limits: Limits) -> (u64, u64) {
        let Plan { count: CubeCount::Static(x, y, 1), .. } = shape.plan("test", 4, limits).unwrap() else {
            unreachable!("plans are static and flat");
        };
        (u64::from(x), u64::from(y))
    }

    #[test]
    fn an_empty_axis_is_named() {
        for (empty, name) in
            [(shape(0, 5, 7), "n_members"), (shape(3, 0, 7), "n_examples"), (shape(3, 5, 0), "width")]
        {
            let error = empty.elements("test").unwrap_err();
            assert!(matches!(error, Error::Empty { axis, .. } if axis == name), "{error}");
        }
    }

    #[test]
    fn more_than_half_of_the_32_bit_addresses_are_refused() {
        assert_eq!(shape(1 << 10, 1 << 10, 1 << 11).elements("test").unwrap(), 1 << 31);
        for large in [shape((1 << 31) + 1, 1, 1), shape(usize::MAX, usize::MAX, usize::MAX)] {
            assert!(
                matches!(large.elements("test"), Err(Error::OverLimit { maximum, .. }) if maximum == 1 << 31)
            );
        }
    }

    #[test]
    fn a_buffer_above_the_device_limit_is_refused_with_both_numbers() {
        let limits = Limits { bytes: 419, ..WIDE };
        let error = shape(3, 5, 7).plan("test", 4, limits).unwrap_err();
        assert!(matches!(error, Error::OverLimit { requested: 420, maximum: 419, .. }), "{error}");
        assert!(shape(3, 5, 7).plan("test", 4, Limits { bytes: 420, ..WIDE }).is_ok());
        assert!(shape(3, 5, 7).plan("test", 2, Limits { bytes: 210, ..WIDE }).is_ok());
        assert!(shape(3, 5, 7).plan("test", 2, Limits { bytes: 209, ..WIDE }).is_err());
    }

    #[test]
    fn every_block_has_a_unit_and_no_row_of_cubes_is_idle() {
        for large in [shape(1, 1, 1), shape(3, 5, 7), shape(17, 4096, 4099), shape(1 << 20, 1 << 10, 1)] {
            let blocks = (large.n_members * large.n_examples * large.width.div_ceil(4)) as u64;
            let (x, y) = grid(large, WIDE);
            assert!(x * y * 256 >= blocks && x * (y - 1) * 256 < blocks, "{large:?}: {x} {y}");
            assert!(x <= 65_535 && y <= 65_535);
        }
    }

    #[test]
    fn too_many_cubes_are_refused() {
        let limits = Limits { cubes: (2, 2), units: 32, ..WIDE };
        assert!(shape(1, 128, 4).plan("test", 4, limits).is_ok());
        let error = shape(1, 129, 4).plan("test", 4, limits).unwrap_err();
        assert!(matches!(error, Error::OverLimit { requested: 5, maximum: 4, .. }), "{error}");
    }
}
