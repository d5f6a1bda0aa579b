//! Tests of changes of a file of users.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use rustvault_protocol::Category::{self, Admin, Read, Write};
use tempfile::TempDir;

use super::*;
use crate::Secret;

const BY_HAND: &str = r#"# Users of the shop.

# Alice runs it.
[[user]] # since 2026
name = "alice"

[[user.right]]
allow = ["all"] # she may

[[user.credential]]
label = "laptop" # hers
token-sha256 = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff" # old

# Bob counts.
[[user]]
name = "bob"
right = [{ allow = ["read"], prefix = "app:" }]
# The end.
"#;

/// A folder with a file of users.
fn folder_with(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.toml");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    (folder, path)
}

fn changed(text: &str, change: impl FnOnce(&mut UsersEdit)) -> String {
    let (_folder, path) = folder_with(text);
    let mut edit = UsersEdit::open(&path).unwrap();
    change(&mut edit);
    edit.save().unwrap();
    fs::read_to_string(path).unwrap()
}

fn categories(list: &[Category]) -> Categories {
    list.iter().copied().collect()
}

fn token(label: &str) -> Credential {
    Credential { label: label.to_owned(), secret: Secret::Token([0xab; 32]), expires: None }
}

#[test]
fn a_new_user_comes_last_and_nothing_else_changes() {
    let text = changed(BY_HAND, |edit| edit.add_user("carol").unwrap());
    let (before, end) = BY_HAND.split_at(BY_HAND.find("# The end.").unwrap());
    assert_eq!(text, format!("{before}\n[[user]]\nname = \"carol\"\n{end}"));
}

#[test]
fn what_is_written_is_read_again() {
    let (_folder, path) = folder_with("");
    let mut edit = UsersEdit::open(&path).unwrap();
    edit.add_user("a\"b").unwrap();
    let expires = Some(UNIX_EPOCH + Duration::from_secs(1_798_761_600));
    let password =
        Secret::Password("$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA".to_owned());
    let credentials = [Credential { label: "é \"".to_owned(), secret: password, expires }, token("ci")];
    for credential in &credentials {
        edit.put_credential("a\"b", credential).unwrap();
    }
    edit.put_right("a\"b", true, categories(&[Read, Write]), b"app:").unwrap();
    edit.put_right("a\"b", false, categories(&[Write]), b"app:\xff").unwrap();
    let written = edit.save().unwrap();
    let user = written.get("a\"b").unwrap();
    assert_eq!(user.credentials, credentials);
    assert!(user.rights.allow_key(Write, b"app:1") && !user.rights.allow_key(Write, b"app:\xff1"));
    assert_eq!(file::load(&path).unwrap(), written);
}

#[test]
fn a_credential_takes_the_place_of_the_one_with_its_label() {
    let expires = Some(UNIX_EPOCH + Duration::from_secs(1_798_761_600));
    let text = changed(BY_HAND, |edit| {
        edit.put_credential("alice", &Credential { expires, ..token("laptop") }).unwrap();
        edit.put_credential("bob", &token("ci")).unwrap();
    });
    let hex = "ab".repeat(32);
    let new = format!("token-sha256 = \"{hex}\" # old\nexpires = 2027-01-01T00:00:00Z\n\n# Bob");
    assert!(text.contains(&new) && text.contains("label = \"laptop\" # hers\n"), "{text}");
    let bob = format!("[[user.credential]]\nlabel = \"ci\"\ntoken-sha256 = \"{hex}\"\n");
    assert!(text.contains(&bob), "{text}");
    let text = changed(&text, |edit| edit.put_credential("alice", &token("laptop")).unwrap());
    assert!(!text.contains("expires"), "{text}");
}

#[test]
fn a_removed_user_takes_its_comment_along_and_no_other() {
    let text = changed(BY_HAND, |edit| edit.remove_user("alice").unwrap());
    let bob = BY_HAND.split_at(BY_HAND.find("# Bob").unwrap()).1;
    assert_eq!(text, format!("# Users of the shop.\n\n{bob}"));
    let text = changed(&text, |edit| edit.remove_user("bob").unwrap());
    assert_eq!(text, "# Users of the shop.\n# The end.\n");
    let text = changed(&text, |edit| edit.add_user("carol").unwrap());
    assert_eq!(text, "# Users of the shop.\n# The end.\n\n[[user]]\nname = \"carol\"\n");
}

