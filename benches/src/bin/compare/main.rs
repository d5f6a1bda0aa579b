//! Runs RustVault and Redis, or two builds of RustVault, in turn under the same load and prints how they compare;
//! `docs/performance.md` says what each row means.

mod args;
mod ceiling;
mod comparison;
mod effort;
mod error;
mod figures;
mod goals;
mod hostile;
mod load;
mod machine;
mod process;
mod programs;
mod report;
mod resp;
mod rows;
mod scrape;
mod security;
mod server;
mod verdict;

use std::env;
use std::path::Path;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use args::Args;
use effort::Effort;
use error::Error;
use machine::Machine;
use programs::Programs;
use report::Report;
use rows::Contest;
use security::Security;

/// As a shell reports a program that Ctrl-C ended.
const EXIT_INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let args = Args::from_command_line();
    if let Some(port) = args.serve_ceiling {
        let Err(error) = ceiling::serve(port, args.ceiling_tls.as_deref());
        eprintln!("compare: error: serve on port {port}: {error}");
        return ExitCode::FAILURE;
    }
    if let Some(program) = programs::missing(args.comparison()) {
        println!("skipped: needs {} (Debian's package {})", program.name, program.package);
        let is_required = env::var("RUSTVAULT_REQUIRE_ALL").as_deref() == Ok("1");
        return if is_required { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    if cfg!(debug_assertions) {
        eprintln!(
            "compare: warning: built without --release, so the ceiling, and goals with it, are too low"
        );
    }
    match compare(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(Error::Interrupted) => ExitCode::from(EXIT_INTERRUPTED),
        Err(error) => {
            eprintln!("compare: error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every row could be measured.
fn compare(args: &Args) -> Result<bool, Error> {
    let output = programs::target_dir()?.join("compare");
    std::fs::create_dir_all(&output).map_err(Error::system(format!("make {}", output.display())))?;
    process::allow_open_files()?;
    let contest = Contest {
        programs: Programs::build(
            args.comparison(),
            args.against.clone(),
            args.server_arg.clone(),
            args.metrics,
            Security::new(args.users, args.tls, args.logins, &output)?,
        )?,
        effort: Effort::new(args.quick, args.pairs),
        comparison: args.comparison(),
        scratch: output.clone(),
    };
    let machine = Machine::look(&contest)?;
    machine.check_disk()?;

    if args.hostile {
        let text = run_until_signal(contest.hostile(&machine))??;
        print!("{text}");
        write(&args.markdown_path(&output), &text)?;
        return Ok(true);
    }
    let outcomes = run_until_signal(contest.run(&args.rows()))?;
    let report = Report::new(machine, &contest, outcomes);
    print!("{}", report.markdown());
    write(&args.markdown_path(&output), &report.markdown())?;
    write(&args.json_path(&output), &report.json()?)?;
    Ok(!report.has_failures())
}

/// Ctrl-C and SIGTERM drop the work, and with it every process and folder that it started.
fn run_until_signal<T>(work: impl Future<Output = T>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(Error::system("start the runtime"))?.block_on(async {
        let listen = |kind| signal(kind).map_err(Error::system("listen for signals"));
        let (mut interrupt, mut terminate) =
            (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
        tokio::select! {
            done = work => Ok(done),
            _ = interrupt.recv() => Err(Error::Interrupted),
            _ = terminate.recv() => Err(Error::Interrupted),
        }
    })
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    std::fs::write(path, text).map_err(Error::system(format!("write {}", path.display())))?;
    eprintln!("written: {}", path.display());
    Ok(())
}
