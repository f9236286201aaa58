//! Head → bytes: the tables of the parent module, field by field. Trusts that the head was checked.

use acclimate_trainer::domain::Nuisance;
use acclimate_trainer::{Decision, Evaluation, Form, Head, Kernel, Linear, Measure, Novelty, Quantisation, Stored};
use ciborium::Value;

use super::{
    ADJUSTED, Adjustment, F32_LE, F64_LE, FORMAT, Fixed, HeadFile, PLAIN, Provenance, ROW_MAJOR, SELF_DESCRIBED, U8,
    U64_LE,
};
use crate::cbor;

pub(super) fn bytes(file: &HeadFile) -> Vec<u8> {
    let HeadFile { task, backbone_id, classes, head, decision, provenance } = file;
    let Head { kind, form, temperature, lambda, novelty, conformal } = head;
    let mut fields = vec![
        ("format", uint(format(provenance))),
        ("task", Value::Text(task.clone())),
        ("backbone", Value::Bytes(backbone_id.to_vec())),
        ("classes", Value::Array(classes.iter().cloned().map(Value::Text).collect())),
        ("kind", Value::Text(kind.to_string())),
        ("temperature", Value::Float(*temperature)),
        ("lambda", or_null(lambda.map(Value::Float))),
        ("novelty", or_null(novelty.as_ref().map(novelty_map))),
        ("conformal", or_null(conformal.as_ref().map(|conformal| f32s(conformal.thresholds.iter())))),
        ("decision", or_null((!decision.is_plain()).then(|| decision_map(decision)))),
        ("provenance", provenance_map(provenance)),
    ];
    match form {
        Form::Linear(Linear { weights, bias }) => {
            fields.push(("weights", matrix(weights.dim(), f32s(weights.iter()))));
            fields.push(("bias", f32s(bias.iter())));
        }
        Form::Kernel(kernel) => fields.push(("kernel", kernel_map(kernel))),
    }
    cbor::write(&Value::Tag(SELF_DESCRIBED, Box::new(map(fields))))
}

fn decision_map(decision: &Decision) -> Value {
    map(vec![
        ("costs", or_null(decision.costs().map(|costs| matrix(costs.dim(), f64s(costs.iter()))))),
        ("thresholds", or_null(decision.thresholds().map(|thresholds| f64s(thresholds.iter())))),
    ])
}

fn fixed_map(fixed: &Fixed) -> Value {
    let Fixed { gamma, lambda, precision, weighting } = fixed;
    map(vec![
        ("gamma", or_null(gamma.map(Value::Float))),
        ("lambda", or_null(lambda.map(Value::Float))),
        ("precision", or_null(precision.map(Value::Float))),
        ("weighting", Value::Text(weighting.to_string())),
    ])
}

fn kernel_map(kernel: &Kernel) -> Value {
    let Kernel { support, quantisation, coefficients, bias, gamma } = kernel;
    // Features that are not what codes decode to are kept as they are.
    let codes = quantisation.and_then(|quantisation| {
        let rows = support.outer_iter().map(|row| quantisation.codes_of(&row.to_vec()));
        Some((quantisation, rows.collect::<Option<Vec<_>>>()?.concat()))
    });
    let (support, quantisation) = match codes {
        Some((Quantisation { full_scale, signed }, codes)) => {
            let scale = Value::Float(f64::from(full_scale));
            let quantisation = map(vec![("full_scale", scale), ("signed", Value::Bool(signed))]);
            (matrix(support.dim(), Value::Tag(U8, Box::new(Value::Bytes(codes)))), quantisation)
        }
        None => (matrix(support.dim(), f32s(support.iter())), Value::Null),
    };
    map(vec![
        ("support", support),
        ("quantisation", quantisation),
        ("coefficients", matrix(coefficients.dim(), f32s(coefficients.iter()))),
        ("bias", f32s(bias.iter())),
        ("gamma", Value::Float(*gamma)),
    ])
}

fn novelty_map(novelty: &Novelty) -> Value {
    let Novelty { measure, threshold, false_unknown_rate } = novelty;
    let (means, samples) = match measure {
        Measure::Means { means } => (Some(matrix(means.dim(), f32s(means.iter()))), None),
        Measure::Samples(stored) => (None, Some(stored_map(stored))),
    };
    map(vec![
        ("threshold", Value::Float(f64::from(*threshold))),
        ("false_unknown_rate", Value::Float(*false_unknown_rate)),
        ("means", or_null(means)),
        ("samples", or_null(samples)),
    ])
}

