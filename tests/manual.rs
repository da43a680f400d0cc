//! The manual has what the program has, and nothing else. It is a set of pages; an option, a field and a
//! state have an entry in exactly one of them.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use clap::Arg;
use lsock::cli::{self, Terminal};
use lsock::exit::Verdict;
use lsock::fields::Field;
use lsock::model::{EXPLANATIONS, FINDINGS, Family, Protocol, Severity, State, Unit};
use lsock::render::{Format, SCHEMA};
use serde_json::Value;
use tempfile::TempDir;

use crate::examples;
use crate::scene::Namespace;
use crate::shell::{self, Shown, commands};
use crate::support::{has, output};

type Words = BTreeSet<String>;

const PAGE: &str = "man/lsock.1";
const CHECKS: &str = "man/lsock-checks.7";
const FILTER: &str = "man/lsock-filter.7";
const OUTPUT: &str = "man/lsock-output.5";
const STATES: &str = "man/lsock-states.7";
const SUMMARY: &str = "man/lsock-summary.7";

/// Every page, and the most lines that its source may have.
pub const PAGES: [(&str, usize); 12] = [
    (PAGE, 700),
    (CHECKS, 400),
    (FILTER, 700),
    (OUTPUT, 800),
    (STATES, 300),
    (SUMMARY, 350),
    ("man/lsock-events.7", 350),
    ("man/lsock-netns.7", 300),
    ("man/lsock-netstat.1", 200),
    ("man/lsock-source.7", 300),
    ("man/lsock-ss.1", 200),
    ("man/lsock-watch.7", 220),
];

/// Every line of every page.
fn all_lines() -> Vec<String> {
    let texts = PAGES.map(|(page, _)| shell::text(page));
    let lines = texts.iter().flat_map(|text| text.lines());
    lines.map(str::to_owned).collect()
}

