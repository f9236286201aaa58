//! What the kernel and a FUSE file system say to each other, version 7.31 (`linux/fuse.h`). Knows bytes, not files.
//!
//! A request is a header of 40 bytes and what its operation needs; an answer one of 16 bytes and what was asked for. Numbers are
//! little-endian here: of the host, and the tests run on such.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

/// Largest piece that is written or read at once.
pub(super) const PIECE: u32 = 1 << 20;
/// Largest request.
pub(super) const LARGEST: usize = PIECE as usize + 4096;

pub(super) const EPERM: i32 = 1;
pub(super) const ENOENT: i32 = 2;
pub(super) const EINTR: i32 = 4;
pub(super) const EEXIST: i32 = 17;
pub(super) const ENOTDIR: i32 = 20;
pub(super) const ENOSYS: i32 = 38;
pub(super) const ENOTEMPTY: i32 = 39;

const HEADER: usize = 40;
/// Nobody but the kernel changes this file system: what it knows stays true, in seconds.
const VALID: u64 = 3600;

/// What is asked for.
#[derive(Debug)]
pub(super) enum Asked {
    Access,
    Create {
        name: OsString,
        mode: u32,
    },
    /// Nothing is to be said to it.
    Forget,
    /// Contents, or names of a folder.
    Fsync {
        folder: bool,
    },
    Init,
    Look,
    Lookup {
        name: OsString,
    },
    Make {
        name: OsString,
        mode: u32,
    },
    Open,
    Read {
        offset: u64,
        size: u32,
    },
    ReadFolder {
        offset: u64,
        size: u32,
    },
    Release,
    Remove {
        name: OsString,
        folder: bool,
    },
    Rename {
        name: OsString,
        to: u64,
        new_name: OsString,
        keep: bool,
    },
    Set {
        mode: Option<u32>,
        length: Option<u64>,
    },
    Statfs,
    Unknown,
    Write {
        offset: u64,
        bytes: Vec<u8>,
    },
}

#[derive(Debug)]
pub(super) struct Request {
    pub(super) unique: u64,
    pub(super) node: u64,
    pub(super) asked: Asked,
}

/// Numbers and names of a request, one after the other.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn u32(&mut self) -> Option<u32> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*number))
    }

    fn u64(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*number))
    }

    fn skip(&mut self, bytes: usize) -> Option<()> {
        self.0 = self.0.get(bytes..)?;
        Some(())
    }

    fn name(&mut self) -> Option<OsString> {
        let end = self.0.iter().position(|&byte| byte == 0)?;
        let name = OsString::from_vec(self.0[..end].to_vec());
        self.0 = &self.0[end + 1..];
        Some(name)
    }
}

impl Request {
    /// Nothing where the kernel broke off.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let (_length, operation) = (reader.u32()?, reader.u32()?);
        let (unique, node) = (reader.u64()?, reader.u64()?);
        let asked = parse(operation, Reader(bytes.get(HEADER..)?))?;
        Some(Self { unique, node, asked })
    }
}

fn parse(operation: u32, mut reader: Reader<'_>) -> Option<Asked> {
    Some(match operation {
        1 => Asked::Lookup { name: reader.name()? },
        2 | 36 | 38 | 42 => Asked::Forget, // also: an interruption, the end, many at once
        3 => Asked::Look,
        4 => {
            let valid = reader.u32()?;
            reader.skip(12)?;
            let length = reader.u64()?;
            reader.skip(44)?;
            let mode = reader.u32()?;
            Asked::Set { mode: (valid & 1 != 0).then_some(mode), length: (valid & 8 != 0).then_some(length) }
        }
        8 => {
            let mode = reader.u32()?;
            reader.skip(12)?;
            Asked::Make { name: reader.name()?, mode }
        }
        9 => {
            let mode = reader.u32()? | 0o040_000;
            reader.skip(4)?;
            Asked::Make { name: reader.name()?, mode }
        }
        10 | 11 => Asked::Remove { name: reader.name()?, folder: operation == 11 },
        12 | 45 => {
            let to = reader.u64()?;
            let flags = if operation == 45 { reader.u64()? } else { 0 };
            Asked::Rename { name: reader.name()?, to, new_name: reader.name()?, keep: flags & 1 != 0 }
        }
        14 | 27 => Asked::Open,
        15 | 28 => {
            reader.skip(8)?;
            let (offset, size) = (reader.u64()?, reader.u32()?);
            if operation == 15 { Asked::Read { offset, size } } else { Asked::ReadFolder { offset, size } }
        }
        16 => {
            reader.skip(8)?;
            let (offset, size) = (reader.u64()?, reader.u32()?);
            reader.skip(20)?;
            Asked::Write { offset, bytes: reader.0.get(..size as usize)?.to_vec() }
        }
        17 => Asked::Statfs,
        18 | 29 => Asked::Release,
        20 | 30 => Asked::Fsync { folder: operation == 30 },
        26 => Asked::Init,
        34 => Asked::Access,
        35 => {
            let (_flags, mode) = (reader.u32()?, reader.u32()?);
            reader.skip(8)?;
            Asked::Create { name: reader.name()?, mode: mode | 0o100_000 }
        }
        _ => Asked::Unknown,
    })
}