fn stored_map(stored: &Stored) -> Value {
    let Stored { codes, quantisation, coefficients, gamma, units } = stored;
    let bytes = Value::Bytes(codes.iter().copied().collect());
    map(vec![
        ("codes", matrix(codes.dim(), Value::Tag(U8, Box::new(bytes)))),
        ("full_scale", Value::Float(f64::from(quantisation.full_scale))),
        ("signed", Value::Bool(quantisation.signed)),
        ("coefficients", matrix(coefficients.dim(), f32s(coefficients.iter()))),
        ("gamma", Value::Float(f64::from(*gamma))),
        ("units", f32s(units.iter())),
    ])
}

fn provenance_map(provenance: &Provenance) -> Value {
    let Provenance {
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
    } = provenance;
    let mut fields = vec![
        ("counts", Value::Array(counts.iter().map(|&count| uint(count)).collect())),
        ("device", Value::Text(device.clone())),
        ("evaluation", or_null(evaluation.as_ref().map(evaluation_map))),
        ("extractor", Value::Text(extractor.clone())),
        ("fixed", or_null((*fixed != Fixed::default()).then(|| fixed_map(fixed)))),
        ("parent", or_null(parent.map(|parent| uint(u64::from(parent))))),
        ("statistics", or_null(statistics.map(|digest| Value::Bytes(digest.to_vec())))),
        ("time", Value::Tag(0, Box::new(Value::Text(time.to_string())))),
        ("unproved", Value::Bool(*unproved)),
    ];
    let adjusted = adjusted.as_ref().map(adjustment_map);
    match nuisance.as_ref().map(Nuisance::directions) {
        Some(directions) => fields
            .extend([("adjusted", or_null(adjusted)), ("nuisance", matrix(directions.dim(), f32s(directions.iter())))]),
        None => fields.extend(adjusted.map(|adjusted| ("adjusted", adjusted))),
    }
    map(fields)
}

/// The oldest format that can say it.
fn format(provenance: &Provenance) -> u64 {
    match provenance {
        Provenance { nuisance: Some(_), .. } => FORMAT,
        Provenance { adjusted: Some(_), .. } => ADJUSTED,
        _ => PLAIN,
    }
}

fn adjustment_map(adjustment: &Adjustment) -> Value {
    let Adjustment { samples, groups, p, shift } = adjustment;
    map(vec![
        ("samples", uint(*samples)),
        ("groups", uint(*groups)),
        ("p", Value::Float(*p)),
        ("shift", f32s(shift.iter())),
    ])
}

fn evaluation_map(evaluation: &Evaluation) -> Value {
    let Evaluation {
        samples,
        groups,
        ungrouped,
        accuracy,
        accuracy_interval,
        balanced_accuracy,
        macro_f1,
        log_loss,
        ece,
        confusion,
    } = evaluation;
    let counts = Value::Bytes(confusion.iter().flat_map(|count| count.to_le_bytes()).collect());
    map(vec![
        ("samples", uint(*samples as u64)),
        ("groups", uint(*groups as u64)),
        ("ungrouped", Value::Bool(*ungrouped)),
        ("accuracy", Value::Float(*accuracy)),
        ("accuracy_interval", Value::Array(vec![Value::Float(accuracy_interval.0), Value::Float(accuracy_interval.1)])),
        ("balanced_accuracy", Value::Float(*balanced_accuracy)),
        ("macro_f1", Value::Float(*macro_f1)),
        ("log_loss", Value::Float(*log_loss)),
        ("ece", Value::Float(*ece)),
        ("confusion", matrix(confusion.dim(), Value::Tag(U64_LE, Box::new(counts)))),
    ])
}

fn map(fields: Vec<(&str, Value)>) -> Value {
    Value::Map(fields.into_iter().map(|(name, value)| (Value::Text(name.to_owned()), value)).collect())
}

fn uint(number: u64) -> Value {
    Value::Integer(number.into())
}

fn or_null(value: Option<Value>) -> Value {
    value.unwrap_or(Value::Null)
}

fn f32s<'a>(numbers: impl Iterator<Item = &'a f32>) -> Value {
    let bytes = numbers.flat_map(|number| number.to_le_bytes()).collect();
    Value::Tag(F32_LE, Box::new(Value::Bytes(bytes)))
}

fn f64s<'a>(numbers: impl Iterator<Item = &'a f64>) -> Value {
    let bytes = numbers.flat_map(|number| number.to_le_bytes()).collect();
    Value::Tag(F64_LE, Box::new(Value::Bytes(bytes)))
}

fn matrix((rows, columns): (usize, usize), numbers: Value) -> Value {
    let dims = Value::Array(vec![uint(rows as u64), uint(columns as u64)]);
    Value::Tag(ROW_MAJOR, Box::new(Value::Array(vec![dims, numbers])))
}
