//! Batch normalization by the statistics of a batch whose rows lie in several places.
//!
//! Each place sums its own rows, the caller adds the sums of all places in a fixed order, and each place goes on with the
//! total. Not for the adding: what travels, and how, is the caller's.

use super::sweep::reduce;
use super::{Extent, NormSaved, NormShape, check_epsilon, input_gradient, normalize};
use crate::{Error, Real};

/// Sums over the rows of this place, `[2, G, C]`: of the differences from `center` and of their squares.
///
/// # Shapes
/// `x`: `[S*K*B, positions, C]`; `center`: `[G, C]`, the same in every place.
///
/// # Errors
/// As [`super::train_forward`].
///
/// # Numerics
/// As [`super::train_forward`], but for the center: one that is a thousand deviations off costs the variance six of sixteen digits.
pub fn forward_sums<'a, F: Real>(
    shape: &NormShape,
    x: &[F],
    center: &[F],
    saved: &'a mut NormSaved<F>,
) -> Result<&'a mut [f64], Error> {
    let slices = [("x", x.len(), Extent::Batch), ("center", center.len(), Extent::Groups)];
    shape.check("batch_norm::forward_sums", &slices)?;
    saved.mean.clear();
    saved.mean.extend_from_slice(center);
    reduce(shape, x, center, None, &mut saved.work.partial, &mut saved.work.sums);
    Ok(&mut saved.work.sums)
}

/// Normalizes the rows of this place; the sums that [`forward_sums`] gave are by now those of all places, over `count` values.
///
/// # Shapes
/// As [`super::train_forward`].
///
/// # Errors
/// As [`super::train_forward`].
pub fn forward<F: Real>(
    shape: &NormShape,
    count: usize,
    x: &[F],
    scale: &[F],
    shift: &[F],
    epsilon: f64,
    out: &mut [F],
    saved: &mut NormSaved<F>,
) -> Result<(), Error> {
    const OP: &str = "batch_norm::shared::forward";
    let slices = [
        ("x", x.len(), Extent::Batch),
        ("scale", scale.len(), Extent::Groups),
        ("shift", shift.len(), Extent::Groups),
        ("out", out.len(), Extent::Batch),
    ];
    shape.check(OP, &slices)?;
    check_epsilon(OP, epsilon)?;
    saved.set_statistics(count, epsilon);
    let NormSaved { mean, inverse_std, work, .. } = saved;
    normalize(shape, x, mean, inverse_std, scale, shift, out, &mut work.by);
    Ok(())
}

/// Sums over the rows of this place, `[2, G, C]`: the gradients of shift and scale, which are added to `d_shift` and `d_scale`
/// as this place's part.
///
/// # Shapes
/// As [`super::backward`].
///
/// # Errors
/// As [`super::backward`].
pub fn backward_sums<'a, F: Real>(
    shape: &NormShape,
    x: &[F],
    saved: &'a mut NormSaved<F>,
    d_out: &[F],
    d_scale: &mut [F],
    d_shift: &mut [F],
) -> Result<&'a mut [f64], Error> {
    let slices = [
        ("x", x.len(), Extent::Batch),
        ("saved.mean", saved.mean.len(), Extent::Groups),
        ("d_out", d_out.len(), Extent::Batch),
        ("d_scale", d_scale.len(), Extent::Groups),
        ("d_shift", d_shift.len(), Extent::Groups),
    ];
    shape.check("batch_norm::backward_sums", &slices)?;
    let NormSaved { mean, inverse_std, work, .. } = &mut *saved;
    reduce(shape, x, mean, Some((d_out, inverse_std)), &mut work.partial, &mut work.sums);
    saved.add_to(d_scale, d_shift);
    Ok(&mut saved.work.sums)
}

