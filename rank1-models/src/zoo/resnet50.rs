//! ResNet-50 v1.5: bottleneck blocks with the stride in the 3x3 convolution, as the reference code builds it.

use rank1_core::conv::Padding;

use super::image;
use crate::error::Error;
use crate::network::{Activation, NetworkShape, NormSharing, Origin, WeightStart};
use crate::operation::{ConvOptions, LayerOptions, Plan};

/// Width of the bottleneck, blocks and first stride of each group.
const GROUPS: [(usize, usize, usize); 4] = [(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)];

pub(super) fn plan(plan: &mut Plan, shape: &NetworkShape, norm: NormSharing) -> Result<(), Error> {
    let (height, width, channels) = image(shape);
    if height < 32 || width < 32 {
        return Err(Error::Architecture {
            kind: shape.body.kind(),
            expected: "images of at least 32 x 32 pixels",
            got: format!("{height} x {width}"),
        });
    }
    plan.image_input(height, width, channels);
    let padding = Padding::Explicit { top: 3, bottom: 3, left: 3, right: 3 };
    let stem = ConvOptions { kernel: 7, stride: 2, padding, first: true, ..ConvOptions::default() };
    let mut at = plan.conv("stem", Origin::Input, 64, stem)?;
    at = plan.norm("stem.norm", at, norm);
    at = plan.activation(at, Activation::Relu);
    at = plan.max_pool(at, 3, 2, Padding::Same)?;
    for (group, (narrow, blocks, first_stride)) in GROUPS.into_iter().enumerate() {
        for index in 0..blocks {
            let stride = if index == 0 { first_stride } else { 1 };
            at = block(plan, &format!("group{group}.block{index}"), at, narrow, stride, index == 0, norm)?;
        }
    }
    at = plan.global_average(at);
    let d_in = plan.volume(at).len();
    let head = LayerOptions { start: WeightStart::Normal(0.01), ..LayerOptions::default() };
    plan.linear("logits", at, d_in, shape.outputs, head);
    Ok(())
}

fn block(
    plan: &mut Plan,
    name: &str,
    input: Origin,
    narrow: usize,
    stride: usize,
    projects: bool,
    norm: NormSharing,
) -> Result<Origin, Error> {
    let steps = [(1, 1, narrow), (3, stride, narrow), (1, 1, 4 * narrow)];
    let mut at = input;
    for (index, (kernel, stride, width)) in steps.into_iter().enumerate() {
        if index == 2 {
            at = plan.block_dropout(at);
        }
        let options = ConvOptions { kernel, stride, ..ConvOptions::default() };
        at = plan.conv(&format!("{name}.conv{index}"), at, width, options)?;
        at = plan.norm(&format!("{name}.norm{index}"), at, norm);
        if index < 2 {
            at = plan.activation(at, Activation::Relu);
        }
    }
    let shortcut = if projects {
        let options = ConvOptions { kernel: 1, stride, ..ConvOptions::default() };
        let at = plan.conv(&format!("{name}.shortcut"), input, 4 * narrow, options)?;
        plan.norm(&format!("{name}.shortcut.norm"), at, norm)
    } else {
        input
    };
    at = plan.add(at, shortcut);
    Ok(plan.activation(at, Activation::Relu))
}
