//! What clap refuses, in one line that says what to write.

use std::error::Error as StdError;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::error::Error;
use crate::text::escape;

/// Options of ss, netstat and lsof that this program does not have, and what to write for them.
const ELSEWHERE: [(&[&str], &str); 26] = [
    (&["-K", "--kill"], "sockets are ended by: ss -K FILTER"),
    (
        &["-f"],
        "a family is chosen by: -A inet, -A unix, -A netlink ...; open files are listed by: lsof",
    ),
    (
        &["-F", "--filter"],
        "a filter from a file: lsock \"$(cat FILE)\"",
    ),
    (
        &["-Z", "--context", "-z", "--contexts"],
        "security contexts are shown by: ss -Z",
    ),
    (
        &["-b", "--bpf"],
        "filters of packet sockets are shown by: ss -0b",
    ),
    (&["-S", "--sctp"], "SCTP is listed by: ss -S"),
    (
        &["-d", "--dccp"],
        "DCCP is listed by: ss -d, where the kernel still has it",
    ),
    (
        &["-B", "--bound-inactive"],
        "bound sockets that neither listen nor connect: lsock -a state bound",
    ),
    (&["--tos"], "types of service are shown by: ss --tos"),
    (
        &["--inet-sockopt"],
        "socket options are shown by: ss --inet-sockopt",
    ),
    (&["--vsock"], "vsock is listed by: ss --vsock"),
    (&["--tipc", "--tipcinfo"], "TIPC is listed by: ss --tipc"),
    (&["--xdp"], "XDP sockets are listed by: ss --xdp"),
    (
        &["--cgroup"],
        "cgroups are shown by: -e, or --columns cgroup; a filter: cgroup PATH",
    ),
    (
        &["-T", "--threads"],
        "threads are shown by: ss -T; of lsof's -iTCP and -sTCP:LISTEN: lsock -t, lsock -tl",
    ),
    (
        &["-Q", "--no-queues"],
        "columns are chosen by: --columns state,local,peer",
    ),
    (&["-W", "--wide"], "no address is cut here; leave it out"),
    (
        &["-v", "--verbose"],
        "lsock always reports what is missing; leave it out",
    ),
    (&["-P"], "ports as numbers: -n"),
    (
        &["-X", "-y"],
        "a process is chosen by a filter: pid = N, process = NAME",
    ),
    (&["-U"], "unix sockets: -x; UDP-Lite: -A udplite"),
    (
        &["-g", "--groups"],
        "multicast groups are shown by: ip maddr",
    ),
    (&["--route"], "the routing table is shown by: ip route"),
    (&["--interfaces"], "interfaces are shown by: ip -s link"),
    (
        &["--statistics"],
        "statistics of protocols are shown by: nstat",
    ),
    (
        &["-:", "-@"],
        "lsof's -i :80 and -i @HOST are filters here: lsock -ap :80, lsock -ap addr HOST",
    ),
];

/// An error of clap's in this program's form: no `error:` in front, no closing line feed, and nothing of
/// what was typed that a terminal would obey.
pub(super) fn usage(
    error: clap::Error,
    arguments: &[OsString],
    definition: clap::Command,
) -> Error {
    // A value that this program itself does not take.
    if let Some(Error::Usage(text)) = error.source().and_then(<dyn StdError>::downcast_ref) {
        return Error::Usage(text.clone());
    }
    let is_clean = |word: &&OsString| escape(word.as_bytes()) == word.to_string_lossy();
    let error = if arguments.iter().all(|word| is_clean(&word)) {
        error
    } else {
        // The same words, escaped, are refused for the same reason.
        let clean = arguments
            .iter()
            .map(|word| escape(word.as_bytes()).into_owned());
        let again = definition.try_get_matches_from(clean).err();
        match again {
            Some(again) if again.kind() == error.kind() => again,
            _ => {
                return Error::Usage(
                    "an argument has control characters or is not UTF-8".to_owned(),
                );
            }
        }
    };
    if error.kind() == ErrorKind::UnknownArgument {
        return Error::Usage(unknown(&error));
    }
    let text = error.render().to_string();
    Error::Usage(text.trim_start_matches("error: ").trim_end().to_owned())
}

fn unknown(error: &clap::Error) -> String {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let option = context(ContextKind::InvalidArg).unwrap_or_default();
    let meant = context(ContextKind::SuggestedArg).map(|meant| format!("did you mean {meant}? "));
    let elsewhere = ELSEWHERE
        .iter()
        .find(|(options, _)| options.contains(&option));
    match elsewhere {
        Some((_, text)) => format!("unexpected argument '{option}': {text}"),
        None => format!(
            "unexpected argument '{option}'; {}all options: lsock --help",
            meant.unwrap_or_default()
        ),
    }
}
