//! One factor of one layer: draws, their application to rows, and the pathwise gradient.

mod gradient;

use rank1_core::Real;
use rank1_core::kernels::simd::vectorized;
use rank1_core::noise::NoiseKind;
use rank1_core::numeric::softplus;
use rank1_core::perturb::Perturbation;
use rank1_priors::{LocationDomain, SCALE_FLOOR, Scales};
use rayon::prelude::*;

use crate::engine::Site;
use crate::engine::analytic::{Draws, Examples, PARALLEL_DRAWS, Rows, Source, for_chunks};
use crate::method::Granularity;
use crate::network::FactorPlan;
use crate::params::ParamLayout;

use super::transform::Transform;

/// Draws of a factor and what its backward pass needs.
#[derive(Debug)]
pub(in crate::operation) struct FactorBuffers<F> {
    /// Standard noise, one row per draw; empty for points.
    noise: Vec<F>,
    /// Draws after clipping, one row per draw.
    draw: Vec<F>,
    /// Constrained locations `[K, D]` and their derivatives in the trained numbers; empty where these are the locations.
    location: Vec<F>,
    location_slope: Vec<F>,
    /// Gradient with respect to the constrained locations.
    location_gradient: Vec<F>,
    /// Constrained scales `[K, D]`.
    scale: Vec<F>,
    /// Gradient with respect to the constrained scales.
    scale_gradient: Vec<F>,
    /// Gradient with respect to each row's factor, `[S K B, D]`.
    row_gradient: Vec<F>,
    width: usize,
    rows_per_draw: RowsPerDraw,
}

/// Which rows share a draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RowsPerDraw {
    One,
    Batch,
    Member,
}

impl<F: Real> FactorBuffers<F> {
    pub(in crate::operation) fn new() -> Self {
        Self {
            noise: Vec::new(),
            draw: Vec::new(),
            location: Vec::new(),
            location_slope: Vec::new(),
            location_gradient: Vec::new(),
            scale: Vec::new(),
            scale_gradient: Vec::new(),
            row_gradient: Vec::new(),
            width: 0,
            rows_per_draw: RowsPerDraw::One,
        }
    }

    fn draw_index(&self, rows: Rows, row: usize) -> usize {
        match self.rows_per_draw {
            RowsPerDraw::One => row,
            RowsPerDraw::Batch => row / rows.examples,
            RowsPerDraw::Member => rows.member(row),
        }
    }

    fn row(&self, index: usize) -> &[F] {
        &self.draw[index * self.width..(index + 1) * self.width]
    }

    /// Draws the factor for all rows; nothing to do where it is absent.
    pub(in crate::operation) fn prepare(
        &mut self,
        plan: &FactorPlan,
        layout: &ParamLayout,
        parameters: &[F],
        width: usize,
        rows: Rows,
        (site, layer): (Site, usize),
        key: Draws<'_>,
    ) {
        self.width = width;
        match plan {
            FactorPlan::Absent => {}
            FactorPlan::Dropout { rate } => {
                let transform = Transform::Dropout { rate: F::of(*rate), keep: F::of(1.0 / (1.0 - rate)) };
                self.fill(rows, RowsPerDraw::One, (site, layer), key, NoiseKind::Uniform, transform);
            }
            FactorPlan::Trained(factor) => {
                let trained = layout.slice(parameters, factor.location);
                self.fill_locations(factor.domain(), trained);
                let law = factor.family.law();
                let kind = match law.noise {
                    rank1_priors::NoiseKind::Normal => NoiseKind::Normal,
                    rank1_priors::NoiseKind::Cauchy => NoiseKind::Cauchy,
                    rank1_priors::NoiseKind::Unused => return self.fill_points(trained),
                };
                self.fill_scales(
                    law.scales,
                    factor.scale.map(|id| layout.slice(parameters, id)),
                    trained.len(),
                );
                let scale = std::mem::take(&mut self.scale);
                let constrained = std::mem::take(&mut self.location);
                let location = if constrained.is_empty() { trained } else { &constrained };
                let transform = Transform::Pathwise { law, location, scale: &scale, clip: factor.clip };
                let sharing = match factor.granularity {
                    Granularity::PerExample => RowsPerDraw::One,
                    Granularity::PerBatch => RowsPerDraw::Batch,
                };
                self.fill(rows, sharing, (site, layer), key, kind, transform);
                self.scale = scale;
                self.location = constrained;
            }
        }
    }

    /// Positive locations of trained numbers, with their slopes; nothing where the trained numbers are the locations.
    fn fill_locations(&mut self, domain: LocationDomain, trained: &[F]) {
        self.location.clear();
        self.location_slope.clear();
        if domain == LocationDomain::Positive {
            let floor = F::of(SCALE_FLOOR);
            self.location.extend_from_slice(trained);
            F::softplus_in_place(&mut self.location);
            self.location.iter_mut().for_each(|l| *l += floor);
            self.location_slope.extend_from_slice(trained);
            F::sigmoid_in_place(&mut self.location_slope);
        }
    }

    /// The locations are the draws, one for each member.
    fn fill_points(&mut self, trained: &[F]) {
        self.rows_per_draw = RowsPerDraw::Member;
        let location = if self.location.is_empty() { trained } else { &self.location };
        self.draw.clear();
        self.draw.extend_from_slice(location);
    }

