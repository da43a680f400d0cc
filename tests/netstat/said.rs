//! What a run said, and how two of them differ.

use crate::support::Run;

/// Timers that run, as `-o` calls them.
const RUNNING: [&str; 4] = [" on (", " keepalive (", " timewait (", " probe ("];

impl Run {
    /// The same with `#` for the seconds of each timer that runs: nothing else moves by itself.
    pub fn at_any_time(&self) -> Run {
        let lines = self.stdout.split_inclusive(|byte| *byte == b'\n');
        Run {
            stdout: lines.flat_map(without_seconds).collect(),
            ..self.clone()
        }
    }
}

/// A line whose last column is a timer that runs has no seconds in it.
fn without_seconds(line: &[u8]) -> Vec<u8> {
    let found = RUNNING.iter().find_map(|word| {
        let at = line
            .windows(word.len())
            .rposition(|part| part == word.as_bytes())?;
        Some(at + word.len())
    });
    let Some(start) = found else {
        return line.to_vec();
    };
    let end = line[start..].iter().position(|byte| *byte == b'/');
    match end.map(|length| &line[start..start + length]) {
        Some(seconds) if is_seconds(seconds) => {
            [&line[..start], b"#", &line[start + seconds.len()..]].concat()
        }
        _ => line.to_vec(),
    }
}

/// `12.34`
fn is_seconds(text: &[u8]) -> bool {
    let Some((whole, [b'.', tens, hundredths])) = text.split_last_chunk::<3>() else {
        return false;
    };
    let mut digits = whole.iter().chain([tens, hundredths]);
    !whole.is_empty() && digits.all(u8::is_ascii_digit)
}

/// Where one differs from the other; `None` = nowhere.
pub fn difference(theirs: &Run, ours: &Run) -> Option<String> {
    if theirs == ours {
        return None;
    }
    let mut text = format!("status {:?} and {:?}\n", theirs.status, ours.status);
    for (what, theirs, ours) in [
        ("stdout", &theirs.stdout[..], &ours.stdout[..]),
        ("stderr", theirs.stderr.as_bytes(), ours.stderr.as_bytes()),
    ] {
        let [theirs, ours] = [theirs, ours].map(lines);
        let count = theirs.len().max(ours.len());
        let differs = |line: &usize| theirs.get(*line) != ours.get(*line);
        if let Some(line) = (0..count).find(differs) {
            let shown = |lines: &[String]| lines.get(line).cloned().unwrap_or_default();
            let difference = format!(
                "{what}, line {}, of {} and {}:\n  {}\n  {}\n",
                line + 1,
                theirs.len(),
                ours.len(),
                shown(&theirs),
                shown(&ours)
            );
            text.push_str(&difference);
        }
    }
    Some(text)
}

fn lines(bytes: &[u8]) -> Vec<String> {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    lines.map(|line| line.escape_ascii().to_string()).collect()
}

fn said(stdout: &str) -> Run {
    Run {
        status: Some(0),
        signal: None,
        stdout: stdout.into(),
        stderr: String::new(),
    }
}

const LINE: &str = "tcp        0      1 127.0.0.1:40000         127.0.0.1:41000         SYN_SENT    on (3.21/2/0)\n";

#[test]
fn seconds_of_a_timer_do_not_count() {
    let later = LINE.replace("3.21", "12.99");
    assert_eq!(said(LINE).at_any_time(), said(&later).at_any_time());
    assert!(difference(&said(LINE), &said(&later)).is_some());
}

#[test]
fn everything_else_counts() {
    let timer = LINE.replace("on (3.21", "off (0.00");
    for (line, from, to) in [
        (LINE, "SYN_SENT ", "SYN_SENT  "),
        (LINE, " on (3", "  on (3"),
        (LINE, "\n", " \n"),
        (LINE, "\n", ""),
        (LINE, "tcp   ", "tcp6  "),
        (LINE, ":40000", ":40001"),
        (LINE, "on (", "probe ("),
        (LINE, "/2/0", "/3/0"),
        (LINE, "3.21", "3.2"),
        (LINE, "3.21", "3,21"),
        (LINE, "      1 ", "      2 "),
        (&timer, "0.00", "0.01"),
    ] {
        let other = line.replacen(from, to, 1);
        assert_ne!(other, line, "{from}");
        let [one, two] = [line, &other].map(|text| said(text).at_any_time());
        assert!(difference(&one, &two).is_some(), "{from} -> {to}");
    }
}

#[test]
fn status_messages_and_missing_lines_count() {
    let one = said(LINE);
    let failed = Run {
        status: Some(1),
        ..one.clone()
    };
    let warned = Run {
        stderr: "x\n".to_owned(),
        ..one.clone()
    };
    for other in [failed, warned, said(""), said(&LINE.repeat(2))] {
        assert!(difference(&one, &other).is_some(), "{other:?}");
    }
    assert_eq!(difference(&one, &one), None);
}
