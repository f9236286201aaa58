//! A signed head on its way to the daemon: bytes here, base64 in JSON. Knows nothing of what is in it.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

/// What `head export --signed` wrote; base64 in JSON.
#[derive(Clone, PartialEq, Eq, ToSchema)]
#[schema(value_type = String)]
pub struct Signed(Arc<[u8]>);

impl Signed {
    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Signed {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signed({} bytes)", self.0.len())
    }
}

impl Serialize for Signed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Signed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes =
            STANDARD.decode(text).map_err(|error| serde::de::Error::custom(format!("expected base64: {error}")))?;
        Ok(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_survives_json_and_what_is_no_base64_is_refused() {
        let signed = Signed::from(vec![1, 2, 0xff]);
        let json = serde_json::to_string(&signed).unwrap_or_default();
        assert_eq!((json.as_str(), serde_json::from_str(&json).ok()), ("\"AQL/\"", Some(signed)));
        assert!(serde_json::from_str::<Signed>("\"?\"").is_err());
    }
}