/// The lines of one section of a page.
fn section(page: &str, name: &str) -> Vec<String> {
    let text = shell::text(page);
    let heading = format!(".Sh {name}");
    let lines = text.lines().skip_while(|line| *line != heading).skip(1);
    let lines: Vec<String> = lines
        .take_while(|line| !line.starts_with(".Sh "))
        .map(str::to_owned)
        .collect();
    assert!(!lines.is_empty(), "{page}: no section {name}");
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
    for line in section(PAGE, "OPTIONS") {
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
    let mut definition = cli::definition();
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

/// The words behind `.It` and a macro, in whatever page.
fn entries(start: &str) -> Vec<String> {
    let lines = all_lines();
    let entries = lines.iter().filter_map(|line| words(line, start));
    entries.flatten().map(str::to_owned).collect()
}

/// How often `word` is among the words.
fn times(entries: &[String], word: &str) -> usize {
    entries.iter().filter(|entry| *entry == word).count()
}

#[test]
fn options_fields_and_states_have_one_entry() {
    let lines = all_lines();
    let options = lines.iter().filter_map(|line| words(line, ".It Fl "));
    let options: Vec<String> = options.flat_map(|words| options_of(&words)).collect();
    for name in definition().iter().flat_map(names) {
        assert_eq!(times(&options, &name), 1, "{name}");
    }
    let fields = entries(".It Cm ");
    for field in Field::VOCABULARY {
        assert_eq!(times(&fields, &field.name()), 1, "{field:?}");
    }
    let states = entries(".It ");
    for state in State::all_named() {
        assert_eq!(times(&states, state.name()), 1, "{state:?}");
    }
}

#[test]
fn synopsis_names_every_option() {
    let mut found = Words::new();
    for line in section(PAGE, "SYNOPSIS") {
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
    let lines = section(OUTPUT, "FIELDS");
    let told = lines
        .iter()
        .filter_map(|line| words(line, ".It Cm "))
        .flatten();
    let told: Vec<String> = told.map(str::to_owned).collect();
    let combined = Field::COMBINED.map(Field::name);
    let fields = Field::VOCABULARY.map(Field::name);
    let (others, told): (Vec<String>, Vec<String>) =
        told.into_iter().partition(|name| !fields.contains(name));
    // The order is that of JSON.
    assert_eq!(told, fields);
    let result = [&[Field::Result][..], &Field::RATES].concat();
    let result: Vec<_> = result.into_iter().map(Field::name).collect();
    assert_eq!(others, [&combined[..], &result[..]].concat());
}

/// What stands below `entry` in a section, up to the next one, as words.
fn words_below(lines: &[String], entry: &str) -> Words {
    let lines = lines.iter().skip_while(|line| *line != entry).skip(1);
    let lines = lines.take_while(|line| !line.starts_with(".It "));
    let words = lines.flat_map(|line| line.split([' ', ',', '.']));
    words
        .filter(|word| !word.is_empty() && *word != "or")
        .map(str::to_owned)
        .collect()
}

#[test]
fn protocols_families_and_formats_are_those_of_the_program() {
    let fields = section(OUTPUT, "FIELDS");
    let names = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Words>()
    };
    assert_eq!(
        words_below(&fields, ".It Cm protocol"),
        names(Protocol::NAMES)
    );
    assert_eq!(words_below(&fields, ".It Cm family"), names(Family::NAMES));
    let lines = section(OUTPUT, "FORMATS");
    let entries = lines.iter().filter_map(|line| words(line, ".It "));
    let told: Words = entries.flatten().map(str::to_owned).collect();
    let formats = Format::ALL.map(Format::name).to_vec();
    assert_eq!(told, names(&[formats, vec!["netstat"]].concat()));
}

#[test]
fn words_of_filters_are_those_of_the_program() {
    let parts = ["TESTS WITHOUT A FIELD", "FIELDS", "PARTS OF STRUCTURES"];
    let lines = parts.map(|heading| section(FILTER, heading)).concat();
    let told: Words = lines
        .iter()
        .filter_map(|line| words(line, ".It Ic "))
        .flat_map(|words| words.into_iter().take_while(|word| *word != "Ns"))
        .map(str::to_owned)
        .collect();
    // Parts of structures have one entry, and are compared one by one in the next test.
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
fn parts_of_structures_have_their_units() {
    let mut told = BTreeSet::new();
    let (mut structure, mut unit) = (String::new(), String::new());
    for line in section(FILTER, "PARTS OF STRUCTURES") {
        if let Some(item) = words(&line, ".It Ic ") {
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
    let lines = section(STATES, "STATES");
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
fn states_have_the_words_of_the_program() {
    let mut told: Vec<String> = Vec::new();
    let lines = section(STATES, "STATES").into_iter();
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
    let lines = section(PAGE, "EXIT STATUS");
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
    let text = section(SUMMARY, "FINDINGS").join(" ");
    let mut items = text.split(" .It Ic ").skip(1);
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
pub fn literal(page: &str, name: &str) -> Vec<String> {
    blocks(&section(page, name).join("\n"))
}

fn blocks(text: &str) -> Vec<String> {
    let text = text.replace("\\e", "\\");
    let blocks = text.split(".Bd ").skip(1);
    blocks
        .map(|block| block.split(".Ed").next().unwrap().to_owned())
        .collect()
}

/// The blocks of commands about filters: the last one is a mistake.
fn filter_blocks() -> Vec<String> {
    literal(FILTER, "EXAMPLES")
}

/// The transcripts of checks.
pub fn check_blocks() -> Vec<String> {
    literal(CHECKS, "EXAMPLES")
}

/// The recipes for `jq`.
pub fn jq_recipes() -> Vec<Shown> {
    let blocks = literal(OUTPUT, "JQ");
    blocks.iter().flat_map(|block| commands(block)).collect()
}

#[test]
fn document_shown_is_a_document_of_this_version() {
    let blocks = literal(OUTPUT, "EXAMPLES");
    let shown = blocks.iter().flat_map(|block| commands(block));
    let documents: Vec<Value> = shown
        .filter(|shown| shown.output.first().is_some_and(|o| o.starts_with('{')))
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

/// Every command that a page shows.
pub fn shown(page: &str) -> Vec<Shown> {
    let blocks = blocks(&shell::text(page));
    blocks.iter().flat_map(|block| commands(block)).collect()
}

#[test]
fn commands_are_understood() {
    for (page, _) in PAGES {
        for shown in examples_of(page) {
            let arguments = examples::arguments(&shown).unwrap();
            let parsed = cli::parse(arguments, Terminal::default());
            let is_mistake = filter_mistake().contains(&shown.command);
            assert_eq!(parsed.is_err(), is_mistake, "{page}: {shown:?}");
        }
    }
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
    let others = [CHECKS, FILTER].map(examples_of).concat();
    let shown = PAGES.iter().flat_map(|(page, _)| examples_of(page));
    let shown: Vec<Shown> = shown.filter(|shown| !others.contains(shown)).collect();
    assert!(shown.len() >= 40, "{shown:?}");
    for example in shown {
        if example.command.contains("jq") && !has("jq") {
            continue;
        }
        let output = shell::succeed(&example.command, folder.path());
        let header = example.output.first();
        let header = header.filter(|line| is_header(line));
        if let (Some(header), true) = (header, examples::is_bare(&example)) {
            let found = output.lines().next().unwrap_or_default();
            let same = found.split_whitespace().eq(header.split_whitespace());
            assert!(same, "{example:?}\n{found}");
        }
    }
}

/// Ours, in the literal blocks of a page.
fn examples_of(page: &str) -> Vec<Shown> {
    let shown = shown(page).into_iter();
    shown.filter(Shown::is_ours).collect()
}

/// Is it a line of titles?
fn is_header(line: &str) -> bool {
    let mut letters = line.chars();
    !line.is_empty() && letters.all(|c| c.is_ascii_uppercase() || [' ', '_'].contains(&c))
}

#[test]
fn pages_are_all_there_and_no_longer_than_they_may() {
    let found = std::fs::read_dir(shell::file("man")).unwrap();
    let found = found.map(|entry| format!("man/{}", entry.unwrap().file_name().display()));
    let found = found.filter(|name| name != "man/text");
    let pages = PAGES.map(|(page, _)| page.to_owned());
    assert_eq!(found.collect::<Words>(), Words::from(pages));
    for (page, most) in PAGES {
        let lines = shell::text(page).lines().count();
        assert!(lines <= most, "{page}: {lines}");
    }
}

#[test]
fn references_lead_to_pages() {
    let folder = shell::file("man");
    for line in all_lines() {
        let Some(words) = line.split_once("Xr lsock-").map(|(_, rest)| rest) else {
            continue;
        };
        let mut words = words.split(' ');
        let (name, section) = (words.next().unwrap(), words.next().unwrap());
        assert!(
            folder.join(format!("lsock-{name}.{section}")).is_file(),
            "{line}"
        );
    }
}

#[test]
fn mandoc_has_nothing_to_say() {
    if !has("mandoc") {
        return;
    }
    for (page, _) in PAGES {
        let mut mandoc = Command::new("mandoc");
        mandoc
            .args(["-T", "lint", "-W", "warning"])
            .arg(shell::file(page));
        let output = output(&mut mandoc).unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    }
}

/// A page as it is shown on a terminal of 80 columns.
fn rendered(page: &str) -> String {
    let mut mandoc = Command::new("mandoc");
    mandoc
        .args(["-T", "ascii", "-O", "width=80"])
        .arg(shell::file(page));
    let output = output(&mut mandoc).unwrap();
    let mut plain = String::new();
    // A letter is made bold or underlined by striking it over.
    for letter in String::from_utf8(output.stdout).unwrap().chars() {
        if letter == '\u{8}' {
            plain.pop();
        } else {
            plain.push(letter);
        }
    }
    plain
}

#[test]
fn no_word_is_taken_for_a_macro() {
    if !has("mandoc") {
        return;
    }
    assert!(rendered(SUMMARY).contains("In text"));
    for (page, _) in PAGES {
        // The macro In writes its argument as a header: <text>.
        for line in rendered(page).lines() {
            let eaten = |(before, after): (char, char)| before == '<' && after.is_alphabetic();
            assert!(!line.chars().zip(line.chars().skip(1)).any(eaten), "{line}");
        }
    }
}

#[test]
fn pages_fit_80_columns() {
    if !has("mandoc") {
        return;
    }
    for (page, _) in PAGES {
        for line in rendered(page).lines() {
            assert!(line.chars().count() <= 80, "{page}: {line}");
        }
    }
}

/// The topic of `lsock help` that a page has.
fn topic(page: &str) -> &str {
    let name = page.strip_prefix("man/lsock").unwrap();
    let (name, _) = name.rsplit_once('.').unwrap();
    name.strip_prefix('-').unwrap_or("options")
}

#[test]
fn topics_of_help_are_the_pages() {
    for (page, _) in PAGES {
        let topic = topic(page);
        let told = shell::succeed(&format!("lsock help {topic}"), Path::new("/"));
        if !has("mandoc") {
            continue;
        }
        let rendered = rendered(page);
        // Without the lines of the page's title and date.
        let lines: Vec<&str> = rendered.trim_end().lines().collect();
        let text = lines[1..lines.len() - 1].join("\n");
        let text = format!("{}\n", text.trim());
        if std::env::var_os("LSOCK_BLESS").is_some() {
            let file = shell::file(&format!("man/text/{topic}.txt"));
            std::fs::write(file, &text).unwrap();
        } else {
            assert_eq!(told, text, "{page}: LSOCK_BLESS=1 rewrites the text");
        }
    }
}
