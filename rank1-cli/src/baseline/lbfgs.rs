//! The minimum of a smooth convex function, by steps that remember the last changes of its gradient (L-BFGS).

use ndarray::Array1;

/// Changes that are remembered.
const MEMORY: usize = 10;

/// Share of the promised decrease that a step must keep.
const DECREASE: f64 = 1e-4;

/// Halvings of a step before there is no lower point to be found.
const HALVINGS: usize = 30;

/// When the search ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stop {
    /// Largest entry of the gradient.
    pub(super) gradient: f64,
    /// Most steps.
    pub(super) steps: usize,
}

/// Where the function is least, as far as `stop` asks; `of` gives its value and gradient.
///
/// Source: Nocedal and Wright 2006, Numerical Optimization, algorithms 7.4 and 7.5, with halved steps.
pub(super) fn minimize(
    start: Array1<f64>,
    stop: Stop,
    mut of: impl FnMut(&Array1<f64>) -> (f64, Array1<f64>),
) -> Array1<f64> {
    let mut at = start;
    let (mut value, mut gradient) = of(&at);
    let mut changes: Vec<Change> = Vec::new();
    for _ in 0..stop.steps {
        if gradient.iter().all(|entry| entry.abs() <= stop.gradient) {
            break;
        }
        let mut direction = -downhill(&gradient, &changes);
        let mut slope = direction.dot(&gradient);
        if slope >= 0.0 || slope.is_nan() {
            changes.clear();
            direction = -gradient.clone();
            slope = direction.dot(&gradient);
        }
        let mut length = if changes.is_empty() { (1.0 / (-slope).sqrt()).min(1.0) } else { 1.0 };
        let mut found = None;
        for _ in 0..HALVINGS {
            let next = &at + &(&direction * length);
            let (lower, steeper) = of(&next);
            if lower <= value + DECREASE * length * slope {
                found = Some((next, lower, steeper));
                break;
            }
            length /= 2.0;
        }
        let Some((next, lower, steeper)) = found else { break };
        changes.extend(Change::of(&next - &at, &steeper - &gradient));
        if changes.len() > MEMORY {
            changes.remove(0);
        }
        (at, value, gradient) = (next, lower, steeper);
    }
    at
}

/// One step and what it did to the gradient.
struct Change {
    step: Array1<f64>,
    gradient: Array1<f64>,
    /// One over their product.
    inverse: f64,
}

impl Change {
    /// None where the function does not curve upwards along the step.
    fn of(step: Array1<f64>, gradient: Array1<f64>) -> Option<Self> {
        let product = step.dot(&gradient);
        (product > 1e-12 * gradient.dot(&gradient)).then(|| Self { step, gradient, inverse: 1.0 / product })
    }
}

/// The gradient times the remembered inverse of the curvature.
fn downhill(gradient: &Array1<f64>, changes: &[Change]) -> Array1<f64> {
    let mut direction = gradient.clone();
    let mut shares = Vec::with_capacity(changes.len());
    for change in changes.iter().rev() {
        let share = change.inverse * change.step.dot(&direction);
        direction.scaled_add(-share, &change.gradient);
        shares.push(share);
    }
    if let Some(last) = changes.last() {
        direction /= last.inverse * last.gradient.dot(&last.gradient);
    }
    for (change, share) in changes.iter().zip(shares.iter().rev()) {
        let back = change.inverse * change.gradient.dot(&direction);
        direction.scaled_add(share - back, &change.step);
    }
    direction
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn a_long_valley_is_walked_to_its_bottom() {
        let mut calls = 0;
        let bottom = minimize(array![5.0, -3.0, 1.0], Stop { gradient: 1e-9, steps: 100 }, |x| {
            calls += 1;
            let scale = array![1.0, 100.0, 0.01];
            let away = x - &array![1.0, 2.0, -4.0];
            (0.5 * (&away * &away * &scale).sum(), away * scale)
        });
        assert!((&bottom - &array![1.0, 2.0, -4.0]).iter().all(|error| error.abs() < 1e-6), "{bottom}");
        assert!(calls < 60, "{calls}");
    }

    #[test]
    fn a_start_at_the_bottom_stays() {
        let square = |x: &Array1<f64>| (x.dot(x), x * 2.0);
        assert_eq!(minimize(array![0.0, 0.0], Stop { gradient: 1e-9, steps: 9 }, square), array![0.0, 0.0]);
    }
}
