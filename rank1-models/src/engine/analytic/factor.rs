//! One factor of one layer: draws, their application to rows, and the pathwise gradient.

mod gradient;

use rank1_core::Real;
use rank1_core::kernels::simd::vectorized;
use rank1_core::noise::NoiseKind;
use rank1_core::numeric::softplus;
use rank1_core::perturb::Perturbation;
use rank1_priors::{LocationDomain, PosteriorFamily, SCALE_FLOOR};
use rayon::prelude::*;

use crate::engine::{DrawKey, Site};
use crate::method::Granularity;
use crate::network::FactorPlan;
use crate::params::ParamLayout;

use super::rows::{Draws, PARALLEL_DRAWS, Rows, Source, for_chunks};
use super::transform::Transform;

/// Draws of a factor and what its backward pass needs.
#[derive(Debug)]
pub(super) struct FactorBuffers<F> {
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
    pub(super) fn new() -> Self {
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
    pub(super) fn prepare(
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
            FactorPlan::Point { location, .. } => {
                self.rows_per_draw = RowsPerDraw::Member;
                self.draw.clear();
                self.draw.extend_from_slice(layout.slice(parameters, *location));
            }
            FactorPlan::Dropout { rate } => {
                let transform = Transform::Dropout { rate: F::of(*rate), keep: F::of(1.0 / (1.0 - rate)) };
                self.fill(rows, RowsPerDraw::One, (site, layer), key, NoiseKind::Uniform, transform);
            }
            FactorPlan::Random { family, location, scale, granularity, clip, .. } => {
                let trained = layout.slice(parameters, *location);
                self.fill_scales(*family, scale.map(|id| layout.slice(parameters, id)), trained.len());
                self.fill_locations(plan.location_domain(), trained);
                let scale = std::mem::take(&mut self.scale);
                let constrained = std::mem::take(&mut self.location);
                let location = if constrained.is_empty() { trained } else { &constrained };
                // The reference code clips samples, never the plain point factors of a delta.
                let clip = clip.filter(|_| *family != PosteriorFamily::PointMass);
                let transform = Transform::Pathwise { family: *family, location, scale: &scale, clip };
                let sharing = match granularity {
                    Granularity::PerExample => RowsPerDraw::One,
                    Granularity::PerBatch => RowsPerDraw::Batch,
                };
                match family {
                    PosteriorFamily::PointMass => self.fill_points(location, transform),
                    PosteriorFamily::Cauchy | PosteriorFamily::HalfCauchy => {
                        self.fill(rows, sharing, (site, layer), key, NoiseKind::Cauchy, transform);
                    }
                    _ => self.fill(rows, sharing, (site, layer), key, NoiseKind::Normal, transform),
                }
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

    /// One draw for each member, without noise.
    fn fill_points(&mut self, location: &[F], transform: Transform<'_, F>) {
        self.rows_per_draw = RowsPerDraw::Member;
        self.noise.clear();
        self.noise.resize(location.len(), F::zero());
        self.draw.resize(location.len(), F::zero());
        let members = self.noise.chunks_exact_mut(self.width).zip(self.draw.chunks_exact_mut(self.width));
        for (member, (noise, draw)) in members.enumerate() {
            transform.rows(member, self.width, noise, draw);
        }
    }

    fn fill_scales(&mut self, family: PosteriorFamily, raw: Option<&[F]>, len: usize) {
        self.scale.clear();
        let floor = F::of(SCALE_FLOOR);
        match (family, raw) {
            (PosteriorFamily::NormalFixedScale { scale }, _) => self.scale.resize(len, F::of(scale)),
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
        self.rows_per_draw = sharing;
        // A draw for the whole batch is that of example 0.
        let shared = sharing == RowsPerDraw::Batch;
        let key =
            if shared { Draws { key: DrawKey { first_example: 0, ..key.key }, listed: None } } else { key };
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
    pub(super) fn apply(
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
                if matches!(plan, FactorPlan::Absent) {
                    out.copy_from_slice(source);
                } else {
                    self.apply_to_row(perturbation, rows, row, Some(source), out);
                }
            },
        );
    }

    /// [`Self::apply`] for one row; in place without a source.
    #[inline(always)]
    pub(super) fn apply_to_row(
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

    /// The factor of every row, `[S K B, D]`; nothing where there is none.
    pub(super) fn rows_into(&self, plan: &FactorPlan, rows: Rows, out: &mut Vec<F>) {
        out.clear();
        if matches!(plan, FactorPlan::Absent) {
            return;
        }
        for row in 0..rows.len() {
            out.extend_from_slice(self.row(self.draw_index(rows, row)));
        }
    }
}
