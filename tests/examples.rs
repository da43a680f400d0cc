//! The filters that the documents show are understood, run, and fail as they say.

use std::ffi::OsString;

use lsock::cli::{self, Command, Terminal};
use lsock::filter::Expr;
use tempfile::TempDir;

use crate::manual;
use crate::readme;
use crate::scene::Namespace;
use crate::shell::{self, Shown};
use crate::support::has;

/// The words of a command as a shell splits them, and whether its output is led anywhere else.
/// Ends at a pipe, a redirection or a comment.
fn split(command: &str) -> (Vec<String>, bool) {
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    for c in command.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '|' | '>') => return (with(words, word), true),
            (None, '#') if word.is_none() => return (words, false),
            (None, _) if c.is_whitespace() => words = with(words, word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    (with(words, word), false)
}

fn with(mut words: Vec<String>, word: Option<String>) -> Vec<String> {
    words.extend(word);
    words
}

/// The command line of `lsock`, the program first; `None` when the command is another.
pub fn arguments(shown: &Shown) -> Option<Vec<OsString>> {
    let command = shown.command.replace("cargo run --release --", "lsock");
    let (words, _) = split(&command);
    let ours = words.first().is_some_and(|word| word == "lsock");
    ours.then(|| words.into_iter().map(Into::into).collect())
}

/// Is it `lsock` alone, its output not led anywhere else?
pub fn is_bare(shown: &Shown) -> bool {
    let (_, led) = split(&shown.command);
    shown.is_ours() && !led
}

fn parsed(arguments: Vec<OsString>) -> Result<Command, String> {
    cli::parse(arguments, Terminal::default()).map_err(|error| error.to_string())
}

/// Does this command line hold a filter?
fn has_filter(shown: &Shown) -> bool {
    match arguments(shown).map(parsed) {
        Some(Ok(Command::List(query))) => query.filter != Expr::ALWAYS,
        Some(Err(error)) => panic!("$ {}\n{error}", shown.command),
        _ => false,
    }
}

#[test]
fn every_filter_shown_runs() {
    let _namespace = Namespace::enter();
    let folder = TempDir::new().unwrap();
    for (document, commands, least) in [
        ("README.md", readme::shown(), 2),
        ("man/lsock-filter.7", manual::filter_examples(), 20),
    ] {
        let filters: Vec<Shown> = commands.into_iter().filter(has_filter).collect();
        assert!(filters.len() >= least, "{document}: {}", filters.len());
        for shown in filters {
            if !shown.command.contains("jq") || has("jq") {
                shell::succeed(&shown.command, folder.path());
            }
        }
    }
}

#[test]
fn every_test_in_the_table_of_the_readme_is_understood() {
    let chapter = readme::chapter("Filters");
    let rows = chapter.lines().filter(|line| line.starts_with("| `"));
    let tests: Vec<&str> = rows
        .filter_map(|row| row.split('|').nth(1))
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect();
    assert!(tests.len() > 20, "{tests:?}");
    for test in tests {
        if let Err(error) = parsed(vec!["lsock".into(), test.into()]) {
            panic!("{error}");
        }
    }
}

#[test]
fn the_mistake_shown_is_answered_as_shown() {
    let _namespace = Namespace::enter();
    let folder = TempDir::new().unwrap();
    let text = manual::filter_mistake();
    let [mistake] = &shell::commands(&text)[..] else {
        panic!("{text}");
    };
    let output = shell::run(&mistake.command, folder.path());
    assert_eq!(output.status.code(), Some(2), "$ {}", mistake.command);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(told.trim_end(), mistake.output.join("\n").trim_end());
}

#[test]
fn commands_are_split_as_a_shell_does() {
    let (words, led) = split("lsock -t 'sport > 1' \"any a b\" x'y' '' # or | more");
    assert_eq!(words, ["lsock", "-t", "sport > 1", "any a b", "xy", ""]);
    assert!(!led);
    let (words, led) = split("lsock -tj 'a | b'|jq '.[]'");
    assert_eq!(words, ["lsock", "-tj", "a | b"]);
    assert!(led);
}
