//! A network in the making: operations are appended one after the other, each by the file that knows it.
//!
//! Sizes and order come from the architectures in [`crate::zoo`]; nothing is computed here.

use super::Op;
use crate::method::Method;
use crate::network::{LayerPlan, Node, NormPlan, Origin, Volume};
use crate::params::ParamLayout;

/// A network in the making.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(super) method: Method,
    input: Volume,
    pub(crate) layout: ParamLayout,
    pub(crate) layers: Vec<LayerPlan>,
    pub(crate) norms: Vec<NormPlan>,
    pub(crate) nodes: Vec<Node>,
    /// Whether the architecture has residual blocks, inside which the usual dropout is.
    pub(super) has_blocks: bool,
}

impl Plan {
    pub(crate) fn new(method: &Method) -> Self {
        Self {
            method: method.clone(),
            input: Volume::columns(0),
            layout: ParamLayout::default(),
            layers: Vec::new(),
            norms: Vec::new(),
            nodes: Vec::new(),
            has_blocks: false,
        }
    }

    pub(crate) fn image_input(&mut self, height: usize, width: usize, channels: usize) {
        self.input = Volume { height, width, channels };
    }

    pub(crate) fn columns_input(&mut self, width: usize) {
        self.input = Volume::columns(width);
    }

    /// The size of a value.
    pub(crate) fn volume(&self, origin: Origin) -> Volume {
        match origin {
            Origin::Input => self.input,
            Origin::Node(index) => self.nodes[index].volume,
        }
    }

    /// Appends an operation and returns where its value is.
    pub(super) fn push(&mut self, op: Op, origin: Origin, volume: Volume) -> Origin {
        self.nodes.push(Node { op, origin, volume });
        Origin::Node(self.nodes.len() - 1)
    }
}
