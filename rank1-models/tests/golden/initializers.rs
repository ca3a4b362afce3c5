//! `initializers.json`: scale tables, sign and weight initializers, constraints, and regularizers by name.
//!
//! Empirical columns come from random draws of the reference; ours are compared with them within sampling error.

use burn::tensor::{Device, Tensor};
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use rank1_models::layer::{FactorConfig, positive_scale};
use rank1_priors::weight_init::{
    fans, glorot_uniform_limit, he_normal_std, he_normal_untruncated_std, scaled_normal_std,
};
use rank1_priors::{
    Constraint, LocationInit, PosteriorFamily, PriorSpec, ScaleInit, WeightInit, raw_to_scale, reference,
    std_from_dropout_rate,
};

use crate::json::{Outcome, Record, Values};
use crate::report::{Precision, Verdict};

/// Draws behind the reference's empirical moments of sign initializers, and of ours.
const N: usize = 100_000;
/// Standard errors allowed between two empirical moments of equal size.
const ERRORS: f64 = 7.0;

type Row = fn(&Record<'_>) -> Outcome<()>;

pub(crate) fn check(root: &Record<'_>) -> Outcome<()> {
    root.note(&["defaults_read_from_source"]);
    let tables: [(&str, Row); 4] = [
        ("dropout_to_raw", dropout),
        ("random_sign", signs),
        ("kernel_initializers", kernels),
        ("constraints", constraints),
    ];
    for (key, run) in tables {
        for row in root.children(key)? {
            root.report.case(&row, |row| run(row).map(|()| Verdict::Compared));
        }
    }
    let prefix = "make_regularizer(";
    let Some(key) = root.keys().into_iter().find(|key| key.starts_with(prefix)) else {
        return root.fault("make_regularizer(...)", "is missing");
    };
    let settings: Option<Vec<f64>> = key[prefix.len()..]
        .trim_end_matches(')')
        .split(',')
        .map(|part| part.split_once('=')?.1.parse().ok())
        .collect();
    let Some([mean, std]) = settings.as_deref() else {
        return root.fault(key, "does not name a prior mean and a standard deviation");
    };
    for row in root.children(key)? {
        root.report.case(&row, |row| regularizer(row, *mean, *std).map(|()| Verdict::Compared));
    }
    Ok(())
}

fn dropout(row: &Record<'_>) -> Outcome<()> {
    let rate = row.number("dropout_rate")?;
    let std = row.ok(std_from_dropout_rate(rate))?;
    row.check("target_stddev", std, Precision::Double)?;
    row.check("fixed_stddev_f32", std, Precision::SingleStored)?;
    let init = |family| row.ok(ScaleInit::from_dropout_rate(rate, family));
    let (normal, cauchy) = (init(PosteriorFamily::Normal)?, init(PosteriorFamily::Cauchy)?);
    row.check("raw_init", normal.raw, Precision::Double)?;
    row.check("scale_after_softplus_plus_eps", raw_to_scale(normal.raw), Precision::Double)?;
    let law = |init: ScaleInit| match init.jitter {
        0.0 => "Constant(raw_init)".to_string(),
        jitter => format!("TruncatedNormal(mean=raw_init, stddev={jitter})"),
    };
    row.check_text("trainable_normal_raw_jitter", &law(normal))?;
    row.check_text("trainable_cauchy_raw", &law(cauchy))?;
    let config =
        FactorConfig { family: PosteriorFamily::Cauchy, initial_std: std, ..FactorConfig::default() };
    let factor = row.ok(config.init(1, 1, 0, &Device::flex()))?;
    let (Some(raw), Some(scale)) = (&factor.raw_scale, factor.scale()) else {
        return row.fault("trainable_cauchy_raw", "is missing from the Burn factor");
    };
    row.check("raw_init", Values::from(raw.val()).reshaped(&[]), Precision::Burn)?;
    row.check("scale_after_softplus_plus_eps", Values::from(scale).reshaped(&[]), Precision::Burn)
}

fn signs(row: &Record<'_>) -> Outcome<()> {
    let init = row.ok(LocationInit::from_random_sign_init(row.number("random_sign_init")?))?;
    let config = row.child("config")?;
    config.note(&["dtype"]);
    let (mean, std) = match init {
        LocationInit::RandomSign { probability } => {
            row.check_text("initializer", "RandomSign")?;
            config.check("probs", probability, Precision::Double)?;
            (2.0 * probability - 1.0, 2.0 * (probability * (1.0 - probability)).sqrt())
        }
        LocationInit::AroundOne { std } => {
            row.check_text("initializer", "RandomNormal")?;
            config.check("mean", 1.0, Precision::Double)?;
            config.check("stddev", std, Precision::Double)?;
            (1.0, std)
        }
        _ => return row.fault("random_sign_init", "gave an initializer that the reference does not have"),
    };
    row.report.unread.borrow_mut().extend(config.unread());
    let mut draws = vec![0.0_f64; N];
    row.ok(init.fill(&mut draws, &mut Xoshiro256PlusPlus::seed_from_u64(20)))?;
    let n = N as f64;
    let sampled_mean = draws.iter().sum::<f64>() / n;
    let sampled_std = (draws.iter().map(|d| (d - sampled_mean).powi(2)).sum::<f64>() / n).sqrt();
    let plus = draws.iter().filter(|d| **d == 1.0).count() as f64 / n;
    let error = ERRORS * (2.0 / n).sqrt();
    // The reference's numbers are f32: 1e-6 more.
    row.check("empirical_mean", sampled_mean, Precision::Within(error * std + 1e-6))?;
    row.check(
        "empirical_std",
        sampled_std,
        Precision::Within(error * (mean.abs() * std).max(std * std / 2.0) + 1e-6),
    )?;
    let spread = (plus * (1.0 - plus)).sqrt();
    row.check("empirical_frac_plus_one", plus, Precision::Within(error * spread))?;
    let fold = |f: fn(f64, f64) -> f64| draws.iter().copied().fold(1.0, f);
    // Signs have exact extremes; the extremes of n normal draws scatter by about half a standard deviation.
    let slack = if matches!(init, LocationInit::AroundOne { .. }) { 2.0 * std } else { 0.0 };
    row.check("min", fold(f64::min), Precision::Within(slack))?;
    row.check("max", fold(f64::max), Precision::Within(slack))
}

fn kernels(row: &Record<'_>) -> Outcome<()> {
    let shape: Vec<usize> = row.values("shape")?.data.iter().map(|&v| v as usize).collect();
    let (fan_in, fan_out) = fans(&shape);
    row.check("fan_in", fan_in as f64, Precision::Exact)?;
    row.check("fan_out", fan_out as f64, Precision::Exact)?;
    row.check("fans_by_ed", vec![fan_in as f64, fan_out as f64], Precision::Exact)?;
    let std = row.ok(he_normal_std(fan_in))?;
    let untruncated = row.ok(he_normal_untruncated_std(fan_in))?;
    let limit = row.ok(glorot_uniform_limit(fan_in, fan_out))?;
    row.check("he_normal_std", std, Precision::Double)?;
    row.check("he_normal_untruncated_stddev", untruncated, Precision::Double)?;
    row.check("glorot_uniform_limit", limit, Precision::Double)?;
    let key = "scaled_normal_std_dev(scale=1,fan_in)";
    if row.has(key) {
        let (mean, jitter) = row.ok(scaled_normal_std(1.0, fan_in))?;
        let stored = row.child(key)?;
        stored.check("mean", mean, Precision::Double)?;
        stored.check("jitter_stddev", jitter, Precision::Double)?;
        row.report.unread.borrow_mut().extend(stored.unread());
    }
    if ["he_empirical_std", "he_empirical_absmax", "glorot_uniform_empirical_absmax"]
        .iter()
        .all(|k| !row.has(k))
    {
        return Ok(());
    }
    empirical_kernels(row, &shape, [std, 2.0 * untruncated, limit])
}

/// Moments of one draw of the whole kernel; a small kernel is drawn often enough by us to be the centre.
fn empirical_kernels(
    row: &Record<'_>,
    shape: &[usize],
    [std, he_bound, glorot_bound]: [f64; 3],
) -> Outcome<()> {
    let n: usize = shape.iter().product();
    let (fan_in, fan_out) = fans(shape);
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(21);
    let mut draw = |init: WeightInit| {
        let mut draws = vec![0.0_f64; n.max(N)];
        row.ok(init.fill(&mut draws, fan_in, fan_out, &mut rng)).map(|()| draws)
    };
    let (he, glorot) = (draw(WeightInit::HeNormal)?, draw(WeightInit::GlorotUniform)?);
    let sampled = (he.iter().map(|d| d * d).sum::<f64>() / he.len() as f64).sqrt();
    // Standard error of the reference's n draws; ours are at least as many.
    let error = ERRORS * std / (2.0 * n as f64).sqrt() + 1e-6;
    row.check("he_empirical_std", sampled, Precision::Within(error))?;
    // The largest of n draws lies below the bound, and with few draws clearly so.
    let gap = |bound: f64| bound * (10.0 / n as f64).min(0.8) + 1e-6;
    for (key, draws, bound) in
        [("he_empirical_absmax", &he, he_bound), ("glorot_uniform_empirical_absmax", &glorot, glorot_bound)]
    {
        let largest = draws.iter().fold(0.0_f64, |m, d| m.max(d.abs()));
        let within = largest <= bound;
        if !within {
            row.report.fail(format!("{}: our draw {largest} exceeds the bound {bound}", row.at(key)));
        }
        let centre = bound - 0.5 * gap(bound);
        row.check(key, centre, Precision::Within(0.5 * gap(bound) + 1e-6))?;
    }
    Ok(())
}

fn constraints(row: &Record<'_>) -> Outcome<()> {
    let raw = row.number("raw")?;
    for (key, constraint) in
        [("softplus", Constraint::Softplus), ("exp", Constraint::Exp), ("positive", Constraint::Positive)]
    {
        row.check(key, constraint.apply(raw), Precision::Double)?;
    }
    let scale = positive_scale(Tensor::<1>::from_floats([raw as f32], &Device::flex()));
    row.check("softplus", Values::from(scale).reshaped(&[]), Precision::Burn)
}

/// The prior that a regularizer's name stands for, with its class in the reference code.
fn regularizer(row: &Record<'_>, mean: f64, std: f64) -> Outcome<()> {
    let name = row.text("name")?;
    let Some(prior) = row.ok(reference::prior_of_regularizer(name, mean, std))? else {
        return row.fault("name", format!("is {name:?}, which is not known"));
    };
    let (class, parameters): (&str, Vec<(&str, f64)>) = match prior {
        PriorSpec::Normal { mean, std } => ("NormalKLDivergence", vec![("mean", mean), ("stddev", std)]),
        PriorSpec::TiedMean { std } => ("NormalKLDivergenceWithTiedMean", vec![("stddev", std)]),
        PriorSpec::LogNormal { location, scale } => {
            ("LogNormalKLDivergence", vec![("loc", location), ("scale", scale)])
        }
        PriorSpec::Cauchy { location, scale } => {
            ("CauchyKLDivergence", vec![("loc", location), ("scale", scale)])
        }
        PriorSpec::HalfCauchy { scale } => ("HalfCauchyKLDivergence", vec![("loc", 0.0), ("scale", scale)]),
        PriorSpec::LogUniform => ("LogUniformKLDivergence", Vec::new()),
        PriorSpec::ImproperUniform => ("UniformKLDivergence", Vec::new()),
        PriorSpec::EmpiricalBayes { mean, concentration, rate } => (
            "NormalEmpiricalBayesKLDivergence",
            vec![("mean", mean), ("variance_concentration", concentration), ("variance_scale", rate)],
        ),
        PriorSpec::TrainableScale { mean } => ("TrainableNormalKLDivergenceStdDev", vec![("mean", mean)]),
        other => return row.fault("name", format!("gave {other:?}, which the reference code lacks")),
    };
    row.check_text("class", class)?;
    for (key, value) in parameters {
        row.check(key, value, Precision::Double)?;
    }
    row.check("scale_factor", 1.0, Precision::Double)
}
