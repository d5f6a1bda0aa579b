//! Numbers, as strictly as Redis takes them.

/// The number that `text` is: decimal, no `+`, no leading zeros.
pub(super) fn integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [] => return None,
        [b'0', ..] => return (digits.len() == 1 && !negative).then_some(0),
        _ => {}
    }
    // Summed up below zero, where there is room for the lowest number.
    let sum = digits
        .iter()
        .try_fold(0_i64, |sum, digit| sum.checked_mul(10)?.checked_sub(decimal_digit(*digit)?.into()))?;
    if negative { Some(sum) } else { sum.checked_neg() }
}

/// The cursor that `text` is. Redis reads it with `strtoul`, which takes `+`, `-`, leading zeros and nothing at all.
pub(super) fn cursor(text: &[u8]) -> Option<u64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() && !text.is_empty() {
        return None;
    }
    let number = digits
        .iter()
        .try_fold(0_u64, |sum, digit| sum.checked_mul(10)?.checked_add(decimal_digit(*digit)?.into()))?;
    Some(if negative { number.wrapping_neg() } else { number })
}

fn decimal_digit(byte: u8) -> Option<u8> {
    byte.is_ascii_digit().then(|| byte - b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_have_one_form() {
        for number in [0, 1, -1, 10, 64, i64::MAX, i64::MIN] {
            assert_eq!(integer(number.to_string().as_bytes()), Some(number));
        }
        for bad in
            ["", "-", "+1", "01", "-0", "00", " 1", "1 ", "1a", "9223372036854775808", "-9223372036854775809"]
        {
            assert_eq!(integer(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn cursors_are_taken_as_strtoul_does() {
        for (text, expected) in
            [("0", 0), ("", 0), ("+1", 1), ("007", 7), ("-1", u64::MAX), ("18446744073709551615", u64::MAX)]
        {
            assert_eq!(cursor(text.as_bytes()), Some(expected), "{text:?}");
        }
        for bad in [" 1", "1 ", "x", "+", "-", "--1", "18446744073709551616"] {
            assert_eq!(cursor(bad.as_bytes()), None, "{bad:?}");
        }
    }
}
