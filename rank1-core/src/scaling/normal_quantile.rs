//! The inverse of the normal distribution function, to the precision of a double.
//!
//! Not for quantiles of mixtures, which have no closed form; see [`crate::predictive`].

use crate::numeric::{normal_cdf, normal_pdf};

/// The `x` with `normal_cdf(x) = p`; `-inf` for 0, `inf` for 1, NaN outside.
///
/// # Numerics
/// Rational approximations of about 16 digits, then one step of Halley on the nearer tail. Levels next to 1 have only the
/// digits that `1 - p` has left.
///
/// # Source
/// Wichura 1988, algorithm AS 241 (PPND16).
pub fn normal_quantile(p: f64) -> f64 {
    if !(p > 0.0 && p < 1.0) {
        return match p {
            0.0 => f64::NEG_INFINITY,
            1.0 => f64::INFINITY,
            _ => f64::NAN,
        };
    }
    // Solved on the lower half, where nothing cancels.
    let (tail, sign) = if p <= 0.5 { (p, 1.0) } else { (1.0 - p, -1.0) };
    let x = approximation(tail);
    let step = (normal_cdf(x) - tail) / normal_pdf(x);
    let refined = x - step / (1.0 + 0.5 * x * step);
    sign * if refined.is_finite() { refined } else { x }
}

/// For `0 < p <= 1/2`.
fn approximation(p: f64) -> f64 {
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * polynomial(r, &CENTER.0) / polynomial(r, &CENTER.1);
    }
    let r = (-p.ln()).sqrt();
    let (r, (above, below)) = if r <= 5.0 { (r - 1.6, &TAIL) } else { (r - 5.0, &FAR_TAIL) };
    -polynomial(r, above) / polynomial(r, below)
}

fn polynomial(x: f64, coefficients: &[f64; 8]) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, coefficient| sum * x + coefficient)
}

type Ratio = ([f64; 8], [f64; 8]);

#[allow(clippy::excessive_precision, reason = "as published")]
const CENTER: Ratio = (
    [
        3.387_132_872_796_366_608_0,
        133.141_667_891_784_377_45,
        1_971.590_950_306_551_442_7,
        13_731.693_765_509_461_125,
        45_921.953_931_549_871_457,
        67_265.770_927_008_700_853,
        33_430.575_583_588_128_105,
        2_509.080_928_730_122_672_7,
    ],
    [
        1.0,
        42.313_330_701_600_911_252,
        687.187_007_492_057_908_30,
        5_394.196_021_424_751_107_7,
        21_213.794_301_586_595_867,
        39_307.895_800_092_710_610,
        28_729.085_735_721_942_674,
        5_226.495_278_852_854_561_0,
    ],
);

#[allow(clippy::excessive_precision, reason = "as published")]
const TAIL: Ratio = (
    [
        1.423_437_110_749_683_577_34,
        4.630_337_846_156_545_295_90,
        5.769_497_221_460_691_405_50,
        3.647_848_324_763_204_605_04,
        1.270_458_252_452_368_382_58,
        0.241_780_725_177_450_611_770,
        0.022_723_844_989_269_184_583_3,
        7.745_450_142_783_414_076_40e-4,
    ],
    [
        1.0,
        2.053_191_626_637_758_821_87,
        1.676_384_830_183_803_849_40,
        0.689_767_334_985_100_004_550,
        0.148_103_976_427_480_074_590,
        0.015_198_666_563_616_457_196_6,
        5.475_938_084_995_344_946_00e-4,
        1.050_750_071_644_416_843_24e-9,
    ],
);

#[allow(clippy::excessive_precision, reason = "as published")]
const FAR_TAIL: Ratio = (
    [
        6.657_904_643_501_103_777_20,
        5.463_784_911_164_114_369_90,
        1.784_826_539_917_291_335_80,
        0.296_560_571_828_504_891_230,
        0.026_532_189_526_576_123_093_0,
        1.242_660_947_388_078_438_60e-3,
        2.711_555_568_743_487_578_15e-5,
        2.010_334_399_292_288_132_65e-7,
    ],
    [
        1.0,
        0.599_832_206_555_887_937_690,
        0.136_929_880_922_735_805_310,
        0.014_875_361_290_850_614_852_5,
        7.868_691_311_456_132_591_00e-4,
        1.846_318_317_510_054_681_80e-5,
        1.421_511_758_316_445_888_70e-7,
        2.044_263_103_389_939_785_64e-15,
    ],
);

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_quantiles_are_met() {
        assert_relative_eq!(normal_quantile(0.975), 1.959_963_984_540_054, max_relative = 1e-14);
        assert_relative_eq!(normal_quantile(1e-12), -7.034_483_825_301_131, max_relative = 1e-13);
        assert_relative_eq!(normal_quantile(1e-300), -37.047_096_299_361_2, max_relative = 1e-13);
        assert_eq!(normal_quantile(0.5), 0.0);
        assert_eq!([normal_quantile(0.0), normal_quantile(1.0)], [f64::NEG_INFINITY, f64::INFINITY]);
        assert!([-0.1, 1.1, f64::NAN].into_iter().all(|p| normal_quantile(p).is_nan()));
    }

    proptest! {
        #[test]
        fn it_undoes_the_distribution_function(x in -30.0_f64..5.0) {
            let tolerance = if x <= 0.0 { 1e-13 * (1.0 + x.abs()) } else { 1e-15 / normal_pdf(x) + 1e-13 };
            prop_assert!((normal_quantile(normal_cdf(x)) - x).abs() <= tolerance);
        }

        #[test]
        fn it_is_odd_about_one_half(p in 0.001_f64..0.5) {
            prop_assert!((normal_quantile(p) + normal_quantile(1.0 - p)).abs() < 1e-12);
        }
    }
}
