//! Tests of the file of users.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::{Duration, UNIX_EPOCH};

use rustvault_protocol::Category::{Admin, Read, Write};

use super::*;
use crate::{MAX_RULES, MAX_USER_CREDENTIALS, MAX_USER_PASSWORDS, MAX_USERS, Secret};

const HASH: &str = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA";

const HEX: &str = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";

fn example() -> String {
    format!(
        r#"# Who may do what.
[[user]]
name = "alice"

[[user.credential]]
label = "laptop"
password = "{HASH}"
expires = 2027-01-01T00:00:00Z

[[user.credential]]
label = "ci"
token-sha256 = "{HEX}"

[[user.right]]
allow = ["read", "write"]
prefix = "app:"

[[user.right]]
deny = ["write"]
prefix-base64 = "YXBwOmxvY2tlZP8="

[[user]]
name = "root"
right = [{{ allow = ["all"] }}]
"#
    )
}

/// The lines, columns and reasons of the mistakes in a text.
fn mistakes(text: &str) -> Vec<(usize, usize, String)> {
    let mistakes = parse(text).expect_err("mistakes");
    mistakes.list().iter().map(|found| (found.line, found.column, found.reason.clone())).collect()
}

/// Asserts that there is one mistake, at this place, and that its reason has these words.
#[track_caller]
fn assert_mistake(text: &str, place: (usize, usize), words: &[&str]) {
    let found = mistakes(text);
    let [(line, column, reason)] = &found[..] else { panic!("not one mistake: {found:?}") };
    assert_eq!((*line, *column), place, "{reason}");
    assert!(words.iter().all(|word| reason.contains(word)), "{reason}");
}

#[test]
fn users_are_read_with_credentials_and_rights() {
    let users = parse(&example()).unwrap();
    assert_eq!(users.iter().map(|user| &*user.name).collect::<Vec<_>>(), ["alice", "root"]);
    let alice = users.get("alice").unwrap();
    let [laptop, ci] = &alice.credentials[..] else { panic!("two credentials") };
    assert_eq!(laptop.secret, Secret::Password(HASH.to_owned()));
    assert_eq!(laptop.expires, Some(UNIX_EPOCH + Duration::from_secs(1_798_761_600)));
    assert!(matches!(ci.secret, Secret::Token([0, 0x11, .., 0xff])) && ci.expires.is_none());
    assert!(alice.rights.allow_key(Read, b"app:locked\xff") && alice.rights.allow_key(Write, b"app:locked"));
    assert!(!alice.rights.allow_key(Write, b"app:locked\xff") && !alice.rights.allow_key(Read, b"ap"));
    assert!(users.get("root").unwrap().rights.allow_all_keys(Admin));
    assert!(parse("").unwrap().is_empty() && parse("\u{feff}# nobody yet\r\n").unwrap().is_empty());
}

