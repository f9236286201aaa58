//! Heads that travel, held against the attacks of The Update Framework (specification, section 1.5.2) and Uptane's slow retrieval:
//! each test that begins with an attack's name plays it. "Extraneous dependencies" has no place here: a head depends on nothing.
//!
//! What makes heads and signs them here is used by the neighbouring tests.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use acclimate_trainer::{Decision, Form, Head, Kind, Linear};
use jiff::{Span, Timestamp};
use ndarray::{Array1, Array2};

use super::*;
use crate::head_file::{Fixed, HeadFile, Provenance};
use crate::store::{Digest, Generation, Marks, SampleId, Seen};

const NOW: i64 = 1_800_000_000;

pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

pub(crate) fn pair(name: &str) -> (DeviceKey, Trusted) {
    let key = DeviceKey::random().unwrap();
    let trusted = Trusted { name: name.to_owned(), key: key.public() };
    (key, trusted)
}

/// A head of two classes; which one, `by` says.
pub(crate) fn head(by: f32) -> HeadFile {
    head_of(by, 8)
}

pub(crate) fn head_of(by: f32, dim: usize) -> HeadFile {
    HeadFile {
        task: "gate".to_owned(),
        backbone_id: [7; 32],
        classes: vec!["closed".to_owned(), "open".to_owned()],
        head: Head {
            kind: Kind::Ridge,
            form: Form::Linear(Linear {
                weights: Array2::from_shape_fn((2, dim), |(i, j)| by * ((i * dim + j) as f32 % 5.0)),
                bias: Array1::zeros(2),
            }),
            temperature: 1.0,
            lambda: None,
            novelty: None,
            conformal: None,
        },
        decision: Decision::default(),
        provenance: Provenance {
            adjusted: None,
            counts: vec![5, 5],
            device: "press-7".to_owned(),
            evaluation: None,
            extractor: "tract".to_owned(),
            fixed: Fixed::default(),
            nuisance: None,
            parent: None,
            statistics: None,
            time: now(),
            unproved: false,
        },
    }
}

pub(crate) fn statement(sequence: u64, file: &HeadFile) -> Statement {
    let samples = Marks::of(&[SampleId::of(b"a sample")]);
    let device = "press-7".to_owned();
    let issue = Issue { device, generation: Generation(3), sequence, now: now(), days: 30, samples };
    Statement::new(issue, file, &file.encode().unwrap())
}

/// A head of this number, signed.
pub(crate) fn signed(key: &DeviceKey, sequence: u64, file: &HeadFile) -> Vec<u8> {
    sign(key, &statement(sequence, file), &file.encode().unwrap())
}

/// A device whose task the head of [`head`] is for.
fn device() -> Here {
    Here {
        task: "gate".to_owned(),
        backbone_id: [7; 32],
        dim: 8,
        taught: vec!["open".to_owned()],
        only: None,
        in_service: None,
        seen: None,
        now: Some(now()),
    }
}

/// What a device with these trusted keys says of a signed head; on its side notes what it has seen.
fn offer(bytes: &[u8], trusted: &[Trusted], here: &mut Here) -> Result<HeadFile, Refusal> {
    let SignedHead { signer, statement, head } = SignedHead::open(bytes, trusted)?;
    admit(&signer, &statement, here)?;
    let file = admit_head(&statement, &head, here)?;
    here.seen = Some(Seen { sequence: statement.sequence, head: statement.head, judged: true });
    Ok(file)
}

fn token(result: Result<HeadFile, Refusal>) -> &'static str {
    result.map_or_else(|refusal| refusal.token(), |_| "admitted")
}

#[test]
fn what_a_trusted_key_signed_is_admitted_once() {
    let (key, press) = pair("press-7");
    let mut here = device();
    let bytes = signed(&key, 4, &head(1.0));
    assert_eq!(bytes, signed(&key, 4, &head(1.0)), "equal heads are equal bytes");
    let opened = SignedHead::open(&bytes, std::slice::from_ref(&press)).unwrap();
    assert_eq!((&opened.signer, &opened.statement), (&press, &statement(4, &head(1.0))));
    assert_eq!(offer(&bytes, std::slice::from_ref(&press), &mut here).unwrap(), head(1.0));
    assert_eq!(token(offer(&bytes, std::slice::from_ref(&press), &mut here)), "seen");
    here.in_service = Some((Generation(9), Digest::of(&head(1.0).encode().unwrap())));
    assert_eq!(token(offer(&bytes, &[press], &mut here)), "in_service");
}

