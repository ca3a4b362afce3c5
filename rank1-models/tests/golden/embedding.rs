//! `embedding_reparameterization.json`: one table draw per call, looked up, with gradients and KL.

use burn::module::Param;
use burn::tensor::{Device, Int, Tensor, TensorData};
use ndarray::{Array2, Array3};
use rank1_models::layer::MeanFieldEmbedding;
use rank1_priors::{PosteriorFamily, PriorSpec, d_scale_d_raw, kl_and_grad, raw_to_scale};

use crate::burn_dense::tensor;
use crate::json::{Outcome, Record, Values};
use crate::report::{Precision, Verdict};

const PRIOR: PriorSpec = PriorSpec::Normal { mean: 0.0, std: 1.0 };

pub(crate) fn check(root: &Record<'_>) -> Outcome<()> {
    for case in root.children("cases")? {
        root.report.case(&case, |record| Case::read(record)?.run());
    }
    Ok(())
}

struct Case<'a> {
    record: &'a Record<'a>,
    shape: [usize; 2],
    ids: Vec<usize>,
    ids_shape: [usize; 2],
    mean: Array2<f64>,
    raw: Array2<f64>,
    noise: Array2<f64>,
    cotangent: Array3<f64>,
}

impl<'a> Case<'a> {
    fn read(record: &'a Record<'a>) -> Outcome<Self> {
        let shape = [record.count("V")?, record.count("D")?];
        for key in ["mean_raw", "stddev_raw", "noise"] {
            record.expect_shape(key, &shape)?;
        }
        let ids = record.matrix("ids")?;
        let ids_shape = [ids.nrows(), ids.ncols()];
        record.expect_shape("cotangent", &[ids_shape[0], ids_shape[1], shape[1]])?;
        let ids: Vec<usize> = ids.iter().map(|&id| id as usize).collect();
        if ids.iter().any(|&id| id >= shape[0]) {
            return record.fault("ids", "names a token outside of the table");
        }
        Ok(Self {
            record,
            shape,
            ids,
            ids_shape,
            mean: record.matrix("mean_raw")?,
            raw: record.matrix("stddev_raw")?,
            noise: record.matrix("noise")?,
            cotangent: record.cube("cotangent")?,
        })
    }

    fn run(&self) -> Outcome<Verdict> {
        self.double()?;
        self.burn()?;
        Ok(Verdict::Compared)
    }

    fn double(&self) -> Outcome<()> {
        let record = self.record;
        let flat = |a: &Array2<f64>| a.iter().copied().collect::<Vec<f64>>();
        let (mean, raw, noise) = (flat(&self.mean), flat(&self.raw), flat(&self.noise));
        let scale: Vec<f64> = raw.iter().map(|&r| raw_to_scale(r)).collect();
        let family = PosteriorFamily::Normal;
        let [_, width] = self.shape;
        let mut table = vec![0.0; mean.len()];
        record.ok(family.draw_into(&mean, &scale, &noise, &mut table))?;
        let cotangent: Vec<f64> = self.cotangent.iter().copied().collect();
        let mut output = Vec::with_capacity(cotangent.len());
        let mut d_table = vec![0.0; table.len()];
        for (&id, cotangent) in self.ids.iter().zip(cotangent.chunks(width)) {
            output.extend_from_slice(&table[id * width..(id + 1) * width]);
            for (slot, c) in d_table[id * width..].iter_mut().zip(cotangent) {
                *slot += c;
            }
        }
        let objective: f64 = output.iter().zip(&cotangent).map(|(o, c)| o * c).sum();
        let (mut d_mean, mut d_scale) = (vec![0.0; mean.len()], vec![0.0; mean.len()]);
        record.ok(family.backward_into(&mean, &scale, &noise, &d_table, &mut d_mean, &mut d_scale))?;
        let shaped = |v: Vec<f64>| Values::from(v).reshaped(&self.shape);
        let to_raw = |d: &[f64]| shaped(d.iter().zip(&raw).map(|(d, &raw)| d * d_scale_d_raw(raw)).collect());
        record.check("embedding_table_sample", shaped(table), Precision::Double)?;
        record.check("output", Values::from(output).reshaped(self.cotangent.shape()), Precision::Double)?;
        record.check("objective", objective, Precision::Double)?;
        let grad = record.child("grad")?;
        grad.check("mean", shaped(d_mean), Precision::Double)?;
        grad.check("stddev_raw", to_raw(&d_scale), Precision::Double)?;
        let kl = record.ok(kl_and_grad(family, PRIOR, &mean, &scale, None))?;
        let kl_grad = record.child("kl_grad")?;
        record.check("kl_standard_normal", kl.value, Precision::Double)?;
        kl_grad.check("mean", shaped(kl.d_loc.clone()), Precision::Double)?;
        kl_grad.check("stddev_raw", to_raw(&kl.d_scale), Precision::Double)?;
        record.report.unread.borrow_mut().extend([grad.unread(), kl_grad.unread()].concat());
        Ok(())
    }

    fn burn(&self) -> Outcome<()> {
        let record = self.record;
        let layer = MeanFieldEmbedding {
            mean: Param::from_tensor(tensor(&self.mean)),
            raw_scale: Param::from_tensor(tensor(&self.raw)),
            stream: 0,
        };
        let ids: Vec<i64> = self.ids.iter().map(|&id| id as i64).collect();
        let device = Device::flex().autodiff();
        let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, self.ids_shape), &device);
        let table = record.ok(layer.table(tensor(&self.noise)))?;
        record.check("embedding_table_sample", table.inner(), Precision::Burn)?;
        let output = record.ok(layer.forward_with_noise(ids, tensor(&self.noise)))?;
        let (b, t, d) = self.cotangent.dim();
        let cotangent: Vec<f32> = self.cotangent.iter().map(|&v| v as f32).collect();
        let cotangent = Tensor::<3>::from_data(TensorData::new(cotangent, [b, t, d]), &device);
        let terms = output.clone() * cotangent;
        let magnitude = f64::from(terms.clone().abs().sum().into_scalar::<f32>());
        let objective = terms.sum();
        let graph = objective.backward();
        record.check("output", output.inner(), Precision::Burn)?;
        let objective = f64::from(objective.into_scalar::<f32>());
        // The sum cancels: its error is measured against the magnitudes of its terms.
        record.check("objective", objective, Precision::Within(1e-5 * magnitude.max(1e-6)))?;
        self.check_grads("grad", &layer, &graph)?;
        let kl = record.ok(layer.kl(PRIOR, None))?;
        let graph = kl.backward();
        record.check("kl_standard_normal", f64::from(kl.into_scalar::<f32>()), Precision::Burn)?;
        self.check_grads("kl_grad", &layer, &graph)
    }

    fn check_grads(
        &self,
        key: &str,
        layer: &MeanFieldEmbedding,
        graph: &burn::tensor::Gradients,
    ) -> Outcome<()> {
        let grad = self.record.child(key)?;
        for (key, parameter) in [("mean", &layer.mean), ("stddev_raw", &layer.raw_scale)] {
            match parameter.val().grad(graph) {
                Some(value) => grad.check(key, value, Precision::Burn)?,
                None => return grad.fault(key, "was not computed by the Burn layer"),
            }
        }
        Ok(())
    }
}
