//! How the layers of TabM start: the package's draws and our own have the same structure.
//!
//! Numbers are drawn by other generators and are not compared. Ours are those of whole networks, which start the first factor of
//! the first layer at random and every other factor at one; a case in which the second factor is random has no such network, and
//! of it only the other parameters are held against ours.

use std::cmp::Ordering;

use ndarray::Array2;
use rank1_core::likelihood::Likelihood;
use rank1_models::init::initialize;
use rank1_models::method::{BatchEnsemble, Method};
use rank1_models::network::{
    Body, FactorPlan, InputShape, LayerPlan, Network, NetworkShape, NumberEmbedding, TableColumn,
    TableColumns, TabmForm,
};

use crate::json::{Outcome, Record};
use crate::report::{Precision, Verdict};

/// Seeds of ours: of few signs, those of two members may be equal by chance, but not in every start.
const SEEDS: [u64; 6] = [5, 6, 7, 8, 9, 10];

/// Sizes, which all cases have.
struct Sizes {
    k: usize,
    d_in: usize,
    d_out: usize,
    bound: f64,
}

impl Sizes {
    fn read(record: &Record<'_>) -> Outcome<Self> {
        let (k, d_in, d_out) = (record.count("k")?, record.count("in")?, record.count("out")?);
        let bound = (d_in as f64).powf(-0.5);
        record.check("uniform_bound", bound, Precision::Double)?;
        Ok(Self { k, d_in, d_out, bound })
    }
}

/// Values so many that a half of what they are drawn from is missed by chance in one of ten million starts.
const MANY: usize = 24;

/// Within the bound; many values on both sides of zero, and not all in the inner half.
fn expect_uniform<'a>(
    record: &Record<'_>,
    key: &str,
    whose: &str,
    values: impl IntoIterator<Item = &'a f64>,
    bound: f64,
) {
    // Copied rows count once.
    let mut values: Vec<f64> = values.into_iter().copied().collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    // Ours are numbers of single precision.
    let inside = values.iter().all(|v| v.abs() <= bound * (1.0 + 1e-6));
    let both = values.iter().any(|&v| v > 0.0) && values.iter().any(|&v| v < 0.0);
    let wide = values.iter().any(|v| v.abs() > 0.5 * bound);
    let holds = inside && (values.len() < MANY || both && wide);
    record.check_claim(key, holds, &format!("uniform within the bound {whose}"), bound);
}

fn rows_are_equal(rows: &Array2<f64>) -> bool {
    rows.rows().into_iter().all(|row| row == rows.row(0))
}

fn is_constant_in(chunks: &[usize], rows: &Array2<f64>) -> bool {
    rows.rows().into_iter().all(|row| {
        let mut rest = row.to_vec();
        chunks.iter().all(|&width| {
            let others = rest.split_off(width.min(rest.len()));
            let own = std::mem::replace(&mut rest, others);
            own.iter().all(|v| *v == own[0])
        })
    })
}

/// The values of a factor as its start says, one for each chunk.
fn expect_start(
    record: &Record<'_>,
    key: &str,
    whose: &str,
    start: &str,
    chunks: &[usize],
    rows: &Array2<f64>,
) {
    let mut firsts = Vec::new();
    for row in rows.rows() {
        let mut place = 0;
        for &width in chunks {
            firsts.push(row[place]);
            place += width;
        }
    }
    let holds = match start {
        "ones" => rows.iter().all(|&v| v == 1.0),
        "random-signs" => rows.iter().all(|v| v.abs() == 1.0),
        // A mean of zero and a variance of one, as far as so few values show: within five standard errors.
        "normal" => {
            let n = firsts.len() as f64;
            let mean = firsts.iter().sum::<f64>() / n;
            let square = firsts.iter().map(|v| v * v).sum::<f64>() / n;
            mean.abs() < 5.0 / n.sqrt() && (square - 1.0).abs() < 5.0 * (2.0 / n).sqrt()
        }
        _ => false,
    };
    record.check_claim(key, holds, &format!("{start} {whose}"), 10.0);
}

/// `LinearBatchEnsemble initialisation`.
pub(crate) fn batch_ensemble(record: &Record<'_>) -> Outcome<Verdict> {
    let sizes = Sizes::read(record)?;
    let &Sizes { k, d_in, d_out, bound } = &sizes;
    let chunks = record.labels("chunks")?.to_vec();
    if chunks.iter().sum::<usize>() != d_in || chunks.contains(&0) {
        return record.fault("chunks", "do not add up to `in`");
    }
    for (key, shape) in [("weight", [d_out, d_in]), ("r", [k, d_in]), ("s", [k, d_out]), ("bias", [k, d_out])]
    {
        record.expect_shape(key, &shape)?;
    }
    let (first, second) = (record.text("first_scaling_init")?, record.text("second_scaling_init")?);
    let theirs = Start {
        weight: record.values("weight")?.data,
        bias: record.matrix("bias")?,
        factors: Some((record.matrix("r")?, record.matrix("s")?)),
    };
    let ours = ours(record, &sizes, first, &chunks)?;
    for (whose, starts) in [("in the file", vec![theirs]), ("of ours", ours)] {
        let factors: Vec<_> = starts.iter().filter_map(|start| start.factors.as_ref()).collect();
        if factors.len() != starts.len() {
            return record.fault("layer", format!("lacks a factor {whose}"));
        }
        for start in &starts {
            expect_uniform(record, "weight", whose, &start.weight, bound);
            expect_uniform(record, "bias", whose, &start.bias, bound);
        }
        record.check_flag("bias_rows_are_equal", starts.iter().all(|start| rows_are_equal(&start.bias)))?;
        factors.iter().for_each(|(r, _)| expect_start(record, "r", whose, first, &chunks, r));
        let constant = factors.iter().all(|(r, _)| is_constant_in(&chunks, r));
        record.check_flag("r_is_constant_in_each_chunk", constant)?;
        record.check_flag("r_rows_are_equal", factors.iter().all(|(r, _)| rows_are_equal(r)))?;
        if whose == "in the file" || second == "ones" {
            factors.iter().for_each(|(_, s)| {
                expect_start(record, "s", whose, second, &vec![1; s.ncols()], s);
            });
            record.check_flag("s_rows_are_equal", factors.iter().all(|(_, s)| rows_are_equal(s)))?;
        }
    }
    Ok(Verdict::Compared)
}

