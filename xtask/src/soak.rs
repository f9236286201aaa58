//! Tests that run reduced under `cargo xtask test`, at their full count. Every such test reads `ACCLIMATE_SOAK`.

use anyhow::{Context, bail};

use crate::{
    onnxruntime, tools,
    workspace::{PRODUCT, Workspace, run},
};

struct Soak {
    name: &'static str,
    about: &'static str,
    target: &'static str,
    filter: &'static str,
}

const SOAKS: &[Soak] = &[
    Soak {
        name: "accuracy",
        about: "what is selected beside scikit-learn's classifiers, 10 draws of TrashNet by number of samples",
        target: "main",
        filter: "accuracy",
    },
    Soak {
        name: "api",
        about: "300 requests of each operation of a daemon's API, made up from its description by schemathesis",
        target: "main",
        filter: "api::",
    },
    Soak {
        name: "fit",
        about: "20,000 fits of anything, and 100 random problems against scikit-learn, refitted",
        target: "main",
        filter: "fit::",
    },
    Soak {
        name: "bursts",
        about: "near-duplicates left out together: copies of 20 pictures a class, 10 draws of TrashNet",
        target: "main",
        filter: "bursts",
    },
    Soak {
        name: "kill",
        about: "kill -9 at 1,000 moments of `add`, `adapt` and `task set-backbone`",
        target: "main",
        filter: "kill::",
    },
    Soak {
        name: "kill-daemon",
        about: "kill -9 at 500 moments of a daemon that is taught, labels, adapts and is handed samples",
        target: "main",
        filter: "kill_daemon",
    },
    Soak {
        name: "learning-curve",
        about: "what 20 and 30 labels a class foretell of 90, 20 draws of TrashNet",
        target: "main",
        filter: "learning_curve",
    },
    Soak {
        name: "models",
        about: "100,000 spoilt ONNX files and manifests, loaded as new models",
        target: "main",
        filter: "models",
    },
    Soak {
        name: "offered",
        about: "1,000,000 frames offered to a daemon, and its memory and disk on the way",
        target: "main",
        filter: "offered",
    },
    Soak {
        name: "mqtt-fuzz",
        about: "100,000 spoilt messages on every topic that a daemon listens to, over a real MQTT broker, and its memory",
        target: "main",
        filter: "mqtt::fuzz",
    },
    Soak {
        name: "mqtt-intake",
        about: "1,000,000 spoilt messages on every topic that is listened to, without a broker",
        target: "",
        filter: "mqtt_intake",
    },
    Soak {
        name: "outage",
        about: "100,000 results while there is no MQTT broker, with a kill -9 of the daemon, and what arrives afterwards",
        target: "main",
        filter: "mqtt::outage",
    },
    Soak {
        name: "page",
        about: "a person teaches a device on its page in a real browser, at human speed, with a stopwatch",
        target: "main",
        filter: "page::",
    },
    Soak {
        name: "power",
        about: "power cut at 1,000 moments of commands and of a daemon, with anything lost that was not synced",
        target: "main",
        filter: "power::",
    },
    Soak {
        name: "replug",
        about: "a serial device unplugged and plugged in 1,000 times: how soon it is back, and what its absence costs",
        target: "main",
        filter: "serial::replug",
    },
    Soak {
        name: "serial",
        about: "megabytes a second of serial lines, one and eight, and recordings of persons learnt from one, beside scikit-learn",
        target: "main",
        filter: "serial::",
    },
    Soak {
        name: "signals",
        about: "accuracy of the built-in signal backbone over every split of WHARF by person",
        target: "main",
        filter: "signals",
    },
    Soak {
        name: "slow-connections",
        about: "1,000 connections that say one byte at a time or never listen, and how long the page takes meanwhile",
        target: "main",
        filter: "slow_connections",
    },
    Soak {
        name: "trashnet",
        about: "accuracy, honesty and calibration over 30 re-splits of TrashNet",
        target: "main",
        filter: "trashnet",
    },
    Soak {
        name: "verdict",
        about: "the verdict's operating characteristics by simulation",
        target: "operating",
        filter: "",
    },
    Soak {
        name: "verdict-real",
        about: "the verdict on 40 draws of mislabelled and clean pictures of TrashNet",
        target: "main",
        filter: "verdict",
    },
    Soak {
        name: "wire",
        about: "10⁹ random bytes and 10⁶ changed frames down a serial line, and 20 hours of one that spoils a byte in a thousand",
        target: "link",
        filter: "",
    },
];

pub(crate) fn soak(workspace: &Workspace, arguments: &[String]) -> anyhow::Result<()> {
    let Some((name, rest)) = arguments.split_first() else {
        for soak in SOAKS {
            println!("{:<12} {}", soak.name, soak.about);
        }
        return Ok(());
    };
    let Some(soak) = SOAKS.iter().find(|soak| soak.name == name) else {
        let names = SOAKS.iter().map(|soak| soak.name).collect::<Vec<_>>().join(", ");
        bail!("there is no soak `{name}`; there are: {names}");
    };
    if let Err(error) = onnxruntime::fetch(workspace) {
        eprintln!("skipped: ort: {error:#}");
    }
    // Tests of the library itself are no program of their own.
    let target: &[&str] = if soak.target.is_empty() { &["--lib"] } else { &["--test", soak.target] };
    let mut command = workspace.cargo(["test"]);
    command.args(PRODUCT).args(target).args(["--", "--nocapture"]);
    if !soak.filter.is_empty() {
        command.arg(soak.filter);
    }
    command.args(rest).env("ACCLIMATE_SOAK", "1").env("ACCLIMATE_ASSETS", workspace.assets());
    onnxruntime::announce(workspace, &mut command);
    tools::announce(tools::python(workspace), &mut command);
    tools::announce_fuzzer(workspace, &mut command);
    run(&mut command).with_context(|| format!("soak {name}"))
}
