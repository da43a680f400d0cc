//! What people type who come from ss, netstat or lsof: one line that says what to write here, or which tool
//! does it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;

use crate::text::escape;

/// Options of ss, netstat and lsof that this program does not have, and what to write for them.
const ELSEWHERE: &[(&[&str], &str)] = &[
    // Which sockets.
    (&["--inet", "--ip", "--tcpip"], "IPv4: -4"),
    (&["--inet6"], "IPv6: -6"),
    (
        &["--query", "--socket"],
        "protocols and families: -A LIST, such as -A tcp,unix",
    ),
    (
        &["-f"],
        "a family: -A inet, -A unix, -A netlink ...; Bluetooth: netstat -f; open files: lsof",
    ),
    (
        &["-U", "--udplite"],
        "unix sockets: -x; UDP-Lite: -A udplite",
    ),
    (&["-S", "--sctp"], "SCTP is listed by: ss -S"),
    (
        &["-d", "--dccp"],
        "DCCP is listed by: ss -d; a descriptor of a process: lsock -ape fd = 3",
    ),
    (
        &["--vsock", "--tipc", "--xdp"],
        "these sockets are listed by: ss --vsock, ss --tipc, ss --xdp",
    ),
    (&["--tipcinfo"], "TIPC is listed by: ss --tipcinfo"),
    (
        &[
            "--ax25", "--ipx", "--netrom", "--rose", "--x25", "--ddp", "--ash",
        ],
        "this family is listed by netstat, where the kernel still has it",
    ),
    (
        &["-2", "--l2cap", "--rfcomm"],
        "Bluetooth is listed by: netstat --l2cap, netstat --rfcomm",
    ),
    (
        &["-B", "--bound-inactive"],
        "bound sockets that neither listen nor connect: lsock -a state bound",
    ),
    (&["--net"], "sockets of another network namespace: -N NAME"),
    (
        &["-F"],
        "a filter from a file: lsock \"$(cat FILE)\"; fields for programs: -j",
    ),
    (&["--filter"], "a filter from a file: lsock \"$(cat FILE)\""),
    // What to tell.
    (&["--options"], "timers: -o, --timers"),
    (&["--programs", "--program"], "processes: -p, --processes"),
    (&["--extend"], "more of each socket: -e, --extended"),
    (
        &["--numeric-hosts", "--symbolic"],
        "host names are looked up only with -r; leave it out",
    ),
    (
        &["--numeric-ports", "--numeric-users"],
        "numbers instead of names for ports and users: -n",
    ),
    (&["-P"], "ports as numbers: -n"),
    (&["-W", "--wide"], "no address is cut here; leave it out"),
    (
        &["-v", "--verbose"],
        "lsock always reports what is missing; leave it out; its version: -V",
    ),
    (
        &["-Q", "--no-queues"],
        "columns: --columns state,local,peer; a search that may find nothing: lsock always ends with 0 then",
    ),
    (&["-T", "--threads"], "threads are shown by: ss -T"),
    (&["--tos"], "types of service are shown by: ss --tos"),
    (
        &["--cgroup"],
        "cgroups: -e, or --columns cgroup; a filter: cgroup PATH",
    ),
    (
        &["--inet-sockopt"],
        "socket options are shown by: ss --inet-sockopt",
    ),
    (
        &["-Z", "--context", "-z", "--contexts"],
        "security contexts are shown by: ss -Z",
    ),
    (
        &["-b", "--bpf"],
        "filters of packet sockets are shown by: ss -0b",
    ),
    // What to do.
    (&["-K", "--kill"], "sockets are ended by: ss -K FILTER"),
    (&["--diag"], "recordings: -D FILE"),
    // What netstat tells beside sockets.
    (&["--route"], "the routing table is shown by: ip route"),
    (
        &["--interfaces", "--interface", "-I"],
        "interfaces are shown by: ip -s link",
    ),
    (
        &["-g", "--groups"],
        "multicast groups: ip maddr; processes of a group: lsof -g",
    ),
    (&["--statistics"], "statistics of protocols: nstat"),
    (&["--masquerade"], "masqueraded connections: conntrack -L"),
    (
        &["-C", "--cache", "--fib"],
        "the routing cache is gone from Linux; routes: ip route",
    ),
    // What lsof chooses by.
    (
        &["-k", "-L", "-R", "-X", "-y", "-?"],
        "an option of lsof for open files, which lists them; sockets of a process: lsock -ap pid = N",
    ),
];

