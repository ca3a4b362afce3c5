//! Values of a recipe: every problem is collected, none hides another. Types are read in [`super::sections`].

use toml::Value;

use rank1_core::objective::NllForm;
use rank1_priors::{LocationDomain, LocationInit, PosteriorFamily, PriorSpec};

use super::sections::Sections;
use super::{
    Annealing, DataRecipe, Every, ModelRecipe, Override, Problem, Recipe, TrainRecipe, check_images,
    check_table,
};
use super::{check_after, check_sizes};
use crate::method::{Estimator, Method, Rank1};
use crate::network::Body;
use crate::optimizer::OptimizerSpec;
use crate::schedule::Schedule;

/// Collects problems.
pub(super) struct Values<'a>(&'a mut Vec<Problem>);

impl Values<'_> {
    pub(super) fn need(&mut self, holds: bool, key: &str, expected: &str, got: impl std::fmt::Display) {
        if !holds {
            self.0.push(Problem { key: key.into(), message: format!("expected {expected}, got {got}") });
        }
    }
}

/// Refuses impossible values in the sections that could be read.
pub(super) fn values(r: &Sections, problems: &mut Vec<Problem>) {
    let mut v = Values(problems);
    if let Some(name) = &r.name {
        v.need(!name.trim().is_empty(), "name", "a name", "an empty string");
    }
    if let Some(seed) = r.seed {
        v.need(seed <= i64::MAX as u64, "seed", "at most 2^63 - 1", seed);
    }
    if let Some(d) = &r.data {
        data(d, &mut v);
    }
    if let Some(m) = &r.model {
        check_sizes::model(m, &mut v);
    }
    if let (Some(d), Some(m)) = (&r.data, &r.model) {
        check_table::categories(d, m, &mut v);
    }
    if let (Some(model), Some(method)) = (&r.model, &r.method) {
        fits(model, method.network(), &mut v);
    }
    if let Some(m) = &r.method {
        method(m, "method", &mut v);
    }
    if let Some(t) = &r.train {
        train(t, &mut v);
    }
    if let Some(p) = &r.predict {
        v.need(p.samples > 0, "predict.samples", "at least 1", p.samples);
        v.need(p.chunk_rows > 0, "predict.chunk_rows", "at least 1", p.chunk_rows);
    }
    if let Some(e) = &r.evaluate {
        v.need(e.shift_rows != Some(0), "evaluate.shift_rows", "at least 1", 0);
    }
    if let (Some(m), Some(t)) = (&r.method, &r.train) {
        v.need(
            t.entropy_weight == 0.0 || m.has_kl(),
            "train.entropy_weight",
            "0 for a method without a posterior",
            t.entropy_weight,
        );
    }
    check_after::scales(r, &mut v);
    check_after::pruning(r, &mut v);
    if let (Some(d), Some(t)) = (&r.data, &r.train)
        && t.early_stopping.is_some()
    {
        v.need(
            d.validation > 0.0,
            "data.validation",
            "a fraction above 0, because train.early_stopping is on",
            d.validation,
        );
    }
}

/// What an architecture cannot have.
fn fits(model: &ModelRecipe, method: &Method, v: &mut Values<'_>) {
    if let (Body::Lstm { .. }, Method::MeanField(m)) = (&model.body, method) {
        v.need(
            m.estimator == Estimator::Reparameterized,
            "method.estimator",
            "`reparameterized` for `lstm`, whose weights are drawn once per sequence",
            "`flipout`",
        );
    }
}

