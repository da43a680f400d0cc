//! Compares the row of a socket with what the scene expects.

use serde_json::Value;

use crate::scene::Expected;

/// True if the row is of this socket: by protocol, addresses and inode.
pub fn is_of(row: &Value, expected: &Expected) -> bool {
    let identity = ["protocol", "family", "inode"];
    let addresses = ["local_address", "local_port", "peer_address", "peer_port"];
    let keys: &[&[&str]] = if expected.local.is_some() {
        &[&identity, &addresses]
    } else {
        &[&identity]
    };
    let wanted = fields(expected);
    let mut keys = keys.iter().copied().flatten();
    keys.all(|key| {
        wanted
            .iter()
            .all(|(name, value)| name != key || row[key] == *value)
    })
}

/// The expected values of a row, as far as the scene knows them.
pub fn fields(expected: &Expected) -> Vec<(&'static str, Value)> {
    // The kernel leaves the peer and queues of an earlier connection there.
    let is_bound = expected.state == "BOUND";
    let mut fields: Vec<(&str, Value)> = vec![
        ("protocol", expected.protocol.into()),
        ("family", expected.family.into()),
        ("type", expected.kind.into()),
        ("state", expected.state.into()),
    ];
    if let (Some(local), Some(peer)) = (expected.local, expected.peer) {
        let raw = expected.protocol == "raw";
        let peer = Some(peer).filter(|_| !is_bound);
        fields.extend([
            ("local_address", local.ip().to_string().into()),
            ("local_port", port(local.port(), raw)),
            (
                "peer_address",
                peer.map(|peer| peer.ip().to_string()).into(),
            ),
            (
                "peer_port",
                peer.map_or(Value::Null, |peer| port(peer.port(), false)),
            ),
        ]);
    }
    let names = [
        ("local_address", &expected.name),
        ("peer_address", &expected.peer_name),
    ];
    for (key, name) in names {
        fields.extend(name.as_ref().map(|name| (key, shown(name))));
    }
    fields.extend(expected.port_id.map(|id| ("local_port", id.into())));
    if expected.family == "packet" {
        fields.push(("local_port", expected.number.into()));
    }
    let queue = |length: Option<u64>| length.map(|length| Some(length).filter(|_| !is_bound));
    let numbers = [
        ("recv_queue", queue(expected.recv_queue)),
        ("send_queue", queue(expected.send_queue)),
        ("mark", expected.mark.map(|mark| Some(mark.into()))),
    ];
    fields.extend(
        numbers
            .into_iter()
            .filter_map(|(key, number)| Some((key, number?.into()))),
    );
    let inodes = [
        ("inode", expected.inode),
        ("peer_inode", expected.peer_inode),
    ];
    fields.extend(inodes.into_iter().filter_map(|(key, inode)| {
        let inode = Some(inode?).filter(|inode| *inode != 0);
        Some((key, inode.into()))
    }));
    fields.extend(expected.shutdown.map(|side| ("shutdown", side.into())));
    fields.extend(expected.interface.map(|name| ("interface", name.into())));
    fields
}

fn port(number: u16, zero_is_one: bool) -> Value {
    Some(number)
        .filter(|number| zero_is_one || *number != 0)
        .into()
}

/// The name of a unix socket as in every format.
pub fn shown(name: &[u8]) -> Value {
    match name {
        [] => Value::Null,
        [0, rest @ ..] => format!("@{}", lsock::text::escape(rest)).into(),
        [b'@', rest @ ..] => format!("\\x40{}", lsock::text::escape(rest)).into(),
        path => lsock::text::escape(path).into_owned().into(),
    }
}

/// The bytes of a displayed name: a leading `@` is the NUL of an abstract one.
pub fn bytes_of(shown: &str) -> Vec<u8> {
    match shown.strip_prefix('@') {
        Some(rest) => [b"\0", &lsock::text::unescape(rest)[..]].concat(),
        None => lsock::text::unescape(shown),
    }
}

/// The differences between a row and what is expected; empty if none. Keys in `unknown` are unknown to the
/// source and must be `null`.
pub fn differences(row: &Value, expected: &Expected, unknown: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (key, value) in fields(expected) {
        let wanted = if unknown.contains(&key) {
            Value::Null
        } else {
            value
        };
        if row[key] != wanted {
            found.push(format!("{key}: {} instead of {wanted}", row[key]));
        }
    }
    let queues = [
        ("recv_queue", expected.some_unread),
        ("send_queue", expected.some_unsent),
    ];
    for (key, some) in queues {
        if some && !unknown.contains(&key) && row[key].as_u64().is_none_or(|bytes| bytes == 0) {
            found.push(format!("{key}: {} instead of some", row[key]));
        }
    }
    if let Some(kind) = expected.timer
        && row["timer"]["kind"] != kind
    {
        found.push(format!("timer: {} instead of {kind}", row["timer"]));
    }
    found
}
