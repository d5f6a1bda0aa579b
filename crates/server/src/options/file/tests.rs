//! Tests of reading a configuration file.

use super::*;

fn parse(text: &str) -> ConfigFile {
    ConfigFile::parse(Path::new("f.toml"), text.as_bytes())
}

/// Parses a text whose mistakes are expected, and returns line and column of each, and its message.
fn mistakes(text: &str) -> Vec<(usize, usize, String)> {
    let problems = parse(text).problems;
    let found = problems.into_iter().map(|problem| {
        let place = problem.place.unwrap();
        (place.line, place.column, problem.message)
    });
    found.collect()
}

#[test]
fn a_mistake_is_told_with_its_place_and_what_is_expected() {
    for (text, line, column, part) in [
        ("max-connections = \"many\"", 1, 19, "expected a whole number without quotes"),
        ("max-connections = \"1000\"", 1, 19, "expected a whole number without quotes"),
        ("max-connections = 0", 1, 19, "expected a number from 1 to 1000000"),
        ("max-connections = -1", 1, 19, "expected a number from 1 to 1000000"),
        ("max-connections = 99999999999999999999", 1, 19, "expected a number from 1 to 1000000"),
        ("max-connections = 1.5", 1, 19, "found a number with a decimal point"),
        ("max-connections = true", 1, 19, "found true or false"),
        ("max-connections = 1979-05-27", 1, 19, "found a date"),
        ("max-connections = {}", 1, 19, "found a table"),
        ("\n  idle-timeout = \"60s\"", 2, 18, "a whole number of seconds without quotes and unit"),
        ("max-value-bytes = \"16XB\"", 1, 19, "expected a size from 1 to 512.0 MiB"),
        ("compact-min-bytes = [1]", 1, 21, "a text such as \"16MiB\", found an array"),
        ("fsync = \"interval:5h\"", 1, 9, "interval:100ms"),
        ("fsync = true", 1, 9, "expected a text in quotes"),
        ("wal-format = \"xml\"", 1, 14, "expected binary or json"),
        ("wal-format = 1", 1, 14, "\"binary\", \"json\""),
        ("message-level = \"loud\"", 1, 17, "expected one of off, error"),
        ("compact-ratio = 1", 1, 17, "expected a number above 1"),
        ("compact-ratio = nan", 1, 17, "expected a number above 1"),
        ("compact-ratio = \"2\"", 1, 17, "expected a number without quotes"),
        ("wal = 7", 1, 7, "expected a path in quotes"),
        ("wal = \"\"", 1, 7, "expected a path"),
        ("wal = \"a\\u0000b\"", 1, 7, "expected a path"),
        ("unix-socket = \"unix:/x\"", 1, 15, "without unix:"),
        ("bind = []", 1, 8, "leave the key out"),
        ("bind = [1]", 1, 8, "expected texts in the array, found a whole number"),
        ("bind = [\"a:1,b:2\"]", 1, 8, "make it two items"),
        ("bind = \"8080\"", 1, 8, "expected HOST:PORT"),
        ("max-conections = 1", 1, 1, "unknown key 'max-conections': did you mean 'max-connections'?"),
        ("max_connections = 1", 1, 1, "did you mean 'max-connections'?"),
        ("max_conn = 1", 1, 1, "did you mean 'max-connections'?"),
        ("RUSTVAULT_MAX_CONNECTIONS = 1", 1, 1, "did you mean 'max-connections'?"),
        ("\"--wal\" = \"x\"", 1, 1, "did you mean 'wal'?"),
        ("frobnicate = 1", 1, 1, "unknown key 'frobnicate': rustvault-server --help lists the options"),
        ("[frobnicate]\na = 1", 1, 2, "unknown table [frobnicate]"),
        ("[wal]\npath = 1", 1, 1, "invalid value for 'wal': expected a path in quotes, found a table"),
        ("wal = \"a\"\nwal = \"b\"", 2, 1, "'wal' stands twice: keep one of them"),
        ("wal = a", 1, 7, "not valid TOML: "),
        ("wal", 1, 4, "not valid TOML: "),
        ("wal = \"a", 1, 9, "not valid TOML: "),
        ("\u{feff}wal = 1", 1, 8, "expected a path in quotes"),
    ] {
        let found = mistakes(text);
        assert!(
            matches!(&found[..], [(l, c, message)] if (*l, *c) == (line, column) && message.contains(part)),
            "{text}: {found:?}"
        );
    }
}

