//! The manual has what the program has, and nothing else.

use std::collections::BTreeSet;
use std::process::Command;

use clap::Arg;
use lsock::exit::Verdict;
use lsock::fields::Field;
use lsock::model::{EXPLANATIONS, FINDINGS, Severity, State, Unit};
use tempfile::TempDir;

use crate::examples;
use crate::scene::Namespace;
use crate::shell::{self, Shown, commands};
use crate::support::{has, output};

type Words = BTreeSet<String>;

const PAGE: &str = "man/lsock.1";

/// The lines of one section.
fn section(name: &str) -> Vec<String> {
    let text = shell::text(PAGE);
    let heading = format!(".Sh {name}");
    let lines = text.lines().skip_while(|line| *line != heading).skip(1);
    let lines: Vec<String> = lines
        .take_while(|line| !line.starts_with(".Sh "))
        .map(str::to_owned)
        .collect();
    assert!(!lines.is_empty(), "no section {name}");
    lines
}

/// The words of a line behind its macro, without commas.
fn words<'a>(line: &'a str, start: &str) -> Option<Vec<&'a str>> {
    let rest = line.strip_prefix(start)?;
    Some(
        rest.split([' ', ','])
            .filter(|word| !word.is_empty())
            .collect(),
    )
}

/// `Fl t , -tcp`, `Fl -limit Ar n` and `Fl c Op Ar n`: the options before the argument.
fn options_of(words: &[&str]) -> Vec<String> {
    let names = words.iter().take_while(|word| !["Ar", "Op"].contains(word));
    names.map(|name| format!("-{name}")).collect()
}

/// Each option of the manual with the lines that describe it.
fn described() -> Vec<(Vec<String>, Vec<String>)> {
    let mut items: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    for line in section("OPTIONS") {
        if let Some(words) = words(&line, ".It Fl ") {
            items.push((options_of(&words), Vec::new()));
        } else if line.starts_with(".Ss ") {
            items.push((Vec::new(), Vec::new()));
        } else if let Some((_, lines)) = items.last_mut() {
            lines.push(line);
        }
    }
    items.retain(|(options, _)| !options.is_empty());
    items
}

fn names(option: &Arg) -> Vec<String> {
    let short = option.get_short().map(|short| format!("-{short}"));
    let long = option.get_long().map(|long| format!("--{long}"));
    short.into_iter().chain(long).collect()
}

fn definition() -> Vec<Arg> {
    let mut definition = lsock::cli::definition();
    definition.build();
    let arguments = definition.get_arguments();
    arguments
        .filter(|argument| !argument.is_positional())
        .cloned()
        .collect()
}

#[test]
fn options_are_those_of_the_program() {
    let mut manual: Vec<Vec<String>> = described().into_iter().map(|item| item.0).collect();
    let mut program: Vec<Vec<String>> = definition().iter().map(names).collect();
    manual.sort();
    program.sort();
    assert_eq!(manual, program);
}

#[test]
fn synopsis_names_every_option() {
    let mut found = Words::new();
    for line in section("SYNOPSIS") {
        let rest = line.strip_prefix(".Op Fl ").or(line.strip_prefix(".Fl "));
        let Some(name) = rest.and_then(|rest| rest.split(' ').next()) else {
            continue;
        };
        match name.strip_prefix('-') {
            Some(long) => _ = found.insert(format!("--{long}")),
            None => found.extend(name.chars().map(|short| format!("-{short}"))),
        }
    }
    let program: Words = definition()
        .iter()
        .filter_map(|option| names(option).into_iter().next())
        .filter(|name| !["-h", "-V"].contains(&name.as_str()))
        .collect();
    assert_eq!(found, program);
}

#[test]
fn values_are_those_of_the_program() {
    for option in definition() {
        let values = option.get_possible_values();
        if values.is_empty() || !option.get_action().takes_values() {
            continue;
        }
        let values: Words = values
            .iter()
            .map(|value| value.get_name().to_owned())
            .collect();
        let names = names(&option);
        let (_, lines) = described()
            .into_iter()
            .find(|(found, _)| *found == names)
            .unwrap_or_else(|| panic!("{names:?}"));
        let told = lines
            .iter()
            .filter_map(|line| words(line, ".Cm ").or(words(line, ".It Cm ")))
            .flatten()
            .filter(|word| *word != ".")
            .map(str::to_owned);
        assert_eq!(told.collect::<Words>(), values, "{names:?}");
    }
}

