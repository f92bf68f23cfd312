//! Golden: special functions against values computed to 35 digits by another library (mpmath 1.4).
#![allow(clippy::excessive_precision, reason = "as the other library prints them")]

use smc_core::maths::{beta, binomial, normal, student};

const BETA: &[[f64; 4]] = &[
    [1.0, 1.0, 0.3, 0.3],
    [0.5, 0.5, 0.1, 0.20483276469913345],
    [2.0, 3.0, 0.4, 0.5248],
    [248.0, 3.0, 0.99, 0.5431689733157253],
    [246.0, 5.0, 0.99, 0.892187626903625],
    [0.25, 4.0, 1e-30, 4.8175323729127655e-08],
    [1000.0, 1000.0, 0.5, 0.5],
    [1000.0, 1000.0, 0.47, 0.0036225247314441247],
    [50000.0, 0.5, 0.9999, 0.0015650197621734948],
    [100000.0, 20.0, 0.9997, 0.02180783153056466],
    [30.5, 60.25, 0.05, 9.401376923405924e-18],
    [7.0, 2.0, 0.999999, 0.9999999999720001],
    [12.5, 0.5, 0.7, 0.0031034299247518107],
];
const NORMAL_QUANTILE: &[[f64; 2]] = &[
    [1e-300, -37.0470962993612],
    [1e-50, -14.933337534788489],
    [1e-12, -7.034483825301132],
    [1e-06, -4.753424308822899],
    [0.0001, -3.7190164854556804],
    [0.001, -3.0902323061678136],
    [0.01, -2.326347874040841],
    [0.025, -1.9599639845400543],
    [0.05, -1.6448536269514726],
    [0.0749, -1.4402382675279637],
    [0.0751, -1.43882539275254],
    [0.25, -0.6744897501960817],
    [0.4999, -0.00025066283008800747],
    [0.5, 0.0],
    [0.75, 0.6744897501960817],
    [0.99, 2.3263478740408408],
];
/// Degrees of freedom, probability, quantile, density there.
const STUDENT: &[[f64; 4]] = &[
    [1.0, 0.01, -31.820515953773956, 0.00031405592470329445],
    [2.0, 0.05, -2.9199855803537256, 0.02928096651410264],
    [4.0, 0.05, -2.1318467863266504, 0.05622509673300591],
    [6.0, 0.01, -3.1426684032909833, 0.012699782845366844],
    [5.0, 0.025, -2.5705818356363155, 0.030337787800705944],
    [2.5, 1e-06, -220.17342917823686, 1.1354229872931025e-08],
    [30.0, 0.001, -3.385184866829305, 0.0026272532106880924],
    [200.0, 0.49, -0.025100283615498636, 0.39831779409838647],
    [3.0, 0.4999, -0.00027206990911047337, 0.3675525788098678],
    [10000.0, 0.01, -2.3267208386694755, 0.02664066019231656],
    [0.7, 0.01, -135.57150574187781, 5.1632030699746696e-05],
    [3.0, 0.2, -0.9784723123633043, 0.21122257647375345],
    [3.0, 0.3, -0.5843897274398187, 0.29626211771585353],
    [10.0, 1e-12, -40.5320961786626, 2.4534966586874395e-13],
    [1000.0, 1e-08, -5.657912337679106, 5.64405728214814e-08],
];
/// Trials, hits, probability of a hit, probability of at most so many.
const BINOMIAL: &[(u64, u64, f64, f64)] = &[
    (250, 0, 0.01, 0.08105851616218146),
    (250, 4, 0.01, 0.8921876269036253),
    (250, 9, 0.01, 0.9997498099312595),
    (250, 20, 0.05, 0.9851434048791329),
    (1000, 3, 0.05, 1.3580623982157543e-18),
    (20000, 170, 0.01, 0.016218268188528236),
    (10, 9, 0.5, 0.9990234375),
    (5000, 0, 0.01, 1.4995915609980198e-22),
];

/// Relative, so that tails count as much as middles.
#[track_caller]
fn near(got: f64, expected: f64, relative: f64, what: &str) {
    let error = (got - expected).abs() / expected.abs();
    assert!(got == expected || error < relative, "{what}: {got:e} for {expected:e}, off by {error:e}");
}

