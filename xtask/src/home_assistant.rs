//! Home Assistant, for the test that has it find a device: the newest release that is pinned here, with what its MQTT
//! integration imports, on the Python that it needs.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};

use crate::workspace::{Workspace, run};

/// Its Python.
const PYTHON: &str = "python3.14";

/// It names every one of what it may need; these are what the integration imports.
const PACKAGES: &[&str] = &[
    "aiodns==4.0.4",
    "aiohappyeyeballs==2.7.1",
    "aiohttp==3.14.5",
    "aiohttp-cors==0.8.1",
    "aiosignal==1.4.0",
    "aiozoneinfo==0.2.3",
    "annotatedyaml==1.0.2",
    "anyio==4.16.0",
    "async-interrupt==1.2.2",
    "atomicwrites-homeassistant==1.4.1",
    "attrs==26.1.0",
    "awesomeversion==25.8.0",
    "bcrypt==5.0.0",
    "certifi==2026.10.19.post1",
    "cffi==2.1.1",
    "ciso8601==2.3.3",
    "cryptography==50.0.2",
    "fnv-hash-fast==2.0.3",
    "fnvhash==0.2.1",
    "frozenlist==1.8.0",
    "h11==0.16.0",
    "homeassistant==2026.11.0",
    "httpcore==1.0.9",
    "httpcore2==2.16.2",
    "httpx2==2.14.0",
    "idna==3.20",
    "ifaddr==0.2.0",
    "Jinja2==3.1.6",
    "lru-dict==1.4.1",
    "MarkupSafe==3.0.4",
    "mashumaro==3.23",
    "multidict==7.2.1",
    "orjson==3.13.0",
    "packaging==26.4",
    "paho-mqtt==2.1.0",
    "probatio==0.13.0",
    "propcache==0.5.4",
    "pycares==5.2.1",
    "pycparser==3.12",
    "PyJWT==2.15.1",
    "python-slugify==9.1.3",
    "PyYAML==6.0.3",
    "sniffio==1.3.1",
    "text-unidecode==1.3",
    "truststore==0.10.4",
    "typing_extensions==4.16.0",
    "tzdata==2026.6",
    "ulid-transform==2.2.9",
    "webrtc-models==0.3.0",
    "yarl==1.25.1",
];

/// What installs them: that of an older Python does not know this one's.
const PIP: &str = "pip==26.3";

/// Where this machine has no such Python: Debian's, of the suite that has it, beside the system and not in it.
const SUITE: &str = "sid";
const DEBIAN: &[&str] = &[
    "libbz2-1.0",
    "libc6",
    "libexpat1",
    "libffi8",
    "libgcc-s1",
    "liblzma5",
    "libpython3.14-minimal",
    "libpython3.14-stdlib",
    "libsqlite3-0",
    "libssl3t64",
    "libstdc++6",
    "libuuid1",
    "libzstd1",
    "python3.14",
    "python3.14-minimal",
    "zlib1g",
];

/// A Python that can import it: the one that `ACCLIMATE_HOME_ASSISTANT` names, else one that is made here.
pub(crate) fn python(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    if let Some(named) = env::var_os("ACCLIMATE_HOME_ASSISTANT").filter(|path| !path.is_empty()) {
        return Ok(named.into());
    }
    let place = workspace.target.join("tools/home-assistant");
    let (python, whole) = (place.join("python"), place.join("packages.txt"));
    let wanted = [PACKAGES, &[PIP, SUITE], DEBIAN].concat().join("\n");
    // Written last: what was left half made is made again. So is what was moved, for it knows where it is.
    if fs::read_to_string(&whole).is_ok_and(|found| found == wanted) && has_it(&python) {
        return Ok(python);
    }
    if place.exists() {
        fs::remove_dir_all(&place).with_context(|| format!("removing {}", place.display()))?;
    }
    fs::create_dir_all(&place).with_context(|| format!("making {}", place.display()))?;
    let system = Command::new(PYTHON).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let interpreter = if system.is_ok_and(|status| status.success()) {
        PYTHON.to_owned()
    } else {
        from_debian(&place).with_context(|| format!("there is no {PYTHON} here, and getting Debian's from {SUITE}"))?
    };
    let site = place.join("site");
    let script = format!("#!/bin/sh\nexport PYTHONPATH='{}'\nexec {interpreter} \"$@\"\n", site.display());
    fs::write(&python, script).with_context(|| format!("writing {}", python.display()))?;
    fs::set_permissions(&python, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("making {} a program", python.display()))?;
    // Its own wheel is a program.
    run(pip_of_the_system().args(["download", "--quiet", "--no-deps", PIP, "--dest"]).arg(&place))?;
    let wheel = one_file(&place, ".whl")?;
    run(Command::new(&python)
        .arg(wheel.join("pip"))
        .args(["install", "--quiet", "--no-deps", "--only-binary=:all:", "--root-user-action=ignore", "--target"])
        .arg(&site)
        .args(PACKAGES)
        .env("PIP_NO_INPUT", "1"))
    .context("installing Home Assistant (needs PyPI)")?;
    fs::write(&whole, wanted).with_context(|| format!("writing {}", whole.display()))?;
    Ok(python)
}

