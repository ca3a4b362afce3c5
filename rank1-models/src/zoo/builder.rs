//! Plans layers and operations one after the other, and gives each layer what the method asks for.
//!
//! Sizes and order come from the architectures beside this file; nothing is computed here.

use rank1_core::conv::{ConvShape, Padding};
use rank1_core::perturb::Perturbation;
use rank1_priors::PriorSpec;

use super::factors::factors;
use crate::error::Error;
use crate::method::{Estimator, Method};
use crate::network::{
    Activation, DropoutPlacement, FactorPlan, LayerPlan, LstmPlan, Node, NormPlan, NormSharing, Op, Origin,
    Product, Volume, WeightPlan, WeightStart,
};
use crate::params::{ParamGroup, ParamLayout};

/// What a dense layer is beside its widths.
#[derive(Debug, Clone, Copy)]
pub(super) struct LayerOptions {
    pub(super) activation: Activation,
    pub(super) start: WeightStart,
    /// Whether it reads the network's input, which dropout spares unless asked.
    pub(super) first: bool,
}

impl Default for LayerOptions {
    fn default() -> Self {
        Self { activation: Activation::Linear, start: WeightStart::He, first: false }
    }
}

/// What a convolution is beside its channels.
#[derive(Debug, Clone, Copy)]
pub(super) struct ConvOptions {
    pub(super) kernel: usize,
    pub(super) stride: usize,
    pub(super) padding: Padding,
    pub(super) bias: bool,
    pub(super) activation: Activation,
    pub(super) first: bool,
}

impl Default for ConvOptions {
    /// 3x3, stride 1, padding of the published nets, no bias.
    fn default() -> Self {
        Self {
            kernel: 3,
            stride: 1,
            padding: Padding::Same,
            bias: false,
            activation: Activation::Linear,
            first: false,
        }
    }
}

/// A network in the making.
#[derive(Debug)]
pub(crate) struct Plan {
    method: Method,
    input: Volume,
    pub(crate) layout: ParamLayout,
    pub(crate) layers: Vec<LayerPlan>,
    pub(crate) norms: Vec<NormPlan>,
    pub(crate) nodes: Vec<Node>,
    /// Whether the architecture has residual blocks, inside which the usual dropout is.
    has_blocks: bool,
}