    fn fill_scales(&mut self, scales: Scales, raw: Option<&[F]>, len: usize) {
        self.scale.clear();
        let floor = F::of(SCALE_FLOOR);
        match (scales, raw) {
            (Scales::Fixed(scale), _) => self.scale.resize(len, F::of(scale)),
            (_, Some([shared])) => self.scale.resize(len, softplus(*shared) + floor),
            (_, Some(raw)) => {
                self.scale.extend_from_slice(raw);
                F::softplus_in_place(&mut self.scale);
                self.scale.iter_mut().for_each(|s| *s += floor);
            }
            (_, None) => self.scale.resize(len, F::zero()),
        }
        self.scale_gradient.clear();
        self.scale_gradient.resize(len, F::zero());
    }

    /// Noise and draws of all rows, member by member while they are near.
    fn fill(
        &mut self,
        rows: Rows,
        sharing: RowsPerDraw,
        (site, layer): (Site, usize),
        key: Draws<'_>,
        kind: NoiseKind,
        transform: Transform<'_, F>,
    ) {
        let sharing = if key.examples == Examples::Alike { RowsPerDraw::Batch } else { sharing };
        self.rows_per_draw = sharing;
        // A draw for the whole batch is that of example 0.
        let shared = sharing == RowsPerDraw::Batch;
        let key = if shared { Draws { examples: Examples::Alike, ..key } } else { key };
        let examples = if shared { 1 } else { rows.examples };
        let (width, per_member) = (self.width, examples * self.width);
        let len = rows.samples * rows.members * per_member;
        self.noise.resize(len, F::zero());
        self.draw.resize(len, F::zero());
        let one = |(chunk, (noise, draw)): (usize, (&mut [F], &mut [F]))| {
            let (sample, member) = (chunk / rows.members, chunk % rows.members);
            let stream = site.stream(key.key.seed, layer, key.key.first_sample + sample as u32);
            if let Some(noise) = F::as_f32_mut(noise) {
                key.fill(stream, kind, (member, examples), width, noise);
            } else {
                let mut single = vec![0.0; noise.len()];
                key.fill(stream, kind, (member, examples), width, &mut single);
                noise.iter_mut().zip(single).for_each(|(noise, n)| *noise = F::of(f64::from(n)));
            }
            vectorized(
                #[inline(always)]
                || transform.rows(member, width, noise, draw),
            );
        };
        if len < PARALLEL_DRAWS {
            let noise = self.noise.chunks_exact_mut(per_member);
            noise.zip(self.draw.chunks_exact_mut(per_member)).enumerate().for_each(one);
        } else {
            let noise = self.noise.par_chunks_exact_mut(per_member);
            noise.zip(self.draw.par_chunks_exact_mut(per_member)).enumerate().for_each(one);
        }
    }

    /// `out = source ∘ draw` (or `source + draw`) for all rows, at every position.
    pub(in crate::operation) fn apply(
        &self,
        plan: &FactorPlan,
        perturbation: Perturbation,
        rows: Rows,
        source: Source<'_, F>,
        out: &mut [F],
    ) {
        let width = out.len() / rows.len();
        for_chunks(
            out,
            width,
            #[inline(always)]
            |row, out| {
                let source = source.row(rows, row, width);
                if plan.is_absent() {
                    out.copy_from_slice(source);
                } else {
                    self.apply_to_row(perturbation, rows, row, Some(source), out);
                }
            },
        );
    }

    /// [`Self::apply`] for one row; in place without a source.
    #[inline(always)]
    pub(in crate::operation) fn apply_to_row(
        &self,
        perturbation: Perturbation,
        rows: Rows,
        row: usize,
        source: Option<&[F]>,
        out: &mut [F],
    ) {
        let factor = self.row(self.draw_index(rows, row));
        let one = |x: F, f: F| match perturbation {
            Perturbation::Multiplicative => x * f,
            Perturbation::Additive => x + f,
        };
        let Some(source) = source else {
            for out in out.chunks_exact_mut(self.width) {
                out.iter_mut().zip(factor).for_each(|(o, &f)| *o = one(*o, f));
            }
            return;
        };
        for (out, source) in out.chunks_exact_mut(self.width).zip(source.chunks_exact(self.width)) {
            out.iter_mut().zip(source).zip(factor).for_each(|((o, &x), &f)| *o = one(x, f));
        }
    }

    /// Whether the rows of a member and sample share their draw.
    pub(in crate::operation) fn is_shared(&self) -> bool {
        self.rows_per_draw != RowsPerDraw::One
    }

    /// The factor of one row; nothing where there is none.
    pub(in crate::operation) fn of_row(&self, plan: &FactorPlan, rows: Rows, row: usize) -> Option<&[F]> {
        (!plan.is_absent()).then(|| self.row(self.draw_index(rows, row)))
    }

    /// The factor of every row, `[S K B, D]`; nothing where there is none.
    pub(in crate::operation) fn rows_into(&self, plan: &FactorPlan, rows: Rows, out: &mut Vec<F>) {
        out.clear();
        if plan.is_absent() {
            return;
        }
        for row in 0..rows.len() {
            out.extend_from_slice(self.row(self.draw_index(rows, row)));
        }
    }
}
