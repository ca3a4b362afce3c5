//! The same work in separate launches that store what a fused kernel keeps, one unit per entry, row or example.
//!
//! Lengths are the callers' word: every buffer here was made for the sizes that come with it.

use cubecl::prelude::*;
use cubecl::server::Handle;

/// Sizes of `[S K, B, C]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows {
    pub(super) n_terms: usize,
    pub(super) n_examples: usize,
    pub(super) width: usize,
}

impl Rows {
    pub(super) fn elements(self) -> usize {
        self.n_rows() * self.width
    }

    fn n_rows(self) -> usize {
        self.n_terms * self.n_examples
    }
}

#[cube(launch_unchecked)]
fn copy_kernel(from: &[f32], to: &mut [f32], n: u32) {
    let at = ABSOLUTE_POS;
    if at < n as usize {
        to[at] = from[at];
    }
}

#[cube(launch_unchecked)]
fn multiply_kernel(x: &[f32], factors: &[f32], out: &mut [f32], n: u32) {
    let at = ABSOLUTE_POS;
    if at < n as usize {
        out[at] = x[at] * factors[at];
    }
}

/// `out[r, c] = x[r, c] * factors[r / rows_per_factor, c]`.
#[cube(launch_unchecked)]
fn multiply_channels_kernel(
    x: &[f32],
    factors: &[f32],
    out: &mut [f32],
    n: u32,
    rows_per_factor: u32,
    width: u32,
) {
    let at = ABSOLUTE_POS as u32;
    if at < n {
        let factor = factors[(at / width / rows_per_factor * width + at % width) as usize];
        out[at as usize] = x[at as usize] * factor;
    }
}

/// `out[r, c] = z[r, c] - logsumexp(z[r])`.
#[cube(launch_unchecked)]
fn log_softmax_kernel(logits: &[f32], out: &mut [f32], n_rows: u32, width: u32) {
    let row = ABSOLUTE_POS as u32;
    if row < n_rows {
        let start = row * width;
        let mut largest = logits[start as usize];
        for c in 1..width {
            largest = max(largest, logits[(start + c) as usize]);
        }
        let mut total = 0.0f32;
        for c in 0..width {
            total += (logits[(start + c) as usize] - largest).exp();
        }
        let norm = largest + total.ln();
        for c in 0..width {
            out[(start + c) as usize] = logits[(start + c) as usize] - norm;
        }
    }
}

/// Losses of examples, and the weight of each term's gradient.
#[cube(launch_unchecked)]
fn weights_kernel(
    log_probs: &[f32],
    labels: &[u32],
    values: &mut [f32],
    weights: &mut [f32],
    n_terms: u32,
    n_examples: u32,
    width: u32,
) {
    let example = ABSOLUTE_POS as u32;
    if example < n_examples {
        let label = labels[example as usize];
        let mut largest = log_probs[(example * width + label) as usize];
        for term in 1..n_terms {
            largest = max(largest, log_probs[((term * n_examples + example) * width + label) as usize]);
        }
        let mut total = 0.0f32;
        for term in 0..n_terms {
            let row = term * n_examples + example;
            total += (log_probs[(row * width + label) as usize] - largest).exp();
        }
        values[example as usize] = -(largest + (total / f32::cast_from(n_terms)).ln());
        for term in 0..n_terms {
            let row = term * n_examples + example;
            let share = (log_probs[(row * width + label) as usize] - largest).exp() / total;
            weights[row as usize] = -share / f32::cast_from(n_examples);
        }
    }
}

#[cube(launch_unchecked)]
fn gradient_kernel(
    log_probs: &[f32],
    labels: &[u32],
    weights: &[f32],
    out: &mut [f32],
    n: u32,
    n_examples: u32,
    width: u32,
) {
    let at = ABSOLUTE_POS as u32;
    if at < n {
        let row = at / width;
        let hit = select(at % width == labels[(row % n_examples) as usize], 1.0f32, 0.0f32);
        out[at as usize] = weights[row as usize] * (hit - log_probs[at as usize].exp());
    }
}

/// One unit for each of `n`, in cubes of 256 and rows of cubes.
fn grid(n: usize) -> (CubeCount, CubeDim) {
    let cubes = n.div_ceil(256);
    let x = cubes.min(65_535);
    (CubeCount::Static(x as u32, cubes.div_ceil(x) as u32, 1), CubeDim::new_1d(256))
}

