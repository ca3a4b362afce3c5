//! `dense_rank1_trainable.json` and what trainable convolutions share with it: every posterior family with known noise, gradients for unconstrained parameters, KL.

use burn::tensor::Tensor;
use ndarray::{Array2, Array3};
use rank1_core::factor::ClipBounds;
use rank1_core::layout::member_major;
use rank1_priors::{PosteriorFamily, PriorSpec, d_scale_d_raw, kl_and_grad, raw_to_scale};

use crate::burn_dense::{self, BurnFactor};
use crate::conv_trainable;
use crate::dense::Dense;
use crate::json::{Outcome, Record, Values};
use crate::report::{Precision, Verdict};

pub(crate) const CLIP: ClipBounds = ClipBounds::REFERENCE;

pub(crate) fn check(root: &Record<'_>) -> Outcome<()> {
    let fixed_scale = fixed_scale(root)?;
    for case in root.children("cases")? {
        root.report.case(&case, |record| run(record, fixed_scale));
    }
    Ok(())
}

/// The standard deviation of the fixed family, which the file states in its notes only.
fn fixed_scale(root: &Record<'_>) -> Outcome<f64> {
    const MARK: &str = "normal_fixed_stddev: stddev=";
    let notes = root.text("notes")?;
    let Some(start) = notes.find(MARK) else { return Ok(0.25) };
    let digits: String =
        notes[start + MARK.len()..].chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    let digits = digits.trim_end_matches('.');
    digits.parse().or_else(|_| root.fault("notes", "states no number for the fixed standard deviation"))
}

/// One factor's posterior as the file gives it.
#[derive(Debug)]
pub(crate) struct Posterior {
    family: PosteriorFamily,
    location_key: &'static str,
    scale_key: Option<&'static str>,
    location: Array2<f64>,
    /// `[K, D]`, or `[1, 1]` for a shared one.
    raw: Option<Array2<f64>>,
    raw_shape: Vec<usize>,
    /// Standard variates, `[E, K, D]`.
    noise: Array3<f64>,
}

impl Posterior {
    pub(crate) fn read(
        record: &Record<'_>,
        side: &str,
        width: usize,
        (k, e): (usize, usize),
        fixed: f64,
    ) -> Outcome<Self> {
        let (family, location_key, scale_key) = match record.text("posterior")? {
            "normal" => (PosteriorFamily::Normal, "mean", Some("stddev")),
            "cauchy" => (PosteriorFamily::Cauchy, "loc", Some("scale")),
            "half_cauchy" => (PosteriorFamily::HalfCauchy, "loc", Some("scale")),
            "log_normal" => (PosteriorFamily::LogNormal, "loc", Some("scale")),
            "normal_shared_stddev" => (PosteriorFamily::NormalSharedScale, "mean", Some("stddev")),
            "normal_fixed_stddev" => (PosteriorFamily::NormalFixedScale { scale: fixed }, "mean", None),
            "deterministic" => (PosteriorFamily::PointMass, "loc", None),
            other => return record.fault("posterior", format!("is {other:?}, which is not known")),
        };
        let params = record.child(&format!("{side}_params_raw"))?;
        params.expect_shape(location_key, &[k, width])?;
        let location = params.matrix(location_key)?;
        let raw = scale_key.map(|key| params.values(key)).transpose()?;
        let raw_shape = raw.as_ref().map(|raw| raw.shape.clone()).unwrap_or_default();
        let raw = match raw {
            Some(raw) if family == PosteriorFamily::NormalSharedScale && raw.data.len() == 1 => {
                Some(Array2::from_elem((1, 1), raw.data[0]))
            }
            Some(_) => scale_key.map(|key| params.matrix(key)).transpose()?,
            None => None,
        };
        record.report.unread.borrow_mut().extend(params.unread());
        let noise = Self::noise(record, side, family, [e, k, width])?;
        Ok(Self { family, location_key, scale_key, location, raw, raw_shape, noise })
    }

