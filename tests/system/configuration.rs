//! The configuration of a daemon: which value counts, what is refused, and what is shown.

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use rustvault_tests::Launch;
use serde_json::Value;

/// A folder with a configuration file, and the daemon that reads it.
struct Setup {
    launch: Launch,
    file: PathBuf,
}

impl Setup {
    fn new(contents: impl AsRef<[u8]>) -> Self {
        let launch = Launch::new();
        let file = launch.folder().join("rustvault.toml");
        fs::write(&file, contents).unwrap();
        Self { launch, file }
    }

    /// Runs the daemon's program in the folder, which ends by itself.
    fn run(&self, variables: &[(&str, &str)], args: &str) -> Output {
        let mut command = self.launch.program_command();
        command.current_dir(self.launch.folder()).envs(variables.iter().copied());
        command.args(args.split_whitespace()).output().unwrap()
    }

    /// Returns the lines of `config show --origin`, without the spaces between value and origin.
    fn shown(&self, variables: &[(&str, &str)], args: &str) -> Vec<String> {
        let output = self.run(variables, &format!("config show --origin {args}"));
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_flag_counts_more_than_a_variable_and_a_variable_more_than_the_file() {
    let setup = Setup::new("max-connections = 1\n\nidle-timeout = 10\nbind = ['127.0.0.1:0']\n");
    const VARIABLE: (&str, &str) = ("RUSTVAULT_MAX_CONNECTIONS", "2");
    let config = ("RUSTVAULT_CONFIG", "rustvault.toml");
    for (variables, args, line) in [
        (&[][..], "", "max-connections = 1000 # default"),
        (&[], "--config rustvault.toml", "max-connections = 1 # rustvault.toml:1"),
        (&[], "--config rustvault.toml", "idle-timeout = 10 # rustvault.toml:3"),
        (&[config], "", "max-connections = 1 # rustvault.toml:1"),
        (
            &[("RUSTVAULT_CONFIG", "none.toml")],
            "--config rustvault.toml",
            "max-connections = 1 # rustvault.toml:1",
        ),
        (&[VARIABLE], "", "max-connections = 2 # RUSTVAULT_MAX_CONNECTIONS"),
        (&[VARIABLE, config], "", "max-connections = 2 # RUSTVAULT_MAX_CONNECTIONS"),
        (&[VARIABLE, config], "", "idle-timeout = 10 # rustvault.toml:3"),
        (&[("RUSTVAULT_MAX_CONNECTIONS", ""), config], "", "max-connections = 1 # rustvault.toml:1"),
        (&[VARIABLE, config], "--max-connections 3", "max-connections = 3 # --max-connections"),
        (&[config], "--max-connections 1000", "max-connections = 1000 # --max-connections"),
        (&[("RUSTVAULT_LOG_LEVEL", "off"), config], "", "message-level = \"off\" # RUSTVAULT_LOG_LEVEL"),
        (&[config], "--log-level off", "message-level = \"off\" # --message-level"),
        (&[config], "--bind a:1,b:2 --bind c:3", "bind = [\"a:1\", \"b:2\", \"c:3\"] # --bind"),
    ] {
        let shown = setup.shown(variables, args);
        assert!(shown.iter().any(|shown| shown == line), "{variables:?} {args}: no {line} in {shown:#?}");
    }
}

#[test]
fn a_daemon_runs_as_its_file_says() {
    let setup = Setup::new("max-connections = 1\nfsync = \"interval:100ms\"\nmessage-format = \"json\"\n");
    let launch = setup.launch.clone().with_args("--config").with_args(setup.file.to_str().unwrap());
    let daemon = launch.start();
    let line: Value = serde_json::from_str(daemon.ready_line()).unwrap();
    assert_eq!(line["fields"]["fsync"], "interval:100ms", "{line}");
    let _only = daemon.wire();
    assert!(daemon.wire().rest().starts_with("ERROR TOO_MANY_CONNECTIONS "));
}

#[test]
fn all_mistakes_of_file_and_variables_are_told_at_once_with_place_line_and_remedy() {
    let setup = Setup::new("max-conections = 5\nwal = 'a\n\n[tsl]\ncert = 'x'\n");
    let variables = [("RUSTVAULT_THREADS", "0"), ("RUSTVAULT_FSYNC", "sometimes")];
    for args in ["", "--check-config", "config show"] {
        let output = setup.run(&variables, &format!("--config rustvault.toml {args}"));
        let text = stderr(&output);
        assert!(output.status.code() == Some(2) && output.stdout.is_empty(), "{args}: {output:?}");
        for part in [
            "rustvault-server: error: rustvault.toml:1:1: unknown key 'max-conections': did you mean 'max-connections'?\n",
            "\n  1 | max-conections = 5\n    | ^^^^^^^^^^^^^^\n",
            "rustvault.toml:2:9: not valid TOML: ",
            "rustvault.toml:4:2: unknown table [tsl]",
            "invalid value '0' for RUSTVAULT_THREADS (--threads <N>): expected a number from 1 to 1024",
            "RUSTVAULT_FSYNC",
        ] {
            assert!(text.contains(part), "{args}: no {part:?} in {text}");
        }
        assert_eq!(text.matches("rustvault-server: error: ").count(), 5, "{text}");
        assert!(!setup.launch.wal().exists(), "{args}: the log was touched");
    }
    let output = setup.run(&[("RUSTVAULT_MESSAGE_FORMAT", "json")], "--config rustvault.toml");
    for line in stderr(&output).lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(line["fields"]["message"].as_str().unwrap().contains("rustvault.toml:"), "{line}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_refused_with_2() {
    let setup = Setup::new(b"wal = 'a'\n\xff\n");
    fs::write(setup.launch.folder().join("large.toml"), "#".repeat((1 << 20) + 1)).unwrap();
    fs::create_dir(setup.launch.folder().join("folder")).unwrap();
    for (file, part) in [
        ("rustvault.toml", "rustvault.toml:2:1: the file is not valid UTF-8"),
        ("none.toml", "the configuration file none.toml cannot be read: No such file"),
        ("folder", "the configuration file folder is a folder"),
        ("large.toml", "over the limit of 1048576 bytes"),
        ("/dev/null", "/dev/null is not a regular file"),
    ] {
        let output = setup.run(&[], &format!("--config {file}"));
        assert!(output.status.code() == Some(2) && stderr(&output).contains(part), "{file}: {output:?}");
    }
}

#[test]
fn a_mistake_between_options_is_told_with_the_origin() {
    let setup = Setup::new("wal = 'a'\nbind = ['localhost:1', 'localhost:1']\n");
    let output = setup.run(&[], "--config rustvault.toml");
    let text = stderr(&output);
    assert!(output.status.code() == Some(2), "{output:?}");
    assert!(
        text.contains(
            "rustvault.toml:2:8: the address 'localhost:1' is given twice: give it once\n  2 | bind"
        ),
        "{text}"
    );
    let text = stderr(&setup.run(&[("RUSTVAULT_BIND_ADDR", "a:1,a:1")], "--config rustvault.toml"));
    assert!(text.contains("the address 'a:1' is given twice: give it once (RUSTVAULT_BIND_ADDR)"), "{text}");
}

#[test]
fn checking_a_configuration_opens_neither_log_nor_address() {
    let taken = Launch::new().start();
    let addr = taken.addr();
    let setup = Setup::new(format!("bind = '{addr}'\nwal = 'vault.log'\n"));
    let output = setup.run(&[], "--config rustvault.toml --check-config");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "rustvault.toml: the configuration is valid\n");
    assert!(!setup.launch.wal().exists());
    assert!(setup.run(&[], "--check-config").status.success());
    assert_eq!(setup.run(&[], "--check-config --threads 0").status.code(), Some(2));
}

#[test]
fn a_check_reads_the_files_of_users_and_tls_and_reports_all_mistakes() {
    let setup = Setup::new(
        "bind = '0.0.0.0:0'\nusers = 'none.toml'\n[tls]\nbind = '127.0.0.1:0'\ncert = 'a'\nkey = 'b'\n",
    );
    let output = setup.run(&[], "--config rustvault.toml --check-config");
    let text = stderr(&output);
    assert!(output.status.code() == Some(2) && output.stdout.is_empty(), "{output:?}");
    assert_eq!(text.matches("rustvault-server: error: ").count(), 2, "{text}");
    assert!(text.contains("none.toml") && text.contains("tls.cert 'a'"), "{text}");
    let public = setup.run(&[("RUSTVAULT_BIND_ADDR", "0.0.0.0:0")], "--check-config");
    assert!(public.status.code() == Some(2) && stderr(&public).contains("0.0.0.0:0"), "{public:?}");
    assert!(setup.run(&[], "--check-config --bind 0.0.0.0:0 --allow-unauthenticated").status.success());
}

#[test]
fn a_secret_comes_from_a_variable_or_a_file_and_is_never_shown() {
    let setup = Setup::new("password-file = 'secret'\n");
    fs::write(setup.launch.folder().join("secret"), "hunter-two\n").unwrap();
    fs::write(setup.launch.folder().join("empty"), "\n").unwrap();
    const DIRECT: (&str, &str) = ("RUSTVAULT_PASSWORD", "hunter-three");
    const IN_FILE: (&str, &str) = ("RUSTVAULT_PASSWORD_FILE", "secret");
    for (variables, args, line) in [
        (&[][..], "", "# password-file: none # default"),
        (&[], "--config rustvault.toml", "# password: (hidden) # rustvault.toml:1"),
        (&[DIRECT], "--config rustvault.toml", "# password: (hidden) # RUSTVAULT_PASSWORD"),
        (&[IN_FILE], "", "# password: (hidden) # RUSTVAULT_PASSWORD_FILE"),
        (&[DIRECT], "--password-file secret", "# password: (hidden) # --password-file"),
    ] {
        let shown = setup.shown(variables, args);
        assert!(shown.iter().any(|shown| shown == line), "{variables:?} {args}: no {line} in {shown:#?}");
        assert!(!shown.concat().contains("hunter"), "{shown:#?}");
    }
    for (variables, args, part) in [
        (&[DIRECT, IN_FILE][..], "", "RUSTVAULT_PASSWORD and RUSTVAULT_PASSWORD_FILE are both set"),
        (&[], "--password-file none", "none (--password-file) cannot be read"),
        (&[], "--password-file empty", "empty (--password-file) is empty"),
        (&[("RUSTVAULT_PASSWORD_FILE", "/")], "", "/ (RUSTVAULT_PASSWORD_FILE) is a folder"),
    ] {
        let output = setup.run(variables, &format!("--check-config {args}"));
        assert!(output.status.code() == Some(2) && stderr(&output).contains(part), "{args}: {output:?}");
    }
    fs::write(&setup.file, "password = 'hunter-four'\n").unwrap();
    let output = setup.run(&[], "--config rustvault.toml --check-config");
    let text = stderr(&output);
    assert!(output.status.code() == Some(2) && text.contains("password-file"), "{text}");
    assert!(!text.contains("hunter"), "{text}");
}

#[test]
fn the_example_file_starts_a_daemon() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../rustvault.example.toml");
    let launch = Launch::new().with_args("--config").with_args(example);
    launch.start().wire().ask("PING\r\n", "PONG\r\n");
}
