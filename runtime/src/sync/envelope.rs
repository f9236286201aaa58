//! The envelope of what is signed: `COSE_Sign1` (RFC 9052) with Ed25519, in one deterministic form. Knows what it holds by a word,
//! so that one thing that was signed never passes for another, and nothing more.
//!
//! | protected header | what |
//! |---|---|
//! | 1 `alg` | -8, `EdDSA` |
//! | 3 `content type` | what the payload is |
//! | 4 `kid` | the signer's key: SHA-256 of its 32 bytes |
//! | `acclimate` | the statement |
//!
//! There are no unprotected headers: what is not signed is not there. Trailing bytes, duplicate keys, deep nesting and second
//! spellings are refused by [`crate::cbor`] before anything is built, in the protected headers as in the whole.

use ciborium::Value;
use coset::iana::Algorithm;
use coset::{
    AsCborValue as _, ContentType, CoseSign1, CoseSign1Builder, Header, HeaderBuilder, Label,
    RegisteredLabelWithPrivate, TaggedCborSerializable as _,
};

use super::key::{DeviceKey, KeyId};
use super::keyring::Trusted;
use super::refusal::Refusal;
use crate::cbor;

/// The header with the statement.
const STATEMENT: &str = "acclimate";

/// What a head file that is not signed begins with.
const SELF_DESCRIBED: [u8; 3] = [0xd9, 0xd9, 0xf7];

/// Something signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A head file.
    Head,
    /// What announces one in parts.
    Manifest,
}

impl What {
    fn media(self) -> &'static str {
        match self {
            Self::Head => "application/vnd.acclimate.head",
            Self::Manifest => "application/vnd.acclimate.manifest",
        }
    }
}

/// What a trusted key has signed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Opened {
    pub(super) signer: Trusted,
    pub(super) statement: Value,
    pub(super) payload: Vec<u8>,
}

/// Signs. Equal input gives equal bytes.
pub(super) fn seal(key: &DeviceKey, what: What, statement: &Value, payload: Vec<u8>) -> Vec<u8> {
    let protected = HeaderBuilder::new()
        .algorithm(Algorithm::EdDSA)
        .content_type(what.media().to_owned())
        .key_id(key.public().id().0.to_vec())
        .text_value(STATEMENT.to_owned(), cbor::sorted(statement))
        .build();
    let sign = CoseSign1Builder::new().protected(protected).payload(payload);
    let sealed = sign.create_signature(&[], |message| key.sign(message)).build();
    sealed.to_tagged_vec().expect("what was built from values of CBOR is CBOR")
}

/// Reads what one of the trusted keys has signed; from strangers too. Nothing of it is given before the signature was found
/// to be right.
pub(super) fn open(bytes: &[u8], what: What, trusted: &[Trusted]) -> Result<Opened, Refusal> {
    if bytes.starts_with(&SELF_DESCRIBED) {
        return Err(Refusal::malformed("nobody has signed it; `acclimate head import` takes it in by hand"));
    }
    let unreadable = |error: cbor::CborError| Refusal::malformed(crate::causes(&error));
    let cose = |error: coset::CoseError| Refusal::malformed(format!("expected COSE_Sign1: {error}"));
    let sealed = match cbor::read(bytes).map_err(unreadable)? {
        Value::Tag(CoseSign1::TAG, inside) => CoseSign1::from_cbor_value(*inside).map_err(cose)?,
        _ => return Err(Refusal::malformed("expected COSE_Sign1, which is CBOR with the tag 18")),
    };
    let protected = sealed.protected.original_data.as_deref().unwrap_or_default();
    cbor::read(protected).map_err(unreadable)?;

    let id = key_id(&sealed.protected.header)?;
    let signer = trusted.iter().find(|known| known.key.id() == id).ok_or(Refusal::UnknownSigner { id })?;
    sealed
        .verify_signature(&[], |signature, message| signer.key.has_signed(message, signature).then_some(()).ok_or(()))
        .map_err(|()| Refusal::BadSignature { signer: signer.name.clone() })?;

    let CoseSign1 { protected, unprotected, payload, signature: _ } = sealed;
    if unprotected != Header::default() {
        return Err(Refusal::malformed("it has headers that are not signed"));
    }
    let statement = statement(protected.header, what)?;
    let payload = payload.ok_or_else(|| Refusal::malformed("its payload is not in it"))?;
    Ok(Opened { signer: signer.clone(), statement, payload })
}

/// Which key is said to have signed.
fn key_id(header: &Header) -> Result<KeyId, Refusal> {
    if header.alg != Some(RegisteredLabelWithPrivate::Assigned(Algorithm::EdDSA)) {
        return Err(Refusal::malformed("expected a signature of EdDSA (-8)"));
    }
    let id = header.key_id.as_slice().try_into();
    id.map(KeyId).map_err(|_| Refusal::malformed("expected the SHA-256 of a key as key id"))
}

