//! Divergences of posteriors from priors, with their gradients, from parameters that stay on the device.

use cubecl::prelude::*;
use cubecl::server::Handle;

use super::checks::{check_parameters, check_types, limits_of};
use super::fold::fold_rows;
use crate::kernels::kl;
use crate::shape::Plan;
use crate::{Draw, DrawShape, Error, KlGradients, ParameterGradients, Prior, ScaleParameter};

/// Divergence of each member's posterior from a prior of the same family, in closed form, with its gradients.
///
/// Normal from normal, log-normal from log-normal and Cauchy from Cauchy; `parameter` says what `scale` holds.
///
/// # Shapes
/// | value | shape | dtype |
/// | --- | --- | --- |
/// | `location`, `scale` | `[n_members, width]`, `[K, D]` | f32 |
/// | returns `value` | `[K]` | f32 |
/// | returns `d_location`, `d_scale` | `[K, D]` | f32 |
///
/// # Units
/// Nats, summed over the entries of a member; neither weighted nor divided by anything.
///
/// # Errors
/// [`Error::InvalidPrior`], otherwise as [`super::draw_factors`]. Scales are not looked at: NaN passes through, and what a
/// scale gives that is not a positive normal number is not defined.
///
/// # Numerics
/// In f32, within 1e-5 (1 + |value|) of [`crate::host::kl_closed`] for scales from 0.1 on; the derivative in a scale `s` is
/// exact to a few units of `1 / s`. Values are summed four entries at a time, these sums by 32 in order.
///
/// # Source
/// Equation 2 of Dusenberry et al. 2020, arXiv:2005.07186; Cauchy from Cauchy by Chyzak and Nielsen 2019. The forms of
/// rank1-priors.
pub fn kl_closed(
    client: &Client,
    prior: Prior,
    parameter: ScaleParameter,
    n_members: usize,
    width: usize,
    location: &Handle,
    scale: &Handle,
) -> Result<KlGradients<Handle>, Error> {
    let op = "kl_closed";
    prior.check(op)?;
    let shape = DrawShape { n_members, n_examples: 1, width };
    let buffers = Buffers::new(op, client, shape, location, scale)?;
    let (prior_location, prior_scale) = prior.parameters();
    let n = n_members * width;
    // SAFETY: `Buffers::new` proved that `location` and `scale` hold `n` floats and made the outputs with `n` and with one
    // sum per block. A unit returns unless its block lies in one of the `n_members` rows and skips entries at or behind
    // `width`, so positions stay below these lengths, which are at most 2^31.
    unsafe {
        kl::kl_closed::launch_unchecked(
            client,
            buffers.plan.count.clone(),
            buffers.plan.dim,
            BufferArg::from_raw_parts(location.clone(), n),
            BufferArg::from_raw_parts(scale.clone(), n),
            BufferArg::from_raw_parts(buffers.values.clone(), buffers.n_blocks),
            BufferArg::from_raw_parts(buffers.d_location.clone(), n),
            BufferArg::from_raw_parts(buffers.d_scale.clone(), n),
            n_members as u32,
            width as u32,
            prior_location,
            prior_scale,
            prior.kind(),
            parameter,
        );
    }
    buffers.finish(op, client, n_members)
}

/// Monte-Carlo estimate of the divergence of each member's posterior from a prior, with the gradients of the estimate.
///
/// The mean of `ln q(x) - ln p(x)` over `shape.n_examples` draws `x` of every entry, made from the noise of `draw` as in
/// [`super::draw_factors`]. The draws are not clipped, whatever `draw.clip` says: the clip belongs to the layer, and a cut
/// draw has no density. Give `draw` a key of its own for draws that are independent of the forward pass.
///
/// # Shapes
/// | value | shape | dtype |
/// | --- | --- | --- |
/// | `location`, `scale` | `[K, D]`; scales as [`Draw::scale`] says | f32 |
/// | returns `value` | `[K]` | f32 |
/// | returns `d_location`, `d_scale` | `[K, D]` | f32 |
///
/// # Units
/// Nats, summed over the entries of a member; can be negative.
///
/// # Errors
/// [`Error::InfiniteKl`] where the divergence is infinite, otherwise as [`kl_closed`].
///
/// # Numerics
/// As [`kl_closed`], against [`crate::host::kl_monte_carlo`]; draws are summed in their order.
///
/// # Source
/// Edward2's Cauchy and half-Cauchy regularizers with one draw; gradients with the noise held fixed.
pub fn kl_monte_carlo(
    client: &Client,
    draw: &Draw,
    prior: Prior,
    shape: DrawShape,
    location: &Handle,
    scale: &Handle,
) -> Result<KlGradients<Handle>, Error> {
    let op = "kl_monte_carlo";
    prior.check(op)?;
    prior.check_posterior(op, draw.kind, draw.family)?;
    let DrawShape { n_members, n_examples, width } = shape;
    let buffers = Buffers::new(op, client, shape, location, scale)?;
    let (prior_location, prior_scale) = prior.parameters();
    let n = n_members * width;
    // SAFETY: as in `kl_closed`; positions do not depend on the draw.
    unsafe {
        kl::kl_monte_carlo::launch_unchecked(
            client,
            buffers.plan.count.clone(),
            buffers.plan.dim,
            BufferArg::from_raw_parts(location.clone(), n),
            BufferArg::from_raw_parts(scale.clone(), n),
            BufferArg::from_raw_parts(buffers.values.clone(), buffers.n_blocks),
            BufferArg::from_raw_parts(buffers.d_location.clone(), n),
            BufferArg::from_raw_parts(buffers.d_scale.clone(), n),
            draw.key[0],
            draw.key[1],
            draw.step,
            draw.first_example,
            draw.first_member,
            n_members as u32,
            n_examples as u32,
            width as u32,
            prior_location,
            prior_scale,
            prior.log_constant(draw.kind) as f32,
            prior.kind(),
            Draw { clip: None, ..*draw }.form(),
        );
    }
    buffers.finish(op, client, n_members)
}

/// Checked lengths and fresh outputs.
struct Buffers {
    plan: Plan,
    n_blocks: usize,
    values: Handle,
    d_location: Handle,
    d_scale: Handle,
}

impl Buffers {
    fn new(
        op: &'static str,
        client: &Client,
        shape: DrawShape,
        location: &Handle,
        scale: &Handle,
    ) -> Result<Self, Error> {
        check_types(op, client)?;
        // Counts draws too, which a kernel numbers in 32 bits.
        shape.elements(op)?;
        let n = shape.n_members * shape.width;
        let n_blocks = shape.n_members * shape.width.div_ceil(4);
        let plan = Plan::new(op, (n, 4), n_blocks, limits_of(client))?;
        check_parameters(op, client, shape, location, scale)?;
        let [values, d_location, d_scale] = [n_blocks, n, n].map(|length| client.empty(4 * length));
        Ok(Self { plan, n_blocks, values, d_location, d_scale })
    }

    fn finish(
        self,
        op: &'static str,
        client: &Client,
        n_members: usize,
    ) -> Result<KlGradients<Handle>, Error> {
        let Self { n_blocks, values, d_location, d_scale, .. } = self;
        let value = fold_rows(op, client, (n_members, n_blocks / n_members, 1), values)?;
        Ok(KlGradients { value, parameters: ParameterGradients { d_location, d_scale } })
    }
}