fn has_it(python: &Path) -> bool {
    Command::new(python).args(["-c", "import homeassistant"]).status().is_ok_and(|status| status.success())
}

fn pip_of_the_system() -> Command {
    let mut command = Command::new("python3");
    command.args(["-m", "pip", "--disable-pip-version-check"]).env("PIP_NO_INPUT", "1");
    command
}

/// Fetches and unpacks the packages by apt, with lists and settings of its own; how the interpreter is called.
fn from_debian(place: &Path) -> anyhow::Result<String> {
    ensure!(cfg!(target_arch = "x86_64"), "only for 64-bit PCs");
    let keys = "/usr/share/keyrings/debian-archive-keyring.gpg";
    ensure!(Path::new(keys).exists(), "{keys} is not there: this is no Debian");
    for folder in ["state/lists/partial", "cache/archives/partial", "debs", "root"] {
        fs::create_dir_all(place.join(folder)).with_context(|| format!("making {folder}"))?;
    }
    let write = |name: &str, text: String| fs::write(place.join(name), text).with_context(|| format!("writing {name}"));
    write("state/status", String::new())?;
    write("sources.list", format!("deb [signed-by={keys}] http://deb.debian.org/debian {SUITE} main\n"))?;
    let at = place.display();
    write(
        "apt.conf",
        format!(
            "Dir::State \"{at}/state\";\nDir::State::status \"{at}/state/status\";\nDir::Cache \"{at}/cache\";\n\
             Dir::Etc::sourcelist \"{at}/sources.list\";\nDir::Etc::sourceparts \"/nonexistent\";\n\
             Acquire::Languages \"none\";\nAPT::Sandbox::User \"root\";\n"
        ),
    )?;
    let apt = |arguments: &[&str]| {
        let mut apt = Command::new("apt-get");
        let apt = apt.args(arguments).current_dir(place.join("debs")).env("APT_CONFIG", place.join("apt.conf"));
        run(apt.stdout(Stdio::null()))
    };
    apt(&["update", "--quiet"])?;
    apt(&[&["download", "--quiet"], DEBIAN].concat())?;
    for deb in fs::read_dir(place.join("debs")).context("reading what apt-get downloaded")? {
        let deb = deb.context("reading what apt-get downloaded")?.path();
        run(Command::new("dpkg-deb").arg("--extract").arg(deb).arg(place.join("root")))?;
    }
    // What it was made of takes room.
    for folder in ["state", "cache", "debs"] {
        fs::remove_dir_all(place.join(folder)).with_context(|| format!("removing {folder}"))?;
    }
    let (libraries, root) = (format!("{at}/root/usr/lib/x86_64-linux-gnu"), format!("{at}/root/usr"));
    // Its C library is newer than the system's, so it is started by its own loader.
    Ok(format!(
        "env PYTHONHOME='{root}' '{libraries}/ld-linux-x86-64.so.2' --library-path '{libraries}' '{root}/bin/{PYTHON}'"
    ))
}

fn one_file(folder: &Path, ending: &str) -> anyhow::Result<PathBuf> {
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry.with_context(|| format!("reading {}", folder.display()))?.path();
        if path.to_string_lossy().ends_with(ending) {
            return Ok(path);
        }
    }
    bail!("there is no {ending} in {}", folder.display())
}