#[test]
fn fields_are_those_of_the_program() {
    let lines = section("FIELDS");
    let told = lines
        .iter()
        .filter_map(|line| words(line, ".It Cm "))
        .flatten();
    let columns = Field::VOCABULARY.into_iter().chain(Field::COMBINED);
    let columns = columns.chain([Field::Result]);
    let fields: Words = columns.map(Field::name).collect();
    assert_eq!(told.map(str::to_owned).collect::<Words>(), fields);
}

/// The lines of one part of a section.
fn part(name: &str, heading: &str) -> Vec<String> {
    let heading = format!(".Ss {heading}");
    let lines = section(name).into_iter();
    let lines = lines.skip_while(|line| *line != heading).skip(1);
    lines.take_while(|line| !line.starts_with(".Ss ")).collect()
}

#[test]
fn words_of_filters_are_those_of_the_program() {
    let parts = ["Tests without a field", "Fields", "Parts of structures"];
    let lines = parts.map(|heading| part("FILTERS", heading)).concat();
    let told: Words = lines
        .iter()
        .filter_map(|line| words(line, ".It Cm "))
        .flat_map(|words| words.into_iter().take_while(|word| *word != "Ns"))
        .map(str::to_owned)
        .collect();
    // Parts of structures are told by a pattern, and one by one in the next test.
    let structures = [
        "socket_options.",
        "congestion_info.",
        "tcp_info.",
        "mptcp_info.",
        "ulp_info.",
        "sctp_info.",
        "xdp_info.",
        "tipc_info.",
        "smc_info.",
        "memory.",
    ];
    let program: Words = lsock::filter::words()
        .into_iter()
        .map(|word| {
            let structure = structures.iter().find(|name| word.starts_with(**name));
            structure.map_or(word.clone(), |name| (*name).to_owned())
        })
        .collect();
    assert_eq!(told, program);
}

#[test]
fn parts_of_structures_are_told_with_their_units() {
    let mut told = BTreeSet::new();
    let (mut structure, mut unit) = (String::new(), String::new());
    for line in part("FILTERS", "Parts of structures") {
        if let Some(item) = words(&line, ".It Cm ") {
            item[0].clone_into(&mut structure);
        } else if let Some(names) = words(&line, ".Cm ") {
            let names = names.iter().filter(|name| **name != ".");
            told.extend(names.map(|name| (format!("{structure}{name}"), unit.clone())));
        } else if let Some(heading) = line.strip_suffix(':') {
            heading.clone_into(&mut unit);
        }
    }
    let program: BTreeSet<(String, String)> = Field::comparable()
        .filter(|field| !["", "timer."].contains(&field.prefix()))
        .map(|field| {
            let unit = match field.unit() {
                Some(Unit::Micros) => "Microseconds",
                Some(Unit::Millis) => "Milliseconds",
                Some(Unit::Bytes | Unit::Octets) => "Bytes",
                Some(Unit::Rate) => "Bytes per second",
                Some(Unit::Count) | None => "Numbers",
            };
            (field.name(), unit.to_owned())
        })
        .collect();
    assert_eq!(told, program);
}

#[test]
fn states_are_those_of_the_program() {
    let lines = section("STATES");
    let told: Words = lines
        .iter()
        .filter_map(|line| words(line, ".It "))
        .map(|words| words[0].to_owned())
        .collect();
    let states = State::all_named().chain([State::Unknown(0)]);
    assert_eq!(told, states.map(|state| state.name().to_owned()).collect());
}

/// The manual may add to the meaning of a state what many of them mean, in one sentence.
#[test]
fn states_are_told_in_the_words_of_the_program() {
    let mut told: Vec<String> = Vec::new();
    let lines = section("STATES").into_iter();
    for line in lines.take_while(|line| line != ".El") {
        if line.starts_with(".It ") {
            told.push(String::new());
        } else if let Some(text) = told.last_mut() {
            text.push_str(&line.replace("\\(pc", "·"));
            text.push(' ');
        }
    }
    assert_eq!(told.len(), EXPLANATIONS.len());
    for explanation in EXPLANATIONS.iter() {
        let (many, _) = explanation.many.split_once(". ").unwrap();
        let both = format!("{} {many}.", explanation.meaning);
        let is_told = |text: &String| [explanation.meaning, &both].contains(&text.trim_end());
        assert!(told.iter().any(is_told), "{explanation:?}\n{told:#?}");
    }
}

#[test]
fn exit_statuses_are_those_of_the_program() {
    let lines = section("EXIT STATUS");
    let told: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.strip_prefix(".It "))
        .collect();
    let verdicts = Verdict::EACH
        .map(Verdict::status)
        .map(|status| status.to_string());
    assert_eq!(told, verdicts);
}

