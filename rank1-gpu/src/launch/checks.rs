//! What is looked at before every launch: types, limits, lengths and the device of each buffer.
//!
//! Nothing here looks at values.

use cubecl::features::TypeUsage;
use cubecl::prelude::*;
use cubecl::server::Handle;

use crate::shape::{Limits, MAX_ELEMENTS};
use crate::strategy;
use crate::{Clip, DrawShape, Error, Precision};

/// Bounds for the kernel, which ignores them where nothing is clipped.
pub(super) fn bounds(clip: Option<Clip>) -> (f32, f32) {
    clip.map_or((0.0, 0.0), |clip| (clip.min(), clip.max()))
}

pub(super) fn limits_of(client: &Client) -> Limits {
    let properties = client.properties();
    let (x, y, _) = properties.hardware.max_cube_count;
    let units = properties.hardware.max_units_per_cube.min(properties.hardware.max_cube_dim.0);
    Limits { bytes: properties.memory.max_page_size, cubes: (x, y), units }
}

/// Multiprocessors of a device, or what stands for them where it does not tell.
pub(super) fn multiprocessors(client: &Client) -> u32 {
    let properties = client.properties();
    match (properties.hardware.num_streaming_multiprocessors, &properties.identity.physical) {
        (Some(n), _) => n,
        (None, Some(_)) => strategy::UNKNOWN_MULTIPROCESSORS,
        (None, None) => strategy::SOFTWARE_MULTIPROCESSORS,
    }
}

pub(super) fn check_types(op: &'static str, client: &Client) -> Result<(), Error> {
    let needed = [("f32", f32::elem_type_native()), ("u32", u32::elem_type_native())];
    match needed.into_iter().find(|(_, elem)| !client.properties().supports_type(*elem)) {
        Some((feature, _)) => Err(Error::Unsupported { op, feature, runtime: client.name() }),
        None => Ok(()),
    }
}

/// The same, and the type of a precision's buffers; tf32 is f32 where no tensor core multiplies.
pub(super) fn check_types_in(op: &'static str, client: &Client, precision: Precision) -> Result<(), Error> {
    check_types(op, client)?;
    match precision {
        Precision::F32 | Precision::Tf32 => Ok(()),
        Precision::F16 | Precision::Bf16 => check_precision(op, client, precision),
    }
}

/// The device can keep buffers of the precision and convert them.
pub(super) fn check_precision(op: &'static str, client: &Client, precision: Precision) -> Result<(), Error> {
    let properties = client.properties();
    let usage = properties.type_usage(precision.stored());
    let stored = usage.contains(TypeUsage::Buffer) && usage.contains(TypeUsage::Conversion);
    let rounds = precision != Precision::Tf32 || properties.supports_type(tf32::elem_type_native());
    if stored && rounds {
        return Ok(());
    }
    Err(Error::Unsupported { op, feature: precision.feature(), runtime: client.name() })
}

pub(super) fn check_parameters(
    op: &'static str,
    client: &Client,
    shape: DrawShape,
    location: &Handle,
    scale: &Handle,
) -> Result<(), Error> {
    let expected = [shape.n_members, shape.width];
    check_parameters_as(op, client, ["location", "scale"], expected, [location, scale])
}

/// The same under other names.
pub(super) fn check_parameters_as(
    op: &'static str,
    client: &Client,
    names: [&'static str; 2],
    expected: [usize; 2],
    parameters: [&Handle; 2],
) -> Result<(), Error> {
    names.into_iter().zip(parameters).try_for_each(|(name, of)| check_buffer(op, client, name, of, &expected))
}

pub(super) fn check_buffer(
    op: &'static str,
    client: &Client,
    argument: &'static str,
    buffer: &Handle,
    expected: &[usize],
) -> Result<(), Error> {
    check_buffer_of(op, client, argument, buffer, expected, 4)
}

/// The same for entries of `entry` bytes.
pub(super) fn check_buffer_of(
    op: &'static str,
    client: &Client,
    argument: &'static str,
    buffer: &Handle,
    expected: &[usize],
    entry: usize,
) -> Result<(), Error> {
    if buffer.service != client.service_id() {
        return Err(Error::ForeignBuffer { op, argument });
    }
    let bytes = buffer.size_in_used();
    if bytes != (entry * expected.iter().product::<usize>()) as u64 {
        let got = (bytes / entry as u64) as usize;
        return Err(Error::ShapeMismatch { op, argument, expected: expected.to_vec(), got });
    }
    Ok(())
}

/// Entries of `entry` bytes in a buffer that has `n` of them from entry `at` on.
///
/// # Panics
/// If it ends before, or lies beyond 32-bit positions: the callers made or checked it.
pub(super) fn check_rows(op: &'static str, (buffer, entry): (&Handle, usize), at: usize, n: usize) -> usize {
    let entries = buffer.size_in_used() / entry as u64;
    assert!(
        (at + n) as u64 <= entries && entries <= MAX_ELEMENTS,
        "{op}: {n} entries from {at} on of {entries}"
    );
    entries as usize
}
