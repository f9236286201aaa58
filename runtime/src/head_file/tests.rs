//! Head files: what is written is read, what is damaged is refused with its field, and the bytes of format 1 stay.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use acclimate_trainer::{Conformal, Kind, Novelty, Quantisation};
use ciborium::Value;
use ndarray::{Array1, Array2, array};
use proptest::prelude::*;
use rand::SeedableRng as _;

use super::*;
use crate::cbor;

/// A small head with every field set.
pub(crate) fn example() -> HeadFile {
    HeadFile {
        task: "gate".into(),
        backbone_id: [0xbb; 32],
        classes: vec!["open".into(), "closed".into()],
        head: Head {
            kind: Kind::Ridge,
            form: Form::linear(array![[1.0, -0.5, 0.25], [-1.0, 0.5, 0.1]], array![0.5, -0.5]),
            temperature: 0.75,
            lambda: Some(0.1),
            novelty: Some(Novelty {
                measure: Measure::Samples(Stored {
                    codes: array![[255, 0, 17], [0, 254, 3], [9, 9, 200]],
                    quantisation: Quantisation { full_scale: 0.5, signed: false },
                    coefficients: array![[0.5, -0.25], [-0.5, 0.75], [0.125, 0.0]],
                    gamma: 6.5,
                    units: [-1.5, 0.25, 0.5, 0.125],
                }),
                threshold: 3.5,
                false_unknown_rate: 0.02,
            }),
            conformal: Some(Conformal { thresholds: (1..1000_u16).map(|k| f32::from(k) / 1024.0).collect() }),
        },
        decision: Decision::default(),
        provenance: Provenance {
            adjusted: None,
            counts: vec![5, 7],
            device: "press-7".into(),
            evaluation: Some(Evaluation {
                samples: 12,
                groups: 10,
                ungrouped: false,
                accuracy: 0.75,
                accuracy_interval: (0.5, 0.9),
                balanced_accuracy: 0.7,
                macro_f1: 0.72,
                log_loss: 0.4,
                ece: 0.05,
                confusion: array![[4, 1], [2, 5]],
            }),
            extractor: "tract 0.23.9 cpu f32".into(),
            fixed: Fixed::default(),
            nuisance: None,
            parent: Some(3),
            statistics: Some([0xdd; 32]),
            time: "2026-01-02T03:04:05.000006Z".parse().unwrap(),
            unproved: true,
        },
    }
}

/// The same with a kernel head: its features are codes of a half.
fn kernel_example() -> HeadFile {
    let mut file = example();
    file.head.kind = Kind::Kernel;
    file.head.form = Form::Kernel(Kernel {
        support: array![[1.0, 0.5, 0.0], [0.0, 63.5, 127.0], [0.5, 0.5, 0.5], [2.0, 1.5, 0.0]],
        quantisation: Some(Quantisation { full_scale: 127.5, signed: false }),
        coefficients: array![[1.0, -0.5, 0.25, 2.0], [-1.0, 0.5, 0.1, 0.0]],
        bias: array![0.5, -0.5],
        gamma: 1.5,
    });
    file
}

/// The example's map, for tests to spoil.
fn fields() -> Vec<(Value, Value)> {
    fields_of(&example())
}

fn fields_of(file: &HeadFile) -> Vec<(Value, Value)> {
    let value = cbor::read(&file.encode().unwrap()).unwrap();
    value.into_tag().unwrap().1.into_map().unwrap()
}

fn decode(fields: Vec<(Value, Value)>) -> Result<HeadFile, HeadFileError> {
    HeadFile::decode(&cbor::write(&Value::Tag(SELF_DESCRIBED, Box::new(Value::Map(fields)))))
}

/// What decoding says when this field holds something else; with none, when it is absent.
fn complaint(name: &str, value: Option<Value>) -> String {
    let mut fields = fields();
    fields.retain(|(key, _)| key.as_text() != Some(name));
    fields.extend(value.map(|value| (Value::Text(name.into()), value)));
    decode(fields).unwrap_err().to_string()
}

#[test]
fn every_field_must_be_there() {
    for (key, _) in fields() {
        let name = key.into_text().unwrap();
        assert_eq!(complaint(&name, None), format!("head file: `{name}` is missing, expected a value"));
    }
}

