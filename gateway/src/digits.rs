//! Numbers as venues read them, written into requests without formatting or allocation.

use smc_core::words::SCALE;

/// Fills `place` with exactly as many digits as it has; none when `value` has more or fewer.
pub(crate) fn fill_digits(place: Option<&mut [u8]>, mut value: u64) -> Option<()> {
    for digit in place?.iter_mut().rev() {
        if value == 0 {
            return None;
        }
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
    (value == 0).then_some(())
}

/// Appends `value` with at least `width` digits.
pub(crate) fn push_digits(to: &mut Vec<u8>, mut value: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        if value == 0 && used >= width {
            break;
        }
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
        used += 1;
    }
    to.extend_from_slice(digits.get(digits.len() - used..).unwrap_or_default());
}

/// Appends a positive decimal (in 1e-8) with exactly `decimals` decimals; nothing and none when it does not fit them or is
/// not positive.
pub(crate) fn push_decimal(to: &mut Vec<u8>, value: i64, decimals: u32) -> Option<()> {
    let unit = 10i64.checked_pow(8u32.checked_sub(decimals)?)?;
    if value <= 0 || value % unit != 0 {
        return None;
    }
    push_digits(to, (value / SCALE).unsigned_abs(), 1);
    if decimals > 0 {
        to.push(b'.');
        push_digits(to, (value % SCALE / unit).unsigned_abs(), decimals as usize);
    }
    Some(())
}

/// Decimals that every multiple of `step` (1e-8 units) can be written with.
pub(crate) fn decimals(mut step: i64) -> u32 {
    let mut decimals = 8;
    while decimals > 0 && step % 10 == 0 {
        step /= 10;
        decimals -= 1;
    }
    decimals
}