/// What to write for an option that this program does not have.
pub(super) fn elsewhere(option: &str) -> Option<&'static str> {
    let name = option.split('=').next().unwrap_or_default();
    let (_, text) = ELSEWHERE
        .iter()
        .find(|(options, _)| options.contains(&name))?;
    Some(text)
}

/// Words that ss takes for `-A`, and what lists these sockets.
pub(super) fn family(word: &str) -> Option<String> {
    Some(match word.split_once('_').unwrap_or((word, "")) {
        ("unix", kind @ ("dgram" | "stream" | "seqpacket")) => format!("lsock -x 'type = {kind}'"),
        ("packet", kind @ ("raw" | "dgram")) => format!("lsock -0 'type = {kind}'"),
        ("link", "") => "lsock -0".to_owned(),
        ("dccp" | "sctp" | "vsock" | "tipc" | "xdp", _) => format!("ss -A {word}"),
        ("ax25" | "ipx" | "netrom" | "rose" | "x25" | "ddp" | "ash", "") => {
            format!("netstat -A {word}")
        }
        _ => return None,
    })
}

/// Titles of other tools, and the fields here.
pub(super) fn field(word: &str) -> Option<&'static str> {
    Some(match word {
        "port" | "ports" => "local_port, peer_port",
        "address" | "addr" | "host" | "ip" | "name" => "local_address, peer_address",
        "foreign" | "remote" | "dst" => "peer",
        "src" => "local",
        "netid" => "protocol",
        "recv-q" | "recvq" => "recv_queue",
        "send-q" | "sendq" => "send_queue",
        "program" | "programs" | "users" => "processes",
        "node" => "inode",
        _ => return None,
    })
}

/// What was meant by a word behind an option that takes none: `-u root`, `+D /tmp`, `/run/app.sock`.
pub(super) fn behind(arguments: &[OsString]) -> Option<String> {
    let words: Vec<String> = arguments
        .iter()
        .skip(1)
        .map(|word| escape(word.as_bytes()).into_owned())
        .collect();
    let is_of_lsof = |word: &&String| word.starts_with('+');
    if let Some(word) = words.iter().find(is_of_lsof) {
        return Some(format!(
            "{word} is an option of lsof, which lists open files"
        ));
    }
    let is_word = |word: &str| !word.starts_with('-');
    let mut alone = words.iter().enumerate().filter(|(place, word)| {
        let next = words.get(place + 1);
        is_word(word) && next.is_none_or(|next| !is_word(next))
    });
    alone.find_map(|(place, word)| {
        let before = place.checked_sub(1).and_then(|place| words.get(place));
        let letter = match before {
            None => None,
            Some(option) if is_word(option) || option.starts_with("--") => return None,
            Some(option) => option.chars().last(),
        };
        match letter {
            // These take a value.
            Some('A' | 'D' | 'N') => None,
            _ if word.starts_with('/') => {
                Some(format!("sockets at a path: lsock -xap 'addr {word}'"))
            }
            letter => habit(letter?, word),
        }
    })
}

/// What was meant by `-i :80`, which means something here too.
pub(super) fn as_lsof(arguments: &[OsString]) -> Option<String> {
    let mut words = arguments.iter().skip(1).map(|word| word.to_string_lossy());
    let is_it = |word: &str| match word.strip_prefix('-') {
        Some(letters) => letters.chars().all(|letter| matches!(letter, 'n' | 'i')),
        None => word.starts_with(':'),
    };
    words.all(|word| is_it(&word)).then(|| behind(arguments))?
}

