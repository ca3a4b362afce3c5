//! Typed, path-aware reading of golden JSON: every access is recorded, so that nothing is skipped silently.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use ndarray::{Array, ArrayD, Dimension, Ix1, Ix2, Ix3, Ix4, IxDyn};
use serde_json::{Map, Value};

use crate::report::Report;

/// A field that is missing or has another type or shape than the schema says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fault {
    pub(crate) path: String,
    pub(crate) what: String,
}

pub(crate) type Outcome<T> = Result<T, Fault>;

/// Numbers with their shape; a plain number has shape `[]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Values {
    pub(crate) shape: Vec<usize>,
    pub(crate) data: Vec<f64>,
}

impl From<f64> for Values {
    fn from(value: f64) -> Self {
        Self { shape: Vec::new(), data: vec![value] }
    }
}

impl From<Vec<f64>> for Values {
    fn from(data: Vec<f64>) -> Self {
        Self { shape: vec![data.len()], data }
    }
}

impl<D: Dimension> From<Array<f64, D>> for Values {
    fn from(array: Array<f64, D>) -> Self {
        Self { shape: array.shape().to_vec(), data: array.iter().copied().collect() }
    }
}

impl<const D: usize> From<burn::tensor::Tensor<D>> for Values {
    fn from(tensor: burn::tensor::Tensor<D>) -> Self {
        let data = tensor.to_data();
        Self { shape: tensor.dims().to_vec(), data: data.iter::<f64>().collect() }
    }
}

impl Values {
    /// The same numbers in another shape.
    pub(crate) fn reshaped(self, shape: &[usize]) -> Self {
        assert_eq!(shape.iter().product::<usize>(), self.data.len(), "a reshape keeps the number of entries");
        Self { shape: shape.to_vec(), data: self.data }
    }
}

/// One JSON object with its place in the file.
#[derive(Debug, Clone)]
pub(crate) struct Record<'a> {
    map: &'a Map<String, Value>,
    pub(crate) path: String,
    seen: Rc<RefCell<BTreeSet<String>>>,
    pub(crate) report: &'a Report,
}

impl<'a> Record<'a> {
    pub(crate) fn root(value: &'a Value, report: &'a Report) -> Outcome<Self> {
        Self::new(value, String::new(), report)
    }

    fn new(value: &'a Value, path: String, report: &'a Report) -> Outcome<Self> {
        match value {
            Value::Object(map) => Ok(Self { map, path, seen: Rc::default(), report }),
            _ => Err(Fault { path, what: "is no object".into() }),
        }
    }

    pub(crate) fn fault<T>(&self, key: &str, what: impl Into<String>) -> Outcome<T> {
        Err(Fault { path: self.at(key), what: what.into() })
    }

    /// JSON pointer of a field.
    pub(crate) fn at(&self, key: &str) -> String {
        format!("{}/{}", self.path, key.replace('~', "~0").replace('/', "~1"))
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.map.get(key).is_some_and(|v| !v.is_null())
    }

