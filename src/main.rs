//! The command line: parse, run, exit code.

mod cli;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
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
