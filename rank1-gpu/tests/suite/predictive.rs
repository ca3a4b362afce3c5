//! The predictive of a device against the host's formulas.

use cubecl::client::Client;
use rank1_gpu::launch::{self, PredictiveAccumulator};
use rank1_gpu::{Error, Likelihood, OutputShape, Precision, host, transfer};

use super::assert_close;
use super::halves::{halves, precisions};
use super::library::round;

/// `[S, K, N, C]`: odd primes, each axis at 1, rows shared by several units, and examples behind the end of a cube.
const SHAPES: [[usize; 4]; 9] = [
    [2, 3, 5, 7],
    [1, 3, 5, 7],
    [2, 1, 5, 7],
    [2, 3, 1, 7],
    [2, 3, 5, 1],
    [1, 1, 1, 1],
    [3, 17, 5, 7],
    [2, 3, 263, 7],
    [3, 5, 2, 131],
];

fn shape([n_samples, n_members, n_examples, n_outputs]: [usize; 4]) -> OutputShape {
    OutputShape { n_samples, n_members, n_examples, n_outputs }
}

fn logits(axes: [usize; 4]) -> Vec<f32> {
    let n = axes.iter().product();
    (0..n).map(|i| 3.0 * (1.7 * i as f32 + 0.4).sin()).collect()
}

/// Probabilities, the four rows of the summary one behind the other, and the members' classes.
type Parts = (Vec<f32>, Vec<f32>, Vec<u32>);

fn read(client: &Client, predictive: &launch::ClassPredictive) -> Parts {
    (
        transfer::download(client, &predictive.probs).unwrap(),
        transfer::download(client, &predictive.summary).unwrap(),
        transfer::download_words(client, &predictive.member_classes).unwrap(),
    )
}

fn device(client: &Client, likelihood: Likelihood, shape: OutputShape, logits: &[f32]) -> Parts {
    device_in(client, Precision::F32, likelihood, shape, logits)
}

fn device_in(
    client: &Client,
    precision: Precision,
    likelihood: Likelihood,
    shape: OutputShape,
    logits: &[f32],
) -> Parts {
    let logits = transfer::upload_as(client, "logits", logits, precision).unwrap();
    read(client, &launch::class_predictive_in(client, precision, likelihood, shape, &logits).unwrap())
}

fn summary(predictive: &host::ClassPredictive) -> Vec<f64> {
    let rows = [&predictive.total, &predictive.aleatoric, &predictive.epistemic, &predictive.disagreement];
    rows.into_iter().flatten().copied().collect()
}

/// Equality where numbers are, NaN where NaN is.
#[track_caller]
fn check(got: &Parts, expected: &host::ClassPredictive, what: &str) {
    for (got, expected) in [(&got.0, expected.probs.clone()), (&got.1, summary(expected))] {
        assert_eq!(got.len(), expected.len(), "{what}");
        let nan: Vec<bool> = got.iter().map(|v| v.is_nan()).collect();
        assert_eq!(nan, expected.iter().map(|v| v.is_nan()).collect::<Vec<_>>(), "{what}");
        let numbers: Vec<f32> = got.iter().copied().filter(|v| !v.is_nan()).collect();
        let known: Vec<f64> = expected.into_iter().filter(|v| !v.is_nan()).collect();
        assert_close(&numbers, &known, what);
    }
    assert_eq!(got.2, expected.member_classes, "{what}");
}

pub(crate) fn class_predictives_equal_the_host(client: &Client) {
    for axes in SHAPES {
        let expected = host::class_predictive(Likelihood::Categorical, shape(axes), &logits(axes)).unwrap();
        let got = device(client, Likelihood::Categorical, shape(axes), &logits(axes));
        check(&got, &expected, &format!("{axes:?}"));
        // The parts are not trivial: probabilities sum to one, members differ where they can.
        let sum: f32 = got.0.iter().sum();
        assert!((sum - axes[2] as f32).abs() < 1e-4 * sum, "{axes:?}: {sum}");
        let disagreement: f64 = expected.disagreement.iter().sum();
        assert!(axes[1] == 1 || axes[3] == 1 || disagreement > 0.0, "{axes:?}");
    }
}

