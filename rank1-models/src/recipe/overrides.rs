//! `--set key=value`: dotted keys replaced in a recipe's table before it is checked.

use std::str::FromStr;

use toml::{Table, Value};

use super::Problem;

/// One dotted key and its new value.
#[derive(Debug, Clone, PartialEq)]
pub struct Override {
    /// Dotted key, for example `train.optimizer.learning_rate`.
    pub key: String,
    /// Value in TOML syntax; a bare word counts as a string.
    pub value: Value,
}

impl Override {
    /// A key and a ready value.
    #[must_use]
    pub fn new(key: &str, value: Value) -> Self {
        Self { key: key.into(), value }
    }

    pub(super) fn apply(&self, table: &mut Table, problems: &mut Vec<Problem>) {
        let mut path: Vec<&str> = self.key.split('.').collect();
        let Some(last) = path.pop().filter(|last| !last.is_empty()) else {
            problems.push(Problem { key: self.key.clone(), message: "not a dotted key".into() });
            return;
        };
        let mut at = table;
        for part in path {
            let next = at.entry(part).or_insert_with(|| Value::Table(Table::new()));
            let Value::Table(inner) = next else {
                let message = format!("`{part}` is a value, not a table; it has no keys");
                problems.push(Problem { key: self.key.clone(), message });
                return;
            };
            at = inner;
        }
        at.insert(last.into(), self.value.clone());
    }
}

impl FromStr for Override {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (key, value) = text.split_once('=').ok_or_else(|| format!("expected KEY=VALUE, got `{text}`"))?;
        let (key, value) = (key.trim(), value.trim());
        let parsed = format!("v = {value}").parse::<Table>().ok().and_then(|mut t| t.remove("v"));
        Ok(Self { key: key.into(), value: parsed.unwrap_or_else(|| Value::String(value.into())) })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn values_are_toml_and_bare_words_are_strings() {
        let o: Override = "train.epochs=3".parse().unwrap();
        assert_eq!(o.value, Value::Integer(3));
        let o: Override = "data.set = boston".parse().unwrap();
        assert_eq!((o.key.as_str(), o.value), ("data.set", Value::String("boston".into())));
        let o: Override = "model.hidden=[50, 50]".parse().unwrap();
        assert_eq!(o.value.as_array().unwrap().len(), 2);
        assert!("train.epochs".parse::<Override>().is_err());
    }

    #[test]
    fn a_key_below_a_value_is_a_problem() {
        let mut table: Table = "seed = 1".parse().unwrap();
        let mut problems = Vec::new();
        "seed.x=1".parse::<Override>().unwrap().apply(&mut table, &mut problems);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].message.contains("not a table"));
    }
}