/// What is known of a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attributes {
    pub(super) node: u64,
    pub(super) mode: u32,
    pub(super) length: u64,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// What is said to a request, after the header.
#[derive(Debug, Default)]
pub(super) struct Body(pub(super) Vec<u8>);

impl Body {
    fn u32(mut self, number: u32) -> Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    fn u64(mut self, number: u64) -> Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    pub(super) fn init() -> Self {
        // Large writes, and requests of as many pages.
        let flags = 1 << 5 | 1 << 22;
        let background = 16 | 12 << 16;
        Self::default()
            .u32(7)
            .u32(31)
            .u32(PIECE)
            .u32(flags)
            .u32(background)
            .u32(PIECE)
            .u32(1)
            .u32(PIECE / 4096)
            .u64(0)
            .u64(0)
            .u64(0)
            .u64(0)
    }

    fn attributes(self, of: &Attributes) -> Self {
        let Attributes { node, mode, length, uid, gid } = *of;
        // Times are those of the epoch: nothing that is stored here asks.
        let body = self.u64(node).u64(length).u64(length.div_ceil(512)).u64(0).u64(0).u64(0).u32(0).u32(0).u32(0);
        body.u32(mode).u32(1).u32(uid).u32(gid).u32(0).u32(4096).u32(0)
    }

    /// `fuse_attr_out`.
    pub(super) fn look(of: &Attributes) -> Self {
        Self::default().u64(VALID).u64(0).attributes(of)
    }

    /// `fuse_entry_out`.
    pub(super) fn entry(of: &Attributes) -> Self {
        Self::default().u64(of.node).u64(0).u64(VALID).u64(VALID).u64(0).attributes(of)
    }

    /// `fuse_open_out`, after what was made.
    pub(super) fn opened(self) -> Self {
        self.u64(0).u64(0)
    }

    pub(super) fn written(size: u32) -> Self {
        Self::default().u32(size).u32(0)
    }

    /// A disk with room.
    pub(super) fn statfs() -> Self {
        let free = 1 << 20;
        let counts = Self::default().u64(free).u64(free).u64(free).u64(free).u64(free);
        counts.u32(4096).u32(255).u32(4096).u32(0).u64(0).u64(0).u64(0)
    }

    /// Adds a `fuse_dirent`, unless there is no room for it.
    pub(super) fn name(mut self, node: u64, next: u64, mode: u32, name: &[u8], room: u32) -> Result<Self, Self> {
        let length = (24 + name.len()).next_multiple_of(8);
        if self.0.len() + length > room as usize {
            return Err(self);
        }
        let end = self.0.len() + length;
        self = self.u64(node).u64(next).u32(name.len() as u32).u32(mode >> 12);
        self.0.extend(name);
        self.0.resize(end, 0);
        Ok(self)
    }
}

/// The whole answer.
pub(super) fn answer(unique: u64, answered: Result<Body, i32>) -> Vec<u8> {
    let (error, body) = answered.map_or_else(|error| (-error, Vec::new()), |body| (0, body.0));
    let header = Body::default().u32(16 + body.len() as u32).u32(error.cast_unsigned()).u64(unique);
    [header.0, body].concat()
}
