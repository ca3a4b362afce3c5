//! The perturbed linear map with factors that it draws, a part of its rows at a time.
//!
//! Not for convolutions, nor for other precisions than f32.

use cubecl::prelude::*;
use cubecl::server::Handle;

use super::checks::{check_buffer, check_parameters_as, multiprocessors};
use super::draw::draw_rows;
use super::draw_samples::draw_samples;
use super::layer;
use super::linear;
use super::parts::{bindable_rows_of, rows_of};
use super::row_sums::Present;
use crate::arithmetic::Arithmetic;
use crate::drawn::{DrawnFactor, DrawnLayer, FactorSource, Part, Parts, SamplePart};
use crate::linear::{Factor, FactorRows, LinearShape, PerturbedLayer};
use crate::{Draw, DrawShape, Error, Precision, strategy};

/// Outputs of all members: `activation(((x ∘ s) W) ∘ r + bias)` with factors that are drawn here, or given.
///
/// Rows are done in parts where a factor is drawn for each example, so that the draws of a part alone are in memory. A part
/// draws exactly what its rows have in the whole, those of each sample from the sample's own draw.
///
/// # Shapes
/// | value | shape | dtype |
/// | --- | --- | --- |
/// | `x` | `[K * B, D_in]`, member-major | f32 |
/// | `layer` | see [`DrawnLayer`] | f32 |
/// | returns | `[K * B, D_out]` | f32 |
///
/// # Errors
/// As [`super::perturbed_linear`] and [`super::draw_samples`], before anything is launched; locations and scales are named
/// `input_location`, `output_scale` and so on. [`Error::SampleMismatch`] if the members are not as many for each draw of a
/// factor. Values are not looked at: NaN passes through.
///
/// # Numerics
/// Draws as [`super::draw_factors`], outputs as [`super::perturbed_linear`] at a part's shape, which chooses the engine: on our
/// own tiles outputs do not depend on the parts, not in a bit.
///
/// # Source
/// Dusenberry et al. 2020, arXiv:2005.07186, section 3. Boundaries of parts are at multiples of the device's alignment of
/// buffers; members that do not end at one share a part.
pub fn drawn_linear(
    client: &Client,
    parts: Parts,
    shape: LinearShape,
    layer: &DrawnLayer<'_, Handle>,
    x: &Handle,
) -> Result<Handle, Error> {
    let op = "drawn_linear";
    check(op, client, shape, layer, x)?;
    let whole = Whole::new(op, client, parts, shape, layer)?;
    let n_rows = shape.n_members * shape.batch_size;
    let out = client.empty(4 * n_rows * shape.d_out);
    for part in &whole.parts {
        let drawn = whole.draw(part)?;
        let bias = layer.bias.map(|bias| whole.rows_of_members(part, bias, shape.d_out)).transpose()?;
        let [x, out] = [(x, shape.d_in), (&out, shape.d_out)].map(|(of, width)| whole.rows(part, of, width));
        let layer = PerturbedLayer { bias: bias.as_ref(), ..drawn.layer(layer) };
        let arithmetic = Arithmetic::default();
        linear::forward(op, client, arithmetic, part.shape(shape), &layer, &x, Some(out))?;
    }
    Ok(out)
}

