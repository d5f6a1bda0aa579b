//! The arguments of `SCAN`.

use rustvault_protocol::limits::DEFAULT_SCAN_LIMIT;

/// Hands the arguments of a `SCAN` to `take`; what is as usual is left out.
pub(crate) fn with_scan_arguments<T>(
    cursor: u64,
    prefix: &[u8],
    limit: u32,
    take: impl FnOnce(&[&[u8]]) -> T,
) -> T {
    let (mut cursor_digits, mut limit_digits) = (itoa::Buffer::new(), itoa::Buffer::new());
    let cursor = cursor_digits.format(cursor).as_bytes();
    let given_limit = limit_digits.format(limit).as_bytes();
    match (prefix, limit) {
        ([], DEFAULT_SCAN_LIMIT) => take(&[cursor]),
        ([], _) => take(&[cursor, b"LIMIT", given_limit]),
        (_, DEFAULT_SCAN_LIMIT) => take(&[cursor, b"PREFIX", prefix]),
        _ => take(&[cursor, b"PREFIX", prefix, b"LIMIT", given_limit]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_names_only_what_is_not_as_usual() {
        let scan = |cursor, prefix: &str, limit| {
            with_scan_arguments(cursor, prefix.as_bytes(), limit, |arguments| {
                String::from_utf8(arguments.join(&b'|')).unwrap()
            })
        };
        assert_eq!(scan(0, "", DEFAULT_SCAN_LIMIT), "0");
        assert_eq!(scan(u64::MAX, "", 7), "18446744073709551615|LIMIT|7");
        assert_eq!(scan(1, "a b", DEFAULT_SCAN_LIMIT), "1|PREFIX|a b");
        assert_eq!(scan(1, "a b", 7), "1|PREFIX|a b|LIMIT|7");
    }
}