#[test]
fn every_field_of_a_kernel_must_be_there_and_fit() {
    let spoilt = |name: &str, value: Option<Value>| {
        let mut fields = fields_of(&kernel_example());
        let (_, kernel) = fields.iter_mut().find(|(key, _)| key.as_text() == Some("kernel")).unwrap();
        let kernel = kernel.as_map_mut().unwrap();
        kernel.retain(|(key, _)| key.as_text() != Some(name));
        kernel.extend(value.map(|value| (Value::Text(name.into()), value)));
        decode(fields).unwrap_err().to_string()
    };
    for name in ["support", "quantisation", "coefficients", "bias", "gamma"] {
        assert_eq!(spoilt(name, None), format!("head file: `kernel.{name}` is missing, expected a value"));
    }
    assert_eq!(
        spoilt("gamma", Some(Value::Float(0.0))),
        "head file: `kernel.gamma` is 0, expected a finite number above 0"
    );
    let short = Value::Tag(F32_LE, Box::new(Value::Bytes(vec![0; 4])));
    assert_eq!(spoilt("bias", Some(short)), "head file: `kernel.bias` is 1 × 1, expected 2 × 1");
    let unscaled = Value::Map(vec![
        (Value::Text("full_scale".into()), Value::Float(-1.0)),
        (Value::Text("signed".into()), Value::Bool(true)),
    ]);
    assert_eq!(
        spoilt("quantisation", Some(unscaled)),
        "head file: `kernel.quantisation.full_scale` is the float -1e0, expected a finite number above 0"
    );
    assert_eq!(
        spoilt("colour", Some(Value::Null)),
        "head file: `kernel.colour` is null, expected no such field in format 2"
    );
}

#[test]
fn features_of_a_kernel_take_a_byte_each_where_codes_say_them() {
    let codes = kernel_example();
    let mut plain = kernel_example();
    let Form::Kernel(kernel) = &mut plain.head.form else { panic!("it is a kernel") };
    kernel.support[(1, 1)] = 63.4;
    assert!(plain.encode().unwrap().len() > codes.encode().unwrap().len());
    let Form::Kernel(kernel) = HeadFile::decode(&plain.encode().unwrap()).unwrap().head.form else { panic!("it is") };
    assert_eq!((kernel.support[(1, 1)], kernel.quantisation), (63.4, None));
}

#[test]
fn no_other_field_may_be_there() {
    let message = complaint("colour", Some(Value::Bool(true)));
    assert_eq!(message, "head file: `the file.colour` is true, expected no such field in format 2");
}

#[test]
fn a_complaint_names_field_expectation_and_finding() {
    let text = |text: &str| Some(Value::Text(text.into()));
    assert_eq!(
        complaint("kind", text("forest")),
        "head file: `kind` is \"forest\", expected biased_ridge, discriminant, kernel, logistic, prototype, ridge or shipped"
    );
    assert_eq!(complaint("task", Some(Value::Null)), "head file: `task` is null, expected text");
    assert_eq!(
        complaint("backbone", Some(Value::Bytes(vec![1]))),
        "head file: `backbone` is 1 bytes, expected 32 bytes"
    );
    assert_eq!(
        complaint("temperature", Some(Value::Float(0.0))),
        "head file: `temperature` is 0, expected a finite number above 0"
    );
    assert_eq!(complaint("lambda", Some(Value::Float(f64::NAN))), "head file: `lambda` is NaN, expected finite");
    let twins = Value::Array(vec![Value::Text("a".into()), Value::Text("a".into())]);
    assert!(complaint("classes", Some(twins)).contains("no two alike"));
    let ragged = Value::Tag(F32_LE, Box::new(Value::Bytes(vec![0; 7])));
    assert!(complaint("bias", Some(ragged)).contains("4 for each number"));
    let short = Value::Tag(F32_LE, Box::new(Value::Bytes(vec![0; 4])));
    assert_eq!(complaint("bias", Some(short.clone())), "head file: `bias` is 1 × 1, expected 2 × 1");
    let dims = Value::Array(vec![Value::Integer(u64::MAX.into()), Value::Integer(u64::MAX.into())]);
    let absurd = Value::Tag(ROW_MAJOR, Box::new(Value::Array(vec![dims, short])));
    assert!(complaint("weights", Some(absurd)).contains("is 1 numbers, expected 18446744073709551615 × "));
}

