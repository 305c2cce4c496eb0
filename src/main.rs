//! The command line: parse, run, exit code.

mod cli;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // What goes wrong without ending the work is told on stderr, plainly.
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_writer(std::io::stderr)
        .without_time()
        .with_target(false)
        .with_ansi(false)
        .init();
    let io = cli::Io::from_environment();
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too; they are results. A closed pipe is no error.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { cli::FAILED } else { 0 });
        }
    };
    match cli.run(&io) {
        Ok(outcome) => ExitCode::from(outcome.code()),
        Err(failure) => {
            io.tell_failure(&failure);
            ExitCode::from(cli::FAILED)
        }
    }
}
