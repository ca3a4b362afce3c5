//! Claims about the perturbed LSTM: equality with loops, lengths, gradients, threads, refused arguments.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::testkit::{central_differences, max_relative_error, normals};

const SHAPE: LstmShape = LstmShape { n_samples: 2, n_members: 3, n_examples: 5, steps: 4, d_in: 3, units: 2 };
/// Small enough to move every coordinate.
const SMALL: LstmShape = LstmShape { n_samples: 1, n_members: 2, n_examples: 3, ..SHAPE };
const MODES: [Perturbation; 2] = [Perturbation::Multiplicative, Perturbation::Additive];

fn values<F: Real>(seed: u64, len: usize) -> Vec<F> {
    normals::<F, _, _>(seed, len).to_vec()
}

/// Everything an LSTM reads, by name.
#[derive(Clone)]
struct Case<F> {
    shape: LstmShape,
    perturbation: Perturbation,
    has_factors: bool,
    /// x, weight, recurrent_weight, bias, input, gates, recurrent_input, recurrent_gates, h0, c0.
    parts: [Vec<F>; 10],
    lengths: Vec<usize>,
}

const NAMES: [&str; 10] = [
    "x",
    "weight",
    "recurrent_weight",
    "bias",
    "input",
    "gates",
    "recurrent_input",
    "recurrent_gates",
    "h0",
    "c0",
];

impl<F: Real> Case<F> {
    fn new(shape: LstmShape, perturbation: Perturbation, has_factors: bool) -> Self {
        let (rows, d, u) = (shape.rows(), shape.d_in, shape.units);
        let lens = [
            rows * shape.steps * d,
            d * 4 * u,
            u * 4 * u,
            shape.n_members * 4 * u,
            rows * d,
            rows * 4 * u,
            rows * u,
            rows * 4 * u,
            rows * u,
            rows * u,
        ];
        let mut seed = 0;
        let parts = lens.map(|len| {
            seed += 1;
            values(seed, len)
        });
        // Every length from 0 to all steps occurs.
        let lengths = (0..rows).map(|row| row % (shape.steps + 1)).collect();
        Self { shape, perturbation, has_factors, parts, lengths }
    }

    fn cell(&self) -> LstmCell<'_, F> {
        let factor = |i: usize| self.has_factors.then_some(&self.parts[i][..]);
        LstmCell {
            shape: self.shape,
            weight: &self.parts[1],
            recurrent_weight: &self.parts[2],
            bias: &self.parts[3],
            factors: LstmFactors {
                input: factor(4),
                gates: factor(5),
                recurrent_input: factor(6),
                recurrent_gates: factor(7),
            },
            perturbation: self.perturbation,
        }
    }

    fn forward(&self, tape: &mut LstmTape<F>) {
        let initial = Some((&self.parts[8][..], &self.parts[9][..]));
        forward(&self.cell(), &self.parts[0], Some(&self.lengths), initial, tape).unwrap();
    }
}

/// Hidden and cell states after every step, `[steps, rows, u]` each, one scalar at a time.
fn by_loops(case: &Case<f64>) -> (Vec<f64>, Vec<f64>) {
    let LstmShape { steps, d_in: d, units: u, .. } = case.shape;
    let [x, w, rw, bias, s_x, r_x, s_h, r_h, h0, c0] = &case.parts;
    let act = |value: f64, factor: f64| match (case.has_factors, case.perturbation) {
        (false, _) => value,
        (true, Perturbation::Multiplicative) => value * factor,
        (true, Perturbation::Additive) => value + factor,
    };
    let logistic = |z: f64| 1.0 / (1.0 + (-z).exp());
    let rows = case.shape.rows();
    let (mut hs, mut cs) = (vec![0.0; steps * rows * u], vec![0.0; steps * rows * u]);
    for row in 0..rows {
        let member = row / case.shape.n_examples % case.shape.n_members;
        let (mut h, mut c) = (h0[row * u..(row + 1) * u].to_vec(), c0[row * u..(row + 1) * u].to_vec());
        for t in 0..steps {
            if t < case.lengths[row] {
                let z: Vec<f64> = (0..4 * u)
                    .map(|g| {
                        let input: f64 = (0..d)
                            .map(|i| act(x[(row * steps + t) * d + i], s_x[row * d + i]) * w[i * 4 * u + g])
                            .sum();
                        let recurrent: f64 =
                            (0..u).map(|i| act(h[i], s_h[row * u + i]) * rw[i * 4 * u + g]).sum();
                        let at = row * 4 * u + g;
                        act(input, r_x[at]) + act(recurrent, r_h[at]) + bias[member * 4 * u + g]
                    })
                    .collect();
                for j in 0..u {
                    c[j] = logistic(z[u + j]) * c[j] + logistic(z[j]) * z[2 * u + j].tanh();
                    h[j] = logistic(z[3 * u + j]) * c[j].tanh();
                }
            }
            let at = (t * rows + row) * u;
            hs[at..at + u].copy_from_slice(&h);
            cs[at..at + u].copy_from_slice(&c);
        }
    }
    (hs, cs)
}

