//! TabM: a perceptron for tables whose members share weights (Gorishniy et al. 2025).
//!
//! Embedded numbers and codes, then blocks of a layer, max(0, .) and dropout, then a head for each member. Only the first
//! factor on inputs starts at random, one value for each member and feature, so that members differ by it and by their heads.

use crate::error::Error;
use crate::network::{
    Activation, FactorStart, NetworkShape, NumberEmbedding, Origin, TableColumn, TableColumns, TabmForm,
    WeightStart,
};
use crate::operation::{Adapters, BiasOptions, LayerOptions, Plan};

/// Sizes of the hidden part.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hidden {
    pub(super) form: TabmForm,
    pub(super) width: usize,
    pub(super) blocks: usize,
    pub(super) dropout: f64,
}

/// How numbers enter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbers {
    pub(super) embedding: NumberEmbedding,
    pub(super) width: usize,
    pub(super) frequencies: usize,
}

pub(super) fn plan(
    plan: &mut Plan,
    shape: &NetworkShape,
    hidden: Hidden,
    numbers: Numbers,
    columns: &TableColumns,
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
    let mut at =
        plan.number_embedding("numbers", columns, numbers.embedding, (numbers.width, numbers.frequencies))?;
    let embedded = at != Origin::Input;
    let ones = || Some(FactorStart::Method(1.0));
    let mut d_in = plan.volume(at).len();
    for block in 0..hidden.blocks {
        let first = block == 0;
        let chunks =
            FactorStart::Chunks { widths: chunks(columns, embedded, numbers.width), normal: embedded };
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

/// Widths of the features as the first layer reads them: embedded numbers first where there are some.
fn chunks(columns: &TableColumns, embedded: bool, width: usize) -> Vec<usize> {
    if !embedded {
        return columns.features().iter().map(TableColumn::width).collect();
    }
    let is_number = |feature: &&TableColumn| matches!(feature, TableColumn::Number { .. });
    let numbers = columns.features().iter().filter(is_number).map(|_| width);
    let codes = columns.features().iter().filter(|feature| !is_number(feature)).map(TableColumn::width);
    numbers.chain(codes).collect()
}