/// Compares the device's limits and every buffer with the shape.
pub(super) fn check(
    op: &'static str,
    client: &Client,
    shape: LinearShape,
    layer: &DrawnLayer<'_, Handle>,
    x: &Handle,
) -> Result<(), Error> {
    shape.check(op)?;
    let LinearShape { n_members, batch_size, d_in, d_out } = shape;
    let rows = |source: Option<FactorSource<'_, Handle>>| source.map(|source| source.rows());
    let present = Present {
        input_factor: rows(layer.input_factor),
        output_factor: rows(layer.output_factor),
        bias: layer.bias.is_some(),
    };
    layer::fits(op, client, &shape.sizes(), present)?;
    check_buffer(op, client, "x", x, &[n_members * batch_size, d_in])?;
    check_buffer(op, client, "weight", layer.weight, &[d_in, d_out])?;
    if let Some(bias) = layer.bias {
        check_buffer(op, client, "bias", bias, &[n_members, d_out])?;
    }
    let factors = [
        (layer.input_factor, d_in, "input_factor", ["input_location", "input_scale"]),
        (layer.output_factor, d_out, "output_factor", ["output_location", "output_scale"]),
    ];
    factors.into_iter().try_for_each(|(factor, width, name, names)| match factor {
        None => Ok(()),
        Some(FactorSource::Given(Factor { values, rows })) => {
            check_buffer(op, client, name, values, &[rows.count(n_members, batch_size), width])
        }
        Some(FactorSource::Drawn(drawn)) => {
            let expected = [drawn.members_per_sample(op, n_members)?, width];
            check_parameters_as(op, client, names, expected, [drawn.location, drawn.scale])
        }
    })
}

/// A layer whose buffers were checked, with what all parts share.
pub(super) struct Whole<'a> {
    op: &'static str,
    client: &'a Client,
    shape: LinearShape,
    pub(super) parts: Vec<Part>,
    pub(super) input_factor: Option<WholeFactor<'a>>,
    pub(super) output_factor: Option<WholeFactor<'a>>,
}

/// A factor of all rows.
pub(super) struct WholeFactor<'a> {
    pub(super) source: FactorSource<'a, Handle>,
    pub(super) width: usize,
    /// What was drawn for each member; a draw for each example is made part by part.
    values: Option<Handle>,
}

/// The factors of a part's rows.
pub(super) struct PartFactors {
    pub(super) input: Option<PartFactor>,
    pub(super) output: Option<PartFactor>,
}

/// A factor of a part's rows.
pub(super) struct PartFactor {
    values: Handle,
    rows: FactorRows,
    /// How its rows were drawn, sample by sample; none if an example has no draw of its own.
    pub(super) draws: Vec<PartDraw>,
}

/// A draw for each example of one sample's members in a part.
pub(super) struct PartDraw {
    pub(super) members: SamplePart,
    pub(super) draw: Draw,
    pub(super) shape: DrawShape,
    /// Location and scale of these members.
    pub(super) parameters: [Handle; 2],
}

