//! What docs/users.md shows and promises.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use rustvault_protocol::Category;
use rustvault_users::file::{self, MAX_FILE_BYTES, MAX_SHOWN_MISTAKES};
use rustvault_users::{
    MAX_HASH_LANES, MAX_HASH_MEMORY_KIB, MAX_HASH_PASSES, MAX_PREFIX_BYTES, MAX_RULES, MAX_SECRET_BYTES,
    MAX_USER_CREDENTIALS, MAX_USER_PASSWORDS, MAX_USERS,
};

const DOCUMENT: &str = include_str!("../../../docs/users.md");

/// The text between a line with three backticks and this word, and the next such line.
fn block(language: &str) -> &'static str {
    let (_, behind) = DOCUMENT.split_once(&format!("```{language}\n")).unwrap();
    behind.split_once("```\n").unwrap().0
}

#[test]
fn the_documents_file_is_one() {
    let users = file::parse(block("toml")).unwrap();
    let shop = users.get("shop").unwrap();
    assert!(shop.rights.allow_key(Category::Write, b"shop:cart"));
    assert!(!shop.rights.allow_key(Category::Write, b"shop:prices:1"));
    assert!(users.get("alice").unwrap().rights.allow_all_keys(Category::Admin));
}

#[test]
fn the_documents_mistakes_are_reported_so() {
    let hash = block("toml").lines().find(|line| line.starts_with("password")).unwrap();
    let credential = format!("[[user.credential]]\nlabel = \"laptop\"\n{hash}\nexperis = 2027-01-01");
    let text = format!("[[user]]\nname = \"alice\"\n{credential}\n\n[[user.right]]\nallow = [\"raed\"]\n");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.toml");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let error = file::load(&path).unwrap_err().to_string();
    assert_eq!(error.replace(&path.display().to_string(), "users.toml") + "\n", block("text"));
}

#[test]
fn the_documents_limits_are_those_of_the_code() {
    let row = |of: &str| {
        let row = DOCUMENT.lines().find(|line| line.starts_with(&format!("| {of} |")));
        row.unwrap_or_else(|| panic!("no row for {of}")).replace([',', ';'], "")
    };
    for (of, limits) in [
        ("users", vec![MAX_USERS]),
        ("the file", vec![MAX_FILE_BYTES as usize >> 20]),
        ("credentials of a user", vec![MAX_USER_CREDENTIALS]),
        ("passwords among them", vec![MAX_USER_PASSWORDS]),
        ("rights of a user", vec![MAX_RULES]),
        ("a prefix", vec![MAX_PREFIX_BYTES]),
        ("a password, a token", vec![MAX_SECRET_BYTES]),
        (
            "the parameters of a hash",
            vec![MAX_HASH_MEMORY_KIB as usize >> 10, MAX_HASH_PASSES as usize, MAX_HASH_LANES as usize],
        ),
        ("mistakes that are shown", vec![MAX_SHOWN_MISTAKES]),
    ] {
        let (row, words) = (row(of), |row: &str| row.split(' ').map(str::to_owned).collect::<Vec<_>>());
        for limit in limits {
            assert!(words(&row).iter().any(|word| *word == limit.to_string()), "{limit}: {row}");
        }
    }
}

#[test]
fn the_document_has_every_category() {
    for category in Category::ALL {
        let row = DOCUMENT.lines().find(|line| line.starts_with(&format!("| `{}` |", category.name())));
        let is_limitable = row.unwrap().ends_with("| yes |");
        assert_eq!(is_limitable, category.has_keys(), "{}", category.name());
    }
}
