//! The clinical network: an optional embedding of every step, a recurrent layer, dense layers on its last state and the
//! context.
//!
//! After the MIMIC-III model of the paper (its appendix B): the embedding is an ordinary mean-field Gaussian with a
//! standard normal prior that all members share; every other layer has factors.

use crate::error::Error;
use crate::network::{Activation, InputShape, NetworkShape, Origin};
use crate::operation::{LayerOptions, Plan};

pub(super) fn plan(
    plan: &mut Plan,
    shape: &NetworkShape,
    units: usize,
    embedding: usize,
    hidden: &[usize],
    activation: Activation,
) -> Result<(), Error> {
    let InputShape::Sequence { steps, features, context, ragged } = shape.input else {
        return Err(Error::Architecture {
            kind: shape.body.kind(),
            expected: "sequences",
            got: shape.input.name().to_owned(),
        });
    };
    if units == 0 || steps == 0 || features == 0 {
        return Err(Error::Architecture {
            kind: shape.body.kind(),
            expected: "model.units, steps and features above 0",
            got: format!("{units}, {steps} and {features}"),
        });
    }
    plan.columns_input(shape.inputs());
    let (mut at, mut width) = (Origin::Input, features);
    if embedding > 0 {
        let sequence = plan.take_sequence(steps, features);
        at = plan.embedding("embedding", sequence, embedding)?;
        width = embedding;
    }
    let length_column = ragged.then(|| steps * features + context);
    at = plan.lstm("lstm", at, width, steps, units, length_column);
    let mut d_in = units;
    if context > 0 {
        let values = plan.columns(Origin::Input, steps * features, context);
        at = plan.concat(at, values);
        d_in += context;
    }
    for (index, &width) in hidden.iter().enumerate() {
        let options = LayerOptions { activation, ..LayerOptions::default() };
        at = plan.linear(&format!("dense{index}"), at, d_in, width, options);
        d_in = width;
    }
    plan.linear("logits", at, d_in, shape.outputs, LayerOptions::default());
    Ok(())
}
