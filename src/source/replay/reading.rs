//! Reads the messages of a file.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek};
use std::path::Path;

use crate::text::chain;
use crate::wire::{Body, Message, Messages};

/// Longer than any message; a greater length is malformed.
const MAX_MESSAGE: usize = 16 * 1024 * 1024;

/// The bytes of a recording.
pub(super) trait Bytes: Read + Seek {}

impl<T: Read + Seek> Bytes for T {}

/// Opens a recording. A pipe, which cannot be read twice, is read into memory.
pub(super) fn open(path: &Path) -> io::Result<BufReader<Box<dyn Bytes>>> {
    let mut file = File::open(path)?;
    let bytes: Box<dyn Bytes> = if file.stream_position().is_ok() {
        Box::new(file)
    } else {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Box::new(Cursor::new(bytes))
    };
    Ok(BufReader::with_capacity(64 * 1024, bytes))
}

/// Why reading a recording fails.
pub(super) enum Flaw {
    /// The file cannot be read.
    Io(io::Error),
    /// It was recorded on a machine with the other byte order.
    OtherOrder,
    /// A message is malformed.
    Bytes(String),
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(cause) => f.write_str(&chain(cause)),
            Self::OtherOrder => f.write_str("recorded on a machine with the other byte order"),
            Self::Bytes(reason) => f.write_str(reason),
        }
    }
}

impl From<io::Error> for Flaw {
    fn from(cause: io::Error) -> Self {
        Self::Io(cause)
    }
}

/// Reads the next message into `bytes`; also returns its length in the file. `None` at the end.
pub(super) fn next_message<'b>(
    file: &mut impl Read,
    bytes: &'b mut Vec<u8>,
) -> Result<Option<(u64, Message<'b>)>, Flaw> {
    bytes.clear();
    take(file, Message::HEADER_LEN, bytes)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if Message::is_turned(bytes) {
        return Err(Flaw::OtherOrder);
    }
    let stated = Message::stated_len(bytes).map_err(Flaw::Bytes)?;
    if stated > MAX_MESSAGE {
        return Err(Flaw::Bytes(format!("a message of {stated} bytes")));
    }
    take(file, stated - Message::HEADER_LEN, bytes)?;
    if bytes.len() < stated {
        return Err(Flaw::Bytes(format!(
            "cut off in a message of {stated} bytes"
        )));
    }
    let padded = stated.next_multiple_of(4);
    take(file, padded - stated, bytes)?;
    bytes.truncate(stated);
    match Messages::new(bytes).next() {
        Some(Ok(message)) if !matches!(message.body, Body::Other) => {
            Ok(Some((u64::try_from(padded).unwrap_or_default(), message)))
        }
        _ => Err(Flaw::Bytes("not a message of sock_diag".to_owned())),
    }
}

/// Appends `count` bytes of the file, or fewer at its end.
fn take(file: &mut impl Read, count: usize, bytes: &mut Vec<u8>) -> io::Result<usize> {
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    file.by_ref().take(count).read_to_end(bytes)
}
