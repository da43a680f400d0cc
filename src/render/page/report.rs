//! `-s --format html`: completeness, findings, the diagram, and tables of sockets.

use std::fmt::Write as _;
use std::iter::once;

use crate::model::{
    Network, Origin, OwnedRow, Protocol, Socket, Source, State, StateCounts, StateSet, Summary,
};
use crate::text::escape;

use super::super::style::Style;
use super::super::summary::{Totals, findings, text};
use super::super::weight::number;
use super::super::{Field, grid};
use super::{LINES, article, begin, complete, diagram, end, markup};

/// The most characters in a cell: a listener may have a thousand processes.
const LONGEST: usize = 400;

/// The states of sockets without a peer.
const ALONE: StateSet = StateSet::EMPTY
    .with(State::Listen)
    .with(State::Unconn)
    .with(State::Bound);

/// The whole page.
pub(super) fn of(totals: &Totals, summary: &Summary) -> String {
    let (envelope, filter) = (&totals.envelope, &totals.layout.filter);
    let mut about = format!("{} · lsock {}", envelope.time, env!("CARGO_PKG_VERSION"));
    if !filter.is_empty() {
        about = format!("{about} · {filter}");
    }
    let mut page = begin("Sockets of", &envelope.host, &about);
    completeness(&mut page, summary);
    problems(&mut page, totals, summary);
    page.push_str("<h2>States</h2>\n<div class=\"beside\">\n");
    if totals.counts.of_protocol(Protocol::Tcp).next().is_some() {
        let note = markup(&text::of_tcp(&totals.counts));
        let drawing = diagram::of(totals, "");
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "<figure>\n{drawing}<figcaption>{note}</figcaption></figure>"
        );
    }
    states(&mut page, totals);
    page.push_str("</div>\n");
    let title = "Listeners and unconnected sockets";
    sockets(&mut page, totals, title, ALONE);
    sockets(&mut page, totals, "Connections", ALONE.complement());
    sources(&mut page, summary);
    page + &end()
}

/// Writes if everything was read, and what is missing.
fn completeness(page: &mut String, summary: &Summary) {
    let warnings = summary.diagnostics.warnings.iter();
    let mut missing: Vec<String> = warnings.map(ToString::to_string).collect();
    for sockets in summary.sources.iter().filter_map(Origin::unlisted_sockets) {
        if !missing.iter().any(|line| line.contains(&sockets)) {
            missing.push(format!("{sockets} are not listed"));
        }
    }
    complete(page, "sockets", summary.is_complete(), missing);
}

/// The findings, each with its command.
fn problems(page: &mut String, totals: &Totals, summary: &Summary) {
    page.push_str("<h2>Findings</h2>\n");
    let Some(all) = &totals.findings else {
        let words = "These sockets are not from a running machine; they were not checked.";
        return article(page, "info", "", words, "");
    };
    for (each, more) in findings::by_kind(&all.found) {
        for finding in each {
            let (words, command) = findings::told(finding);
            let command = format!("<pre><code>{}</code></pre>", markup(&command));
            let severity = finding.severity.name();
            article(page, severity, severity, &words, &command);
        }
        if let Some(words) = more {
            article(page, "info", "", &words, "");
        }
    }
    if let Some(words) = all.not_checked() {
        article(page, "warning", "", &words, "");
    } else if all.found.is_empty() && summary.diagnostics.is_complete() {
        let words = findings::none(all.checked.len(), &totals.counts);
        article(page, "ok", "ok", &words.unwrap_or_default(), "");
    }
}