#[test]
fn the_last_said_of_a_prefix_is_what_counts() {
    let (_folder, path) = folder_with("[[user]]\nname = \"a\"\n");
    let rights = |allows, list: &[Category], prefix: &str| {
        let mut edit = UsersEdit::open(&path).unwrap();
        edit.put_right("a", allows, categories(list), prefix.as_bytes()).unwrap();
        let users = edit.save().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        (users.get("a").unwrap().rights.clone(), text.matches("[[user.right]]").count())
    };
    let (_, rules) = rights(true, &[Read], "x:");
    assert_eq!(rules, 1);
    let (now, rules) = rights(true, &[Read, Write], "x:");
    assert_eq!((now.rules()[0].categories, rules), (categories(&[Read, Write]), 1));
    let (now, rules) = rights(false, &[Write], "x:");
    assert!(now.allow_key(Read, b"x:") && !now.allow_key(Write, b"x:") && rules == 2);
    let (now, rules) = rights(true, &[Write], "x:");
    assert!(now.allow_key(Write, b"x:") && rules == 1, "an empty right is removed");
    let (now, _) = rights(true, &Category::ALL, "");
    assert!(now.allow_all_keys(Admin) && fs::read_to_string(&path).unwrap().contains("allow = [\"all\"]"));
    let (now, _) = rights(false, &[Admin], "");
    assert!(!now.allow_some_key(Admin) && now.allow_all_keys(Category::Metrics));
}

#[test]
fn a_right_is_taken_from_lists_and_tables_and_its_absence_is_an_error() {
    let text = changed(BY_HAND, |edit| {
        edit.remove_right("bob", categories(&[Read]), b"app:").unwrap();
        let error = edit.remove_right("bob", categories(&[Read]), b"app:").unwrap_err();
        assert!(matches!(error, EditError::NoSuchRight { .. }), "{error}");
    });
    assert!(text.contains("right = []"), "{text}");
    let text = changed(BY_HAND, |edit| edit.remove_right("alice", categories(&[Admin]), b"").unwrap());
    assert!(text.contains("allow = [\"connection\", \"read\", \"write\", \"metrics\"]"), "{text}");
    let text = changed(BY_HAND, |edit| edit.remove_right("alice", Categories::all(), b"").unwrap());
    assert!(!text.contains("[[user.right]]") && text.contains("label = \"laptop\""), "{text}");
}

#[test]
fn whoever_is_not_there_is_named_with_who_was_meant() {
    let (_folder, path) = folder_with(BY_HAND);
    let mut edit = UsersEdit::open(&path).unwrap();
    let error = edit.remove_user("alcie").unwrap_err().to_string();
    assert_eq!(error, "there is no user 'alcie'; did you mean 'alice'?");
    assert_eq!(edit.remove_user("x").unwrap_err().to_string(), "there is no user 'x'");
    assert_eq!(edit.add_user("bob").unwrap_err().to_string(), "there is a user 'bob' already");
    let error = edit.remove_credential("alice", "ci").unwrap_err().to_string();
    assert_eq!(error, "the user 'alice' has no credential 'ci'; it has 'laptop'");
}

#[test]
fn a_change_that_breaks_a_rule_writes_nothing() {
    let (_folder, path) = folder_with(BY_HAND);
    let mut edit = UsersEdit::open(&path).unwrap();
    edit.put_right("bob", true, categories(&[Admin]), b"app:").unwrap();
    let error = edit.save().unwrap_err().to_string();
    assert!(error.contains("not possible") && error.contains("'admin' have no keys"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), BY_HAND);
}