    pub(crate) fn keys(&self) -> Vec<&'a str> {
        self.map.keys().map(String::as_str).collect()
    }

    /// Acknowledges fields that describe and are not checked.
    pub(crate) fn note(&self, keys: &[&str]) {
        self.seen.borrow_mut().extend(keys.iter().map(|k| (*k).to_string()));
    }

    /// Fields that nothing read.
    pub(crate) fn unread(&self) -> Vec<String> {
        let seen = self.seen.borrow();
        self.map.keys().filter(|k| !seen.contains(*k)).map(|k| self.at(k)).collect()
    }

    pub(crate) fn get(&self, key: &str) -> Outcome<&'a Value> {
        self.note(&[key]);
        self.map.get(key).ok_or_else(|| Fault { path: self.at(key), what: "is missing".into() })
    }

    pub(crate) fn number(&self, key: &str) -> Outcome<f64> {
        self.get(key)?.as_f64().ok_or_else(|| Fault { path: self.at(key), what: "is no number".into() })
    }

    pub(crate) fn count(&self, key: &str) -> Outcome<usize> {
        let value = self.get(key)?.as_u64();
        value.map(|v| v as usize).ok_or_else(|| Fault { path: self.at(key), what: "is no count".into() })
    }

    pub(crate) fn flag(&self, key: &str) -> Outcome<bool> {
        self.get(key)?.as_bool().ok_or_else(|| Fault { path: self.at(key), what: "is no boolean".into() })
    }

    pub(crate) fn text(&self, key: &str) -> Outcome<&'a str> {
        self.get(key)?.as_str().ok_or_else(|| Fault { path: self.at(key), what: "is no text".into() })
    }

    pub(crate) fn texts(&self, key: &str) -> Outcome<Vec<&'a str>> {
        let list = self.get(key)?.as_array().and_then(|list| list.iter().map(Value::as_str).collect());
        list.ok_or_else(|| Fault { path: self.at(key), what: "is no list of texts".into() })
    }

    pub(crate) fn child(&self, key: &str) -> Outcome<Record<'a>> {
        Self::new(self.get(key)?, self.at(key), self.report)
    }

    pub(crate) fn children(&self, key: &str) -> Outcome<Vec<Record<'a>>> {
        let Value::Array(list) = self.get(key)? else { return self.fault(key, "is no list") };
        if list.is_empty() {
            return self.fault(key, "is empty");
        }
        let child = |(i, v)| Self::new(v, format!("{}/{i}", self.at(key)), self.report);
        list.iter().enumerate().map(child).collect()
    }

    /// A number, a list of numbers, or an encoded array.
    pub(crate) fn values(&self, key: &str) -> Outcome<Values> {
        let value = self.get(key)?;
        decode(value).map_err(|what| Fault { path: self.at(key), what })
    }

    fn array<D: Dimension>(&self, key: &str) -> Outcome<Array<f64, D>> {
        let values = self.values(key)?;
        let dims = values.shape.len();
        let array = ArrayD::from_shape_vec(IxDyn(&values.shape), values.data);
        let array = array.map_err(|e| Fault { path: self.at(key), what: e.to_string() })?;
        array
            .into_dimensionality::<D>()
            .map_err(|_| Fault { path: self.at(key), what: format!("has {dims} axes") })
    }

    pub(crate) fn vector(&self, key: &str) -> Outcome<Array<f64, Ix1>> {
        self.array(key)
    }

    pub(crate) fn matrix(&self, key: &str) -> Outcome<Array<f64, Ix2>> {
        self.array(key)
    }

    pub(crate) fn cube(&self, key: &str) -> Outcome<Array<f64, Ix3>> {
        self.array(key)
    }

    pub(crate) fn block(&self, key: &str) -> Outcome<Array<f64, Ix4>> {
        self.array(key)
    }

    /// Non-negative integers.
    pub(crate) fn labels(&self, key: &str) -> Outcome<Array<usize, Ix1>> {
        self.vector(key)?;
        Ok(Array::from(self.counts(key)?))
    }

    /// Non-negative integers of any shape.
    pub(crate) fn counts(&self, key: &str) -> Outcome<Vec<usize>> {
        let values = self.values(key)?.data;
        if values.iter().any(|v| *v < 0.0 || v.fract() != 0.0) {
            return self.fault(key, "holds something else than non-negative integers");
        }
        Ok(values.into_iter().map(|v| v as usize).collect())
    }

    /// Refuses an array that has another shape than the sizes of its case say.
    pub(crate) fn expect_shape(&self, key: &str, shape: &[usize]) -> Outcome<()> {
        let got = self.values(key)?.shape;
        if got == shape { Ok(()) } else { self.fault(key, format!("has shape {got:?}, expected {shape:?}")) }
    }

    /// Turns an error of the code under test into a fault at this place.
    pub(crate) fn ok<T, E: std::fmt::Display>(&self, result: Result<T, E>) -> Outcome<T> {
        result.map_err(|e| Fault { path: self.path.clone(), what: format!("was refused: {e}") })
    }
}

fn decode(value: &Value) -> Result<Values, String> {
    let numbers = |list: &[Value]| -> Option<Vec<f64>> {
        list.iter().map(|v| v.as_f64().or_else(|| v.as_bool().map(f64::from))).collect()
    };
    match value {
        Value::Number(n) => n.as_f64().map(Values::from).ok_or_else(|| "is no number".into()),
        Value::Array(list) => numbers(list).map(Values::from).ok_or_else(|| "is no list of numbers".into()),
        Value::Object(map) => {
            let list = |key: &str| map.get(key).and_then(Value::as_array).ok_or(format!("has no `{key}`"));
            let shape: Option<Vec<usize>> =
                list("shape")?.iter().map(|v| v.as_u64().map(|v| v as usize)).collect();
            let shape = shape.ok_or("has a shape that is no list of counts")?;
            let data = numbers(list("data")?).ok_or("has data that are no numbers")?;
            let expected = shape.iter().product::<usize>();
            if data.len() != expected {
                return Err(format!("has {} entries for shape {shape:?}", data.len()));
            }
            Ok(Values { shape, data })
        }
        _ => Err("is neither a number nor an array".into()),
    }
}
