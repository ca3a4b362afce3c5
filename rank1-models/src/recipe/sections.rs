//! Types of a recipe: each section is read on its own, so that all of them report.
//!
//! Whether values are possible is asked in [`super::check`].

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::{DataRecipe, EvaluateRecipe, ModelRecipe, PredictRecipe, Problem, Recipe, TrainRecipe};
use crate::method::Method;

/// The sections of a recipe that could be read; each is parsed on its own, so that all report.
#[derive(Default)]
pub(super) struct Sections {
    pub(super) name: Option<String>,
    pub(super) seed: Option<u64>,
    pub(super) data: Option<DataRecipe>,
    pub(super) model: Option<ModelRecipe>,
    pub(super) method: Option<Method>,
    pub(super) train: Option<TrainRecipe>,
    pub(super) predict: Option<PredictRecipe>,
    pub(super) evaluate: Option<EvaluateRecipe>,
    pub(super) search: Option<BTreeMap<String, Vec<Value>>>,
}

impl Sections {
    /// Parses what can be parsed; the rest is a problem each.
    pub(super) fn parse(table: &Table, problems: &mut Vec<Problem>) -> Self {
        Self {
            name: section(table, "name", None, problems),
            seed: section(table, "seed", Some(0), problems),
            data: section(table, "data", None, problems),
            model: section(table, "model", None, problems),
            method: section(table, "method", None, problems),
            train: section(table, "train", Some(Default::default()), problems),
            predict: section(table, "predict", Some(Default::default()), problems),
            evaluate: section(table, "evaluate", Some(Default::default()), problems),
            search: section(table, "search", Some(Default::default()), problems),
        }
    }

    /// The recipe, if every section is there.
    pub(super) fn complete(self) -> Option<Recipe> {
        Some(Recipe {
            name: self.name?,
            seed: self.seed?,
            data: self.data?,
            model: self.model?,
            method: self.method?,
            train: self.train?,
            predict: self.predict?,
            evaluate: self.evaluate?,
            search: self.search?,
        })
    }
}

impl From<Recipe> for Sections {
    fn from(r: Recipe) -> Self {
        Self {
            name: Some(r.name),
            seed: Some(r.seed),
            data: Some(r.data),
            model: Some(r.model),
            method: Some(r.method),
            train: Some(r.train),
            predict: Some(r.predict),
            evaluate: Some(r.evaluate),
            search: Some(r.search),
        }
    }
}

fn section<T: DeserializeOwned>(
    table: &Table,
    key: &str,
    default: Option<T>,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    let Some(value) = table.get(key) else {
        if default.is_none() {
            problems.push(Problem { key: key.into(), message: "missing".into() });
        }
        return default;
    };
    match value.clone().try_into() {
        Ok(value) => Some(value),
        Err(e) => {
            // The parser's text is "<what>\nin `field`\n".
            let text = e.to_string();
            let (what, place) = text.trim().split_once("\nin `").unwrap_or((text.trim(), ""));
            let place = place.trim_end_matches('`');
            let inner = match value {
                Value::Table(fields) => culprit::<T>(fields, place, text.trim()),
                _ => None,
            };
            let inner = inner.unwrap_or_else(|| place.to_owned());
            let key = if inner.is_empty() { key.to_string() } else { format!("{key}.{inner}") };
            problems.push(Problem { key, message: what.replace('\n', " ") });
            None
        }
    }
}

/// The dotted field whose value has the wrong type, where the parser does not say or names only a table around it: a table that
/// is read by its `kind` is buffered, and its errors carry no place. It is the field without which the error goes away or is
/// about its absence.
fn culprit<T: DeserializeOwned>(fields: &Table, place: &str, error: &str) -> Option<String> {
    if error.starts_with("missing field") {
        return None;
    }
    let mut leaves = Vec::new();
    dotted("", fields, &mut leaves);
    // Without the name of its family a table means nothing, whatever else is wrong with it.
    leaves.sort_by_key(|leaf| leaf.ends_with("family"));
    let inside = |leaf: &&String| place.is_empty() || leaf.starts_with(&format!("{place}."));
    let without = |leaf: &&String| {
        let mut rest = fields.clone();
        let name = remove(&mut rest, leaf);
        match Value::Table(rest).try_into::<T>() {
            Ok(_) => true,
            Err(e) => {
                let text = e.to_string();
                text.trim() != error && text.trim().starts_with(&format!("missing field `{name}`"))
            }
        }
    };
    leaves.iter().filter(inside).find(without).cloned()
}

/// The dotted names of all values below a table, but for those by which it is read.
fn dotted(before: &str, fields: &Table, leaves: &mut Vec<String>) {
    for (key, value) in fields.iter().filter(|(key, _)| *key != "kind") {
        let name = if before.is_empty() { key.clone() } else { format!("{before}.{key}") };
        if let Value::Table(inner) = value {
            dotted(&name, inner, leaves);
        }
        leaves.push(name);
    }
}

/// Takes a dotted field out; its own name.
fn remove<'a>(fields: &mut Table, leaf: &'a str) -> &'a str {
    match leaf.split_once('.') {
        None => {
            fields.remove(leaf);
            leaf
        }
        Some((first, rest)) => match fields.get_mut(first) {
            Some(Value::Table(inner)) => remove(inner, rest),
            _ => rest,
        },
    }
}
