//! Names of Redis's commands that are not served yet, so that whoever tries one learns why.

const EXPIRY: &str = "it is not served yet: there is no expiry, so no key ever goes by itself";
const DATA_TYPE: &str = "it is not served yet: values are byte strings, there are no other data types";
const PUB_SUB: &str = "it is not served yet: there are no channels";
const SCRIPT: &str = "it is not served: there are no scripts";
const REPLICATION: &str = "it is not served yet: there are no replicas, and no cluster";
const SAVE: &str =
    "it is not served: each write is in the log before it is answered; BGREWRITEAOF compacts the log";
const SHUTDOWN: &str = "it is not served: stop the server by SIGTERM or its service manager";

/// Reasons, each with the names that it holds for.
const REASONS: [(&str, &str); 7] = [
    (EXPIRY, "EXPIRE EXPIREAT EXPIRETIME GETEX PERSIST PEXPIRE PEXPIREAT PEXPIRETIME PSETEX PTTL SETEX TTL"),
    (
        DATA_TYPE,
        "BITCOUNT BITFIELD BITOP BITPOS GEOADD GETBIT HDEL HEXISTS HGET HGETALL HINCRBY HKEYS HLEN HMGET \
        HMSET HSCAN HSET HSETNX HVALS LINDEX LINSERT LLEN LPOP LPUSH LRANGE LREM LSET LTRIM PFADD \
        PFCOUNT RPOP RPUSH SADD SCARD SETBIT SISMEMBER SMEMBERS SORT SPOP SREM SSCAN XADD XLEN XRANGE \
        XREAD ZADD ZCARD ZRANGE ZRANK ZREM ZSCAN ZSCORE",
    ),
    (PUB_SUB, "PSUBSCRIBE PUBLISH PUBSUB SUBSCRIBE UNSUBSCRIBE"),
    (SCRIPT, "EVAL EVALSHA FCALL FUNCTION SCRIPT"),
    (REPLICATION, "CLUSTER FAILOVER PSYNC REPLCONF REPLICAOF ROLE SLAVEOF SYNC WAIT WAITAOF"),
    (SAVE, "BGSAVE LASTSAVE SAVE"),
    (SHUTDOWN, "SHUTDOWN"),
];

/// Returns why a command that Redis has is not served, if this is the name of one that people miss.
pub(crate) fn why_not_served(name: &[u8]) -> Option<&'static str> {
    let matches = |known: &str| known.as_bytes().eq_ignore_ascii_case(name);
    REASONS.iter().find(|(_, names)| names.split(' ').any(matches)).map(|(reason, _)| *reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Command, Protocol};

    #[test]
    fn what_is_served_has_no_reason_not_to_be() {
        for protocol in [Protocol::Text, Protocol::Resp2] {
            for name in REASONS.iter().flat_map(|(_, names)| names.split(' ')) {
                assert_eq!(Command::find(name.as_bytes(), protocol), None, "{name}");
            }
        }
        assert_eq!(why_not_served(b"expire"), Some(EXPIRY));
        assert_eq!(why_not_served(b"bgsave"), Some(SAVE));
        assert_eq!(why_not_served(b"Shutdown"), Some(SHUTDOWN));
        assert_eq!(why_not_served(b"ROLE"), Some(REPLICATION));
        assert_eq!(why_not_served(b"GET"), None);
        assert_eq!(why_not_served(b"NONSENSE"), None);
    }
}
