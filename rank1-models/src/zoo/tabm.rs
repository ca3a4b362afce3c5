//! TabM: a perceptron for tables whose members share weights (Gorishniy et al. 2025).
//!
//! Embedded numbers and codes, then blocks of a layer, max(0, .) and dropout, then a head for each member. Only the first
//! factor on inputs starts at random, one value for each member and feature, so that members differ by it and by their heads.

use crate::error::Error;
use crate::network::{
    Activation, CategoryEmbedding, FactorStart, NetworkShape, Origin, TableColumn, TableColumns, TabmForm,
    WeightStart,
};
use crate::operation::{Adapters, BiasOptions, LayerOptions, Numbers, Plan};

/// Sizes of the hidden part.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hidden {
    pub(super) form: TabmForm,
    pub(super) width: usize,
    pub(super) blocks: usize,
    pub(super) dropout: f64,
}

pub(super) fn plan(
    plan: &mut Plan,
    shape: &NetworkShape,
    hidden: Hidden,
    numbers: Numbers,
    (columns, categories): (&TableColumns, Option<CategoryEmbedding>),
) -> Result<(), Error> {
    let all_numbers;
    let columns = if columns.is_empty() {
        all_numbers = TableColumns::numbers(shape.inputs());
        &all_numbers
    } else {
        columns
    };
    if columns.width() != shape.inputs() {
        return Err(Error::Mismatch { what: "columns", expected: columns.width(), got: shape.inputs() });
    }
    plan.columns_input(shape.inputs());
    let mut at = plan.table_embedding(columns, numbers, categories)?;
    let embedded = at != Origin::Input;
    let ones = || Some(FactorStart::Method(1.0));
    let mut d_in = plan.volume(at).len();
    for block in 0..hidden.blocks {
        let first = block == 0;
        let widths = if embedded { chunks(columns, numbers, categories) } else { widths(columns).collect() };
        let chunks = FactorStart::Chunks { widths, normal: embedded };
        let adapters = match hidden.form {
            TabmForm::Full if first => Adapters::Given { input: Some(chunks), output: ones() },
            TabmForm::Full => Adapters::Given { input: ones(), output: ones() },
            TabmForm::Mini if first => Adapters::Given { input: Some(chunks), output: None },
            TabmForm::Mini | TabmForm::Packed => Adapters::Given { input: None, output: None },
        };
        let options = LayerOptions {
            activation: Activation::Relu,
            start: WeightStart::FanIn,
            first,
            per_member: hidden.form == TabmForm::Packed,
            bias: if hidden.form == TabmForm::Mini { BiasOptions::Shared } else { BiasOptions::PerMember },
            adapters,
        };
        at = plan.linear(&format!("block{block}"), at, d_in, hidden.width, options);
        at = plan.training_dropout(at, hidden.dropout);
        d_in = hidden.width;
    }
    let options = LayerOptions {
        start: WeightStart::FanIn,
        first: hidden.blocks == 0,
        per_member: true,
        adapters: Adapters::Given { input: None, output: None },
        ..LayerOptions::default()
    };
    plan.linear("head", at, d_in, shape.outputs, options);
    Ok(())
}

fn widths(columns: &TableColumns) -> impl Iterator<Item = usize> {
    columns.features().iter().map(TableColumn::width)
}

/// Widths of the features as an embedding writes them: numbers first, then codes, then categories that became vectors.
fn chunks(columns: &TableColumns, numbers: Numbers, categories: Option<CategoryEmbedding>) -> Vec<usize> {
    let mut widths = vec![numbers.written_width(); columns.number_places().len()];
    let is_code = |feature: &&TableColumn| {
        !matches!(feature, TableColumn::Number { .. }) && feature.embedded_width(categories).is_none()
    };
    widths.extend(columns.features().iter().filter(is_code).map(TableColumn::width));
    widths.extend(columns.categories(categories).into_iter().map(|(_, width)| width));
    widths
}
