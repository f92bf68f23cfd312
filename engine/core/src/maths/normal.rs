//! The normal distribution.

use libm::{erfc, exp, log, sqrt};

/// `1 / sqrt(2 pi)`.
const DENSITY_AT_ZERO: f64 = 0.398_942_280_401_432_7;

/// Density at `z`.
pub fn pdf(z: f64) -> f64 {
    DENSITY_AT_ZERO * exp(-0.5 * z * z)
}

/// Probability of a value of at most `z`, with its relative precision kept in the lower tail.
pub fn cdf(z: f64) -> f64 {
    0.5 * erfc(-z * core::f64::consts::FRAC_1_SQRT_2)
}

/// The value that is not exceeded with probability `p`; NaN unless `0 < p < 1`.
///
/// M. Wichura's AS 241 (PPND16, 1988): three rational approximations, some 1e-16 of the value.
pub fn quantile(p: f64) -> f64 {
    if !(p > 0.0 && p < 1.0) {
        return f64::NAN;
    }
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * ratio(&MIDDLE, r);
    }
    let r = sqrt(-log(if q < 0.0 { p } else { 1.0 - p }));
    let size = if r <= 5.0 { ratio(&TAIL, r - 1.6) } else { ratio(&FAR_TAIL, r - 5.0) };
    if q < 0.0 { -size } else { size }
}

/// Numerator and denominator, highest power first.
type Rational = [[f64; 8]; 2];

fn ratio(of: &Rational, x: f64) -> f64 {
    let [above, below] = of.map(|terms| terms.iter().fold(0.0, |sum, term| sum * x + term));
    above / below
}

#[rustfmt::skip]
const MIDDLE: Rational = [
    [2_509.080_928_730_122_7, 33_430.575_583_588_13, 67_265.770_927_008_7, 45_921.953_931_549_87,
     13_731.693_765_509_46, 1_971.590_950_306_551_3, 133.141_667_891_784_38, 3.387_132_872_796_366_5],
    [5_226.495_278_852_545, 28_729.085_735_721_943, 39_307.895_800_092_71, 21_213.794_301_586_597,
     5_394.196_021_424_751, 687.187_007_492_057_9, 42.313_330_701_600_91, 1.0],
];
#[rustfmt::skip]
const TAIL: Rational = [
    [7.745_450_142_783_414e-4, 0.022_723_844_989_269_184, 0.241_780_725_177_450_6, 1.270_458_252_452_368_4,
     3.647_848_324_763_204_5, 5.769_497_221_460_691, 4.630_337_846_156_546, 1.423_437_110_749_683_5],
    [1.050_750_071_644_416_9e-9, 5.475_938_084_995_345e-4, 0.015_198_666_563_616_457, 0.148_103_976_427_480_08,
     0.689_767_334_985_1, 1.676_384_830_183_803_8, 2.053_191_626_637_759, 1.0],
];
#[rustfmt::skip]
const FAR_TAIL: Rational = [
    [2.010_334_399_292_288_1e-7, 2.711_555_568_743_487_6e-5, 0.001_242_660_947_388_078_4, 0.026_532_189_526_576_124,
     0.296_560_571_828_504_87, 1.784_826_539_917_291_3, 5.463_784_911_164_114, 6.657_904_643_501_103],
    [2.044_263_103_389_939_8e-15, 1.421_511_758_316_446e-7, 1.846_318_317_510_054_8e-5, 7.868_691_311_456_133e-4,
     0.014_875_361_290_850_615, 0.136_929_880_922_735_8, 0.599_832_206_555_887_9, 1.0],
];