fn arg(buffer: &Handle, n: usize) -> BufferArg {
    // SAFETY: callers pass the length with which the buffer was made, as the head of this file says.
    unsafe { BufferArg::from_raw_parts(buffer.clone(), n) }
}

pub(super) fn copy(client: &Client, from: &Handle, n: usize) -> Handle {
    let (out, (count, dim)) = (client.empty(4 * n), grid(n));
    // SAFETY: both buffers hold `n` floats and units at or behind `n` do nothing.
    unsafe { copy_kernel::launch_unchecked(client, count, dim, arg(from, n), arg(&out, n), n as u32) };
    out
}

pub(super) fn multiply(client: &Client, x: &Handle, factors: &Handle, n: usize) -> Handle {
    let (out, (count, dim)) = (client.empty(4 * n), grid(n));
    let (x, factors, result) = (arg(x, n), arg(factors, n), arg(&out, n));
    // SAFETY: the three buffers hold `n` floats and units at or behind `n` do nothing.
    unsafe { multiply_kernel::launch_unchecked(client, count, dim, x, factors, result, n as u32) };
    out
}

/// Rows `[rows, width]` times factors, of which `rows_per_factor` consecutive rows share one.
pub(super) fn multiply_channels(
    client: &Client,
    x: &Handle,
    factors: &Handle,
    (rows, rows_per_factor, width): (usize, usize, usize),
) -> Handle {
    let n = rows * width;
    let (out, (count, dim)) = (client.empty(4 * n), grid(n));
    let factors = arg(factors, rows / rows_per_factor * width);
    let (x, result) = (arg(x, n), arg(&out, n));
    let (n, rows_per_factor, width) = (n as u32, rows_per_factor as u32, width as u32);
    // SAFETY: `x` and `out` hold `n` floats, `factors` a row of `width` for each `rows_per_factor` rows, and units at or behind
    // `n` do nothing.
    unsafe {
        multiply_channels_kernel::launch_unchecked(
            client,
            count,
            dim,
            x,
            factors,
            result,
            n,
            rows_per_factor,
            width,
        );
    }
    out
}

fn log_softmax(client: &Client, logits: &Handle, rows: Rows) -> Handle {
    let n = rows.elements();
    let (out, (count, dim)) = (client.empty(4 * n), grid(rows.n_rows()));
    let (n_rows, width) = (rows.n_rows() as u32, rows.width as u32);
    // SAFETY: both buffers hold `n_rows` rows of `width` floats and units at or behind `n_rows` do nothing.
    unsafe {
        log_softmax_kernel::launch_unchecked(client, count, dim, arg(logits, n), arg(&out, n), n_rows, width);
    }
    out
}

/// Losses of examples and the gradient of the outputs, in three launches; labels must be below the width.
pub(super) fn mixture_nll(
    client: &Client,
    outputs: &Handle,
    labels: &Handle,
    rows: Rows,
) -> (Handle, Handle) {
    let (n, b) = (rows.elements(), rows.n_examples);
    let log_probs = log_softmax(client, outputs, rows);
    let (values, weights, out) = (client.empty(4 * b), client.empty(4 * rows.n_rows()), client.empty(4 * n));
    let (count, dim) = grid(b);
    // SAFETY: `labels` and `values` hold `n_examples` entries, `weights` one per row, `log_probs` `width` per row;
    // units at or behind `n_examples` do nothing.
    unsafe {
        weights_kernel::launch_unchecked(
            client,
            count,
            dim,
            arg(&log_probs, n),
            arg(labels, b),
            arg(&values, b),
            arg(&weights, rows.n_rows()),
            rows.n_terms as u32,
            b as u32,
            rows.width as u32,
        );
    }
    let (count, dim) = grid(n);
    // SAFETY: as above, and `out` holds `n` floats; units at or behind `n` do nothing.
    unsafe {
        gradient_kernel::launch_unchecked(
            client,
            count,
            dim,
            arg(&log_probs, n),
            arg(labels, b),
            arg(&weights, rows.n_rows()),
            arg(&out, n),
            n as u32,
            b as u32,
            rows.width as u32,
        );
    }
    (values, out)
}
