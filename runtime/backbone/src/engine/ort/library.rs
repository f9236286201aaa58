//! Finding and loading ONNX Runtime's shared library, once per process.
//!
//! Knows nothing about graphs. The library and its environment are global to the process: the first that serves stays,
//! whatever a later caller would prefer; a failure is not kept, so that a later try may find a library installed since.
//! Invariant: a library that cannot serve is told apart before it becomes the process's.

use std::{
    env, fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use ort::environment::Environment;

use crate::engine::EngineError;

/// A loaded library.
#[derive(Clone)]
pub(super) struct Runtime {
    pub(super) environment: Environment,
    pub(super) version: String,
    pub(super) path: PathBuf,
}

static RUNTIME: Mutex<Option<Runtime>> = Mutex::new(None);

/// The process's ONNX Runtime; `extra` is a further place to look.
pub(super) fn runtime(extra: Option<&Path>) -> Result<Runtime, EngineError> {
    let mut loaded = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(runtime) = &*loaded {
        return Ok(runtime.clone());
    }
    let runtime = load_first(extra)?;
    tracing::info!(version = %runtime.version, path = %runtime.path.display(), "loaded ONNX Runtime");
    Ok(loaded.insert(runtime).clone())
}

fn load_first(extra: Option<&Path>) -> Result<Runtime, EngineError> {
    // What somebody named must serve: taking another one instead would hide the mistake.
    let named = env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()).map(PathBuf::from);
    if let Some(path) = named.as_deref().or_else(|| extra.filter(|path| path.is_file())) {
        return load(path);
    }
    let folders: Vec<PathBuf> =
        extra.map(Path::to_owned).into_iter().chain(system_folders()).chain(wheel_folders()).collect();
    let mut first = None;
    for path in folders.iter().flat_map(|folder| libraries(folder)) {
        match load(&path) {
            Ok(runtime) => return Ok(runtime),
            Err(error) => {
                tracing::debug!(%error, "not usable");
                first.get_or_insert(error);
            }
        }
    }
    let looked = "the system's library folders and installed Python packages";
    let looked = extra.map_or_else(|| looked.to_owned(), |extra| format!("{}, {looked}", extra.display()));
    Err(first.unwrap_or(EngineError::NoLibrary { looked, minimum: ort::MINOR_VERSION }))
}

fn load(path: &Path) -> Result<Runtime, EngineError> {
    let refuse = |reason: String| EngineError::Library { path: path.to_owned(), reason };
    if !path.is_file() {
        return Err(refuse("there is no such file".to_owned()));
    }
    // Loading runs the library's own code, and `ort` asserts what it expects of it.
    let guarded = |reason: &str| refuse(format!("{reason}, so it is not the library it claims to be"));
    let minor = catch_unwind(|| ort::util::probe(path)).map_err(|_| guarded("it offers no API"))?;
    if let Some(minor) = minor.filter(|&minor| minor < ort::MINOR_VERSION) {
        return Err(refuse(format!("it is version 1.{minor}, and 1.{} or later is needed", ort::MINOR_VERSION)));
    }
    let Some(minor) = minor else {
        // Says why, and cannot succeed where the probe failed but for a version 2, which nobody has seen.
        return Err(refuse(ort::init_from(path).err().map_or_else(|| "its version is unknown".to_owned(), why)));
    };
    let logger = Arc::new(|_level, _category: &str, _id: &str, location: &str, message: &str| {
        tracing::debug!(location, "{message}");
    });
    let build = || -> Result<Environment, String> {
        let builder = ort::init_from(path).map_err(why)?;
        builder
            .with_name("acclimate")
            .with_telemetry(false)
            .with_logger(logger)
            .build()
            .map_err(|error| error.to_string())
    };
    let environment = catch_unwind(AssertUnwindSafe(build))
        .map_err(|_| guarded("it has no API of the version it names"))?
        .map_err(refuse)?;
    environment.set_log_level(ort::logging::LogLevel::Warning);
    Ok(Runtime { environment, version: version(path, minor), path: path.to_owned() })
}

/// The loader's message, without the path that ours has already.
fn why(error: ort::LoadDynamicError) -> String {
    match error {
        ort::LoadDynamicError::Dlopen { error, .. } => error.to_string(),
        ort::LoadDynamicError::MissingApi { .. } => "it does not export `OrtGetApiBase`".to_owned(),
        other => other.to_string(),
    }
}

/// The whole version, where the file's name tells it (`libonnxruntime.so.1.31.1`), else major and minor.
fn version(path: &Path, minor: u32) -> String {
    let known = format!("1.{minor}");
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let name = real.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let full = name.find(&format!("{known}.")).map(|at| &name[at..]);
    let digits = full.map(|full| full.trim_end_matches(env::consts::DLL_SUFFIX));
    digits.filter(|digits| digits.chars().all(|c| c.is_ascii_digit() || c == '.')).map_or(known, str::to_owned)
}

fn system_folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = env::var_os("LD_LIBRARY_PATH").iter().flat_map(env::split_paths).collect();
    let triple = format!("{}-linux-gnu{}", env::consts::ARCH, if cfg!(target_arch = "arm") { "eabihf" } else { "" });
    for prefix in ["/usr/local", "/opt/onnxruntime", "/opt/homebrew", "/usr", "/"] {
        folders.extend(["lib", "lib64"].map(|lib| Path::new(prefix).join(lib)));
        folders.push(Path::new(prefix).join("lib").join(&triple));
    }
    folders
}

/// `onnxruntime/capi` of the Python environments that can be found without running Python.
fn wheel_folders() -> Vec<PathBuf> {
    let from = |name: &str| env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    let home = from("HOME");
    let pyenv = from("PYENV_ROOT").or_else(|| home.as_ref().map(|home| home.join(".pyenv")));
    let prefixes = [from("VIRTUAL_ENV"), from("CONDA_PREFIX"), home.map(|home| home.join(".local"))]
        .into_iter()
        .flatten()
        .chain(["/usr/local".into(), "/usr".into()])
        .chain(pyenv.map(|pyenv| children(&pyenv.join("versions"))).unwrap_or_default());
    let mut folders = Vec::new();
    for lib in prefixes.flat_map(|prefix| ["lib", "lib64"].map(|lib| prefix.join(lib))) {
        let is_python = |path: &PathBuf| file_name(path).starts_with("python3");
        for python in children(&lib).into_iter().filter(is_python) {
            folders.extend(
                ["site-packages", "dist-packages"].map(|packages| python.join(packages).join("onnxruntime/capi")),
            );
        }
    }
    folders
}

/// `libonnxruntime.so` and `libonnxruntime.so.1.31.1`, but not `libonnxruntime_providers_shared.so`; newest name first.
fn libraries(folder: &Path) -> Vec<PathBuf> {
    let stem = format!("{}onnxruntime.", env::consts::DLL_PREFIX);
    let is_library = |path: &PathBuf| {
        let name = file_name(path);
        name.starts_with(&stem) && name.contains(env::consts::DLL_SUFFIX) && path.is_file()
    };
    let mut found: Vec<_> = children(folder).into_iter().filter(is_library).collect();
    found.reverse();
    found
}

fn children(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
