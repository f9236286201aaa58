//! The `acclimate` binary: reads the command line, runs one command, turns its outcome into an exit code.
//!
//! What the commands do lies in `cli/`, what they are made of in the library. Read `cli/mod.rs` next.

#![expect(unreachable_pub, reason = "nothing outside a binary reaches into it")]

mod cli;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::args::Cli::parse();
    cli::log(&cli.global, matches!(cli.command, cli::args::Command::Run));
    match cli::run(&cli) {
        Ok(outcome) => outcome.into(),
        // The reader of our output went away (`acclimate … | head`): nothing is wrong.
        Err(error) if cli::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", cli::chain(&error));
            ExitCode::FAILURE
        }
    }
}
