//! NumPy's `.npy` files, versions 1 and 2: bytes, integers and floats, little-endian, in C order.
//!
//! Not for `.npz` archives, structured types or pickled objects, which are refused.

use std::path::Path;

use super::ImageError;
use super::section::Section;
use crate::Error;

/// The entries of an array, in C order.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum NpyValues {
    /// `uint8`.
    U8(Vec<u8>),
    /// `int32`.
    I32(Vec<i32>),
    /// `int64`.
    I64(Vec<i64>),
    /// `float32`.
    F32(Vec<f32>),
    /// `float64`.
    F64(Vec<f64>),
}

/// An array of a `.npy` file.
#[derive(Debug, Clone, PartialEq)]
pub struct NpyArray {
    /// Sizes of the axes; empty for a single number.
    pub shape: Vec<usize>,
    /// As many values as the product of the sizes.
    pub values: NpyValues,
}

/// Reads a whole `.npy` file.
///
/// # Shapes
/// As the file says.
///
/// # Errors
/// [`ImageError::NpyHeader`], [`ImageError::FileSize`] for a truncated file or trailing bytes, [`Error::Io`].
pub fn read_npy(path: &Path) -> Result<NpyArray, Error> {
    let section = Section::whole(path)?;
    read_section(&section)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NpyType {
    U8,
    I32,
    I64,
    F32,
    F64,
}

impl NpyType {
    fn from_descr(descr: &str) -> Option<Self> {
        match descr {
            "|u1" | "<u1" => Some(Self::U8),
            "<i4" => Some(Self::I32),
            "<i8" => Some(Self::I64),
            "<f4" => Some(Self::F32),
            "<f8" => Some(Self::F64),
            _ => None,
        }
    }

    fn width(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::I32 | Self::F32 => 4,
            Self::I64 | Self::F64 => 8,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::U8 => "uint8",
            Self::I32 => "int32",
            Self::I64 => "int64",
            Self::F32 => "float32",
            Self::F64 => "float64",
        }
    }
}

/// What stands before the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NpyHeader {
    pub(super) dtype: NpyType,
    pub(super) shape: Vec<usize>,
    /// First byte of the data.
    pub(super) start: u64,
}

impl NpyHeader {
    /// Type and shape as messages have them.
    pub(super) fn describe(&self) -> String {
        format!("{} {:?}", self.dtype.name(), self.shape)
    }
}

/// Reads and checks the header, and that the data are as long as it says.
pub(super) fn read_header(section: &Section) -> Result<NpyHeader, Error> {
    let path = section.name.as_path();
    let refuse = |problem: String| ImageError::NpyHeader { path: path.into(), problem };
    let head = section.read_range(0, section.length.min(12) as usize)?;
    if head.len() < 10 || !head.starts_with(b"\x93NUMPY") {
        return Err(refuse("the file does not start as a .npy file".into()).into());
    }
    let (text_at, text_length) = match (head[6], head.get(10..12)) {
        (1, _) => (10, usize::from(u16::from_le_bytes([head[8], head[9]]))),
        (2, Some(high)) => (12, u32::from_le_bytes([head[8], head[9], high[0], high[1]]) as usize),
        (version, _) => return Err(refuse(format!("version {version}, expected 1 or 2")).into()),
    };
    let start = text_at as u64 + text_length as u64;
    if start > section.length {
        return Err(
            refuse(format!("truncated: the header ends at byte {start} of {}", section.length)).into()
        );
    }
    let text = section.read_range(text_at as u64, text_length)?;
    let text = std::str::from_utf8(&text).map_err(|_| refuse("not a text".into()))?;
    let (dtype, shape) = parse(text).map_err(refuse)?;
    let bytes = shape.iter().try_fold(dtype.width(), |product, &size| product.checked_mul(size));
    let end = bytes.and_then(|bytes| start.checked_add(bytes as u64));
    let end = end.ok_or_else(|| refuse(format!("shape {shape:?} is beyond memory")))?;
    if end != section.length {
        let expected = end.to_string();
        return Err(ImageError::FileSize { path: path.into(), expected, got: section.length }.into());
    }
    Ok(NpyHeader { dtype, shape, start })
}