#[test]
fn every_mistake_is_named_with_its_place_and_what_to_do() {
    let user = |rest: &str| format!("[[user]]\nname = \"a\"\n{rest}");
    let credential = |rest: &str| user(&format!("[[user.credential]]\n{rest}"));
    let password = |hash: &str| credential(&format!("label = \"l\"\npassword = \"{hash}\""));
    let right = |rest: &str| user(&format!("[[user.right]]\n{rest}"));
    for (text, place, words) in [
        ("[[users]]".to_owned(), (1, 3), &["unknown key 'users'", "did you mean 'user'?"][..]),
        ("user = 1".to_owned(), (1, 8), &["[[user]]"]),
        ("[[user]]\n[[user]]\nname = \"b\"".to_owned(), (1, 1), &["no name", "name = "]),
        ("[[user]]\nname = 7".to_owned(), (2, 8), &["name stands in quotes", "number"]),
        ("[[user]]\nname = \"two words\"".to_owned(), (2, 8), &["1 to 64", "without spaces"]),
        (user("[[user]]\nname = \"a\""), (4, 8), &["'a' is there already, in line 2"]),
        (user("nmae = \"b\""), (3, 1), &["unknown key 'nmae' of a user", "'name'"]),
        (user("right = 1"), (3, 9), &["[[user.right]]"]),
        (credential("password = \"x\"\ntoken-sha256 = \"x\"\nlabel = \"l\""), (5, 16), &["either"]),
        (credential("label = \"l\""), (3, 1), &["neither password nor token-sha256"]),
        (credential(&format!("password = \"{HASH}\"")), (3, 1), &["no label"]),
        (credential(&format!("label = \"\"\npassword = \"{HASH}\"")), (4, 9), &["1 to 64"]),
        (password("hunter2"), (5, 12), &["argon2id", "rustvault-cli user passwd"]),
        (password(&HASH.replace("2id", "2d")), (5, 12), &["no other kind"]),
        (password(&HASH.replace("m=8", "m=65537")), (5, 12), &["memory", "65537", "65536"]),
        (password(&HASH.replace("t=1", "t=99")), (5, 12), &["passes", "99", "10"]),
        (credential("label = \"l\"\ntoken-sha256 = \"12zz\""), (5, 16), &["64 hexadecimal"]),
        (password(&format!("{HASH}\"\nexpires = \"2027-01-01")), (6, 11), &["without quotes"]),
        (
            credential(&format!("label = \"l\"\npassword = \"{HASH}\"\nexpires = 2027-01-01T00:00:00")),
            (6, 11),
            &["time zone"],
        ),
        (right("allow = [\"raed\"]"), (4, 10), &["unknown category 'raed'", "'read'"]),
        (right("allow = [\"frobnicate\"]"), (4, 10), &["known are", "admin", "all"]),
        (right("allow = \"read\""), (4, 9), &["[\"read\", \"write\"]"]),
        (right("allow = []"), (3, 1), &["no category"]),
        (right("prefix = \"a\""), (3, 1), &["neither allow nor deny"]),
        (right("allow = [\"read\"]\ndeny = [\"write\"]"), (5, 8), &["either"]),
        (right("deny = [\"connection\"]"), (4, 9), &["granted to whoever"]),
        (right("allow = [\"admin\"]\nprefix = \"a\""), (3, 1), &["'admin' have no keys"]),
        (right("allow = [\"read\"]\nprefix-base64 = \"?\""), (5, 17), &["base64"]),
        (
            right("allow = [\"read\"]\n[[user.right]]\ndeny = [\"read\"]"),
            (5, 1),
            &["both allowed and denied"],
        ),
        (user("é = 1"), (3, 1), &["expected"]),
        ("[[user]]\nname = \"a".to_owned(), (2, 10), &["invalid basic string"]),
    ] {
        println!("{text}");
        assert_mistake(&text, place, words);
    }
}

#[test]
fn too_many_of_anything_is_a_mistake() {
    let users: String = (0..=MAX_USERS).map(|number| format!("[[user]]\nname = \"{number}\"\n")).collect();
    assert_mistake(&users, (2 * MAX_USERS + 1, 1), &["more than 10000 users"]);
    let repeated = |count: usize, table: &dyn Fn(usize) -> String| {
        "[[user]]\nname = \"a\"\n".to_owned() + &(0..count).map(table).collect::<String>()
    };
    let token = |number| format!("[[user.credential]]\nlabel = \"{number}\"\ntoken-sha256 = \"{HEX}\"\n");
    assert!(parse(&repeated(MAX_USER_CREDENTIALS, &token)).is_ok());
    assert_mistake(&repeated(MAX_USER_CREDENTIALS + 1, &token), (3 + 3 * MAX_USER_CREDENTIALS, 1), &["32"]);
    let password = |number| format!("[[user.credential]]\nlabel = \"{number}\"\npassword = \"{HASH}\"\n");
    assert!(parse(&repeated(MAX_USER_PASSWORDS, &password)).is_ok());
    assert_mistake(
        &repeated(MAX_USER_PASSWORDS + 1, &password),
        (3 + 3 * MAX_USER_PASSWORDS, 1),
        &["4 passwords"],
    );
    let right = |number| format!("[[user.right]]\nallow = [\"read\"]\nprefix = \"{number}\"\n");
    assert!(parse(&repeated(MAX_RULES, &right)).is_ok());
    assert_mistake(&repeated(MAX_RULES + 1, &right), (3 + 3 * MAX_RULES, 1), &["more than 256 rights"]);
}

#[test]
fn all_mistakes_are_shown_at_once_in_order_and_beyond_20_counted() {
    let text =
        "[[user]]\nname = \"a b\"\n[[user]]\nnmae = \"c\"\n[[user.right]]\nallow = [\"raed\", \"wriet\"]\n";
    let places: Vec<_> = mistakes(text).iter().map(|(line, column, _)| (*line, *column)).collect();
    assert_eq!(places, [(2, 8), (3, 1), (4, 1), (6, 10), (6, 18)]);
    let many = "x = [".to_owned() + &"\n".repeat(30) + "]\n" + &"[[user]]\n".repeat(30);
    let many = parse(&many).unwrap_err();
    assert_eq!((many.list().len(), many.count()), (MAX_SHOWN_MISTAKES, 31));
    assert!(many.to_string().starts_with("31 mistakes:\n1:1: unknown key 'x'"), "{many}");
    assert!(many.to_string().ends_with("and 11 more"), "{many}");
}

