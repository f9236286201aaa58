//! The machine under it all: processor, memory, C library, clock. Reads what the kernel and the usual programs tell.

use std::fs;
use std::process::{Command, Stdio};

use acclimate::clock;

use super::Found;

/// Memory below which the larger backbones do not fit beside anything else.
const LOW_MEMORY: u64 = 300 << 20;

/// Oldest C library for which ONNX Runtime's wheels are built (`manylinux_2_28`).
const OLDEST_GLIBC: (u32, u32) = (2, 28);

/// What makes matrices quick, as `/proc/cpuinfo` calls it.
const FEATURES: [&str; 12] =
    ["avx", "avx2", "fma", "f16c", "avx512f", "avx512_vnni", "amx_int8", "neon", "asimd", "asimdhp", "asimddp", "i8mm"];

pub(super) fn cpu() -> Found {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let features = features(&info);
    let features = if features.is_empty() { "none that we look for".to_owned() } else { features.join(" ") };
    let model = value(&info, "model name").or_else(|| value(&info, "Model")).unwrap_or(std::env::consts::ARCH);
    let words = format!("{cores} of {model}; {features}");
    if std::env::consts::ARCH == "x86_64" && !features.contains("avx2") {
        return Found::Poor(
            words,
            "without AVX2 everything is slow, and some builds of ONNX Runtime do not run".into(),
        );
    }
    Found::Fine(words)
}

fn features(info: &str) -> Vec<&str> {
    let line = value(info, "flags").or_else(|| value(info, "Features")).unwrap_or_default();
    line.split_whitespace().filter(|flag| FEATURES.contains(flag)).collect()
}

/// The value of `key : value` lines, as `/proc` has them.
fn value<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(name, _)| name.trim() == key).map(|(_, value)| value.trim())
}

pub(super) fn memory() -> Found {
    let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let bytes = |key| Some(value(&info, key)?.strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024);
    match (bytes("MemTotal"), bytes("MemAvailable")) {
        (Some(total), Some(available)) => {
            let words = format!("{} of {} MiB available", available >> 20, total >> 20);
            if available < LOW_MEMORY {
                let advice = "choose a small backbone (mcunet-5fps), or stop what else runs";
                return Found::Poor(words, advice.into());
            }
            Found::Fine(words)
        }
        _ => Found::Fine("the system does not tell".to_owned()),
    }
}

pub(super) fn glibc() -> Found {
    let Some(said) = said("getconf", &["GNU_LIBC_VERSION"]) else {
        return Found::Fine("the system does not tell".to_owned());
    };
    match version(&said) {
        Some(version) if version < OLDEST_GLIBC => Found::Poor(
            said,
            format!(
                "ONNX Runtime's wheels need {}.{} or later: use tract, or a newer system",
                OLDEST_GLIBC.0, OLDEST_GLIBC.1
            ),
        ),
        _ => Found::Fine(said),
    }
}

/// `glibc 2.36` as numbers.
fn version(said: &str) -> Option<(u32, u32)> {
    let (major, minor) = said.strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
}

/// A board without a battery starts in 1970; order does not rest on the clock, but what people read does.
pub(super) fn clock() -> Found {
    let now = jiff::Timestamp::now();
    let synchronised = clock::synchronised();
    let how = match synchronised {
        Some(true) => "synchronised",
        Some(false) => "not synchronised",
        None => "nobody tells whether it is synchronised",
    };
    let words = format!("{now:.0}, {how}");
    if !clock::believable(now, synchronised) {
        let advice = "set the clock (systemd-timesyncd or chrony): times in the history are wrong until then";
        return Found::Poor(words, advice.into());
    }
    Found::Fine(words)
}

/// The first line of what a program prints, where there is such a program and it succeeds.
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    text.lines().next().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_tells_is_understood() {
        let x86 = "model name\t: Some CPU\nflags\t\t: fpu avx2 fma sse\n";
        assert_eq!((value(x86, "model name"), features(x86)), (Some("Some CPU"), vec!["avx2", "fma"]));
        let pi = "Features\t: fp asimd crc32\nModel\t\t: Raspberry Pi 4\n";
        assert_eq!((value(pi, "Model"), features(pi)), (Some("Raspberry Pi 4"), vec!["asimd"]));
        assert_eq!(features(""), Vec::<&str>::new());
        assert_eq!(version("glibc 2.36"), Some((2, 36)));
        assert_eq!(version("musl"), None);
    }
}