/// `LinearEnsemble initialisation`.
pub(crate) fn ensemble(record: &Record<'_>) -> Outcome<Verdict> {
    let sizes = Sizes::read(record)?;
    let &Sizes { k, d_in, d_out, bound } = &sizes;
    record.expect_shape("weight", &[k, d_in, d_out])?;
    record.expect_shape("bias", &[k, d_out])?;
    let theirs = Start { weight: record.values("weight")?.data, bias: record.matrix("bias")?, factors: None };
    let numbers = TableColumns::numbers(d_in);
    let network = network(record, &sizes, TabmForm::Packed, NumberEmbedding::None, (d_out, 1), numbers)?;
    let ours = Start::of(record, &network, &network.layers[0], SEEDS[0])?;
    for (whose, start) in [("in the file", theirs), ("of ours", ours)] {
        expect_uniform(record, "weight", whose, &start.weight, bound);
        expect_uniform(record, "bias", whose, &start.bias, bound);
        record.check_flag("bias_rows_are_equal", rows_are_equal(&start.bias))?;
        let mut weights: Vec<&[f64]> = start.weight.chunks_exact(d_in * d_out).collect();
        weights.sort_by(|a, b| a.partial_cmp(b).unwrap_or(Ordering::Equal));
        weights.dedup();
        if start.factors.is_some() || weights.len() != k {
            return record.fault("weight", format!("is not one for each member {whose}, without factors"));
        }
    }
    Ok(Verdict::Compared)
}

/// The start of one layer.
struct Start {
    weight: Vec<f64>,
    bias: Array2<f64>,
    factors: Option<(Array2<f64>, Array2<f64>)>,
}

impl Start {
    fn of(record: &Record<'_>, network: &Network, layer: &LayerPlan, seed: u64) -> Outcome<Self> {
        let flat = record.ok(initialize(network, seed))?;
        let matrix = |id| network.layout.matrix(&flat, id).mapv(f64::from);
        let factor = |plan: &FactorPlan| plan.trained().map(|factor| matrix(factor.location));
        let Some(bias) = layer.bias else { return record.fault("bias", "is missing in our network") };
        Ok(Self {
            weight: matrix(layer.weight).into_iter().collect(),
            bias: matrix(bias),
            factors: factor(&layer.input_factor).zip(factor(&layer.output_factor)),
        })
    }
}

/// Starts of our layer that starts so: the first one, or the second where no factor is random.
fn ours(record: &Record<'_>, sizes: &Sizes, first: &str, chunks: &[usize]) -> Outcome<Vec<Start>> {
    let code = |&width: &usize| TableColumn::Code { width };
    let number = TableColumn::Number { edges: Vec::new() };
    let (embedding, features, layer) = match first {
        // As wide as it reads, so that the second layer reads as many values.
        "ones" => (NumberEmbedding::None, vec![number; sizes.d_in], 1),
        "random-signs" => (NumberEmbedding::None, chunks.iter().map(code).collect(), 0),
        "normal" => {
            // An embedded number, and codes.
            (NumberEmbedding::Linear, [number].into_iter().chain(chunks[1..].iter().map(code)).collect(), 0)
        }
        other => return record.fault("first_scaling_init", format!("is {other}, which is none of ours")),
    };
    let width = if layer == 0 { sizes.d_out } else { sizes.d_in };
    let columns = TableColumns::new(features);
    let network = network(record, sizes, TabmForm::Full, embedding, (width, chunks[0]), columns)?;
    SEEDS.iter().map(|&seed| Start::of(record, &network, &network.layers[layer], seed)).collect()
}

/// A network of two hidden layers of this width, numbers embedded to the second width.
fn network(
    record: &Record<'_>,
    sizes: &Sizes,
    form: TabmForm,
    embedding: NumberEmbedding,
    (width, embedding_width): (usize, usize),
    columns: TableColumns,
) -> Outcome<Network> {
    let input = InputShape::Columns { width: columns.width() };
    let (blocks, dropout, bins, frequencies) = (2, 0.0, 2, 1);
    let body = Body::Tabm {
        form,
        width,
        blocks,
        dropout,
        embedding,
        embedding_width,
        bins,
        frequencies,
        category_embedding: None,
        columns,
    };
    let shape = NetworkShape { input, body, outputs: 2, likelihood: Likelihood::Categorical };
    let method = Method::BatchEnsemble(BatchEnsemble { members: sizes.k, sign_init: 1.0 });
    record.ok(Network::new(shape, &method))
}
