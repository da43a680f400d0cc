//! A module names only lower levels and its own folder, and siblings name each other one way only.

mod paths;
mod rooms;

use paths::{Tests, named};
use rooms::{Circles, Rooms};
use std::fs;
use std::path::{Path, PathBuf};

/// The house plan, lowest level first.
const LEVELS: [&[&str]; 13] = [
    // `skip`, `start` and `tests` are of the tests alone.
    &["text", "skip", "start"],
    &["model"],
    &["error", "exit", "fields"],
    &["wire", "procfs", "bpf", "syscall", "filter", "track"],
    &["container"],
    &["netns"],
    &["source", "enrich", "render"],
    &["reading"],
    &["query", "api"],
    &["mode"],
    &["cli"],
    &["program"],
    &["lib", "main", "terminal", "tests"],
];

/// The files of the program itself.
const PROGRAM: [&str; 2] = ["main", "terminal"];

/// The circles that are still to be opened: a module, and those of its rooms that name each other.
const KNOWN_CIRCLES: &[(&str, &[&str])] = &[];

fn level(module: &str) -> usize {
    LEVELS
        .iter()
        .position(|modules| modules.contains(&module))
        .unwrap_or_else(|| panic!("src/{module} has no place in the house plan"))
}

pub fn rust_files(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Every file of `src`: its words below that folder without extension, and its text.
fn source_files() -> Vec<(Vec<String>, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    assert!(files.len() > 30, "{} files found", files.len());
    let read = |file: PathBuf| {
        let place = file.strip_prefix(&src).unwrap().with_extension("");
        let words = place.iter().map(|word| word.to_str().unwrap().to_owned());
        (words.collect(), fs::read_to_string(&file).unwrap())
    };
    files.into_iter().map(read).collect()
}

/// The modules at the root of the library that a text names.
fn modules_named(text: &str) -> Vec<String> {
    let paths = named(text, Tests::Included).into_iter();
    let from_root = paths.filter(|named| named.path[0] == "crate");
    from_root
        .filter_map(|named| named.path.into_iter().nth(1))
        .collect()
}

#[test]
fn modules_name_only_lower_levels() {
    let mut wrong = Vec::new();
    for (place, text) in source_files() {
        let others = modules_named(&text).into_iter();
        for other in others.filter(|other| *other != place[0]) {
            if level(&other) >= level(&place[0]) {
                wrong.push(format!("src/{}.rs names {other}", place.join("/")));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn a_use_of_a_higher_level_is_seen() {
    assert_eq!(
        modules_named("use crate::{render::Sink, mode as m};\nlet x = crate::cli::parse();"),
        ["render", "mode", "cli"]
    );
}

#[test]
fn siblings_name_each_other_one_way_only() {
    let files = source_files().into_iter();
    let rooms = files.filter(|(place, _)| !PROGRAM.contains(&place[0].as_str()));
    let found = Rooms::of(rooms.map(|(mut place, text)| {
        place.retain(|word| word != "lib" && word != "mod");
        (place, text)
    }))
    .circles();
    let known = KNOWN_CIRCLES.iter().map(|(module, rooms)| {
        let rooms = rooms.iter().map(|room| (*room).to_owned());
        ((*module).to_owned(), rooms.collect())
    });
    let known: Circles = known.collect();
    let new: Vec<_> = found.difference(&known).collect();
    let opened: Vec<_> = known.difference(&found).collect();
    assert!(
        new.is_empty() && opened.is_empty(),
        "new circles: {new:?}; take from KNOWN_CIRCLES: {opened:?}"
    );
}

#[test]
fn only_the_program_touches_stdout_environment_and_terminal() {
    let is_library = |place: &[String]| !PROGRAM.contains(&place[0].as_str());
    for (place, text) in source_files() {
        if !is_library(&place) || place.iter().any(|part| part == "tests") {
            continue;
        }
        let code = text.split("#[cfg(test)]").next().unwrap();
        // Examples are programs.
        let code = code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        let code = code.collect::<Vec<_>>().join("\n");
        for word in [
            "io::stdout",
            "env::",
            "isatty",
            "println!",
            "tcgetwinsize",
            "crossterm",
        ] {
            assert!(
                !code.contains(word),
                "src/{}.rs uses {word}",
                place.join("/")
            );
        }
    }
}

/// What holds while others do not start children, holds only if all start them there.
#[test]
fn children_start_in_one_place() {
    let place = Path::new("tests/support/start.rs");
    // A program of its own, in which nothing else goes on when it starts its child.
    let alone = Path::new("tests/alloc.rs");
    for (folder, calls) in [
        ("tests", &["spawn", "output", "status"][..]),
        // Verdicts have a status there.
        ("src", &["spawn", "output"]),
    ] {
        let mut files = Vec::new();
        rust_files(folder.as_ref(), &mut files);
        assert!(files.len() > 30, "{} files found", files.len());
        for file in files {
            if file == place || file == alone {
                continue;
            }
            let text = fs::read_to_string(&file).unwrap();
            for call in calls {
                for written in [format!(".{call}()"), format!("Command::{call}")] {
                    assert!(!text.contains(&written), "{}: {written}", file.display());
                }
            }
        }
    }
}
