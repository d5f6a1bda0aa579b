//! Commands on a file of users: what they write, print and refuse.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::SystemTime;

use assert_cmd::Command;
use rustvault_users::{User, file};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::pty::Terminal;
use crate::support::cli;

/// A folder for a file of users, which is missing at first.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("users.toml")
    }

    /// The program with these words behind `user`, told the file.
    fn user(&self, words: &str) -> Command {
        let mut command = cli();
        command.env("RUSTVAULT_USERS", self.path()).env_remove("RUSTVAULT_NEW_PASSWORD");
        command.arg("user").args(words.split(' '));
        command
    }

    /// Runs a command that is done, and returns what it prints on standard output and standard error.
    fn done(&self, words: &str) -> (String, String) {
        let output = self.user(words).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{words}: {output:?}");
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(output.stdout), text(output.stderr))
    }

    /// Runs a command that is refused with this exit code, and returns why.
    fn refused(&self, words: &str, code: i32) -> String {
        let before = fs::read_to_string(self.path()).ok();
        let output = self.user(words).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{words}: {output:?}");
        assert!(output.stdout.is_empty(), "{words}: {output:?}");
        assert_eq!(fs::read_to_string(self.path()).ok(), before, "{words}: nothing is changed");
        String::from_utf8(output.stderr).unwrap()
    }

    fn get(&self, name: &str) -> User {
        let users = file::load(&self.path()).unwrap();
        User::clone(users.get(name).unwrap())
    }

    fn can_log_in(&self, name: &str, secret: &str) -> bool {
        file::load(&self.path()).unwrap().log_in(name, secret.as_bytes(), SystemTime::now()).is_some()
    }
}

#[test]
fn a_user_is_added_to_a_file_that_is_made_for_its_owner_alone() {
    let place = Place::new();
    let added = place.user("add alice --allow read,write:app: --deny write:app:locked: --password-file -");
    let assert = { added }.write_stdin("correct horse\n").assert().code(0).stdout("added the user 'alice'\n");
    let notes = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
    assert!(notes.contains("is started with --users"), "{notes}");
    assert_eq!(fs::metadata(place.path()).unwrap().permissions().mode() & 0o7777, 0o600);
    assert!(place.can_log_in("alice", "correct horse") && !place.can_log_in("alice", "correct horse\n"));
    place.user("add bob").env("RUSTVAULT_NEW_PASSWORD", "battery").assert().code(0);
    assert!(place.can_log_in("bob", "battery") && place.can_log_in("alice", "correct horse"));
    let (list, _) = place.done("list alice");
    let expected = "alice\n  password  password     does not expire\n  allow     read,write   app:\n  deny      write        app:locked:\n";
    assert_eq!(list, expected);
}

#[test]
fn a_token_is_printed_alone_and_logs_in_until_it_is_removed() {
    let place = Place::new();
    place.done("add ci --no-password");
    let (token, notes) = place.done("token ci --label deploy --expires 90days");
    let token = token.strip_suffix('\n').unwrap();
    assert!(token.starts_with("rv_") && token.len() == 46 && !notes.contains(token), "{token} {notes}");
    assert!(notes.contains("within 60 s") && notes.contains("SIGHUP"), "{notes}");
    assert!(place.can_log_in("ci", token) && !fs::read_to_string(place.path()).unwrap().contains(token));
    assert!(place.get("ci").credentials[0].expires.is_some());
    let refused = place.refused("token ci --label deploy", 2);
    assert!(refused.contains("remove ci --label deploy"), "{refused}");
    let (other, _) = place.done("token ci");
    assert!(place.can_log_in("ci", other.trim_end()));
    let (text, _) = place.done("remove ci --label deploy");
    assert_eq!(text, "removed the credential 'deploy' of the user 'ci'\n");
    assert!(!place.can_log_in("ci", token) && place.can_log_in("ci", other.trim_end()));
}

#[test]
fn a_password_takes_the_place_of_the_only_one_and_needs_a_label_beside_others() {
    let place = Place::new();
    let passwd = |words: &str, password: &str| {
        place.user(words).env("RUSTVAULT_NEW_PASSWORD", password).assert().code(0);
    };
    passwd("add alice --label laptop", "one");
    passwd("passwd alice", "two");
    assert!(place.can_log_in("alice", "two") && !place.can_log_in("alice", "one"));
    passwd("passwd alice --label phone", "three");
    assert!(place.can_log_in("alice", "two") && place.can_log_in("alice", "three"));
    let refused = place.refused("passwd alice", 2);
    assert!(refused.contains("say which with --label (laptop, phone)"), "{refused}");
    place.done("token alice --label ci");
    let refused = place.refused("passwd alice --label ci", 2);
    assert!(refused.contains("is a token"), "{refused}");
}

#[test]
fn a_password_is_asked_for_twice_at_a_terminal_and_not_shown() {
    let place = Place::new();
    let file = place.path();
    let args = ["user", "--file", file.to_str().unwrap(), "add", "alice", "--allow", "all"];
    let mut terminal = Terminal::start("", &args);
    terminal.expect("New password of 'alice': ");
    terminal.send("correct horse\n");
    let seen = terminal.expect("The same again: ");
    terminal.send("correct house\n");
    let (status, rest) = terminal.end();
    let rest = String::from_utf8_lossy(&rest).into_owned();
    assert_eq!(status.code(), Some(2), "{rest}");
    assert!(rest.contains("these passwords differ: nothing was changed"), "{rest}");
    assert!(!seen.contains("correct") && !rest.contains("correct") && !file.exists());
    let mut terminal = Terminal::start("", &args);
    for prompt in ["New password of 'alice': ", "The same again: "] {
        terminal.expect(prompt);
        terminal.send("correct horse\n");
    }
    assert!(terminal.expect("added the user 'alice'").lines().count() > 0);
    assert_eq!(terminal.end().0.code(), Some(0));
    assert!(place.can_log_in("alice", "correct horse"));
    let mut terminal = Terminal::start("", &["user", "--file", file.to_str().unwrap(), "passwd", "alice"]);
    terminal.expect("New password of 'alice': ");
    terminal.send("\x03");
    let (status, rest) = terminal.end();
    assert_eq!(status.code(), Some(1), "the terminal is as it was: {}", String::from_utf8_lossy(&rest));
    assert!(place.can_log_in("alice", "correct horse"));
}

