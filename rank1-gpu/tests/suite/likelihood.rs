//! Losses and gradients of a device against the host's formulas.

use cubecl::client::Client;
use cubecl::server::Handle;
use rank1_core::targets::Targets;
use rank1_gpu::launch::{self, NllGrads};
use rank1_gpu::{Error, Likelihood, NllForm, OutputShape, Precision, transfer};

use super::assert_close;
use super::halves::{assert_stored, halves, precisions};
use super::library::round;
use super::oracle;

const FORMS: [NllForm; 2] = [NllForm::AverageNll, NllForm::MixtureNll];
const SCALARS: [Likelihood; 3] =
    [Likelihood::Bernoulli, Likelihood::Gaussian, Likelihood::HeteroscedasticGaussian];

/// `[S, K, B, C]`: odd primes, each axis at its least, rows shared by several units, more members than units of a small cube,
/// and a batch behind the end of a cube.
///
/// Few, because each tiling is compiled anew.
const SHAPES: [[usize; 4]; 8] = [
    [2, 3, 5, 7],
    [5, 1, 5, 7],
    [2, 3, 1, 7],
    [2, 3, 5, 2],
    [1, 1, 1, 2],
    [1, 17, 5, 13],
    [3, 5, 2, 131],
    [1, 2, 263, 3],
];

struct Case {
    likelihood: Likelihood,
    shape: OutputShape,
    precision: Precision,
    outputs: Vec<f32>,
    labels: Vec<u32>,
    values: Vec<f32>,
    raw_noise: Option<Vec<f32>>,
}

fn case(likelihood: Likelihood, [n_samples, n_members, n_examples, n_outputs]: [usize; 4]) -> Case {
    let n_classes = n_outputs;
    let n_outputs = likelihood.n_outputs(n_classes);
    let shape = OutputShape { n_samples, n_members, n_examples, n_outputs };
    let n = n_samples * n_members * n_examples * n_outputs;
    let n_labels = if likelihood == Likelihood::Bernoulli { 2 } else { n_classes };
    Case {
        likelihood,
        shape,
        precision: Precision::F32,
        outputs: (0..n).map(|i| 2.5 * (1.7 * i as f32 + 0.4).sin()).collect(),
        labels: (0..n_examples).map(|b| ((5 * b + 3) % n_labels) as u32).collect(),
        values: (0..n_examples).map(|b| 2.0 * (0.9 * b as f32).cos()).collect(),
        raw_noise: (likelihood == Likelihood::Gaussian)
            .then(|| (0..n_members).map(|k| 1.0 + (0.8 * k as f32).sin()).collect()),
    }
}

/// Losses of examples, and the gradients of their mean.
struct Expected {
    values: Vec<f64>,
    outputs: Vec<f64>,
    raw_noise: Option<Vec<f64>>,
}

impl Case {
    /// The same with outputs rounded to a precision.
    fn rounded_to(self, precision: Precision) -> Self {
        Self { precision, outputs: round(&self.outputs, precision), ..self }
    }

    fn host(&self, form: NllForm) -> Expected {
        let targets = if self.likelihood.is_classification() {
            let n_classes = if self.likelihood == Likelihood::Bernoulli { 2 } else { self.shape.n_outputs };
            Targets::Classes { labels: self.labels.iter().map(|label| *label as usize).collect(), n_classes }
        } else {
            Targets::Values(self.values.iter().map(|value| f64::from(*value)).collect())
        };
        let raw_noise = self.raw_noise.as_deref();
        let (values, grads) =
            oracle::nll_with_gradient(self.likelihood, form, self.shape, &self.outputs, &targets, raw_noise);
        let outputs = grads.outputs.into_iter().collect();
        Expected { values, outputs, raw_noise: grads.raw_noise.map(|raw| raw.to_vec()) }
    }

    fn device(&self, client: &Client, form: NllForm) -> (Vec<f32>, Vec<f32>, Option<Vec<f32>>) {
        let NllGrads { values, outputs, raw_noise } = self.launch(client, form).unwrap();
        let read = |buffer| transfer::download(client, buffer).unwrap();
        let outputs = transfer::download_as(client, &outputs, self.precision).unwrap();
        (read(&values), outputs, raw_noise.as_ref().map(read))
    }

