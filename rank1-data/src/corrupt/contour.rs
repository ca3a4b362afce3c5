//! Outlines of a byte layer, distances from them, and histogram equalization: what shapes the drops of spatter.
//!
//! Not a general edge detector: the two thresholds are those of the published script.

use super::filter::Edge;

/// Gradients above this continue an outline.
const WEAK: i32 = 50;
/// Gradients above this begin one.
const STRONG: i32 = 150;
/// Tangent of 22.5 degrees, below which a gradient counts as horizontal.
const TAN_22_5: f64 = std::f64::consts::SQRT_2 - 1.0;
/// Lengths of a step to a side, a corner and a knight's move in the 5 x 5 chamfer metric (Borgefors 1986).
const STEPS: [f32; 3] = [1.0, 1.4, 2.1969];

/// Canny's detector (1986): ridges of the Sobel gradient, in the sum norm, that are connected to a strong one.
pub(super) fn edges(bytes: &[u8], height: usize, width: usize) -> Vec<bool> {
    let gradients = sobel(bytes, height, width);
    let strength = |y: i64, x: i64| {
        let inside = (0..height as i64).contains(&y) && (0..width as i64).contains(&x);
        if inside { norm(gradients[y as usize * width + x as usize]) } else { 0 }
    };
    let is_ridge = |at: usize| {
        let (y, x) = ((at / width) as i64, (at % width) as i64);
        let (dy, dx) = gradients[at];
        let here = norm((dy, dx));
        let (rise, run) = (f64::from(dy.abs()), f64::from(dx.abs()));
        // Ties go to the left or upper pixel of a pair along an axis.
        if rise < TAN_22_5 * run {
            here > strength(y, x - 1) && here >= strength(y, x + 1)
        } else if run < TAN_22_5 * rise {
            here > strength(y - 1, x) && here >= strength(y + 1, x)
        } else {
            let side = if (dy < 0) == (dx < 0) { 1 } else { -1 };
            here > strength(y - 1, x - side) && here > strength(y + 1, x + side)
        }
    };
    let ridges: Vec<bool> = (0..bytes.len()).map(|at| norm(gradients[at]) > WEAK && is_ridge(at)).collect();
    connected(&ridges, |at| norm(gradients[at]) > STRONG, height, width)
}

/// The ridges that a chain of neighboring ridges connects to a strong one.
fn connected(ridges: &[bool], is_strong: impl Fn(usize) -> bool, height: usize, width: usize) -> Vec<bool> {
    let mut kept = vec![false; ridges.len()];
    let mut open: Vec<usize> = (0..ridges.len()).filter(|&at| ridges[at] && is_strong(at)).collect();
    open.iter().for_each(|&at| kept[at] = true);
    while let Some(at) = open.pop() {
        let (y, x) = (at / width, at % width);
        for row in y.saturating_sub(1)..(y + 2).min(height) {
            for column in x.saturating_sub(1)..(x + 2).min(width) {
                let neighbor = row * width + column;
                if ridges[neighbor] && !kept[neighbor] {
                    kept[neighbor] = true;
                    open.push(neighbor);
                }
            }
        }
    }
    kept
}

fn norm((dy, dx): (i32, i32)) -> i32 {
    dy.abs() + dx.abs()
}

/// Vertical and horizontal Sobel derivatives, the border repeated.
fn sobel(bytes: &[u8], height: usize, width: usize) -> Vec<(i32, i32)> {
    let at = |y: i64, x: i64| {
        i32::from(bytes[Edge::Nearest.index(y, height) * width + Edge::Nearest.index(x, width)])
    };
    (0..bytes.len())
        .map(|i| {
            let (y, x) = ((i / width) as i64, (i % width) as i64);
            let row = |y: i64| at(y, x - 1) + 2 * at(y, x) + at(y, x + 1);
            let column = |x: i64| at(y - 1, x) + 2 * at(y, x) + at(y + 1, x);
            (row(y + 1) - row(y - 1), column(x + 1) - column(x - 1))
        })
        .collect()
}

/// The chamfer distance of every pixel from the nearest marked one; very large where nothing is marked.
pub(super) fn distances(marked: &[bool], height: usize, width: usize) -> Vec<f32> {
    let [side, corner, knight] = STEPS;
    // Half of the 5 x 5 neighborhood: what a sweep from the upper left has already seen.
    let seen: [(i64, i64, f32); 8] = [
        (0, -1, side),
        (-1, 0, side),
        (-1, -1, corner),
        (-1, 1, corner),
        (-1, -2, knight),
        (-1, 2, knight),
        (-2, -1, knight),
        (-2, 1, knight),
    ];
    let mut out: Vec<f32> = marked.iter().map(|&marked| if marked { 0.0 } else { 1e6 }).collect();
    let mut relax = |at: usize, direction: i64| {
        let (y, x) = ((at / width) as i64, (at % width) as i64);
        for (dy, dx, step) in seen {
            let (row, column) = (y + direction * dy, x + direction * dx);
            if (0..height as i64).contains(&row) && (0..width as i64).contains(&column) {
                out[at] = out[at].min(out[row as usize * width + column as usize] + step);
            }
        }
    };
    (0..marked.len()).for_each(|at| relax(at, 1));
    (0..marked.len()).rev().for_each(|at| relax(at, -1));
    out
}

/// Bytes spread so that their cumulative histogram is near a straight line; a constant layer stays.
pub(super) fn equalize(bytes: &[u8]) -> Vec<u8> {
    let mut counts = [0_usize; 256];
    bytes.iter().for_each(|&byte| counts[usize::from(byte)] += 1);
    let Some(least) = counts.iter().position(|&count| count > 0) else { return Vec::new() };
    if counts[least] == bytes.len() {
        return bytes.to_vec();
    }
    let scale = 255.0 / (bytes.len() - counts[least]) as f32;
    let mut map = [0_u8; 256];
    let mut sum = 0;
    for (level, place) in map.iter_mut().enumerate().skip(least + 1) {
        sum += counts[level];
        *place = (sum as f32 * scale).round() as u8;
    }
    bytes.iter().map(|&byte| map[usize::from(byte)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_has_one_straight_outline_and_a_faint_one_has_none() {
        let step = |high: u8| (0..5 * 7).map(|i| if i % 7 < 3 { 0 } else { high }).collect::<Vec<u8>>();
        let outline = edges(&step(180), 5, 7);
        let columns: Vec<usize> = (0..35).filter(|&i| outline[i]).map(|i| i % 7).collect();
        assert_eq!(columns, [2; 5]);
        assert!(edges(&step(12), 5, 7).iter().all(|&marked| !marked));
    }

    #[test]
    fn distances_grow_by_the_chamfer_steps_in_every_direction() {
        let mut marked = vec![false; 7 * 11];
        marked[3 * 11 + 5] = true;
        let got = distances(&marked, 7, 11);
        let at = |y: usize, x: usize| got[y * 11 + x];
        assert_eq!((at(3, 5), at(3, 8), at(0, 5)), (0.0, 3.0, 3.0));
        assert_eq!((at(2, 4), at(5, 7)), (1.4, 2.8));
        assert_eq!((at(1, 4), at(4, 7)), (2.1969, 2.1969));
        assert!(distances(&[false; 6], 2, 3).iter().all(|&distance| distance > 1e5));
    }

    #[test]
    fn equalization_uses_the_whole_range_and_keeps_the_order() {
        assert_eq!(equalize(&[3, 3, 4, 9, 9]), [0, 0, 85, 255, 255]);
        assert_eq!(equalize(&[7, 7]), [7, 7]);
        assert!(equalize(&[]).is_empty());
    }
}
