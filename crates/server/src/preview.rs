//! Beginnings of what clients send, as errors and messages show them.

/// Most bytes that are shown of a key or a name.
const MAX_SHOWN_BYTES: usize = 64;

/// Returns the beginning of what a client sent, escaped.
pub(crate) fn preview(bytes: &[u8]) -> String {
    let rest = if bytes.len() > MAX_SHOWN_BYTES { "…" } else { "" };
    format!("{}{rest}", bytes.get(..MAX_SHOWN_BYTES).unwrap_or(bytes).escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_sent_is_shown_escaped_and_cut() {
        assert_eq!(preview(b"a\r\n\xff'"), r"a\r\n\xff\'");
        assert_eq!(preview(&[b'x'; 64]), "x".repeat(64));
        assert_eq!(preview(&[b'x'; 65]), format!("{}…", "x".repeat(64)));
    }
}
