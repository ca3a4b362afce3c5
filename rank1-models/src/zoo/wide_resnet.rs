//! Wide residual networks as the reference code of the paper builds them.
//!
//! No normalization after the stem; a shortcut that changes the size reads the raw input of its block. Both differ from
//! Zagoruyko & Komodakis 2016.

use super::image;
use crate::error::Error;
use crate::network::{Activation, NetworkShape, NormSharing, Origin};
use crate::operation::{ConvOptions, LayerOptions, Plan};

pub(super) fn plan(
    plan: &mut Plan,
    shape: &NetworkShape,
    depth: usize,
    widen: usize,
    norm: NormSharing,
) -> Result<(), Error> {
    if depth < 10 || !(depth - 4).is_multiple_of(6) {
        return Err(Error::Architecture {
            kind: shape.body.kind(),
            expected: "model.depth = 6 n + 4: 10, 16, 22, 28, 40",
            got: depth.to_string(),
        });
    }
    let blocks = (depth - 4) / 6;
    let (height, width, channels) = image(shape);
    plan.image_input(height, width, channels);
    let stem = ConvOptions { first: true, ..ConvOptions::default() };
    let mut at = plan.conv("stem", Origin::Input, 16, stem)?;
    for group in 0..3 {
        for index in 0..blocks {
            let stride = if group > 0 && index == 0 { 2 } else { 1 };
            at = block(plan, &format!("group{group}.block{index}"), at, (16 * widen) << group, stride, norm)?;
        }
    }
    at = plan.norm("norm", at, norm);
    at = plan.activation(at, Activation::Relu);
    // The reference pools 8 x 8 windows of the 8 x 8 positions that 32 x 32 images leave: their mean.
    at = plan.global_average(at);
    let d_in = plan.volume(at).len();
    plan.linear("logits", at, d_in, shape.outputs, LayerOptions::default());
    Ok(())
}

fn block(
    plan: &mut Plan,
    name: &str,
    input: Origin,
    width: usize,
    stride: usize,
    norm: NormSharing,
) -> Result<Origin, Error> {
    let mut at = plan.norm(&format!("{name}.norm0"), input, norm);
    at = plan.activation(at, Activation::Relu);
    let options = ConvOptions { stride, ..ConvOptions::default() };
    at = plan.conv(&format!("{name}.conv0"), at, width, options)?;
    at = plan.block_dropout(at);
    at = plan.norm(&format!("{name}.norm1"), at, norm);
    at = plan.activation(at, Activation::Relu);
    at = plan.conv(&format!("{name}.conv1"), at, width, ConvOptions::default())?;
    let same = stride == 1 && plan.volume(input).channels == width;
    let shortcut = if same {
        input
    } else {
        let options = ConvOptions { kernel: 1, stride, ..ConvOptions::default() };
        plan.conv(&format!("{name}.shortcut"), input, width, options)?
    };
    Ok(plan.add(at, shortcut))
}
