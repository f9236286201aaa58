//! Programs of this workspace that are run rather than tested: the demo and the reports.

use std::process::{Command, ExitCode};

use anyhow::{Context, bail};

use crate::{onnxruntime, tools, workspace::Workspace};

/// `acclimate demo` in the profile that the tests use. It fetches nothing: without ONNX Runtime it runs on tract.
pub(crate) fn demo(workspace: &Workspace, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let mut command = workspace.cargo(["run", "--package", "acclimate", "--", "demo"]);
    onnxruntime::announce(workspace, &mut command);
    pass_on(command.args(arguments))
}

/// `tests/examples/NAME.rs`: prints tables for a closing note or a README.
pub(crate) fn report(workspace: &Workspace, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let Some((name, rest)) = arguments.split_first() else {
        for entry in workspace.root.join("tests/examples").read_dir().into_iter().flatten() {
            println!("{}", entry?.path().file_stem().unwrap_or_default().display());
        }
        return Ok(ExitCode::SUCCESS);
    };
    if let Err(error) = onnxruntime::fetch(workspace) {
        eprintln!("skipped: ort: {error:#}");
    }
    let mut command = workspace.cargo(["run", "--package", "acclimate-tests", "--example", name, "--"]);
    command.env("ACCLIMATE_ASSETS", workspace.assets());
    onnxruntime::announce(workspace, &mut command);
    let python = if name == "rivals" { tools::python_of_rivals(workspace) } else { tools::python(workspace) };
    tools::announce(python, &mut command);
    pass_on(command.args(rest))
}

/// Runs a program and takes over its exit code: `demo` has documented ones.
fn pass_on(command: &mut Command) -> anyhow::Result<ExitCode> {
    let status = command.status().context("starting cargo")?;
    match status.code() {
        Some(code) => Ok(ExitCode::from(code.clamp(0, 255) as u8)),
        None => bail!("ended with {status}"),
    }
}
