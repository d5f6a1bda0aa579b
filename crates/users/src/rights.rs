//! Rights of a user: categories of commands, each by prefix of the keys. The longest prefix decides.

use std::str::FromStr;

use rustvault_protocol::Category;

use crate::similar::suggestion;

/// Longest prefix of a rule, which is the longest key.
pub const MAX_PREFIX_BYTES: usize = rustvault_protocol::limits::DEFAULT_MAX_KEY_BYTES;

/// Most rules of a user: each may be looked at for each key of a command.
pub const MAX_RULES: usize = 256;

/// Word for all categories.
pub const ALL_CATEGORIES: &str = "all";

/// Categories of commands: a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Categories(u8);

impl Categories {
    /// Contains every category.
    pub fn all() -> Self {
        Category::ALL.into_iter().collect()
    }

    /// Returns what a word of a file of users stands for: a category, or all of them.
    pub fn of_word(word: &str) -> Option<Self> {
        match word {
            ALL_CATEGORIES => Some(Self::all()),
            _ => Category::ALL.into_iter().find(|category| category.name() == word).map(|it| Self(bit(it))),
        }
    }

    /// Returns whether the category is in it.
    #[inline]
    pub const fn contains(self, category: Category) -> bool {
        self.0 & bit(category) != 0
    }

    /// Returns whether it is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns its categories, in the order of [`Category::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Category> {
        Category::ALL.into_iter().filter(move |category| self.contains(*category))
    }
}

impl FromIterator<Category> for Categories {
    fn from_iter<T: IntoIterator<Item = Category>>(categories: T) -> Self {
        Self(categories.into_iter().fold(0, |bits, category| bits | bit(category)))
    }
}

impl FromStr for Categories {
    type Err = UnknownCategory;

    /// Reads words that are separated by commas.
    fn from_str(words: &str) -> Result<Self, UnknownCategory> {
        let of_word = |word| Self::of_word(word).ok_or_else(|| UnknownCategory::new(word));
        let found: Vec<Self> = words.split(',').map(of_word).collect::<Result<_, _>>()?;
        Ok(found.into_iter().flat_map(Self::iter).collect())
    }
}

/// Word that is no category of commands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown category '{}' of commands: {suggestion}", word.escape_debug())]
pub struct UnknownCategory {
    word: String,
    suggestion: String,
}

impl UnknownCategory {
    pub(crate) fn new(word: &str) -> Self {
        let known: Vec<_> = Category::ALL.into_iter().map(Category::name).chain([ALL_CATEGORIES]).collect();
        Self { word: word.to_owned(), suggestion: suggestion(word, &known) }
    }
}

const fn bit(category: Category) -> u8 {
    1 << category as u8
}

/// A rule: allows or denies categories of commands on the keys with a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RightsRule {
    /// Set if the rule allows, unset if it denies.
    pub allows: bool,
    /// The categories that it is about; at least one.
    pub categories: Categories,
    /// The prefix of the keys that it is about; empty for all keys and for commands on none.
    pub prefix: Vec<u8>,
}

/// Reason why rules are no rights.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RightsError {
    /// A rule names no category.
    #[error("a right names no category of commands")]
    NoCategory,
    /// There are too many rules.
    #[error("more than {MAX_RULES} rights of one user")]
    TooManyRules,
    /// A category whose commands have no keys is restricted to a prefix.
    #[error("commands of the category '{}' have no keys: put it into a right without a prefix", category.name())]
    PrefixWithoutKeys {
        /// The category.
        category: Category,
    },
    /// A prefix is longer than a key can be.
    #[error("a prefix of {len_bytes} bytes is over the limit of {MAX_PREFIX_BYTES}")]
    LongPrefix {
        /// Its length.
        len_bytes: usize,
    },
    /// Two rules contradict each other.
    #[error("the category '{}' is both allowed and denied for the same prefix", category.name())]
    Contradiction {
        /// The category.
        category: Category,
    },
}

/// What a user may do; nothing unless a rule allows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rights {
    rules: Vec<RightsRule>,
    /// The rules of each category, by its number: prefixes and whether they allow, longest first.
    prefix_rules: [Vec<(Vec<u8>, bool)>; Category::ALL.len()],
    /// The categories that are allowed on every key.
    everywhere: Categories,
    /// The categories that are allowed on some key.
    somewhere: Categories,
}