    fn launch(&self, client: &Client, form: NllForm) -> Result<NllGrads, Error> {
        let outputs = transfer::upload_as(client, "outputs", &self.outputs, self.precision)?;
        let targets = if self.likelihood.is_classification() {
            transfer::upload_words(client, "targets", &self.labels)?
        } else {
            transfer::upload(client, "targets", &self.values)?
        };
        let raw_noise =
            self.raw_noise.as_ref().map(|raw| transfer::upload(client, "raw_noise", raw)).transpose()?;
        let (precision, likelihood, shape, raw_noise) =
            (self.precision, self.likelihood, self.shape, raw_noise.as_ref());
        launch::nll_with_gradient_in(
            client, precision, likelihood, form, shape, &outputs, &targets, raw_noise,
        )
    }

    fn check(&self, client: &Client, form: NllForm) {
        let what = format!("{:?} {form:?} {:?}", self.likelihood, self.shape);
        let (values, outputs, raw_noise) = self.device(client, form);
        let expected = self.host(form);
        assert_close(&values, &expected.values, &format!("{what} values"));
        // Without the factor `1 / (S K B)` of gradients, which would hide errors below an absolute tolerance.
        let unit = 1.0 / (self.shape.n_samples * self.shape.n_members * self.shape.n_examples) as f64;
        assert_stored(&outputs, &expected.outputs, self.precision, unit, &what);
        assert_eq!(raw_noise.is_some(), expected.raw_noise.is_some(), "{what}");
        if let (Some(got), Some(expected)) = (raw_noise, expected.raw_noise) {
            assert_close(&got, &expected, &format!("{what} raw noise"));
        }
    }
}

pub(crate) fn categorical_losses_and_gradients_equal_the_host(client: &Client) {
    check_categorical(client, Precision::F32);
}

fn check_categorical(client: &Client, precision: Precision) {
    for shape in SHAPES {
        case(Likelihood::Categorical, shape).rounded_to(precision).check(client, NllForm::MixtureNll);
    }
    for shape in &SHAPES[..3] {
        case(Likelihood::Categorical, *shape).rounded_to(precision).check(client, NllForm::AverageNll);
    }
    case(Likelihood::Categorical, SHAPES[0])
        .rounded_to(precision)
        .check(client, NllForm::MarginalizedProbabilities);
}

pub(crate) fn scalar_losses_and_gradients_equal_the_host(client: &Client) {
    check_scalar(client, Precision::F32);
}

fn check_scalar(client: &Client, precision: Precision) {
    for likelihood in SCALARS {
        for form in FORMS {
            for shape in [[2, 3, 5, 2], [2, 3, 263, 2], [5, 1, 1, 2]] {
                case(likelihood, shape).rounded_to(precision).check(client, form);
            }
        }
        for shape in [[1, 17, 5, 2], [1, 1, 1, 2]] {
            case(likelihood, shape).rounded_to(precision).check(client, NllForm::MixtureNll);
        }
    }
}

pub(crate) fn losses_and_gradients_of_halves_equal_the_host(client: &Client) {
    for precision in halves(client) {
        check_categorical(client, precision);
        check_scalar(client, precision);
    }
}

/// More classes than units of a cube times the entries of a short loop.
pub(crate) fn a_row_of_thousands_of_classes_equals_the_host(client: &Client) {
    case(Likelihood::Categorical, [1, 2, 3, 4099]).check(client, NllForm::MixtureNll);
}

pub(crate) fn losses_alone_are_those_beside_gradients(client: &Client) {
    for precision in precisions(client) {
        let case = case(Likelihood::Categorical, [2, 3, 5, 7]).rounded_to(precision);
        let Case { likelihood, shape, .. } = case;
        let outputs = transfer::upload_as(client, "outputs", &case.outputs, precision).unwrap();
        let targets = transfer::upload_words(client, "targets", &case.labels).unwrap();
        for form in FORMS {
            let alone =
                launch::nll_in(client, precision, likelihood, form, shape, &outputs, &targets, None).unwrap();
            let alone = transfer::download(client, &alone).unwrap();
            assert_eq!(alone, case.device(client, form).0, "{precision:?}");
        }
    }
}

