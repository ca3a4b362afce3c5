//! What this machine's vectors hold, asked once per kernel.

use pulp::{Arch, Simd, WithSimd};

/// Single-precision values in a vector; 1 without a vector unit.
pub(crate) fn f32_lanes() -> usize {
    Arch::new().dispatch(Lanes)
}

struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        if S::IS_SCALAR { 1 } else { S::F32_LANES }
    }
}
