//! A network in the making: operations are appended one after the other, each by the file that knows it.
//!
//! Sizes and order come from the architectures in [`crate::zoo`]; nothing is computed here.

use super::Op;
use crate::method::Method;
use crate::network::{
    EmbeddingPlan, FactorPlan, FactorStart, LayerPlan, Node, NormPlan, Origin, TrainedFactor, Volume,
};
use crate::params::{ParamGroup, ParamLayout};

/// A network in the making.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(super) method: Method,
    input: Volume,
    pub(crate) layout: ParamLayout,
    pub(crate) layers: Vec<LayerPlan>,
    pub(crate) norms: Vec<NormPlan>,
    pub(crate) embeddings: Vec<EmbeddingPlan>,
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
            embeddings: Vec::new(),
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

    /// Appends what is kept with the parameters but not trained: it follows all that is.
    pub(crate) fn push_statistics(&mut self) {
        for norm in &mut self.norms {
            let shape = self.layout.spec(norm.scale).shape.clone();
            norm.mean = self.layout.push(format!("{}.mean", norm.name), &shape, ParamGroup::Statistic);
            norm.variance =
                self.layout.push(format!("{}.variance", norm.name), &shape, ParamGroup::Statistic);
        }
        for layer in &mut self.layers {
            let sides = [("input", &mut layer.input_factor), ("output", &mut layer.output_factor)];
            for (side, plan) in sides {
                let FactorPlan::Trained(TrainedFactor { location, prior: Some(prior), start, .. }) = plan
                else {
                    continue;
                };
                if matches!(start, FactorStart::Chunks { .. }) {
                    let shape = self.layout.spec(*location).shape.clone();
                    let name = format!("{}.{side}_factor.prior_center", layer.name);
                    prior.center = Some(self.layout.push(name, &shape, ParamGroup::Statistic));
                }
            }
        }
    }

    /// Appends an operation and returns where its value is.
    pub(super) fn push(&mut self, op: Op, origin: Origin, volume: Volume) -> Origin {
        self.nodes.push(Node { op, origin, volume });
        Origin::Node(self.nodes.len() - 1)
    }
}
