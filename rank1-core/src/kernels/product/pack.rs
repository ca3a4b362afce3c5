//! Copies of matrices into the order in which tiles read them.

use super::Operand;

/// As many panels of `height` rows as `panels` holds, from row `first` on: `[panels, inner, height]`.
pub(super) fn pack_panels(from: Operand<'_, f32>, first: usize, height: usize, panels: &mut [f32]) {
    let panel_len = from.size().1 * height;
    let whole = (from.size().0 - first) / height * panel_len;
    let (whole, last) = panels.split_at_mut(whole.min(panels.len()));
    match height {
        16 if from.is_transposed => scatter::<16>(from, first, whole),
        32 if from.is_transposed => scatter::<32>(from, first, whole),
        _ => {
            for (panel, packed) in whole.chunks_exact_mut(panel_len).enumerate() {
                pack(from, first + panel * height, height, packed);
            }
        }
    }
    if !last.is_empty() {
        pack(from, first + whole.len() / panel_len * height, height, last);
    }
}

/// Whole panels, by stored rows: memory is read from front to back.
fn scatter<const H: usize>(from: Operand<'_, f32>, first: usize, panels: &mut [f32]) {
    let panel_len = from.size().1 * H;
    for (i, stored) in from.values.chunks_exact(from.stored_width).enumerate() {
        let (stored, _) = stored[first..].as_chunks::<H>();
        for (panel, from) in panels.chunks_exact_mut(panel_len).zip(stored) {
            panel[i * H..][..H].copy_from_slice(from);
        }
    }
}

/// `height` rows from `first` on, side by side: `[inner, height]`; rows that do not exist are zero.
pub(super) fn pack(from: Operand<'_, f32>, first: usize, height: usize, packed: &mut [f32]) {
    let present = height.min(from.size().0 - first);
    let stored = from.values.chunks_exact(from.stored_width);
    if from.is_transposed {
        // Copies of a length known to the compiler are no calls.
        match (present == height, height) {
            (true, 6) => return pack_columns::<6>(stored, first, packed),
            (true, 8) => return pack_columns::<8>(stored, first, packed),
            (true, 16) => return pack_columns::<16>(stored, first, packed),
            (true, 32) => return pack_columns::<32>(stored, first, packed),
            _ => {}
        }
        for (to, from) in packed.chunks_exact_mut(height).zip(stored) {
            to[..present].copy_from_slice(&from[first..first + present]);
            to[present..].fill(0.0);
        }
        return;
    }
    match (present == height, height) {
        (true, 6) => return pack_rows::<6>(from, first, packed),
        (true, 8) => return pack_rows::<8>(from, first, packed),
        (true, 16) => return pack_rows::<16>(from, first, packed),
        (true, 32) => return pack_rows::<32>(from, first, packed),
        _ => packed.fill(0.0),
    }
    for (lane, from) in stored.skip(first).take(present).enumerate() {
        for (to, &value) in packed[lane..].iter_mut().step_by(height).zip(from) {
            *to = value;
        }
    }
}

fn pack_rows<const H: usize>(from: Operand<'_, f32>, first: usize, packed: &mut [f32]) {
    let width = from.stored_width;
    let rows: [&[f32]; H] =
        std::array::from_fn(|h| &from.values[(first + h) * width..(first + h + 1) * width]);
    let (packed, _) = packed.as_chunks_mut::<H>();
    for (i, to) in packed.iter_mut().enumerate().take(width) {
        for h in 0..H {
            to[h] = rows[h][i];
        }
    }
}

fn pack_columns<'a, const H: usize>(
    stored: impl Iterator<Item = &'a [f32]>,
    first: usize,
    packed: &mut [f32],
) {
    let (packed, _) = packed.as_chunks_mut::<H>();
    for (to, from) in packed.iter_mut().zip(stored) {
        if let Some(from) = from[first..].first_chunk::<H>() {
            *to = *from;
        }
    }
}