/// A table; the first line has the titles. Cells are pairs of class, which may be empty, and text.
fn table(page: &mut String, class: &str, lines: impl Iterator<Item = Vec<(&'static str, String)>>) {
    let _ = write!(page, "<div class=\"scroll\"><table{class}>\n<thead>");
    let mut tag = "th";
    for line in lines {
        page.push_str("<tr>");
        for (class, text) in line {
            let mut shown = grid::cut(&text, LONGEST);
            if shown.len() < text.len() {
                shown.push('…');
            }
            let class = match class {
                "" => String::new(),
                class => format!(" class=\"{class}\""),
            };
            let _ = write!(page, "<{tag}{class}>{}</{tag}>", markup(&shown));
        }
        page.push_str("</tr>\n");
        if tag == "th" {
            page.push_str("</thead>\n<tbody>\n");
        }
        tag = "td";
    }
    page.push_str("</tbody>\n</table></div>\n");
}

/// The sockets in these states.
fn sockets(page: &mut String, totals: &Totals, title: &str, states: StateSet) {
    let counts = totals.counts.tables.iter().flat_map(StateCounts::states);
    let counts = counts.filter(|(state, _)| states.contains(*state));
    let all: u64 = counts.map(|(_, count)| count).sum();
    let rows = totals.rows.iter();
    let rows: Vec<&OwnedRow> = rows
        .filter(|row| states.contains(row.socket().state))
        .collect();
    let shown = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    let _ = writeln!(
        page,
        "<h2>{title} <small>{}</small></h2>",
        number(Some(all))
    );
    if shown < all {
        let [of_each, of_all] = totals.room.map(|room| number(u64::try_from(room).ok()));
        let of_all = match totals.room {
            [_, usize::MAX] => String::new(),
            _ => format!(" and {of_all} in all"),
        };
        let _ = writeln!(
            page,
            "<p class=\"limit\">The first {} of {} sockets are listed: at most {of_each} of each protocol, IP version and \
             state{of_all}, unless --limit says otherwise. All are counted.</p>",
            number(Some(shown)),
            number(Some(all)),
        );
    }
    let is_filled = |column: &Field| {
        let is_known =
            |row: &&OwnedRow| !matches!(&*Style::TEXT.text(*column, &row.row()), "-" | "?");
        match column {
            Field::Peer => states != ALONE,
            Field::User | Field::Container | Field::Pod | Field::Unit => rows.iter().any(is_known),
            _ => true,
        }
    };
    let columns = totals.layout.columns.iter().copied();
    let columns: Vec<Field> = columns.filter(is_filled).collect();
    if rows.is_empty() {
        return;
    }
    let titles = columns
        .iter()
        .map(|column| (class(*column, None), column.title()));
    let cells = |row: &&OwnedRow| {
        let cell = |column: &Field| {
            let text = Style::TEXT.text(*column, &row.row());
            (class(*column, Some(row.socket())), text)
        };
        columns.iter().map(cell).collect()
    };
    let lines = once(titles.collect()).chain(rows.iter().map(cells));
    table(page, " class=\"sockets\"", lines);
}

/// The class of a socket's cell, or of a title.
fn class(column: Field, socket: Option<&Socket>) -> &'static str {
    let is_full = |of: &Socket| {
        let waiting = of.recv_queue.filter(|_| of.state == State::Listen);
        waiting > Some(0) && waiting >= of.send_queue
    };
    match (column, socket) {
        (Field::State, Some(socket)) => socket.state.name(),
        (Field::RecvQueue, Some(socket)) if is_full(socket) => "number full",
        (Field::RecvQueue | Field::SendQueue, _) => "number",
        (Field::Processes, Some(_)) => "wide",
        _ => "",
    }
}

/// The counts of every protocol and state.
fn states(page: &mut String, totals: &Totals) {
    let titles = ["NETNS", "PROTO", "STATE", "TOTAL", "INET", "INET6"];
    let (shown, others) = totals.parts.split_at(totals.parts.len().min(LINES));
    let parts = shown.iter().map(|(netns, counts)| (escape(netns), counts));
    let all = once((text::ALL.into(), &totals.counts)).chain(parts);
    let lines = all.flat_map(|(netns, counts)| {
        let protocols = Protocol::ALL.into_iter();
        protocols.flat_map(move |protocol| text::of_protocol(&netns, counts, protocol, false))
    });
    let lines = once(titles.map(str::to_owned).to_vec()).chain(lines);
    // Without the name, if there is one namespace.
    let hidden = usize::from(totals.parts.is_empty());
    let classes = ["", "", "", "number", "number", "number"];
    let lines = lines.map(|line| classes.into_iter().zip(line).skip(hidden).collect());
    table(page, "", lines);
    if !others.is_empty() {
        let _ = writeln!(page, "<p>and {} more network namespaces</p>", others.len());
    }
}

/// The sources of the sockets.
fn sources(page: &mut String, summary: &Summary) {
    let titles = ["PROTO", "FAMILY", "SOURCE", "NETNS", "REASON"];
    let all = summary.sources.iter().map(|origin| {
        let name = |netns: &Network| escape(&netns.name).into_owned();
        [
            origin.table.protocol.name().to_owned(),
            origin.table.family.name().to_owned(),
            origin
                .source
                .map_or("not in this kernel", Source::name)
                .to_owned(),
            origin.netns.as_ref().map_or_else(|| "-".to_owned(), name),
            origin
                .reason
                .as_ref()
                .map_or_else(|| "-".to_owned(), ToString::to_string),
        ]
    });
    let lines = once(titles.map(str::to_owned)).chain(all.take(LINES));
    let more = summary.sources.len().saturating_sub(LINES);
    page.push_str("<details>\n<summary>Sources</summary>\n");
    table(
        page,
        "",
        lines.map(|line| line.map(|text| ("", text)).to_vec()),
    );
    if more > 0 {
        let _ = writeln!(page, "<p>and {more} more</p>");
    }
    page.push_str("</details>\n");
}
