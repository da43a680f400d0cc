//! Expressions, each beside what it has to select, told by a closure over the JSON of a socket.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;

use serde_json::Value;

use crate::support::{UNLISTED, lsock};

/// An expression and what it selects.
#[derive(Clone)]
pub struct Case {
    text: String,
    selects: Rc<dyn Fn(&Value) -> bool>,
    /// It may select nothing, or everything, in this scene.
    vacuous: bool,
}

/// `text` selects the rows for which `selects` holds.
pub fn case(text: impl Into<String>, selects: impl Fn(&Value) -> bool + 'static) -> Case {
    Case {
        text: text.into(),
        selects: Rc::new(selects),
        vacuous: false,
    }
}

impl Case {
    /// Both of them, with this word or sign between.
    pub fn and(self, sign: &str, other: Case) -> Case {
        let text = format!("({}){sign}({})", self.text, other.text);
        case(text, move |row| (self.selects)(row) && (other.selects)(row))
    }

    /// At least one of them, with this word or sign between.
    pub fn or(self, sign: &str, other: Case) -> Case {
        let text = format!("({}){sign}({})", self.text, other.text);
        case(text, move |row| (self.selects)(row) || (other.selects)(row))
    }

    /// Its opposite, with this word or sign in front.
    pub fn negated(self, sign: &str) -> Case {
        let text = format!("{sign}({})", self.text);
        case(text, move |row| !(self.selects)(row))
    }

    /// May it stand in parentheses? What begins with a state may mean something else there.
    pub fn is_movable(&self) -> bool {
        let state = ["state ", "exc"]
            .iter()
            .any(|word| self.text.starts_with(word));
        !state || self.text.split(' ').count() == 2
    }

    /// The same, though here it selects all sockets, or none.
    pub fn all_or_none(self) -> Case {
        Case {
            vacuous: true,
            ..self
        }
    }
}

/// The text of a field; nothing where it is null.
pub fn text<'r>(row: &'r Value, key: &str) -> Option<&'r str> {
    row[key].as_str()
}

/// Is the field one of these words?
pub fn is(row: &Value, key: &str, words: &[&str]) -> bool {
    text(row, key).is_some_and(|text| words.contains(&text))
}

/// Does the number of a field fulfil this? Never where it is null.
pub fn number(row: &Value, key: &str, holds: impl Fn(u64) -> bool) -> bool {
    row[key].as_u64().is_some_and(holds)
}

/// The address of an end, where it is one of IP.
pub fn ip(row: &Value, key: &str) -> Option<IpAddr> {
    text(row, key).and_then(|text| text.parse().ok())
}

/// The same, a mapped one as the IPv4 address within.
pub fn canonical(row: &Value, key: &str) -> Option<IpAddr> {
    ip(row, key).map(|ip| ip.to_canonical())
}

pub fn tcp(row: &Value) -> bool {
    is(row, "protocol", &["tcp"])
}

/// What makes a row this socket and no other. `None` of the socket through which `lsock` asks.
fn identity(row: &Value) -> Option<String> {
    if row["local_address"] == "sock_diag" && row["local_port"] != 0 {
        return None;
    }
    if let Some(cookie) = row["cookie"].as_str() {
        return Some(format!("{} {cookie}", row["protocol"]));
    }
    let keys = ["protocol", "family", "type", "inode", "local_address"];
    let more = ["local_port", "peer_address", "peer_port"];
    let parts = keys.iter().chain(&more).map(|key| row[*key].to_string());
    Some(parts.collect::<Vec<_>>().join(" "))
}

/// The rows of `lsock <words>`, by their identity.
fn rows(words: &[&str]) -> Result<BTreeMap<String, Value>, String> {
    let run = lsock([words, &["-j"]].concat());
    let told = |line: &str| {
        line.contains(" not readable")
            || line.ends_with("everything that the options list")
            || UNLISTED.trim_end() == line
            // The tests of this process have sockets of their own, in namespaces of their own.
            || line.contains(" of process ") && line.contains("network namespace")
    };
    if run.status != Some(0) || !run.stderr.lines().all(told) {
        return Err(format!("status {:?}: {}", run.status, run.stderr.trim()));
    }
    let rows = run.sockets().into_iter();
    Ok(rows
        .filter_map(|row| Some((identity(&row)?, row)))
        .collect())
}

/// Runs every case: `lsock <words> <expression>` has to list the rows of `lsock <words> <shown>` that
/// the closure selects. (`shown` has every field that a closure looks at; the run itself has not.)
///
/// A row that changes in the meantime may be listed or not.
///
/// # Panics
///
/// When one of them selects other rows, and when it proves nothing.
pub fn check(words: &[&str], shown: &[&str], cases: &[Case]) {
    let whole = [words, shown].concat();
    let before = rows(&whole).unwrap();
    let found: Vec<_> = cases
        .iter()
        .map(|case| rows(&[words, &[&case.text]].concat()))
        .collect();
    let after = rows(&whole).unwrap();
    let mut wrong = Vec::new();
    for (case, found) in cases.iter().zip(found) {
        let text = &case.text;
        let found = match found {
            Ok(found) => found,
            Err(message) => {
                wrong.push(format!("{text}\n    {message}"));
                continue;
            }
        };
        let in_both = |key: &String| -> Vec<bool> {
            let rows = [&before, &after].into_iter().filter_map(|all| all.get(key));
            rows.map(|row| (case.selects)(row)).collect()
        };
        let mut some = 0;
        for key in before.keys().chain(found.keys()) {
            let selected = in_both(key);
            if selected.len() < 2 {
                continue;
            }
            let (wanted, listed) = (selected[0], found.contains_key(key));
            some += usize::from(wanted);
            if selected[0] == selected[1] && wanted != listed {
                let what = if wanted { "missing" } else { "too much" };
                let row = &before[key];
                wrong.push(format!("{text}\n    {what}: {}", brief(row)));
            }
        }
        if !case.vacuous && (some == 0 || found.len() == before.len()) {
            let all = before.len();
            wrong.push(format!("{text}\n    proves nothing: {some} of {all}"));
        }
    }
    wrong.dedup();
    assert!(wrong.is_empty(), "{words:?}\n{}", wrong.join("\n"));
}

/// A row without what is rarely looked at.
fn brief(row: &Value) -> String {
    let mut row = row.clone();
    for key in ["tcp_info", "mptcp_info", "memory", "processes", "netns"] {
        row.as_object_mut().expect("a row").remove(key);
    }
    row.to_string()
}