fn data(d: &DataRecipe, v: &mut Values<'_>) {
    v.need(d.train_rows != Some(0), "data.train_rows", "at least 1", 0);
    v.need((0.0..0.9).contains(&d.validation), "data.validation", "a fraction in [0, 0.9)", d.validation);
    if let Some(f) = d.test_fraction {
        v.need(f > 0.0 && f < 0.9, "data.test_fraction", "a fraction in (0, 0.9)", f);
    }
    if d.set == "csv" {
        v.need(d.file.is_some(), "data.file", "the path of a table, because data.set is `csv`", "none");
        v.need(d.target.is_some(), "data.target", "a column name, because data.set is `csv`", "none");
    } else {
        let given = [
            ("data.target", d.target.is_some()),
            ("data.categorical", !d.categorical.is_empty()),
            ("data.missing", d.missing.is_some()),
            ("data.ignore", !d.ignore.is_empty()),
            ("data.keep_index", d.keep_index),
            ("data.missing_tokens", d.missing_tokens.is_some()),
            ("data.delimiter", d.delimiter.is_some()),
            ("data.decimal", d.decimal.is_some()),
            ("data.unknown", d.unknown.is_some()),
            ("data.max_levels", d.max_levels.is_some()),
            ("data.rare_below", d.rare_below.is_some()),
            ("data.booleans", d.booleans),
            ("data.dates", d.dates.is_some()),
            ("data.date_columns", !d.date_columns.is_empty()),
            ("data.day_first", d.day_first.is_some()),
            ("data.leave_out_useless", d.leave_out_useless),
            ("data.keep", !d.keep.is_empty()),
            ("data.numbers", d.numbers.is_some()),
            ("data.time_column", d.time_column.is_some()),
            ("data.group_column", d.group_column.is_some()),
            ("data.part_column", d.part_column.is_some()),
            ("data.rows_file", d.rows_file.is_some()),
            ("data.validation_file", d.validation_file.is_some()),
            ("data.test_file", d.test_file.is_some()),
        ];
        for (key, given) in given {
            v.need(!given, key, "data.set = \"csv\" beside this key", format!("`{}`", d.set));
        }
    }
    check_table::values(d, v);
    check_images::values(d, v);
    if d.set != "mimic3" {
        let given =
            [("data.window_hours", d.window_hours.is_some()), ("data.bin_hours", d.bin_hours.is_some())];
        for (key, given) in given {
            v.need(!given, key, "data.set = \"mimic3\" beside this key", format!("`{}`", d.set));
        }
    }
}

