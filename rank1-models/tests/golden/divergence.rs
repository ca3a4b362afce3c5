//! `kl_regularizers.json`: divergences with gradients for constrained parameters, closed form and one-sample estimates.

use burn::module::Param;
use ndarray::Array2;
use rank1_models::layer::Factor;
use rank1_models::method::Granularity;
use rank1_priors::dist::{Cauchy, LogDensity, Normal};
use rank1_priors::quadrature::integrate;
use rank1_priors::{
    KlValue, LocationDomain, PosteriorFamily, PriorSpec, d_scale_d_raw, kl_and_grad, kl_and_grad_monte_carlo,
    kl_and_grad_with_prior_scale, raw_to_scale, reference, scale_to_raw,
};

use crate::burn_dense::tensor;
use crate::json::{Outcome, Record, Values};
use crate::report::{Precision, Verdict};

/// What must be added to `E[ln q] + E[ln |x|]` of a normal so that its infimum is zero:
/// `ln(2 pi e) / 2 + (euler_gamma + ln 2) / 2`.
const LOG_UNIFORM_OFFSET: f64 =
    1.418_938_533_204_672_7 + 0.5 * (0.577_215_664_901_532_9 + std::f64::consts::LN_2);

pub(crate) fn check(root: &Record<'_>) -> Outcome<()> {
    for case in root.children("cases")? {
        root.report.case(&case, run);
    }
    if root.has("log_uniform_sign_table") {
        for row in root.children("log_uniform_sign_table")? {
            root.report.case(&row, log_uniform_row);
        }
    }
    Ok(())
}

/// One regularizer's posterior and prior, with the noise of its single draw if it is an estimate.
struct Case<'a> {
    record: &'a Record<'a>,
    prior_record: Record<'a>,
    family: PosteriorFamily,
    loc: Array2<f64>,
    scale: Vec<f64>,
    noise: Option<Vec<f64>>,
    factor: f64,
}

fn run(record: &Record<'_>) -> Outcome<Verdict> {
    let case = Case::read(record)?;
    let monte_carlo = case.noise.is_some();
    if record.flag("is_monte_carlo")? != monte_carlo {
        return record.fault("is_monte_carlo", "contradicts the regularizer or the stored noise");
    }
    let loc = case.flat();
    let prior = case.prior()?;
    let kl = match (record.text("regularizer")?, &case.noise) {
        (_, Some(noise)) => kl_and_grad_monte_carlo(case.family, prior, &loc, &case.scale, noise),
        ("LogUniformKLDivergence", None) => {
            reference::log_uniform_regularizer(case.family, &loc, &case.scale)
        }
        ("NormalEmpiricalBayesKLDivergence", None) => {
            let PriorSpec::EmpiricalBayes { mean, concentration, rate } = prior else {
                return record.fault("prior", "is no empirical-Bayes prior");
            };
            reference::empirical_bayes_kl_and_grad(case.family, mean, concentration, rate, &loc, &case.scale)
        }
        ("TrainableNormalKLDivergenceStdDev", None) => {
            let prior_scale: Vec<f64> =
                record.values("prior_stddev_raw")?.data.into_iter().map(raw_to_scale).collect();
            kl_and_grad_with_prior_scale(case.family, prior, &prior_scale, &loc, &case.scale, None)
        }
        _ => kl_and_grad(case.family, prior, &loc, &case.scale, None),
    };
    let kl = record.ok(kl)?.scaled(case.factor);
    case.check_value(&kl)?;
    case.check_extras(prior, &loc)?;
    case.check_burn(prior)?;
    record.report.unread.borrow_mut().extend(case.prior_record.unread());
    Ok(Verdict::Compared)
}

impl<'a> Case<'a> {
    fn read(record: &'a Record<'a>) -> Outcome<Self> {
        let regularizer = record.text("regularizer")?;
        let prior_record = record.child("prior")?;
        prior_record.note(&["family", "formula"]);
        record.note(&["formula", "sample_formula", "exact_formula"]);
        let posterior = if record.has("posterior") { record.text("posterior")? } else { "" };
        let family = match (posterior, regularizer) {
            ("deterministic", _) => PosteriorFamily::PointMass,
            ("cauchy", _) | ("", "CauchyKLDivergence") => PosteriorFamily::Cauchy,
            ("half_cauchy", _) | ("", "HalfCauchyKLDivergence") => PosteriorFamily::HalfCauchy,
            ("log_normal", _) | ("", "LogNormalKLDivergence") => PosteriorFamily::LogNormal,
            ("normal" | "", _) => PosteriorFamily::Normal,
            (other, _) => return record.fault("posterior", format!("is {other:?}, which is not known")),
        };
        let params = record.child("posterior_params")?;
        let loc = params.matrix("loc")?;
        let scale = match family {
            PosteriorFamily::PointMass => Vec::new(),
            _ => {
                params.expect_shape("scale", loc.shape())?;
                params.values("scale")?.data
            }
        };
        record.report.unread.borrow_mut().extend(params.unread());
        let pi = std::f64::consts::PI;
        let noise = match (record.has("u"), record.has("noise")) {
            (true, _) if family == PosteriorFamily::HalfCauchy => {
                Some(record.matrix("u")?.mapv(|u| (pi * u / 2.0).tan()))
            }
            (true, _) => Some(record.matrix("u")?.mapv(|u| (pi * (u - 0.5)).tan())),
            (_, true) => Some(record.matrix("noise")?),
            _ => None,
        };
        let noise = noise.map(|n| n.iter().copied().collect());
        let factor = prior_record.number("scale_factor")?;
        Ok(Self { record, prior_record, family, loc, scale, noise, factor })
    }