#[test]
fn errors_of_syntax_are_shown_beside_others_but_nothing_is_called_missing() {
    let text = "[[user]]\nname = alice\n[[user]]\nname = \"b b\"\n[[user.credential]\n";
    let lines: Vec<_> = mistakes(text).iter().map(|(line, ..)| *line).collect();
    assert_eq!(lines, [2, 4, 5]);
}

#[test]
fn no_mistake_shows_a_secret() {
    for (text, shown) in [
        ("[[user]]\nname = \"a\"\n[[user.credential]]\nlabel = \"l\"\npassword = \"hunter2\"", "password ="),
        ("[[user]]\nname = \"a\"\n[[user.credential]]\nlabel = \"l\"\npasword = \"hunter2\"", "pasword ="),
        ("[[user]]\nname = \"a\"\n[[user.credential]]\nlabel = \"l\"\npassword = hunter2", "password ="),
        ("[[user]]\nname = \"a\"\n[[user.credential]]\nlabel = \"l\"\npassword: hunter2", "5:"),
        (
            "[[user]]\nname = \"a\"\ncredential = [{ label = \"\", token-sha256 = \"hunter2\" }]",
            "label = \"\", token",
        ),
        ("password = \"\"\"\nhunter2", "password ="),
        ("[[user]]\nname = \"a\"\npassword = \"hunter2\\q\"", "password ="),
    ] {
        let mistakes = parse(text).unwrap_err().to_string();
        assert!(!mistakes.contains("hunter2") && mistakes.contains(shown), "{mistakes}");
    }
    let shown = parse("[[user]]\nname = \"a b\u{9b}2J\" # ok").unwrap_err().to_string();
    assert!(shown.ends_with("\n  name = \"a b 2J\" # ok"), "{shown}");
}

#[test]
fn a_file_that_others_may_read_or_change_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.toml");
    fs::write(&path, example()).unwrap();
    for (mode, is_refused) in [(0o600, false), (0o400, false), (0o640, true), (0o602, true), (0o644, true)] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        match load(&path) {
            Ok(users) => assert!(!is_refused && users.len() == 2, "{mode:o}"),
            Err(error) => {
                let remedy = format!("{mode:04o}): run 'chmod 600 {}'", path.display());
                assert!(is_refused && error.to_string().ends_with(&remedy), "{error}");
            }
        }
    }
}

#[test]
fn what_is_no_readable_file_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let refused = |path: &Path| load(path).expect_err("refused").to_string();
    assert!(refused(&at("missing")).contains("No such file"));
    fs::create_dir(at("folder")).unwrap();
    assert!(refused(&at("folder")).ends_with("is a folder, not a file"));
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, at("pipe"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
    assert!(refused(&at("pipe")).ends_with("is a pipe, not a file"));
    assert!(refused(Path::new("/dev/null")).ends_with("is a device, not a file"));
    let write = |bytes: &[u8]| {
        fs::write(at("users.toml"), bytes).unwrap();
        fs::set_permissions(at("users.toml"), Permissions::from_mode(0o600)).unwrap();
    };
    write(b"# fine\n# \xff\n");
    assert!(refused(&at("users.toml")).contains("not UTF-8: line 2"));
    write(b"[[user]]\nname = 1");
    let place = format!("a mistake:\n{}:2:8: ", at("users.toml").display());
    assert!(refused(&at("users.toml")).contains(&place));
    write(example().as_bytes());
    symlink(at("users.toml"), at("link")).unwrap();
    assert_eq!(load(&at("link")).map(|users| users.len()).ok(), Some(2));
    fs::File::options().write(true).open(at("users.toml")).unwrap().set_len(MAX_FILE_BYTES + 1).unwrap();
    assert!(refused(&at("users.toml")).ends_with("larger than 16 MiB"));
}

/// A large file that is none of ours must not hold up a reload.
#[test]
fn the_mistakes_of_a_file_that_has_nothing_else_are_counted_in_one_pass() {
    let lines = 1 << 18;
    let mistakes = parse(&"x y\n".repeat(lines)).expect_err("mistakes");
    assert_eq!(mistakes.count(), lines);
    assert_eq!(
        mistakes.list().iter().map(|found| found.line).collect::<Vec<_>>(),
        [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]
    );
}
