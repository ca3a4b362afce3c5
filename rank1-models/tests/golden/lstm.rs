//! `lstm_cell_rank1.json`: one draw of four factors for all steps, in double precision; Burn's side is in [`crate::burn_lstm`].

use ndarray::{Array2, Array3};
use rank1_core::kernels::lstm::{
    LstmCell, LstmFactors, LstmGrads, LstmShape, LstmTape, backward_from_state, forward,
};
use rank1_core::layout::{join_members, member_major};
use rank1_core::perturb::Perturbation;

use crate::burn_lstm;
use crate::json::{Outcome, Record, Values};
use crate::report::{Precision, Verdict};

/// Names of the four factors.
pub(crate) const FACTORS: [&str; 4] = ["alpha", "gamma", "recurrent_alpha", "recurrent_gamma"];

pub(crate) fn check(root: &Record<'_>) -> Outcome<()> {
    for case in root.children("cases")? {
        root.report.case(&case, run);
    }
    Ok(())
}

/// One cell with its sequences; rows are `[K*E]`.
#[derive(Debug)]
pub(crate) struct Lstm {
    pub(crate) k: usize,
    pub(crate) e: usize,
    pub(crate) units: usize,
    pub(crate) perturbation: Perturbation,
    /// `[T, K*E, D]`.
    pub(crate) xs: Array3<f64>,
    pub(crate) h0: Array2<f64>,
    pub(crate) c0: Array2<f64>,
    pub(crate) kernel: Array2<f64>,
    pub(crate) recurrent_kernel: Array2<f64>,
    pub(crate) bias: Option<Array2<f64>>,
    /// `[E, K, width]`, in the order of [`FACTORS`]; never clipped.
    pub(crate) draws: [Array3<f64>; 4],
    pub(crate) cotangent_h: Array3<f64>,
    pub(crate) cotangent_c: Array2<f64>,
}

impl Lstm {
    fn read(record: &Record<'_>) -> Outcome<Self> {
        let (k, e, units) = (record.count("K")?, record.count("E")?, record.count("units")?);
        let (steps, d_in, rows) = (record.count("T")?, record.count("in")?, k * e);
        if record.text("gate_order")? != "i,f,c,o" {
            return record.fault("gate_order", "is not the order of the layers");
        }
        // Two ways to write the same products.
        record.note(&["implementation"]);
        let bias = record.flag("use_bias")?.then(|| record.matrix("bias")).transpose()?;
        if bias.is_some() {
            record.expect_shape("bias", &[k, 4 * units])?;
        }
        let expected: [(&str, &[usize]); 8] = [
            ("xs", &[steps, rows, d_in]),
            ("h0", &[rows, units]),
            ("c0", &[rows, units]),
            ("kernel", &[d_in, 4 * units]),
            ("recurrent_kernel", &[units, 4 * units]),
            ("cotangent_h", &[steps, rows, units]),
            ("cotangent_c_last", &[rows, units]),
            ("h", &[steps, rows, units]),
        ];
        for (key, shape) in expected {
            record.expect_shape(key, shape)?;
        }
        let draws = |name: &str, width: usize| -> Outcome<Array3<f64>> {
            let key = format!("{name}_samples");
            record.expect_shape(&key, &[e, k, width])?;
            record.cube(&key)
        };
        let additive = record.flag("additive")?;
        Ok(Self {
            k,
            e,
            units,
            perturbation: if additive { Perturbation::Additive } else { Perturbation::Multiplicative },
            xs: record.cube("xs")?,
            h0: record.matrix("h0")?,
            c0: record.matrix("c0")?,
            kernel: record.matrix("kernel")?,
            recurrent_kernel: record.matrix("recurrent_kernel")?,
            bias,
            draws: [
                draws(FACTORS[0], d_in)?,
                draws(FACTORS[1], 4 * units)?,
                draws(FACTORS[2], units)?,
                draws(FACTORS[3], 4 * units)?,
            ],
            cotangent_h: record.cube("cotangent_h")?,
            cotangent_c: record.matrix("cotangent_c_last")?,
        })
    }

    /// Draws `[E, K, width]` as rows `[K*E, width]`.
    pub(crate) fn rows(draws: &Array3<f64>) -> Array2<f64> {
        join_members(member_major(draws.view()).view())
    }
}