#[test]
fn all_mistakes_are_found_at_once_and_shown_with_their_lines() {
    let file =
        parse("max-conections = 1\nidle-timeout = \"x\"\nwal = 'a\nthreads = 0\nwal-format = \"json\"\n");
    let shown: Vec<_> = file.problems.iter().map(ToString::to_string).collect();
    assert_eq!(shown.len(), 4, "{shown:#?}");
    assert_eq!(
        shown[3],
        "f.toml:4:11: invalid value for 'threads': expected a number from 1 to 1024\n  4 | threads = 0\n    |           ^"
    );
    assert!(file.entries.iter().any(|entry| entry.option.name == "wal-format"));
}

#[test]
fn values_are_those_that_flags_would_have() {
    let text = "bind = [\"a:1\", \"b:2\"]\nmax-connections = 1_000\nmax-value-bytes = \"16MiB\"\nmax-output-bytes = 0x10\n\
                compact-ratio = 2\nidle-timeout = 60\nmessage-format = \"json\" # comment\n";
    let file = parse(text);
    assert!(file.problems.is_empty(), "{:?}", file.problems);
    let found: Vec<_> =
        file.entries.iter().map(|entry| (entry.place.line, entry.value.to_str().unwrap())).collect();
    let mut expected =
        vec![(1, "a:1,b:2"), (2, "1000"), (3, "16MiB"), (4, "16"), (5, "2"), (6, "60"), (7, "json")];
    expected.sort_by_key(|(line, _)| file.entries.iter().position(|entry| entry.place.line == *line));
    assert_eq!(found, expected);
}

#[test]
fn what_may_be_a_secret_is_not_shown() {
    for text in ["passwrod-word = \"hunter2\"", "my-password = \"hunter2\"", "secret = \"hunter2\""] {
        let problems = parse(text).problems;
        assert!(problems.len() == 1 && !problems[0].to_string().contains("hunter2"), "{problems:?}");
    }
}

#[test]
fn no_text_makes_the_reader_panic() {
    for text in
        ["", "\r", "=", "[", "[[", "a.b.c = {", "\0", "\"\\", "wal = \"\"\"", "[[bind]]\n[[bind]]", "ä = ö"]
    {
        parse(text);
    }
    let deep = "[".repeat(10_000);
    assert!(!mistakes(&format!("bind = {deep}")).is_empty());
    let file = ConfigFile::parse(Path::new("f.toml"), b"wal = \"a\"\nbind = \"\xff\"\n");
    assert_eq!(file.problems[0].place.as_ref().map(|place| (place.line, place.column)), Some((2, 9)));
}

#[test]
fn what_is_no_readable_file_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |path: &Path| {
        let file = ConfigFile::read(path);
        assert_eq!(file.problems.len(), 1);
        file.problems[0].to_string()
    };
    assert!(refused(folder.path()).contains("is a folder"));
    assert!(refused(&folder.path().join("none")).contains("No such file"));
    let path = folder.path().join("large");
    std::fs::write(&path, "#".repeat(1 << 20)).unwrap();
    assert!(ConfigFile::read(&path).problems.is_empty());
    std::fs::write(&path, "#".repeat((1 << 20) + 1)).unwrap();
    assert!(refused(&path).contains("over the limit of 1048576 bytes"));
    let pipe = folder.path().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
    assert!(refused(&pipe).contains("is not a regular file"));
}

/// A large file that is none of ours must not hold up a reload.
#[test]
fn of_a_file_that_is_all_mistakes_not_all_are_looked_at() {
    let max_bytes = usize::try_from(MAX_CONFIG_FILE_BYTES).unwrap();
    let unknown: String = (0..max_bytes / 10).map(|number| format!("k{number}=1\n")).collect();
    for text in
        [unknown, "=\n".repeat(max_bytes / 2), "x y\n".repeat(max_bytes / 4), "a.".repeat(max_bytes / 2)]
    {
        let problems = parse(&text).problems.len();
        assert!((1..=2 * MAX_EXAMINED_PROBLEMS).contains(&problems), "{problems}");
    }
}

/// The answer of `CONFIG RELOAD` and `INFO` have the lines of mistakes, which more people read than the file.
#[test]
fn no_mistake_shows_a_line_that_may_have_a_secret() {
    for text in [
        "password = hunter2",
        "password = \"hunter2\"\npassword = \"hunter2\"",
        "Password: hunter2",
        "[users]\nx = { password = \"hunter2\" }",
        "x = { password = \"hunter2\" }",
        "passwords = [\n\"hunter2\"",
        "token = hunter2 # behind the word that tells it",
    ] {
        let problems = parse(text).problems;
        assert!(!problems.is_empty(), "{text}");
        for problem in problems {
            assert!(!problem.to_string().contains("hunter2"), "{problem}");
        }
    }
}