    fn noise(
        record: &Record<'_>,
        side: &str,
        family: PosteriorFamily,
        shape: [usize; 3],
    ) -> Outcome<Array3<f64>> {
        if family == PosteriorFamily::PointMass {
            return Ok(Array3::zeros(shape));
        }
        let key = format!("{side}_noise");
        record.expect_shape(&key, &shape)?;
        let noise = record.cube(&key)?;
        let pi = std::f64::consts::PI;
        match (family, record.text("noise")?) {
            (PosteriorFamily::Cauchy, "uniform(0,1)") => Ok(noise.mapv(|u| (pi * (u - 0.5)).tan())),
            (PosteriorFamily::HalfCauchy, "uniform(0,1)") => Ok(noise.mapv(|u| (pi * u / 2.0).tan())),
            (PosteriorFamily::Cauchy | PosteriorFamily::HalfCauchy, other) | (_, other @ "uniform(0,1)") => {
                record.fault("noise", format!("is {other:?}, unexpected for this posterior"))
            }
            (_, "standard normal") => Ok(noise),
            (_, other) => record.fault("noise", format!("is {other:?}, which is not known")),
        }
    }

    fn scales(&self) -> Vec<f64> {
        self.raw.iter().flatten().map(|&raw| raw_to_scale(raw)).collect()
    }

    /// Constrained scales of one member: a row, the shared one, or none.
    fn row_scales<'a>(&self, scales: &'a [f64], member: usize) -> &'a [f64] {
        match self.family {
            PosteriorFamily::NormalSharedScale => scales,
            _ if scales.is_empty() => scales,
            _ => &scales[member * self.location.ncols()..][..self.location.ncols()],
        }
    }

    /// Draws before clipping, `[E, K, D]`.
    pub(crate) fn draws(&self, record: &Record<'_>) -> Outcome<Array3<f64>> {
        let scales = self.scales();
        let mut draws = Array3::zeros(self.noise.dim());
        for ((e, k), mut out) in indices(&self.noise).zip(rows_mut(&mut draws)) {
            let (loc, noise) =
                (self.location.row(k).to_vec(), self.noise.slice(ndarray::s![e, k, ..]).to_vec());
            let mut row = vec![0.0; loc.len()];
            record.ok(self.family.draw_into(&loc, self.row_scales(&scales, k), &noise, &mut row))?;
            out.assign(&ndarray::Array1::from(row));
        }
        Ok(draws)
    }

    /// Gradients for location and unconstrained scale from those of the unclipped draws, `[E, K, D]`.
    fn pathwise(&self, record: &Record<'_>, grad: &Array3<f64>) -> Outcome<(Array2<f64>, Option<Values>)> {
        let scales = self.scales();
        let mut d_loc = Array2::zeros(self.location.dim());
        let mut d_scale = vec![0.0; scales.len()];
        let width = self.location.ncols();
        for (e, k) in indices(&self.noise) {
            let loc = self.location.row(k).to_vec();
            let row = |a: &Array3<f64>| a.slice(ndarray::s![e, k, ..]).to_vec();
            let mut loc_slot = d_loc.row(k).to_vec();
            let own = self.row_scales(&scales, k);
            let start = if own.len() == scales.len() { 0 } else { k * width };
            let slot = &mut d_scale[start..start + own.len()];
            record.ok(self.family.backward_into(
                &loc,
                own,
                &row(&self.noise),
                &row(grad),
                &mut loc_slot,
                slot,
            ))?;
            d_loc.row_mut(k).assign(&ndarray::Array1::from(loc_slot));
        }
        Ok((d_loc, self.raw.as_ref().map(|_| self.to_raw(&d_scale))))
    }

    /// Chain rule from constrained to unconstrained scales, in the file's shape.
    fn to_raw(&self, d_scale: &[f64]) -> Values {
        let raw = self.raw.iter().flatten();
        let d_raw: Vec<f64> = d_scale.iter().zip(raw).map(|(d, &raw)| d * d_scale_d_raw(raw)).collect();
        Values::from(d_raw).reshaped(&self.raw_shape)
    }

    pub(crate) fn burn(&self) -> BurnFactor {
        let noise = (self.family != PosteriorFamily::PointMass).then_some(&self.noise);
        BurnFactor::new(self.family, &self.location, self.raw.as_ref(), noise, Some(CLIP))
    }
}

