//! Adaptive Gauss-Kronrod integration on an interval; for one-dimensional densities, not for training.

/// Positive Kronrod nodes with their weights, and the Gauss weight of every second one.
const NODES: [(f64, f64, f64); 7] = [
    (0.991_455_371_120_812_6, 0.022_935_322_010_529_224, 0.0),
    (0.949_107_912_342_758_5, 0.063_092_092_629_978_56, 0.129_484_966_168_869_7),
    (0.864_864_423_359_769_1, 0.104_790_010_322_250_19, 0.0),
    (0.741_531_185_599_394_5, 0.140_653_259_715_525_92, 0.279_705_391_489_276_64),
    (0.586_087_235_467_691_1, 0.169_004_726_639_267_9, 0.0),
    (0.405_845_151_377_397_2, 0.190_350_578_064_785_4, 0.381_830_050_505_118_9),
    (0.207_784_955_007_898_47, 0.204_432_940_075_298_9, 0.0),
];
const CENTER: (f64, f64) = (0.209_482_141_084_727_82, 0.417_959_183_673_469_4);
const MOST_PANELS: usize = 4000;

struct Panel {
    low: f64,
    high: f64,
    value: f64,
    error: f64,
}

/// Integral of `f` from the first to the last of `points`, which increase; panels start between them.
///
/// The panel with the largest error estimate is halved until the sum of the estimates is below `tolerance` times the integral,
/// or 4000 panels are reached. A bump is found only if the panels beside it are not much wider than it is.
///
/// # Shapes
/// `points` holds at least two numbers; fewer give 0.
///
/// # Numerics
/// The estimate (difference of the 15-point Kronrod and 7-point Gauss rules) is far above the true error for smooth
/// integrands. NaN values of `f` give NaN.
///
/// # Source
/// Kronrod 1965; globally adaptive strategy of QUADPACK.
///
/// # Example
/// ```
/// let area = rank1_priors::quadrature::integrate(|x| x.sin(), &[0.0, std::f64::consts::PI], 1e-12);
/// assert!((area - 2.0).abs() < 1e-12);
/// ```
pub fn integrate(f: impl Fn(f64) -> f64, points: &[f64], tolerance: f64) -> f64 {
    let mut panels: Vec<Panel> =
        points.windows(2).filter(|w| w[1] > w[0]).map(|w| panel(&f, w[0], w[1])).collect();
    loop {
        let total: f64 = panels.iter().map(|p| p.value).sum();
        let error: f64 = panels.iter().map(|p| p.error).sum();
        let done = error <= tolerance * total.abs() || error.is_nan();
        if done || panels.len() >= MOST_PANELS {
            return total;
        }
        let Some(worst) = (0..panels.len()).max_by(|&a, &b| panels[a].error.total_cmp(&panels[b].error))
        else {
            return total;
        };
        let Panel { low, high, .. } = panels[worst];
        let middle = 0.5 * (low + high);
        if !(low < middle && middle < high) {
            return total;
        }
        panels[worst] = panel(&f, low, middle);
        panels.push(panel(&f, middle, high));
    }
}

fn panel(f: &impl Fn(f64) -> f64, low: f64, high: f64) -> Panel {
    let (center, half) = (0.5 * (low + high), 0.5 * (high - low));
    let at_center = f(center);
    let (mut kronrod, mut gauss) = (CENTER.0 * at_center, CENTER.1 * at_center);
    for (node, kronrod_weight, gauss_weight) in NODES {
        let pair = f(center - half * node) + f(center + half * node);
        kronrod += kronrod_weight * pair;
        gauss += gauss_weight * pair;
    }
    Panel { low, high, value: half * kronrod, error: half * (kronrod - gauss).abs() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_is_exact_for_polynomials_of_degree_22() {
        for degree in 0..=22 {
            let value = panel(&|x: f64| x.powi(degree), 0.0, 1.0).value;
            approx::assert_relative_eq!(value, 1.0 / f64::from(degree + 1), max_relative = 1e-14);
        }
    }

    #[test]
    fn gauss_part_is_exact_for_polynomials_of_degree_13() {
        for degree in 0..=13 {
            assert!(panel(&|x: f64| x.powi(degree), 0.0, 1.0).error < 1e-15);
        }
        assert!(panel(&|x: f64| x.powi(14), 0.0, 1.0).error > 1e-12);
    }

    #[test]
    fn logarithmic_pole_and_narrow_bump_are_resolved() {
        let pole = integrate(|x| -x.ln(), &[0.0, 1.0], 1e-12);
        approx::assert_relative_eq!(pole, 1.0, max_relative = 1e-11);
        let bump =
            integrate(|x| (-0.5 * ((x - 0.3) / 1e-4f64).powi(2)).exp(), &[-10.0, 0.299, 0.302, 10.0], 1e-12);
        approx::assert_relative_eq!(bump, 1e-4 * (2.0 * std::f64::consts::PI).sqrt(), max_relative = 1e-11);
    }

    #[test]
    fn nan_and_empty_ranges_do_not_hang() {
        assert!(integrate(|_| f64::NAN, &[0.0, 1.0], 1e-9).is_nan());
        assert!(integrate(|x| x, &[1.0], 1e-9).abs() <= 0.0);
    }
}