#[test]
fn thresholds_of_findings_are_those_of_the_program() {
    let lines = section("SUMMARY");
    let first = lines
        .iter()
        .position(|line| line == ".Ss Findings")
        .unwrap();
    let text = lines[first..].join(" ");
    let mut items = text.split(" .It Cm ").skip(1);
    for finding in FINDINGS {
        let item = items.next().unwrap();
        let (name, mut rest) = item.split_once(' ').unwrap();
        assert_eq!(name, finding.name);
        for (severity, least) in finding.levels {
            let (first, others) = severity.name().split_at(1);
            let from = format!(" {}{others} from {least} ", first.to_uppercase());
            let (_, what) = rest.split_once(&from).expect(&from);
            let (unit, reason) = what.split_once(": ").unwrap();
            assert!(!unit.contains('.') && reason.contains('.'), "{item}");
            rest = what;
        }
        let severities = Severity::ALL.map(|severity| severity.name().to_uppercase());
        let told = severities.map(|name| {
            item.to_uppercase()
                .matches(&format!(" {name} FROM "))
                .count()
        });
        assert_eq!(told.iter().sum::<usize>(), finding.levels.len(), "{item}");
    }
    assert_eq!(items.next(), None);
}

/// The literal blocks of a section, as they are shown.
pub fn literal(name: &str) -> Vec<String> {
    let text = section(name).join("\n").replace("\\e", "\\");
    let blocks = text.split(".Bd ").skip(1);
    blocks
        .map(|block| block.split(".Ed").next().unwrap().to_owned())
        .collect()
}

/// The blocks of commands about filters: the last one is a mistake.
fn filter_blocks() -> Vec<String> {
    let mut blocks = literal("FILTERS");
    blocks.retain(|block| block.contains("\n$ "));
    blocks
}

/// The commands about filters that do something.
pub fn filter_examples() -> Vec<Shown> {
    let mut blocks = filter_blocks();
    blocks.pop();
    blocks.iter().flat_map(|block| commands(block)).collect()
}

/// A command with a mistake in its filter, and the answer.
pub fn filter_mistake() -> String {
    filter_blocks().pop().unwrap_or_default()
}

#[test]
fn examples_run() {
    let _namespace = Namespace::enter();
    let folder = TempDir::new().unwrap();
    let blocks = literal("EXAMPLES");
    let shown: Vec<_> = blocks.iter().flat_map(|block| commands(block)).collect();
    assert!(shown.len() >= 7, "{shown:?}");
    for example in shown {
        assert!(example.is_ours(), "{example:?}");
        if example.command.contains("jq") && !has("jq") {
            continue;
        }
        let output = shell::succeed(&example.command, folder.path());
        if examples::is_bare(&example) && !example.output.is_empty() {
            let titles = |line: Option<&str>| -> Vec<String> {
                let words = line.unwrap_or_default().split_whitespace();
                words.map(str::to_owned).collect()
            };
            assert_eq!(
                titles(output.lines().next()),
                titles(example.output.first().map(String::as_str)),
                "{example:?}"
            );
        }
    }
}

#[test]
fn mandoc_has_nothing_to_say() {
    if !has("mandoc") {
        return;
    }
    let mut mandoc = Command::new("mandoc");
    mandoc
        .args(["-T", "lint", "-W", "warning"])
        .arg(shell::file(PAGE));
    let output = output(&mut mandoc).unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
}

#[test]
fn no_word_is_taken_for_a_macro() {
    if !has("mandoc") {
        return;
    }
    let mut mandoc = Command::new("mandoc");
    mandoc.args(["-T", "ascii"]).arg(shell::file(PAGE));
    let output = output(&mut mandoc).unwrap();
    let page = String::from_utf8(output.stdout).unwrap();
    // A letter is made bold or underlined by striking it over.
    let mut plain = String::new();
    for letter in page.chars() {
        if letter == '\u{8}' {
            plain.pop();
        } else {
            plain.push(letter);
        }
    }
    assert!(plain.contains("In text"), "{} bytes", plain.len());
    // The macro In writes its argument as a header: <text>.
    for line in plain.lines() {
        let eaten = |(before, after): (char, char)| before == '<' && after.is_alphabetic();
        assert!(!line.chars().zip(line.chars().skip(1)).any(eaten), "{line}");
    }
}

#[test]
fn page_fits_80_columns() {
    if !has("mandoc") {
        return;
    }
    let mut mandoc = Command::new("mandoc");
    mandoc
        .args(["-T", "ascii", "-O", "width=80"])
        .arg(shell::file(PAGE));
    let output = output(&mut mandoc).unwrap();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        // A letter is made bold or underlined by striking it over.
        let struck = line.matches('\u{8}').count();
        assert!(line.chars().count() - 2 * struck <= 80, "{line}");
    }
}
