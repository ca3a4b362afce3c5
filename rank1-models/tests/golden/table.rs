//! The rows of a TabM case: numbers and one-hot codes as inputs of a network, what they are embedded to, and targets.

use ndarray::{Array1, Array2};
use rank1_core::likelihood::Likelihood;
use rank1_core::targets::Targets;
use rank1_models::network::{NumberEmbedding, TableColumn, TableColumns};

use crate::json::{Outcome, Record, Values};
use crate::number_embedding::{Embedding, Kind, Names};

/// What the members read; one group of examples for all members, or one for each.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) k: usize,
    pub(crate) b: usize,
    pub(crate) d_out: usize,
    pub(crate) n_numbers: usize,
    pub(crate) likelihood: Likelihood,
    pub(crate) embedding: Option<Embedding>,
    pub(crate) columns: TableColumns,
    pub(crate) groups: Vec<Group>,
    pub(crate) per_member: bool,
}

/// B examples.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// Numbers, then codes, `[B, D]`.
    pub(crate) inputs: Array2<f64>,
    pub(crate) targets: Targets,
}

impl Table {
    pub(crate) fn read(record: &Record<'_>, params: &Record<'_>) -> Outcome<Self> {
        let (k, b, d_out) = (record.count("k")?, record.count("B")?, record.count("d_out")?);
        let (n_numbers, cardinalities) =
            (record.count("n_num_features")?, record.counts("cat_cardinalities")?);
        let per_member = record.flag("input_per_member")?;
        let n_groups = if per_member { k } else { 1 };
        let axes = |last: Option<usize>| -> Vec<usize> {
            let members = per_member.then_some(k);
            [Some(b), members, last].into_iter().flatten().collect()
        };
        let numbers = if n_numbers > 0 {
            record.expect_shape("x_num", &axes(Some(n_numbers)))?;
            record.values("x_num")?.data
        } else {
            Vec::new()
        };
        let codes = if cardinalities.is_empty() {
            Vec::new()
        } else {
            record.expect_shape("x_cat", &axes(Some(cardinalities.len())))?;
            record.counts("x_cat")?
        };
        if codes.iter().zip(cardinalities.iter().cycle()).any(|(code, width)| code >= width) {
            return record.fault("x_cat", "holds a category that there is not");
        }
        record.expect_shape("y", &axes(None))?;
        let likelihood = match record.text("task")? {
            "regression" if d_out == 1 => Likelihood::Gaussian,
            "classification" => Likelihood::Categorical,
            other => return record.fault("task", format!("is {other} with {d_out} outputs")),
        };
        let embedding = embedding(record, params)?;
        let mut groups = Vec::new();
        for group in 0..n_groups {
            let places = || (0..b).map(move |example| example * n_groups + group);
            let mut inputs = Vec::new();
            for place in places() {
                inputs.extend_from_slice(&numbers[place * n_numbers..(place + 1) * n_numbers]);
                for (code, &width) in codes[place * cardinalities.len()..].iter().zip(&cardinalities) {
                    inputs.extend((0..width).map(|j| f64::from(u8::from(j == *code))));
                }
            }
            let width = n_numbers + cardinalities.iter().sum::<usize>();
            let inputs = Array2::from_shape_vec((b, width), inputs).expect("a row for each example");
            let targets = if likelihood.is_classification() {
                let labels = record.counts("y")?;
                record.ok(Targets::classes(places().map(|place| labels[place]).collect(), d_out))?
            } else {
                let values = record.values("y")?.data;
                record.ok(Targets::values(places().map(|place| values[place]).collect::<Array1<f64>>()))?
            };
            groups.push(Group { inputs, targets });
        }
        let edges = match embedding.as_ref().map(|embedding| &embedding.kind) {
            Some(Kind::Bins { bins, .. }) => bins.features(),
            _ => vec![Vec::new(); n_numbers],
        };
        let number = |edges| TableColumn::Number { edges };
        let code = |&width: &usize| TableColumn::Code { width };
        let features = edges.into_iter().map(number).chain(cardinalities.iter().map(code)).collect();
        let columns = TableColumns::new(features);
        Ok(Self { k, b, d_out, n_numbers, likelihood, embedding, columns, groups, per_member })
    }

    /// How our network embeds numbers; nothing for an embedding that it has not.
    pub(crate) fn number_embedding(&self) -> Option<NumberEmbedding> {
        let Some(embedding) = &self.embedding else { return Some(NumberEmbedding::None) };
        match (&embedding.kind, embedding.activation) {
            (Kind::Linear, true) => Some(NumberEmbedding::Linear),
            (Kind::Periodic { lite: false, .. }, true) => Some(NumberEmbedding::Periodic),
            (Kind::Periodic { lite: true, .. }, true) => Some(NumberEmbedding::PeriodicLite),
            (Kind::Bins { plus_linear: true, .. }, false) => Some(NumberEmbedding::PiecewiseLinear),
            _ => None,
        }
    }

    /// What the first layer reads, as the file has it, `[B, D]` or `[B, K, D]`.
    pub(crate) fn features(&self) -> Result<Values, rank1_core::Error> {
        let mut of_groups = Vec::new();
        for group in &self.groups {
            let (numbers, codes) = group.inputs.view().split_at(ndarray::Axis(1), self.n_numbers);
            let numbers: Vec<f64> = numbers.iter().copied().collect();
            let embedded = match &self.embedding {
                Some(embedding) => embedding.forward(&numbers)?,
                None => numbers,
            };
            let width = embedded.len() / self.b;
            let rows = codes.rows().into_iter().enumerate().map(|(example, codes)| {
                [&embedded[example * width..(example + 1) * width], &codes.to_vec()].concat()
            });
            of_groups.push(rows.collect::<Vec<_>>());
        }
        let rows: Vec<Vec<f64>> =
            (0..self.b).flat_map(|example| of_groups.iter().map(move |rows| rows[example].clone())).collect();
        let shape = self.example_major(rows[0].len());
        Ok(Values::from(rows.concat()).reshaped(&shape))
    }

    /// The shape of what each example has, or each example of each member.
    pub(crate) fn example_major(&self, width: usize) -> Vec<usize> {
        let members = self.per_member.then_some(self.k);
        [Some(self.b), members, Some(width)].into_iter().flatten().collect()
    }
}

fn embedding(record: &Record<'_>, params: &Record<'_>) -> Outcome<Option<Embedding>> {
    if !record.has("embedding") {
        return Ok(None);
    }
    let (name, names) =
        (record.text("embedding")?, Names { activation: "embedding_activation", prefix: "num_module." });
    match Embedding::read(record, params, name, names)? {
        Some(embedding) => Ok(Some(embedding)),
        None => record.fault("embedding", format!("is {name}, which is unknown")),
    }
}
