use std::borrow::Cow;

use bytes::{BufMut, BytesMut};

use super::encode::{put_bulk, put_error, put_header, put_null, put_status};

/// The version of RESP that a connection speaks: RESP2 at first, RESP3 after `HELLO 3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RespVersion {
    /// RESP2.
    #[default]
    V2,
    /// RESP3, which has a null, maps and verbatim strings of its own.
    V3,
}

/// Any answer in RESP, for those that are no response of the keyspace.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RespValue<'a> {
    /// A status such as `OK`.
    Status(&'static str),
    /// An error, its code first, for example `ERR syntax error`; line breaks are written as spaces.
    Error(Cow<'static, [u8]>),
    /// A number.
    Integer(i64),
    /// A byte string.
    Bulk(Cow<'a, [u8]>),
    /// Nothing there.
    Null,
    /// Values in order.
    Array(Vec<RespValue<'a>>),
    /// Names and values; in RESP2 an array in which they alternate.
    Map(Vec<(RespValue<'a>, RespValue<'a>)>),
}

/// Appends `value` as it stands on the wire.
pub fn encode_resp_value(value: &RespValue<'_>, version: RespVersion, out: &mut BytesMut) {
    match value {
        RespValue::Status(status) => put_status(status, out),
        RespValue::Error(error) => {
            out.put_u8(b'-');
            put_error(error, out);
        }
        RespValue::Integer(number) => put_header(b':', *number, out),
        RespValue::Bulk(bulk) => put_bulk(bulk, out),
        RespValue::Null => put_null(version, out),
        RespValue::Array(items) => {
            put_header(b'*', items.len(), out);
            items.iter().for_each(|item| encode_resp_value(item, version, out));
        }
        RespValue::Map(entries) => {
            match version {
                RespVersion::V2 => put_header(b'*', entries.len() * 2, out),
                RespVersion::V3 => put_header(b'%', entries.len(), out),
            }
            for (name, value) in entries {
                encode_resp_value(name, version, out);
                encode_resp_value(value, version, out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(value: &RespValue<'_>, version: RespVersion) -> String {
        let mut out = BytesMut::new();
        encode_resp_value(value, version, &mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn values_that_both_versions_write_alike() {
        let bulk = |text: &'static str| RespValue::Bulk(text.as_bytes().into());
        for version in [RespVersion::V2, RespVersion::V3] {
            assert_eq!(encoded(&RespValue::Status("OK"), version), "+OK\r\n");
            assert_eq!(encoded(&RespValue::Integer(-7), version), ":-7\r\n");
            assert_eq!(encoded(&bulk(""), version), "$0\r\n\r\n");
            assert_eq!(encoded(&RespValue::Error(b"ERR no".into()), version), "-ERR no\r\n");
            let array = RespValue::Array(vec![bulk("a\r\n"), RespValue::Array(vec![])]);
            assert_eq!(encoded(&array, version), "*2\r\n$3\r\na\r\n\r\n*0\r\n");
        }
    }

    #[test]
    fn null_and_map_are_written_as_the_version_has_them() {
        let map = RespValue::Map(vec![(RespValue::Integer(1), RespValue::Null)]);
        assert_eq!(encoded(&map, RespVersion::V2), "*2\r\n:1\r\n$-1\r\n");
        assert_eq!(encoded(&map, RespVersion::V3), "%1\r\n:1\r\n_\r\n");
    }

    #[test]
    fn an_error_stays_one_line() {
        let error = RespValue::Error(b"ERR a\r\n+OK\r\n\xc3\xa9".into());
        assert_eq!(encoded(&error, RespVersion::V2), "-ERR a  +OK  \u{e9}\r\n");
    }
}