/// What the protected headers say beside who signed: exactly what the table of this module has.
fn statement(header: Header, what: What) -> Result<Value, Refusal> {
    let Header { alg: _, crit, content_type, key_id: _, iv, partial_iv, counter_signatures, rest } = header;
    if content_type != Some(ContentType::Text(what.media().to_owned())) {
        return Err(Refusal::malformed(format!("expected content of type {}", what.media())));
    }
    let others = !crit.is_empty() || !iv.is_empty() || !partial_iv.is_empty() || !counter_signatures.is_empty();
    match <[(Label, Value); 1]>::try_from(rest) {
        Ok([(Label::Text(name), statement)]) if name == STATEMENT && !others => Ok(statement),
        _ => Err(Refusal::malformed(format!(
            "expected alg, content type, kid and `{STATEMENT}` as headers, and no others"
        ))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use proptest::prelude::*;

    use super::*;

    pub(crate) fn pair(name: &str) -> (DeviceKey, Trusted) {
        let key = DeviceKey::random().unwrap();
        let key_of = Trusted { name: name.to_owned(), key: key.public() };
        (key, key_of)
    }

    fn statement() -> Value {
        Value::Map(vec![(Value::Text("task".into()), Value::Text("gate".into()))])
    }

    #[test]
    fn what_was_sealed_is_opened_by_who_trusts_the_key() {
        let (key, press) = pair("press-7");
        let sealed = seal(&key, What::Head, &statement(), b"payload".to_vec());
        assert_eq!(sealed, seal(&key, What::Head, &statement(), b"payload".to_vec()), "one form");
        let opened = open(&sealed, What::Head, &[pair("other").1, press.clone()]).unwrap();
        assert_eq!(opened, Opened { signer: press, statement: statement(), payload: b"payload".to_vec() });
    }

    #[test]
    fn arbitrary_installation_what_a_stranger_signed_is_refused_and_so_is_a_false_name() {
        let (key, _) = pair("stranger");
        let (_, press) = pair("press-7");
        let sealed = seal(&key, What::Head, &statement(), Vec::new());
        assert_eq!(open(&sealed, What::Head, std::slice::from_ref(&press)).unwrap_err().token(), "unknown_signer");
        // A stranger who claims to be press-7: its id in the header, another's signature.
        let at = sealed.windows(32).position(|window| window == key.public().id().0).unwrap();
        let mut claimed = sealed;
        claimed[at..at + 32].copy_from_slice(&press.key.id().0);
        assert_eq!(open(&claimed, What::Head, &[press]).unwrap_err().token(), "bad_signature");
    }

    #[test]
    fn one_thing_that_was_signed_does_not_pass_for_another() {
        let (key, press) = pair("press-7");
        let manifest = seal(&key, What::Manifest, &statement(), Vec::new());
        let refused = open(&manifest, What::Head, &[press]).unwrap_err();
        assert!(refused.to_string().contains("expected content of type application/vnd.acclimate.head"), "{refused}");
    }

    #[test]
    fn what_is_not_signed_is_not_there() {
        let (key, press) = pair("press-7");
        let press = [press];
        let sealed = seal(&key, What::Head, &statement(), b"payload".to_vec());
        let mut more = CoseSign1::from_tagged_slice(&sealed).unwrap();
        more.unprotected = HeaderBuilder::new().text_value("x".into(), Value::Null).build();
        let refused = open(&more.to_tagged_vec().unwrap(), What::Head, &press).unwrap_err();
        assert!(refused.to_string().contains("headers that are not signed"), "{refused}");
        let trailing = [&sealed[..], &[0]].concat();
        assert!(open(&trailing, What::Head, &press).unwrap_err().to_string().contains("1 more bytes follow"));
        let mut detached = CoseSign1::from_tagged_slice(&sealed).unwrap();
        detached.payload = None;
        assert!(open(&detached.to_tagged_vec().unwrap(), What::Head, &press).is_err());
    }

    #[test]
    fn whatever_bit_is_flipped_it_is_refused() {
        let (key, press) = pair("press-7");
        let sealed = seal(&key, What::Head, &statement(), b"payload".to_vec());
        let press = [press];
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&flipped, What::Head, &press).is_err(), "bit {bit}");
        }
        for cut in 0..sealed.len() {
            assert!(open(&sealed[..cut], What::Head, &press).is_err(), "cut to {cut} bytes");
        }
    }

    proptest! {
        #[test]
        fn noise_is_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = open(&bytes, What::Head, &[]);
        }
    }
}
