//! Sizes and parameters of layers: each gets the factors and the weight that the method asks for.

use rank1_core::conv::{ConvShape, Padding};
use rank1_core::perturb::Perturbation;
use rank1_priors::PriorSpec;

use super::methods::{Adapters, Place, factors};
use super::{LayerPlan, Product, WeightPlan, WeightStart};
use crate::error::Error;
use crate::method::{Estimator, Method};
use crate::network::{Activation, DropoutPlacement, FactorPlan, Origin, Volume};
use crate::operation::{Op, Plan};
use crate::params::ParamGroup;

/// What a dense layer is beside its widths.
#[derive(Debug, Clone)]
pub(crate) struct LayerOptions {
    pub(crate) activation: Activation,
    pub(crate) start: WeightStart,
    /// Whether it reads the network's input, which dropout spares unless asked.
    pub(crate) first: bool,
    /// Whether each member has a weight of its own.
    pub(crate) per_member: bool,
    pub(crate) bias: BiasOptions,
    pub(crate) adapters: Adapters,
}

/// The biases of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BiasOptions {
    None,
    /// One for all members.
    Shared,
    PerMember,
}

impl Default for LayerOptions {
    fn default() -> Self {
        Self {
            activation: Activation::Linear,
            start: WeightStart::He,
            first: false,
            per_member: false,
            bias: BiasOptions::PerMember,
            adapters: Adapters::Method,
        }
    }
}

/// What a convolution is beside its channels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConvOptions {
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) padding: Padding,
    pub(crate) bias: bool,
    pub(crate) activation: Activation,
    pub(crate) first: bool,
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

impl Plan {
    /// A dense layer on all values of a row.
    pub(crate) fn linear(
        &mut self,
        name: &str,
        at: Origin,
        d_in: usize,
        d_out: usize,
        o: LayerOptions,
    ) -> Origin {
        let product = match self.method.n_members() {
            members if o.per_member && members > 1 => Product::PerMember(members),
            _ => Product::Linear,
        };
        let index = self.layer(name, product, (d_in, d_out), o);
        self.push(Op::Layer(index), at, Volume::columns(d_out))
    }

    /// A convolution with a square kernel.
    pub(crate) fn conv(
        &mut self,
        name: &str,
        at: Origin,
        c_out: usize,
        o: ConvOptions,
    ) -> Result<Origin, Error> {
        let shape = self.conv_shape(at, c_out, o)?;
        let (height, width) = shape.out_size();
        let widths = (shape.c_in, c_out);
        let bias = if o.bias { BiasOptions::PerMember } else { BiasOptions::None };
        let options =
            LayerOptions { activation: o.activation, first: o.first, bias, ..LayerOptions::default() };
        let index = self.layer(name, Product::Conv(shape), widths, options);
        Ok(self.push(Op::Layer(index), at, Volume { height, width, channels: c_out }))
    }

    pub(in crate::operation) fn conv_shape(
        &self,
        at: Origin,
        c_out: usize,
        o: ConvOptions,
    ) -> Result<ConvShape, Error> {
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
    pub(crate) fn embedding(&mut self, name: &str, at: Origin, width: usize) -> Result<Origin, Error> {
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

    /// A layer of widths that belongs to one operation.
    pub(in crate::operation) fn layer(
        &mut self,
        name: &str,
        product: Product,
        (d_in, d_out): (usize, usize),
        o: LayerOptions,
    ) -> usize {
        let method = self.method.clone();
        let (k, first) = (method.n_members(), o.first);
        let rows = match &product {
            Product::Conv(shape) => shape.kernel.0 * shape.kernel.1 * d_in,
            Product::PerMember(members) => members * d_in,
            Product::Linear | Product::Recurrent => d_in,
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
        let groups = match o.bias {
            BiasOptions::None => None,
            BiasOptions::Shared => Some(1),
            BiasOptions::PerMember => Some(k),
        };
        let bias = groups.map(|k| layout.push(format!("{name}.bias"), &[k, d_out], ParamGroup::Bias));
        let drops = match (&method, &product) {
            (Method::McDropout(m), Product::Recurrent) => !first || m.inputs,
            (Method::McDropout(m), Product::Conv(_)) => {
                m.placement == DropoutPlacement::Filters && (!first || m.inputs)
            }
            (Method::McDropout(m), Product::Linear | Product::PerMember(_)) => {
                (m.placement == DropoutPlacement::Filters || !self.has_blocks) && (!first || m.inputs)
            }
            _ => false,
        };
        // The reference code clips draws in dense layers and convolutions, not in recurrent cells.
        let clips = product != Product::Recurrent;
        let place = Place { name, d_in, d_out, first, drops, clips, adapters: o.adapters };
        let (input_factor, output_factor, perturbation) = factors(layout, &method, place);
        self.layers.push(LayerPlan {
            name: name.to_owned(),
            product,
            d_in,
            d_out,
            weight,
            start: o.start,
            weight_plan,
            bias,
            input_factor,
            output_factor,
            perturbation,
            activation: o.activation,
        });
        self.layers.len() - 1
    }
}