fn cases(shape: LstmShape) -> impl Iterator<Item = Case<f64>> {
    MODES.into_iter().flat_map(move |mode| [true, false].map(|factors| Case::new(shape, mode, factors)))
}

#[test]
fn states_equal_loops_with_and_without_factors_and_lengths() {
    let mut tape = LstmTape::new();
    for shape in [SHAPE, SMALL, LstmShape { n_samples: 1, n_members: 1, n_examples: 1, ..SHAPE }] {
        for mut case in cases(shape) {
            for _ in 0..2 {
                let (hidden, cell) = by_loops(&case);
                case.forward(&mut tape);
                let per_step = shape.rows() * shape.units;
                for t in 0..shape.steps {
                    assert!(
                        max_relative_error(&tape.hidden(t), &hidden[t * per_step..(t + 1) * per_step])
                            < 1e-13
                    );
                    assert!(
                        max_relative_error(&tape.cell(t), &cell[t * per_step..(t + 1) * per_step]) < 1e-13
                    );
                }
                assert_eq!(tape.last(), tape.hidden(shape.steps - 1));
                assert!(tape.hidden(shape.steps).is_empty());
                case.lengths.fill(shape.steps);
            }
            let full = tape.last().to_vec();
            let initial = Some((&case.parts[8][..], &case.parts[9][..]));
            forward(&case.cell(), &case.parts[0], None, initial, &mut tape).unwrap();
            assert_eq!(tape.last(), full);
        }
    }
}

#[test]
fn a_row_of_length_zero_ends_at_zero_or_at_its_initial_state() {
    let mut case = Case::<f64>::new(SMALL, Perturbation::Additive, true);
    case.lengths.fill(0);
    let mut tape = LstmTape::new();
    case.forward(&mut tape);
    assert_eq!(tape.last(), case.parts[8]);
    forward(&case.cell(), &case.parts[0], Some(&case.lengths), None, &mut tape).unwrap();
    assert!(tape.last().iter().all(|&h| h == 0.0));
}

#[test]
fn a_hundred_thousand_steps_equal_their_first_three_where_rows_end_and_stay_finite_where_they_do_not() {
    let long = LstmShape { n_samples: 1, n_members: 1, n_examples: 2, steps: 100_000, d_in: 1, units: 2 };
    let mut case = Case::<f64>::new(long, Perturbation::Multiplicative, true);
    case.lengths = vec![3, long.steps];
    let mut tape = LstmTape::new();
    case.forward(&mut tape);
    let (ended, whole) = (tape.last()[..2].to_vec(), tape.last()[2..].to_vec());
    assert!(whole.iter().all(|h| h.is_finite() && h.abs() <= 1.0));
    let mut grads = LstmGrads::with_x();
    let (x, lengths) = (&case.parts[0], Some(&case.lengths[..]));
    backward_from_state(&case.cell(), x, lengths, (&[1.0; 4], None), None, &mut tape, &mut grads).unwrap();
    let d_x = grads.x.as_ref().unwrap();
    assert!(d_x.iter().chain(&grads.weight).all(|g| g.is_finite()));
    // Steps past the end of the first row move nothing.
    assert!(d_x[3..long.steps].iter().all(|&g| g == 0.0));
    let mut short = case.clone();
    short.shape = LstmShape { steps: 3, ..long };
    let rows = case.parts[0].chunks_exact(long.steps);
    short.parts[0] = rows.flat_map(|row| row[..3].to_vec()).collect();
    short.lengths = vec![3, 3];
    short.forward(&mut tape);
    assert_eq!(tape.last()[..2], ended);
}

fn gradients(
    case: &Case<f64>,
    d_last: &[f64],
    d_cell: Option<&[f64]>,
    d_hidden: Option<&[f64]>,
) -> [Vec<f64>; 10] {
    let (mut tape, mut grads) = (LstmTape::new(), LstmGrads::with_x());
    let lengths = Some(&case.lengths[..]);
    // The second pass on the same buffers must not see the first.
    for _ in 0..2 {
        case.forward(&mut tape);
        backward_from_state(
            &case.cell(),
            &case.parts[0],
            lengths,
            (d_last, d_cell),
            d_hidden,
            &mut tape,
            &mut grads,
        )
        .unwrap();
    }
    let g = grads;
    [
        g.x.unwrap(),
        g.weight,
        g.recurrent_weight,
        g.bias,
        g.input,
        g.gates,
        g.recurrent_input,
        g.recurrent_gates,
        g.h0,
        g.c0,
    ]
}