    fn flat(&self) -> Vec<f64> {
        self.loc.iter().copied().collect()
    }

    fn prior(&self) -> Outcome<PriorSpec> {
        let prior = &self.prior_record;
        Ok(match self.record.text("regularizer")? {
            "NormalKLDivergence" => {
                PriorSpec::Normal { mean: prior.number("mean")?, std: prior.number("stddev")? }
            }
            "NormalKLDivergenceWithTiedMean" => {
                // The mean is described in words: it is the posterior's own.
                prior.text("mean")?;
                PriorSpec::TiedMean { std: prior.number("stddev")? }
            }
            "UniformKLDivergence" => PriorSpec::ImproperUniform,
            "LogUniformKLDivergence" => PriorSpec::LogUniform,
            "LogNormalKLDivergence" => {
                PriorSpec::LogNormal { location: prior.number("loc")?, scale: prior.number("scale")? }
            }
            "CauchyKLDivergence" => {
                PriorSpec::Cauchy { location: prior.number("loc")?, scale: prior.number("scale")? }
            }
            "HalfCauchyKLDivergence" => {
                if prior.number("loc")? != 0.0 {
                    return prior.fault("loc", "is not zero, where our half-Cauchy prior starts");
                }
                PriorSpec::HalfCauchy { scale: prior.number("scale")? }
            }
            "NormalEmpiricalBayesKLDivergence" => PriorSpec::EmpiricalBayes {
                mean: prior.number("mean")?,
                concentration: prior.number("variance_concentration")?,
                rate: prior.number("variance_scale")?,
            },
            "TrainableNormalKLDivergenceStdDev" => {
                prior.text("stddev")?;
                PriorSpec::TrainableScale { mean: prior.number("mean")? }
            }
            other => return self.record.fault("regularizer", format!("is {other:?}, which is not known")),
        })
    }

    fn shaped(&self, flat: Vec<f64>) -> Values {
        Values::from(flat).reshaped(self.loc.shape())
    }

    fn check_value(&self, kl: &KlValue<f64>) -> Outcome<()> {
        self.record.check("value", kl.value, Precision::Double)?;
        let grad = self.record.child("grad_constrained_params")?;
        grad.check("loc", self.shaped(kl.d_loc.clone()), Precision::Double)?;
        if !self.scale.is_empty() {
            grad.check("scale", self.shaped(kl.d_scale.clone()), Precision::Double)?;
        }
        self.record.report.unread.borrow_mut().extend(grad.unread());
        if let Some(d_prior) = &kl.d_prior {
            let raw = self.record.matrix("prior_stddev_raw")?;
            let d_raw = d_prior.iter().zip(&raw).map(|(d, &raw)| d * d_scale_d_raw(raw)).collect();
            self.record.check("grad_prior_stddev_raw", self.shaped(d_raw), Precision::Double)?;
        }
        Ok(())
    }

    /// Exact values and the draw that some cases store beside the reference's number, scaled as that is.
    fn check_extras(&self, prior: PriorSpec, loc: &[f64]) -> Outcome<()> {
        let record = self.record;
        if let (Some(noise), true) = (&self.noise, record.has("samples")) {
            let mut samples = vec![0.0; loc.len()];
            record.ok(self.family.draw_into(loc, &self.scale, noise, &mut samples))?;
            record.check("samples", self.shaped(samples), Precision::Double)?;
        }
        let exact = || {
            let kl = record.ok(kl_and_grad(self.family, prior, loc, &self.scale, None))?;
            Ok(kl.value * self.factor)
        };
        for key in ["exact_closed_form", "closed_form_check", "scipy_value"] {
            if record.has(key) && key == "closed_form_check" {
                let PriorSpec::EmpiricalBayes { mean, concentration, rate } = prior else {
                    return record.fault(key, "belongs to an empirical-Bayes prior");
                };
                let kl = reference::empirical_bayes_kl_and_grad(
                    self.family,
                    mean,
                    concentration,
                    rate,
                    loc,
                    &self.scale,
                );
                record.check(key, record.ok(kl)?.value * self.factor, Precision::Double)?;
            } else if record.has(key) {
                record.check(key, exact()?, Precision::Double)?;
            }
        }
        if let (PriorSpec::EmpiricalBayes { concentration, rate, .. }, true) = (prior, record.has("v_star")) {
            let squares = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>();
            let n = loc.len() as f64;
            let variance =
                (squares(&self.scale) + squares(loc) + 2.0 * rate) / (n + 2.0 * concentration + 2.0);
            record.check("v_star", variance, Precision::Double)?;
        }
        if record.has("quadrature_value") {
            let value = match (self.family, prior) {
                (PosteriorFamily::Normal, PriorSpec::Cauchy { location, scale }) => {
                    self.normal_to_cauchy(location, scale)? * self.factor
                }
                _ => exact()?,
            };
            record.check("quadrature_value", value, Precision::Double)?;
        }
        Ok(())
    }

