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
fn lines_fit_the_terminal() {
    for (width, most) in [
        (None, 100),
        (Some(80), 80),
        (Some(100), 100),
        (Some(200), 100),
    ] {
        for line in [help("-h", width), help("--help", width)].concat().lines() {
            assert!(line.chars().count() <= most, "{width:?}: {line}");
        }
    }
}

/// The names of the options that a help shows.
fn options(help: &str) -> Vec<&str> {
    let lines = help.lines().map(str::trim_start);
    let lines = lines.filter(|line| line.starts_with('-'));
    let words = lines.flat_map(|line| line.split([' ', '=', '[', '.', ',']));
    words.filter(|word| word.starts_with("--")).collect()
}

#[test]
fn short_help_is_a_part_of_the_whole() {
    let (brief, whole) = (help("-h", Some(80)), help("--help", Some(80)));
    let shown = options(&brief);
    assert!(shown.len() >= 20, "{brief}");
    let whole = options(&whole);
    assert!(shown.iter().all(|name| whole.contains(name)), "{brief}");
}

#[test]
fn filters_of_the_short_help_are_understood() {
    let text = help("-h", None);
    let (_, filters) = text.split_once("\nFilters: ").unwrap();
    let tests = filters.lines().next().unwrap().split(", ");
    for test in tests {
        if let Err(error) = cli::parse(["lsock".into(), test.into()], Terminal::default()) {
            panic!("{error}");
        }
    }
    let (_, examples) = text.split_once("\nExamples: ").unwrap();
    let examples = examples.lines().next().unwrap().split(", ");
    for example in examples {
        let words = example.split(' ').map(Into::into);
        if let Err(error) = cli::parse(words, Terminal::default()) {
            panic!("{error}");
        }
    }
}

#[test]
fn topics_are_listed_and_found() {
    let run = |words: &[&str]| {
        let words = words.iter().map(Into::into);
        cli::parse(
            std::iter::once("lsock".into()).chain(words),
            Terminal::default(),
        )
    };
    let print = |words: &[&str]| match run(words) {
        Ok(Command::Print(text)) => text,
        other => panic!("{words:?}: {other:?}"),
    };
    let list = print(&["help"]);
    let (_, topics) = list.split_once("\nTopics:\n").unwrap();
    assert!(topics.lines().count() >= 10, "{list}");
    for line in topics.lines() {
        let (topic, title) = line.trim().split_once(' ').unwrap();
        assert!(!title.trim().is_empty(), "{line}");
        let page = print(&["help", topic]);
        assert!(
            page.starts_with("NAME\n") && page.contains(title.trim()),
            "{topic}"
        );
        assert_eq!(page, print(&["help", &format!("lsock-{topic}")]));
    }
    let error = run(&["help", "filters"]).unwrap_err().to_string();
    assert!(error.starts_with("unknown topic \"filters\"; did you mean filter? the topics are: "));
    assert!(run(&["help", "filter", "states"]).is_err());
    // What is no topic of help is a filter.
    assert!(matches!(run(&["any", "help"]), Ok(Command::List(_))));
}

#[test]
fn tables_and_examples_are_not_broken_at_80_columns() {
    let [narrow, wide] = [80, 100].map(|width| {
        let text = help("--help", Some(width));
        let (_, rest) = text.split_once("\nComing from").unwrap();
        rest.to_owned()
    });
    assert_eq!(narrow, wide);
}

#[test]
fn groups_come_in_the_order_of_the_manual() {
    let text = help("--help", None);
    let groups = [
        "\nUsage: ",
        "\nSockets:",
        "\nDetails:",
        "\nOutput:",
        "\nChecks and ending sockets:",
        "\nSources:",
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
    let text = help("--help", None);
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
fn help_is_no_longer_than_two_screens_and_short_help_than_one_and_a_half() {
    for (flag, most) in [("--help", 2 * 48), ("-h", 36)] {
        let lines = help(flag, Some(80)).lines().count();
        assert!(lines <= most, "{flag}: {lines} lines");
    }
}

#[test]
fn examples_run() {
    let _namespace = Namespace::enter();
    let folder = TempDir::new().unwrap();
    let examples = examples(&help("--help", None));
    assert!(examples.len() >= 8, "{examples:?}");
    for example in examples {
        assert!(example.is_ours(), "{example:?}");
        if example.command.contains("jq") && !has("jq") {
            continue;
        }
        shell::succeed(&example.command, folder.path());
    }
}