/// Logits near 1e6, logits of minus infinity, and log-likelihoods that underflow as probabilities.
pub(crate) fn extreme_logits_stay_finite(client: &Client) {
    let mut case = case(Likelihood::Categorical, [2, 3, 3, 7]);
    let masked = f32::NEG_INFINITY;
    for (row, logits) in case.outputs.chunks_mut(7).enumerate() {
        match row % 3 {
            0 => logits[..2].copy_from_slice(&[-1e6, 1e6]),
            1 => logits[..2].copy_from_slice(&[1e6, if row < 9 { 1e6 } else { 1e6 - 1.0 }]),
            _ => logits[..2].copy_from_slice(&[if row < 9 { masked } else { -200.0 }, 0.5]),
        }
    }
    case.labels = vec![0, 1, 1];
    for form in FORMS {
        assert!(case.host(form).values.iter().chain(&case.host(form).outputs).all(|v| v.is_finite()));
        case.check(client, form);
    }
    let mut far = self::case(Likelihood::Bernoulli, [2, 3, 1, 1]);
    far.outputs = vec![1e6, -1e6, 90.0, 1e6, 40.0, -90.0];
    for label in [0, 1] {
        far.labels = vec![label];
        far.check(client, NllForm::AverageNll);
        far.check(client, NllForm::MixtureNll);
    }
    // Scales at the floor, of e^-15, and wide, with targets near the means: a scale that lost digits would show.
    let mut sharp = self::case(Likelihood::Gaussian, [2, 3, 1, 1]);
    sharp.raw_noise = Some(vec![-1e4, -15.0, 20.0]);
    sharp.outputs = vec![0.25; 6];
    sharp.values = vec![0.25 + 2e-6];
    let (values, ..) = sharp.device(client, NllForm::AverageNll);
    assert_close(&values, &sharp.host(NllForm::AverageNll).values, "scales at the floor");
}

/// Where the host's numbers are NaN or infinite, the device's are too, and nowhere else.
pub(crate) fn nan_and_impossible_targets_stay_in_their_example(client: &Client) {
    precisions(client).into_iter().for_each(|precision| check_nan_and_impossible_targets(client, precision));
}

fn check_nan_and_impossible_targets(client: &Client, precision: Precision) {
    let kind = |v: f64| {
        if v.is_nan() {
            'n'
        } else if v.is_infinite() {
            'i'
        } else {
            '.'
        }
    };
    let kinds = |values: &[f64]| values.iter().map(|v| kind(*v)).collect::<String>();
    let wide = |values: &[f32]| values.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
    let mut cases = Vec::new();
    for value in [f32::NAN, f32::INFINITY] {
        let mut case = case(Likelihood::Categorical, [2, 3, 5, 7]);
        case.outputs[7 * (5 * 2 + 3) + 6] = value;
        cases.push(case);
    }
    let mut masked = case(Likelihood::Categorical, [2, 3, 5, 7]);
    for row in 0..6 {
        // The label of example 1 is impossible for all, that of example 4 for some.
        masked.outputs[7 * (5 * row + 1) + masked.labels[1] as usize] = f32::NEG_INFINITY;
        if row < 2 {
            masked.outputs[7 * (5 * row + 4) + masked.labels[4] as usize] = f32::NEG_INFINITY;
        }
    }
    // Every class of example 2 is impossible for one member.
    masked.outputs[7 * (5 * 3 + 2)..][..7].fill(f32::NEG_INFINITY);
    cases.push(masked);
    for likelihood in SCALARS {
        let mut case = case(likelihood, [2, 3, 5, 2]);
        case.outputs[likelihood.n_outputs(2) * 8] = f32::NAN;
        cases.push(case);
    }
    let mut noise = case(Likelihood::Gaussian, [2, 3, 5, 2]);
    noise.raw_noise = Some(vec![0.5, f32::NAN, 1.0]);
    cases.push(noise);
    for case in cases {
        let case = case.rounded_to(precision);
        for form in FORMS {
            let (values, outputs, raw_noise) = case.device(client, form);
            let expected = case.host(form);
            assert!(!kinds(&expected.values).chars().all(|kind| kind == '.'), "nothing is tested");
            let what = format!("{precision:?} {:?} {form:?}", case.likelihood);
            assert_eq!(kinds(&wide(&values)), kinds(&expected.values), "{what} values");
            assert_eq!(kinds(&wide(&outputs)), kinds(&expected.outputs), "{what} outputs");
            let raw_noise = raw_noise.map(|raw| kinds(&wide(&raw)));
            assert_eq!(raw_noise, expected.raw_noise.map(|raw| kinds(&raw)), "{what} noise");
        }
    }
}

pub(crate) fn labels_out_of_range_give_nan_to_their_example_alone(client: &Client) {
    for (likelihood, first, last) in
        [(Likelihood::Categorical, 7, u32::MAX), (Likelihood::Bernoulli, 2, u32::MAX)]
    {
        for label in [first, last] {
            for form in FORMS {
                let mut case = case(likelihood, [2, 3, 5, 7]);
                case.labels[3] = label;
                let (values, outputs, _) = case.device(client, form);
                let nan: Vec<bool> = values.iter().map(|v| v.is_nan()).collect();
                assert_eq!(nan, [false, false, false, true, false], "{likelihood:?} {form:?} {label}");
                for (row, grads) in outputs.chunks(case.shape.n_outputs).enumerate() {
                    assert!(grads.iter().all(|d| d.is_nan() == (row % 5 == 3)), "{likelihood:?} row {row}");
                }
            }
        }
    }
}

