//! Options as arguments of a command line.

use std::ffi::{OsStr, OsString};
use std::sync::LazyLock;

use clap::builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser, ValueParser};
use clap::{Arg, ArgAction};

use super::{ConfigOption, OPTION_GROUPS, OptionKind, defaults, options};

/// Variable with the path of the configuration file.
pub const CONFIG_FILE_VARIABLE: &str = "RUSTVAULT_CONFIG";

/// Name of the argument for the configuration file.
pub(super) const CONFIG_FILE_FLAG: &str = "config";

const CONFIG_FILE_HELP: &str = "Path of a configuration file in TOML, whose keys are the names of these options; flags and \
     variables count more than the file [default: none]";

/// Flags that had another name before, by their present name.
const OLD_FLAGS: [(&str, &str); 2] = [("message-format", "log-format"), ("message-level", "log-level")];

/// Default values as help shows them, in the order of the options.
static DEFAULTS: LazyLock<Vec<String>> =
    LazyLock::new(|| options().map(|option| option.get(&defaults())).collect());

/// Flags of secrets, in the order of the options; other options have their own.
static FLAGS: LazyLock<Vec<String>> = LazyLock::new(|| {
    options()
        .map(|option| match option.kind {
            OptionKind::Secret => format!("{}-file", option.flag),
            _ => option.flag.to_owned(),
        })
        .collect()
});

/// Variables of secrets' files, in the order of the options; other options have their own.
static VARIABLES: LazyLock<Vec<String>> = LazyLock::new(|| {
    options()
        .map(|option| match option.kind {
            OptionKind::Secret => format!("{}_FILE", option.variable),
            _ => option.variable.to_owned(),
        })
        .collect()
});

/// Returns an argument for each option, whose id is the option's name, and `--config`. They read no variables.
///
/// [`ConfigLayers::new`](super::ConfigLayers::new) takes what they parse.
pub fn arguments() -> impl Iterator<Item = Arg> {
    let config = Arg::new(CONFIG_FILE_FLAG)
        .long(CONFIG_FILE_FLAG)
        .value_name("FILE")
        .value_parser(OsStringValueParser::new())
        .global(true)
        .help(CONFIG_FILE_HELP)
        .long_help(CONFIG_FILE_HELP);
    let headings = OPTION_GROUPS.iter().flat_map(|group| group.options.iter().map(|_| group.title));
    let rows = options().zip(headings).zip(&*FLAGS).zip(&*DEFAULTS);
    let rows = rows
        .map(|(((option, heading), flag), default)| argument(option, flag, default).help_heading(heading));
    std::iter::once(config).chain(rows)
}

/// Adds the variables of the options to an argument, for help: it shows their present values.
///
/// A variable that is set gives no value this way: `ConfigLayers` reads variables, and reports all mistakes in them at once.
pub fn with_variable(arg: Arg) -> Arg {
    if arg.get_id() == CONFIG_FILE_FLAG {
        return arg.env(CONFIG_FILE_VARIABLE);
    }
    match options().zip(&*VARIABLES).find(|(option, _)| arg.get_id() == option.name) {
        Some((_, variable)) => arg.env(variable.as_str()),
        None => arg,
    }
}

fn argument(option: &'static ConfigOption, flag: &'static str, default: &'static str) -> Arg {
    let old_flag = OLD_FLAGS.iter().find(|(new, _)| option.flag == *new).map(|(_, old)| *old);
    let arg = Arg::new(option.name)
        .long(flag)
        .value_name(option.value_name)
        .value_parser(parser(option))
        .help(help(option, default))
        // Then --help has paragraphs, and -h lines.
        .long_help(help(option, default))
        .global(true);
    let arg = if let Some(old_flag) = old_flag { arg.alias(old_flag) } else { arg };
    let arg = if default.is_empty() || option.kind == OptionKind::Secret {
        arg
    } else {
        arg.default_value(default)
    };
    match option.kind {
        OptionKind::List => arg.action(ArgAction::Append).value_delimiter(','),
        OptionKind::Switch => arg.num_args(0..=1).require_equals(true).default_missing_value("true"),
        _ => arg,
    }
}

fn help(option: &ConfigOption, default: &str) -> String {
    let mut help = option.help.to_owned();
    if option.kind == OptionKind::Secret {
        help += &format!(
            ". The flag has the path of its file; the variable {} has the secret itself",
            option.variable
        );
    }
    match option.default.filter(|_| default.is_empty()) {
        Some(words) => format!("{help} [default: {words}]"),
        None => help,
    }
}

/// Returns a parser that checks a value and leaves it as it is: what counts is known once all layers are read.
fn parser(option: &'static ConfigOption) -> ValueParser {
    match option.kind {
        OptionKind::Choice(words) => PossibleValuesParser::new(words).map(OsString::from).into(),
        OptionKind::Switch => PossibleValuesParser::new(["true", "false"]).map(OsString::from).into(),
        OptionKind::Secret => OsStringValueParser::new().into(),
        _ => OsStringValueParser::new().try_map(|value| check(option, &value).map(|()| value)).into(),
    }
}

fn check(option: &ConfigOption, value: &OsStr) -> Result<(), String> {
    option.set(&mut defaults(), value)
}
