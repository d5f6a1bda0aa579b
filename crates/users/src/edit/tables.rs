//! Changes of the tables of a file of users, be they written as `[[user]]` or as lists of `{ … }`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustvault_protocol::Category;
use toml_edit::{Array, ArrayOfTables, Datetime, DocumentMut, Item, Table, TableLike, Value, value};

use crate::{ALL_CATEGORIES, Categories, Credential, MAX_EXPIRY_SECONDS, Secret};

/// Returns a user's table.
pub(super) fn find_user<'d>(document: &'d mut DocumentMut, name: &str) -> Option<&'d mut dyn TableLike> {
    entries(document.as_table_mut(), "user").into_iter().find(|user| is(*user, "name", name))
}

/// Adds a user behind all others.
pub(super) fn push_user(document: &mut DocumentMut, name: &str) {
    let mut user = Table::new();
    user.insert("name", value(name));
    let is_first = entries(document.as_table_mut(), "user").is_empty();
    if is_first {
        // What is in the file are comments, which belong above the user.
        let head = document.trailing().as_str().unwrap_or_default().to_owned();
        document.set_trailing("");
        user.decor_mut().set_prefix(if head.is_empty() { head } else { head + "\n" });
    }
    user.set_position(Some(last_position(document.as_table()) + 1));
    push(document.as_table_mut(), "user", user);
}

/// Removes a user, with the comment right above it.
pub(super) fn remove_user(document: &mut DocumentMut, name: &str) {
    let comment = remove_where(document.as_table_mut(), "user", |user| is(user, "name", name));
    if let Some(comment) = comment {
        let joined = comment + document.trailing().as_str().unwrap_or_default();
        document.set_trailing(joined);
    }
}

/// Puts a credential in the place of the one with its label, or behind all others.
pub(super) fn put_credential(user: &mut dyn TableLike, credential: &Credential) {
    let found = entries(user, "credential").into_iter().find(|it| is(*it, "label", &credential.label));
    if let Some(found) = found {
        return write_credential(found, credential);
    }
    let mut table = Table::new();
    table.insert("label", value(&credential.label));
    write_credential(&mut table, credential);
    push(user, "credential", table);
}

fn write_credential(table: &mut dyn TableLike, credential: &Credential) {
    let (key, other, hash) = match &credential.secret {
        Secret::Password(hash) => ("password", "token-sha256", hash.clone()),
        Secret::Token(hash) => {
            ("token-sha256", "password", hash.iter().map(|byte| format!("{byte:02x}")).collect())
        }
    };
    table.remove(other);
    set(table, key, hash.into());
    match credential.expires.and_then(datetime) {
        Some(date) => set(table, "expires", date.into()),
        None => drop(table.remove("expires")),
    }
}

/// Puts a value in the place of the one that a key has, beside the comment that this may have.
fn set(table: &mut dyn TableLike, key: &str, mut new: Value) {
    if let Some(old) = table.get(key).and_then(Item::as_value) {
        *new.decor_mut() = old.decor().clone();
    }
    table.insert(key, Item::Value(new));
}

/// Removes the credential with this label; returns whether there was one.
pub(super) fn remove_credential(user: &mut dyn TableLike, label: &str) -> bool {
    remove_where(user, "credential", |credential| is(credential, "label", label)).is_some()
}

/// Allows or denies categories for a prefix, and removes what says the opposite for the same prefix.
pub(super) fn put_right(user: &mut dyn TableLike, allows: bool, categories: Categories, prefix: &[u8]) {
    let (key, opposite) = if allows { ("allow", "deny") } else { ("deny", "allow") };
    take_from_rights(user, Some(opposite), categories, prefix);
    let found = entries(user, "right").into_iter().find(|right| is_right(*right, key, prefix));
    if let Some(words) = found.and_then(|right| right.get_mut(key)?.as_array_mut()) {
        let missing = without(categories, of_words(words));
        return if of_words(words).is_empty() || categories == Categories::all() {
            *words = words_of(categories);
        } else {
            missing.iter().for_each(|category| words.push(category.name()));
        };
    }
    let mut right = Table::new();
    right.insert(key, value(words_of(categories)));
    match std::str::from_utf8(prefix) {
        Ok("") => {}
        Ok(text) => drop(right.insert("prefix", value(text))),
        Err(_) => drop(right.insert("prefix-base64", value(STANDARD.encode(prefix)))),
    }
    push(user, "right", right);
}

/// Removes what is said of categories for a prefix; returns whether something was.
pub(super) fn remove_right(user: &mut dyn TableLike, categories: Categories, prefix: &[u8]) -> bool {
    take_from_rights(user, None, categories, prefix)
}