pub(crate) fn bernoulli_predictives_equal_the_host(client: &Client) {
    let axes = [3, 5, 263, 1];
    let expected = host::class_predictive(Likelihood::Bernoulli, shape(axes), &logits(axes)).unwrap();
    let got = device(client, Likelihood::Bernoulli, shape(axes), &logits(axes));
    check(&got, &expected, "Bernoulli");
    assert_eq!(got.0.len(), 2 * 263);
}

pub(crate) fn predictives_of_halves_equal_the_host(client: &Client) {
    for precision in halves(client) {
        for axes in SHAPES {
            let logits = round(&logits(axes), precision);
            let expected = host::class_predictive(Likelihood::Categorical, shape(axes), &logits).unwrap();
            let got = device_in(client, precision, Likelihood::Categorical, shape(axes), &logits);
            check(&got, &expected, &format!("{precision:?} {axes:?}"));
        }
        let axes = [3, 5, 263, 1];
        let logits = round(&logits(axes), precision);
        let expected = host::class_predictive(Likelihood::Bernoulli, shape(axes), &logits).unwrap();
        let got = device_in(client, precision, Likelihood::Bernoulli, shape(axes), &logits);
        check(&got, &expected, &format!("{precision:?} Bernoulli"));
    }
}

/// A chunk in f32 behind one in a half.
pub(crate) fn chunks_of_several_precisions_add_up(client: &Client) {
    for precision in halves(client) {
        let axes = [3, 2, 5, 7];
        let mut logits = logits(axes);
        let half = round(&logits[..140], precision);
        logits[..140].copy_from_slice(&half);
        let expected = host::class_predictive(Likelihood::Categorical, shape(axes), &logits).unwrap();
        let mut sums = PredictiveAccumulator::new(client, Likelihood::Categorical, 2, 5, 7).unwrap();
        let first = transfer::upload_as(client, "first", &logits[..140], precision).unwrap();
        sums.add_in(client, precision, 2, &first).unwrap();
        let last = transfer::upload(client, "last", &logits[140..]).unwrap();
        sums.add(client, 1, &last).unwrap();
        let got = read(client, &sums.predictive(client).unwrap());
        check(&got, &expected, &format!("{precision:?} and f32"));
    }
}

pub(crate) fn chunks_of_samples_add_up_to_all_of_them(client: &Client) {
    let axes = [5, 3, 5, 7];
    let logits = logits(axes);
    let sample = 3 * 5 * 7;
    let mut sums = PredictiveAccumulator::new(client, Likelihood::Categorical, 3, 5, 7).unwrap();
    let mut from = 0;
    for n_samples in [2, 1, 2] {
        let chunk = &logits[from * sample..(from + n_samples) * sample];
        let chunk = transfer::upload(client, "chunk", chunk).unwrap();
        sums.add(client, n_samples, &chunk).unwrap();
        from += n_samples;
        // The predictive of the samples so far, which later chunks must not disturb.
        let so_far = shape([from, 3, 5, 7]);
        let expected =
            host::class_predictive(Likelihood::Categorical, so_far, &logits[..from * sample]).unwrap();
        let got = read(client, &sums.predictive(client).unwrap());
        check(&got, &expected, &format!("{from} samples"));
    }
    assert_eq!(sums.n_samples(), 5);
    let (probs, entropies) = sums.member_sums();
    let probs = transfer::download(client, probs).unwrap();
    let entropies = transfer::download(client, entropies).unwrap();
    for member in 0..3 {
        // A member alone is an ensemble of one.
        let rows: Vec<f32> = (0..5)
            .flat_map(|s| {
                let start = (s * 3 + member) * 35;
                logits[start..start + 35].to_vec()
            })
            .collect();
        let alone = host::class_predictive(Likelihood::Categorical, shape([5, 1, 5, 7]), &rows).unwrap();
        let expected: Vec<f64> = alone.probs.iter().map(|p| 5.0 * p).collect();
        assert_close(&probs[35 * member..35 * (member + 1)], &expected, "sums of probabilities");
        let expected: Vec<f64> = alone.aleatoric.iter().map(|h| 5.0 * h).collect();
        assert_close(&entropies[5 * member..5 * (member + 1)], &expected, "sums of entropies");
    }
}

