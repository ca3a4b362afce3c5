//! LeNet-5 (LeCun et al. 1998), with max pooling as in today's use.

use rank1_core::conv::Padding;

use super::image;
use crate::error::Error;
use crate::network::{Activation, NetworkShape, Origin};
use crate::operation::{ConvOptions, LayerOptions, Plan};

pub(super) fn plan(plan: &mut Plan, shape: &NetworkShape, activation: Activation) -> Result<(), Error> {
    let (height, width, channels) = image(shape);
    if height < 12 || width < 12 {
        return Err(Error::Architecture {
            kind: shape.body.kind(),
            expected: "images of at least 12 x 12 pixels",
            got: format!("{height} x {width}"),
        });
    }
    plan.image_input(height, width, channels);
    let conv =
        |kernel, first| ConvOptions { kernel, activation, bias: true, first, ..ConvOptions::default() };
    let at = plan.conv("conv0", Origin::Input, 6, conv(5, true))?;
    let at = plan.max_pool(at, 2, 2, Padding::Valid)?;
    let options = ConvOptions { padding: Padding::Valid, ..conv(5, false) };
    let at = plan.conv("conv1", at, 16, options)?;
    let at = plan.max_pool(at, 2, 2, Padding::Valid)?;
    let dense = LayerOptions { activation, ..LayerOptions::default() };
    let d_in = plan.volume(at).len();
    let at = plan.linear("dense0", at, d_in, 120, dense.clone());
    let at = plan.linear("dense1", at, 120, 84, dense);
    plan.linear("logits", at, 84, shape.outputs, LayerOptions::default());
    Ok(())
}
