//! Kernel that puts the result of a part where it belongs in the whole, or takes a part of it.

use cubecl::prelude::*;

/// `total[at + i] = values[from + i]` for `i < n`, or the sum of both.
#[cube(launch_unchecked)]
pub(crate) fn put(values: &[f32], total: &mut [f32], from: u32, at: u32, n: u32, #[comptime] add: bool) {
    let unit = ABSOLUTE_POS as u32;
    if unit < n {
        let value = values[(from + unit) as usize];
        let at = (at + unit) as usize;
        if comptime!(add) {
            total[at] += value;
        } else {
            total[at] = value;
        }
    }
}
