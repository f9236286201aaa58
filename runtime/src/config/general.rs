//! The sections that stand once: `[adapt]`, `[backbone]`, `[device]`, `[http]`.

use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::JsonSchema;

use super::interval::Interval;
use super::mqtt::FLEET;
use super::section::{Section, text};
use crate::name::is_name;

/// Where the page is found, unless said otherwise.
pub const LISTEN: &str = "127.0.0.1:7070";

/// `[adapt]`.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(default, deny_unknown_fields)]
pub struct Adapt {
    /// Time for fitting; without it, all kinds of head are tried.
    pub budget_ms: Option<u64>,
    /// New labels after which the daemon adapts by itself; never where absent.
    pub after_labels: Option<usize>,
    /// The least time between two adaptations that nobody asked for, e.g. `1min`.
    pub at_most_every: Option<Interval>,
    /// Whether drift, once labelled, asks for an adaptation.
    pub on_drift: Option<bool>,
}

/// `[backbone]`.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(default, deny_unknown_fields)]
pub struct Backbone {
    /// Backbone of new tasks; the built-in one where absent.
    pub name: Option<String>,
    /// `auto`, `ort` or `tract`.
    pub engine: EngineName,
}

/// The engine, as written in the file.
#[derive(Clone, Copy, Debug, Default, JsonSchema, PartialEq, Eq)]
#[schemars(rename_all = "lowercase")]
pub enum EngineName {
    /// ONNX Runtime where its library can be loaded, else tract.
    #[default]
    Auto,
    /// ONNX Runtime.
    Ort,
    /// tract.
    Tract,
}

/// `[device]`.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(default, deny_unknown_fields)]
pub struct Device {
    /// Name of the device, `[a-z0-9-]{1,64}`; the host name where absent.
    pub id: Option<String>,
}

/// `[http]`.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(default, deny_unknown_fields)]
pub struct Http {
    /// Address and port; `127.0.0.1:7070` where absent. Beyond loopback a token is needed.
    #[schemars(with = "Option<String>")]
    pub listen: Option<SocketAddr>,
    /// A file that holds the token.
    pub token_file: Option<PathBuf>,
    /// Other names by which the page is reached, `host` or `host:port`: those of a reverse proxy.
    pub names: Vec<String>,
}

pub(super) fn adapt(mut section: Section<'_>) -> Adapt {
    let adapt = Adapt {
        budget_ms: section.whole("budget_ms", 1, 86_400_000),
        after_labels: section.whole("after_labels", 1, 1_000_000).map(|labels| labels as usize),
        at_most_every: section.interval("at_most_every"),
        on_drift: section.flag("on_drift"),
    };
    for key in ["budget_ms", "after_labels", "at_most_every", "on_drift"] {
        section.default(key, serde_json::Value::Null);
    }
    section.finish(&[]);
    adapt
}

pub(super) fn backbone(mut section: Section<'_>) -> Backbone {
    let engines = [("auto", EngineName::Auto), ("ort", EngineName::Ort), ("tract", EngineName::Tract)];
    let backbone = Backbone {
        name: section.text("name", "the name of a backbone (see `acclimate model list`)"),
        engine: section.choice("engine", &engines).unwrap_or_default(),
    };
    section.default("name", acclimate_backbone::builtin::NAME);
    section.default("engine", "auto");
    let later = "is not in this version: ONNX Runtime runs on its own choice of provider";
    section.finish(&[("providers", later), ("fallback", later)]);
    backbone
}

pub(super) fn device(mut section: Section<'_>) -> Device {
    let id = section.read("id", "a name: 1 to 64 of a-z, 0-9 and -, not \"fleet\"", |value| {
        text(value).filter(|id| is_name(id) && *id != FLEET).map(str::to_owned)
    });
    section.default("id", super::host_id());
    section.finish(&[]);
    Device { id }
}

pub(super) fn http(mut section: Section<'_>) -> Http {
    let listen = section.read("listen", "an address and a port, such as \"127.0.0.1:7070\"", |value| {
        let text = text(value)?;
        text.parse::<SocketAddr>()
            .ok()
            .or_else(|| text.strip_prefix("localhost:")?.parse().ok().map(|port| ([127, 0, 0, 1], port).into()))
    });
    let token_file = section.text("token_file", "the path of a file").map(PathBuf::from);
    if let Some(listen) = listen.filter(|listen| !listen.ip().is_loopback() && token_file.is_none()) {
        let message = format!("`listen` in [http] lets others in ({listen}), and there is no `token_file`");
        section.refuse("listen", message, "an address of this machine alone, or token_file = \"…\" beside it");
    }
    let names = section.texts("names", "a list of names, such as [\"panel.example\"]").unwrap_or_default();
    section.default("listen", LISTEN);
    section.default("token_file", serde_json::Value::Null);
    section.default("names", serde_json::json!([]));
    section.finish(&[]);
    Http { listen, token_file, names }
}