#[test]
fn a_later_format_is_named_before_anything_else() {
    let future = vec![(Value::Text("format".into()), Value::Integer(5.into()))];
    let message = decode(future).unwrap_err().to_string();
    assert!(message.contains("has format 5, but this version of acclimate reads formats 1 to 4"), "{message}");
}

#[test]
fn other_cbor_is_no_head_file() {
    assert!(matches!(HeadFile::decode(&[0xf6]), Err(HeadFileError::NotAHead)));
    assert!(matches!(HeadFile::decode(b"PK\x03\x04"), Err(HeadFileError::Cbor(_))));
    assert!(matches!(HeadFile::decode(&vec![0; MAX_BYTES + 1]), Err(HeadFileError::TooLarge { .. })));
}

#[test]
fn what_could_not_be_read_back_is_not_written() {
    let mut head = example();
    let Form::Linear(linear) = &mut head.head.form else { panic!("it is linear") };
    linear.weights[(1, 2)] = f32::NAN;
    assert_eq!(head.encode().unwrap_err().to_string(), "head file: `weights` is NaN, expected finite");
    let mut head = example();
    head.provenance.counts.pop();
    assert_eq!(head.encode().unwrap_err().to_string(), "head file: `provenance.counts` is 1 × 1, expected 2 × 1");
}

/// Bytes that a built value takes, without what the allocator adds.
fn size(value: &Value) -> usize {
    size_of::<Value>()
        + match value {
            Value::Array(items) => items.iter().map(size).sum(),
            Value::Bytes(bytes) => bytes.len(),
            Value::Map(entries) => entries.iter().map(|(key, value)| size(key) + size(value)).sum(),
            Value::Tag(_, inner) => size(inner),
            Value::Text(text) => text.len(),
            _ => 0,
        }
}

#[test]
fn two_thousand_mutations_neither_panic_nor_grow() {
    let originals = [example().encode().unwrap(), kernel_example().encode().unwrap()];
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(20_260_102);
    let (mut read, mut refused) = (0, 0);
    for turn in 0..2000 {
        let mut bytes = originals[turn % 2].clone();
        for _ in 0..rng.random_range(1..4) {
            let at = rng.random_range(0..bytes.len());
            match rng.random_range(0..4) {
                0 => bytes[at] ^= 1 << rng.random_range(0..8),
                1 => bytes[at] = rng.next_u32() as u8,
                2 => bytes.truncate(at + 1),
                _ => bytes.insert(at, rng.next_u32() as u8),
            }
        }
        if let Ok(value) = cbor::read(&bytes) {
            assert!(size(&value) <= 2 * bytes.len() + size_of::<Value>() * cbor::MAX_ITEMS, "{bytes:02x?}");
        }
        match HeadFile::decode(&bytes) {
            // A changed number is a changed head: what is taken must be what is written again.
            Ok(head) => {
                assert!(HeadFile::decode(&head.encode().unwrap()).unwrap() == head);
                read += 1;
            }
            Err(_) => refused += 1,
        }
    }
    assert!(read > 100 && refused > 1000, "{read} read, {refused} refused: the mutations reach both ends");
}

fn finite() -> impl Strategy<Value = f64> {
    prop::num::f64::NORMAL | prop::num::f64::ZERO | prop::num::f64::SUBNORMAL
}

fn finite_f32() -> impl Strategy<Value = f32> {
    prop::num::f32::NORMAL | prop::num::f32::ZERO | prop::num::f32::SUBNORMAL
}

fn matrix(rows: usize, columns: usize) -> impl Strategy<Value = Array2<f32>> {
    prop::collection::vec(finite_f32(), rows * columns)
        .prop_map(move |numbers| Array2::from_shape_vec((rows, columns), numbers).unwrap())
}

/// Stored features of heads with `n` classes.
fn stored(n: usize, dim: usize) -> impl Strategy<Value = Measure> {
    let positive = || f32::MIN_POSITIVE..f32::MAX;
    (1..4_usize).prop_flat_map(move |rows| {
        let codes = prop::collection::vec(any::<u8>(), rows * dim);
        (codes, any::<bool>(), matrix(rows, n), prop::array::uniform4(positive()), prop::array::uniform2(finite_f32()))
            .prop_map(move |(codes, signed, coefficients, x, means)| {
                Measure::Samples(Stored {
                    codes: Array2::from_shape_vec((rows, dim), codes).unwrap(),
                    quantisation: Quantisation { full_scale: x[0], signed },
                    coefficients,
                    gamma: x[1],
                    units: [means[0], x[2], means[1], x[3]],
                })
            })
    })
}