/// Keys with a prefix that a category is allowed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AllowedKeys<'r> {
    /// All of them.
    All,
    /// None of them.
    None,
    /// Those that these rules allow: prefixes, the longest first, and whether they allow.
    Some(&'r [(Vec<u8>, bool)]),
}

impl Rights {
    /// Allows everything.
    pub fn all() -> Self {
        let rule = RightsRule { allows: true, categories: Categories::all(), prefix: Vec::new() };
        Self::new(vec![rule]).unwrap_or_default()
    }

    /// Makes rights of rules, in any order.
    ///
    /// # Errors
    /// A rule is empty, too long or without meaning, or two contradict each other.
    pub fn new(rules: Vec<RightsRule>) -> Result<Self, RightsError> {
        let mut rights = Self::default();
        for rule in rules {
            rights.add(rule)?;
        }
        Ok(rights)
    }

    /// Adds a rule.
    ///
    /// # Errors
    /// It is empty, too long or without meaning, or contradicts another one; the rights are then as they were.
    pub fn add(&mut self, rule: RightsRule) -> Result<(), RightsError> {
        self.check(&rule)?;
        for category in rule.categories.iter() {
            let prefix_rules = &mut self.prefix_rules[category as usize];
            if !prefix_rules.iter().any(|(prefix, _)| *prefix == rule.prefix) {
                let at = prefix_rules.partition_point(|(prefix, _)| prefix.len() > rule.prefix.len());
                prefix_rules.insert(at, (rule.prefix.clone(), rule.allows));
            }
        }
        self.rules.push(rule);
        self.everywhere = self.categories(|prefix_rules| {
            prefix_rules.last().is_some_and(|(prefix, _)| prefix.is_empty())
                && prefix_rules.iter().all(|(_, allows)| *allows)
        });
        self.somewhere = self.categories(|prefix_rules| prefix_rules.iter().any(|(_, allows)| *allows));
        Ok(())
    }

    /// Returns the categories whose rules are such.
    fn categories(&self, are_such: impl Fn(&[(Vec<u8>, bool)]) -> bool) -> Categories {
        Category::ALL.into_iter().filter(|category| are_such(self.prefix_rules(*category))).collect()
    }

    fn check(&self, rule: &RightsRule) -> Result<(), RightsError> {
        if rule.categories.is_empty() {
            return Err(RightsError::NoCategory);
        }
        if rule.prefix.len() > MAX_PREFIX_BYTES {
            return Err(RightsError::LongPrefix { len_bytes: rule.prefix.len() });
        }
        if self.rules.len() == MAX_RULES {
            return Err(RightsError::TooManyRules);
        }
        for category in rule.categories.iter() {
            if !category.has_keys() && !rule.prefix.is_empty() {
                return Err(RightsError::PrefixWithoutKeys { category });
            }
            let mut prefix_rules = self.prefix_rules[category as usize].iter();
            if prefix_rules.any(|(prefix, allows)| *prefix == rule.prefix && *allows != rule.allows) {
                return Err(RightsError::Contradiction { category });
            }
        }
        Ok(())
    }

    /// Returns the rules, as they were given.
    pub fn rules(&self) -> &[RightsRule] {
        &self.rules
    }

    /// Returns whether commands of this category are allowed on this key.
    #[inline]
    pub fn allow_key(&self, category: Category, key: &[u8]) -> bool {
        let prefix_rules = &self.prefix_rules[category as usize];
        prefix_rules.iter().find(|(prefix, _)| key.starts_with(prefix)).is_some_and(|(_, allows)| *allows)
    }

    /// Returns whether commands of this category are allowed on every key, and so those that name none.
    #[inline]
    pub const fn allow_all_keys(&self, category: Category) -> bool {
        self.everywhere.contains(category)
    }

    /// Returns whether commands of this category are allowed on some key.
    #[inline]
    pub const fn allow_some_key(&self, category: Category) -> bool {
        self.somewhere.contains(category)
    }

