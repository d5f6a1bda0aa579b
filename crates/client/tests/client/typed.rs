//! Every command of the table has a typed method, or a reason why not.

use std::cell::RefCell;
use std::collections::BTreeSet;

use rustvault_client::{Commands, FromReply, Reply, Request, SetOptions};
use rustvault_protocol::{Command, Protocol};

/// Commands without a typed method, and why.
const EXCEPTIONS: [(&[Command], &str); 9] = [
    (
        &[
            Command::Acl,
            Command::AclHelp,
            Command::Object,
            Command::Client,
            Command::Command,
            Command::Config,
            Command::Memory,
            Command::ObjectHelp,
            Command::ClientHelp,
            Command::CommandHelp,
            Command::ConfigHelp,
            Command::MemoryHelp,
            Command::Latency,
            Command::LatencyHelp,
            Command::SlowLog,
            Command::SlowLogHelp,
        ],
        "they group other commands, or help people with those",
    ),
    (&[Command::SubStr], "an old name of GETRANGE"),
    (
        &[Command::Hello, Command::Auth, Command::Select, Command::Quit, Command::Reset],
        "they change a connection that callers share; options of the client do that for all connections",
    ),
    (&[Command::ClientReply, Command::Monitor], "answers would no longer come in pairs with requests"),
    (
        &[
            Command::AclDelUser,
            Command::AclLoad,
            Command::AclLog,
            Command::AclSave,
            Command::AclSetUser,
            Command::ConfigRewrite,
        ],
        "the server refuses them",
    ),
    (
        &[Command::AclCat, Command::AclDryRun, Command::AclGenPass, Command::AclGetUser],
        "their replies are for people, and for clients of Redis",
    ),
    (
        &[
            Command::LatencyDoctor,
            Command::LatencyHistogram,
            Command::LatencyHistory,
            Command::LatencyLatest,
            Command::LatencyReset,
            Command::MemoryDoctor,
            Command::MemoryMallocStats,
            Command::MemoryPurge,
            Command::MemoryStats,
            Command::SlowLogGet,
            Command::SlowLogLen,
            Command::SlowLogReset,
        ],
        "they are for people who look for a cause; programs that watch a server read its metrics",
    ),
    (&[Command::Compact], "a method of both clients: it takes minutes, and so cannot stand in a pipeline"),
    (
        &[Command::Multi, Command::Exec, Command::Discard, Command::Watch, Command::Unwatch],
        "there are no transactions yet",
    ),
];

/// Records which commands the methods send.
#[derive(Default)]
struct Recorder {
    commands: RefCell<Vec<Command>>,
}

impl Commands for &Recorder {
    type Output<T: FromReply> = ();

    fn call<T: FromReply>(self, request: Request<'_>) {
        assert!(
            request.command.spec().arity.admits(request.arguments.len()),
            "{:?} takes other arguments than {:?}",
            request.command,
            request.arguments
        );
        self.commands.borrow_mut().push(request.command);
    }

    fn command<W: AsRef<[u8]>>(self, _: impl IntoIterator<Item = W>) -> Self::Output<Reply> {}
}

fn all_methods(recorder: &Recorder) {
    recorder.get("k");
    recorder.set("k", "v");
    recorder.set_with("k", "v", SetOptions::new().nx());
    recorder.set_with_get("k", "v", SetOptions::new().xx());
    recorder.mget(["a", "b"]);
    recorder.mset([("a", "1"), ("b", "2")]);
    recorder.mset_nx([("a", "1")]);
    recorder.set_nx("k", "v");
    recorder.get_set("k", "v");
    recorder.get_del("k");
    recorder.incr("k");
    recorder.decr("k");
    recorder.incr_by("k", i64::MIN);
    recorder.decr_by("k", 1);
    recorder.incr_by_float("k", 0.5);
    recorder.append("k", "v");
    recorder.set_range("k", u64::MAX, "v");
    recorder.strlen("k");
    recorder.get_range("k", 0, -1);
    recorder.delete("k");
    recorder.del(["a", "b"]);
    recorder.unlink(["a"]);
    recorder.touch(["a"]);
    recorder.exists("k");
    recorder.count_existing(["a", "b"]);
    recorder.rename("a", "b");
    recorder.rename_nx("a", "b");
    recorder.copy("a", "b");
    recorder.copy_replace("a", "b");
    recorder.type_of("k");
    recorder.object_encoding("k");
    recorder.random_key();
    recorder.scan(0, "", 10);
    recorder.keys_matching("*");
    recorder.ping();
    recorder.echo("message");
    recorder.client_id();
    recorder.client_info();
    recorder.client_list();
    recorder.client_kill("127.0.0.1:1");
    recorder.client_kill_id(1);
    recorder.client_get_name();
    recorder.client_set_name("name");
    recorder.client_set_info("LIB-NAME", "mine");
    recorder.client_no_evict(true);
    recorder.count();
    recorder.info();
    recorder.flush_all();
    recorder.flush_db();
    recorder.time();
    recorder.memory_usage("k");
    recorder.config_get("*");
    recorder.config_set([("maxmemory", "0")]);
    recorder.config_reload();
    recorder.acl_whoami();
    recorder.acl_users();
    recorder.acl_list();
    recorder.config_reset_stat();
    recorder.bg_rewrite_aof();
    recorder.command_count();
    recorder.command_list();
    recorder.command_info(["get"]);
    recorder.command_docs(["get"]);
    recorder.command_get_keys(["get", "k"]);
}

#[test]
fn every_command_that_is_served_has_a_typed_method_or_a_reason_why_not() {
    let recorder = Recorder::default();
    all_methods(&recorder);
    let typed = recorder.commands.into_inner();
    let excepted: Vec<Command> =
        EXCEPTIONS.iter().flat_map(|(commands, _)| commands.iter().copied()).collect();
    let names =
        |commands: Vec<Command>| commands.iter().map(|command| command.name()).collect::<BTreeSet<_>>();
    let served = |command: &Command| command.spec().protocols.contains(Protocol::Resp3);
    let neither = |command: &Command| !typed.contains(command) && !excepted.contains(command);
    let missing = Command::ALL.iter().copied().filter(served).filter(neither).collect();
    assert_eq!(names(missing), BTreeSet::new(), "commands without a typed method");
    let both = excepted.into_iter().filter(|command| typed.contains(command)).collect();
    assert_eq!(names(both), BTreeSet::new(), "exceptions that are none");
}