impl<'a> Whole<'a> {
    pub(super) fn new(
        op: &'static str,
        client: &'a Client,
        parts: Parts,
        shape: LinearShape,
        layer: &DrawnLayer<'a, Handle>,
    ) -> Result<Self, Error> {
        let LinearShape { n_members, d_in, d_out, .. } = shape;
        let factor = |source: Option<FactorSource<'a, Handle>>, width| {
            source.map(|source| WholeFactor::new(op, client, source, n_members, width)).transpose()
        };
        let drawn = [layer.input_factor, layer.output_factor];
        let large = drawn.iter().flatten().any(FactorSource::is_drawn_per_example);
        let properties = client.properties();
        let rows = match parts {
            Parts::Rows(rows) => rows,
            Parts::Auto if large => {
                let n_rows = n_members * shape.batch_size;
                strategy::rows_of_a_part(n_rows, [d_in, d_out], multiprocessors(client))
            }
            Parts::Auto => usize::MAX,
        };
        Ok(Self {
            op,
            client,
            shape,
            parts: Part::cut(shape, rows, properties.memory.alignment),
            input_factor: factor(layer.input_factor, d_in)?,
            output_factor: factor(layer.output_factor, d_out)?,
        })
    }

    /// The factors of a part, drawn where they are not given.
    pub(super) fn draw(&self, part: &Part) -> Result<PartFactors, Error> {
        let factor = |factor: &Option<WholeFactor<'a>>| {
            factor.as_ref().map(|factor| self.factor(part, factor)).transpose()
        };
        Ok(PartFactors { input: factor(&self.input_factor)?, output: factor(&self.output_factor)? })
    }

    fn factor(&self, part: &Part, factor: &WholeFactor<'a>) -> Result<PartFactor, Error> {
        let &WholeFactor { source, width, ref values } = factor;
        let rows = source.rows();
        let given = match (source, values) {
            (FactorSource::Given(factor), _) => factor.values,
            (FactorSource::Drawn(_), Some(values)) => values,
            (FactorSource::Drawn(drawn), None) => {
                let values = self.client.empty(4 * part.n_rows() * width);
                let draws = self.draw_examples(part, drawn, width, &values)?;
                return Ok(PartFactor { values, rows, draws });
            }
        };
        let values = match rows {
            FactorRows::PerExample => self.rows(part, given, width),
            FactorRows::PerMember => self.rows_of_members(part, given, width)?,
        };
        Ok(PartFactor { values, rows, draws: vec![] })
    }

    /// Draws for each example of a part into a buffer of its rows.
    fn draw_examples(
        &self,
        part: &Part,
        drawn: DrawnFactor<'a, Handle>,
        width: usize,
        values: &Handle,
    ) -> Result<Vec<PartDraw>, Error> {
        let (op, client) = (self.op, self.client);
        let of_sample = |members: SamplePart| {
            let (draw, shape) = part.draw(drawn.draws[members.sample], &members, width);
            let place = [members.first_member, members.n_members, width];
            let location = bindable_rows_of(op, client, drawn.location, place)?;
            let scale = bindable_rows_of(op, client, drawn.scale, place)?;
            let rows = (values, members.first_row);
            draw_rows(op, client, Precision::F32, &draw, shape, [&location, &scale], rows)?;
            Ok(PartDraw { members, draw, shape, parameters: [location, scale] })
        };
        part.samples(drawn.members_per_sample(op, self.shape.n_members)?).map(of_sample).collect()
    }

    /// A part's rows of a buffer with a row for each example.
    pub(super) fn rows(&self, part: &Part, buffer: &Handle, width: usize) -> Handle {
        rows_of(buffer, part.first_row(self.shape.batch_size), part.n_rows(), width)
    }

    /// A part's rows of a buffer with a row for each member.
    pub(super) fn rows_of_members(
        &self,
        part: &Part,
        buffer: &Handle,
        width: usize,
    ) -> Result<Handle, Error> {
        bindable_rows_of(self.op, self.client, buffer, [part.first_member, part.n_members, width])
    }
}

impl<'a> WholeFactor<'a> {
    fn new(
        op: &'static str,
        client: &Client,
        source: FactorSource<'a, Handle>,
        n_members: usize,
        width: usize,
    ) -> Result<Self, Error> {
        let values = match source {
            FactorSource::Drawn(drawn) if drawn.rows == FactorRows::PerMember => {
                let shape = per_member(drawn.members_per_sample(op, n_members)?, width);
                Some(draw_samples(client, drawn.draws, shape, drawn.location, drawn.scale)?)
            }
            FactorSource::Drawn(_) | FactorSource::Given(_) => None,
        };
        Ok(Self { source, width, values })
    }
}

/// One draw for all examples of a member, `n_members` to a sample.
pub(super) fn per_member(n_members: usize, width: usize) -> DrawShape {
    DrawShape { n_members, n_examples: 1, width }
}

impl PartFactors {
    /// The layer of a part, without a bias.
    pub(super) fn layer<'a>(&'a self, of: &DrawnLayer<'a, Handle>) -> PerturbedLayer<'a, Handle> {
        let factor = |factor: &'a Option<PartFactor>| {
            factor.as_ref().map(|PartFactor { values, rows, .. }| Factor { values, rows: *rows })
        };
        PerturbedLayer {
            weight: of.weight,
            input_factor: factor(&self.input),
            output_factor: factor(&self.output),
            bias: None,
            perturbation: of.perturbation,
            activation: of.activation,
        }
    }
}
