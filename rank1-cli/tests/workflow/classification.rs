//! A user's table with classes: two and three of them, categorical and Bernoulli; digits from an image file.

use crate::workbench::{Bench, TABLE, Toy, table};
use crate::{DIGITS, json, numbers, parse_csv};

/// Trains on three colours or two answers and predicts the training table.
fn classified(
    target: impl Fn(f64, f64, &str) -> String,
    likelihood: &str,
) -> (Bench, Vec<String>, Vec<Vec<String>>) {
    let bench = Bench::with(&Toy { data: TABLE, train: "epochs = 120", ..Toy::default() });
    bench.write("table.csv", table(91, target));
    bench.train("run", &["--set", &format!("model.likelihood={likelihood}")]);
    bench.succeed(&["predict", "run", "--input", "table.csv", "--output", "out.csv"]);
    let (header, rows) = parse_csv(&bench.read("out.csv"));
    (bench, header, rows)
}

/// Probabilities sum to one, the prediction is the most probable class, uncertainties add up.
fn check_rows(names: &[&str], rows: &[Vec<String>]) {
    assert_eq!(rows.len(), 91);
    for (i, row) in rows.iter().enumerate() {
        assert_eq!(row[0], (i + 1).to_string());
        let fields = numbers(row, 2);
        let (probs, [total, aleatoric, epistemic]) = fields.split_at(names.len()) else { panic!() };
        assert!((probs.iter().sum::<f64>() - 1.0).abs() < DIGITS, "row {i}: {probs:?}");
        let best = (0..probs.len()).max_by(|&a, &b| probs[a].total_cmp(&probs[b])).unwrap();
        assert_eq!(row[1], names[best], "row {i}: {probs:?}");
        assert!((total - aleatoric - epistemic).abs() < DIGITS, "row {i}: {fields:?}");
        assert!(*aleatoric >= 0.0 && *epistemic >= -DIGITS, "row {i}: {fields:?}");
        assert!(*total <= (names.len() as f64).ln() + DIGITS, "row {i}: {fields:?}");
    }
}

fn accuracy(bench: &Bench) -> f64 {
    let found = json(&bench.succeed(&["evaluate", "run", "--json"]).stdout);
    found["metrics"]["accuracy"].as_f64().unwrap()
}

#[test]
fn three_classes() {
    let by_size = |a: f64, _: f64, _: &str| {
        if a < -0.4 {
            "low"
        } else if a < 0.4 {
            "mid"
        } else {
            "high"
        }
        .into()
    };
    let (bench, header, rows) = classified(by_size, "categorical");
    let expected = ["row", "prediction", "p(high)", "p(low)", "p(mid)", "total", "aleatoric", "epistemic"];
    assert_eq!(header, expected);
    check_rows(&["high", "low", "mid"], &rows);
    assert!(accuracy(&bench) > 0.7, "{}", accuracy(&bench));
}

fn answer(a: f64, b: f64, _: &str) -> String {
    if a + b > 0.0 { "yes" } else { "no" }.into()
}

#[test]
fn two_classes_with_one_logit() {
    let (bench, header, rows) = classified(answer, "bernoulli");
    assert_eq!(header, ["row", "prediction", "p(no)", "p(yes)", "total", "aleatoric", "epistemic"]);
    check_rows(&["no", "yes"], &rows);
    assert!(accuracy(&bench) > 0.8, "{}", accuracy(&bench));
    let found = json(&bench.read("run/evaluation.json"));
    assert!(found["metrics"]["auroc"].as_f64().unwrap() > 0.8, "two classes have an AUROC");
}

#[test]
fn two_classes_with_two_logits() {
    let (bench, header, rows) = classified(answer, "categorical");
    assert_eq!(header, ["row", "prediction", "p(no)", "p(yes)", "total", "aleatoric", "epistemic"]);
    check_rows(&["no", "yes"], &rows);
    assert!(accuracy(&bench) > 0.8, "{}", accuracy(&bench));
}

#[test]
fn classes_written_as_numbers() {
    let bench = Bench::with(&Toy { data: TABLE, train: "epochs = 60", ..Toy::default() });
    bench.write("table.csv", table(91, |a, b, c| if answer(a, b, c) == "yes" { "1" } else { "0" }.into()));
    bench.train("run", &["--set", "model.likelihood=bernoulli"]);
    bench.succeed(&["predict", "run", "--input", "table.csv", "--output", "out.csv"]);
    let (header, rows) = parse_csv(&bench.read("out.csv"));
    assert_eq!(header[2..4], ["p(0)", "p(1)"]);
    check_rows(&["0", "1"], &rows);
}

#[test]
fn digits_under_rotation_and_beside_letters() {
    let data = "set = \"mnist10k\"";
    let rest = "[evaluate]\nshifts = [\"rotation:40\"]\nood = \"glyphs\"";
    let method = "kind = \"deterministic\"";
    let bench = Bench::with(&Toy { data, method, train: "epochs = 1", rest });
    bench.train("run", &["--set", "train.batch_size=128"]);
    let stored = json(&bench.read("run/evaluation.json"));
    let nll = stored["metrics"]["nll"].as_f64().unwrap();
    assert!(stored["shifts"][0]["metrics"]["nll"].as_f64().unwrap() > nll + 0.1, "rotation hurts");
    assert!(stored["metrics"]["ood_auroc"].as_f64().unwrap() > 0.5);
    assert_eq!(stored["entropy"]["ood_set"], "glyphs");
    let rotated = json(&bench.succeed(&["evaluate", "run", "--shift", "rotation:40", "--json"]).stdout);
    assert_eq!(rotated["metrics"]["nll"], stored["shifts"][0]["metrics"]["nll"]);
    // Three images of one grey.
    let mut images = vec![0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 28, 0, 0, 0, 28];
    images.extend([100; 3 * 28 * 28]);
    bench.write("grey.idx", images);
    bench.succeed(&["predict", "run", "--input", "grey.idx", "--output", "out.csv"]);
    let (header, rows) = parse_csv(&bench.read("out.csv"));
    assert_eq!((header.len(), rows.len()), (15, 3));
    assert_eq!(rows[0][1..], rows[1][1..], "equal images, equal predictions of a deterministic network");
}
