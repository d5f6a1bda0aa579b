//! Users as people and programs read them.

use std::time::SystemTime;

use rustvault_users::{ALL_CATEGORIES, Categories, Credential, RightsRule, User};
use serde_json::{Map, Value, json};

use crate::escape::{is_printable, quoted};
use crate::reply::insert_bytes;

/// Returns the lines on a user: the name, then credentials and rights.
pub(super) fn lines(user: &User, now: SystemTime) -> Vec<String> {
    let credentials = user.credentials.iter().map(|credential| credential_line(credential, now));
    let mut lines: Vec<_> = [user.name.clone()].into_iter().chain(credentials).collect();
    lines.extend(rights_lines(user));
    lines
}

/// Returns a line for each right.
pub(super) fn rights_lines(user: &User) -> Vec<String> {
    let rules = user.rights.rules();
    if rules.is_empty() { vec!["  no rights".to_owned()] } else { rules.iter().map(rule_line).collect() }
}

fn credential_line(credential: &Credential, now: SystemTime) -> String {
    let expiry = match expiry(credential) {
        Some(date) if credential.is_valid_at(now) => format!("until {date}"),
        Some(date) => format!("expired {date}"),
        None => "does not expire".to_owned(),
    };
    format!("  {:<9} {:<12} {expiry}", kind(credential), credential.label)
}

fn rule_line(rule: &RightsRule) -> String {
    let verdict = if rule.allows { "allow" } else { "deny" };
    let prefix = match &rule.prefix[..] {
        prefix if prefix.is_empty() || is_printable(prefix) && !prefix.contains(&b' ') => {
            String::from_utf8_lossy(prefix).into_owned()
        }
        prefix => String::from_utf8_lossy(&quoted(prefix)).into_owned(),
    };
    format!("  {verdict:<9} {:<12} {prefix}", words(rule.categories)).trim_end().to_owned()
}

/// Returns the words of categories, as they are typed.
fn words(categories: Categories) -> String {
    if categories == Categories::all() {
        return ALL_CATEGORIES.to_owned();
    }
    categories.iter().map(|category| category.name()).collect::<Vec<_>>().join(",")
}

fn kind(credential: &Credential) -> &'static str {
    if credential.is_password() { "password" } else { "token" }
}

fn expiry(credential: &Credential) -> Option<String> {
    credential.expires.map(|time| humantime::format_rfc3339_seconds(time).to_string())
}

/// Returns a user as an object, without its secrets.
pub(super) fn object(user: &User, now: SystemTime) -> Value {
    let credentials: Vec<_> = user.credentials.iter().map(|it| credential_object(it, now)).collect();
    json!({"user": user.name, "credentials": credentials, "rights": rights(user)})
}

/// Returns the rights of a user as a list.
pub(super) fn rights(user: &User) -> Value {
    user.rights.rules().iter().map(rule_object).collect()
}

fn credential_object(credential: &Credential, now: SystemTime) -> Value {
    json!({
        "label": credential.label,
        "kind": kind(credential),
        "expires": expiry(credential),
        "expired": !credential.is_valid_at(now),
    })
}

fn rule_object(rule: &RightsRule) -> Value {
    let names: Vec<_> = rule.categories.iter().map(|category| category.name()).collect();
    let mut object = Map::new();
    object.insert(if rule.allows { "allow" } else { "deny" }.to_owned(), json!(names));
    insert_bytes(&mut object, "prefix", &rule.prefix);
    Value::Object(object)
}
