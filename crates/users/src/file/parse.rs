//! Makes users of the tables of the file, and collects what is wrong with them.

use std::collections::HashMap;
use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustvault_protocol::Category;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::dates::system_time;
use super::mistakes::{MistakeList, Mistakes};
use crate::credential::check_hash;
use crate::similar::suggestion;
use crate::user::{MAX_NAME_BYTES, MAX_USER_CREDENTIALS, MAX_USER_PASSWORDS, MAX_USERS, is_label, is_name};
use crate::{
    Categories, Credential, MAX_LABEL_BYTES, Rights, RightsRule, Secret, UnknownCategory, User, Users,
};

const TOP_KEYS: [&str; 1] = ["user"];
const USER_KEYS: [&str; 3] = ["name", "credential", "right"];
const CREDENTIAL_KEYS: [&str; 4] = ["label", "password", "token-sha256", "expires"];
const RIGHT_KEYS: [&str; 4] = ["allow", "deny", "prefix", "prefix-base64"];

type SpannedValue<'i> = Spanned<DeValue<'i>>;

/// Names or labels, and where they stand.
type Places = HashMap<String, usize>;

/// Makes users of a text.
///
/// # Errors
/// All mistakes in it.
pub(super) fn parse(text: &str) -> Result<Users, Mistakes> {
    let mut parser = Parser { mistakes: MistakeList::new(text) };
    let (document, errors) = DeTable::parse_recoverable(text);
    errors.iter().for_each(|error| parser.mistakes.syntax(error));
    let users = Users::new(parser.users(document.get_ref()));
    if let Err(error) = &users
        && parser.mistakes.is_empty()
    {
        parser.mistakes.wrong(0..0, error);
    }
    parser.mistakes.finish().map_or_else(|| Ok(users.unwrap_or_default()), Err)
}

/// A text that is being read.
struct Parser<'a> {
    mistakes: MistakeList<'a>,
}

