//! A frame that ends below a few high points, and the marks where a curve leaves it: a first epoch must not flatten the others.

use super::figure::NamedCurve;
use super::plot::{Layer, Plot};

/// Curves with fewer points are shown whole.
const FEWEST_POINTS: usize = 8;

/// Share of its points that every curve keeps.
const KEPT: f64 = 0.9;

/// The frame is cut if the highest point is this many times as far above the lowest as the kept ones reach.
const FAR: f64 = 2.5;

/// The height above which points may leave the frame; none where it would gain little.
pub(crate) fn top(curves: &[NamedCurve]) -> Option<f64> {
    let heights =
        |named: &NamedCurve| -> Vec<f64> { named.curve.points.iter().map(|point| point.mean).collect() };
    let all: Vec<f64> = curves.iter().flat_map(heights).collect();
    let low = all.iter().copied().fold(f64::INFINITY, f64::min);
    let high = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    // The highest of the curves' own levels: no curve leaves the frame as a whole.
    let kept = curves.iter().map(|named| level(heights(named))).fold(f64::NEG_INFINITY, f64::max);
    (kept > low && high - low > FAR * (kept - low)).then_some(low + 1.25 * (kept - low))
}

fn level(mut heights: Vec<f64>) -> f64 {
    heights.sort_by(f64::total_cmp);
    let place = if heights.len() < FEWEST_POINTS { 1.0 } else { KEPT } * heights.len() as f64;
    heights.get((place.ceil() as usize).saturating_sub(1)).copied().unwrap_or(f64::NEG_INFINITY)
}

/// Ends every layer at the upper end of the vertical axis, with an arrow where a line leaves.
pub(crate) fn cut(plot: &mut Plot) {
    let top = plot.y.range.1;
    let mut kept = Vec::new();
    for layer in plot.layers.drain(..) {
        match layer {
            Layer::Line(points, ink) => {
                let (pieces, leaving) = below(&points, top);
                kept.extend(pieces.into_iter().map(|piece| Layer::Line(piece, ink)));
                if let super::ink::Ink::Series(series) = ink
                    && !leaving.is_empty()
                {
                    kept.push(Layer::Leaving(leaving, series));
                }
            }
            Layer::Markers(mut points, series) => {
                points.retain(|point| point.1 <= top);
                kept.push(Layer::Markers(points, series));
            }
            Layer::Errors(mut points, series) => {
                points.retain(|point| point.1 + point.2 <= top);
                kept.push(Layer::Errors(points, series));
            }
            other => kept.push(other),
        }
    }
    plot.layers = kept;
}

/// Points in drawing order.
type Line = Vec<(f64, f64)>;

/// The pieces of a line that are not above `top`, and where it crosses.
fn below(points: &[(f64, f64)], top: f64) -> (Vec<Line>, Line) {
    let (mut pieces, mut crossings, mut piece) = (Vec::new(), Vec::new(), Vec::new());
    for (place, &(x, y)) in points.iter().enumerate() {
        if let Some(&(before, height)) = place.checked_sub(1).and_then(|last| points.get(last))
            && (height > top) != (y > top)
        {
            let crossing = (before + (x - before) * (top - height) / (y - height), top);
            crossings.push(crossing);
            piece.push(crossing);
        }
        if y <= top {
            piece.push((x, y));
        } else if !piece.is_empty() {
            pieces.push(std::mem::take(&mut piece));
        }
    }
    if !piece.is_empty() {
        pieces.push(piece);
    }
    (pieces, crossings)
}

#[cfg(test)]
mod tests {
    use super::super::super::average::{Curve, CurvePoint};
    use super::*;

    fn curve(heights: impl IntoIterator<Item = f64>) -> NamedCurve {
        let point = |(x, mean): (usize, f64)| CurvePoint { x: x as f64, mean, standard_error: 0.0 };
        let points = heights.into_iter().enumerate().map(point).collect();
        NamedCurve { label: String::new(), series: 0, curve: Curve { points } }
    }

    #[test]
    fn a_line_is_cut_where_it_crosses() {
        let (pieces, crossings) = below(&[(1.0, 10.0), (2.0, 2.0), (3.0, 1.0), (4.0, 9.0)], 4.0);
        assert_eq!(pieces, [vec![(1.75, 4.0), (2.0, 2.0), (3.0, 1.0), (3.375, 4.0)]]);
        assert_eq!(crossings, [(1.75, 4.0), (3.375, 4.0)]);
        assert_eq!(below(&[(1.0, 5.0)], 4.0), (Vec::new(), Vec::new()));
    }

    #[test]
    fn one_high_first_epoch_leaves_the_frame() {
        let falling = curve([40.0].into_iter().chain((0..19).map(|i| 1.0 - 0.02 * f64::from(i))));
        let top = top(&[falling]).unwrap_or(f64::NAN);
        assert!((1.0..2.0).contains(&top), "{top}");
    }

    #[test]
    fn an_even_curve_a_short_one_and_a_bad_method_stay_whole() {
        assert_eq!(top(&[curve((0..20).map(|i| 2.0 - 0.1 * f64::from(i)))]), None);
        assert_eq!(top(&[curve([9.0, 1.0, 0.9])]), None);
        assert_eq!(top(&[curve([0.1; 30]), curve([9.0; 3])]), None);
        assert_eq!(top(&[]), None);
    }
}
