//! Bytes to messages. Reads what may be hostile: every length is checked before it is believed, unknown fields behind the
//! known ones are passed over, and bytes behind the message are an error.

use minicbor::decode::{Decoder, Error};

use super::{
    Channel, Channels, Hello, Level, MAX_CHANNELS, MAX_CLASS, MAX_TEXT, MAX_VALUES, MessageError, ToDevice, ToHost,
    Values,
    encode::{check, filled, limit},
};

impl<'a> ToDevice<'a> {
    /// Reads a frame's payload.
    ///
    /// # Errors
    /// [`MessageError`]; a message of the other direction is [`MessageError::Unknown`].
    pub fn decode(payload: &'a [u8]) -> Result<Self, MessageError> {
        let mut fields = Fields::open(payload)?;
        let read = &mut fields;
        let message = match read.number {
            0 => Self::Hello { version: read.one(Decoder::u16)?, session: read.one(Decoder::u32)? },
            1 => Self::Configure { running: read.one(Decoder::bool)?, rate_millihertz: read.one(Decoder::u32)? },
            2 => Self::Ack {
                session: read.one(Decoder::u32)?,
                next: read.one(Decoder::u32)?,
                granted: read.one(Decoder::u32)?,
            },
            3 => Self::Resend {
                token: read.one(Decoder::u32)?,
                first: read.one(Decoder::u32)?,
                others: read.one(Decoder::u32)?,
            },
            4 => {
                let class = read.one(Decoder::str)?;
                let confidence = read.one(Decoder::u16)?;
                limit("a class", class.len(), MAX_CLASS)?;
                limit("a confidence", usize::from(confidence), 10_000)?;
                let (known, label_wanted) = (read.one(Decoder::bool)?, read.one(Decoder::bool)?);
                Self::Prediction { class, confidence, known, label_wanted }
            }
            5 => Self::Ping { token: read.one(Decoder::u32)? },
            number => return Err(MessageError::Unknown { number }),
        };
        fields.close()?;
        Ok(message)
    }
}

impl<'a> ToHost<'a> {
    /// Reads a frame's payload.
    ///
    /// # Errors
    /// [`MessageError`]; a message of the other direction is [`MessageError::Unknown`].
    pub fn decode(payload: &'a [u8]) -> Result<Self, MessageError> {
        let mut fields = Fields::open(payload)?;
        let read = &mut fields;
        let message = match read.number {
            16 => Self::Hello(hello(read)?),
            17 => {
                let (sequence, time) = (read.one(Decoder::u32)?, read.one(Decoder::u64)?);
                let format = read.one(Decoder::u8)?;
                let bytes = read.one(Decoder::bytes)?;
                limit("a block's values", bytes.len(), MAX_VALUES)?;
                let values = match format {
                    0 => Values::I16(bytes),
                    1 => Values::F32(bytes),
                    other => {
                        return Err(MessageError::Limit { field: "a block's format", got: usize::from(other), max: 1 });
                    }
                };
                Self::Samples { sequence, time, values }
            }
            18 => {
                let (sequence, time, class) =
                    (read.one(Decoder::u32)?, read.one(Decoder::u64)?, read.one(Decoder::str)?);
                filled("a label", class, MAX_CLASS)?;
                Self::Label { sequence, time, class }
            }
            19 => {
                let level = match read.one(Decoder::u8)? {
                    0 => Level::Debug,
                    1 => Level::Info,
                    2 => Level::Warning,
                    // A level to come is worse than what is known.
                    _ => Level::Error,
                };
                let text = read.one(Decoder::str)?;
                limit("a line of the log", text.len(), MAX_TEXT)?;
                Self::Log { level, text }
            }
            20 => Self::Pong {
                token: read.one(Decoder::u32)?,
                time: read.one(Decoder::u64)?,
                next: read.one(Decoder::u32)?,
                oldest: read.one(Decoder::u32)?,
            },
            number => return Err(MessageError::Unknown { number }),
        };
        fields.close()?;
        Ok(message)
    }
}

fn hello<'a>(read: &mut Fields<'a>) -> Result<Hello<'a>, MessageError> {
    let hello = Hello {
        version: read.one(Decoder::u16)?,
        session: read.one(Decoder::u32)?,
        previous: read.one(Decoder::u32)?,
        head: read.one(Decoder::u32)?,
        oldest: read.one(Decoder::u32)?,
        buffer: read.one(Decoder::u16)?,
        name: read.one(Decoder::str)?,
        firmware: read.one(Decoder::str)?,
        rate_millihertz: read.one(Decoder::u32)?,
        channels: channels(read)?,
    };
    check(&hello)?;
    Ok(hello)
}

fn channels<'a>(read: &mut Fields<'a>) -> Result<Channels<'a>, MessageError> {
    let count = read.one(array)?;
    limit("a row of channels", usize::try_from(count).unwrap_or(usize::MAX), MAX_CHANNELS)?;
    let mut list = [Channel::default(); MAX_CHANNELS];
    let list = &mut list[..count as usize];
    for channel in list.iter_mut() {
        let mut inner = Fields { decoder: read.decoder.clone(), number: 0, left: 0 };
        inner.left = inner.head()?;
        *channel =
            Channel { name: inner.one(Decoder::str)?, unit: inner.one(Decoder::str)?, scale: inner.one(Decoder::f32)? };
        inner.pass_over()?;
        read.decoder = inner.decoder;
    }
    Ok(Channels::new(list))
}

/// The fields of an array, one after the other.
struct Fields<'a> {
    decoder: Decoder<'a>,
    number: u64,
    /// Fields that were not read yet.
    left: u64,
}

impl<'a> Fields<'a> {
    fn open(payload: &'a [u8]) -> Result<Self, MessageError> {
        let mut fields = Self { decoder: Decoder::new(payload), number: 0, left: 0 };
        fields.left = fields.head()?;
        fields.number = fields.one(Decoder::u64)?;
        Ok(fields)
    }

    fn head(&mut self) -> Result<u64, MessageError> {
        let at = self.decoder.position();
        array(&mut self.decoder).map_err(|_| MessageError::Malformed { at })
    }

    fn one<T>(&mut self, read: impl FnOnce(&mut Decoder<'a>) -> Result<T, Error>) -> Result<T, MessageError> {
        let at = self.decoder.position();
        self.left = self.left.checked_sub(1).ok_or(MessageError::Malformed { at })?;
        read(&mut self.decoder).map_err(|_| MessageError::Malformed { at })
    }

    /// Fields of a later version. Each takes a byte at least, so a length that was made up ends with the payload.
    fn pass_over(&mut self) -> Result<(), MessageError> {
        while self.left > 0 {
            self.one(Decoder::skip)?;
        }
        Ok(())
    }

    fn close(mut self) -> Result<(), MessageError> {
        self.pass_over()?;
        let at = self.decoder.position();
        if at == self.decoder.input().len() { Ok(()) } else { Err(MessageError::Malformed { at }) }
    }
}

/// The head of an array of a known length.
fn array(decoder: &mut Decoder<'_>) -> Result<u64, Error> {
    decoder.array()?.ok_or_else(|| Error::message("an array without a length"))
}
