//! The keys that a recipe may have, and the nearest known key for one that it may not.

use toml::{Table, Value};

use super::Problem;

/// Dotted tables and the keys allowed in each; a test keeps this in step with the types.
pub const KNOWN_KEYS: &[(&str, &[&str])] = &[
    ("", &["name", "seed", "data", "model", "method", "train", "predict", "evaluate", "search"]),
    (
        "data",
        &[
            "set",
            "split",
            "gap",
            "validation",
            "file",
            "target",
            "event",
            "categorical",
            "missing",
            "ignore",
            "keep_index",
            "missing_tokens",
            "delimiter",
            "decimal",
            "unknown",
            "max_levels",
            "rare_below",
            "booleans",
            "dates",
            "date_columns",
            "day_first",
            "leave_out_useless",
            "keep",
            "numbers",
            "time_column",
            "group_column",
            "part_column",
            "rows_file",
            "validation_file",
            "test_file",
            "test_fraction",
            "augment",
            "train_rows",
            "window_hours",
            "bin_hours",
            "image_size",
            "bad_images",
            "formats",
        ],
    ),
    ("data.augment", &["pad", "flip"]),
    (
        "train",
        &[
            "epochs",
            "steps",
            "stop_step",
            "epoch_steps",
            "batch_size",
            "batch_statistics",
            "optimizer",
            "schedule",
            "multipliers",
            "objective",
            "samples",
            "kl_annealing",
            "posterior_temperature",
            "entropy_weight",
            "average_from",
            "scales_after",
            "prune_members",
            "l2",
            "l2_norms",
            "clip_norm",
            "early_stopping",
            "checkpoint_every",
            "engine",
        ],
    ),
    ("train.multipliers", &["factors", "scales", "noise"]),
    ("model.category_embedding", &["dim", "above"]),
    ("train.scales_after", &["steps", "learning_rate", "multiples"]),
    ("train.early_stopping", &["patience", "every"]),
    ("train.early_stopping.every", &["steps"]),
    ("train.checkpoint_every", &["steps"]),
    ("train.kl_annealing", &["steps"]),
    ("predict", &["samples", "chunk_rows", "draws"]),
    ("evaluate", &["shifts", "shift_rows", "ood"]),
];

/// Tables whose keys depend on their `kind`.
const BY_KIND: &[(&str, &str, &[&str])] = &[
    ("method", "deterministic", &[]),
    ("model", "mlp", &["hidden", "activation", "category_embedding", "likelihood"]),
    ("model", "lenet5", &["activation", "likelihood"]),
    ("model", "resnet", &["depth", "width", "norm", "likelihood"]),
    ("model", "wide_resnet", &["depth", "widen", "norm", "likelihood"]),
    ("model", "resnet50", &["norm", "likelihood"]),
    ("model", "lstm", &["units", "embedding", "hidden", "activation", "likelihood"]),
    (
        "model",
        "tabm",
        &[
            "form",
            "width",
            "blocks",
            "dropout",
            "embedding",
            "embedding_width",
            "bins",
            "frequencies",
            "category_embedding",
            "likelihood",
        ],
    ),
    ("method", "mc_dropout", &["rate", "inputs", "placement"]),
    ("method", "mean_field", &["estimator", "prior", "initial_std"]),
    ("method", "batch_ensemble", &["members", "sign_init"]),
    (
        "method",
        "rank1",
        &[
            "members",
            "posterior",
            "prior",
            "sign_init",
            "dropout_rate",
            "stochastic",
            "granularity",
            "perturbation",
            "clip",
            "member_kl",
        ],
    ),
    ("method", "ensemble", &["networks", "of"]),
    ("train.optimizer", "sgd", &["learning_rate", "momentum", "nesterov"]),
    ("train.optimizer", "adam", &["learning_rate", "beta1", "beta2", "epsilon", "weight_decay"]),
    ("train.schedule", "constant", &["warmup_epochs", "warmup_steps"]),
    ("train.schedule", "cosine", &["warmup_epochs", "warmup_steps", "final_fraction"]),
    ("train.schedule", "steps", &["warmup_epochs", "warmup_steps", "epochs", "steps", "ratio"]),
];

/// The keys allowed in the table at `path`, or none if its keys are not fixed by name.
fn allowed(path: &str, table: &Table) -> Option<Vec<&'static str>> {
    // The network of an ensemble has the keys of a method.
    let path = path.strip_suffix(".of").unwrap_or(path);
    if let Some((_, keys)) = KNOWN_KEYS.iter().find(|(known, _)| *known == path) {
        return Some(keys.to_vec());
    }
    let kind = table.get("kind").and_then(Value::as_str)?;
    let (_, _, keys) = BY_KIND.iter().find(|(known, k, _)| *known == path && *k == kind)?;
    Some(keys.iter().copied().chain(["kind"]).collect())
}

/// Reports every unknown key below `table`.
pub(super) fn unknown(table: &Table, problems: &mut Vec<Problem>) {
    walk("", table, problems);
}

fn walk(path: &str, table: &Table, problems: &mut Vec<Problem>) {
    let keys = allowed(path, table);
    for (key, value) in table {
        let full = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        if let Some(keys) = &keys
            && !keys.contains(&key.as_str())
        {
            problems.push(Problem { key: full, message: hint(key, keys) });
            continue;
        }
        if let Value::Table(inner) = value
            && full != "search"
        {
            walk(&full, inner, problems);
        }
    }
}

fn hint(key: &str, keys: &[&'static str]) -> String {
    let nearest = keys
        .iter()
        .map(|known| (strsim::jaro_winkler(key, known), *known))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness > 0.75);
    match nearest {
        Some((_, known)) => format!("unknown key; did you mean `{known}`?"),
        None if keys.is_empty() => "unknown key; this table has none".into(),
        None => format!("unknown key; known here: {}", keys.join(", ")),
    }
}

/// Removes every key that [`unknown`] would report.
pub(super) fn retain_known(table: &mut Table) {
    prune("", table);
}

fn prune(path: &str, table: &mut Table) {
    if let Some(keys) = allowed(path, table) {
        table.retain(|key, _| keys.contains(&key));
    }
    for (key, value) in table.iter_mut() {
        let full = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        if let Value::Table(inner) = value {
            prune(&full, inner);
        }
    }
}