pub(crate) fn losses_of_misfitting_buffers_are_refused_by_name(client: &Client) {
    let form = NllForm::MixtureNll;
    let mut short = case(Likelihood::Categorical, [2, 3, 5, 7]);
    short.outputs.pop();
    let got = short.launch(client, form);
    match got {
        Err(Error::ShapeMismatch { argument: "outputs", expected, got: 209, .. }) => {
            assert_eq!(expected, [2, 3, 5, 7]);
        }
        other => panic!("{other:?}"),
    }
    let mut few = case(Likelihood::Categorical, [2, 3, 5, 7]);
    few.labels.pop();
    let got = few.launch(client, form);
    assert!(matches!(got, Err(Error::ShapeMismatch { argument: "targets", got: 4, .. })), "{got:?}");
    let mut noise = case(Likelihood::Gaussian, [2, 3, 5, 1]);
    noise.raw_noise = Some(vec![0.0; 2]);
    let got = noise.launch(client, form);
    assert!(matches!(got, Err(Error::ShapeMismatch { argument: "raw_noise", got: 2, .. })), "{got:?}");
    noise.raw_noise = None;
    let got = noise.launch(client, form);
    assert!(matches!(got, Err(Error::Undefined { .. })), "{got:?}");
    let got = case(Likelihood::Categorical, [2, 3, 5, 7]).launch(client, NllForm::MarginalizedLogits);
    assert!(matches!(got, Err(Error::Undefined { .. })), "{got:?}");
    let mut noisy = case(Likelihood::Bernoulli, [2, 3, 5, 1]);
    noisy.raw_noise = Some(vec![0.0; 3]);
    let got = noisy.launch(client, form);
    assert!(matches!(got, Err(Error::Undefined { .. })), "{got:?}");
    let mut wide = case(Likelihood::Bernoulli, [2, 3, 5, 1]);
    wide.shape.n_outputs = 2;
    let got = wide.launch(client, form);
    assert!(matches!(got, Err(Error::ShapeMismatch { argument: "outputs", .. })), "{got:?}");
}

pub(crate) fn empty_and_oversized_outputs_are_refused(client: &Client) {
    let buffer = transfer::upload(client, "outputs", &[0.0]).unwrap();
    let nll = |shape| {
        let form = NllForm::AverageNll;
        launch::nll(client, Likelihood::Categorical, form, shape, &buffer, &buffer, None)
    };
    let shape = OutputShape { n_samples: 1, n_members: 1, n_examples: 1, n_outputs: 1 };
    for (empty, name) in [
        (OutputShape { n_samples: 0, ..shape }, "n_samples"),
        (OutputShape { n_members: 0, ..shape }, "n_members"),
        (OutputShape { n_examples: 0, ..shape }, "n_examples"),
        (OutputShape { n_outputs: 0, ..shape }, "n_outputs"),
    ] {
        let got = nll(empty);
        assert!(matches!(got, Err(Error::Empty { axis, .. }) if axis == name), "{got:?}");
    }
    let bytes = client.properties().memory.max_page_size;
    let n_examples = usize::try_from(bytes / 4 / 1024 + 1).unwrap();
    match nll(OutputShape { n_examples, n_outputs: 1024, ..shape }) {
        Err(Error::OverLimit { requested, maximum, .. }) => assert!(requested > maximum),
        other => panic!("{other:?}"),
    }
}

/// Called by runtimes that can hold a buffer of a second device.
pub(crate) fn foreign_outputs_are_refused_by_name(client: &Client, foreign: &Handle) {
    let own = transfer::upload(client, "own", &[1.0; 21]).unwrap();
    let shape = OutputShape { n_samples: 1, n_members: 1, n_examples: 21, n_outputs: 1 };
    let likelihood = Likelihood::Categorical;
    let nll = |outputs, targets| {
        launch::nll(client, likelihood, NllForm::AverageNll, shape, outputs, targets, None)
    };
    let got = nll(foreign, &own);
    assert!(matches!(got, Err(Error::ForeignBuffer { argument: "outputs", .. })), "{got:?}");
    let got = nll(&own, foreign);
    assert!(matches!(got, Err(Error::ForeignBuffer { argument: "targets", .. })), "{got:?}");
}