impl Parser<'_> {
    fn users(&mut self, document: &DeTable<'_>) -> Vec<User> {
        self.check_keys(document, &TOP_KEYS, "the file");
        let tables = self.tables(document, "user").unwrap_or_default();
        if let Some((at, _)) = tables.get(MAX_USERS) {
            self.mistakes.wrong(at.clone(), format_args!("more than {MAX_USERS} users"));
            return vec![];
        }
        let mut names = Places::new();
        tables.into_iter().filter_map(|(at, table)| self.user(at, table, &mut names)).collect()
    }

    fn user(&mut self, at: Range<usize>, table: &DeTable<'_>, names: &mut Places) -> Option<User> {
        self.check_keys(table, &USER_KEYS, "a user");
        let name = self.name(at, table, names);
        let credentials = self.credentials(table);
        let rights = self.rights(table);
        Some(User { name: name?, credentials, rights })
    }

    fn name(&mut self, at: Range<usize>, table: &DeTable<'_>, names: &mut Places) -> Option<String> {
        let Some(value) = table.get("name") else {
            self.mistakes.missing(at, "this user has no name: add name = \"…\"");
            return None;
        };
        let name = self.text(value, "a name")?;
        if !is_name(name) {
            let form = format!("a name has 1 to {MAX_NAME_BYTES} characters of ASCII, without spaces");
            self.mistakes.wrong(value.span(), form);
            return None;
        }
        self.is_new(value, name, names, "user").then(|| name.to_owned())
    }

    fn credentials(&mut self, table: &DeTable<'_>) -> Vec<Credential> {
        let tables = self.tables(table, "credential").unwrap_or_default();
        let (mut labels, mut passwords) = (Places::new(), 0);
        let mut credentials = Vec::new();
        for (number, (at, table)) in tables.into_iter().enumerate() {
            if number == MAX_USER_CREDENTIALS {
                let many = format!(
                    "more than {MAX_USER_CREDENTIALS} credentials of one user: remove those that have expired"
                );
                self.mistakes.wrong(at, many);
                break;
            }
            passwords += usize::from(table.contains_key("password"));
            if passwords == MAX_USER_PASSWORDS + 1 && table.contains_key("password") {
                let many = format!(
                    "more than {MAX_USER_PASSWORDS} passwords of one user: every login is compared with each"
                );
                self.mistakes.wrong(at.clone(), many);
            }
            credentials.extend(self.credential(at, table, &mut labels));
        }
        credentials
    }

    fn credential(
        &mut self,
        at: Range<usize>,
        table: &DeTable<'_>,
        labels: &mut Places,
    ) -> Option<Credential> {
        self.check_keys(table, &CREDENTIAL_KEYS, "a credential");
        let label = match table.get("label") {
            Some(label) => self.label(label, labels),
            None => {
                self.mistakes.missing(
                    at.clone(),
                    "this credential has no label: add label = \"…\", a name for people",
                );
                None
            }
        };
        let secret = match (table.get("password"), table.get("token-sha256")) {
            (Some(hash), None) => self.password(hash),
            (None, Some(hash)) => self.token(hash),
            (Some(_), Some(token)) => {
                self.mistakes
                    .wrong(token.span(), "a credential is either a password or a token: make two of it");
                None
            }
            (None, None) => {
                self.mistakes.missing(at, "this credential has neither password nor token-sha256");
                None
            }
        };
        let expires = match table.get("expires") {
            Some(date) => Some(self.date(date)?),
            None => None,
        };
        Some(Credential { label: label?, secret: secret?, expires })
    }

    fn label(&mut self, value: &SpannedValue<'_>, labels: &mut Places) -> Option<String> {
        let label = self.text(value, "a label")?;
        if !is_label(label) {
            let form = format!("a label has 1 to {MAX_LABEL_BYTES} bytes, and no control characters");
            self.mistakes.wrong(value.span(), form);
            return None;
        }
        self.is_new(value, label, labels, "label").then(|| label.to_owned())
    }

    fn password(&mut self, value: &SpannedValue<'_>) -> Option<Secret> {
        let hash = self.text(value, "a hash")?;
        match check_hash(hash) {
            Ok(()) => Some(Secret::Password(hash.to_owned())),
            Err(error) => {
                let what = format!("{error}; 'rustvault-cli user passwd' writes one");
                self.mistakes.wrong(value.span(), what);
                None
            }
        }
    }

    fn token(&mut self, value: &SpannedValue<'_>) -> Option<Secret> {
        let hex = self.text(value, "a hash")?;
        let hash = parse_hex(hex);
        if hash.is_none() {
            let form =
                "the SHA-256 of a token has 64 hexadecimal digits; 'rustvault-cli user token' makes one";
            self.mistakes.wrong(value.span(), form);
        }
        hash.map(Secret::Token)
    }

    fn date(&mut self, value: &SpannedValue<'_>) -> Option<std::time::SystemTime> {
        let DeValue::Datetime(date) = value.get_ref() else {
            let form = "expected a date without quotes, such as 2027-01-01T00:00:00Z";
            self.mistakes.wrong(value.span(), form);
            return None;
        };
        system_time(date).map_err(|reason| self.mistakes.wrong(value.span(), reason)).ok()
    }

    fn rights(&mut self, table: &DeTable<'_>) -> Rights {
        let mut rights = Rights::default();
        for (at, table) in self.tables(table, "right").unwrap_or_default() {
            let Some(rule) = self.right(at.clone(), table) else { continue };
            if let Err(error) = rights.add(rule) {
                self.mistakes.wrong(at, error);
            }
        }
        rights
    }

    fn right(&mut self, at: Range<usize>, table: &DeTable<'_>) -> Option<RightsRule> {
        self.check_keys(table, &RIGHT_KEYS, "a right");
        let (allows, words) = match (table.get("allow"), table.get("deny")) {
            (Some(words), None) => (true, Some(words)),
            (None, Some(words)) => (false, Some(words)),
            (Some(_), Some(deny)) => {
                self.mistakes.wrong(deny.span(), "a right either allows or denies: make two of it");
                (true, None)
            }
            (None, None) => {
                let form = "this right has neither allow nor deny: add allow = [\"read\", \"write\"]";
                self.mistakes.missing(at, form);
                (true, None)
            }
        };
        let categories = words.and_then(|words| self.categories(words, allows));
        let prefix = match (table.get("prefix"), table.get("prefix-base64")) {
            (None, None) => Some(Vec::new()),
            (Some(text), None) => self.text(text, "a prefix").map(|text| text.as_bytes().to_vec()),
            (None, Some(text)) => self.base64(text),
            (Some(_), Some(base64)) => {
                self.mistakes.wrong(base64.span(), "a right has either prefix or prefix-base64");
                None
            }
        };
        Some(RightsRule { allows, categories: categories?, prefix: prefix? })
    }

    fn categories(&mut self, value: &SpannedValue<'_>, allows: bool) -> Option<Categories> {
        let DeValue::Array(words) = value.get_ref() else {
            let form = format!(
                "expected a list of categories, such as [\"read\", \"write\"], found {}",
                kind(value)
            );
            self.mistakes.wrong(value.span(), form);
            return None;
        };
        let mut categories = Some(Categories::default());
        for word in words.iter() {
            let found = self.text(word, "a category").and_then(|name| {
                let found = Categories::of_word(name);
                if found.is_none() {
                    self.mistakes.wrong(word.span(), UnknownCategory::new(name));
                }
                found
            });
            let is_connection = found == Some([Category::Connection].into_iter().collect());
            if is_connection && !allows {
                let granted =
                    "the category 'connection' is granted to whoever has logged in, and cannot be denied";
                self.mistakes.wrong(word.span(), granted);
            }
            categories = categories.zip(found).map(|(all, more)| all.iter().chain(more.iter()).collect());
        }
        categories
    }

    fn base64(&mut self, value: &SpannedValue<'_>) -> Option<Vec<u8>> {
        let text = self.text(value, "a prefix")?;
        let decoded = STANDARD.decode(text);
        decoded.map_err(|_| self.mistakes.wrong(value.span(), "expected base64 (RFC 4648, padded)")).ok()
    }

    /// Returns the tables of a key: `[[…]]` or a list of `{ … }`.
    fn tables<'d, 'i>(
        &mut self,
        table: &'d DeTable<'i>,
        key: &str,
    ) -> Option<Vec<(Range<usize>, &'d DeTable<'i>)>> {
        let value = table.get(key)?;
        let form = format!(
            "expected tables, each under a heading [[{}]]",
            if key == "user" { "user".to_owned() } else { format!("user.{key}") }
        );
        let DeValue::Array(items) = value.get_ref() else {
            self.mistakes.wrong(value.span(), form);
            return None;
        };
        let mut tables = Vec::new();
        for item in items.iter() {
            match item.get_ref() {
                DeValue::Table(table) => tables.push((item.span(), table)),
                _ => self.mistakes.wrong(item.span(), &form),
            }
        }
        Some(tables)
    }

    fn text<'d>(&mut self, value: &'d SpannedValue<'_>, what: &str) -> Option<&'d str> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.mistakes.wrong(value.span(), format_args!("{what} stands in quotes, found {}", kind(value)));
        }
        text
    }

    fn check_keys(&mut self, table: &DeTable<'_>, known: &[&str], of: &str) {
        for key in table.keys().filter(|key| !known.contains(&&**key.get_ref())) {
            self.mistakes.wrong(key.span(), unknown_key(key.get_ref(), known, of));
        }
    }

    /// Notes a name that was there already.
    fn is_new(&mut self, value: &SpannedValue<'_>, name: &str, seen: &mut Places, what: &str) -> bool {
        match seen.get(name) {
            Some(first) => {
                let (line, _) = self.mistakes.place(*first);
                let reason =
                    format!("the {what} '{name}' is there already, in line {line}: remove or rename one");
                self.mistakes.wrong(value.span(), reason);
                false
            }
            None => {
                seen.insert(name.to_owned(), value.span().start);
                true
            }
        }
    }
}

fn unknown_key(key: &str, known: &[&str], of: &str) -> String {
    format!("unknown key '{}' of {of}: {}", key.escape_debug(), suggestion(key, known))
}

fn kind(value: &SpannedValue<'_>) -> &'static str {
    match value.get_ref() {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn parse_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let digits = text.as_bytes();
    if digits.len() != 2 * bytes.len() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        for digit in pair {
            *byte = *byte << 4 | u8::try_from(char::from(*digit).to_digit(16)?).ok()?;
        }
    }
    Some(bytes)
}
