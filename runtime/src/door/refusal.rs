//! How the door says no: `{"error":{"code":…,"message":…}}` with a status, everywhere the same.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::guard::Denied;
use crate::daemon::command::CommandError;
use crate::store::StoreError;

/// What every refusal looks like.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Refused {
    /// Why.
    error: Fault,
}

/// Why something was refused.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Fault {
    /// For programs.
    code: Code,
    /// For people: what was attempted, what was found, what to do.
    message: String,
}

/// Kinds of refusal, each with its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Code {
    /// 409: it cannot be done now.
    Conflict,
    /// 500: the daemon failed at it.
    Failed,
    /// 403: it comes from another site, or is meant for another host.
    Forbidden,
    /// 400, or 405 for the method: it makes no sense.
    Invalid,
    /// 404: there is no such thing.
    NotFound,
    /// 413: it is too large.
    TooLarge,
    /// 401: it needs the token.
    Unauthorized,
    /// 503, or 429 after too many wrong tokens: not now, try again.
    Unavailable,
}

/// A refusal.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    code: Code,
    message: String,
    retry_after: Option<u64>,
}

impl Refusal {
    /// With the status of its code.
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        let status = match code {
            Code::Conflict => StatusCode::CONFLICT,
            Code::Failed => StatusCode::INTERNAL_SERVER_ERROR,
            Code::Forbidden => StatusCode::FORBIDDEN,
            Code::Invalid => StatusCode::BAD_REQUEST,
            Code::NotFound => StatusCode::NOT_FOUND,
            Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Code::Unauthorized => StatusCode::UNAUTHORIZED,
            Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self { status, code, message: message.into(), retry_after: None }
    }

    /// The request makes no sense.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::Invalid, message)
    }

    /// There is no such thing.
    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(Code::NotFound, message)
    }

    /// The method is not one of this route's.
    pub(super) fn method() -> Self {
        let message = "this method is not one of this address: api/openapi.json lists them";
        Self { status: StatusCode::METHOD_NOT_ALLOWED, ..Self::invalid(message) }
    }

    /// Too many wrong tokens.
    pub(super) fn too_many_tokens(seconds: u64) -> Self {
        let message = format!("too many wrong tokens from your address: try again in {seconds} s");
        let retry_after = Some(seconds);
        Self { status: StatusCode::TOO_MANY_REQUESTS, retry_after, ..Self::new(Code::Unavailable, message) }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self { status, code, message, retry_after } = self;
        if code == Code::Failed {
            tracing::error!("a request to the page's API failed: {message}");
        }
        let mut response = (status, Json(Refused { error: Fault { code, message } })).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::CrossSite => {
                Self::new(Code::Forbidden, "another site's page asked for this: only the device's own page may")
            }
            Denied::Host => Self::new(
                Code::Forbidden,
                "this device is not known by the host that was asked for: use its address or name, or add the name to [http] names",
            ),
            Denied::NoToken => Self::new(
                Code::Unauthorized,
                "a token is needed: `acclimate page --lan` on the device shows it; send it as `Authorization: Bearer TOKEN`",
            ),
            Denied::NoTokenKnown => Self::new(
                Code::Unauthorized,
                "from elsewhere a token is needed, and this device has none yet: `acclimate page --lan` on it makes one",
            ),
            Denied::WrongToken => Self::new(
                Code::Unauthorized,
                "this is not the device's token: `acclimate page --lan` on the device shows it",
            ),
        }
    }
}

impl From<CommandError> for Refusal {
    fn from(error: CommandError) -> Self {
        let (code, message) = match error {
            CommandError::Conflict(message) => (Code::Conflict, message),
            CommandError::Failed(message) => (Code::Failed, message),
            CommandError::Invalid(message) => (Code::Invalid, message),
            CommandError::NotFound(message) => (Code::NotFound, message),
            CommandError::Unavailable(message) => (Code::Unavailable, message),
        };
        Self::new(code, message)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        CommandError::from(error).into()
    }
}