/// Takes categories from the rights with just this prefix, and under this key if one is given.
fn take_from_rights(
    user: &mut dyn TableLike,
    only: Option<&str>,
    categories: Categories,
    prefix: &[u8],
) -> bool {
    let mut is_changed = false;
    for key in ["allow", "deny"].into_iter().filter(|key| only.is_none_or(|only| only == *key)) {
        for right in entries(user, "right").into_iter().filter(|right| is_right(*right, key, prefix)) {
            let Some(words) = right.get_mut(key).and_then(Item::as_array_mut) else { continue };
            let before = of_words(words);
            let left = without(before, categories);
            if left == before {
                continue;
            }
            is_changed = true;
            if words.iter().any(|word| word.as_str() == Some(ALL_CATEGORIES)) {
                *words = words_of(left);
            }
            let is_left = |word: &Value| {
                let said = word.as_str().and_then(Categories::of_word);
                said.is_none_or(|said| without(said, left).is_empty())
            };
            words.retain(is_left);
        }
        while remove_where(user, "right", |right| is_empty_right(right, key)).is_some() {}
    }
    is_changed
}

/// Returns whether nothing but `connection` is left, which everybody may do.
fn is_empty_right(right: &dyn TableLike, key: &str) -> bool {
    let left = right.get(key).and_then(Item::as_array).map(of_words);
    left.is_some_and(|left| left.iter().all(|category| category == Category::Connection))
}

fn is_right(right: &dyn TableLike, key: &str, prefix: &[u8]) -> bool {
    let text = |key| right.get(key).and_then(Item::as_str);
    let own = match (text("prefix"), text("prefix-base64")) {
        (Some(text), _) => Some(text.as_bytes().to_vec()),
        (None, Some(base64)) => STANDARD.decode(base64).ok(),
        (None, None) => Some(Vec::new()),
    };
    right.contains_key(key) && own.as_deref() == Some(prefix)
}

fn of_words(words: &Array) -> Categories {
    let known = words.iter().filter_map(|word| Categories::of_word(word.as_str()?));
    known.flat_map(Categories::iter).collect()
}

fn words_of(categories: Categories) -> Array {
    if categories == Categories::all() {
        return Array::from_iter([ALL_CATEGORIES]);
    }
    categories.iter().map(Category::name).collect()
}

fn without(categories: Categories, others: Categories) -> Categories {
    categories.iter().filter(|category| !others.contains(*category)).collect()
}

fn is(table: &dyn TableLike, key: &str, text: &str) -> bool {
    table.get(key).and_then(Item::as_str) == Some(text)
}

/// Returns the tables under a key.
fn entries<'t>(table: &'t mut dyn TableLike, key: &str) -> Vec<&'t mut dyn TableLike> {
    match table.get_mut(key) {
        Some(Item::ArrayOfTables(tables)) => tables.iter_mut().map(|it| it as &mut dyn TableLike).collect(),
        Some(Item::Value(Value::Array(list))) => {
            let tables = list.iter_mut().filter_map(Value::as_inline_table_mut);
            tables.map(|it| it as &mut dyn TableLike).collect()
        }
        _ => vec![],
    }
}

fn push(table: &mut dyn TableLike, key: &str, new: Table) {
    match table.get_mut(key) {
        Some(Item::ArrayOfTables(tables)) => tables.push(new),
        Some(Item::Value(Value::Array(list))) => list.push(new.into_inline_table()),
        _ => drop(table.insert(key, Item::ArrayOfTables(ArrayOfTables::from_iter([new])))),
    }
}

/// Removes the first table under a key that is meant, with the comment right above it. Comments above an empty line are
/// about the file, or whoever stood there before: they go to the next table, or are returned if there is none.
fn remove_where(
    table: &mut dyn TableLike,
    key: &str,
    is_meant: impl Fn(&dyn TableLike) -> bool,
) -> Option<String> {
    let at = entries(table, key).into_iter().position(|it| is_meant(it))?;
    let (mut above, mut is_last) = (String::new(), false);
    match table.get_mut(key)? {
        Item::ArrayOfTables(tables) => {
            above = comments_above(&tables.remove(at));
            is_last = tables.is_empty();
            if let Some(next) = tables.get_mut(at) {
                let own = next.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or("\n");
                let joined = std::mem::take(&mut above) + own;
                next.decor_mut().set_prefix(joined);
            }
        }
        Item::Value(Value::Array(list)) => {
            list.remove(at);
        }
        _ => {}
    }
    if is_last {
        table.remove(key);
    }
    Some(above)
}

/// Returns the comments above the last empty line before a table.
fn comments_above(table: &Table) -> String {
    let prefix = table.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default();
    match prefix.rsplit_once("\n\n") {
        Some((above, _)) if above.contains('#') => format!("{above}\n"),
        _ => String::new(),
    }
}

/// Returns the last position of a table in the text. A new one without a position would come before tables that
/// stand in an unusual order.
fn last_position(table: &Table) -> isize {
    let nested = table.iter().flat_map(|(_, item)| match item {
        Item::ArrayOfTables(tables) => tables.iter().map(last_position).collect(),
        Item::Table(table) => vec![last_position(table)],
        _ => vec![],
    });
    nested.chain(table.position()).max().unwrap_or(0)
}

/// Returns the date of a time, in UTC, or the last one there is.
fn datetime(time: SystemTime) -> Option<Datetime> {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().min(MAX_EXPIRY_SECONDS);
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds)).to_string().parse().ok()
}
