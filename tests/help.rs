//! `--help` is short enough to be read, and its examples are true.

use lsock::cli::{self, Command, Terminal};
use tempfile::TempDir;

use crate::scene::Namespace;
use crate::shell::{self, Shown};
use crate::support::has;

fn help(flag: &str, width: Option<u16>) -> String {
    let terminal = Terminal {
        width,
        ..Terminal::default()
    };
    match cli::parse(["lsock".into(), flag.into()], terminal) {
        Ok(Command::Print(text)) => text,
        other => panic!("{flag}: {other:?}"),
    }
}

fn examples(help: &str) -> Vec<Shown> {
    let (_, rest) = help.split_once("\nExamples:\n").expect("help has examples");
    let lines = rest.lines().take_while(|line| !line.is_empty());
    let commands = lines.map(|line| line.trim().split("   ").next().unwrap().to_owned());
    commands
        .map(|command| Shown {
            command,
            output: Vec::new(),
        })
        .collect()
}

#[test]
fn both_flags_print_the_same() {
    assert_eq!(help("-h", None), help("--help", None));
}

#[test]
fn lines_fit_the_terminal() {
    for (width, most) in [
        (None, 100),
        (Some(80), 80),
        (Some(100), 100),
        (Some(200), 100),
    ] {
        for line in help("-h", width).lines() {
            assert!(line.chars().count() <= most, "{width:?}: {line}");
        }
    }
}

#[test]
fn tables_and_examples_are_not_broken_at_80_columns() {
    let [narrow, wide] = [80, 100].map(|width| {
        let text = help("-h", Some(width));
        let (_, rest) = text.split_once("\nComing from").unwrap();
        rest.to_owned()
    });
    assert_eq!(narrow, wide);
}

#[test]
fn groups_come_in_the_order_of_the_manual() {
    let text = help("-h", None);
    let groups = [
        "\nUsage: ",
        "\nWhich sockets:",
        "\nWhat to tell:",
        "\nHow to show it:",
        "\nChecks, and ending sockets:",
        "\nWhere from:",
        "\nOther:",
        "\nFilters, ",
        "\nComing from netstat or ss:",
        "\nExamples:",
        "\nExit status: ",
    ];
    let places: Vec<usize> = groups
        .iter()
        .map(|group| text.find(group).unwrap_or_else(|| panic!("no {group:?}")))
        .collect();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn tests_of_filters_are_understood() {
    let text = help("-h", None);
    let (_, rest) = text.split_once("\nFilters, ").unwrap();
    let lines = rest.lines().skip(1).take_while(|line| !line.is_empty());
    // What stands apart in the last line are the operators.
    let tests: Vec<&str> = lines
        .flat_map(|line| line.trim().split("  ").next().unwrap().split(", "))
        .collect();
    assert!(tests.len() > 10, "{tests:?}");
    for test in tests {
        if let Err(error) = cli::parse(["lsock".into(), test.into()], Terminal::default()) {
            panic!("{error}");
        }
    }
}

#[test]
fn help_is_no_longer_than_two_screens() {
    let lines = help("-h", Some(80)).lines().count();
    assert!(lines <= 2 * 48, "{lines} lines");
}

#[test]
fn examples_run() {
    let _namespace = Namespace::enter();
    let folder = TempDir::new().unwrap();
    let examples = examples(&help("-h", None));
    assert!(examples.len() >= 8, "{examples:?}");
    for example in examples {
        assert!(example.is_ours(), "{example:?}");
        if example.command.contains("jq") && !has("jq") {
            continue;
        }
        shell::succeed(&example.command, folder.path());
    }
}
