//! Values of the configuration file, as flags would have them.

use toml::de::DeValue;

use super::{ConfigOption, OptionKind};

/// Returns the value as a flag would have it, or what is expected instead.
pub(super) fn as_flag(option: &ConfigOption, value: &DeValue<'_>) -> Result<String, String> {
    let expected = |what: &str| Err(format!("expected {what}, found {}", kind(value)));
    match (option.kind, value) {
        (OptionKind::Number | OptionKind::Seconds | OptionKind::Size, DeValue::Integer(number)) => {
            let decimal = i128::from_str_radix(number.as_str(), number.radix());
            Ok(decimal.map_or_else(|_| number.as_str().to_owned(), |number| number.to_string()))
        }
        (OptionKind::Ratio, DeValue::Integer(number)) => Ok(number.as_str().to_owned()),
        (OptionKind::Ratio, DeValue::Float(number)) => Ok(number.as_str().to_owned()),
        (OptionKind::Switch, DeValue::Boolean(value)) => Ok(value.to_string()),
        (OptionKind::List, DeValue::Array(items)) => list(items.iter().map(toml::Spanned::get_ref)),
        (
            OptionKind::Size
            | OptionKind::Text
            | OptionKind::Choice(_)
            | OptionKind::Path
            | OptionKind::List
            | OptionKind::Secret,
            DeValue::String(text),
        ) => Ok(text.as_ref().to_owned()),
        (OptionKind::Number, _) => expected("a whole number without quotes, such as 1000"),
        (OptionKind::Seconds, _) => expected("a whole number of seconds without quotes and unit, such as 60"),
        (OptionKind::Size, _) => expected("a number of bytes, or a text such as \"16MiB\""),
        (OptionKind::Ratio, _) => expected("a number without quotes, such as 2.5"),
        (OptionKind::Switch, _) => expected("true or false, without quotes"),
        (OptionKind::List, _) => expected("an array of texts, such as [\"a\", \"b\"], or one text"),
        (OptionKind::Choice(words), _) => {
            expected(&format!("a text in quotes: \"{}\"", words.join("\", \"")))
        }
        (OptionKind::Path | OptionKind::Secret, _) => expected("a path in quotes"),
        (OptionKind::Text, _) => expected("a text in quotes"),
    }
}

fn list<'a, 'i: 'a>(items: impl Iterator<Item = &'a DeValue<'i>>) -> Result<String, String> {
    let item = |item: &DeValue<'_>| match item {
        DeValue::String(text) if text.contains(',') => {
            Err("an item has a comma: make it two items".to_owned())
        }
        DeValue::String(text) => Ok(text.as_ref().to_owned()),
        other => Err(format!("expected texts in the array, found {}", kind(other))),
    };
    let items = items.map(item).collect::<Result<Vec<_>, _>>()?;
    if items.is_empty() {
        Err("the array is empty: leave the key out".to_owned())
    } else {
        Ok(items.join(","))
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a decimal point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