#[test]
fn arbitrary_installation_a_strangers_head_and_a_changed_one_are_refused() {
    let ((stranger, _), (key, press)) = (pair("stranger"), pair("press-7"));
    let press = [press];
    assert_eq!(token(offer(&signed(&stranger, 4, &head(1.0)), &press, &mut device())), "unknown_signer");
    assert_eq!(token(offer(&head(1.0).encode().unwrap(), &press, &mut device())), "malformed", "not signed at all");
    let bytes = signed(&key, 4, &head(1.0));
    for at in (0..bytes.len()).step_by(7) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        let refused = token(offer(&flipped, &press, &mut device()));
        assert!(["malformed", "unknown_signer", "bad_signature"].contains(&refused), "byte {at}: {refused}");
    }
}

#[test]
fn endless_data_nothing_is_read_beyond_what_was_signed() {
    let (key, press) = pair("press-7");
    let bytes = signed(&key, 4, &head(1.0));
    let more = [&bytes[..], &vec![0; 1 << 16]].concat();
    assert_eq!(token(offer(&more, std::slice::from_ref(&press), &mut device())), "malformed");
    // A manifest that speaks of more than any head has, by a trusted key gone mad.
    let endless = Statement { bytes: u64::MAX, ..statement(4, &head(1.0)) };
    assert_eq!(admit(&press, &endless, &device()).unwrap_err().token(), "too_large");
    let parts = split(&key, &endless, &bytes, 1 << 17).unwrap();
    assert_eq!(Manifest::open(&parts.manifest, &[press]).unwrap_err().token(), "too_large");
}

#[test]
fn fast_forward_a_number_that_a_stolen_key_drove_up_ends_with_the_key() {
    let (stolen, press) = pair("press-7");
    let mut here = device();
    let most = u64::try_from(i64::MAX).unwrap();
    assert!(offer(&signed(&stolen, most, &head(1.0)), &[press], &mut here).is_ok());
    // The device has a new key; what was seen is kept by key, so that its first head is new.
    let (key, press) = pair("press-7");
    let press = [press];
    here.seen = None;
    assert!(offer(&signed(&key, 1, &head(2.0)), &press, &mut here).is_ok());
    assert_eq!(token(offer(&signed(&stolen, most, &head(1.0)), &press, &mut here)), "unknown_signer");
    let beyond = signed(&key, most + 1, &head(3.0));
    assert_eq!(token(offer(&beyond, &press, &mut here)), "malformed", "what the store cannot count is no number");
}

#[test]
fn freeze_a_head_that_is_held_back_until_it_is_old_is_refused_once_the_clock_is_right() {
    let (key, press) = pair("press-7");
    let press = [press];
    let bytes = signed(&key, 4, &head(1.0));
    let later = now().checked_add(Span::new().hours(31 * 24)).unwrap();
    let late = || Here { now: Some(later), ..device() };
    let refused = offer(&bytes, &press, &mut late()).unwrap_err();
    assert_eq!(refused.token(), "expired");
    assert!(refused.to_string().contains("have its device sign it anew"), "{refused}");
    let at_the_end = now().checked_add(Span::new().hours(30 * 24)).unwrap();
    assert!(offer(&bytes, &press, &mut Here { now: Some(at_the_end), ..device() }).is_ok());
    // A device that does not know what time it is cannot tell.
    assert!(offer(&bytes, &press, &mut Here { now: None, ..device() }).is_ok());
}

#[test]
fn key_compromise_what_a_distrusted_key_signs_is_refused_from_then_on() {
    let dir = tempfile::tempdir().unwrap();
    let keyring = Keyring::of(dir.path());
    let (key, press) = pair("press-7");
    keyring.trust("press-7", press.key).unwrap();
    let mut here = device();
    assert!(offer(&signed(&key, 4, &head(1.0)), &keyring.trusted().unwrap(), &mut here).is_ok());
    keyring.distrust("press-7").unwrap();
    assert_eq!(token(offer(&signed(&key, 5, &head(2.0)), &keyring.trusted().unwrap(), &mut here)), "unknown_signer");
}

