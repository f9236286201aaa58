//! Messages to bytes. Knows the numbers and the order of the fields; the limits stand beside the types.

use core::convert::identity;

use minicbor::encode::{
    Encoder, Error,
    write::{Cursor, EndOfSlice},
};

use super::{
    Channel, Hello, MAX_CHANNELS, MAX_CLASS, MAX_NAME, MAX_TEXT, MAX_UNIT, MAX_VALUES, MessageError, ToDevice, ToHost,
    Values,
};

type Out<'a> = Encoder<Cursor<&'a mut [u8]>>;
type Written = Result<(), Error<EndOfSlice>>;

impl ToDevice<'_> {
    /// Writes the message to the start of `out` and returns its bytes: a frame's payload.
    ///
    /// # Errors
    /// A field beyond its limit, or no room.
    pub fn encode<'o>(&self, out: &'o mut [u8]) -> Result<&'o [u8], MessageError> {
        if let Self::Prediction { class, confidence, .. } = self {
            limit("a class", class.len(), MAX_CLASS)?;
            limit("a confidence", usize::from(*confidence), 10_000)?;
        }
        write(out, |out| match *self {
            Self::Hello { version, session } => out.array(3)?.u8(0)?.u16(version)?.u32(session)?.ok(),
            Self::Configure { running, rate_millihertz } => {
                out.array(3)?.u8(1)?.bool(running)?.u32(rate_millihertz)?.ok()
            }
            Self::Ack { session, next, granted } => out.array(4)?.u8(2)?.u32(session)?.u32(next)?.u32(granted)?.ok(),
            Self::Resend { token, first, others } => out.array(4)?.u8(3)?.u32(token)?.u32(first)?.u32(others)?.ok(),
            Self::Prediction { class, confidence, known, label_wanted } => {
                out.array(5)?.u8(4)?.str(class)?.u16(confidence)?.bool(known)?.bool(label_wanted)?.ok()
            }
            Self::Ping { token } => out.array(2)?.u8(5)?.u32(token)?.ok(),
        })
    }
}

impl ToHost<'_> {
    /// Writes the message to the start of `out` and returns its bytes: a frame's payload.
    ///
    /// # Errors
    /// A field beyond its limit, or no room.
    pub fn encode<'o>(&self, out: &'o mut [u8]) -> Result<&'o [u8], MessageError> {
        match self {
            Self::Hello(hello) => check(hello)?,
            Self::Samples { values, .. } => limit("a block's values", values.bytes().len(), MAX_VALUES)?,
            Self::Label { class, .. } => filled("a label", class, MAX_CLASS)?,
            Self::Log { text, .. } => limit("a line of the log", text.len(), MAX_TEXT)?,
            Self::Pong { .. } => {}
        }
        write(out, |out| match *self {
            Self::Hello(ref hello) => write_hello(hello, out),
            Self::Samples { sequence, time, values } => {
                let (format, bytes) = match values {
                    Values::I16(bytes) => (0, bytes),
                    Values::F32(bytes) => (1, bytes),
                };
                out.array(5)?.u8(17)?.u32(sequence)?.u64(time)?.u8(format)?.bytes(bytes)?.ok()
            }
            Self::Label { sequence, time, class } => out.array(4)?.u8(18)?.u32(sequence)?.u64(time)?.str(class)?.ok(),
            Self::Log { level, text } => out.array(3)?.u8(19)?.u8(level as u8)?.str(text)?.ok(),
            Self::Pong { token, time, next, oldest } => {
                out.array(5)?.u8(20)?.u32(token)?.u64(time)?.u32(next)?.u32(oldest)?.ok()
            }
        })
    }
}

fn write_hello(hello: &Hello<'_>, out: &mut Out<'_>) -> Written {
    // No `..`: a new field does not compile until it is written.
    let Hello { version, session, previous, head, oldest, buffer, name, firmware, rate_millihertz, channels } = hello;
    out.array(11)?.u8(16)?.u16(*version)?.u32(*session)?.u32(*previous)?.u32(*head)?.u32(*oldest)?.u16(*buffer)?;
    out.str(name)?.str(firmware)?.u32(*rate_millihertz)?.array(channels.len() as u64)?;
    channels.iter().try_for_each(|Channel { name, unit, scale }| out.array(3)?.str(name)?.str(unit)?.f32(*scale)?.ok())
}

/// The limits of a device's `hello`, the same for whoever writes and whoever reads it.
pub(super) fn check(hello: &Hello<'_>) -> Result<(), MessageError> {
    filled("a device's name", hello.name, MAX_NAME)?;
    limit("a firmware's version", hello.firmware.len(), MAX_NAME)?;
    let channels = hello.channels.len();
    if channels == 0 {
        return Err(MessageError::Limit { field: "a row of channels", got: 0, max: MAX_CHANNELS });
    }
    for channel in hello.channels.iter() {
        filled("a channel's name", channel.name, MAX_NAME)?;
        limit("a channel's unit", channel.unit.len(), MAX_UNIT)?;
        if !channel.scale.is_finite() {
            return Err(MessageError::Limit { field: "a channel's scale that is not finite", got: 0, max: 0 });
        }
    }
    Ok(())
}

pub(super) fn limit(field: &'static str, got: usize, max: usize) -> Result<(), MessageError> {
    if got > max { Err(MessageError::Limit { field, got, max }) } else { Ok(()) }
}

pub(super) fn filled(field: &'static str, text: &str, max: usize) -> Result<(), MessageError> {
    if text.is_empty() { Err(MessageError::Limit { field, got: 0, max }) } else { limit(field, text.len(), max) }
}

fn write(out: &mut [u8], fields: impl FnOnce(&mut Out<'_>) -> Written) -> Result<&[u8], MessageError> {
    let got = out.len();
    let mut encoder = Encoder::new(Cursor::new(identity(&mut *out)));
    fields(&mut encoder).map_err(|_| MessageError::NoRoom { got })?;
    let length = encoder.writer().position();
    Ok(&out[..length])
}
