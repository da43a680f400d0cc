//! What the README shows can be done.

use std::fs;
use std::os::unix::fs::symlink;

use lsock::cli::{self, Terminal};
use tempfile::TempDir;

use crate::examples;
use crate::manual;
use crate::scene::Namespace;
use crate::shell::{self, Shown, commands};
use crate::support::has;

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

#[test]
fn it_is_short_and_has_the_sections_that_are_searched_for() {
    let text = readme();
    assert!(text.lines().count() <= 250);
    for heading in [
        "Install",
        "Output",
        "Filters",
        "Events",
        "Watch mode",
        "Checks",
        "netstat drop-in",
        "Comparison",
        "Performance",
        "Limits",
    ] {
        assert!(!chapter(heading).trim().is_empty(), "{heading}");
    }
}

#[test]
fn every_page_of_the_manual_is_linked() {
    let text = readme();
    for (page, _) in manual::PAGES {
        assert!(text.contains(&format!("]({page})")), "{page}");
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
    assert!(ours.len() >= 10, "{} found", ours.len());
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
fn links_lead_to_files_of_this_repository() {
    for document in [
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "benches/README.md",
    ] {
        let text = shell::text(document);
        let targets = text
            .split("](")
            .skip(1)
            .map(|rest| rest.split(')').next().unwrap());
        for target in targets.filter(|target| !target.starts_with("https://")) {
            let file = shell::file(document).with_file_name(target);
            assert!(file.is_file(), "{document}: {target}");
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

#[test]
fn contributing_names_files_that_are_there() {
    let text = shell::text("CONTRIBUTING.md");
    let quoted = text.split('`').skip(1).step_by(2);
    let folders = ["src/", "tests/", "man/", "benches/"];
    let paths: Vec<&str> = quoted
        .filter(|word| folders.iter().any(|folder| word.starts_with(folder)))
        .filter(|word| !word.contains("NAME"))
        .collect();
    assert!(paths.len() > 20, "{paths:?}");
    for path in paths {
        assert!(shell::file(path).exists(), "{path}");
    }
}

#[test]
fn version_is_that_of_the_package() {
    let version = env!("CARGO_PKG_VERSION");
    let read = |file: &str| fs::read_to_string(file).unwrap();
    let (minor, _) = version.rsplit_once('.').unwrap();
    let library = format!("lsock = {{ version = \"{minor}\"");
    assert!(read("README.md").contains(&library), "{library}");
    for file in ["README.md", "man/lsock-checks.7"] {
        let action = format!("uses: OWNER/lsock@v{version}");
        assert!(read(file).contains(&action), "{file}: {action}");
    }
}
