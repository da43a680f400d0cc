//! The modules of the library, what each names, and the circles among siblings.

use super::paths::{Named, Tests, named, test_modules};
use std::collections::{BTreeMap, BTreeSet};

/// The words of a module's path, without `crate`.
pub type Place = Vec<String>;

/// Siblings that name each other, by the module they are in.
pub type Circles = BTreeSet<(String, Vec<String>)>;

/// The modules that are not for tests only, with the paths they name.
pub struct Rooms(BTreeMap<Place, Vec<Named>>);

impl Rooms {
    pub fn of(texts: impl Iterator<Item = (Place, String)>) -> Rooms {
        let texts: BTreeMap<Place, String> = texts.collect();
        let for_tests: BTreeSet<Place> = texts
            .iter()
            .flat_map(|(place, text)| {
                test_modules(text)
                    .into_iter()
                    .map(|word| child(place, &word))
            })
            .collect();
        let for_tests =
            |place: &Place| (1..=place.len()).any(|depth| for_tests.contains(&place[..depth]));
        let rooms = texts.iter().filter(|(place, _)| !for_tests(place));
        let read = |(place, text): (&Place, &String)| (place.clone(), named(text, Tests::Skipped));
        Rooms(rooms.map(read).collect())
    }

    /// Lists every group of siblings in which each leads to each.
    pub fn circles(&self) -> Circles {
        let mut edges: BTreeMap<Place, BTreeSet<(String, String)>> = BTreeMap::new();
        for (place, paths) in &self.0 {
            for named in paths {
                let other = self.home(place, &named.path, 0);
                let shared = place.iter().zip(&other).take_while(|(a, b)| a == b).count();
                if let (Some(from), Some(to)) = (place.get(shared), other.get(shared)) {
                    let among = edges.entry(place[..shared].to_vec()).or_default();
                    among.insert((from.clone(), to.clone()));
                }
            }
        }
        let groups = |(place, edges): (Place, _)| {
            let place = place.join("::");
            circles(&edges)
                .into_iter()
                .map(move |group| (place.clone(), group))
        };
        edges.into_iter().flat_map(groups).collect()
    }

    /// Finds the module whose item a path names, through what modules take from others by `use`.
    fn home(&self, from: &[String], path: &[String], depth: usize) -> Place {
        let mut at = from.to_vec();
        for (index, word) in path.iter().enumerate() {
            match word.as_str() {
                "crate" => at.clear(),
                "self" => {}
                "super" => drop(at.pop()),
                _ => {
                    let child = child(&at, word);
                    if self.0.contains_key(&child) {
                        at = child;
                        continue;
                    }
                    let taken = self.0.get(&at).into_iter().flatten();
                    let mut taken = taken.filter(|named| named.used && named.name == *word);
                    return match taken.next() {
                        Some(named) if depth < 8 && (index > 0 || at != from) => {
                            self.home(&at, &named.path, depth + 1)
                        }
                        _ => at,
                    };
                }
            }
        }
        at
    }
}

fn child(place: &[String], word: &str) -> Place {
    [place, &[word.to_owned()]].concat()
}

/// Lists the groups in which each leads to each; both lists are in order.
fn circles(edges: &BTreeSet<(String, String)>) -> BTreeSet<Vec<String>> {
    let starts = edges.iter().map(|(from, _)| from);
    let reached: BTreeMap<_, _> = starts.map(|from| (from, reached(from, edges))).collect();
    let group = |start: &String| {
        let leads_back = |to: &&&String| reached.get(**to).is_some_and(|all| all.contains(start));
        let group = reached[start].iter().filter(leads_back);
        group.map(|name| (*name).clone()).collect::<Vec<_>>()
    };
    let groups = reached.keys().map(|start| group(start));
    groups.filter(|group| group.len() > 1).collect()
}

fn reached<'a>(start: &'a String, edges: &'a BTreeSet<(String, String)>) -> BTreeSet<&'a String> {
    let mut reached = BTreeSet::new();
    let mut open = vec![start];
    while let Some(at) = open.pop() {
        let next = edges.iter().filter(|(from, _)| from == at);
        open.extend(next.map(|(_, to)| to).filter(|to| reached.insert(*to)));
    }
    reached
}

#[test]
fn circles_are_found_through_items_of_the_parent_and_at_every_depth() {
    let rooms = Rooms::of(
        [
            ("", "mod one;"),
            (
                "one",
                "mod a; mod b; mod c; mod d; #[cfg(test)] mod samples; use b::B;",
            ),
            ("one::a", "use super::{c::{self, C}, B};"),
            ("one::b", "mod deep;"),
            ("one::b::deep", "fn f() { super::super::a::g(); }"),
            (
                "one::c",
                "// use super::a::A;\n#[cfg(test)] mod tests { use crate::one::a::A; }",
            ),
            ("one::d", "use super::samples::S; use super::d::D;"),
            ("one::samples", "use super::d::D;"),
        ]
        .into_iter()
        .map(|(place, text)| {
            let words = place.split("::").filter(|word| !word.is_empty());
            (words.map(str::to_owned).collect(), text.to_owned())
        }),
    );
    let expected = ("one".to_owned(), vec!["a".to_owned(), "b".to_owned()]);
    assert_eq!(rooms.circles(), [expected].into());
}
