//! Proof that the runner can fail: every stored value is moved a little and must be missed by every rule that compares it.

use std::path::Path;

use serde_json::Value;

use crate::report::{Checked, TEXT};
use crate::{Check, Known, check_value, known, read};

/// Moves each compared value of each stored file by three times what a rule allows, one at a time, and breaks each file.
pub(crate) fn every_comparison_can_fail(folder: &Path) -> bool {
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .collect();
    paths.sort();
    let (mut moved, mut unnoticed) = (0, Vec::new());
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (Known::Checked(check), Ok(value)) = (known(&name), read(&path)) else { continue };
        let rules = distinct(check_value(check, &value).checked.into_inner());
        for rule in &rules {
            moved += 1;
            if !notices(check, &value, rule) {
                unnoticed.push(format!("{name} {} by rule `{}`", rule.path, rule.rule));
            }
        }
        for (what, broken) in breakages(&value) {
            moved += 1;
            if check_value(check, &broken).failures.borrow().is_empty() {
                unnoticed.push(format!("{name} {what}"));
            }
        }
    }
    for change in &unnoticed {
        println!("self-test: not noticed: {change}");
    }
    println!("self-test: {moved} changes to stored values, {} not noticed", unnoticed.len());
    moved > 0 && unnoticed.is_empty()
}

/// One entry per path and rule, with the smallest allowance.
fn distinct(mut checked: Vec<Checked>) -> Vec<Checked> {
    checked
        .sort_by(|a, b| (&a.path, a.rule).cmp(&(&b.path, b.rule)).then(a.allowance.total_cmp(&b.allowance)));
    checked.dedup_by(|later, first| (&later.path, later.rule) == (&first.path, first.rule));
    checked
}

/// Whether the very rule reports the very field once its value has moved.
fn notices(check: Check, document: &Value, rule: &Checked) -> bool {
    let Some(changed) = perturb(document, rule) else { return false };
    let report = check_value(check, &changed);
    let prefix = format!("{} ({}):", rule.path, rule.rule);
    let named = report.failures.borrow().iter().any(|failure| failure.starts_with(&prefix));
    // A value that is also read as a setting may make the case unreadable instead.
    named || report.failures.borrow().iter().any(|failure| failure.starts_with("malformed"))
}

/// The document with the first entry of a field beyond its allowance, or a text changed.
fn perturb(document: &Value, field: &Checked) -> Option<Value> {
    let mut changed = document.clone();
    let mut slot = changed.pointer_mut(&field.path)?;
    if field.rule == TEXT {
        *slot = Value::from(format!("{}?", slot.as_str()?));
        return Some(changed);
    }
    if slot.get("data").is_some() {
        slot = slot.pointer_mut("/data/0")?;
    } else if slot.is_array() {
        slot = slot.pointer_mut("/0")?;
    }
    if let Some(flag) = slot.as_bool() {
        *slot = Value::from(!flag);
        return Some(changed);
    }
    let value = slot.as_f64()?;
    let step = if field.allowance == 0.0 { 1.0 } else { 3.0 * field.allowance };
    *slot =
        if slot.is_u64() && step == 1.0 { Value::from(value as u64 + 1) } else { Value::from(value + step) };
    Some(changed)
}

/// The document without its cases, with an empty list of them, and with the shape of its first array changed.
fn breakages(document: &Value) -> Vec<(&'static str, Value)> {
    let mut broken = vec![("as a list", Value::Array(vec![document.clone()]))];
    if document.get("cases").is_some() {
        for (what, cases) in [("with null cases", Value::Null), ("with no cases", Value::Array(Vec::new()))] {
            let mut changed = document.clone();
            changed["cases"] = cases;
            broken.push((what, changed));
        }
    }
    let mut changed = document.clone();
    if let Some(shape) = first_shape(&mut changed) {
        *shape = Value::from(vec![3, 1]);
        broken.push(("with a wrong shape", changed));
    }
    broken
}

fn first_shape(value: &mut Value) -> Option<&mut Value> {
    match value {
        Value::Array(list) => list.iter_mut().find_map(first_shape),
        Value::Object(map) => {
            if map.contains_key("data") {
                return map.get_mut("shape");
            }
            map.values_mut().find_map(first_shape)
        }
        _ => None,
    }
}
