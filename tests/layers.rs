//! A module names only lower levels and its own folder.

use std::fs;
use std::path::{Path, PathBuf};

/// The house plan, lowest level first.
const LEVELS: [&[&str]; 9] = [
    &["text"],
    &["model"],
    &["error", "exit"],
    &["wire", "procfs", "filter"],
    &["source", "enrich", "render"],
    &["query"],
    &["mode"],
    &["cli"],
    &["lib", "main", "terminal"],
];

/// The files of the program itself.
const PROGRAM: [&str; 2] = ["main.rs", "terminal.rs"];

fn level(module: &str) -> usize {
    LEVELS
        .iter()
        .position(|modules| modules.contains(&module))
        .unwrap_or_else(|| panic!("src/{module} has no place in the house plan"))
}

fn rust_files(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The modules that a source text names with `crate::`.
fn named(text: &str) -> Vec<&str> {
    let code = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.split("crate::").skip(1))
        .filter_map(|rest| {
            rest.split(|c: char| !c.is_alphanumeric() && c != '_')
                .next()
        })
        .collect()
}

#[test]
fn modules_name_only_lower_levels() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    assert!(files.len() > 30, "{} files found", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let place = file.strip_prefix(&src).unwrap().with_extension("");
        let module = place.iter().next().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&file).unwrap();
        for other in named(&text).into_iter().filter(|other| *other != module) {
            if level(other) >= level(&module) {
                wrong.push(format!("{} names {other}", file.display()));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn only_the_program_touches_stdout_environment_and_terminal() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    let is_library = |file: &&PathBuf| PROGRAM.iter().all(|name| **file != src.join(name));
    for file in files.iter().filter(is_library) {
        let text = fs::read_to_string(file).unwrap();
        let place = file.strip_prefix(&src).unwrap().with_extension("");
        if place.iter().any(|part| part == "tests") {
            continue;
        }
        let code = text.split("#[cfg(test)]").next().unwrap();
        for word in [
            "io::stdout",
            "env::",
            "isatty",
            "println!",
            "tcgetwinsize",
            "crossterm",
        ] {
            assert!(!code.contains(word), "{} uses {word}", file.display());
        }
    }
}

#[test]
fn a_use_of_a_higher_level_is_seen() {
    assert_eq!(
        named("use crate::render::Sink;\nlet x = crate::cli::parse();"),
        ["render", "cli"]
    );
}