#[test]
fn tables_in_an_unusual_order_stay_with_their_users() {
    let right = |n: u8| format!("[[user.right]]\nallow = [\"read\"]\nprefix = \"{n}\"\n");
    let hash = "ab".repeat(32);
    let token = format!("[[user.credential]]\nlabel = \"l\"\ntoken-sha256 = \"{hash}\"\n");
    let text = format!("[[user]]\nname = \"a\"\n{}{token}{}", right(1), right(2));
    let text = changed(&text, |edit| edit.add_user("b").unwrap());
    let users = file::parse(&text).unwrap();
    assert_eq!(users.get("a").unwrap().rights.rules().len(), 2);
    let text = changed(&text, |edit| edit.put_right("a", true, categories(&[Write]), b"").unwrap());
    assert_eq!(file::parse(&text).unwrap().get("a").unwrap().rights.rules().len(), 3);
}

#[test]
fn two_writers_at_once_lose_nothing() {
    const WRITERS: usize = 8;
    const USERS: usize = 5;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.toml");
    let link = folder.path().join("link");
    symlink(&path, &link).unwrap();
    let start = Barrier::new(WRITERS);
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            // Whoever comes by a link changes the same file.
            let (path, start) = (if writer % 2 == 0 { &path } else { &link }, &start);
            scope.spawn(move || {
                start.wait();
                for user in 0..USERS {
                    let mut edit = UsersEdit::open(path).unwrap();
                    edit.add_user(&format!("{writer}-{user}")).unwrap();
                    edit.save().unwrap();
                }
            });
        }
    });
    assert_eq!(file::load(&path).unwrap().len(), WRITERS * USERS);
    assert_eq!(fs::read_link(&link).unwrap(), path);
    let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["link", "users.toml"], "nothing is left beside it");
}

#[test]
fn a_failing_rename_keeps_the_old_file_and_leaves_nothing() {
    let (folder, path) = folder_with(BY_HAND);
    let file = LockedFile::open(&path).unwrap();
    let error = file.replace_by("", |new, _| {
        assert_eq!(fs::metadata(new).unwrap().mode() & 0o777, 0o600);
        Err(io::Error::from(io::ErrorKind::StorageFull))
    });
    assert!(matches!(error, Err(EditError::Write { .. })), "{error:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), BY_HAND);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn what_an_editor_wrote_meanwhile_is_not_lost() {
    let (_folder, path) = folder_with(BY_HAND);
    let mut edit = UsersEdit::open(&path).unwrap();
    edit.add_user("carol").unwrap();
    fs::write(&path, "# mine\n").unwrap();
    let error = edit.save().unwrap_err();
    assert!(matches!(error, EditError::Changed { .. }), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "# mine\n");
}

#[test]
fn a_new_file_is_its_owners_alone_and_an_old_one_keeps_owner_and_mode() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.toml");
    let add = |name: &str| {
        let mut edit = UsersEdit::open(&path).unwrap();
        edit.add_user(name).unwrap();
        edit.save().unwrap();
        fs::metadata(&path).unwrap()
    };
    assert_eq!(add("a").mode() & 0o7777, 0o600);
    assert!(fs::read_to_string(&path).unwrap().starts_with("# Users of a RustVault server"));
    fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
    assert_eq!(add("b").mode() & 0o7777, 0o400);
    // What a killed process left is no obstacle.
    fs::write(folder.path().join(".users.toml.new"), "half").unwrap();
    add("c");
    assert_eq!(file::load(&path).unwrap().len(), 3);
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&path, Some(12345), Some(54321)).unwrap();
        let owned = add("d");
        assert_eq!((owned.uid(), owned.gid()), (12345, 54321));
    }
}

#[test]
fn a_file_that_cannot_be_used_is_not_changed() {
    let (folder, path) = folder_with("[[users]]");
    assert!(matches!(UsersEdit::open(&path), Err(EditError::File(UsersFileError::Invalid { .. }))));
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(UsersEdit::open(&path), Err(EditError::File(UsersFileError::TooOpen { .. }))));
    let missing = folder.path().join("no/users.toml");
    let error = UsersEdit::open(&missing).unwrap_err().to_string();
    assert!(error.starts_with("cannot find the folder "), "{error}");
}

#[test]
fn who_may_administrate_is_seen() {
    assert!(has_admin(&file::parse(BY_HAND).unwrap()));
    assert!(!has_admin(&file::parse("[[user]]\nname = \"a\"\nright = [{ allow = [\"read\"] }]").unwrap()));
}
