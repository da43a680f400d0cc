//! Hints for users of ss, netstat and lsof: what to type instead, or which tool to use.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;

use crate::text::escape;

const ELSEWHERE: &str = include_str!("habits/elsewhere.txt");

/// The replacement for an option or a field that `lsock` does not have.
pub(super) fn elsewhere(word: &str) -> Option<&'static str> {
    let name = word.split('=').next()?;
    let mut lines = ELSEWHERE.lines().filter_map(|line| line.split_once("  "));
    let (_, text) = lines.find(|(words, _)| words.split(' ').any(|word| word == name))?;
    Some(text)
}

/// The replacement for a word of `-A` in ss and netstat.
pub(super) fn family(word: &str) -> Option<String> {
    match word {
        "dccp" => Some(format!("ss -A {word}")),
        "ax25" | "ipx" | "netrom" | "rose" | "x25" | "ddp" | "ash" => {
            Some(format!("netstat -A {word}"))
        }
        _ => None,
    }
}

/// The replacement for a word after an option without a value: `-u root`, `+D /tmp`, `/run/app.sock`.
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
            Some('A' | 'D' | 'F' | 'N' | 'f') => None,
            _ if word.starts_with('/') => {
                Some(format!("sockets at a path: lsock -xap 'addr {word}'"))
            }
            letter => habit(letter?, word),
        }
    })
}

/// The replacement for `-i :80`, which is also valid here.
pub(super) fn as_lsof(arguments: &[OsString]) -> Option<String> {
    let mut words = arguments.iter().skip(1).map(|word| word.to_string_lossy());
    let is_it = |word: &str| match word.strip_prefix('-') {
        Some(letters) => letters.chars().all(|letter| matches!(letter, 'n' | 'i')),
        None => word.starts_with(':'),
    };
    words.all(|word| is_it(&word)).then(|| behind(arguments))?
}

/// The replacement for a value attached to an option without one: `-p1234`, `-i:80`, `-sTCP:LISTEN`.
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

/// The replacement for a value that lsof or ss takes after an option that has none here.
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
            "shows tcp_info",
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
            format!("watch mode: lsock -c {word}"),
        ),
        'x' => (
            "lists unix sockets",
            "files below a directory: lsof +D DIR".to_owned(),
        ),
        'e' => (
            "shows details of each socket",
            "open files: lsof".to_owned(),
        ),
        _ => return None,
    };
    Some(format!("-{letter} {here} here; {what}"))
}

/// `= a,b`, or `!= a` for lsof's `^a`.
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

/// Translates lsof's `[46][TCP|UDP][@HOST][:PORTS]` to a command line of `lsock`.
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
