//! Pooling: the largest value or the mean of windows, and the mean over all positions.

use rank1_core::kernels::pool::{self, PoolShape};
use rank1_core::{Real, conv::Padding};

use super::{Back, ConvOptions, Cost, Op, Operation, Plan, Reads};
use crate::engine::analytic::{Pass, resize};
use crate::error::Error;
use crate::network::{Node, Origin, Volume};

impl Plan {
    /// The mean over all positions.
    pub(crate) fn global_average(&mut self, at: Origin) -> Origin {
        self.push(Op::GlobalAverage, at, Volume::columns(self.volume(at).channels))
    }

    /// The largest value of each window.
    pub(crate) fn max_pool(
        &mut self,
        at: Origin,
        window: usize,
        stride: usize,
        padding: Padding,
    ) -> Result<Origin, Error> {
        let channels = self.volume(at).channels;
        let options = ConvOptions { kernel: window, stride, padding, ..ConvOptions::default() };
        let (height, width) = self.conv_shape(at, channels, options)?.out_size();
        Ok(self.push(Op::MaxPool { window, stride, padding }, at, Volume { height, width, channels }))
    }
}

pub(super) fn cost_of_max(node: &Node, window: usize, stride: usize) -> Cost {
    let operation = format!("max pool {window}x{window}/{stride}");
    Cost { operation, kept: node.volume.len(), ..Cost::default() }
}

pub(super) fn cost_of_mean(window: usize, stride: usize) -> Cost {
    Cost { operation: format!("average pool {window}x{window}/{stride}"), ..Cost::default() }
}

pub(super) fn cost_of_global() -> Cost {
    Cost { operation: "global average".into(), ..Cost::default() }
}

/// Largest values with their places.
#[derive(Debug)]
pub(super) struct MaxPasses {
    window: usize,
    stride: usize,
    padding: Padding,
    largest: Vec<u32>,
}

impl MaxPasses {
    pub(super) fn new(window: usize, stride: usize, padding: Padding) -> Self {
        Self { window, stride, padding, largest: Vec::new() }
    }
}

impl<F: Real> Operation<F> for MaxPasses {
    fn forward(
        &mut self,
        pass: Pass<'_, F>,
        place: usize,
        reads: Reads<'_, F>,
        out: &mut Vec<F>,
    ) -> Result<(), Error> {
        let node = &pass.network.nodes[place];
        resize(out, pass.rows.len() * node.volume.len());
        self.largest.resize(out.len(), 0);
        let before = pass.network.volume(node.origin);
        let shape = pool_shape(before, self.window, self.stride, self.padding);
        Ok(pool::max_forward(&shape, reads.rows_of(node.origin)?, out, &mut self.largest)?)
    }

    fn backward(
        &mut self,
        pass: Pass<'_, F>,
        place: usize,
        _reads: Reads<'_, F>,
        _out: &[F],
        back: Back<'_, F>,
    ) -> Result<(), Error> {
        let before = pass.network.volume(pass.network.nodes[place].origin);
        resize(back.below, pass.rows.len() * before.len());
        let shape = pool_shape(before, self.window, self.stride, self.padding);
        Ok(pool::max_backward(&shape, &self.largest, back.own, back.below)?)
    }
}

/// Means of windows that lie inside.
#[derive(Debug)]
pub(super) struct MeanPasses {
    pub(super) window: usize,
    pub(super) stride: usize,
}

impl<F: Real> Operation<F> for MeanPasses {
    fn forward(
        &mut self,
        pass: Pass<'_, F>,
        place: usize,
        reads: Reads<'_, F>,
        out: &mut Vec<F>,
    ) -> Result<(), Error> {
        let node = &pass.network.nodes[place];
        resize(out, pass.rows.len() * node.volume.len());
        let before = pass.network.volume(node.origin);
        let shape = pool_shape(before, self.window, self.stride, Padding::Valid);
        Ok(pool::average_forward(&shape, reads.rows_of(node.origin)?, out)?)
    }

    fn backward(
        &mut self,
        pass: Pass<'_, F>,
        place: usize,
        _reads: Reads<'_, F>,
        _out: &[F],
        back: Back<'_, F>,
    ) -> Result<(), Error> {
        let before = pass.network.volume(pass.network.nodes[place].origin);
        resize(back.below, pass.rows.len() * before.len());
        let shape = pool_shape(before, self.window, self.stride, Padding::Valid);
        Ok(pool::average_backward(&shape, back.own, back.below)?)
    }
}

/// Means over all positions.
#[derive(Debug)]
pub(super) struct GlobalPasses;

impl<F: Real> Operation<F> for GlobalPasses {
    fn forward(
        &mut self,
        pass: Pass<'_, F>,
        place: usize,
        reads: Reads<'_, F>,
        out: &mut Vec<F>,
    ) -> Result<(), Error> {
        let node = &pass.network.nodes[place];
        resize(out, pass.rows.len() * node.volume.len());
        let before = pass.network.volume(node.origin);
        let x = reads.rows_of(node.origin)?;
        Ok(pool::global_average_forward(before.positions(), before.channels, x, out)?)
    }

    fn backward(
        &mut self,
        pass: Pass<'_, F>,
        place: usize,
        _reads: Reads<'_, F>,
        _out: &[F],
        back: Back<'_, F>,
    ) -> Result<(), Error> {
        let before = pass.network.volume(pass.network.nodes[place].origin);
        resize(back.below, pass.rows.len() * before.len());
        Ok(pool::global_average_backward(before.positions(), before.channels, back.own, back.below)?)
    }
}

fn pool_shape(volume: Volume, window: usize, stride: usize, padding: Padding) -> PoolShape {
    PoolShape {
        height: volume.height,
        width: volume.width,
        channels: volume.channels,
        window: (window, window),
        stride: (stride, stride),
        padding,
    }
}