fn indices(array: &Array3<f64>) -> impl Iterator<Item = (usize, usize)> + use<> {
    let (e, k, _) = array.dim();
    (0..e).flat_map(move |e| (0..k).map(move |k| (e, k)))
}

fn rows_mut(array: &mut Array3<f64>) -> impl Iterator<Item = ndarray::ArrayViewMut1<'_, f64>> {
    array.rows_mut().into_iter()
}

fn run(record: &Record<'_>, fixed: f64) -> Outcome<Verdict> {
    match record.text("layer")? {
        "dense" => {}
        "conv" => return conv_trainable::run(record, fixed),
        other => return Ok(Verdict::NotImplemented(format!("layer {other}"))),
    }
    record.note(&["noise"]);
    let dense = Dense::read(record)?;
    let sides = Sides::read(record, dense.kernel.dim(), (dense.k, dense.e), fixed)?;
    let draws = sides.draws(record)?;
    let (grad, mut gradients) = dense.run(record, &[Sides::clipped(&draws)])?.check(record)?;
    sides.check_double(record, &grad, &draws, gradients.remove(0))?;
    let factors = sides.burn();
    let burn = burn_dense::run(record, &dense, std::slice::from_ref(&factors))?;
    burn.check(record, &grad)?;
    sides.check_burn(&grad, &burn.location[0], &burn.raw_scale[0], Precision::Burn)?;
    record.report.unread.borrow_mut().extend(grad.unread());
    sides.check_divergences(record, &factors)?;
    Ok(Verdict::Compared)
}

/// The posteriors of input and output factor of one layer.
#[derive(Debug)]
pub(crate) struct Sides([Posterior; 2]);

const NAMES: [&str; 2] = ["alpha", "gamma"];

impl Sides {
    pub(crate) fn read(
        record: &Record<'_>,
        (d_in, d_out): (usize, usize),
        rows: (usize, usize),
        fixed: f64,
    ) -> Outcome<Self> {
        Ok(Self([
            Posterior::read(record, NAMES[0], d_in, rows, fixed)?,
            Posterior::read(record, NAMES[1], d_out, rows, fixed)?,
        ]))
    }

    /// Draws of both sides before clipping, `[E, K, D]`.
    pub(crate) fn draws(&self, record: &Record<'_>) -> Outcome<[Array3<f64>; 2]> {
        Ok([self.0[0].draws(record)?, self.0[1].draws(record)?])
    }

    /// Clipped draws of both sides, `[K, E, D]`.
    pub(crate) fn clipped(draws: &[Array3<f64>; 2]) -> (Array3<f64>, Array3<f64>) {
        let clip = |d: &Array3<f64>| member_major(CLIP.forward(d.view()).view());
        (clip(&draws[0]), clip(&draws[1]))
    }

    /// Draws, and gradients for locations and raw scales from those for the clipped draws, `[K, E, D]`.
    pub(crate) fn check_double(
        &self,
        record: &Record<'_>,
        grad: &Record<'_>,
        draws: &[Array3<f64>; 2],
        (s, r): (Array3<f64>, Array3<f64>),
    ) -> Outcome<()> {
        for (((side, posterior), draws), gradient) in NAMES.iter().zip(&self.0).zip(draws).zip([s, r]) {
            record.check(&format!("{side}_samples_unclipped"), draws.clone(), Precision::Double)?;
            let gradient = record.ok(CLIP.backward(draws.view(), member_major(gradient.view()).view()))?;
            let (location, raw) = posterior.pathwise(record, &gradient)?;
            grad.check(&format!("{side}_{}", posterior.location_key), location, Precision::Double)?;
            if let (Some(key), Some(raw)) = (posterior.scale_key, raw) {
                grad.check(&format!("{side}_{key}"), raw, Precision::Double)?;
            }
        }
        Ok(())
    }

    pub(crate) fn burn(&self) -> (BurnFactor, BurnFactor) {
        (self.0[0].burn(), self.0[1].burn())
    }

