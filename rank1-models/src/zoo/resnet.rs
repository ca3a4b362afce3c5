//! Residual networks for small images: three groups of post-activation blocks (He et al. 2015, section 4.2).

use super::image;
use crate::error::Error;
use crate::network::{Activation, NetworkShape, NormSharing, Origin};
use crate::operation::{ConvOptions, LayerOptions, Plan};

/// A 3x3 stem, three groups of (depth - 2) / 6 blocks at widths w, 2w, 4w, the mean over positions, one dense layer.
///
/// Shortcuts that change the size are 1x1 convolutions with a normalization (option B of the paper), so that every
/// layer can have factors.
pub(super) fn plan(
    plan: &mut Plan,
    shape: &NetworkShape,
    depth: usize,
    width: usize,
    norm: NormSharing,
) -> Result<(), Error> {
    if depth < 8 || !(depth - 2).is_multiple_of(6) {
        return Err(Error::Architecture {
            kind: shape.body.kind(),
            expected: "model.depth = 6 n + 2: 8, 14, 20, 32, 44, 56",
            got: depth.to_string(),
        });
    }
    let blocks = (depth - 2) / 6;
    let (height, image_width, channels) = image(shape);
    plan.image_input(height, image_width, channels);
    let stem = ConvOptions { first: true, ..ConvOptions::default() };
    let mut at = plan.conv("stem", Origin::Input, width, stem)?;
    at = plan.norm("stem.norm", at, norm);
    at = plan.activation(at, Activation::Relu);
    for group in 0..3 {
        for index in 0..blocks {
            let stride = if group > 0 && index == 0 { 2 } else { 1 };
            at = block(plan, &format!("group{group}.block{index}"), at, width << group, stride, norm)?;
        }
    }
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
    let same = stride == 1 && plan.volume(input).channels == width;
    let shortcut = if same {
        input
    } else {
        let options = ConvOptions { kernel: 1, stride, ..ConvOptions::default() };
        let at = plan.conv(&format!("{name}.shortcut"), input, width, options)?;
        plan.norm(&format!("{name}.shortcut.norm"), at, norm)
    };
    let options = ConvOptions { stride, ..ConvOptions::default() };
    let mut at = plan.conv(&format!("{name}.conv0"), input, width, options)?;
    at = plan.norm(&format!("{name}.norm0"), at, norm);
    at = plan.activation(at, Activation::Relu);
    at = plan.block_dropout(at);
    at = plan.conv(&format!("{name}.conv1"), at, width, ConvOptions::default())?;
    at = plan.norm(&format!("{name}.norm1"), at, norm);
    at = plan.add(at, shortcut);
    Ok(plan.activation(at, Activation::Relu))
}
