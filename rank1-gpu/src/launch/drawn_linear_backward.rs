//! Gradients of the linear map that draws its factors, a part of its rows at a time.
//!
//! Draws are made again; of the forward pass nothing is needed but arguments, and outputs where there is an activation.

use cubecl::prelude::*;
use cubecl::server::Handle;

use super::checks::check_buffer;
use super::draw_backward::draw_rows_backward;
use super::draw_samples::draw_samples_backward;
use super::drawn_linear::{PartDraw, PartFactor, PartFactors, Whole, WholeFactor, check, per_member};
use super::engine::{Chosen, choose};
use super::layer_library::Map;
use super::linear::Linear;
use super::parts::Total;
use super::product::SegmentSum;
use super::{layer, layer_library};
use crate::arithmetic::Arithmetic;
use crate::drawn::{DrawnLayer, FactorGradients, FactorSource, Part, Parts};
use crate::linear::{Activation, FactorRows, LayerGrads, LinearShape};
use crate::{Error, ParameterGradients, Precision};

/// Gradients of a scalar with respect to `x` and everything in `layer`, from its gradient with respect to the outputs.
///
/// Draws are made once more, part by part as in [`super::drawn_linear`]. A part holds two draws of its rows and one of their
/// gradients at a time: that of the output factor becomes gradients of location and scale before that of the input factor is
/// made. Gradients of inputs are written where they belong in the whole, those of the weight are added to their sum while
/// they are stored.
///
/// # Shapes
/// | value | shape | dtype |
/// | --- | --- | --- |
/// | `x` | `[K * B, D_in]`, member-major | f32 |
/// | `y`: outputs of [`super::drawn_linear`], read only if there is an activation | `[K * B, D_out]` | f32 |
/// | `grad_y` | `[K * B, D_out]` | f32 |
/// | returns | [`LayerGrads`] in the shapes of the originals, those of factors as [`FactorGradients`] | f32 |
///
/// # Errors
/// As [`super::drawn_linear`], also for `y` and `grad_y`.
///
/// # Numerics
/// As [`super::perturbed_linear_backward`] and [`super::draw_samples_backward`] for a part; sums over rows and samples are those
/// of the parts, added in their order, without atomics: two runs on one device agree to the bit.
///
/// # Source
/// Chain rule on [`super::drawn_linear`].
pub fn drawn_linear_backward(
    client: &Client,
    parts: Parts,
    shape: LinearShape,
    layer: &DrawnLayer<'_, Handle>,
    x: &Handle,
    y: &Handle,
    grad_y: &Handle,
) -> Result<LayerGrads<Handle, FactorGradients<Handle>>, Error> {
    let op = "drawn_linear_backward";
    check(op, client, shape, layer, x)?;
    let LinearShape { n_members, batch_size, d_in, d_out } = shape;
    let n_rows = n_members * batch_size;
    check_buffer(op, client, "y", y, &[n_rows, d_out])?;
    check_buffer(op, client, "grad_y", grad_y, &[n_rows, d_out])?;
    let bias =
        layer.bias.map(|_| SegmentSum::plan(op, client, [n_members, batch_size, d_out])).transpose()?;
    let whole = Whole::new(op, client, parts, shape, layer)?;
    let grad_x = client.empty(4 * n_rows * d_in);
    let total = |factor: &Option<WholeFactor<'_>>| {
        factor.as_ref().map(|factor| FactorTotal::new(op, factor, n_members, batch_size)).transpose()
    };
    let mut sums = Sums {
        op,
        client,
        batch_size,
        weight: Total::new(d_in * d_out),
        input_factor: total(&whole.input_factor)?,
        output_factor: total(&whole.output_factor)?,
    };
    for part in &whole.parts {
        let factors = whole.draw(part)?;
        let of_inputs = [x, &grad_x].map(|buffer| whole.rows(part, buffer, d_in));
        let of_outputs = [y, grad_y].map(|buffer| whole.rows(part, buffer, d_out));
        sums.take_part(shape, part, layer, &factors, &of_inputs, &of_outputs)?;
    }
    let y = (layer.activation != Activation::Identity).then_some(y);
    let finish = |total: Option<FactorTotal>, factor: &Option<WholeFactor<'_>>| {
        total
            .zip(factor.as_ref())
            .map(|(total, factor)| total.finish(op, client, factor, n_members))
            .transpose()
    };
    Ok(LayerGrads {
        x: grad_x,
        weight: sums.weight.finish(),
        input_factor: finish(sums.input_factor, &whole.input_factor)?,
        output_factor: finish(sums.output_factor, &whole.output_factor)?,
        // SAFETY: `grad_y` and `y` were checked to hold a float for each output row and channel.
        bias: bias.map(|sum| unsafe { sum.launch::<f32>(client, grad_y, y, layer.activation) }),
    })
}

/// What the parts add up to.
struct Sums<'a> {
    op: &'static str,
    client: &'a Client,
    batch_size: usize,
    weight: Total,
    input_factor: Option<FactorTotal>,
    output_factor: Option<FactorTotal>,
}

