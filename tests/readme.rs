//! What the README shows can be done.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use lsock::cli::{self, Terminal};
use lsock::exit::Verdict;
use lsock::render::{Field, SCHEMA};
use serde_json::Value;
use tempfile::TempDir;

use crate::examples;
use crate::scene::namespace::ip;
use crate::scene::tcp::{self, options, states};
use crate::scene::{Held, Namespace, V4};
use crate::shell::{self, Shown, commands};
use crate::support::{fresh, has, until};

fn readme() -> String {
    shell::text("README.md")
}

/// The code blocks of a language.
pub fn blocks(language: &str) -> Vec<String> {
    let text = readme();
    let fence = format!("\n```{language}\n");
    let blocks = text.split(&fence).skip(1);
    blocks
        .map(|block| block.split("\n```\n").next().unwrap().to_owned())
        .collect()
}

/// The commands of all blocks.
pub fn shown() -> Vec<Shown> {
    blocks("console")
        .iter()
        .flat_map(|block| commands(block))
        .collect()
}

/// The text below a heading.
pub fn chapter(heading: &str) -> String {
    let text = readme();
    let (_, rest) = text
        .split_once(&format!("\n## {heading}\n"))
        .unwrap_or_else(|| panic!("no chapter {heading}"));
    rest.split("\n## ").next().unwrap().to_owned()
}

/// A folder in which the commands find what they name.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    symlink(shell::file("man"), folder.path().join("man")).unwrap();
    folder
}

/// Sockets of which every recipe of the README has something to tell.
struct Sockets {
    _held: Vec<Held>,
    _open: Vec<OwnedFd>,
}

/// The address that the README asks for.
const PEER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 23);

impl Sockets {
    fn open(folder: &Path) -> Self {
        let address = format!("{PEER}/32");
        ip(&["address", "add", &address, "dev", "lo"]).unwrap();
        let web = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 8080)).unwrap();
        let client = tcp::socket(V4).unwrap();
        rustix::net::bind(&client, &SocketAddr::from((PEER, 0))).unwrap();
        rustix::net::connect(&client, &SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))).unwrap();
        let (server, _) = web.accept().unwrap();
        let path = folder.join("agent");
        let agent = UnixListener::bind(&path).unwrap();
        let unix = UnixStream::connect(&path).unwrap();
        let (accepted, _) = agent.accept().unwrap();
        Self {
            _held: vec![
                states::half_closed(V4).unwrap(),
                states::time_wait(V4).unwrap(),
                states::syn_sent(V4).unwrap(),
                options::unread(V4, 1_234).unwrap(),
            ],
            _open: vec![
                web.into(),
                client,
                server.into(),
                agent.into(),
                unix.into(),
                accepted.into(),
            ],
        }
    }
}

#[test]
fn the_two_commands_are_there_once() {
    let text = readme();
    for command in ["$ cargo run --release -- -tulpn", "$ cargo test --locked"] {
        let found = text.lines().filter(|line| *line == command).count();
        assert_eq!(found, 1, "{command}");
    }
    // What `.ci/run` takes.
    let first = text.lines().find(|line| line.starts_with("$ cargo test"));
    assert_eq!(first, Some("$ cargo test --locked"));
}

#[test]
fn commands_are_understood() {
    let ours: Vec<Shown> = shown().into_iter().filter(Shown::is_ours).collect();
    assert!(ours.len() > 30, "{} found", ours.len());
    for shown in ours {
        let arguments = examples::arguments(&shown).unwrap();
        if let Err(error) = cli::parse(arguments, Terminal::default()) {
            panic!("$ {}\n{error}", shown.command);
        }
    }
}

#[test]
fn commands_run_and_show_the_titles_they_are_shown_with() {
    let _namespace = Namespace::enter();
    let folder = folder();
    for shown in shown() {
        let needs_jq = shown.command.contains("jq");
        let cargo = ["cargo test", "cargo install", "cargo bench"]
            .iter()
            .any(|other| shown.command.starts_with(other));
        if cargo || needs_jq && !has("jq") {
            continue;
        }
        let output = shell::succeed(&shown.command, folder.path());
        let titles = shown
            .output
            .first()
            .filter(|line| line.starts_with(['P', 'S']));
        if let (Some(titles), true) = (titles, examples::is_bare(&shown)) {
            let first = output.lines().next().unwrap_or_default();
            assert!(
                first.split_whitespace().eq(titles.split_whitespace()),
                "$ {}\n{first}",
                shown.command
            );
        }
    }
}