    /// Returns which of the keys that start with `prefix` commands of this category are allowed on.
    pub fn allowed_keys(&self, category: Category, prefix: &[u8]) -> AllowedKeys<'_> {
        let prefix_rules = self.prefix_rules(category);
        let allows = self.allow_key(category, prefix);
        let differs =
            |(inner, inner_allows): &(Vec<u8>, bool)| *inner_allows != allows && inner.starts_with(prefix);
        match prefix_rules.iter().any(differs) {
            true => AllowedKeys::Some(prefix_rules),
            false if allows => AllowedKeys::All,
            false => AllowedKeys::None,
        }
    }

    /// Returns the rules of this category: prefixes and whether they allow, longest first.
    pub fn prefix_rules(&self, category: Category) -> &[(Vec<u8>, bool)] {
        &self.prefix_rules[category as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(allows: bool, categories: &[Category], prefix: &str) -> RightsRule {
        let categories = categories.iter().copied().collect();
        RightsRule { allows, categories, prefix: prefix.as_bytes().to_vec() }
    }

    #[test]
    fn the_longest_prefix_decides() {
        use Category::{Admin, Read, Write};
        let rights = Rights::new(vec![
            rule(true, &[Read, Write], "app:"),
            rule(false, &[Write], "app:locked:"),
            rule(true, &[Write], "app:locked:mine:"),
        ]);
        let rights = rights.unwrap();
        for (category, key, allowed) in [
            (Read, "app:1", true),
            (Read, "app:locked:1", true),
            (Write, "app:1", true),
            (Write, "app:locked:1", false),
            (Write, "app:locked:mine:1", true),
            (Read, "app", false),
            (Write, "", false),
            (Admin, "app:1", false),
        ] {
            assert_eq!(rights.allow_key(category, key.as_bytes()), allowed, "{category:?} {key}");
        }
        assert!(!rights.allow_all_keys(Read) && rights.allow_some_key(Read) && !rights.allow_some_key(Admin));
    }

    #[test]
    fn all_keys_are_allowed_only_without_a_denied_prefix() {
        use Category::Write;
        assert!(Rights::all().allow_all_keys(Write));
        let rules = vec![rule(true, &[Write], ""), rule(false, &[Write], "x")];
        assert!(!Rights::new(rules).unwrap().allow_all_keys(Write));
        assert!(!Rights::default().allow_all_keys(Write));
    }

    #[test]
    fn a_prefix_is_allowed_as_a_whole_in_part_or_not_at_all() {
        use Category::Read;
        let prefix_rules = [rule(true, &[Read], "app:"), rule(false, &[Read], "app:locked:")];
        let rights = Rights::new(prefix_rules.to_vec()).unwrap();
        let of = |prefix: &str| match rights.allowed_keys(Read, prefix.as_bytes()) {
            AllowedKeys::All => "all",
            AllowedKeys::None => "none",
            AllowedKeys::Some(rules) => {
                assert_eq!(rules, rights.prefix_rules(Read));
                "some"
            }
        };
        for (prefix, expected) in [
            ("", "some"),
            ("a", "some"),
            ("app:", "some"),
            ("app:l", "some"),
            ("app:x", "all"),
            ("app:locked:", "none"),
            ("app:locked:x", "none"),
            ("b", "none"),
        ] {
            assert_eq!(of(prefix), expected, "{prefix}");
        }
        assert_eq!(Rights::all().allowed_keys(Read, b""), AllowedKeys::All);
        assert_eq!(Rights::default().allowed_keys(Read, b""), AllowedKeys::None);
    }

    #[test]
    fn rules_without_meaning_are_refused() {
        use Category::{Admin, Read};
        assert_eq!(Rights::new(vec![rule(true, &[], "")]), Err(RightsError::NoCategory));
        let refused = Rights::new(vec![rule(true, &[Admin], "a:")]);
        assert_eq!(refused, Err(RightsError::PrefixWithoutKeys { category: Admin }));
        let refused = Rights::new(vec![rule(true, &[Read], "a:"), rule(false, &[Read], "a:")]);
        assert_eq!(refused, Err(RightsError::Contradiction { category: Read }));
        let many = (0..=MAX_RULES).map(|number| rule(true, &[Read], &number.to_string()));
        assert_eq!(Rights::new(many.collect()), Err(RightsError::TooManyRules));
    }
}
