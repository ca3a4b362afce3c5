//! The Burn LSTM on a golden case: states of all steps and the gradient of every parameter, draw and input.

use burn::module::Param;
use burn::tensor::{Device, Tensor};
use rank1_models::layer::{LayerStreams, LstmFactors, LstmState, Rank1LstmConfig};

use crate::burn_conv::tensor;
use crate::burn_dense;
use crate::json::{Outcome, Record, Values};
use crate::lstm::{FACTORS, Lstm};
use crate::report::Precision;

/// Runs the layer and compares everything.
pub(crate) fn check(record: &Record<'_>, grad: &Record<'_>, lstm: &Lstm) -> Outcome<()> {
    let device = Device::flex().autodiff();
    let (steps, rows, d_in) = lstm.xs.dim();
    let config = Rank1LstmConfig {
        perturbation: lstm.perturbation,
        bias: lstm.bias.is_some(),
        ..Rank1LstmConfig::new(d_in, lstm.units, lstm.k)
    };
    let mut layer = record.ok(config.init(&mut LayerStreams::new(0, &device)))?;
    if let Some(bias) = &layer.bias {
        record.check("initial_bias_value", bias.val(), Precision::Burn)?;
    }
    layer.weight = Param::from_tensor(burn_dense::tensor(&lstm.kernel));
    layer.recurrent_weight = Param::from_tensor(burn_dense::tensor(&lstm.recurrent_kernel));
    layer.bias = lstm.bias.as_ref().map(|bias| Param::from_tensor(burn_dense::tensor(bias)));
    let xs = tensor::<_, _, 3>(&lstm.xs).require_grad();
    let [h0, c0] = [&lstm.h0, &lstm.c0].map(|a| burn_dense::tensor(a).require_grad());
    let draws = lstm.draws.each_ref().map(|d| burn_dense::tensor(&Lstm::rows(d)).require_grad());
    let [input, output, recurrent_input, recurrent_output] = draws.clone().map(Some);
    let factors = LstmFactors { input, output, recurrent_input, recurrent_output };
    let start = LstmState { hidden: h0.clone(), cell: c0.clone() };

    let out = record.ok(layer.apply(xs.clone(), start.clone(), None, &factors, 1))?;
    record.check("h", out.hidden.clone(), Precision::Burn)?;
    let (mut state, mut cells) = (start, Vec::new());
    for t in 0..steps {
        let x = xs.clone().narrow(0, t, 1).reshape([rows, d_in]);
        state = record.ok(layer.step(x, &state, &factors, 1))?;
        cells.push(state.cell.clone());
    }
    record.check("c", Tensor::<2>::stack::<3>(cells, 0), Precision::Burn)?;

    let terms = out.hidden * tensor::<_, _, 3>(&lstm.cotangent_h);
    let last = out.state.cell * burn_dense::tensor(&lstm.cotangent_c);
    let magnitude =
        terms.clone().abs().sum().into_scalar::<f32>() + last.clone().abs().sum().into_scalar::<f32>();
    let objective = terms.sum() + last.sum();
    let gradients = objective.backward();
    let value = f64::from(objective.into_scalar::<f32>());
    record.check("objective", value, Precision::Within(1e-5 * f64::from(magnitude).max(1e-6)))?;
    let matrix = |t: &Tensor<2>| t.grad(&gradients).unwrap_or_else(|| t.clone().inner().zeros_like());
    let precision = Precision::Burn;
    grad.check("xs", xs.grad(&gradients).unwrap_or_else(|| xs.clone().inner().zeros_like()), precision)?;
    grad.check("h0", matrix(&h0), precision)?;
    grad.check("c0", matrix(&c0), precision)?;
    grad.check("kernel", matrix(&layer.weight.val()), precision)?;
    grad.check("recurrent_kernel", matrix(&layer.recurrent_weight.val()), precision)?;
    if let Some(bias) = &layer.bias {
        grad.check("bias", matrix(&bias.val()), precision)?;
    }
    for (name, draw) in FACTORS.iter().zip(&draws) {
        let [_, width] = draw.dims();
        let example_first = matrix(draw).reshape([lstm.k, lstm.e, width]).swap_dims(0, 1);
        grad.check(&format!("{name}_samples"), Values::from(example_first), precision)?;
    }
    Ok(())
}