fn flat<D: ndarray::Dimension>(array: &ndarray::Array<f64, D>) -> Vec<f64> {
    array.iter().copied().collect()
}

/// Steps first to rows first and back.
fn swapped(array: &Array3<f64>) -> Vec<f64> {
    array.view().permuted_axes([1, 0, 2]).iter().copied().collect()
}

fn run(record: &Record<'_>) -> Outcome<Verdict> {
    let lstm = Lstm::read(record)?;
    let (steps, rows, d_in) = lstm.xs.dim();
    let (units, k) = (lstm.units, lstm.k);
    let shape = LstmShape { n_samples: 1, n_members: k, n_examples: lstm.e, steps, d_in, units };
    let [input, gates, recurrent_input, recurrent_gates] =
        lstm.draws.each_ref().map(|d| flat(&Lstm::rows(d)));
    let (weight, recurrent_weight) = (flat(&lstm.kernel), flat(&lstm.recurrent_kernel));
    let bias = lstm.bias.as_ref().map_or_else(|| vec![0.0; k * 4 * units], flat);
    let cell = LstmCell {
        shape,
        weight: &weight,
        recurrent_weight: &recurrent_weight,
        bias: &bias,
        factors: LstmFactors {
            input: Some(&input),
            gates: Some(&gates),
            recurrent_input: Some(&recurrent_input),
            recurrent_gates: Some(&recurrent_gates),
        },
        perturbation: lstm.perturbation,
    };
    let x = swapped(&lstm.xs);
    let (h0, c0) = (flat(&lstm.h0), flat(&lstm.c0));
    let mut tape = LstmTape::new();
    record.ok(forward(&cell, &x, None, Some((&h0, &c0)), &mut tape))?;
    let (hidden, cells): (Vec<_>, Vec<_>) = (0..steps).map(|t| (tape.hidden(t), tape.cell(t))).unzip();
    let by_step = [steps, rows, units];
    let (hidden, last) = (hidden.concat(), cells.last().cloned().unwrap_or_default());
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let (d_hidden, d_last) = (flat(&lstm.cotangent_h), flat(&lstm.cotangent_c));
    record.check("objective", dot(&hidden, &d_hidden) + dot(&last, &d_last), Precision::Double)?;
    record.check("h", Values::from(hidden).reshaped(&by_step), Precision::Double)?;
    record.check("c", Values::from(cells.concat()).reshaped(&by_step), Precision::Double)?;

    let mut grads = LstmGrads::with_x();
    let still = vec![0.0; rows * units];
    let done =
        backward_from_state(&cell, &x, None, (&still, Some(&d_last)), Some(&d_hidden), &mut tape, &mut grads);
    record.ok(done)?;
    let grad = record.child("grad")?;
    let matrix = |values: &[f64], shape: [usize; 2]| Values::from(values.to_vec()).reshaped(&shape);
    let x = Array3::from_shape_vec((rows, steps, d_in), grads.x.clone().unwrap_or_default());
    let x = Values::from(swapped(&record.ok(x)?)).reshaped(&[steps, rows, d_in]);
    grad.check("xs", x, Precision::Double)?;
    grad.check("h0", matrix(&grads.h0, [rows, units]), Precision::Double)?;
    grad.check("c0", matrix(&grads.c0, [rows, units]), Precision::Double)?;
    grad.check("kernel", matrix(&grads.weight, [d_in, 4 * units]), Precision::Double)?;
    let recurrent = matrix(&grads.recurrent_weight, [units, 4 * units]);
    grad.check("recurrent_kernel", recurrent, Precision::Double)?;
    if lstm.bias.is_some() {
        grad.check("bias", matrix(&grads.bias, [k, 4 * units]), Precision::Double)?;
    }
    let factors = [&grads.input, &grads.gates, &grads.recurrent_input, &grads.recurrent_gates];
    for (name, gradient) in FACTORS.iter().zip(factors) {
        let width = gradient.len() / rows;
        let members = record.ok(Array3::from_shape_vec((k, lstm.e, width), gradient.clone()))?;
        grad.check(&format!("{name}_samples"), member_major(members.view()), Precision::Double)?;
    }
    burn_lstm::check(record, &grad, &lstm)?;
    record.report.unread.borrow_mut().extend(grad.unread());
    Ok(Verdict::Compared)
}