impl Sums<'_> {
    /// Gradients of a part's rows, in an order in which each is summed before the next is made.
    fn take_part(
        &mut self,
        shape: LinearShape,
        part: &Part,
        layer: &DrawnLayer<'_, Handle>,
        factors: &PartFactors,
        [x, grad_x]: &[Handle; 2],
        [y, grad_y]: &[Handle; 2],
    ) -> Result<(), Error> {
        let (op, client, batch_size, shape) = (self.op, self.client, self.batch_size, part.shape(shape));
        let layer = factors.layer(layer);
        let take = |total: &mut Option<FactorTotal>, factor: &Option<PartFactor>, rows: Option<Handle>| match (
            total, factor, rows,
        ) {
            (Some(total), Some(factor), Some(rows)) => {
                total.take(op, client, (part, batch_size), factor, rows)
            }
            _ => Ok(()),
        };
        match choose(op, client, Arithmetic::default(), Map::Linear(shape))? {
            Chosen::Tiles => {
                let linear = Linear(shape.sizes());
                let (pass, plans) = layer::prepare(op, client, &linear, &layer, x, y, grad_y)?;
                take(&mut self.output_factor, &factors.output, pass.output_factor(&plans))?;
                take(&mut self.input_factor, &factors.input, pass.input(&plans, grad_x))?;
                let weight = match self.weight.so_far() {
                    Some(total) => pass.weight_added(&plans, total),
                    None => Some(pass.weight(&plans)),
                };
                self.take_weight(weight)
            }
            Chosen::Library(run) => {
                let run = run.beside(&layer, &[x, y, grad_y, grad_x]);
                let (pass, plans, gradient) = layer_library::prepare(run, &layer, x, y, grad_y)?;
                if let Some(sum) = plans.sums.output_factor {
                    let rows = pass.output_factor::<f32>(plans.product_again, sum, x, gradient)?;
                    take(&mut self.output_factor, &factors.output, Some(rows))?;
                }
                let rows = pass.input::<f32>(plans.input, plans.sums.input_factor, x, gradient, grad_x)?;
                take(&mut self.input_factor, &factors.input, rows)?;
                let weight = match self.weight.so_far() {
                    Some(total) => pass.weight_added::<f32>(plans.weight, x, gradient, total)?,
                    None => Some(pass.weight_gradient::<f32>(plans.weight, x, gradient)?),
                };
                self.take_weight(weight)
            }
        }
    }

    /// A gradient that was not added already.
    fn take_weight(&mut self, weight: Option<Handle>) -> Result<(), Error> {
        let first = self.weight.so_far().is_none();
        weight.map_or(Ok(()), |weight| self.weight.take(self.op, self.client, weight, 0, first))
    }
}

/// The gradient of a factor as parts bring it.
struct FactorTotal {
    width: usize,
    rows: FactorRows,
    sums: FactorSums,
}

enum FactorSums {
    /// Of values that are given, or drawn for all parts at once.
    Values(Total),
    /// Of what a part draws for itself.
    Parameters { d_location: Total, d_scale: Total },
}

impl FactorTotal {
    fn new(
        op: &'static str,
        factor: &WholeFactor<'_>,
        n_members: usize,
        batch_size: usize,
    ) -> Result<Self, Error> {
        let (width, rows) = (factor.width, factor.source.rows());
        let sums = match factor.source {
            FactorSource::Drawn(drawn) if drawn.rows == FactorRows::PerExample => {
                let elements = drawn.members_per_sample(op, n_members)? * width;
                let [d_location, d_scale] = [(); 2].map(|()| Total::new(elements));
                FactorSums::Parameters { d_location, d_scale }
            }
            FactorSource::Drawn(_) | FactorSource::Given(_) => {
                FactorSums::Values(Total::new(rows.count(n_members, batch_size) * width))
            }
        };
        Ok(Self { width, rows, sums })
    }

    /// Takes the gradient of a part's rows of the factor.
    fn take(
        &mut self,
        op: &'static str,
        client: &Client,
        (part, batch_size): (&Part, usize),
        factor: &PartFactor,
        gradient: Handle,
    ) -> Result<(), Error> {
        match &mut self.sums {
            FactorSums::Parameters { d_location, d_scale } => {
                for PartDraw { members, draw, shape, parameters: [location, scale] } in &factor.draws {
                    let (parameters, rows) = ([location, scale], (&gradient, members.first_row));
                    let got = draw_rows_backward(op, client, Precision::F32, draw, *shape, parameters, rows)?;
                    // The parts of a member follow each other, and samples come in order.
                    let (at, first) =
                        (members.first_member * self.width, members.sample == 0 && part.first_example == 0);
                    d_location.take(op, client, got.d_location, at, first)?;
                    d_scale.take(op, client, got.d_scale, at, first)?;
                }
                Ok(())
            }
            FactorSums::Values(values) => {
                let (at, first) = match self.rows {
                    FactorRows::PerMember => (part.first_member * self.width, part.first_example == 0),
                    FactorRows::PerExample => (part.first_row(batch_size) * self.width, true),
                };
                values.take(op, client, gradient, at, first)
            }
        }
    }

    fn finish(
        self,
        op: &'static str,
        client: &Client,
        factor: &WholeFactor<'_>,
        n_members: usize,
    ) -> Result<FactorGradients<Handle>, Error> {
        let values = match self.sums {
            FactorSums::Values(values) => values.finish(),
            FactorSums::Parameters { d_location, d_scale } => {
                let (d_location, d_scale) = (d_location.finish(), d_scale.finish());
                return Ok(FactorGradients::Parameters(ParameterGradients { d_location, d_scale }));
            }
        };
        match factor.source {
            FactorSource::Given(_) => Ok(FactorGradients::Values(values)),
            FactorSource::Drawn(drawn) => {
                let shape = per_member(drawn.members_per_sample(op, n_members)?, self.width);
                draw_samples_backward(client, drawn.draws, shape, drawn.location, drawn.scale, &values)
                    .map(FactorGradients::Parameters)
            }
        }
    }
}
