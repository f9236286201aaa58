//! `cargo xtask …`: what the README's commands run. It knows how the workspace is built and checked, and nothing of
//! what the product does; everything it makes lies in the target directory.

mod demo;
mod dist;
mod home_assistant;
mod onnxruntime;
mod session;
mod soak;
mod test;
mod tidy;
mod tools;
mod workspace;

use std::process::ExitCode;

use anyhow::bail;
use workspace::Workspace;

const USAGE: &str = "\
cargo xtask demo [ARGS]        build and run `acclimate demo`
cargo xtask test [STEP…]       every check, or the named ones; ACCLIMATE_REQUIRE=ort,assets,deny,… turns a skip into a failure
cargo xtask soak [NAME]        a test at its full count; lists the names when none is given
cargo xtask report [NAME ARGS] a table of measurements; lists the names when none is given
cargo xtask dist [--target T]   the binary for a target, linked against an old glibc, and its Debian package
cargo xtask onnxruntime        fetch the ONNX Runtime library that the tests use and print its path
cargo xtask firmware           build the example firmware";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::find()?;
    let Some((command, rest)) = arguments.split_first() else { bail!("say what to do:\n{USAGE}") };
    match command.as_str() {
        "demo" => return demo::demo(&workspace, rest),
        "report" => return demo::report(&workspace, rest),
        "test" => return test::test(&workspace, rest),
        "dist" => dist::dist(&workspace, rest)?,
        "soak" => soak::soak(&workspace, rest)?,
        "onnxruntime" => println!("{}", onnxruntime::fetch(&workspace)?.display()),
        "firmware" => test::firmware(&workspace)?,
        "help" | "-h" | "--help" => println!("{USAGE}"),
        other => bail!("there is no `{other}`:\n{USAGE}"),
    }
    Ok(ExitCode::SUCCESS)
}
