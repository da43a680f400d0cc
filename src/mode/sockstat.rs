//! The counts of `ss -s`.

use std::fmt::Write as _;
use std::fs;
use std::io::Write;
use std::path::Path;

use super::sources::anchor;
use crate::error::Error;
use crate::query::Query;

/// Writes them, and returns the output.
///
/// # Errors
///
/// If they cannot be read or written.
pub fn sockstat(query: &Query, mut out: Box<dyn Write>) -> Result<Box<dyn Write>, Error> {
    let failed = |cause| Error::Failed("cannot enter the namespace".to_owned(), cause);
    let text = match anchor(query)? {
        Some(anchor) => anchor.run(summary).map_err(failed)??,
        None => summary()?,
    };
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map(|()| out).map_err(Error::Output)
}

/// The kernel's counters for the network namespace of this thread, including the total of TCP sockets.
fn summary() -> Result<String, Error> {
    let read = |name: &str| {
        let path = Path::new("/proc/thread-self/net").join(name);
        fs::read_to_string(&path).map_err(|cause| Error::file("read", path, cause))
    };
    let sockstat = read("sockstat")?;
    // Missing without IPv6.
    let sockstat = sockstat + &read("sockstat6").unwrap_or_default();
    let snmp = read("snmp")?;
    Ok(text(&sockstat, &snmp))
}

fn text(sockstat: &str, snmp: &str) -> String {
    let count = |line: &str, name: &str| -> i64 {
        let mut lines = sockstat.lines();
        let found = lines.find_map(|known| known.strip_prefix(line)?.strip_prefix(": "));
        let mut words = found.unwrap_or_default().split(' ');
        let found = words.find(|word| *word == name).and(words.next());
        found
            .and_then(|number| number.parse().ok())
            .unwrap_or_default()
    };
    let both = |name: &str| {
        let [four, six] = ["", "6"].map(|version| count(&format!("{name}{version}"), "inuse"));
        [four + six, four, six]
    };
    let tcp @ [in_use, ..] = both("TCP");
    let [waiting, allocated] = ["tw", "alloc"].map(|name| count("TCP", name));
    let mut out = format!("Total: {}\n", count("sockets", "used"));
    let (total, closed) = (allocated + waiting, allocated - (in_use - waiting));
    let _ = writeln!(
        out,
        "TCP:   {total} (estab {}, closed {closed}, orphaned {}, timewait {waiting})\n",
        established(snmp),
        count("TCP", "orphan")
    );
    out.push_str("Transport Total     IP        IPv6\n");
    let (raw, udp) = (both("RAW"), both("UDP"));
    let inet = [0, 1, 2].map(|of| [raw, udp, tcp].iter().filter_map(|all| all.get(of)).sum());
    let lines = [
        ("RAW", raw),
        ("UDP", udp),
        ("TCP", tcp),
        ("INET", inet),
        ("FRAG", both("FRAG")),
    ];
    for (name, [both, four, six]) in lines {
        let _ = writeln!(out, "{name}\t  {both:<9} {four:<9} {six:<9}");
    }
    out.push('\n');
    out
}

/// `CurrEstab` from the two lines of TCP: names, then numbers.
fn established(snmp: &str) -> &str {
    let mut lines = snmp.lines().filter(|line| line.starts_with("Tcp:"));
    let [names, numbers] = [lines.next(), lines.next()].map(Option::unwrap_or_default);
    let mut both = names.split(' ').zip(numbers.split(' '));
    let found = both.find(|(name, _)| *name == "CurrEstab");
    found.map_or("0", |(_, number)| number)
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn counts_are_those_of_ss() {
        let sockstat = "sockets: used 261\n\
            TCP: inuse 5 orphan 1 tw 3 alloc 12 mem 2\n\
            UDP: inuse 4 mem 1\nUDPLITE: inuse 7\nRAW: inuse 1\nFRAG: inuse 2 memory 9\n\
            TCP6: inuse 2\nUDP6: inuse 3\nUDPLITE6: inuse 0\nRAW6: inuse 1\nFRAG6: inuse 0 memory 0\n";
        let snmp = "Tcp: RtoMin CurrEstab InSegs\nTcp: 200 6 1\n";
        assert_eq!(
            text(sockstat, snmp),
            "Total: 261\n\
             TCP:   15 (estab 6, closed 8, orphaned 1, timewait 3)\n\n\
             Transport Total     IP        IPv6\n\
             RAW\t  2         1         1        \n\
             UDP\t  7         4         3        \n\
             TCP\t  7         5         2        \n\
             INET\t  16        10        6        \n\
             FRAG\t  2         2         0        \n\n"
        );
    }
}