#[test]
fn all_gradients_agree_with_central_differences() {
    for case in cases(SMALL) {
        let (rows, u) = (SMALL.rows(), SMALL.units);
        let d_last = values::<f64>(20, rows * u);
        let d_cell = values::<f64>(21, rows * u);
        let d_hidden = values::<f64>(22, SMALL.steps * rows * u);
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        for full in [false, true] {
            let loss = |case: &Case<f64>| {
                let (hidden, cell) = by_loops(case);
                let last = (SMALL.steps - 1) * rows * u;
                let end = dot(&hidden[last..], &d_last);
                if full { end + dot(&cell[last..], &d_cell) + dot(&hidden, &d_hidden) } else { end }
            };
            let got = gradients(&case, &d_last, full.then_some(&d_cell[..]), full.then_some(&d_hidden[..]));
            for part in 0..10 {
                if !case.has_factors && (4..8).contains(&part) {
                    assert!(got[part].is_empty());
                    continue;
                }
                let mut moved = case.clone();
                let expected = central_differences(
                    |p| {
                        moved.parts[part].copy_from_slice(p);
                        loss(&moved)
                    },
                    &case.parts[part],
                );
                let error = max_relative_error(&got[part], &expected);
                assert!(error < 1e-8, "{} {:?} {full}: {error}", NAMES[part], case.perturbation);
            }
        }
    }
}

#[test]
fn the_short_form_is_the_one_without_a_cell_gradient() {
    let case = Case::<f64>::new(SHAPE, Perturbation::Multiplicative, true);
    let d_last = values::<f64>(20, SHAPE.rows() * SHAPE.units);
    let expected = gradients(&case, &d_last, None, None);
    let (mut tape, mut grads) = (LstmTape::new(), LstmGrads::default());
    case.forward(&mut tape);
    let lengths = Some(&case.lengths[..]);
    backward(&case.cell(), &case.parts[0], lengths, &d_last, None, &mut tape, &mut grads).unwrap();
    assert_eq!((&grads.weight, &grads.input, &grads.c0), (&expected[1], &expected[4], &expected[9]));
    assert!(grads.x.is_none());
}

#[test]
fn every_number_of_threads_gives_the_same_bits() {
    let shape = LstmShape { n_examples: 23, ..SHAPE };
    let case = Case::<f32>::new(shape, Perturbation::Multiplicative, true);
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let (mut tape, mut grads) = (LstmTape::new(), LstmGrads::with_x());
        pool.install(|| {
            case.forward(&mut tape);
            let (d_last, lengths) = (tape.last().to_vec(), Some(&case.lengths[..]));
            backward(&case.cell(), &case.parts[0], lengths, &d_last, None, &mut tape, &mut grads).unwrap();
        });
        let parts =
            [grads.x.unwrap(), grads.weight, grads.recurrent_weight, grads.bias, grads.input, grads.h0];
        parts.concat().iter().map(|v| v.to_bits()).collect()
    };
    let one: Vec<u32> = run(1);
    assert_eq!(one, run(2));
    assert_eq!(one, run(5));
}

#[test]
fn wrong_lengths_and_a_used_tape_are_refused() {
    let case = Case::<f64>::new(SMALL, Perturbation::Multiplicative, true);
    let (mut tape, mut grads) = (LstmTape::new(), LstmGrads::default());
    let (x, d_last) = (&case.parts[0], &case.parts[8]);
    let refused = backward(&case.cell(), x, None, d_last, None, &mut tape, &mut grads);
    assert!(matches!(refused, Err(Error::Undefined { .. })));
    forward(&case.cell(), x, None, None, &mut tape).unwrap();
    backward(&case.cell(), x, None, d_last, None, &mut tape, &mut grads).unwrap();
    assert!(backward(&case.cell(), x, None, d_last, None, &mut tape, &mut grads).is_err());
    let short = LstmCell { bias: &case.parts[3][1..], ..case.cell() };
    let refused = forward(&short, x, None, None, &mut tape);
    assert!(matches!(refused, Err(Error::ShapeMismatch { argument: "bias", .. })));
    let long = vec![SMALL.steps + 1; SMALL.rows()];
    let refused = forward(&case.cell(), x, Some(&long), None, &mut tape);
    assert!(matches!(refused, Err(Error::OutOfRange { argument: "lengths", .. })));
}
