//! Unix sockets.

use super::eventually;
use crate::scene::unix::{names, states};
use crate::scene::{Expected, Namespace, witness};
use crate::support::tool;

/// `/proc/net/unix` has the inode with exactly these bytes for a name, in the right state.
fn agrees_with_proc(expected: &Expected) -> Result<(), String> {
    let name = expected.name.as_deref().unwrap();
    let state = witness::unix_state(expected.inode.unwrap(), name).unwrap();
    let wanted = if expected.state == "ESTABLISHED" {
        3
    } else {
        1
    };
    if state == Some(wanted) {
        Ok(())
    } else {
        Err(format!("{state:?}: {expected:#?}"))
    }
}

/// `ss` has state, queues and both inodes. Its names may hold anything, so they are not read.
fn agrees_with_ss(held: &[Expected]) -> Result<(), String> {
    let Some(output) = tool("ss", &["-xanHeO"]) else {
        return Ok(());
    };
    let output = String::from_utf8_lossy(&output);
    let missing = held.iter().find(|expected| {
        // A newline in the name splits the line of `ss`: then only the inode can be looked for.
        let split = expected
            .name
            .as_ref()
            .is_some_and(|name| name.contains(&b'\n'));
        let inode = format!(" {} ", expected.inode.unwrap());
        !output
            .lines()
            .any(|line| line.contains(&inode) && (split || ss_line_is(line, expected)))
    });
    match missing {
        Some(expected) => Err(format!("{expected:#?}\nstands not in\n{output}")),
        None => Ok(()),
    }
}

fn ss_line_is(line: &str, expected: &Expected) -> bool {
    let kind = match expected.kind {
        Some("stream") => "u_str",
        Some("dgram") => "u_dgr",
        _ => "u_seq",
    };
    let state = if expected.state == "ESTABLISHED" {
        "ESTAB"
    } else {
        expected.state
    };
    let field: Vec<&str> = line.split_whitespace().collect();
    let queue = |index: usize| field.get(index).and_then(|text| text.parse::<u64>().ok());
    let peer = expected.peer_inode.unwrap_or(0).to_string();
    field.get(..2) == Some(&[kind, state])
        && expected
            .recv_queue
            .is_none_or(|number| queue(2) == Some(number))
        && expected
            .send_queue
            .is_none_or(|number| queue(3) == Some(number))
        && (!expected.some_unsent || queue(3) > Some(0))
        && field.contains(&peer.as_str())
}

macro_rules! proc_and_ss_show {
    ($($name:ident: $open:expr;)*) => {$(
        #[test]
        fn $name() {
            let _namespace = Namespace::enter();
            let held = $open().unwrap();
            assert!(!held.expected.is_empty());
            for expected in &held.expected {
                eventually(|| agrees_with_proc(expected));
            }
            eventually(|| agrees_with_ss(&held.expected));
        }
    )*};
}

proc_and_ss_show! {
    stream_server_has_the_name_of_its_listener: states::stream;
    seqpacket_connection_is_listed: states::seqpacket;
    waiting_connections_are_counted_at_the_listener: states::pending;
    socketpair_is_listed_without_names: states::pair;
    half_closed_stream_is_listed: states::half_closed;
    unread_stream_bytes_are_counted: states::unread;
    datagram_socket_called_by_another_is_listed_established: states::datagram;
    socket_neither_connected_nor_listening_is_unconnected: states::unconnected;
    hostile_file_names_are_held_byte_for_byte: names::files;
    path_of_108_bytes_is_held_whole: names::longest;
    relative_path_keeps_its_at_sign: names::relative;
    abstract_names_are_held_byte_for_byte: names::abstracts;
    autobound_socket_has_a_name: names::autobound;
}

#[test]
fn autobound_name_is_five_hexadecimal_digits() {
    let _namespace = Namespace::enter();
    let held = names::autobound().unwrap();
    let name = held.the("unix autobound").name.clone().unwrap();
    assert_eq!(name.len(), 6);
    assert_eq!(name[0], 0);
    assert!(name[1..].iter().all(u8::is_ascii_hexdigit), "{name:?}");
}

#[test]
fn relative_path_is_not_abstract() {
    let _namespace = Namespace::enter();
    let held = names::relative().unwrap();
    let expected = held.the("unix relative path like an abstract name");
    assert_eq!(expected.name.as_deref(), Some(&b"@relative"[..]));
}

#[test]
fn half_close_reaches_the_other_end() {
    let _namespace = Namespace::enter();
    let held = states::half_closed().unwrap();
    for (what, shown) in [
        ("unix sending side shut", "<--"),
        ("unix receiving side shut", "-->"),
    ] {
        let inode = held.the(what).inode.unwrap().to_string();
        eventually(|| {
            let Some(output) = tool("ss", &["-xanHeO"]) else {
                return Ok(());
            };
            let output = String::from_utf8_lossy(&output);
            // `u_str ESTAB 0 0 * INODE * PEER <->`
            let mut lines = output
                .lines()
                .map(|line| line.split_whitespace().collect::<Vec<_>>());
            let found = lines.find(|field| field.get(5) == Some(&inode.as_str()));
            let agrees = found.is_some_and(|field| field.last() == Some(&shown));
            if agrees {
                Ok(())
            } else {
                Err(format!("{what}: {output}"))
            }
        });
    }
}