impl Plan {
    pub(super) fn new(method: &Method) -> Self {
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

    pub(super) fn image_input(&mut self, height: usize, width: usize, channels: usize) {
        self.input = Volume { height, width, channels };
    }

    pub(super) fn columns_input(&mut self, width: usize) {
        self.input = Volume::columns(width);
    }

    /// The size of a value.
    pub(super) fn volume(&self, origin: Origin) -> Volume {
        match origin {
            Origin::Input => self.input,
            Origin::Node(index) => self.nodes[index].volume,
        }
    }

    fn push(&mut self, op: Op, origin: Origin, volume: Volume) -> Origin {
        self.nodes.push(Node { op, origin, volume });
        Origin::Node(self.nodes.len() - 1)
    }

    /// A dense layer on all values of a row.
    pub(super) fn linear(
        &mut self,
        name: &str,
        at: Origin,
        d_in: usize,
        d_out: usize,
        o: LayerOptions,
    ) -> Origin {
        let index = self.layer(name, Product::Linear, (d_in, d_out), o.start, o.activation, true, o.first);
        self.push(Op::Layer(index), at, Volume::columns(d_out))
    }

    /// A convolution with a square kernel.
    pub(super) fn conv(
        &mut self,
        name: &str,
        at: Origin,
        c_out: usize,
        o: ConvOptions,
    ) -> Result<Origin, Error> {
        let shape = self.conv_shape(at, c_out, o)?;
        let (height, width) = shape.out_size();
        let widths = (shape.c_in, c_out);
        let index =
            self.layer(name, Product::Conv(shape), widths, WeightStart::He, o.activation, o.bias, o.first);
        Ok(self.push(Op::Layer(index), at, Volume { height, width, channels: c_out }))
    }

    fn conv_shape(&self, at: Origin, c_out: usize, o: ConvOptions) -> Result<ConvShape, Error> {
        let volume = self.volume(at);
        let shape = ConvShape {
            height: volume.height,
            width: volume.width,
            c_in: volume.channels,
            c_out,
            kernel: (o.kernel, o.kernel),
            stride: (o.stride, o.stride),
            dilation: (1, 1),
            padding: o.padding,
        };
        shape.check()?;
        Ok(shape)
    }

    /// A mean-field matrix applied to every step, without factors: its draw is shared by members and examples.
    pub(super) fn embedding(&mut self, name: &str, at: Origin, width: usize) -> Result<Origin, Error> {
        let shape = self.conv_shape(at, width, ConvOptions { kernel: 1, ..ConvOptions::default() })?;
        let d_in = shape.c_in;
        let weight = self.layout.push(format!("{name}.weight"), &[d_in, width], ParamGroup::Weight);
        let weight_plan = match self.method {
            Method::Deterministic | Method::McDropout(_) | Method::BatchEnsemble(_) => WeightPlan::Point,
            _ => WeightPlan::MeanField {
                scale: self.layout.push(
                    format!("{name}.weight_raw_scale"),
                    &[d_in, width],
                    ParamGroup::WeightScale,
                ),
                estimator: Estimator::Reparameterized,
                prior: PriorSpec::Normal { mean: 0.0, std: 1.0 },
                initial_std: 1e-3,
            },
        };
        self.layers.push(LayerPlan {
            name: name.to_owned(),
            product: Product::Conv(shape),
            d_in,
            d_out: width,
            weight,
            start: WeightStart::Glorot,
            weight_plan,
            bias: None,
            input_factor: FactorPlan::Absent,
            output_factor: FactorPlan::Absent,
            perturbation: Perturbation::Multiplicative,
            activation: Activation::Linear,
        });
        let volume = Volume { channels: width, ..self.volume(at) };
        Ok(self.push(Op::Layer(self.layers.len() - 1), at, volume))
    }

    /// The steps of the network's input, one position each.
    pub(super) fn take_sequence(&mut self, steps: usize, features: usize) -> Origin {
        let volume = Volume { height: 1, width: steps, channels: features };
        self.push(Op::Columns { start: 0 }, Origin::Input, volume)
    }

    pub(super) fn columns(&mut self, at: Origin, start: usize, len: usize) -> Origin {
        self.push(Op::Columns { start }, at, Volume::columns(len))
    }

    pub(super) fn concat(&mut self, at: Origin, other: Origin) -> Origin {
        let volume = Volume::columns(self.volume(at).len() + self.volume(other).len());
        self.push(Op::Concat(other), at, volume)
    }

    /// A recurrent layer over `steps` steps of `d_in` values; its value is the last state.
    pub(super) fn lstm(
        &mut self,
        name: &str,
        at: Origin,
        d_in: usize,
        steps: usize,
        units: usize,
        length_column: Option<usize>,
    ) -> Origin {
        let linear = Activation::Linear;
        let input_name = format!("{name}.input");
        let widths = (d_in, 4 * units);
        let input =
            self.layer(&input_name, Product::Recurrent, widths, WeightStart::Glorot, linear, true, false);
        let (name, widths) = (format!("{name}.recurrent"), (units, 4 * units));
        let recurrent =
            self.layer(&name, Product::Recurrent, widths, WeightStart::Orthogonal, linear, false, false);
        let plan = LstmPlan { input, recurrent, steps, units, length_column };
        self.push(Op::Lstm(plan), at, Volume::columns(units))
    }

    pub(super) fn norm(&mut self, name: &str, at: Origin, sharing: NormSharing) -> Origin {
        let volume = self.volume(at);
        let groups = match sharing {
            NormSharing::Shared => 1,
            NormSharing::PerMember => self.method.n_members(),
        };
        let shape = [groups, volume.channels];
        let scale = self.layout.push(format!("{name}.scale"), &shape, ParamGroup::Norm);
        let shift = self.layout.push(format!("{name}.shift"), &shape, ParamGroup::Norm);
        // Running statistics follow all trained parameters: their places are known when the plan is complete.
        let (mean, variance) = (scale, shift);
        let (channels, positions) = (volume.channels, volume.positions());
        let name = name.to_owned();
        self.norms.push(NormPlan { name, channels, positions, sharing, scale, shift, mean, variance });
        self.push(Op::Norm(self.norms.len() - 1), at, volume)
    }

    /// Appends the running statistics of all normalizations.
    pub(crate) fn push_statistics(&mut self) {
        for norm in &mut self.norms {
            let shape = self.layout.spec(norm.scale).shape.clone();
            norm.mean = self.layout.push(format!("{}.mean", norm.name), &shape, ParamGroup::Statistic);
            norm.variance =
                self.layout.push(format!("{}.variance", norm.name), &shape, ParamGroup::Statistic);
        }
    }

    pub(super) fn activation(&mut self, at: Origin, activation: Activation) -> Origin {
        self.push(Op::Activation(activation), at, self.volume(at))
    }

    pub(super) fn add(&mut self, at: Origin, other: Origin) -> Origin {
        self.push(Op::Add(other), at, self.volume(at))
    }

    pub(super) fn global_average(&mut self, at: Origin) -> Origin {
        self.push(Op::GlobalAverage, at, Volume::columns(self.volume(at).channels))
    }

    pub(super) fn max_pool(
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

    /// Dropout of single units inside a residual block, where the method has it there.
    pub(super) fn block_dropout(&mut self, at: Origin) -> Origin {
        self.has_blocks = true;
        match &self.method {
            Method::McDropout(m) if m.placement == DropoutPlacement::Blocks => {
                let per_million = (m.rate * 1e6).round() as u32;
                self.push(Op::Dropout { per_million }, at, self.volume(at))
            }
            _ => at,
        }
    }

    fn layer(
        &mut self,
        name: &str,
        product: Product,
        (d_in, d_out): (usize, usize),
        start: WeightStart,
        activation: Activation,
        bias: bool,
        first: bool,
    ) -> usize {
        let method = self.method.clone();
        let k = method.n_members();
        let rows = match &product {
            Product::Conv(shape) => shape.kernel.0 * shape.kernel.1 * d_in,
            _ => d_in,
        };
        let layout = &mut self.layout;
        let weight = layout.push(format!("{name}.weight"), &[rows, d_out], ParamGroup::Weight);
        let weight_plan = match &method {
            Method::MeanField(m) => WeightPlan::MeanField {
                scale: layout.push(
                    format!("{name}.weight_raw_scale"),
                    &[rows, d_out],
                    ParamGroup::WeightScale,
                ),
                estimator: m.estimator,
                prior: m.prior,
                initial_std: m.initial_std,
            },
            _ => WeightPlan::Point,
        };
        let bias = bias.then(|| layout.push(format!("{name}.bias"), &[k, d_out], ParamGroup::Bias));
        let drops = match (&method, &product) {
            (Method::McDropout(m), Product::Recurrent) => !first || m.inputs,
            (Method::McDropout(m), Product::Conv(_)) => {
                m.placement == DropoutPlacement::Filters && (!first || m.inputs)
            }
            (Method::McDropout(m), Product::Linear) => {
                (m.placement == DropoutPlacement::Filters || !self.has_blocks) && (!first || m.inputs)
            }
            _ => false,
        };
        // The reference code clips draws in dense layers and convolutions, not in recurrent cells.
        let clips = product != Product::Recurrent;
        let (input_factor, output_factor, perturbation) =
            factors(layout, &method, name, (d_in, d_out), drops, clips);
        self.layers.push(LayerPlan {
            name: name.to_owned(),
            product,
            d_in,
            d_out,
            weight,
            start,
            weight_plan,
            bias,
            input_factor,
            output_factor,
            perturbation,
            activation,
        });
        self.layers.len() - 1
    }
}
