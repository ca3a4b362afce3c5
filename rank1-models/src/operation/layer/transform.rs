//! From standard noise to draws of a factor: the law of its family, or dropout.

use rank1_core::Real;
use rank1_core::factor::ClipBounds;
use rank1_priors::Law;

/// How the noise of a factor becomes its draws.
#[derive(Debug, Clone, Copy)]
pub(super) enum Transform<'a, F> {
    /// Uniform noise below the rate drops the entry, the others are multiplied.
    Dropout { rate: F, keep: F },
    /// Locations and scales `[K, D]` of a family.
    Pathwise { law: Law, location: &'a [F], scale: &'a [F], clip: Option<ClipBounds> },
}

impl<F: Real> Transform<'_, F> {
    /// Draws of one member, any number of rows of `width` values; the noise becomes what the gradient reads of it.
    #[inline(always)]
    pub(super) fn rows(&self, member: usize, width: usize, noise: &mut [F], draw: &mut [F]) {
        let (law, location, scale, clip) = match *self {
            Self::Dropout { rate, keep } => {
                let entries = draw.iter_mut().zip(noise);
                entries.for_each(|(draw, noise)| *draw = if *noise >= rate { keep } else { F::zero() });
                return;
            }
            Self::Pathwise { law, location, scale, clip } => (law, location, scale, clip),
        };
        let at = member * width..(member + 1) * width;
        let (location, scale) = (&location[at.clone()], &scale[at]);
        if law.folded {
            noise.iter_mut().for_each(|n| *n = law.standard(*n));
        }
        for (draw, noise) in draw.chunks_exact_mut(width).zip(noise.chunks_exact(width)) {
            law.draw_row(location, scale, noise, draw);
            if let Some(clip) = clip {
                draw.iter_mut().for_each(|d| *d = clip.clip(*d));
            }
        }
    }
}
