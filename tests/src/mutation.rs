//! Spoilt files: bytes flipped, cut and copied, and for ONNX also the fields of its messages dropped, doubled, swapped and
//! given other values, so that most of the result is still a model. Knows protobuf's wire and which fields of ONNX hold
//! messages; nothing of what a model means.

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

/// Spoils an ONNX file, or any other bytes.
pub fn spoil(bytes: &[u8], random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut spoilt = bytes.to_vec();
    for _ in 0..random.random_range(1..4) {
        spoilt = match random.random_range(0..3) {
            0 => bytes_of(spoilt, random),
            _ => fields_of(&spoilt, random),
        };
    }
    spoilt
}

/// Flips, overwrites, cuts, copies or drops bytes.
fn bytes_of(mut bytes: Vec<u8>, random: &mut ChaCha8Rng) -> Vec<u8> {
    if bytes.is_empty() {
        return bytes;
    }
    let at = random.random_range(0..bytes.len());
    let length = random.random_range(1..=(bytes.len() - at).min(64));
    match random.random_range(0..5) {
        0 => bytes[at] ^= 1 << random.random_range(0..8),
        1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random.random_range(0..5)],
        2 => bytes.truncate(at),
        3 => {
            let chunk = bytes[at..at + length].to_vec();
            let to = random.random_range(0..=bytes.len());
            bytes.splice(to..to, chunk);
        }
        _ => drop(bytes.drain(at..at + length)),
    }
    bytes
}

/// Spoils a text: its bytes, or whole lines and numbers.
pub fn spoil_text(text: &str, random: &mut ChaCha8Rng) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let at = random.random_range(0..lines.len());
    match random.random_range(0..5) {
        0 => return String::from_utf8_lossy(&bytes_of(text.as_bytes().to_vec(), random)).into_owned(),
        1 => drop(lines.remove(at)),
        2 => lines.insert(at, lines[at].clone()),
        3 => {
            let to = random.random_range(0..lines.len());
            lines.swap(at, to);
        }
        _ => {
            let values = [
                "0",
                "-1",
                "1e30",
                "nan",
                "inf",
                "9223372036854775807",
                "[]",
                "\"\"",
                "\"auto\"",
                "{}",
                "4096",
                "[1, 1]",
            ];
            if let Some((key, _)) = lines[at].split_once(" = ") {
                lines[at] = format!("{key} = {}", values[random.random_range(0..values.len())]);
            }
        }
    }
    lines.join("\n") + "\n"
}

/// The messages of ONNX that hold others.
#[derive(Clone, Copy)]
enum Kind {
    Attribute,
    Dimension,
    Graph,
    Model,
    Node,
    Shape,
    Tensor,
    TensorType,
    Type,
    ValueInfo,
    /// Holds no messages, as far as we care.
    Leaf,
}

/// What a field of a message holds, if it is a message.
fn inside(kind: Kind, field: u64) -> Option<Kind> {
    Some(match (kind, field) {
        (Kind::Model, 7) | (Kind::Attribute, 6) => Kind::Graph,
        (Kind::Model, 8 | 14) => Kind::Leaf,
        (Kind::Graph, 1) => Kind::Node,
        (Kind::Graph | Kind::Attribute, 5) => Kind::Tensor,
        (Kind::Graph, 11..=13) => Kind::ValueInfo,
        (Kind::Node, 5) => Kind::Attribute,
        (Kind::ValueInfo, 2) => Kind::Type,
        (Kind::Type, 1) => Kind::TensorType,
        (Kind::TensorType, 2) => Kind::Shape,
        (Kind::Shape, 1) => Kind::Dimension,
        _ => return None,
    })
}

/// A field as it stands on the wire: its key and its bytes, without the length before them.
struct Field {
    key: u64,
    value: Vec<u8>,
}

/// How a field's value is written: 0 as a varint, 1 and 5 as eight and four bytes, 2 with its length before it.
fn wire(field: &Field) -> u64 {
    field.key % 8
}

