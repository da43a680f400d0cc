//! What `--completions` prints is understood by the shells.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use lsock::render::Field;
use tempfile::NamedTempFile;

use crate::shell;
use crate::support::{has, output};

fn script(name: &str) -> NamedTempFile {
    let text = shell::succeed(&format!("lsock --completions {name}"), Path::new("/"));
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

/// What bash would offer for the last of these words.
fn offered(words: &[&str]) -> Vec<String> {
    let file = script("bash");
    let (word, before) = (words[words.len() - 1], words[words.len() - 2]);
    let ask = format!(
        "source {}; COMP_WORDS=({}); COMP_CWORD={}; _lsock lsock '{word}' '{before}'; \
         printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        file.path().display(),
        words.join(" "),
        words.len() - 1,
    );
    let output = output(Command::new("bash").args(["--norc", "-c", &ask])).unwrap();
    assert!(output.stderr.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_options_and_their_values() {
    assert_eq!(offered(&["lsock", "--for"]), ["--format"]);
    assert_eq!(offered(&["lsock", "--format", "nd"]), ["ndjson"]);
    assert_eq!(
        offered(&["lsock", "--explain", "fin"]),
        ["fin-wait-1", "fin-wait-2"]
    );
    assert_eq!(
        offered(&["lsock", "-a", "--s"]),
        [
            "--sctp",
            "--smc",
            "--summary",
            "--stamp",
            "--schema",
            "--sort",
            "--strict",
            "--source"
        ],
        "after another option"
    );
}

#[test]
fn bash_completes_the_fields_of_a_filter() {
    assert_eq!(offered(&["lsock", "-t", "spo"]), ["sport"]);
    assert_eq!(
        offered(&["lsock", "sport", "=", ":22", "and", "tcp_info.rt"]),
        ["tcp_info.rto", "tcp_info.rtt", "tcp_info.rttvar"]
    );
}

#[test]
fn fields_of_a_filter_are_those_of_the_vocabulary() {
    let words = lsock::filter::words();
    for column in Field::VOCABULARY.into_iter().chain(Field::COMBINED) {
        let name = column.own_name();
        let parts = format!("{name}.");
        let known = words
            .iter()
            .any(|word| word == name || word.starts_with(&parts));
        assert!(known, "{name}");
    }
}

#[test]
fn every_shell_is_told_the_fields_of_a_filter() {
    for shell in ["bash", "zsh", "fish"] {
        let text = shell::succeed(&format!("lsock --completions {shell}"), Path::new("/"));
        for word in lsock::filter::words() {
            assert!(text.contains(&word), "{shell}: {word}");
        }
    }
}

#[test]
fn scripts_have_no_syntax_error() {
    for name in ["bash", "zsh", "fish"] {
        if !has(name) {
            continue;
        }
        let file = script(name);
        let mut command = Command::new(name);
        command.arg("-n").arg(file.path()).stdin(Stdio::null());
        let output = output(&mut command).unwrap();
        assert!(output.status.success(), "{name}: {output:?}");
        assert!(output.stderr.is_empty(), "{name}: {output:?}");
    }
}

#[test]
fn scripts_name_every_option() {
    for name in ["bash", "zsh", "fish"] {
        let text = std::fs::read_to_string(script(name).path()).unwrap();
        let definition = lsock::cli::definition();
        for option in definition
            .get_arguments()
            .filter(|argument| !argument.is_positional())
        {
            let long = option.get_long().expect("every option has a long name");
            assert!(text.contains(long), "{name}: --{long}");
        }
    }
}
