//! The line of a client in `CLIENT LIST`: the fields of Redis 7.2, then those that later versions have behind them.

use std::fmt::Write;

use crate::clients::ConnectedClient;
use crate::metrics::ListenerKind;
use crate::session::Session;

/// Returns the line of a client; `nobody` is the user of those that have not logged in.
///
/// There are no channels, no transactions and no tracking, so their fields have the values of a client that uses none. Nothing
/// is taken out of the input buffer before it is executed: `argv-mem` is 0.
pub(super) fn line(client: &ConnectedClient, nobody: &str) -> String {
    let names = client.names();
    let (age, idle) = client.age_and_idle();
    let command = client.last_command().map_or("NULL".to_owned(), |command| command.name().to_lowercase());
    let figures = client.figures.values();
    let memory_bytes = size_of::<ConnectedClient>()
        + size_of::<Session>()
        + figures.input_bytes
        + figures.free_input_bytes
        + figures.output_capacity_bytes
        + figures.queued_bytes;
    let is_writing = figures.output_bytes > 0 || figures.queued > 0;
    let (fd, events) = (figures.descriptor, if is_writing { "rw" } else { "r" });
    let mut line = format!("id={} addr={} laddr={} fd={fd}", client.id, client.peer, client.local);
    // Writing to a string does not fail.
    let _ = write!(line, " name={} age={age} idle={idle} flags={}", printable(&names.name), flags(client));
    line.push_str(" db=0 sub=0 psub=0 ssub=0 multi=-1");
    let _ = write!(line, " qbuf={} qbuf-free={}", figures.input_bytes, figures.free_input_bytes);
    line.push_str(" argv-mem=0 multi-mem=0");
    let _ = write!(line, " rbs={} rbp={}", figures.output_capacity_bytes, figures.output_peak_bytes);
    let _ = write!(line, " obl={} oll={}", figures.output_bytes, figures.queued);
    let _ = write!(line, " omem={} tot-mem={memory_bytes}", figures.queued_bytes);
    let user = client.user();
    let user = user.as_ref().map_or(nobody, |user| &user.name);
    let _ =
        write!(line, " events={events} cmd={command} user={user} redir=-1 resp={}", client.resp_version());
    let (name, version) = (printable(&names.library_name), printable(&names.library_version));
    let _ = write!(line, " lib-name={name} lib-ver={version}");
    let _ = write!(line, " tot-net-in={} tot-net-out={}", figures.received_bytes, figures.sent_bytes);
    let _ = writeln!(line, " tot-cmds={}", figures.requests);
    line
}

/// Returns Redis's letters for what a client is; `N` for an ordinary one.
fn flags(client: &ConnectedClient) -> String {
    let is_unix = client.listener == ListenerKind::Unix;
    let all = [('A', client.is_killed()), ('O', client.is_monitor()), ('U', is_unix)];
    let set: String = all.iter().filter(|(_, is_set)| *is_set).map(|(letter, _)| letter).collect();
    if set.is_empty() { "N".to_owned() } else { set }
}

fn printable(text: &[u8]) -> String {
    text.escape_ascii().to_string()
}
