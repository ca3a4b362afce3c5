//! Multilayer perceptrons.

use crate::network::{Activation, NetworkShape, Origin};
use crate::operation::{LayerOptions, Plan};

pub(super) fn plan(plan: &mut Plan, shape: &NetworkShape, hidden: &[usize], activation: Activation) {
    let (mut at, mut d_in) = (Origin::Input, shape.inputs());
    for (index, &width) in hidden.iter().enumerate() {
        let options = LayerOptions { activation, first: index == 0, ..LayerOptions::default() };
        at = plan.linear(&format!("layer{index}"), at, d_in, width, options);
        d_in = width;
    }
    let options = LayerOptions { first: hidden.is_empty(), ..LayerOptions::default() };
    plan.linear(&format!("layer{}", hidden.len()), at, d_in, shape.outputs, options);
}
