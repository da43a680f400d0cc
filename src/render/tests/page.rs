//! Tests of `-s --format html`: how much is listed, and what it says about the rest.

use proptest::prelude::*;

use super::names::{name, row, written};
use super::{Page, envelope, feed, layout, scene};
use crate::model::{
    Family, Finding, Findings, Network, Origin, OwnedRow, Protocol, Row, Severity, Source, State,
    StateSet, Summary, Table, Warning,
};
use crate::render::{Extras, Format, Grouping, Layout, Sink as _, Summing};

/// A page of these rows with every extended column, after `before` has prepared the sink.
fn page(
    limit: Option<usize>,
    rows: &[OwnedRow],
    summary: &Summary,
    before: impl Fn(&mut Summing<'_>),
) -> String {
    let page = Page::default();
    let extras = [Extras::EXTENDED, Extras::PROCESSES, Extras::NETNS];
    let layout = Layout {
        filter: "sport < 9".to_owned(),
        ..layout(Format::Html, &extras)
    };
    let mut sink = Summing::new(
        Format::Html,
        layout,
        limit,
        envelope(),
        Box::new(page.clone()),
    );
    before(&mut sink);
    feed(&mut sink, rows, summary).unwrap();
    page.text()
}

fn connections(state: State, count: u32) -> Vec<OwnedRow> {
    let connection = |port| {
        let mut socket = scene::inet(Protocol::Tcp, ("192.0.2.1", port), ("192.0.2.2", Some(443)));
        socket.state = state;
        OwnedRow::keep(&Row::bare(&socket))
    };
    (0..count).map(connection).collect()
}

/// The rows in its tables of sockets.
fn listed(page: &str) -> usize {
    let tables = page.split("<table class=\"sockets\">").skip(1);
    let rows = tables.map(|table| {
        table
            .split("</table>")
            .next()
            .unwrap()
            .matches("<tr>")
            .count()
            - 1
    });
    rows.sum()
}

#[test]
fn of_many_sockets_some_of_each_state_are_listed_and_all_are_counted() {
    let mut rows = connections(State::Established, 50_000);
    rows.extend(
        [0; 3]
            .iter()
            .flat_map(|_| connections(State::TimeWait, 50_000)),
    );
    rows.extend(connections(State::CloseWait, 3));
    let text = page(None, &rows, &Summary::default(), |_| ());
    assert_eq!(listed(&text), 500 + 500 + 3);
    assert!(text.contains("<h2>Connections <small>200,003</small></h2>"));
    let said = "The first 1,003 of 200,003 sockets are listed: at most 500 of each protocol, IP version and state and \
                5,000 in all, unless --limit says otherwise. All are counted.";
    assert!(text.contains(said));
    assert!(text.len() < 300_000, "{}", text.len());
    let text = page(Some(2), &rows, &Summary::default(), |_| ());
    assert_eq!(listed(&text), 6);
    assert!(text.contains("at most 2 of each protocol, IP version and state, unless"));
    assert!(!page(Some(50_000), &rows[..9], &Summary::default(), |_| ()).contains("are listed"));
}

#[test]
fn what_is_read_again_is_listed_once() {
    let rows = connections(State::Established, 3);
    let text = page(None, &rows, &Summary::default(), |sink| {
        sink.checkpoint();
        for row in &rows {
            let _ = sink.row(&row.row()).unwrap();
        }
        sink.rollback();
    });
    assert_eq!(listed(&text), 3);
}

#[test]
fn what_could_not_be_read_is_named() {
    let mut summary = Summary {
        sources: vec![Origin {
            table: Table {
                protocol: Protocol::Tcp,
                family: Family::Inet,
            },
            source: Some(Source::Procfs),
            reason: None,
            unlisted: StateSet::EMPTY.with(State::Bound),
            netns: None,
            is_scope_unknown: false,
        }],
        ..Summary::default()
    };
    summary.diagnostics.warnings = vec![Warning::note("12 processes <not> readable".to_owned())];
    let text = page(None, &[], &summary, |_| ());
    for said in [
        "<b>incomplete</b> Not all sockets could be read:",
        "<li>12 processes &lt;not&gt; readable</li>",
        "<li>TCP sockets in BOUND are not listed</li>",
        "they were not checked",
        "2026-01-02T03:04:05Z · lsock ",
        " · sport &lt; 9</p>",
        "<b>frodo &quot;the&quot; host</b>",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(page(None, &[], &Summary::default(), |_| ()).contains("<b>complete</b>"));
}

/// The tags of a page except those of cells: empty columns are omitted.
fn tags(page: &str) -> Vec<String> {
    let mut tags: Vec<String> = page
        .split('<')
        .skip(1)
        .map(|rest| rest.split(['>', ' ', '\n']).next().unwrap().to_owned())
        .filter(|tag| !["th", "/th", "td", "/td"].contains(&&**tag))
        .collect();
    tags.sort_unstable();
    tags
}

#[test]
fn counts_are_those_of_each_network_namespace_if_there_are_several() {
    let origin = |inode, name: &[u8]| Origin {
        table: Table {
            protocol: Protocol::Tcp,
            family: Family::Inet,
        },
        source: Some(Source::Netlink),
        reason: None,
        is_scope_unknown: false,
        unlisted: StateSet::EMPTY,
        netns: Some(Network {
            name: name.into(),
            inode,
        }),
    };
    let line = |netns: &str, count| {
        format!("<tr>{netns}<td>tcp</td><td>ESTABLISHED</td><td class=\"number\">{count}</td>")
    };
    let mut rows = Vec::new();
    for (inode, name, count) in [(1, &b"a<b>"[..], 2), (2, b"c", 3)] {
        for row in connections(State::Established, count) {
            let mut socket = row.socket().clone();
            socket.netns = Some(inode);
            let mut row = Row::bare(&socket);
            row.netns = Some(name);
            rows.push(OwnedRow::keep(&row));
        }
    }
    let several = Summary {
        sources: vec![origin(1, b"a<b>"), origin(2, b"c")],
        ..Summary::default()
    };
    let text = page(None, &rows, &several, |_| {});
    assert!(text.contains("<tr><th>NETNS</th><th>PROTO</th>"), "{text}");
    for (netns, count) in [("all", 5), ("a&lt;b&gt;", 2), ("c", 3)] {
        assert!(
            text.contains(&line(&format!("<td>{netns}</td>"), count)),
            "{text}"
        );
    }
    let one = page(
        None,
        &connections(State::Established, 2),
        &Summary::default(),
        |_| {},
    );
    assert!(one.contains(&line("", 2)), "{one}");
}

proptest! {
    #[test]
    fn no_name_changes_the_markup(name in name(), text: String) {
        let summary = Summary::default();
        let tell = |text: &str| {
            let found = vec![Finding {
                kind: "close_wait",
                severity: Severity::Warning,
                count: 1,
                sockets: text.to_owned(),
                text: text.to_owned(),
                fact: text.to_owned(),
                netns: Some(text.as_bytes().into()),
            }];
            Findings { found, ..Findings::default() }
        };
        let [own, plain] = [(&*name, &*text), (&b"a"[..], "a")].map(|(name, text)| {
            let rows = [row(name, text)];
            page(None, &rows, &summary, |sink| sink.tell(tell(text)))
        });
        prop_assert_eq!(tags(&own), tags(&plain));
        prop_assert!(own.chars().all(|c| c == '\n' || !c.is_control()));
    }

    #[test]
    fn no_name_changes_the_drawing_of_a_connection(name in name()) {
        let [own, plain] = [&*name, b"a"].map(|name| written(Format::Html, Grouping::Pair, name));
        let [own_tags, plain] = [&own, &plain].map(|page| {
            let mut tags = tags(page);
            // Empty parts have no line.
            tags.retain(|tag| tag != "br");
            tags
        });
        prop_assert_eq!(own_tags, plain);
        prop_assert!(own.chars().all(|c| c == '\n' || !c.is_control()));
    }
}
