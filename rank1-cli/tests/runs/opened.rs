//! Runs of the command opened by the library: the same predictions from arrays.

use ndarray::Array2;
use rank1_models::Model;
use rank1_models::predict::Predictive;

use crate::workbench::Bench;

#[test]
fn a_run_opens_as_a_model_that_predicts_what_the_command_predicts() {
    let row = |i: i32| format!("{},{}.5,{}\n", 1_700_000_000 + i, i % 7, 3 * i - 40);
    let csv = format!("seconds,b,y\n{}", (0..61).map(row).collect::<String>());
    let bench = Bench::with_table(&csv);
    bench.train("run", &[]);
    bench.succeed(&["predict", "run", "--input", "table.csv", "--output", "out.csv"]);
    let rows: Vec<Vec<f64>> =
        csv.lines().skip(1).map(|line| line.split(',').map(|cell| cell.parse().unwrap()).collect()).collect();
    // The target is the last column.
    let width = rows[0].len() - 1;
    let x = Array2::from_shape_fn((rows.len(), width), |(row, column)| rows[row][column]);
    let mut model = Model::open(&bench.path("run/checkpoint")).unwrap();
    let Predictive::Values { mixture, .. } = model.predict(x.view()).unwrap() else { panic!() };
    let out = bench.read("out.csv");
    let at = out.lines().next().unwrap().split(',').position(|name| name == "mean").unwrap();
    let written = out.lines().skip(1).map(|line| line.split(',').nth(at).unwrap().parse::<f64>().unwrap());
    for (written, mean) in written.zip(mixture.mean()) {
        assert!((written - mean).abs() <= 1e-8 * mean.abs().max(1.0), "{written} {mean}");
    }
}
