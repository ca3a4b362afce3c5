//! Rows of a buffer as a buffer, and results of parts that make a whole.
//!
//! Private: see `drawn_linear` for what is done in parts.

use cubecl::prelude::*;
use cubecl::server::Handle;

use super::checks::limits_of;
use crate::Error;
use crate::kernels::parts;
use crate::shape::Plan;

/// `n` rows of `width` floats from row `first` on, in place.
///
/// Where they are bound to a kernel their first byte must lie at a multiple of the device's alignment.
pub(super) fn rows_of(buffer: &Handle, first: usize, n: usize, width: usize) -> Handle {
    let (start, length) = (4 * (first * width) as u64, 4 * (n * width) as u64);
    if length == buffer.size_in_used() {
        return buffer.clone();
    }
    let behind = buffer.size_in_used() - start - length;
    buffer.clone().offset_start(start).offset_end(behind)
}

/// The same of a small buffer, copied where its first byte is not at a multiple of the device's alignment.
pub(super) fn bindable_rows_of(
    op: &'static str,
    client: &Client,
    buffer: &Handle,
    [first, n, width]: [usize; 3],
) -> Result<Handle, Error> {
    let alignment = client.properties().memory.alignment.max(1);
    if (4 * (first * width) as u64).is_multiple_of(alignment) {
        return Ok(rows_of(buffer, first, n, width));
    }
    let rows = client.empty(4 * n * width);
    put(op, client, (buffer, first * width), (&rows, 0), n * width, false)?;
    Ok(rows)
}

/// Copies `n` floats from a place in a buffer to a place in another, or adds them.
fn put(
    op: &'static str,
    client: &Client,
    (values, from): (&Handle, usize),
    (total, at): (&Handle, usize),
    n: usize,
    add: bool,
) -> Result<(), Error> {
    let floats = |buffer: &Handle| (buffer.size_in_used() / 4) as usize;
    assert!(from + n <= floats(values) && at + n <= floats(total), "{op}: {from} + {n} to {at} + {n}");
    let plan = Plan::new(op, (n, 4), n, limits_of(client))?;
    // SAFETY: both ranges were just compared with the buffers; a unit returns unless it is one of `n`. Buffers have at
    // most 2^31 floats, so no position wraps.
    unsafe {
        parts::put::launch_unchecked(
            client,
            plan.count,
            plan.dim,
            BufferArg::from_raw_parts(values.clone(), floats(values)),
            BufferArg::from_raw_parts(total.clone(), floats(total)),
            from as u32,
            at as u32,
            n as u32,
            add,
        );
    }
    Ok(())
}

/// A buffer that parts fill, or to which they add in their order.
#[derive(Debug)]
pub(super) struct Total {
    elements: usize,
    buffer: Option<Handle>,
}

impl Total {
    pub(super) fn new(elements: usize) -> Self {
        Self { elements, buffer: None }
    }

    /// Takes a part's result for the entries from `at` on, the first that they get or one to add.
    ///
    /// A result as large as the whole becomes the buffer, which costs nothing; nobody else may hold it.
    pub(super) fn take(
        &mut self,
        op: &'static str,
        client: &Client,
        values: Handle,
        at: usize,
        first: bool,
    ) -> Result<(), Error> {
        let n = (values.size_in_used() / 4) as usize;
        match &self.buffer {
            None if n == self.elements => self.buffer = Some(values),
            None => {
                let buffer = client.empty(4 * self.elements);
                put(op, client, (&values, 0), (&buffer, at), n, !first)?;
                self.buffer = Some(buffer);
            }
            Some(buffer) => put(op, client, (&values, 0), (buffer, at), n, !first)?,
        }
        Ok(())
    }

    /// What the parts so far have made.
    pub(super) fn so_far(&self) -> Option<&Handle> {
        self.buffer.as_ref()
    }

    /// The whole; there was at least one part.
    pub(super) fn finish(self) -> Handle {
        self.buffer.expect("a layer has at least one part, and each brings every gradient")
    }
}