fn train(t: &TrainRecipe, v: &mut Values<'_>) {
    match (t.epochs, t.steps) {
        (Some(epochs), None) => v.need(epochs > 0, "train.epochs", "at least 1", epochs),
        (None, Some(steps)) => v.need(steps > 0, "train.steps", "at least 1", steps),
        (Some(_), Some(_)) => v.need(false, "train", "either `epochs` or `steps`", "both"),
        (None, None) => {}
    }
    v.need(t.stop_step != Some(0), "train.stop_step", "at least 1", 0);
    v.need(t.epoch_steps != Some(0), "train.epoch_steps", "at least 1", 0);
    v.need(t.batch_size > 0, "train.batch_size", "at least 1", t.batch_size);
    v.need(t.samples > 0, "train.samples", "at least 1", t.samples);
    let positive = |every: Option<Every>| every.is_none_or(Every::is_positive);
    v.need(positive(t.checkpoint_every), "train.checkpoint_every", "at least 1", 0);
    if let Annealing::Fraction(fraction) = t.kl_annealing {
        v.need((0.0..=1.0).contains(&fraction), "train.kl_annealing", "a fraction in [0, 1]", fraction);
    }
    v.need(
        t.posterior_temperature >= 0.0 && t.posterior_temperature.is_finite(),
        "train.posterior_temperature",
        "a finite number, at least 0",
        t.posterior_temperature,
    );
    v.need(
        t.entropy_weight >= 0.0 && t.entropy_weight.is_finite(),
        "train.entropy_weight",
        "a finite number, at least 0",
        t.entropy_weight,
    );
    if let Some(fraction) = t.average_from {
        v.need((0.0..1.0).contains(&fraction), "train.average_from", "a fraction in [0, 1)", fraction);
    }
    v.need(t.l2 >= 0.0 && t.l2.is_finite(), "train.l2", "a finite number, at least 0", t.l2);
    if let Some(c) = t.clip_norm {
        v.need(c > 0.0, "train.clip_norm", "a number above 0, or `inf` for no bound", c);
    }
    let rate = t.optimizer.learning_rate();
    v.need(rate > 0.0 && rate.is_finite(), "train.optimizer.learning_rate", "a finite number above 0", rate);
    match &t.optimizer {
        OptimizerSpec::Sgd { momentum, .. } => {
            v.need((0.0..1.0).contains(momentum), "train.optimizer.momentum", "a number in [0, 1)", momentum);
        }
        OptimizerSpec::Adam { beta1, beta2, epsilon, weight_decay, .. } => {
            v.need((0.0..1.0).contains(beta1), "train.optimizer.beta1", "a number in [0, 1)", beta1);
            v.need((0.0..1.0).contains(beta2), "train.optimizer.beta2", "a number in [0, 1)", beta2);
            v.need(*epsilon > 0.0, "train.optimizer.epsilon", "a number above 0", epsilon);
            let decay = *weight_decay;
            v.need(
                decay >= 0.0 && decay.is_finite(),
                "train.optimizer.weight_decay",
                "a finite number, at least 0",
                decay,
            );
        }
    }
    let m = &t.multipliers;
    for (key, value) in [("factors", m.factors), ("scales", m.scales), ("noise", m.noise)] {
        let key = format!("train.multipliers.{key}");
        v.need(value >= 0.0 && value.is_finite(), &key, "a finite number, at least 0", value);
    }
    let (warmup, warmup_steps) = t.schedule.warmup();
    v.need(
        warmup == 0.0 || warmup_steps == 0,
        "train.schedule",
        "either `warmup_epochs` or `warmup_steps`",
        "both",
    );
    let longest = t.epochs.map_or(f64::INFINITY, |epochs| epochs as f64);
    v.need(
        warmup >= 0.0 && warmup.is_finite() && warmup <= longest,
        "train.schedule.warmup_epochs",
        "between 0 and train.epochs",
        warmup,
    );
    match &t.schedule {
        Schedule::Steps { ratio, epochs, steps, .. } => {
            let one = epochs.is_empty() || steps.is_empty();
            v.need(one, "train.schedule", "either `epochs` or `steps`", "both");
            v.need(*ratio > 0.0 && *ratio <= 1.0, "train.schedule.ratio", "a number in (0, 1]", ratio);
        }
        Schedule::Cosine { final_fraction, .. } => v.need(
            (0.0..=1.0).contains(final_fraction),
            "train.schedule.final_fraction",
            "a fraction in [0, 1]",
            final_fraction,
        ),
        Schedule::Constant { .. } => {}
    }
    v.need(
        matches!(t.objective, NllForm::AverageNll | NllForm::MixtureNll),
        "train.objective",
        "`average_nll` or `mixture_nll`",
        format!("{:?}", t.objective),
    );
    if let Some(e) = &t.early_stopping {
        v.need(e.patience > 0, "train.early_stopping.patience", "at least 1", e.patience);
        v.need(positive(e.every), "train.early_stopping.every", "at least 1", 0);
    }
}

fn method(m: &Method, at: &str, v: &mut Values<'_>) {
    match m {
        Method::Deterministic => {}
        Method::McDropout(m) => {
            v.need((0.0..1.0).contains(&m.rate), &format!("{at}.rate"), "a probability in [0, 1)", m.rate);
        }
        Method::MeanField(m) => {
            let std = m.initial_std;
            v.need(
                std > 0.0 && std.is_finite(),
                &format!("{at}.initial_std"),
                "a finite number above 0",
                std,
            );
            divergence(PosteriorFamily::Normal, m.prior, at, v);
            v.need(
                !m.prior.has_trainable_scale(),
                &format!("{at}.prior"),
                "a prior without a trained scale, which `rank1` factors have and mean-field weights do not",
                format!("`{}`", m.prior.name()),
            );
        }
        Method::BatchEnsemble(m) => {
            members(m.members, at, v);
            sign(m.sign_init, at, v);
        }
        Method::Rank1(m) => {
            members(m.members, at, v);
            let p = m.dropout_rate;
            v.need(p > 0.0 && p < 1.0, &format!("{at}.dropout_rate"), "a probability in (0, 1)", p);
            divergence(m.posterior, m.prior, at, v);
            support(m, at, v);
        }
        Method::Ensemble(e) => {
            v.need((1..=1000).contains(&e.networks), &format!("{at}.networks"), "1 to 1000", e.networks);
            if matches!(*e.of, Method::Ensemble(_)) {
                let message = "expected a method other than `ensemble`".into();
                v.0.push(Problem { key: format!("{at}.of"), message });
            } else {
                method(&e.of, &format!("{at}.of"), v);
            }
        }
    }
}