#[test]
fn rights_are_granted_denied_and_revoked_and_shown() {
    let place = Place::new();
    place.done("add app --token");
    let (text, notes) = place.done("grant app read,write app:");
    assert_eq!(text, "app\n  allow     read,write   app:\n");
    assert!(!notes.contains("warning"), "{notes}");
    let (text, _) = place.done("grant app write app:locked: --deny");
    assert_eq!(text, "app\n  allow     read,write   app:\n  deny      write        app:locked:\n");
    let (text, _) = place.done("revoke app write app:locked:");
    assert_eq!(text, "app\n  allow     read,write   app:\n");
    let (text, notes) = place.done("revoke app all app:");
    assert_eq!(text, "app\n  no rights\n");
    assert!(notes.contains("warning: 'app' may do nothing yet"), "{notes}");
    assert!(place.refused("revoke app read", 1).contains("has no such right"));
}

#[test]
fn json_has_all_but_secrets() {
    let place = Place::new();
    let json = |words: &str| -> Value { serde_json::from_str(&place.done(words).0).unwrap() };
    let added = json("add ci --token --allow read:é --expires 9000-01-01 --json");
    assert_eq!(added["status"], "ok");
    assert!(place.can_log_in("ci", added["token"].as_str().unwrap()), "{added}");
    let listed = json("list --json");
    let credential =
        json!({"label": "token", "kind": "token", "expires": "9000-01-01T00:00:00Z", "expired": false});
    let rights = json!([{"allow": ["read"], "prefix": "é"}]);
    assert_eq!(listed, json!({"user": "ci", "credentials": [credential], "rights": rights}));
    let granted = json("grant ci admin --json");
    assert_eq!(granted["rights"][1], json!({"allow": ["admin"], "prefix": ""}));
    let removed = json("remove ci --json");
    assert_eq!(removed["warnings"], json!(["no user is left: nobody can log in"]));
    let error: Value = serde_json::from_str(&place.refused("remove ci --json", 1)).unwrap();
    assert_eq!(error["error"]["kind"], "users");
}

#[test]
fn whoever_takes_the_last_administrator_away_is_warned() {
    let place = Place::new();
    place.done("add root --token --allow all");
    place.done("add app --token --allow read");
    for words in
        ["revoke root admin", "grant root admin", "grant root admin --deny", "grant root all", "remove root"]
    {
        let (_, notes) = place.done(words);
        assert_eq!(
            notes.contains("no user has the right 'admin'"),
            !words.ends_with("all") && words != "grant root admin",
            "{words}: {notes}"
        );
    }
}

#[test]
fn what_cannot_be_done_is_refused_with_a_reason() {
    let place = Place::new();
    place.done("add alice --token --allow all");
    for (words, code, reason) in [
        ("add alice --token", 1, "there is a user 'alice' already"),
        ("remove alcie", 1, "did you mean 'alice'?"),
        ("passwd alcie", 1, "did you mean 'alice'?"),
        ("list alcie", 1, "did you mean 'alice'?"),
        ("remove alice --label x", 1, "it has 'token'"),
        ("grant alice raed", 2, "did you mean 'read'?"),
        ("add b --token --allow reda:x", 2, "did you mean 'read'?"),
        ("grant alice admin x:", 1, "'admin' have no keys"),
        ("add é --token", 2, "characters of ASCII"),
        ("token alice --label t --expires 2001-01-01", 2, "has passed already"),
        ("add b", 2, "--password-file FILE"),
        ("add b --password-file /no/such/file", 1, "/no/such/file"),
    ] {
        let refused = place.refused(words, code);
        assert!(refused.contains(reason), "{words}: {refused}");
    }
    for (password, reason) in [("rv_x", "user token"), ("a\nb", "one line"), ("", "empty")] {
        let mut command = place.user("passwd alice --password-file -");
        let output = command.write_stdin(password).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && stderr.contains(reason), "{password:?}: {stderr}");
    }
    let long = "x".repeat(513);
    let output = place.user("passwd alice --password-file -").write_stdin(long).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("over the limit of 512"), "{output:?}");
    cli().args(["user", "list"]).env_remove("RUSTVAULT_USERS").assert().code(2);
    cli().args(["user", "list"]).env("RUSTVAULT_USERS", "").assert().code(2);
}

#[test]
fn a_file_with_a_mistake_or_too_open_a_mode_is_left_alone() {
    let place = Place::new();
    place.done("add alice --token");
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(place.refused("add bob --token", 1).contains("chmod 600"));
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o600)).unwrap();
    let text = fs::read_to_string(place.path()).unwrap() + "nmae = 1\n";
    fs::write(place.path(), text).unwrap();
    let refused = place.refused("add bob --token", 1);
    assert!(refused.contains(":9:1: unknown key 'nmae'") && refused.contains("\n  nmae ="), "{refused}");
}
