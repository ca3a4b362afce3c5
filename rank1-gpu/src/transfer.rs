//! Copies of `f32`, `u32` and half-precision buffers to and from a device.
//!
//! Not needed by callers who hold buffers already, for example those of tensors.

use cubecl::prelude::*;
use cubecl::server::Handle;

use crate::{Error, Precision};

/// Copies values to the device; `argument` names them in errors.
///
/// # Shapes
/// `values`: any number of entries from 1 on.
///
/// # Errors
/// [`Error::Empty`] if there are no values, [`Error::OverLimit`] above the largest buffer of the device.
pub fn upload(client: &Client, argument: &'static str, values: &[f32]) -> Result<Handle, Error> {
    write(client, "upload", argument, f32::as_bytes(values))
}

/// Copies words, for example class labels, to the device; `argument` names them in errors.
///
/// # Shapes
/// `words`: any number of entries from 1 on.
///
/// # Errors
/// As [`upload`].
pub fn upload_words(client: &Client, argument: &'static str, words: &[u32]) -> Result<Handle, Error> {
    write(client, "upload_words", argument, u32::as_bytes(words))
}

/// Rounds values to a precision, to the nearest and to even between two, and copies them to the device.
///
/// # Shapes
/// As [`upload`]; the buffer holds [`Precision::bytes`] for each entry.
///
/// # Errors
/// As [`upload`].
///
/// # Source
/// IEEE 754 rounding; beyond 65,504 an f16 is infinite.
pub fn upload_as(
    client: &Client,
    argument: &'static str,
    values: &[f32],
    precision: Precision,
) -> Result<Handle, Error> {
    let bytes: Vec<u8> = match precision {
        Precision::F32 | Precision::Tf32 => return upload(client, argument, values),
        Precision::F16 => values.iter().flat_map(|&value| half::f16::from_f32(value).to_ne_bytes()).collect(),
        Precision::Bf16 => {
            values.iter().flat_map(|&value| half::bf16::from_f32(value).to_ne_bytes()).collect()
        }
    };
    write(client, "upload_as", argument, &bytes)
}

fn write(client: &Client, op: &'static str, argument: &'static str, bytes: &[u8]) -> Result<Handle, Error> {
    if bytes.is_empty() {
        return Err(Error::Empty { op, axis: argument });
    }
    let maximum = client.properties().memory.max_page_size;
    if bytes.len() as u64 > maximum {
        return Err(Error::OverLimit {
            op,
            limit: "the largest buffer of the device in bytes",
            requested: bytes.len() as u64,
            maximum,
        });
    }
    Ok(client.create_from_slice(bytes))
}

/// Waits for the device and copies an `f32` buffer back.
///
/// # Shapes
/// Returns all entries of `buffer` in order.
///
/// # Errors
/// [`Error::Device`] if a kernel that wrote the buffer failed to compile or to run, or memory ran out.
pub fn download(client: &Client, buffer: &Handle) -> Result<Vec<f32>, Error> {
    read(client, buffer, "download")
}

/// Waits for the device and copies a `u32` buffer back.
///
/// # Shapes
/// Returns all entries of `buffer` in order.
///
/// # Errors
/// As [`download`].
pub fn download_words(client: &Client, buffer: &Handle) -> Result<Vec<u32>, Error> {
    read(client, buffer, "download_words")
}

/// Waits for the device and copies a buffer of a precision back, widened to `f32`.
///
/// # Shapes
/// Returns all entries of `buffer` in order.
///
/// # Errors
/// As [`download`].
///
/// # Source
/// A copy; widening is exact.
pub fn download_as(client: &Client, buffer: &Handle, precision: Precision) -> Result<Vec<f32>, Error> {
    let op = "download_as";
    match precision {
        Precision::F32 | Precision::Tf32 => read(client, buffer, op),
        Precision::F16 => {
            read::<half::f16>(client, buffer, op).map(|values| values.into_iter().map(f32::from).collect())
        }
        Precision::Bf16 => {
            read::<half::bf16>(client, buffer, op).map(|values| values.into_iter().map(f32::from).collect())
        }
    }
}

fn read<T: CubeElement>(client: &Client, buffer: &Handle, op: &'static str) -> Result<Vec<T>, Error> {
    match client.read_one(buffer.clone()) {
        Ok(bytes) => Ok(T::from_bytes(&bytes).to_vec()),
        Err(source) => Err(Error::Device { op, source: Box::new(source) }),
    }
}
