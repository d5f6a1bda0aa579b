//! The table of commands.

use super::row::{
    ALL_READ, ALL_REMOVED, CLEAR, COPIED, ENLARGE, ENLARGE_FAST, MOVED, MOVED_IF_NEW, NO_AUTH, ONE_AMENDED,
    ONE_CHANGED, ONE_READ, ONE_REMOVED, ONE_SET, OPERATION, PAIRS_SET, READ, USUAL, commands, is_subcommand,
};
use super::spec::{Arity, Category, CommandSpec, Flags, Group, Protocols, SecretArguments};

commands! {
    Get "GET" String Read {
        arity: Arity::exactly(1), syntax: "key", flags: READ, keys: ONE_READ,
        summary: "Returns the value of a key.",
    }
    Set "SET" String Write {
        arity: Arity::at_least(2), syntax: "key value [NX | XX] [GET]", flags: ENLARGE, keys: ONE_SET, rest: Some(1),
        summary: "Stores a value under a key; with NX only if the key is missing, with XX only if it is there. GET returns the old value.",
    }
    MGet "MGET" String Read {
        arity: Arity::at_least(1), syntax: "key [key ...]", flags: READ, keys: ALL_READ, complexity: "O(keys)",
        summary: "Returns the values of several keys; those of up to 10,000 as they were at one moment.",
    }
    MSet "MSET" String Write {
        arity: Arity::pairs(), syntax: "key value [key value ...]", flags: ENLARGE, keys: PAIRS_SET, complexity: "O(keys)",
        summary: "Stores several values, all or none.",
    }
    MSetNx "MSETNX" String Write {
        arity: Arity::pairs(), syntax: "key value [key value ...]", flags: ENLARGE, keys: PAIRS_SET, complexity: "O(keys)",
        summary: "Stores several values if none of the keys is there, all or none.",
    }
    SetNx "SETNX" String Write {
        arity: Arity::exactly(2), syntax: "key value", flags: ENLARGE_FAST, keys: ONE_SET, rest: Some(1),
        summary: "Stores a value if the key is not there, and tells whether it did.",
    }
    GetSet "GETSET" String Write {
        arity: Arity::exactly(2), syntax: "key value", flags: ENLARGE_FAST, keys: ONE_CHANGED, rest: Some(1),
        summary: "Stores a value and returns what was there before.",
    }
    GetDel "GETDEL" String Write {
        arity: Arity::exactly(1), syntax: "key", flags: Flags::WRITE.union(Flags::FAST), keys: ONE_CHANGED,
        summary: "Removes a key and returns what it had.",
    }
    Incr "INCR" String Write {
        arity: Arity::exactly(1), syntax: "key", flags: ENLARGE_FAST, keys: ONE_CHANGED,
        summary: "Adds 1 to the number in a key; a missing key counts as 0.",
    }
    Decr "DECR" String Write {
        arity: Arity::exactly(1), syntax: "key", flags: ENLARGE_FAST, keys: ONE_CHANGED,
        summary: "Subtracts 1 from the number in a key; a missing key counts as 0.",
    }
    IncrBy "INCRBY" String Write {
        arity: Arity::exactly(2), syntax: "key increment", flags: ENLARGE_FAST, keys: ONE_CHANGED,
        summary: "Adds to the number in a key; a missing key counts as 0.",
    }
    DecrBy "DECRBY" String Write {
        arity: Arity::exactly(2), syntax: "key decrement", flags: ENLARGE_FAST, keys: ONE_CHANGED,
        summary: "Subtracts from the number in a key; a missing key counts as 0.",
    }
    IncrByFloat "INCRBYFLOAT" String Write {
        arity: Arity::exactly(2), syntax: "key increment", flags: ENLARGE_FAST, keys: ONE_CHANGED,
        summary: "Adds to the decimal number in a key, to 17 decimal places; a missing key counts as 0.",
    }
    Append "APPEND" String Write {
        arity: Arity::exactly(2), syntax: "key value", flags: ENLARGE_FAST, keys: ONE_AMENDED, rest: Some(1), complexity: "O(bytes)",
        summary: "Adds bytes to the end of a value and returns its length then; the whole value goes to the log.",
    }
    SetRange "SETRANGE" String Write {
        arity: Arity::exactly(3), syntax: "key offset value", flags: ENLARGE, keys: ONE_AMENDED, rest: Some(2), complexity: "O(bytes)",
        summary: "Overwrites a part of a value and returns its length then; the whole value goes to the log.",
    }
    StrLen "STRLEN" String Read {
        arity: Arity::exactly(1), syntax: "key", flags: READ, keys: ONE_READ,
        summary: "Returns the length of a value in bytes; 0 if there is no such key.",
    }
    GetRange "GETRANGE" String Read {
        arity: Arity::exactly(3), syntax: "key start end", flags: Flags::READ, keys: ONE_READ, complexity: "O(bytes returned)",
        summary: "Returns a part of a value, both ends included; a negative position counts from the end, which is -1.",
    }
    SubStr "SUBSTR" String Read {
        arity: Arity::exactly(3), syntax: "key start end", flags: Flags::READ, keys: ONE_READ, complexity: "O(bytes returned)",
        summary: "Returns a part of a value: an old name of GETRANGE.",
    }
    Delete "DELETE" Generic Write {
        arity: Arity::exactly(1), syntax: "key", flags: Flags::WRITE, keys: ONE_REMOVED,
        summary: "Removes a key, and tells whether it was there.",
    }
    Del "DEL" Generic Write {
        arity: Arity::at_least(1), syntax: "key [key ...]", flags: Flags::WRITE, keys: ALL_REMOVED, complexity: "O(keys)",
        summary: "Removes keys, up to 10,000 in one step, and returns how many were there.",
    }
    Unlink "UNLINK" Generic Write {
        arity: Arity::at_least(1), syntax: "key [key ...]", flags: Flags::WRITE.union(Flags::FAST), keys: ALL_REMOVED, complexity: "O(keys)",
        summary: "Removes keys as DEL does; both free memory in the background.",
    }
    Touch "TOUCH" Generic Read {
        arity: Arity::at_least(1), syntax: "key [key ...]", flags: READ, keys: ALL_READ, complexity: "O(keys)",
        summary: "Returns how many of the keys are there; nothing is evicted here, so it only counts.",
    }
    TextExists "EXISTS" Generic Read {
        arity: Arity::exactly(1), syntax: "key", flags: READ, keys: ONE_READ, protocols: Protocols::TEXT,
        summary: "Tells whether a key is there.",
    }
    Exists "EXISTS" Generic Read {
        arity: Arity::at_least(1), syntax: "key [key ...]", flags: READ, keys: ALL_READ, complexity: "O(keys)",
        protocols: Protocols::RESP,
        summary: "Returns how many of the keys are there, up to 10,000 looked up in one step; one that is named twice counts twice.",
    }
    Rename "RENAME" Generic Write {
        arity: Arity::exactly(2), syntax: "key newkey", flags: Flags::WRITE, keys: MOVED, complexity: "O(bytes)",
        summary: "Renames a key; newkey is replaced if it is there.",
    }
    RenameNx "RENAMENX" Generic Write {
        arity: Arity::exactly(2), syntax: "key newkey", flags: Flags::WRITE.union(Flags::FAST), keys: MOVED_IF_NEW, complexity: "O(bytes)",
        summary: "Renames a key if newkey is missing, and tells whether it did.",
    }
    Copy "COPY" Generic Write {
        arity: Arity::at_least(2), syntax: "source destination [DB destination-db] [REPLACE]", flags: ENLARGE,
        keys: COPIED, complexity: "O(bytes)",
        summary: "Stores a value under another key as well, if that is not there or is to be replaced, and tells whether it did.",
    }
    Type "TYPE" Generic Read {
        arity: Arity::exactly(1), syntax: "key", flags: READ, keys: ONE_READ,
        summary: "Returns what kind of value a key has: string, or none.",
    }
    Object "OBJECT" Generic Connection {
        arity: Arity::at_least(1), syntax: "subcommand [arg [arg ...]]", is_container: true,
        summary: "Groups the commands on how values are kept.",
    }
    ObjectEncoding "OBJECT|ENCODING" Generic Read {
        arity: Arity::exactly(1), syntax: "key", flags: READ, keys: ONE_READ,
        summary: "Returns how Redis would keep a value: int, embstr or raw. Here all are kept alike.",
    }
    RandomKey "RANDOMKEY" Generic Read {
        flags: Flags::READ,
        summary: "Returns some key, or null if there is none.",
    }
    TextScan "SCAN" Generic Read {
        arity: Arity::between(1, 5), syntax: "cursor [PREFIX prefix] [LIMIT limit]", flags: Flags::READ,
        complexity: "O(keys of the page)", protocols: Protocols::TEXT,
        summary: "Returns the cursor of the next page, 0 after the last, and the keys of a page; begin with cursor 0.",
    }
    Scan "SCAN" Generic Read {
        arity: Arity::at_least(1), syntax: "cursor [MATCH pattern] [COUNT count] [TYPE type]", flags: Flags::READ,
        complexity: "O(keys of the page)", protocols: Protocols::RESP,
        summary: "Returns the cursor of the next page, 0 after the last, and the keys of a page; begin with cursor 0.",
    }
    Keys "KEYS" Generic Read {
        arity: Arity::exactly(1), syntax: "pattern", flags: Flags::READ.union(Flags::DANGEROUS), complexity: "O(all keys)",
        summary: "Returns all keys that match a pattern, a million at most.",
    }
    Ping "PING" Connection Connection {
        arity: Arity::between(0, 1), syntax: "[message]", flags: Flags::FAST, rest: Some(0),
        summary: "Answers PONG, or the message.",
    }
    Echo "ECHO" Connection Connection {
        arity: Arity::exactly(1), syntax: "message", flags: Flags::FAST, rest: Some(0),
        summary: "Returns the message.",
    }
    Hello "HELLO" Connection Connection {
        arity: Arity::at_least(0), syntax: "[protover [AUTH username password] [SETNAME clientname]]", flags: NO_AUTH, secrets: SecretArguments::All,
        protocols: Protocols::RESP,
        summary: "Chooses the version of RESP, 2 or 3, and returns the properties of the server.",
    }
    Auth "AUTH" Connection Connection {
        arity: Arity::at_least(1), syntax: "[username] password", flags: NO_AUTH, secrets: SecretArguments::All,
        summary: "Logs in as a user, default if none is named, with a password or a token of the user.",
    }
    Select "SELECT" Connection Connection {
        arity: Arity::exactly(1), syntax: "index", flags: Flags::FAST, protocols: Protocols::RESP,
        summary: "Chooses the database; there is one, 0.",
    }
    Client "CLIENT" Connection Connection {
        arity: Arity::at_least(1), syntax: "subcommand [arg [arg ...]]", is_container: true,
        summary: "Groups the commands on connections.",
    }
    ClientGetName "CLIENT|GETNAME" Connection Connection {
        summary: "Returns the name of the connection.",
    }
    ClientId "CLIENT|ID" Connection Connection {
        summary: "Returns the number of the connection.",
    }
    ClientInfo "CLIENT|INFO" Connection Connection {
        summary: "Returns the line of CLIENT LIST on the connection.",
    }
    ClientKill "CLIENT|KILL" Connection Admin {
        arity: Arity::at_least(1), flags: OPERATION, complexity: "O(connections)",
        syntax: "<ip:port | ID client-id | TYPE <NORMAL | MASTER | REPLICA | PUBSUB> | USER username | ADDR ip:port | \
            LADDR ip:port | SKIPME <YES | NO> | MAXAGE maxage>",
        summary: "Disconnects the client of an address, or all that the filters, of which several may follow each other, take.",
    }
    ClientList "CLIENT|LIST" Connection Admin {
        arity: Arity::at_least(0), syntax: "[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]]",
        flags: OPERATION, complexity: "O(connections)",
        summary: "Returns a line on each client that is connected.",
    }
    ClientNoEvict "CLIENT|NO-EVICT" Connection Connection {
        arity: Arity::exactly(1), syntax: "<ON | OFF>", flags: OPERATION,
        summary: "Does nothing: no client is disconnected to make room.",
    }
    ClientReply "CLIENT|REPLY" Connection Connection {
        arity: Arity::exactly(1), syntax: "<ON | OFF | SKIP>", protocols: Protocols::RESP,
        summary: "Switches answers off and on, or leaves out the next one.",
    }
    ClientSetInfo "CLIENT|SETINFO" Connection Connection {
        arity: Arity::exactly(2), syntax: "<LIB-NAME libname | LIB-VER libver>",
        summary: "Tells the name or the version of the client's library, for CLIENT LIST.",
    }
    ClientSetName "CLIENT|SETNAME" Connection Connection {
        arity: Arity::exactly(1), syntax: "connection-name",
        summary: "Names the connection; an empty name takes the name away.",
    }
    Quit "QUIT" Connection Connection {
        arity: Arity::at_least(0), flags: NO_AUTH,
        summary: "Answers what came before, then closes the connection.",
    }
    Reset "RESET" Connection Connection {
        flags: NO_AUTH, protocols: Protocols::RESP,
        summary: "Forgets the login, the name and the protocol version of the connection, and a transaction that was refused.",
    }
    Help "HELP" Server Connection {
        arity: Arity::between(0, 2), syntax: "[command [subcommand]]", flags: NO_AUTH, protocols: Protocols::TEXT,
        complexity: "O(commands)",
        summary: "Lists the commands, or tells about one.",
    }
    Command "COMMAND" Server Connection {
        arity: Arity::at_least(0), is_container: true, complexity: "O(commands)", protocols: Protocols::RESP,
        summary: "Returns arity, flags and keys of all commands, and groups the commands on them.",
    }
    CommandCount "COMMAND|COUNT" Server Connection {
        protocols: Protocols::RESP,
        summary: "Returns the number of commands.",
    }
    CommandDocs "COMMAND|DOCS" Server Connection {
        arity: Arity::at_least(0), syntax: "[command-name [command-name ...]]", complexity: "O(commands)",
        protocols: Protocols::RESP,
        summary: "Returns the documentation of commands.",
    }
    CommandGetKeys "COMMAND|GETKEYS" Server Connection {
        arity: Arity::at_least(2), syntax: "command arg [arg ...]", complexity: "O(arguments)",
        protocols: Protocols::RESP, secrets: SecretArguments::From(1),
        summary: "Returns the keys in a whole command.",
    }
    CommandInfo "COMMAND|INFO" Server Connection {
        arity: Arity::at_least(0), syntax: "[command-name [command-name ...]]", complexity: "O(commands)",
        protocols: Protocols::RESP,
        summary: "Returns arity, flags and keys of commands; null for one that is not there.",
    }
    CommandList "COMMAND|LIST" Server Connection {
        complexity: "O(commands)", protocols: Protocols::RESP,
        arity: Arity::between(0, 3), syntax: "[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]",
        summary: "Returns the names of commands.",
    }
    Acl "ACL" Server Connection {
        arity: Arity::at_least(1), syntax: "subcommand [arg [arg ...]]", is_container: true,
        summary: "Groups the commands on users and their rights.",
    }
    AclCat "ACL|CAT" Server Connection {
        arity: Arity::between(0, 1), syntax: "[category]", complexity: "O(commands)",
        summary: "Returns the categories of commands, or the commands of one.",
    }
    AclDelUser "ACL|DELUSER" Server Admin {
        arity: Arity::at_least(1), syntax: "username [username ...]", flags: OPERATION,
        summary: "Is refused: users are removed in the file of users.",
    }
    AclDryRun "ACL|DRYRUN" Server Admin {
        arity: Arity::at_least(2), syntax: "username command [arg [arg ...]]", flags: OPERATION, secrets: SecretArguments::From(2),
        summary: "Tells whether a user may carry out a command, and carries out nothing.",
    }
    AclGenPass "ACL|GENPASS" Server Connection {
        arity: Arity::between(0, 1), syntax: "[bits]",
        summary: "Returns so many random bits, 256 if it is not told, as hexadecimal digits.",
    }
    AclGetUser "ACL|GETUSER" Server Admin {
        arity: Arity::exactly(1), syntax: "username", flags: OPERATION, complexity: "O(rights)",
        summary: "Returns the rights of a user and the labels of its credentials, or null if there is no such user.",
    }
    AclHelp "ACL|HELP" Server Connection {
        complexity: "O(subcommands)",
        summary: "Lists the subcommands.",
    }
    AclList "ACL|LIST" Server Admin {
        flags: OPERATION, complexity: "O(users)",
        summary: "Returns a line with the rights of each user.",
    }
    AclLoad "ACL|LOAD" Server Admin {
        flags: OPERATION,
        summary: "Is refused: the file of users is read anew with the rest of the configuration.",
    }
    AclLog "ACL|LOG" Server Admin {
        arity: Arity::between(0, 1), syntax: "[count]", flags: OPERATION,
        summary: "Is refused: messages tell of what was denied.",
    }
    AclSave "ACL|SAVE" Server Admin {
        flags: OPERATION,
        summary: "Is refused: the server never writes the file of users.",
    }
    AclSetUser "ACL|SETUSER" Server Admin {
        arity: Arity::at_least(1), syntax: "username [rule [rule ...]]", flags: OPERATION, secrets: SecretArguments::All,
        summary: "Is refused: users are changed in the file of users.",
    }
    AclUsers "ACL|USERS" Server Admin {
        flags: OPERATION, complexity: "O(users)",
        summary: "Returns the names of the users.",
    }
    AclWhoAmI "ACL|WHOAMI" Server Connection {
        summary: "Returns the name of the user that the connection acts as.",
    }
    Config "CONFIG" Server Admin {
        arity: Arity::at_least(1), syntax: "subcommand [arg [arg ...]]", is_container: true, flags: OPERATION,
        summary: "Groups the commands on the server's settings.",
    }
    ConfigGet "CONFIG|GET" Server Admin {
        arity: Arity::at_least(1), syntax: "parameter [parameter ...]", flags: OPERATION, complexity: "O(settings)",
        summary: "Returns the settings whose names match the patterns.",
    }
    ConfigSet "CONFIG|SET" Server Admin {
        arity: Arity::at_least(2), syntax: "parameter value [parameter value ...]", flags: OPERATION, secrets: SecretArguments::SettingValues, complexity: "O(settings)",
        summary: "Changes settings of the running server, all or none, until the next reload or restart; no file is written.",
    }
    ConfigReload "CONFIG|RELOAD" Server Admin {
        flags: OPERATION, complexity: "O(settings)",
        summary: "Loads the configuration again with the files that it names, takes over all or nothing, and tells of each setting \
            whether its change is applied or needs a restart.",
    }
    ConfigRewrite "CONFIG|REWRITE" Server Admin {
        flags: OPERATION,
        summary: "Is refused: the server never writes the files of its user.",
    }
    ConfigResetStat "CONFIG|RESETSTAT" Server Admin {
        flags: OPERATION, complexity: "O(counters)",
        summary: "Sets the counters of connections, commands and errors in INFO to 0.",
    }
    Latency "LATENCY" Server Connection {
        arity: Arity::at_least(1), syntax: "subcommand [arg [arg ...]]", is_container: true,
        summary: "Groups the commands on what took long.",
    }
    LatencyDoctor "LATENCY|DOCTOR" Server Metrics {
        flags: OPERATION,
        summary: "Returns a report for people on slow commands and slow syncs of the log.",
    }
    LatencyHistogram "LATENCY|HISTOGRAM" Server Metrics {
        arity: Arity::at_least(0), syntax: "[command [command ...]]", flags: OPERATION, protocols: Protocols::RESP, complexity: "O(commands)",
        summary: "Returns how the durations of commands are distributed: how many calls took so many microseconds or less.",
    }
    LatencyHistory "LATENCY|HISTORY" Server Metrics {
        arity: Arity::exactly(1), syntax: "event", flags: OPERATION, protocols: Protocols::RESP,
        summary: "Returns the seconds in which an event took long, each with its longest duration in milliseconds.",
    }
    LatencyLatest "LATENCY|LATEST" Server Metrics {
        flags: OPERATION, protocols: Protocols::RESP,
        summary: "Returns of each event the last second in which it took long, its longest duration in that second, and that of all, in \
            milliseconds.",
    }
    LatencyReset "LATENCY|RESET" Server Admin {
        arity: Arity::at_least(0), syntax: "[event [event ...]]", flags: OPERATION,
        summary: "Forgets all events, or those that are named, and returns how many had happened.",
    }
    SlowLog "SLOWLOG" Server Connection {
        arity: Arity::at_least(1), syntax: "subcommand [arg [arg ...]]", is_container: true,
        summary: "Groups the commands on the slow log.",
    }
    SlowLogGet "SLOWLOG|GET" Server Admin {
        arity: Arity::between(0, 1), syntax: "[count]", flags: OPERATION, protocols: Protocols::RESP, complexity: "O(commands returned)",
        summary: "Returns the newest commands that were slow, 10 if it is not told how many, with -1 all that are remembered: of each \
            its id, when it was answered in seconds since 1970, its duration in microseconds, itself, the address and the name \
            of its client.",
    }
    SlowLogLen "SLOWLOG|LEN" Server Metrics {
        flags: OPERATION,
        summary: "Returns the number of slow commands that are remembered.",
    }
    SlowLogReset "SLOWLOG|RESET" Server Admin {
        flags: OPERATION, complexity: "O(slow commands)",
        summary: "Forgets the slow commands.",
    }
    Memory "MEMORY" Server Connection {
        arity: Arity::at_least(1), syntax: "subcommand [arg [arg ...]]", is_container: true,
        summary: "Groups the commands on memory.",
    }
    MemoryDoctor "MEMORY|DOCTOR" Server Metrics {
        summary: "Returns what is wrong with the memory of the server, and what to do.",
    }
    MemoryMallocStats "MEMORY|MALLOC-STATS" Server Metrics {
        summary: "Returns that the allocator has no statistics.",
    }
    MemoryPurge "MEMORY|PURGE" Server Admin {
        flags: OPERATION,
        summary: "Does nothing: the allocator gives memory back to the system by itself.",
    }
    MemoryStats "MEMORY|STATS" Server Metrics {
        summary: "Returns figures of the server's memory, a name and a value each.",
    }
    MemoryUsage "MEMORY|USAGE" Server Read {
        arity: Arity::at_least(1), syntax: "key [SAMPLES count]", flags: Flags::READ, keys: ONE_READ,
        summary: "Returns how many bytes of memory a key takes with its value, or null if there is no such key.",
    }
    DbSize "DBSIZE" Server Read {
        aliases: &["COUNT"], flags: READ,
        summary: "Returns the number of keys.",
    }
    FlushAll "FLUSHALL" Server Write {
        arity: Arity::at_least(0), syntax: "[ASYNC | SYNC]", flags: CLEAR, complexity: "O(1), and O(all keys) in the background",
        summary: "Removes all keys.",
    }
    FlushDb "FLUSHDB" Server Write {
        arity: Arity::at_least(0), syntax: "[ASYNC | SYNC]", flags: CLEAR, complexity: "O(1), and O(all keys) in the background",
        summary: "Removes all keys: there is one database.",
    }
    Time "TIME" Server Connection {
        flags: Flags::FAST,
        summary: "Returns the server's time: seconds since 1970 in UTC, and microseconds.",
    }
    TextInfo "INFO" Server Metrics {
        flags: Flags::DANGEROUS, protocols: Protocols::TEXT,
        summary: "Returns the state of the server, a name and a value each.",
    }
    Info "INFO" Server Metrics {
        arity: Arity::at_least(0), syntax: "[section [section ...]]", flags: Flags::DANGEROUS, protocols: Protocols::RESP,
        summary: "Returns the state of the server as lines of one text.",
    }
    Monitor "MONITOR" Server Admin {
        flags: OPERATION,
        summary: "Sends a line for each command that any client executes, until this client sends something.",
    }
    Compact "COMPACT" Server Admin {
        flags: OPERATION, complexity: "O(all keys)",
        summary: "Rewrites the log as the live data, and answers once that has ended.",
    }
    BgRewriteAof "BGREWRITEAOF" Server Admin {
        flags: OPERATION, complexity: "O(all keys) in the background",
        summary: "Begins to rewrite the log as the live data, and answers at once.",
    }
    ClientHelp "CLIENT|HELP" Connection Connection {
        complexity: "O(subcommands)",
        summary: "Lists the subcommands.",
    }
    CommandHelp "COMMAND|HELP" Server Connection {
        complexity: "O(subcommands)", protocols: Protocols::RESP,
        summary: "Lists the subcommands.",
    }
    ConfigHelp "CONFIG|HELP" Server Connection {
        complexity: "O(subcommands)",
        summary: "Lists the subcommands.",
    }
    MemoryHelp "MEMORY|HELP" Server Connection {
        complexity: "O(subcommands)",
        summary: "Lists the subcommands.",
    }
    ObjectHelp "OBJECT|HELP" Generic Connection {
        complexity: "O(subcommands)",
        summary: "Lists the subcommands.",
    }
    LatencyHelp "LATENCY|HELP" Server Connection {
        complexity: "O(subcommands)",
        summary: "Lists the subcommands.",
    }
    SlowLogHelp "SLOWLOG|HELP" Server Connection {
        complexity: "O(subcommands)",
        summary: "Lists the subcommands.",
    }
    Multi "MULTI" Transactions Connection {
        flags: Flags::FAST, protocols: Protocols::RESP,
        summary: "Begins a transaction. There are none yet: it is refused, and all up to EXEC with it.",
    }
    Exec "EXEC" Transactions Connection {
        protocols: Protocols::RESP,
        summary: "Ends a transaction, which was refused.",
    }
    Discard "DISCARD" Transactions Connection {
        flags: Flags::FAST, protocols: Protocols::RESP,
        summary: "Ends a transaction, which was refused.",
    }
    Watch "WATCH" Transactions Read {
        arity: Arity::at_least(1), syntax: "key [key ...]", flags: Flags::FAST, keys: ALL_READ, protocols: Protocols::RESP,
        summary: "Is refused: there are no transactions yet.",
    }
    Unwatch "UNWATCH" Transactions Connection {
        flags: Flags::FAST, protocols: Protocols::RESP,
        summary: "Does nothing: nothing is watched.",
    }
}