#[test]
fn recipes_have_something_to_tell() {
    let Some(_namespace) = fresh() else { return };
    if !has("jq") {
        return;
    }
    let folder = folder();
    let _sockets = Sockets::open(folder.path());
    let recipes = commands(&chapter("With jq"));
    assert!(recipes.len() >= 10, "{} recipes", recipes.len());
    for recipe in recipes {
        assert!(recipe.command.contains("jq"), "{recipe:?}");
        // A lost segment is sent again after a second.
        until(&recipe.command, || {
            let output = shell::succeed(&recipe.command, folder.path());
            (!output.trim().is_empty()).then_some(())
        });
    }
}

#[test]
fn completions_and_manual_are_installed_where_they_are_looked_for() {
    let folder = folder();
    for shown in commands(&chapter("Install")) {
        if !shown.command.starts_with("cargo") {
            shell::succeed(&shown.command, folder.path());
        }
    }
    for path in [
        ".local/share/man/man1/lsock.1",
        ".local/share/man/man5/lsock-output.5",
        ".local/share/man/man7/lsock-filter.7",
        ".local/share/bash-completion/completions/lsock",
        ".zfunc/_lsock",
        ".config/fish/completions/lsock.fish",
    ] {
        let size = fs::metadata(folder.path().join(path)).map(|data| data.len());
        assert!(size.is_ok_and(|size| size > 1_000), "{path}");
    }
}

#[test]
fn explanation_shown_is_that_of_the_program() {
    let shown = commands(&chapter("The TCP states"));
    let explained: Vec<&Shown> = shown
        .iter()
        .filter(|shown| shown.command.contains("--explain ") && !shown.output.is_empty())
        .collect();
    assert_eq!(explained.len(), 1, "{shown:?}");
    for shown in explained {
        let output = shell::succeed(&shown.command, Path::new("/"));
        let (told, _) = shown.output.join("\n").split_once("\n```").map_or_else(
            || panic!("the block has no end: {shown:?}"),
            |(told, rest)| (told.to_owned(), rest.to_owned()),
        );
        assert_eq!(told, output.trim_end());
    }
}

#[test]
fn exit_statuses_are_those_of_the_program() {
    let chapter = chapter("Exit status");
    let told: Vec<u8> = chapter
        .lines()
        .filter_map(|line| line.split('|').nth(1)?.trim().parse().ok())
        .collect();
    let verdicts = Verdict::EACH.map(Verdict::status);
    assert_eq!(told, verdicts);
}

#[test]
fn vocabulary_is_that_of_the_program() {
    let chapter = chapter("JSON");
    let (_, list) = chapter
        .split_once("The fields, in the order of JSON")
        .unwrap();
    let (_, list) = list.split_once(":\n").unwrap();
    let (list, _) = list.split_once(". (").unwrap();
    let words: Vec<&str> = list
        .split_whitespace()
        .map(|word| word.trim_matches('`'))
        .collect();
    assert_eq!(words, Field::VOCABULARY.map(Field::name));
}

#[test]
fn document_shown_is_a_document_of_this_version() {
    let documents: Vec<Value> = shown()
        .iter()
        .filter(|shown| {
            examples::is_bare(shown) && shown.output.first().is_some_and(|o| o.starts_with('{'))
        })
        .map(|shown| serde_json::from_str(&shown.output.join("\n")).unwrap())
        .collect();
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    assert_eq!(documents.len(), 1);
    for document in documents {
        let errors = jsonschema::draft202012::new(&schema).unwrap();
        let errors: Vec<String> = errors
            .iter_errors(&document)
            .map(|e| e.to_string())
            .collect();
        assert_eq!(errors, Vec::<String>::new());
    }
}

/// Whether everything in `part` stands at the same place of `whole`.
fn is_part(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => part
            .iter()
            .all(|(key, value)| whole.get(key).is_some_and(|other| is_part(value, other))),
        _ => part == whole,
    }
}

#[test]
fn schema_shown_is_a_part_of_the_schema() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let parts = blocks("json");
    assert_eq!(parts.len(), 1);
    for part in parts {
        let part = serde_json::from_str(&part).unwrap();
        assert!(is_part(&part, &schema), "{part:#}");
    }
}

#[test]
fn links_lead_to_files_of_this_repository() {
    for document in ["README.md", "CHANGELOG.md"] {
        let text = shell::text(document);
        let targets = text
            .split("](")
            .skip(1)
            .map(|rest| rest.split(')').next().unwrap());
        for target in targets.filter(|target| !target.starts_with("https://")) {
            assert!(shell::file(target).is_file(), "{document}: {target}");
        }
    }
}

#[test]
fn changelog_begins_with_this_version_or_what_follows_it() {
    let text = shell::text("CHANGELOG.md");
    let first = text.lines().find(|line| line.starts_with("## [")).unwrap();
    let version = concat!("## [", env!("CARGO_PKG_VERSION"), "] - ");
    assert!(text.contains(&format!("\n{version}")), "{version}");
    assert!(
        first == "## [Unreleased]" || first.starts_with(version),
        "{first}"
    );
}
