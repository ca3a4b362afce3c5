//! `batchnorm.json`: per-member and shared statistics, training and inference, moving averages of both conventions.

use burn::module::Param;
use ndarray::{Array2, Array4};
use rank1_core::kernels::batch_norm::{NormSaved, NormShape, eval_forward, train_forward, unbiased};
use rank1_models::layer::{BatchNormMode, MemberBatchNorm, MemberBatchNormConfig, MovingVariance};

use crate::burn_conv::{channels_first, channels_last, tensor};
use crate::burn_dense;
use crate::json::{Outcome, Record, Values};
use crate::report::{Precision, Verdict};

pub(crate) fn check(root: &Record<'_>) -> Outcome<()> {
    for case in root.children("cases")? {
        root.report.case(&case, run);
    }
    Ok(())
}

/// Weight of a batch in Keras' moving averages: a constant in single precision, whatever the layer's precision.
pub(crate) fn keras_rate(momentum: f64) -> f64 {
    f64::from((1.0 - momentum) as f32)
}

/// One layer with its batch.
struct Case {
    x: Array4<f64>,
    shape: NormShape,
    /// Shape of the parameters in the file: `[C]` or `[K, C]`.
    own_shape: Vec<usize>,
    scale: Array2<f64>,
    shift: Array2<f64>,
    mean: Array2<f64>,
    variance: Array2<f64>,
    epsilon: f64,
    momentum: f64,
    update: MovingVariance,
}

impl Case {
    fn read(record: &Record<'_>) -> Outcome<Self> {
        let x = record.block("x")?;
        let (rows, height, width, channels) = x.dim();
        let layer = record.text("layer")?;
        let own_shape = record.values("gamma")?.shape;
        let (n_members, per_member) = match own_shape[..] {
            [_] => (1, false),
            [k, _] => (k, true),
            _ => return record.fault("gamma", "has neither one nor two axes"),
        };
        if record.has("K") && record.count("K")? != n_members {
            return record.fault("K", "is not the number of sets of parameters");
        }
        if rows % n_members != 0 || (record.has("E") && record.count("E")? * n_members != rows) {
            return record.fault("x", "has rows that do not divide among the members");
        }
        // Only Keras' fused layers move by the unbiased variance.
        let fused = record.has("fused") && record.flag("fused")?;
        let update = if fused { MovingVariance::Unbiased } else { MovingVariance::Biased };
        if !layer.starts_with("EnsembleSyncBatchNorm") && !layer.starts_with("keras BatchNormalization") {
            return record.fault("layer", format!("is {layer:?}, which is not known"));
        }
        let sets = |key: &str| -> Outcome<Array2<f64>> {
            record.expect_shape(key, &own_shape)?;
            let data = record.values(key)?.data;
            let array = Array2::from_shape_vec((n_members, channels), data);
            array.or_else(|e| record.fault(key, e.to_string()))
        };
        let shape = NormShape {
            n_samples: 1,
            n_members,
            n_examples: rows / n_members,
            positions: height * width,
            channels,
            per_member,
        };
        Ok(Self {
            shape,
            scale: sets("gamma")?,
            shift: sets("beta")?,
            mean: sets("moving_mean")?,
            variance: sets("moving_variance")?,
            epsilon: record.number("epsilon")?,
            momentum: record.number("momentum")?,
            x,
            own_shape,
            update,
        })
    }

    fn own(&self, values: Vec<f64>) -> Values {
        Values::from(values).reshaped(&self.own_shape)
    }

    /// The moving statistic after one batch.
    fn moved(&self, old: &Array2<f64>, batch: &[f64], correct: bool) -> Values {
        let batch = batch.iter().map(|&v| match (correct, self.update) {
            (true, MovingVariance::Unbiased) => unbiased(v, self.shape.count()),
            _ => v,
        });
        let rate = keras_rate(self.momentum);
        self.own(old.iter().zip(batch).map(|(old, new)| old + rate * (new - old)).collect())
    }

    fn burn(&self, record: &Record<'_>) -> Outcome<MemberBatchNorm> {
        let config = MemberBatchNormConfig {
            channels: self.shape.channels,
            n_sets: self.scale.nrows(),
            epsilon: self.epsilon,
            momentum: self.momentum,
            moving_variance: self.update,
        };
        let mut layer = record.ok(config.init(&burn::tensor::Device::flex().autodiff()))?;
        layer.scale = Param::from_tensor(burn_dense::tensor(&self.scale));
        layer.shift = Param::from_tensor(burn_dense::tensor(&self.shift));
        layer.moving_mean.update(burn_dense::tensor(&self.mean));
        layer.moving_variance.update(burn_dense::tensor(&self.variance));
        Ok(layer)
    }
}

fn run(record: &Record<'_>) -> Outcome<Verdict> {
    let case = Case::read(record)?;
    let flat = |a: &Array2<f64>| a.iter().copied().collect::<Vec<f64>>();
    let x: Vec<f64> = case.x.iter().copied().collect();
    let (scale, shift) = (flat(&case.scale), flat(&case.shift));
    let image = Values::from(case.x.clone()).shape;

    let mut out = vec![0.0; x.len()];
    let (mean, variance) = (flat(&case.mean), flat(&case.variance));
    let evaluated = eval_forward(&case.shape, &x, &scale, &shift, &mean, &variance, case.epsilon, &mut out);
    record.ok(evaluated)?;
    record.check("output_inference", Values::from(out.clone()).reshaped(&image), Precision::Double)?;
    let mut saved = NormSaved::default();
    record.ok(train_forward(&case.shape, &x, &scale, &shift, case.epsilon, &mut out, &mut saved))?;

    // The reference's layer per member runs in single precision only.
    let single = record.has("output_training_f32");
    let key = |name: &str| if single { format!("{name}_f32") } else { name.to_string() };
    let precision = if single { Precision::SingleStored } else { Precision::Double };
    record.check(&key("output_training"), Values::from(out).reshaped(&image), precision)?;
    let moved = [
        ("moving_mean_after", case.moved(&case.mean, &saved.mean, false)),
        ("moving_variance_after", case.moved(&case.variance, &saved.variance, true)),
    ];
    for (name, value) in moved {
        record.check(&key(name), value, precision)?;
    }

    let layer = case.burn(record)?;
    let images = channels_first(tensor(&case.x));
    let pass = |mode| Ok(channels_last(record.ok(layer.forward(images.clone(), 1, mode))?));
    record.check("output_inference", pass(BatchNormMode::Evaluation)?, Precision::Burn)?;
    record.check(&key("output_training"), pass(BatchNormMode::Training)?, Precision::Burn)?;
    for (name, state) in
        [("moving_mean_after", &layer.moving_mean), ("moving_variance_after", &layer.moving_variance)]
    {
        let moved = Values::from(state.value_sync()).reshaped(&case.own_shape);
        record.check(&key(name), moved, Precision::Burn)?;
    }
    Ok(Verdict::Compared)
}
