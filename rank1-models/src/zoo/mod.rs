//! The architectures: which layers, in which order, of which size.
//!
//! One file per family. They name layers and sizes only; what is random in a layer is the method's, in [`crate::operation`].

mod lenet;
mod mlp;
mod recurrent;
mod resnet;
mod resnet50;
mod tabm;
mod wide_resnet;

use crate::error::Error;
use crate::method::Method;
use crate::network::{Body, InputShape, NetworkShape};
use crate::operation::{Numbers, Plan};

/// Plans the layers and operations of an architecture.
pub(crate) fn plan(shape: &NetworkShape, method: &Method) -> Result<Plan, Error> {
    if !shape.body.reads(&shape.input) {
        return Err(Error::Architecture {
            kind: shape.body.kind(),
            expected: "inputs that it can read: images for convolutions, sequences for `lstm`",
            got: shape.input.name().to_owned(),
        });
    }
    let mut plan = Plan::new(method);
    match &shape.body {
        Body::Mlp { hidden, activation, category_embedding, columns } => {
            mlp::plan(&mut plan, shape, (hidden, *activation), (columns, *category_embedding))?;
        }
        Body::LeNet5 { activation } => lenet::plan(&mut plan, shape, *activation)?,
        Body::ResNet { depth, width, norm } => resnet::plan(&mut plan, shape, *depth, *width, *norm)?,
        Body::WideResnet { depth, widen, norm } => {
            wide_resnet::plan(&mut plan, shape, *depth, *widen, *norm)?
        }
        Body::ResNet50 { norm } => resnet50::plan(&mut plan, shape, *norm)?,
        Body::Lstm { units, embedding, hidden, activation } => {
            recurrent::plan(&mut plan, shape, *units, *embedding, hidden, *activation)?;
        }
        Body::Tabm {
            form,
            width,
            blocks,
            dropout,
            embedding,
            embedding_width,
            frequencies,
            category_embedding,
            columns,
            ..
        } => {
            let hidden = tabm::Hidden { form: *form, width: *width, blocks: *blocks, dropout: *dropout };
            let numbers =
                Numbers { embedding: *embedding, width: *embedding_width, frequencies: *frequencies };
            tabm::plan(&mut plan, shape, hidden, numbers, (columns, *category_embedding))?;
        }
    }
    Ok(plan)
}

/// Height, width and channels of image inputs; [`plan`] has refused all others.
fn image(shape: &NetworkShape) -> (usize, usize, usize) {
    match shape.input {
        InputShape::Image { height, width, channels } => (height, width, channels),
        _ => (1, 1, shape.input.width()),
    }
}