    /// Gradients of the Burn layer for locations and raw scales.
    pub(crate) fn check_burn(
        &self,
        grad: &Record<'_>,
        location: &(Tensor<2>, Tensor<2>),
        raw: &(Option<Tensor<2>>, Option<Tensor<2>>),
        precision: Precision,
    ) -> Outcome<()> {
        for ((posterior, side), (location, raw)) in
            self.0.iter().zip(NAMES).zip([(&location.0, &raw.0), (&location.1, &raw.1)])
        {
            grad.check(&format!("{side}_{}", posterior.location_key), location.clone(), precision)?;
            if let (Some(key), Some(raw)) = (posterior.scale_key, raw) {
                let raw = Values::from(raw.clone()).reshaped(&posterior.raw_shape);
                grad.check(&format!("{side}_{key}"), raw, precision)?;
            }
        }
        Ok(())
    }

    /// Divergences with their gradients, if the case has them.
    pub(crate) fn check_divergences(
        &self,
        record: &Record<'_>,
        factors: &(BurnFactor, BurnFactor),
    ) -> Outcome<()> {
        if record.has("kl_regularizer") {
            divergences(record, NAMES, &self.0, [&factors.0, &factors.1])?;
        }
        Ok(())
    }
}

/// The prior of a text such as `normal_kl(1,0.1)`.
fn prior(record: &Record<'_>) -> Outcome<PriorSpec> {
    let text = record.text("kl_regularizer")?;
    let numbers = text.strip_prefix("normal_kl(").and_then(|rest| rest.strip_suffix(')'));
    let parsed: Option<Vec<f64>> =
        numbers.map(|n| n.split(',').filter_map(|v| v.trim().parse().ok()).collect());
    match parsed.as_deref() {
        Some([mean, std]) => Ok(PriorSpec::Normal { mean: *mean, std: *std }),
        _ => record.fault("kl_regularizer", format!("is {text:?}, which is not known")),
    }
}

fn divergences(
    record: &Record<'_>,
    sides: [&str; 2],
    posteriors: &[Posterior; 2],
    factors: [&BurnFactor; 2],
) -> Outcome<()> {
    let prior = prior(record)?;
    let grad = record.child("kl_grad")?;
    let (mut total, mut burn_total) = (0.0, 0.0);
    for ((side, posterior), layer) in sides.iter().zip(posteriors).zip(factors) {
        let location: Vec<f64> = posterior.location.iter().copied().collect();
        let kl = record.ok(kl_and_grad(posterior.family, prior, &location, &posterior.scales(), None))?;
        total += kl.value;
        let location_key = format!("{side}_{}", posterior.location_key);
        let scale_key = posterior.scale_key.map(|key| format!("{side}_{key}"));
        let shape = [posterior.location.nrows(), posterior.location.ncols()];
        record.check(&format!("kl_{side}"), kl.value, Precision::Double)?;
        grad.check(&location_key, Values::from(kl.d_loc.clone()).reshaped(&shape), Precision::Double)?;
        if let Some(key) = &scale_key {
            grad.check(key, posterior.to_raw(&kl.d_scale), Precision::Double)?;
        }
        let factor = &layer.factor;
        let value = record.ok(factor.kl(prior, None))?;
        let gradients = value.backward();
        let value = f64::from(value.into_scalar::<f32>());
        burn_total += value;
        record.check(&format!("kl_{side}"), value, Precision::Burn)?;
        if let Some(location) = factor.location.val().grad(&gradients) {
            grad.check(&location_key, location, Precision::Burn)?;
        }
        let raw = factor.raw_scale.as_ref().and_then(|raw| raw.val().grad(&gradients));
        if let (Some(key), Some(raw)) = (&scale_key, raw) {
            grad.check(key, Values::from(raw).reshaped(&posterior.raw_shape), Precision::Burn)?;
        }
    }
    record.check("kl_sum", total, Precision::Double)?;
    record.check("kl_sum", burn_total, Precision::Burn)?;
    record.report.unread.borrow_mut().extend(grad.unread());
    Ok(())
}