/// What was meant by what hangs on an option that takes none: `-p1234`, `-i:80`, `-sTCP:LISTEN`.
pub(super) fn glued(arguments: &[OsString]) -> Option<String> {
    arguments.iter().skip(1).find_map(|argument| {
        let argument = escape(argument.as_bytes());
        let mut letters = argument.strip_prefix('-')?.chars();
        let letter = letters.next()?;
        let word = letters.as_str();
        let is_meant = match letter {
            'i' | 's' => !word.is_empty(),
            'p' => word.starts_with(|c: char| c.is_ascii_digit() || c == '^'),
            _ => false,
        };
        habit(letter, word).filter(|_| is_meant)
    })
}

/// What lsof, and ss of some options, take behind an option that takes nothing here.
fn habit(letter: char, word: &str) -> Option<String> {
    let list = |field: &str| format!("lsock -ap '{field} {}'", equal(word));
    let (here, what) = match letter {
        'c' => ("repeats", format!("a command: {}", list("process"))),
        'p' => {
            let is_pid = word.starts_with(|c: char| c.is_ascii_digit() || c == '^');
            let field = if is_pid { "pid" } else { "process" };
            ("shows processes", format!("one of them: {}", list(field)))
        }
        'u' => ("lists UDP", format!("a user: {}", list("user"))),
        'i' => (
            "tells tcp_info",
            format!("lsof's -i {word}: {}", internet(word)?),
        ),
        's' => {
            let (protocol, states) = word.split_once(':')?;
            let option = protocol_option(protocol)?;
            let states = states.to_ascii_lowercase();
            (
                "counts",
                format!("states: lsock -{option}ap 'state {}'", equal(&states)),
            )
        }
        'r' if word.bytes().all(|byte| byte.is_ascii_digit()) => (
            "looks up host names",
            format!("again and again: lsock -c {word}"),
        ),
        'x' => (
            "lists unix sockets",
            "files below a directory: lsof +D DIR".to_owned(),
        ),
        'e' => ("tells more of each socket", "open files: lsof".to_owned()),
        _ => return None,
    };
    Some(format!("-{letter} {here} here; {what}"))
}

/// `= a,b`, or `!= a` of what lsof leaves out with `^a`.
fn equal(word: &str) -> String {
    match word.strip_prefix('^') {
        Some(word) => format!("!= {word}"),
        None => format!("= {word}"),
    }
}

fn protocol_option(name: &str) -> Option<&'static str> {
    match name.to_ascii_lowercase().as_str() {
        "" => Some(""),
        "tcp" => Some("t"),
        "udp" => Some("u"),
        _ => None,
    }
}

/// lsof's `[46][TCP|UDP][@HOST][:PORTS]` as a command line of this program.
fn internet(word: &str) -> Option<String> {
    let (kind, port) = match word.rsplit_once(':') {
        Some((kind, port)) if !port.ends_with(']') => (kind, Some(port)),
        _ => (word, None),
    };
    let (kind, host) = match kind.split_once('@') {
        Some((kind, host)) => (kind, Some(host)),
        None => (kind, None),
    };
    let name = kind.trim_start_matches(['4', '6']);
    let version = kind
        .strip_suffix(name)
        .filter(|version| version.len() < 2)?;
    let option = protocol_option(name)?;
    let host = host.map(|host| format!("addr {host}"));
    let port = port.map(|port| format!(":{port}"));
    let parts: Vec<String> = host.into_iter().chain(port).collect();
    let filter = match parts.as_slice() {
        [] => String::new(),
        [only] if !only.contains(' ') => format!(" {only}"),
        parts => format!(" '{}'", parts.join(" and ")),
    };
    Some(format!("lsock -{version}{option}ap{filter}"))
}

#[cfg(test)]
mod tests;
