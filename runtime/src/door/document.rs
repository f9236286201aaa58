//! The description of the API, `OpenAPI` 3.1, from the handlers' own words and the types that they take and give. Knows nothing
//! of what they do.

use serde_json::{Value, json};
use utoipa::OpenApi;

use super::guard::{COOKIE, Need};
use super::refusal::Refused;
use super::{assets, cameras, commands, events, frames, routes, samples, session, shown};
use crate::daemon::notice::Notice;

#[derive(OpenApi)]
#[openapi(
    info(title = "acclimate", description = "A device that learns its own site.", license(name = "MIT OR Apache-2.0")),
    paths(
        assets::index,
        assets::file,
        shown::healthz,
        shown::readyz,
        shown::numbers,
        shown::openapi,
        shown::status,
        events::events,
        commands::command,
        session::session,
        cameras::list,
        cameras::look,
        frames::newest,
        frames::hand,
        shown::list,
        shown::picture,
        shown::heads,
        shown::adaptations,
        shown::evaluation
    ),
    components(schemas(Notice, Refused, samples::Kind))
)]
struct Api;

/// The document.
pub(super) fn document() -> Value {
    // Serialising what was derived cannot fail; an empty document would fail the test below.
    let mut document = serde_json::to_value(Api::openapi()).unwrap_or_default();
    // Relative to the document, so that it holds below any prefix.
    document["servers"] = json!([{"url": ".."}]);
    document["components"]["securitySchemes"] = json!({
        "token": {"type": "http", "scheme": "bearer"},
        "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
    });
    let schemas = &mut document["components"]["schemas"];
    // Replies are told apart by their fields, and one has another's among its own.
    if let Some(reply) = schemas["Reply"].as_object_mut()
        && let Some(one_of) = reply.remove("oneOf")
    {
        reply.insert("anyOf".to_owned(), one_of);
    }
    // What a look sees stands beside its fields (`allOf`), where it must not forbid others.
    if let Some(look) = schemas["Look"].as_object_mut() {
        look.remove("additionalProperties");
    }
    let refused = json!({
        "description": "A refusal",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Refused"}}},
    });
    for (path, operations) in document["paths"].as_object_mut().into_iter().flatten() {
        for operation in operations.as_object_mut().into_iter().flatten().map(|(_, operation)| operation) {
            operation["responses"]["default"] = refused.clone();
            if routes::need(path) == Need::Token && path != "/{file}" {
                // None of them is needed on the device itself.
                operation["security"] = json!([{}, {"token": []}, {"session": []}]);
            }
        }
    }
    document
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn router_and_document_list_the_same_routes() {
        let document = document();
        assert_eq!(document["openapi"], "3.1.0");
        let described: BTreeSet<(String, String)> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, operations)| {
                operations.as_object().unwrap().keys().map(|method| (method.clone(), path.clone()))
            })
            .collect();
        let routed: BTreeSet<(String, String)> =
            routes::routes().into_iter().map(|(method, path, _)| (method.to_owned(), path.to_owned())).collect();
        assert_eq!(described, routed);
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document();
        let text = document.to_string();
        let mut references = 0;
        for reference in text.split("\"$ref\":\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            assert!(document.pointer(reference).is_some(), "{reference}");
            references += 1;
        }
        assert!(references > 20, "{references}");
        for schema in ["AdaptationRecord", "Command", "HeadRecord", "Notice", "Reply", "View"] {
            assert!(document["components"]["schemas"].get(schema).is_some(), "{schema}");
        }
    }
}
