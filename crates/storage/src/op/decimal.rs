//! Decimal numbers that stand in values as text.

use std::str::FromStr;

use bigdecimal::{BigDecimal, RoundingMode, Zero};

use crate::Error;

/// Digits behind the point that a sum keeps, as Redis does (`%.17Lf`).
const FRACTION_DIGITS: i64 = 17;

/// Longest text of a number that is read, in bytes. No number of 64-bit binary floating point takes more in decimals.
const MAX_INPUT_BYTES: usize = 1100;

/// Longest text of a sum, in bytes: 309 digits, the point, the fraction, and the sign.
pub(super) const MAX_TEXT_BYTES: usize = 309 + 1 + FRACTION_DIGITS as usize + 1;

/// Returns the sum of a number, 0 if there is none, and `by`, as text without zeros at its end.
///
/// # Errors
/// [`Error::NotADecimal`] if one of them is no number; [`Error::NotFinite`] if one of them, or the sum, is beyond what 64-bit
/// binary floating point can hold.
pub(super) fn sum(number: Option<&[u8]>, by: &[u8]) -> Result<String, Error> {
    let number = number.map_or_else(|| Ok(BigDecimal::zero()), parse)?;
    let sum = number + parse(by)?;
    let rounded = if sum.fractional_digit_count() > FRACTION_DIGITS {
        sum.with_scale_round(FRACTION_DIGITS, RoundingMode::HalfEven)
    } else {
        sum
    };
    let text = rounded.normalized().to_plain_string();
    if is_finite(&text) { Ok(text) } else { Err(Error::NotFinite) }
}

fn parse(text: &[u8]) -> Result<BigDecimal, Error> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.len() <= MAX_INPUT_BYTES);
    let text = text.ok_or(Error::NotADecimal)?;
    let approximate = f64::from_str(text).map_err(|_| Error::NotADecimal)?;
    if approximate.is_nan() {
        return Err(Error::NotADecimal);
    }
    if approximate.is_infinite() {
        return Err(Error::NotFinite);
    }
    let number = BigDecimal::from_str(text).map_err(|_| Error::NotADecimal)?;
    // An exponent far below what counts would have as many digits written out.
    let is_tiny = number.fractional_digit_count() > 2 * MAX_INPUT_BYTES as i64;
    Ok(if is_tiny || number.is_zero() { BigDecimal::zero() } else { number })
}

fn is_finite(text: &str) -> bool {
    f64::from_str(text).is_ok_and(f64::is_finite)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_decimal_arithmetic() {
        for (number, by, expected) in [
            (None, "1.5", "1.5"),
            (Some("10.5"), "0.1", "10.6"),
            (Some("0.1"), "0.2", "0.3"),
            (Some("5.0e3"), "200", "5200"),
            (Some("5200"), "-5.5e3", "-300"),
            (Some("1"), "-1.0", "0"),
            (Some("-0"), "0", "0"),
            (Some("3.0"), "1.000000000000000001", "4"),
            (Some("17179869184"), "1.5", "17179869185.5"),
            (Some("0.12345678901234567"), "0", "0.12345678901234567"),
            (Some("1"), "1e-999999999", "1"),
            (Some(".5"), "+.5", "1"),
        ] {
            let sum = sum(number.map(str::as_bytes), by.as_bytes()).map_err(|error| error.to_string());
            assert_eq!(sum, Ok(expected.to_owned()), "{number:?} {by}");
        }
    }

    #[test]
    fn the_longest_sum_fits() {
        let text = sum(Some(b"-1.7976931348623157e308"), b"-0.12345678901234567").unwrap();
        assert_eq!(text.len(), MAX_TEXT_BYTES);
    }

    #[test]
    fn what_is_no_number_or_beyond_all_of_them_is_refused() {
        let sum = |number: &str, by: &str| sum(Some(number.as_bytes()), by.as_bytes());
        for no_number in ["", " 1", "1 ", "x", "1,5", "nan", "0x10", "1e", "--1", &"1".repeat(5000)] {
            assert!(matches!(sum(no_number, "1"), Err(Error::NotADecimal)), "{no_number:?}");
            assert!(matches!(sum("1", no_number), Err(Error::NotADecimal)), "{no_number:?}");
        }
        for by in ["inf", "-inf", "+Infinity", "1e309", "1e999999999", "-1e99999999999999999999"] {
            assert!(matches!(sum("1", by), Err(Error::NotFinite)), "{by}");
        }
        assert!(matches!(sum("1.7e308", "1.7e308"), Err(Error::NotFinite)));
    }
}
