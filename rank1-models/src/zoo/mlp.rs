//! Multilayer perceptrons.

use crate::error::Error;
use crate::network::{Activation, CategoryEmbedding, NetworkShape, Origin, TableColumns};
use crate::operation::{LayerOptions, Numbers, Plan};

pub(super) fn plan(
    plan: &mut Plan,
    shape: &NetworkShape,
    (hidden, activation): (&[usize], Activation),
    (columns, categories): (&TableColumns, Option<CategoryEmbedding>),
) -> Result<(), Error> {
    let mut at = Origin::Input;
    let mut d_in = shape.inputs();
    if !columns.is_empty() {
        if columns.width() != d_in {
            return Err(Error::Mismatch { what: "columns", expected: columns.width(), got: d_in });
        }
        plan.columns_input(d_in);
        at = plan.table_embedding(columns, Numbers::AS_THEY_ARE, categories)?;
        d_in = plan.volume(at).len();
    }
    for (index, &width) in hidden.iter().enumerate() {
        let options = LayerOptions { activation, first: index == 0, ..LayerOptions::default() };
        at = plan.linear(&format!("layer{index}"), at, d_in, width, options);
        d_in = width;
    }
    let options = LayerOptions { first: hidden.is_empty(), ..LayerOptions::default() };
    plan.linear(&format!("layer{}", hidden.len()), at, d_in, shape.outputs, options);
    Ok(())
}