    /// The true divergence of a pair without a closed form, by quadrature on our densities.
    fn normal_to_cauchy(&self, location: f64, scale: f64) -> Outcome<f64> {
        let prior = self.record.ok(Cauchy::new(location, scale))?;
        let mut total = 0.0;
        for (&loc, &std) in self.loc.iter().zip(&self.scale) {
            let q = self.record.ok(Normal::new(loc, std))?;
            let integrand = |x: f64| q.log_density(x).exp() * (q.log_density(x) - prior.log_density(x));
            let points: Vec<f64> = (-12..=12).map(|i| loc + std * f64::from(i)).collect();
            total += integrate(integrand, &points, 1e-12);
        }
        Ok(total)
    }

    /// The Burn factor's divergence, where it computes the same quantity; its gradient is for raw scales.
    fn check_burn(&self, prior: PriorSpec) -> Outcome<()> {
        use PriorSpec as P;
        let (value_key, gradients) = match (prior, self.family) {
            (P::Normal { .. } | P::LogNormal { .. } | P::TiedMean { .. } | P::ImproperUniform, _) => {
                ("value", true)
            }
            (P::HalfCauchy { .. }, _) | (P::Cauchy { .. }, PosteriorFamily::Normal) => ("value", true),
            // Ours is exact where the reference estimates.
            (P::Cauchy { .. }, PosteriorFamily::Cauchy) => ("exact_closed_form", false),
            _ => return Ok(()),
        };
        if !self.record.has(value_key) {
            return Ok(());
        }
        let raw = self.scale.iter().map(|s| scale_to_raw(s - 1e-7)).collect::<Result<Vec<_>, _>>();
        let raw = self.record.ok(raw)?;
        let raw_matrix = || Array2::from_shape_vec(self.loc.dim(), raw.clone());
        let factor = Factor {
            location: Param::from_tensor(tensor(&self.loc)),
            raw_scale: raw_matrix().ok().map(|raw| Param::from_tensor(tensor(&raw))),
            family: self.family,
            granularity: Granularity::PerBatch,
            clip: None,
            domain: LocationDomain::Real,
        };
        let noise: Option<Vec<f32>> = self.noise.as_ref().map(|n| n.iter().map(|&v| v as f32).collect());
        let kl = self.record.ok(factor.kl(prior, noise.as_deref().filter(|_| gradients)))?;
        let (weight, record) = (self.factor, self.record);
        let graph = kl.backward();
        let value = f64::from(kl.into_scalar::<f32>());
        record.check(value_key, value * weight, Precision::Burn)?;
        if !gradients {
            return Ok(());
        }
        let grad = record.child("grad_constrained_params")?;
        if let Some(d_loc) = factor.location.val().grad(&graph) {
            grad.check("loc", d_loc * weight, Precision::Burn)?;
        }
        let d_raw = factor.raw_scale.as_ref().and_then(|raw| raw.val().grad(&graph));
        if let Some(d_raw) = d_raw {
            let d_raw = Values::from(d_raw).data;
            let d_scale = d_raw.iter().zip(&raw).map(|(d, &raw)| weight * d / d_scale_d_raw(raw)).collect();
            grad.check("scale", self.shaped(d_scale), Precision::Burn)?;
        }
        Ok(())
    }
}

/// One normal entry against the log-uniform prior: the reference's number, and the true divergence up to its constant.
fn log_uniform_row(row: &Record<'_>) -> Outcome<Verdict> {
    let (loc, scale) = ([row.number("loc")?], [row.number("scale")?]);
    let family = PosteriorFamily::Normal;
    let ratio = scale[0] * scale[0] / (loc[0] * loc[0]);
    row.check("log_alpha", ratio.ln(), Precision::Double)?;
    let stored = row.ok(reference::log_uniform_regularizer(family, &loc, &scale))?;
    row.check("reference_value", stored.value, Precision::Double)?;
    let exact = row.ok(kl_and_grad(family, PriorSpec::LogUniform, &loc, &scale, None))?;
    row.check("exact_kl_plus_const", exact.value - LOG_UNIFORM_OFFSET, Precision::Double)?;
    Ok(Verdict::Compared)
}
