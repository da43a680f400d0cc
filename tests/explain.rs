//! `--explain` says what is to be known of each state.

use lsock::cli::{self, Command, Terminal};
use lsock::model::{EXPLANATIONS, OTHER_TRANSITIONS, State, TRANSITIONS};
use tempfile::TempDir;

use crate::scene::Namespace;
use crate::shell;
use crate::support::lsock;

fn explained(word: &str, width: Option<u16>) -> String {
    let terminal = Terminal {
        width,
        ..Terminal::default()
    };
    match cli::parse(["lsock", "--explain", word].map(Into::into), terminal) {
        Ok(Command::Print(text)) => text,
        other => panic!("{word}: {other:?}"),
    }
}

/// The text with every run of blanks and line feeds as one blank.
fn flowing(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_spelling_of_a_state_is_explained() {
    for state in State::all_named() {
        let text = explained(state.name(), None);
        assert!(text.starts_with(&format!("{state}\n\nMeaning\n")), "{text}");
        let lower = state.name().to_lowercase();
        for word in [
            lower.clone(),
            lower.replace('_', "-"),
            lower.replace('_', ""),
        ] {
            assert_eq!(explained(&word, None), text, "{word}");
        }
    }
    for (word, state) in [
        ("SYN-RECV", "SYN_RCVD"),
        ("SYN_RECV", "SYN_RCVD"),
        ("FIN-WAIT-1", "FIN_WAIT_1"),
        ("FIN_WAIT2", "FIN_WAIT_2"),
        ("ESTAB", "ESTABLISHED"),
        ("ACK_SENT", "SHUTDOWN_ACK_SENT"),
        ("CLOSE", "CLOSED"),
        ("listening", "LISTEN"),
        ("unconnected", "UNCONN"),
    ] {
        assert_eq!(explained(word, None), explained(state, None), "{word}");
    }
}

#[test]
fn unknown_states_are_explained_with_their_number() {
    assert!(explained("unknown", None).starts_with("UNKNOWN(n)\n"));
    assert!(explained("UNKNOWN(14)", None).starts_with("UNKNOWN(14)\n"));
}

#[test]
fn all_is_one_state_after_another() {
    let names = EXPLANATIONS
        .iter()
        .map(|explanation| explanation.state.name());
    let each: Vec<String> = names.map(|name| explained(name, None)).collect();
    assert_eq!(explained("ALL", None), each.join("\n"));
}

#[test]
fn everything_that_is_known_is_told() {
    for explanation in EXPLANATIONS.iter() {
        let text = flowing(&explained(explanation.state.name(), None));
        let told = [explanation.meaning, explanation.stays, explanation.many];
        let told = told.into_iter().chain(explanation.half_close);
        let told = told.chain(explanation.elsewhere);
        for part in told.chain([explanation.command]) {
            assert!(text.contains(part), "{text}\n{part}");
        }
        for step in TRANSITIONS.iter().chain(OTHER_TRANSITIONS.iter()) {
            let (enters, leaves) = (step.to == explanation.state, step.from == explanation.state);
            let from = format!("from {} {}", step.from, step.cause);
            let to = format!("to {} {}", step.to, step.cause);
            assert!(!enters || text.contains(&from), "{text}\n{from}");
            assert!(!leaves || text.contains(&to), "{text}\n{to}");
        }
    }
}

#[test]
fn lines_fit_the_terminal_and_80_columns() {
    for (width, most) in [(None, 80), (Some(200), 80), (Some(60), 60), (Some(36), 36)] {
        let text = explained("all", width);
        for line in text.lines() {
            let is_command = line.starts_with("  lsock ");
            let fits = line.chars().count() <= most || is_command;
            assert!(fits, "{width:?}: {line}");
            assert_eq!(line.trim_end(), line);
        }
    }
    // However narrow it is.
    assert!(!explained("all", Some(1)).is_empty());
}

#[test]
fn commands_that_list_them_run() {
    let _namespace = Namespace::enter();
    let folder = TempDir::new().unwrap();
    for explanation in EXPLANATIONS.iter() {
        shell::succeed(explanation.command, folder.path());
    }
}

#[test]
fn explanation_goes_to_standard_output_alone() {
    let attempt = lsock(["--explain", "time-wait"]);
    assert_eq!((attempt.status, &*attempt.stderr), (Some(0), ""));
    let text = String::from_utf8(attempt.stdout).unwrap();
    assert_eq!(text, explained("time-wait", None));
}
