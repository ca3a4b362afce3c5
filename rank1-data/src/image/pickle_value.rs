//! What a pickle of a data set holds, and typed access to the entries of its dictionary.
//!
//! Not for parsing; see the pickle reader beside it.

use std::borrow::Cow;
use std::path::PathBuf;

use super::ImageError;

/// The names a pickle may refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    Reconstruct,
    NdArray,
    Dtype,
    Encode,
}

impl Known {
    pub(super) fn from_names(module: &str, name: &str) -> Option<Self> {
        match (module, name) {
            ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct") => Some(Self::Reconstruct),
            ("numpy", "ndarray") => Some(Self::NdArray),
            ("numpy", "dtype") => Some(Self::Dtype),
            ("_codecs", "encode") => Some(Self::Encode),
            _ => None,
        }
    }
}

/// One value; containers refer to others by their number.
#[derive(Debug, Clone)]
pub(super) enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    /// Never used by the sets; its value is not kept.
    Float,
    /// Bytes, or a text of Python 2.
    Bytes(Cow<'a, [u8]>),
    Text(&'a str),
    Tuple(Vec<usize>),
    List(Vec<usize>),
    Dict(Vec<(usize, usize)>),
    Global(Known),
    Dtype(String),
    /// Announced, its state not yet read.
    EmptyArray,
    Array {
        shape: Vec<usize>,
        data: Cow<'a, [u8]>,
    },
}

impl Value<'_> {
    pub(super) fn as_text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Bytes(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
            _ => None,
        }
    }
}

/// A parsed pickle.
#[derive(Debug)]
pub(super) struct Pickle<'a> {
    pub(super) path: PathBuf,
    pub(super) values: Vec<Value<'a>>,
    pub(super) root: usize,
}

impl Pickle<'_> {
    fn refuse<T>(&self, key: &'static str, problem: impl Into<String>) -> Result<T, ImageError> {
        Err(ImageError::PickleEntry { path: self.path.clone(), key, problem: problem.into() })
    }

    fn entry(&self, key: &'static str) -> Result<&Value<'_>, ImageError> {
        let Value::Dict(entries) = &self.values[self.root] else {
            return self.refuse(key, "the pickle is no dictionary");
        };
        let found = entries.iter().find(|(name, _)| self.values[*name].as_text().as_deref() == Some(key));
        match found {
            Some(&(_, value)) => Ok(&self.values[value]),
            None => self.refuse(key, "missing"),
        }
    }

    /// Shape and bytes of an array.
    pub(super) fn array(&self, key: &'static str) -> Result<(&[usize], &[u8]), ImageError> {
        match self.entry(key)? {
            Value::Array { shape, data } => Ok((shape, data)),
            _ => self.refuse(key, "expected an array of bytes"),
        }
    }

    fn list(&self, key: &'static str) -> Result<&[usize], ImageError> {
        match self.entry(key)? {
            Value::List(items) => Ok(items),
            _ => self.refuse(key, "expected a list"),
        }
    }

    /// A list of integers.
    pub(super) fn integers(&self, key: &'static str) -> Result<Vec<i64>, ImageError> {
        let values = self.list(key)?.iter().map(|&id| match &self.values[id] {
            Value::Int(value) => Some(*value),
            _ => None,
        });
        values.collect::<Option<_>>().map_or_else(|| self.refuse(key, "expected integers"), Ok)
    }

    /// A list of texts.
    pub(super) fn texts(&self, key: &'static str) -> Result<Vec<String>, ImageError> {
        let texts = self.list(key)?.iter().map(|&id| self.values[id].as_text().map(Cow::into_owned));
        texts.collect::<Option<_>>().map_or_else(|| self.refuse(key, "expected texts"), Ok)
    }
}
