//! Lines of `net/unix`, as `unix_seq_show` (`net/unix/af_unix.c`) writes them.

use super::column::{Column, Columns, cut};
use super::nonzero;
use crate::error::Malformed;
use crate::model::{Endpoint, ProcNetExtras, Socket, SocketType, State};

/// Bytes of `sun_path` (`include/uapi/linux/un.h`).
const PATH_MAX: usize = 108;
/// The inode is printed with `%5lu`.
const INODE_WIDTH: usize = 5;

pub(super) fn decode(line: &[u8], socket: &mut Socket) -> Result<(), Malformed> {
    let mut columns = Columns::new(line);
    let number = columns.next("Num")?;
    if !number.text.ends_with(b":") {
        return Err(number.error("has no colon"));
    }
    number.pointer()?;
    let references = columns.next("RefCount")?.hex(8..=8)?;
    columns.next("Protocol")?.hex::<u32>(8..=8)?;
    let flags = columns.next("Flags")?.hex(8..=8)?;
    let kind = columns.next("Type")?.hex(4..=4)?;
    let code = columns.next("St")?.hex(2..=2)?;
    let (inode, path) = cut_inode(columns.rest())?;
    socket.inode = nonzero(inode.inode()?);
    socket.kind = SocketType::from_code(kind);
    socket.state = State::from_unix_proc(code, flags);
    socket.proc_net = Some(ProcNetExtras {
        references,
        ..ProcNetExtras::default()
    });
    match path {
        Some(path) => decode_path(path, &mut socket.local),
        None => Ok(()),
    }
}

/// Splits the inode from the text after the single blank that follows it. The width distinguishes padding of the
/// inode from a blank in the path.
fn cut_inode(rest: &[u8]) -> Result<(Column<'_>, Option<Column<'_>>), Malformed> {
    let field = rest.strip_prefix(b" ").unwrap_or_default();
    let (padding, field) = cut(field, |byte| byte != b' ');
    let (digits, rest) = cut(field, |byte| byte == b' ');
    let inode = Column {
        name: "Inode",
        text: digits,
    };
    if digits.is_empty() {
        return Err(inode.error("missing"));
    }
    if padding.len() + digits.len() < INODE_WIDTH {
        return Err(inode.error("has too few digits"));
    }
    let path = rest.strip_prefix(b" ");
    let path = path.map(|text| Column { name: "Path", text });
    Ok((inode, path))
}

/// A leading `@` is taken for the NUL of an abstract name. It is ambiguous: a path may begin with `@`. The other NULs
/// of an abstract name are written as `@` too since Linux 4.10, before that as they are. A name that begins with a
/// newline is lost: its rest is the next line.
fn decode_path(path: Column<'_>, end: &mut Endpoint) -> Result<(), Malformed> {
    if path.text.len() > PATH_MAX {
        return Err(path.error("is longer than any path"));
    }
    let (name, _) = match path.text {
        [b'@', ..] => (path.text, &[][..]),
        // Sandboxes write a path's final NUL.
        other => cut(other, |byte| byte == 0),
    };
    let padding = path.text.get(name.len()..).unwrap_or_default();
    if padding.iter().any(|byte| *byte != 0) || name.contains(&b'\n') {
        return Err(path.error("has a newline, or bytes after a NUL"));
    }
    end.set_name(name);
    if let Some(first @ b'@') = end.name.first_mut() {
        *first = 0;
    }
    Ok(())
}
