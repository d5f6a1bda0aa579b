//! The path of a newcomer, as a script: users, TLS, a new certificate, a right taken away.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use rustvault_tests::{Launch, cli, need};

#[test]
fn a_newcomer_gets_from_the_first_start_to_a_secured_server_by_the_documents() {
    if !need("openssl") {
        return;
    }
    let programs = tempfile::tempdir().unwrap();
    let server = Launch::new().command();
    for (name, program) in
        [("rustvault-server", server.get_program()), ("rustvault-cli", cli().get_program())]
    {
        symlink(std::path::absolute(program).unwrap(), programs.path().join(name)).unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("newcomer/path.sh");
    let output = Command::new("bash").arg(script).arg(programs.path()).output().unwrap();
    let transcript = String::from_utf8_lossy(&output.stdout);
    println!("{transcript}");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(transcript.ends_with("everything was as the documents say\n"));
}