/// The dictionary literal of a header.
fn parse(text: &str) -> Result<(NpyType, Vec<usize>), String> {
    let value = |key: &str| {
        let quoted = format!("'{key}':");
        let at = text.find(&quoted).ok_or_else(|| format!("no `{key}` in `{}`", text.trim()))?;
        Ok::<&str, String>(text[at + quoted.len()..].trim_start())
    };
    let descr = value("descr")?;
    let descr = descr
        .strip_prefix('\'')
        .and_then(|rest| rest.split_once('\''))
        .map(|(descr, _)| descr)
        .ok_or("structured types are not accepted")?;
    if descr.ends_with('O') {
        return Err("pickled Python objects are not accepted".into());
    }
    let dtype = NpyType::from_descr(descr)
        .ok_or_else(|| format!("type `{descr}`, expected |u1, <i4, <i8, <f4 or <f8 (little-endian)"))?;
    let order = value("fortran_order")?;
    if order.starts_with("True") {
        return Err("Fortran order is not accepted; store the array in C order".into());
    }
    if !order.starts_with("False") {
        return Err("`fortran_order` is neither True nor False".into());
    }
    let shape = value("shape")?;
    let inside = shape.strip_prefix('(').and_then(|rest| rest.split_once(')')).map(|(inside, _)| inside);
    let sizes =
        inside.ok_or("`shape` is no tuple")?.split(',').map(str::trim).filter(|size| !size.is_empty());
    let shape: Result<Vec<usize>, _> = sizes.map(|size| size.trim_end_matches('L').parse()).collect();
    Ok((dtype, shape.map_err(|_| "`shape` holds something else than sizes")?))
}

pub(super) fn read_section(section: &Section) -> Result<NpyArray, Error> {
    let header = read_header(section)?;
    let length = usize::try_from(section.length - header.start).unwrap_or(usize::MAX);
    let bytes = section.read_range(header.start, length)?;
    let values = match header.dtype {
        NpyType::U8 => NpyValues::U8(bytes),
        NpyType::I32 => NpyValues::I32(words(&bytes, i32::from_le_bytes)),
        NpyType::I64 => NpyValues::I64(words(&bytes, i64::from_le_bytes)),
        NpyType::F32 => NpyValues::F32(words(&bytes, f32::from_le_bytes)),
        NpyType::F64 => NpyValues::F64(words(&bytes, f64::from_le_bytes)),
    };
    Ok(NpyArray { shape: header.shape, values })
}

fn words<const N: usize, T>(bytes: &[u8], value: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|&word| value(word)).collect()
}

/// One label per image: an integer array of one axis, every value below `n_classes`.
pub(super) fn read_labels(section: &Section, n_classes: usize) -> Result<Vec<usize>, Error> {
    let header = read_header(section)?;
    let array = read_section(section)?;
    let labels: Option<Vec<i64>> = match array.values {
        _ if array.shape.len() != 1 => None,
        NpyValues::U8(values) => Some(values.into_iter().map(i64::from).collect()),
        NpyValues::I32(values) => Some(values.into_iter().map(i64::from).collect()),
        NpyValues::I64(values) => Some(values),
        NpyValues::F32(_) | NpyValues::F64(_) => None,
    };
    let path = &section.name;
    let labels = labels.ok_or_else(|| ImageError::NpyArray {
        path: path.clone(),
        expected: "integers of shape [N]".into(),
        got: header.describe(),
    })?;
    let checked = labels.into_iter().enumerate().map(|(position, label)| {
        usize::try_from(label).ok().filter(|&label| label < n_classes).ok_or_else(|| {
            ImageError::LabelOutOfRange { path: path.clone(), position, label, n_classes }.into()
        })
    });
    checked.collect()
}

#[cfg(test)]
#[path = "npy_tests.rs"]
pub(super) mod tests;
