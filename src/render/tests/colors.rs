//! Tests that a page and a terminal show the same in the same color.

use std::collections::BTreeMap;

use super::super::summary::findings;
use super::super::weight::Weight;
use super::super::{Color, paint};
use crate::model::{Severity, State};

/// The variable of the style sheet for each color of the terminal.
const NAMES: [(u8, &str); 7] = [
    (31, "red"),
    (32, "green"),
    (33, "yellow"),
    (34, "blue"),
    (35, "magenta"),
    (36, "cyan"),
    (90, "dim"),
];

/// The color of a painted text.
fn painted(text: &str) -> Option<&'static str> {
    let mut codes = text
        .split("\u{1b}[")
        .filter_map(|part| part.split_once('m'));
    codes
        .find_map(|(code, _)| NAMES.iter().find(|(number, _)| code == number.to_string()))
        .map(|(_, name)| *name)
}

/// The color of each selector in the style sheet of a page.
fn sheet() -> BTreeMap<&'static str, &'static str> {
    let sheet = concat!(
        include_str!("../page/drawing.css"),
        include_str!("../page/page.css")
    );
    let mut colors = BTreeMap::new();
    for (selectors, rule) in sheet.lines().filter_map(|line| line.split_once(" { ")) {
        let mut rules = rule.trim_end_matches(" }").split("; ");
        let color = rules.find_map(|rule| {
            let value = rule
                .strip_prefix("color: var(--")
                .or(rule.strip_prefix("fill: var(--"));
            value?.strip_suffix(')')
        });
        for selector in selectors.split(", ") {
            colors.extend(color.map(|color| (selector, color)));
        }
    }
    colors
}

#[test]
fn the_same_has_the_same_color_on_a_page_and_on_a_terminal() {
    let sheet = sheet();
    let of = |selector: &str| sheet.get(selector).copied();
    for state in State::all_named() {
        let name = state.name();
        let text = paint::text(&paint::mark_state(name), Color::Always);
        assert_eq!(of(&format!(".{name}")), painted(&text), "{name}");
    }
    let text = paint::text(&paint::mark_state("UNKNOWN(14)"), Color::Always);
    assert_eq!(of(".UNKNOWN"), painted(&text));
    for severity in Severity::ALL {
        let style = findings::style_of(severity).to_string();
        assert_eq!(
            of(&format!(".{} b", severity.name())),
            painted(&style),
            "{severity:?}"
        );
    }
    for weight in [Weight::Lingering, Weight::Stuck] {
        let style = weight.style().to_string();
        assert_eq!(
            of(&format!(".{} .count", weight.class())),
            painted(&style),
            "{weight:?}"
        );
    }
    let owner = paint::text(&paint::mark_owner("nginx[812]"), Color::Always);
    assert_eq!([of("td.wide"), of(".ends b")], [painted(&owner); 2]);
    let alarm = paint::text(&paint::mark_alarm("129".to_owned(), true), Color::Always);
    assert_eq!(of(".full"), painted(&alarm));
}
