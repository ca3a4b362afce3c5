//! The gradients of a factor: of the rows that it perturbs, and of its own parameters.

use rank1_core::Real;
use rank1_core::kernels::simd::vectorized;
use rank1_core::numeric::sigmoid;
use rank1_core::perturb::Perturbation;
use rayon::prelude::*;

use super::FactorBuffers;
use crate::engine::analytic::{PARALLEL_VALUES, Rows, Source};
use crate::network::{FactorPlan, Network};

impl<F: Real> FactorBuffers<F> {
    /// Turns `gradient` of the perturbed rows into that of `source`, and adds the factor's own gradient.
    pub(in crate::operation) fn backward(
        &mut self,
        plan: &FactorPlan,
        perturbation: Perturbation,
        rows: Rows,
        source: Source<'_, F>,
        gradient: &mut [F],
        location_gradient: &mut [F],
    ) {
        if plan.is_absent() {
            return;
        }
        let learns = plan.trained().is_some();
        let width = gradient.len() / rows.len();
        let mut row_gradient = std::mem::take(&mut self.row_gradient);
        row_gradient.resize(rows.len() * self.width, F::zero());
        let multiplicative = perturbation == Perturbation::Multiplicative;
        let one = |((row, gradient), own): ((usize, &mut [F]), &mut [F])| {
            vectorized(
                #[inline(always)]
                || {
                    let source = source.row(rows, row, width);
                    let factor = self.row(self.draw_index(rows, row));
                    own.fill(F::zero());
                    for (gradient, source) in
                        gradient.chunks_exact_mut(self.width).zip(source.chunks_exact(self.width))
                    {
                        let parts = gradient.iter_mut().zip(source).zip(factor).zip(own.iter_mut());
                        if !multiplicative {
                            parts.for_each(|(((g, _), _), own)| *own += *g);
                        } else if learns {
                            parts.for_each(|(((g, &x), &f), own)| {
                                *own += *g * x;
                                *g *= f;
                            });
                        } else {
                            parts.for_each(|(((g, _), &f), _)| *g *= f);
                        }
                    }
                },
            );
        };
        if gradient.len() < PARALLEL_VALUES {
            let parts = gradient.chunks_exact_mut(width).enumerate();
            parts.zip(row_gradient.chunks_exact_mut(self.width)).for_each(one);
        } else {
            let parts = gradient.par_chunks_exact_mut(width).enumerate();
            parts.zip(row_gradient.par_chunks_exact_mut(self.width)).for_each(one);
        }
        if learns {
            self.add_row_gradients(plan, rows, &row_gradient, location_gradient);
        }
        self.row_gradient = row_gradient;
    }

    /// Adds gradients with respect to the factors of all rows, `[S K B, D]`, to those of the parameters.
    ///
    /// Rows are added one after the other: the sum does not depend on the number of threads.
    pub(in crate::operation) fn add_row_gradients(
        &mut self,
        plan: &FactorPlan,
        rows: Rows,
        row_gradient: &[F],
        location_gradient: &mut [F],
    ) {
        let width = self.width;
        let mut scale_gradient = std::mem::take(&mut self.scale_gradient);
        // Empty for plain variables, which have no scale.
        scale_gradient.resize(location_gradient.len(), F::zero());
        let scales = &mut scale_gradient[..];
        // Of locations that are functions of what is trained, the gradient is collected apart.
        let mut apart = std::mem::take(&mut self.location_gradient);
        apart.clear();
        apart.resize(self.location_slope.len(), F::zero());
        let constrained = !apart.is_empty();
        let locations = if constrained { &mut apart[..] } else { &mut location_gradient[..] };
        let one = |(member, (d_location, d_scale)): (usize, (&mut [F], &mut [F]))| {
            vectorized(
                #[inline(always)]
                || {
                    for row in rows.of_member(member) {
                        let own = &row_gradient[row * width..(row + 1) * width];
                        let index = self.draw_index(rows, row);
                        self.add_row_gradient(plan, index, own, d_location, d_scale);
                    }
                },
            );
        };
        if row_gradient.len() < PARALLEL_VALUES {
            let locations = locations.chunks_exact_mut(width);
            locations.zip(scales.chunks_exact_mut(width)).enumerate().for_each(one);
        } else {
            let locations = locations.par_chunks_exact_mut(width);
            locations.zip(scales.par_chunks_exact_mut(width)).enumerate().for_each(one);
        }
        if constrained {
            let parts = location_gradient.iter_mut().zip(&apart).zip(&self.location_slope);
            parts.for_each(|((out, &d), &slope)| *out += d * slope);
        }
        self.location_gradient = apart;
        self.scale_gradient = scale_gradient;
    }

    #[inline(always)]
    fn add_row_gradient(
        &self,
        plan: &FactorPlan,
        index: usize,
        own: &[F],
        d_location: &mut [F],
        d_scale: &mut [F],
    ) {
        let FactorPlan::Trained(factor) = plan else { return };
        let law = factor.family.law();
        if law.is_point() {
            d_location.iter_mut().zip(own).for_each(|(d, &own)| *d += own);
            return;
        }
        let at = index * self.width..(index + 1) * self.width;
        let (draw, noise) = (&self.draw[at.clone()], &self.noise[at]);
        let Some(clip) = factor.clip else {
            return law.add_slopes(own.iter().copied(), draw, noise, d_location, d_scale);
        };
        // Where a draw was cut nothing moves it.
        let (low, high) = (F::of(clip.min), F::of(clip.max));
        let own = own.iter().zip(draw).map(|(&own, &f)| if f > low && f < high { own } else { F::zero() });
        law.add_slopes(own, draw, noise, d_location, d_scale);
    }

    /// Adds the gradient of the unconstrained scales, after all rows are done.
    pub(in crate::operation) fn finish(
        &mut self,
        plan: &FactorPlan,
        network: &Network,
        parameters: &[F],
        gradient: &mut [F],
    ) {
        let Some(id) = plan.trained().and_then(|factor| factor.scale) else { return };
        let raw = network.layout.slice(parameters, id);
        let out = network.layout.slice_mut(gradient, id);
        if let [shared] = raw {
            let total = self.scale_gradient.iter().fold(F::zero(), |sum, &g| sum + g);
            out[0] += total * sigmoid(*shared);
            return;
        }
        // The scales are drawn with no more in this pass.
        let slope = &mut self.scale;
        slope.clear();
        slope.extend_from_slice(raw);
        F::sigmoid_in_place(slope);
        for ((o, &g), &slope) in out.iter_mut().zip(&self.scale_gradient).zip(&*slope) {
            *o += g * slope;
        }
    }
}