#[test]
fn the_incomplete_beta_function_and_its_inverse() {
    for &[a, b, x, p] in BETA {
        let what = format!("I_{x}({a}, {b})");
        near(beta::beta_regularised(a, b, x), p, 1e-12, &what);
        // How far x moves when p moves by its own rounding.
        let slack = p / (beta::density(a, b, x, 1.0 - x) * x);
        let back = beta::beta_quantile(a, b, p);
        near(back, x, 1e-12 + 4e-16 * slack, &format!("inverse of {what}"));
    }
}

/// `I_x(a, b) + I_(1 - x)(b, a) = 1`, the quantile inverts, and nothing outside of the domain is a number.
#[test]
fn the_beta_function_is_its_own_mirror() {
    let mut random = 9u64;
    let mut next = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 11) as f64 / (1u64 << 53) as f64
    };
    for _ in 0..3_000 {
        let (a, b, p) = (libm::exp(14.0 * next() - 5.0), libm::exp(14.0 * next() - 5.0), next());
        let x = beta::beta_quantile(a, b, p);
        assert!((0.0..=1.0).contains(&x));
        let whole = beta::beta_regularised(a, b, x) + beta::regularised(b, a, 1.0 - x, x);
        assert!((whole - 1.0).abs() < 1e-13, "{a} {b} {x}: {whole}");
        // Where neighbouring doubles are far apart in probability the quantile lies between two of them.
        let grain = beta::density(a, b, x, 1.0 - x) * x * 4e-16;
        let back = beta::beta_regularised(a, b, x);
        let is_pinched = x < 1e-290 || 1.0 - x < 1e-13;
        assert!(is_pinched || (back - p).abs() < 2e-13 + grain, "{a} {b} {p}: {back}");
    }
    for (a, b, x) in [(0.0, 1.0, 0.5), (1.0, -1.0, 0.5), (1.0, f64::INFINITY, 0.5), (1.0, 1.0, 1.1)] {
        assert!(beta::beta_regularised(a, b, x).is_nan() && beta::beta_quantile(a, b, x).is_nan());
    }
    assert!(
        beta::beta_quantile(f64::NAN, 1.0, 0.5).is_nan() && beta::beta_quantile(1.0, 1.0, f64::NAN).is_nan()
    );
}

#[test]
fn the_normal_quantile() {
    for &[p, z] in NORMAL_QUANTILE {
        near(normal::quantile(p), z, 1e-14, &format!("z at {p}"));
        near(normal::cdf(z), p, 1e-12, &format!("p at {z}"));
    }
    for p in [0.0, 1.0, -0.5, 1.5, f64::NAN] {
        assert!(normal::quantile(p).is_nan());
    }
}

#[test]
fn students_quantile_and_density() {
    for &[nu, p, t, density] in STUDENT {
        near(student::quantile(nu, p), t, 1e-12, &format!("t at {p}, {nu}"));
        if p > 1e-3 {
            near(student::quantile(nu, 1.0 - p), -t, 1e-12, &format!("t at 1 - {p}, {nu}"));
        }
        near(student::pdf(nu, t), density, 1e-12, &format!("density at {t}, {nu}"));
        near(student::cdf(nu, t), p, 1e-12, &format!("p at {t}, {nu}"));
    }
    // With many degrees of freedom it is the normal one.
    for nu in [1e9, 1e12, 1e300] {
        near(student::quantile(nu, 0.01), normal::quantile(0.01), 2e-9, &format!("t at {nu}"));
    }
    assert!(student::quantile(0.0, 0.1).is_nan() && student::quantile(3.0, 0.0).is_nan());
}

#[test]
fn binomial_tails() {
    for &(n, hits, p, expected) in BINOMIAL {
        near(binomial::cdf(n, hits, p), expected, 1e-12, &format!("at most {hits} of {n}"));
    }
    assert_eq!(
        (binomial::cdf(5, 5, 0.3), binomial::cdf(5, 2, 0.0), binomial::cdf(5, 2, 1.0)),
        (1.0, 1.0, 0.0)
    );
}
