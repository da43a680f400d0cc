//! Runs of `ss` without what moves by itself, and without what it gets wrong.

use std::collections::HashSet;

use crate::support::Run;

/// What stands behind the colon of these moves with every millisecond.
const TIMES: [&str; 3] = [" lastsnd:", " lastrcv:", " lastack:"];
/// What stands behind these is another number in every run, or not the same number on purpose.
const NUMBERS: [&str; 5] = [
    " busy:",
    " rwnd_limited:",
    " sndbuf_limited:",
    " sk=",
    " dev:",
];

/// `is_netlink` = every line is of a netlink socket.
pub fn masked(run: &Run, is_netlink: bool) -> Run {
    let text = String::from_utf8_lossy(&run.stdout);
    let mut seen = HashSet::new();
    // The widest cell may have lost some of its width.
    let moving = TIMES.iter().chain(&NUMBERS).chain(&[" timer:("]);
    let is_moving = moving.into_iter().any(|begin| text.contains(begin));
    let mut lines: Vec<String> = Vec::new();
    for line in text.split_inclusive('\n') {
        // Its own socket, and those that the kernel lists once for each group.
        let may_be_netlink = is_netlink || line.starts_with("nl ");
        let is_own = line.contains(" tcpdiag:") || line.contains(" 4:");
        if may_be_netlink && (is_own || !seen.insert(line.to_owned())) {
            continue;
        }
        let mut line = line.to_owned();
        // Every socket of the machine counts.
        if line.starts_with("Total: ") || line.starts_with("TCP: ") {
            line = line.replace(|c: char| c.is_ascii_digit(), "");
        }
        for time in TIMES {
            // Before the first segment `ss` counts from the start of the kernel.
            let with = if line.contains(" segs_in:") {
                format!("{time}#")
            } else {
                String::new()
            };
            line = replaced(&line, time, &with);
        }
        for number in NUMBERS {
            line = replaced(&line, number, &format!("{number}#"));
        }
        line = without_timer(&line);
        if is_moving {
            line = format!("{}\n", line.trim_end_matches(['\n', ' ']));
        }
        lines.push(line);
    }
    // Netlink sockets of the whole machine share tables, whose order changes as others come and go.
    let netlink = |line: &String| is_netlink && !line.contains("Recv-Q") || line.starts_with("nl ");
    let from = lines.iter().position(netlink).unwrap_or_default();
    let count = lines
        .iter()
        .skip(from)
        .take_while(|line| netlink(line))
        .count();
    lines[from..from + count].sort();
    Run {
        stdout: lines.concat().into(),
        ..run.clone()
    }
}

/// The line with `with` in the place of what begins so and ends before a blank.
fn replaced(line: &str, begin: &str, with: &str) -> String {
    let Some(at) = line.find(begin) else {
        return line.to_owned();
    };
    let rest = &line[at + begin.len()..];
    let end = rest.find([' ', '\n']).unwrap_or(rest.len());
    format!("{}{with}{}", &line[..at], &rest[end..])
}

/// ` timer:(on,200ms,0)` without the time.
fn without_timer(line: &str) -> String {
    const BEGIN: &str = " timer:(";
    let Some(at) = line.find(BEGIN) else {
        return line.to_owned();
    };
    let mut parts = line[at + BEGIN.len()..].splitn(3, ',');
    let (kind, _, rest) = (parts.next().unwrap(), parts.next(), parts.next().unwrap());
    format!("{}{BEGIN}{kind},#,{rest}", &line[..at])
}