/// The gradient of this place's rows; the sums that [`backward_sums`] gave are by now those of all places.
///
/// # Shapes
/// As [`super::backward`].
///
/// # Errors
/// As [`super::backward`].
pub fn backward<F: Real>(
    shape: &NormShape,
    count: usize,
    x: &[F],
    scale: &[F],
    saved: &mut NormSaved<F>,
    d_out: &[F],
    d_x: &mut [F],
) -> Result<(), Error> {
    let slices = [
        ("x", x.len(), Extent::Batch),
        ("scale", scale.len(), Extent::Groups),
        ("d_out", d_out.len(), Extent::Batch),
        ("d_x", d_x.len(), Extent::Batch),
    ];
    shape.check("batch_norm::shared::backward", &slices)?;
    saved.backward_map(count, scale);
    input_gradient(shape, x, saved, d_out, d_x);
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{backward as whole_backward, train_forward};
    use super::*;

    const EPSILON: f64 = 1e-5;

    fn shape(n_examples: usize) -> NormShape {
        NormShape { n_samples: 1, n_members: 1, n_examples, positions: 3, channels: 2, per_member: false }
    }

    fn values(n: usize, phase: f64) -> Vec<f64> {
        (0..n).map(|i| (i as f64 * 0.7 + phase).sin() * 3.0 + 40.0).collect()
    }

    #[test]
    fn two_places_normalize_and_differentiate_as_one() {
        let (all, parts) = (shape(5), [shape(3), shape(2)]);
        let (x, d_out) = (values(30, 0.0), values(30, 1.3));
        let (scale, shift, center) = ([1.5, -0.5], [0.25, 2.0], [1.0, -3.0]);
        let (mut out, mut saved) = (vec![0.0; 30], NormSaved::default());
        train_forward(&all, &x, &scale, &shift, EPSILON, &mut out, &mut saved).unwrap();
        let (mut d_x, mut d_scale, mut d_shift) = (vec![0.0; 30], [0.0; 2], [0.0; 2]);
        whole_backward(&all, &x, &scale, &mut saved, EPSILON, &d_out, &mut d_x, &mut d_scale, &mut d_shift)
            .unwrap();

        let (cuts, count) = ([0..18, 18..30], all.count());
        let mut places = [NormSaved::default(), NormSaved::default()];
        let add =
            |sums: [Vec<f64>; 2]| -> Vec<f64> { sums[0].iter().zip(&sums[1]).map(|(a, b)| a + b).collect() };
        let of = |i: usize, place: &mut NormSaved<f64>| {
            forward_sums(&parts[i], &x[cuts[i].clone()], &center, place).unwrap().to_vec()
        };
        let total = add([of(0, &mut places[0]), of(1, &mut places[1])]);
        let (mut d_scales, mut d_shifts) = ([0.0; 2], [0.0; 2]);
        let mut sums = Vec::new();
        for (i, place) in places.iter_mut().enumerate() {
            place.work.sums.copy_from_slice(&total);
            let (cut, mut part) = (cuts[i].clone(), vec![0.0; cuts[i].len()]);
            forward(&parts[i], count, &x[cut.clone()], &scale, &shift, EPSILON, &mut part, place).unwrap();
            part.iter().zip(&out[cut.clone()]).for_each(|(a, b)| assert!((a - b).abs() < 1e-10, "{a} {b}"));
            let (x, d_out) = (&x[cut.clone()], &d_out[cut]);
            let own = backward_sums(&parts[i], x, place, d_out, &mut d_scales, &mut d_shifts).unwrap();
            sums.push(own.to_vec());
        }
        let total = add([sums.remove(0), sums.remove(0)]);
        for (i, place) in places.iter_mut().enumerate() {
            place.work.sums.copy_from_slice(&total);
            let (cut, mut part) = (cuts[i].clone(), vec![0.0; cuts[i].len()]);
            let (x, d_out) = (&x[cut.clone()], &d_out[cut.clone()]);
            backward(&parts[i], count, x, &scale, place, d_out, &mut part).unwrap();
            part.iter().zip(&d_x[cut]).for_each(|(a, b)| assert!((a - b).abs() < 1e-10, "{a} {b}"));
        }
        for (a, b) in d_scales.iter().chain(&d_shifts).zip(d_scale.iter().chain(&d_shift)) {
            assert!((a - b).abs() < 1e-9, "{a} {b}");
        }
    }
}