#[test]
fn mix_and_match_parts_of_two_signed_heads_make_none() {
    let (key, press) = pair("press-7");
    let (one, two) = (head(1.0), head(2.0));
    // What is said of one head, around the bytes of another: only the key itself can make that, and it is found out.
    let mixed = sign(&key, &statement(4, &one), &two.encode().unwrap());
    let refused = SignedHead::open(&mixed, std::slice::from_ref(&press)).unwrap_err();
    assert_eq!(refused.token(), "not_whole");
    // Two heads under one number.
    let mut here = device();
    assert!(offer(&signed(&key, 4, &one), std::slice::from_ref(&press), &mut here).is_ok());
    assert_eq!(token(offer(&signed(&key, 4, &two), std::slice::from_ref(&press), &mut here)), "conflicting");
    // What is said, and a head file that says otherwise.
    let elsewhere = HeadFile { task: "door".to_owned(), ..one.clone() };
    let said = Statement { task: "gate".to_owned(), ..statement(5, &elsewhere) };
    let bytes = sign(&key, &said, &elsewhere.encode().unwrap());
    assert_eq!(token(offer(&bytes, &[press], &mut here)), "not_whole");
}

#[test]
fn rollback_an_older_head_is_not_taken_for_a_new_one() {
    let (key, press) = pair("press-7");
    let press = [press];
    let mut here = device();
    assert!(offer(&signed(&key, 5, &head(2.0)), &press, &mut here).is_ok());
    let refused = offer(&signed(&key, 4, &head(1.0)), &press, &mut here).unwrap_err();
    assert_eq!(refused.token(), "older");
    assert!(refused.to_string().contains("number 4, and number 5 of `press-7` was seen"), "{refused}");
    // The device itself went back: it is in service there again, and newer.
    assert!(offer(&signed(&key, 6, &head(1.0)), &press, &mut here).is_ok());
}

#[test]
fn wrong_software_a_head_of_another_backbone_task_width_or_arithmetic_is_refused() {
    let (key, press) = pair("press-7");
    let press = [press];
    let bytes = signed(&key, 4, &head(1.0));
    let refused = |here: Here| token(offer(&bytes, &press, &mut { here }));
    assert_eq!(refused(Here { backbone_id: [8; 32], ..device() }), "other_backbone");
    assert_eq!(refused(Here { task: "door".to_owned(), ..device() }), "other_task");
    assert_eq!(refused(Here { dim: 9, ..device() }), "not_whole");
    let taught = |class: &str| vec![class.to_owned()];
    assert_eq!(refused(Here { taught: taught("ajar"), ..device() }), "other_classes");
    assert_eq!(refused(Here { only: Some(taught("open")), ..device() }), "other_classes");
    let unsayable = HeadFile { classes: vec!["closed".to_owned(), "op\nen".to_owned()], ..head(1.0) };
    assert_eq!(token(offer(&signed(&key, 4, &unsayable), &press, &mut device())), "other_classes");
    // The same weights mean something else there.
    let file = head(1.0);
    let other = Statement { self_test: SelfTest::of(&head(1.5).head), ..statement(4, &file) };
    let strange = sign(&key, &other, &file.encode().unwrap());
    assert_eq!(token(offer(&strange, &press, &mut device())), "self_test");
    // Signed, and no head file.
    let no_head = Statement { head: Digest::of(b"no head"), bytes: 7, ..statement(4, &file) };
    assert_eq!(token(offer(&sign(&key, &no_head, b"no head"), &press, &mut device())), "not_loadable");
}

mod mad {
    //! A trusted key that signs nonsense: refused with words, never a panic.

    use ciborium::Value;
    use proptest::prelude::*;

    use super::*;
    use crate::cbor;
    use crate::sync::envelope::{What, seal};