/// One edit somewhere in the tree of messages. What does not parse is left as it is.
fn fields_of(bytes: &[u8], random: &mut ChaCha8Rng) -> Vec<u8> {
    edit(bytes, Kind::Model, random).unwrap_or_else(|| bytes.to_vec())
}

fn edit(bytes: &[u8], kind: Kind, random: &mut ChaCha8Rng) -> Option<Vec<u8>> {
    let mut fields = parse(bytes)?;
    if fields.is_empty() {
        return None;
    }
    let at = random.random_range(0..fields.len());
    // Mostly deeper: there are few fields at the top, and most that matter lies below.
    if let Some(kind) = inside(kind, fields[at].key >> 3)
        && wire(&fields[at]) == 2
        && random.random_bool(0.9)
        && let Some(inner) = edit(&fields[at].value, kind, random)
    {
        fields[at].value = inner;
        return Some(write(&fields));
    }
    let to = random.random_range(0..fields.len());
    match random.random_range(0..6) {
        0 => drop(fields.remove(at)),
        1 => {
            let Field { key, value } = &fields[at];
            let copy = Field { key: *key, value: value.clone() };
            fields.insert(to, copy);
        }
        2 => fields.swap(at, to),
        3 => {
            // The value of one in the place of another: names, operators, types.
            let value = fields[to].value.clone();
            if wire(&fields[to]) == wire(&fields[at]) {
                fields[at].value = value;
            }
        }
        4 => fields[at].key = (random.random_range(1..20) << 3) | wire(&fields[at]),
        _ if wire(&fields[at]) == 0 => {
            let values = [0, 1, 2, 3, 7, 8, 16, 255, 1 << 31, (1 << 32) - 1, 1 << 40, i64::MAX as u64, u64::MAX];
            fields[at].value = varint(values[random.random_range(0..values.len())]);
        }
        _ => fields[at].value = bytes_of(std::mem::take(&mut fields[at].value), random),
    }
    Some(write(&fields))
}

fn parse(mut bytes: &[u8]) -> Option<Vec<Field>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = take_varint(&mut bytes)?;
        let value = match key & 7 {
            0 => varint(take_varint(&mut bytes)?),
            1 => take(&mut bytes, 8)?,
            2 => {
                let length = take_varint(&mut bytes)?;
                take(&mut bytes, usize::try_from(length).ok()?)?
            }
            5 => take(&mut bytes, 4)?,
            _ => return None,
        };
        fields.push(Field { key, value });
    }
    Some(fields)
}

fn take(bytes: &mut &[u8], length: usize) -> Option<Vec<u8>> {
    let (head, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(head.to_vec())
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in 0..10 {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 127).checked_shl(shift * 7)?;
        if byte < 128 {
            return Some(number);
        }
    }
    None
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 127 {
        bytes.push((number as u8 & 127) | 128);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn write(fields: &[Field]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for Field { key, value } in fields {
        bytes.extend(varint(*key));
        if key & 7 == 2 {
            bytes.extend(varint(value.len() as u64));
        }
        bytes.extend(value);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;

    #[test]
    fn a_message_is_written_as_it_was_read() {
        let bytes = [8, 150, 1, 18, 3, 1, 2, 3, 29, 1, 2, 3, 4, 33, 1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(parse(&bytes).map(|fields| write(&fields)).as_deref(), Some(&bytes[..]));
        assert!(parse(&[18, 9, 1]).is_none(), "longer than the file");
    }

    #[test]
    fn most_spoilt_messages_are_still_messages_and_nearly_all_are_others() {
        let model = [8, 8, 58, 9, 18, 7, b't', b'e', b's', b't', b'i', b'n', b'g', 66, 2, 16, 13];
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let spoilt: Vec<_> = (0..1000).map(|_| spoil(&model, &mut random)).collect();
        let others = spoilt.iter().filter(|bytes| bytes[..] != model).count();
        let messages = spoilt.iter().filter(|bytes| parse(bytes).is_some()).count();
        assert!(others > 800 && messages > 500, "{others} others, {messages} messages");
    }
}