fn adjustments(dim: usize) -> impl Strategy<Value = Adjustment> {
    (any::<(u64, u64)>(), finite(), prop::collection::vec(finite_f32(), dim))
        .prop_map(|((samples, groups), p, shift)| Adjustment { samples, groups, p, shift })
}

fn heads() -> impl Strategy<Value = HeadFile> {
    let kinds = prop::sample::select(Kind::ALL.to_vec());
    (1..5_usize, 1..6_usize, kinds).prop_flat_map(|(n, dim, kind)| {
        let means = matrix(n, dim).prop_map(|means| Measure::Means { means });
        let novelty = (prop_oneof![means, stored(n, dim)], finite_f32(), finite())
            .prop_map(|(measure, threshold, false_unknown_rate)| Novelty { measure, threshold, false_unknown_rate });
        let conformal =
            prop::collection::vec(0.0..1.0_f32, COVERAGES - 1).prop_map(|thresholds| Conformal { thresholds });
        let linear = (matrix(n, dim), prop::collection::vec(finite_f32(), n))
            .prop_map(|(weights, bias)| Form::linear(weights, Array1::from(bias)));
        let kernel = (1..5_usize).prop_flat_map(move |support| {
            let quantisation = Quantisation { full_scale: 0.3, signed: true };
            let codes = prop::collection::vec(1_u8..128, support * dim)
                .prop_map(move |codes| Array2::from_shape_vec((support, dim), quantisation.decode(&codes)).unwrap());
            let features = prop_oneof![
                codes.prop_map(move |support| (support, Some(quantisation))),
                matrix(support, dim).prop_map(|support| (support, None)),
            ];
            let bias = prop::collection::vec(finite_f32(), n);
            (features, matrix(n, support), bias, f64::MIN_POSITIVE..f64::MAX).prop_map(
                |((support, quantisation), coefficients, bias, gamma)| {
                    Form::Kernel(Kernel { support, quantisation, coefficients, bias: Array1::from(bias), gamma })
                },
            )
        });
        let head = (
            prop_oneof![linear, kernel],
            f64::MIN_POSITIVE..f64::MAX,
            prop::option::of(finite()),
            prop::option::of(novelty),
            prop::option::of(conformal),
        )
            .prop_map(move |(form, temperature, lambda, novelty, conformal)| Head {
                kind,
                form,
                temperature,
                lambda,
                novelty,
                conformal,
            });
        let evaluation = (
            any::<(usize, usize, bool)>(),
            prop::collection::vec(finite(), 7),
            prop::collection::vec(any::<u64>(), n * n),
        )
            .prop_map(move |((samples, groups, ungrouped), x, counts)| Evaluation {
                samples,
                groups,
                ungrouped,
                accuracy: x[0],
                accuracy_interval: (x[1], x[2]),
                balanced_accuracy: x[3],
                macro_f1: x[4],
                log_loss: x[5],
                ece: x[6],
                confusion: Array2::from_shape_vec((n, n), counts).unwrap(),
            });
        let provenance = (
            prop::collection::vec(any::<u64>(), n),
            (".{0,12}", ".{0,12}"),
            prop::option::of(evaluation),
            any::<(Option<u32>, Option<[u8; 32]>, bool)>(),
            (
                (prop::array::uniform3(prop::option::of(finite())), any::<bool>()),
                prop::option::of(adjustments(dim)),
                prop::option::of(0..dim),
            ),
            // From the year 1 to 9999: the epoch is no limit to a wrong clock.
            (-62_135_596_800_i64..253_402_207_200, 0..1_000_000_000_i32),
        )
            .prop_map(
                move |(counts, (device, extractor), evaluation, (parent, statistics, unproved), fixed, (s, ns))| {
                    let time = Timestamp::new(s, ns).unwrap();
                    let (([gamma, lambda, precision], balanced), adjusted, axis) = fixed;
                    // None where a feature has one component alone.
                    let nuisance = axis.and_then(|axis| Nuisance::new([Array2::eye(dim).row(axis)]));
                    let weighting = if balanced { Weighting::Balanced } else { Weighting::Auto };
                    let fixed = Fixed { gamma, lambda, precision, weighting };
                    Provenance {
                        adjusted,
                        counts,
                        device,
                        evaluation,
                        extractor,
                        fixed,
                        nuisance,
                        parent,
                        statistics,
                        time,
                        unproved,
                    }
                },
            );
        let decision = (
            prop::option::of(prop::collection::vec(0.0..1e9, n * n)),
            prop::option::of(prop::collection::vec(0.0..=1.0, n)),
        )
            .prop_map(move |(costs, thresholds)| {
                let costs = costs.map(|costs| {
                    let mut costs = Array2::from_shape_vec((n, n), costs).unwrap();
                    costs.diag_mut().fill(0.0);
                    costs
                });
                Decision::new(n, costs, thresholds).unwrap()
            });
        (prop::collection::btree_set(".{1,9}", n), "[a-z0-9-]{1,20}", any::<[u8; 32]>(), head, decision, provenance)
            .prop_map(|(classes, task, backbone_id, head, decision, provenance)| HeadFile {
                task,
                backbone_id,
                classes: classes.into_iter().collect(),
                head,
                decision,
                provenance,
            })
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(head in heads()) {
        let bytes = head.encode().unwrap();
        let again = HeadFile::decode(&bytes).unwrap();
        prop_assert_eq!(&again, &head);
        prop_assert_eq!(again.encode().unwrap(), bytes);
    }
}

mod v1 {
    //! Bytes of format 1.
    //!
    //! If a test here fails, do not edit the test: heads in the field have these bytes. Add a format, and a `v2` module.

    use super::*;

    /// `example()` as format 1 wrote it first.
    const EXAMPLE: &str = include_str!("v1.hex");

    pub(super) fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.lines().flat_map(|line| line.split('#').next().unwrap().bytes()).collect();
        let digits: String = digits.into_iter().filter(u8::is_ascii_hexdigit).map(char::from).collect();
        digits
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    #[test]
    fn is_still_read() {
        let then = before(example());
        let read = HeadFile::decode(&bytes(EXAMPLE)).unwrap();
        assert_eq!(read, then);
        assert_eq!(HeadFile::decode(&read.encode().unwrap()).unwrap(), then, "and written as it is now");
    }

    /// A head as format 1 held it.
    pub(super) fn before(mut file: HeadFile) -> HeadFile {
        file.head.conformal = None;
        file.head.novelty = Some(Novelty {
            measure: Measure::Means { means: array![[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]] },
            threshold: 0.3,
            false_unknown_rate: 0.02,
        });
        file
    }
}

mod v2 {
    //! Bytes of format 2.
    //!
    //! If a test here fails, do not edit the test: heads in the field have these bytes. Add a format, and a `v3` module.

    use sha2::{Digest as _, Sha256};

    use super::*;

    /// SHA-256 of the examples as format 2 wrote them first: their thresholds alone are 4 kB.
    const EXAMPLES: [&str; 2] = [
        "a6a91a0c9ff8e5eb2fa3da4cae4e5bd6e7f313525d6235d4f4393d3e7e23e0d5",
        "b2e8adb82f1bf9549de5422041bae3840e9433c434bbaa0f7086128b20bbdf03",
    ];

    #[test]
    fn is_still_written() {
        let digest = |file: HeadFile| crate::store::Digest(Sha256::digest(file.encode().unwrap()).into()).to_string();
        assert_eq!([example(), kernel_example()].map(digest), EXAMPLES);
    }
}

mod v3 {
    //! Bytes of format 3, which heads that were adjusted have.

    use super::*;
    use sha2::{Digest as _, Sha256};

    /// SHA-256 of an adjusted example as format 3 wrote it first.
    const EXAMPLE: &str = "05c502a39bb5ba70a532eb9641f61f93e5ec0332c86df9677389b02c460de8a9";

    fn adjusted() -> HeadFile {
        let mut head = example();
        head.provenance.adjusted =
            Some(Adjustment { samples: 40, groups: 38, p: 0.001, shift: vec![0.5, -0.25, 0.125] });
        head
    }

    #[test]
    fn is_still_written() {
        let bytes = adjusted().encode().unwrap();
        assert_eq!(crate::store::Digest(Sha256::digest(&bytes).into()).to_string(), EXAMPLE);
        assert_eq!(HeadFile::decode(&bytes).unwrap(), adjusted());
    }

    #[test]
    fn an_adjustment_of_another_dim_is_refused() {
        let mut head = adjusted();
        head.provenance.adjusted.as_mut().unwrap().shift.pop();
        let message = head.encode().unwrap_err().to_string();
        assert!(message.contains("`provenance.adjusted.shift` is 2 × 1, expected 3 × 1"), "{message}");
    }
}

mod v4 {
    //! Bytes of format 4, which heads that do without directions have.

    use super::*;
    use sha2::{Digest as _, Sha256};

    /// SHA-256 of two examples as format 4 wrote them first: one adjusted, one not.
    const EXAMPLES: [&str; 2] = [
        "24791403a225064cda5c65ff31fb5dd9b0e78378e44c24f3ed41ac925e600e65",
        "174f96fc745488e6f8fe9961c61298959692c11d0595afa4ee8fbaf28a0952ba",
    ];

    fn without(adjusted: Option<Adjustment>) -> HeadFile {
        let mut head = example();
        head.provenance.nuisance = Nuisance::new([array![0.6_f32, 0.0, 0.8].view()]);
        head.provenance.adjusted = adjusted;
        head
    }

    #[test]
    fn is_still_written() {
        let adjustment = Adjustment { samples: 40, groups: 38, p: 0.001, shift: vec![0.5, -0.25, 0.125] };
        let digests = [None, Some(adjustment)].map(|adjusted| {
            let bytes = without(adjusted.clone()).encode().unwrap();
            assert_eq!(HeadFile::decode(&bytes).unwrap(), without(adjusted));
            crate::store::Digest(Sha256::digest(&bytes).into()).to_string()
        });
        assert_eq!(digests, EXAMPLES);
    }

    #[test]
    fn directions_that_are_none_or_of_another_dim_are_refused() {
        let mut head = without(None);
        head.provenance.nuisance = Nuisance::new([array![0.6_f32, 0.8].view()]);
        let message = head.encode().unwrap_err().to_string();
        assert!(message.contains("`provenance.nuisance` is 1 × 2, expected 1 × 3"), "{message}");
        let mut bytes = without(None).encode().unwrap();
        let at = bytes.windows(4).position(|four| four == 0.8_f32.to_le_bytes()).unwrap();
        bytes[at..at + 4].copy_from_slice(&8.0_f32.to_le_bytes());
        let message = HeadFile::decode(&bytes).unwrap_err().to_string();
        assert!(message.contains("`provenance.nuisance`") && message.contains("orthonormal"), "{message}");
    }
}

mod answers {
    //! Rules for answers.

    use super::*;

    #[test]
    fn a_rule_for_answers_and_what_was_fixed_travel_with_the_head() {
        let mut head = example();
        head.decision = Decision::new(2, Some(array![[0.0, 1.0], [10.0, 0.0]]), Some(vec![0.9, 0.5])).unwrap();
        head.provenance.fixed =
            Fixed { gamma: Some(4.0), lambda: Some(0.1), precision: Some(0.95), weighting: Weighting::None };
        let bytes = head.encode().unwrap();
        assert_eq!(HeadFile::decode(&bytes).unwrap(), head);
        let value = cbor::read(&bytes).unwrap().into_tag().unwrap().1.into_map().unwrap();
        let of = |name: &str| value.iter().find(|(key, _)| key.as_text() == Some(name)).unwrap().1.clone();
        assert_eq!(of("decision").into_map().unwrap().len(), 2);
    }

    #[test]
    fn costs_that_reward_mistakes_are_refused() {
        let mut head = example();
        head.decision = Decision::new(2, Some(array![[0.0, 1.0], [10.0, 0.0]]), None).unwrap();
        let mut bytes = head.encode().unwrap();
        // The only 10.0 in the file becomes -10.0.
        let at = bytes.windows(8).position(|eight| eight == 10.0_f64.to_le_bytes()).unwrap();
        bytes[at + 7] |= 0x80;
        let message = HeadFile::decode(&bytes).unwrap_err().to_string();
        assert!(message.contains("`decision`") && message.contains("-10"), "{message}");
    }
}