/// Equal logits (a tie of all classes), logits near 1e6, certain members that disagree, and impossible classes.
pub(crate) fn ties_and_extreme_logits_equal_the_host(client: &Client) {
    let axes = [2, 3, 5, 7];
    let mut logits = logits(axes);
    for (row, z) in logits.chunks_mut(7).enumerate() {
        let member = row / 5 % 3;
        match row % 5 {
            0 => z.fill(-3.0),
            1 => z.iter_mut().for_each(|z| *z += 1e6),
            2 => {
                z.fill(-1e6);
                z[2 * member] = 1e6;
            }
            3 => z[member..member + 3].fill(f32::NEG_INFINITY),
            _ => {}
        }
    }
    let expected = host::class_predictive(Likelihood::Categorical, shape(axes), &logits).unwrap();
    assert!((expected.epistemic[2] - 3.0_f64.ln()).abs() < 1e-12);
    assert!(summary(&expected).iter().all(|v| v.is_finite()));
    check(&device(client, Likelihood::Categorical, shape(axes), &logits), &expected, "extreme");
}

pub(crate) fn nan_logits_stay_in_their_example_and_member(client: &Client) {
    let axes = [2, 3, 5, 7];
    let spoilers = [[f32::NAN; 7], [f32::NEG_INFINITY; 7], [0.0, 1.0, f32::INFINITY, 0.0, 0.0, 0.0, 0.0]];
    for (precision, spoiled) in precisions(client).into_iter().flat_map(|p| spoilers.map(|s| (p, s))) {
        let mut logits = round(&logits(axes), precision);
        // Sample 1 of member 2 for example 3.
        logits[7 * ((3 + 2) * 5 + 3)..][..7].copy_from_slice(&spoiled);
        let expected = host::class_predictive(Likelihood::Categorical, shape(axes), &logits).unwrap();
        let got = device_in(client, precision, Likelihood::Categorical, shape(axes), &logits);
        check(&got, &expected, &format!("{precision:?} {spoiled:?}"));
        assert_eq!(got.1.iter().filter(|v| v.is_nan()).count(), 4);
        assert_eq!(got.2.iter().filter(|class| **class == launch::NO_CLASS).count(), 1);
    }
}

pub(crate) fn predictives_that_do_not_fit_are_refused_by_name(client: &Client) {
    let short = transfer::upload(client, "logits", &[0.0; 209]).unwrap();
    let got = launch::class_predictive(client, Likelihood::Categorical, shape([2, 3, 5, 7]), &short);
    match got {
        Err(Error::ShapeMismatch { argument: "logits", expected, got: 209, .. }) => {
            assert_eq!(expected, [2, 3, 5, 7]);
        }
        other => panic!("{other:?}"),
    }
    let got = launch::class_predictive(client, Likelihood::Bernoulli, shape([2, 3, 5, 2]), &short);
    assert!(matches!(got, Err(Error::ShapeMismatch { argument: "logits", .. })), "{got:?}");
    let got = launch::class_predictive(client, Likelihood::Gaussian, shape([11, 19, 1, 1]), &short);
    assert!(matches!(got, Err(Error::Undefined { .. })), "{got:?}");
    for (empty, name) in [
        ([0, 3, 5, 7], "n_samples"),
        ([2, 0, 5, 7], "n_members"),
        ([2, 3, 0, 7], "n_examples"),
        ([2, 3, 5, 0], "n_outputs"),
    ] {
        let got = launch::class_predictive(client, Likelihood::Categorical, shape(empty), &short);
        assert!(matches!(got, Err(Error::Empty { axis, .. }) if axis == name), "{got:?}");
    }
    let mut sums = PredictiveAccumulator::new(client, Likelihood::Categorical, 3, 5, 7).unwrap();
    let got = sums.predictive(client);
    assert!(matches!(got, Err(Error::Empty { axis: "n_samples", .. })), "{got:?}");
    let got = sums.add(client, 2, &short);
    assert!(matches!(got, Err(Error::ShapeMismatch { argument: "logits", .. })), "{got:?}");
    assert_eq!(sums.n_samples(), 0);
    let got = PredictiveAccumulator::new(client, Likelihood::Bernoulli, 3, 5, 7);
    assert!(matches!(got, Err(Error::Undefined { .. })), "{got:?}");
    let n_examples = usize::try_from(client.properties().memory.max_page_size / 4 / 1024 + 1).unwrap();
    match launch::class_predictive(client, Likelihood::Categorical, shape([1, 1, n_examples, 1024]), &short) {
        Err(Error::OverLimit { requested, maximum, .. }) => assert!(requested > maximum),
        other => panic!("{other:?}"),
    }
}