fn members(k: usize, at: &str, v: &mut Values<'_>) {
    v.need((1..=1024).contains(&k), &format!("{at}.members"), "1 to 1024", k);
}

fn sign(s: f64, at: &str, v: &mut Values<'_>) {
    v.need(
        s <= 1.0 && s.is_finite(),
        &format!("{at}.sign_init"),
        "a probability of +1 in (0, 1], or minus a standard deviation",
        s,
    );
}

/// Parameters of posterior and prior, and that the one has a divergence from the other.
fn divergence(posterior: PosteriorFamily, prior: PriorSpec, at: &str, v: &mut Values<'_>) {
    let found = [
        ("posterior", posterior.check().err()),
        ("prior", prior.check().err()),
        ("prior", rank1_priors::kl_kind(posterior, prior).err()),
    ];
    for (key, error) in found {
        v.0.extend(error.map(|e| Problem { key: format!("{at}.{key}"), message: e.to_string() }));
    }
}

/// The start of locations and the bounds of draws leave factors where their distribution has mass.
fn support(m: &Rank1, at: &str, v: &mut Values<'_>) {
    sign(m.sign_init, at, v);
    let domain = LocationDomain::of(m.posterior, m.prior);
    if m.sign_init > 0.0
        && m.sign_init < 1.0
        && let Err(e) = LocationInit::for_factor(m.posterior, domain, m.sign_init)
    {
        v.0.push(Problem { key: format!("{at}.sign_init"), message: e.to_string() });
    }
    if let Some(clip) = m.clip {
        let got = format!("{{ min = {}, max = {} }}", clip.min, clip.max);
        v.need(clip.min < clip.max, &format!("{at}.clip"), "`min` below `max`", &got);
        v.need(
            !m.posterior.is_positive() || clip.max > 0.0,
            &format!("{at}.clip.max"),
            "a number above 0, because draws of this posterior are positive",
            clip.max,
        );
    }
}

/// Every value of the search must itself give a correct recipe; asked of recipes without other problems.
pub(super) fn search(r: &Recipe, problems: &mut Vec<Problem>) {
    if !r.search.is_empty() && r.data.validation <= 0.0 {
        let message = "expected a fraction above 0, because [search] chooses on it, got 0".into();
        problems.push(Problem { key: "data.validation".into(), message });
    }
    let mut bare = r.clone();
    bare.search.clear();
    let Ok(text) = toml::to_string(&bare) else { return };
    for (key, values) in &r.search {
        if values.is_empty() {
            problems.push(Problem { key: format!("search.{key}"), message: "no values to try".into() });
        }
        if key.starts_with("data.") || key == "seed" || key.starts_with("search") {
            let message = "expected a key of model, method, train or predict".into();
            problems.push(Problem { key: format!("search.{key}"), message });
            continue;
        }
        for value in values {
            if let Err(crate::Error::Recipe(found)) =
                super::parse(&text, &[Override::new(key, value.clone())])
            {
                problems.extend(found.into_iter().map(|p| Problem {
                    key: format!("search.{key}"),
                    message: format!("value {}: {p}", shown(value)),
                }));
            }
        }
    }
}

fn shown(value: &Value) -> String {
    value.to_string()
}