    fn values() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<u64>().prop_map(|n| Value::Integer(n.into())),
            any::<i64>().prop_map(|n| Value::Integer(n.into())),
            Just(Value::Null),
            ".{0,300}".prop_map(Value::Text),
            prop::collection::vec(any::<u8>(), 0..70).prop_map(Value::Bytes),
            ".{0,30}".prop_map(|text| Value::Tag(0, Box::new(Value::Text(text)))),
            prop::collection::vec(any::<u8>(), 0..70).prop_map(|bytes| Value::Tag(85, Box::new(Value::Bytes(bytes)))),
        ]
    }

    /// A map with one of its values, or its size, changed.
    fn changed(value: Value, at: usize, to: Option<Value>) -> Value {
        let mut entries = value.into_map().unwrap();
        let at = at % entries.len();
        match to {
            Some(value) => entries[at].1 = value,
            None => drop(entries.swap_remove(at)),
        }
        Value::Map(entries)
    }

    proptest! {
        #[test]
        fn of_a_head(at in any::<usize>(), to in prop::option::of(values())) {
            let (key, press) = pair("press-7");
            let file = head(1.0);
            let said = changed(statement(4, &file).to_value(), at, to);
            let bytes = seal(&key, What::Head, &said, file.encode().unwrap());
            let _either = offer(&bytes, &[press], &mut device());
        }

        #[test]
        fn of_parts(at in any::<usize>(), to in prop::option::of(values()), part in any::<usize>()) {
            let (key, press) = pair("press-7");
            let press = [press];
            let file = head(1.0);
            let signed = signed(&key, 4, &file);
            let honest = split(&key, &statement(4, &file), &signed, 1 << 17).unwrap().manifest;
            let payload = {
                let opened = crate::sync::envelope::open(&honest, What::Manifest, &press).unwrap();
                changed(cbor::read(&opened.payload).unwrap(), at, to)
            };
            let said = statement(4, &file).without_samples().to_value();
            let bytes = seal(&key, What::Manifest, &said, cbor::write(&payload));
            if let Ok(manifest) = Manifest::open(&bytes, &press) {
                let mut assembler = Assembler::default();
                let of = manifest.sha256;
                assembler.handle_manifest(manifest, TOTAL);
                let _any = assembler.check_part(of, part, &signed);
                assembler.handle_kept(of, part, TOTAL);
            }
        }
    }
}

#[test]
fn the_bytes_of_a_signed_head_never_change() {
    let key = DeviceKey::from_pem(
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----",
    )
    .unwrap();
    let bytes = signed(&key, 4, &head(1.0));
    let parts = split(&key, &statement(4, &head(1.0)), &bytes, 1 << 17).unwrap();
    let digests = [&bytes, &parts.manifest].map(|bytes| Digest::of(bytes).to_string());
    assert_eq!((bytes.len(), digests[0].as_str(), digests[1].as_str()), GOLDEN);
}

/// Not edited: devices in the field write and read these bytes.
const GOLDEN: (usize, &str, &str) = (
    799,
    "ea611412c716a9b500a264daaf2ea804d8022a8b0a50b0333333cf81cd1e11b5",
    "aff2013ebceda07ba719940581c72174f2efd4872ebc83ffbe47e1ba1a762ed7",
);

#[test]
fn heads_of_256_kb_and_4_mb_go_through_packets_of_128_kib() {
    let (key, press) = pair("press-7");
    for (dim, least) in [(32_000, 256_000), (500_000, 4_000_000)] {
        let file = head_of(0.5, dim);
        let bytes = signed(&key, 4, &file);
        assert!(bytes.len() >= least, "{}", bytes.len());
        let parts = split(&key, &statement(4, &file), &bytes, 128 << 10).unwrap();
        assert!(parts.manifest.len() <= 128 << 10 && parts.parts.iter().all(|part| part.len() <= 127 << 10));
        let manifest = Manifest::open(&parts.manifest, std::slice::from_ref(&press)).unwrap();
        assert_eq!((manifest.parts.len(), manifest.sha256), (parts.parts.len(), Digest::of(&bytes)));
    }
    let (small, file) = (signed(&key, 4, &head_of(0.5, 500_000)), head_of(0.5, 500_000));
    let refused = split(&key, &statement(4, &file), &small, 4 << 10).unwrap_err();
    assert!(refused.to_string().contains("raise the broker's limit"), "{refused}");
}
