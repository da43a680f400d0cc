//! Tests of `--by pair`: drawings of scripted connections.

use super::events::{End, Told, assert_follows, layout, summary, usual};
use super::golden::compare_text;
use super::scene;
use super::{Page, envelope};
use crate::model::{Ending, OwnedRow, ProcessStatus, Row, State, Syn};
use crate::render::{Color, EventLayout, Format, Grouping, Signs, event_sink};

/// A connection over IPv4.
fn both() -> [End; 2] {
    [
        End::new(1, ("192.0.2.10", 51_234), ("192.0.2.1", Some(8_080))).held_by(b"curl"),
        End::new(2, ("192.0.2.1", 8_080), ("192.0.2.10", Some(51_234))).held_by(b"api"),
    ]
}

/// Events of client and server: microseconds, `c` or `s`, old and new state, ending.
fn told([client, server]: &[End; 2], lines: &str) -> Vec<Told> {
    let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| step([client, server], line)).collect()
}

fn step([client, server]: [&End; 2], line: &str) -> Told {
    let words: Vec<&str> = line.split(' ').collect();
    let [at, who, old, new] = words[..4] else {
        panic!("{line}");
    };
    let state = |name| State::from_name(name).unwrap();
    let end = if who == "c" { client } else { server };
    let old = (old != "?").then(|| state(old));
    let mut told = end.step(at.parse().unwrap(), old, state(new));
    for word in &words[4..] {
        told.event.ending = Some(match *word {
            "sampled" => {
                told.event.sampled = true;
                continue;
            }
            "no-syn" => {
                told.event.syn = Syn::MayWait;
                continue;
            }
            "refused" => Ending::Refused,
            "rejected" => Ending::Rejected,
            "timed-out" => Ending::TimedOut,
            "reset-by-peer" => Ending::ResetByPeer,
            "reset" => Ending::Reset,
            "aborted" => Ending::Aborted,
            "destroyed" => Ending::Destroyed,
            "not-accepted" => Ending::NotAccepted,
            other => panic!("{other}"),
        });
    }
    told
}

/// The output for these events, and the number of pairs; unwanted states are omitted.
fn written(
    format: Format,
    layout: EventLayout,
    told: &[Told],
    wanted: fn(&Told) -> bool,
) -> (String, Option<u64>) {
    let page = Page::default();
    let out = Box::new(page.clone());
    let layout = usual(format, layout);
    let mut sink = event_sink(format, Grouping::Pair, layout, &envelope(), out);
    for told in told {
        let row = Row {
            processes: told.processes.as_deref(),
            process_status: told.processes.as_ref().map(|_| ProcessStatus::Found),
            ..Row::bare(&told.event.socket)
        };
        let row = OwnedRow::keep(&row);
        sink.event(&told.event, &row.row(), wanted(told)).unwrap();
        if told.event.socket.state == State::TimeWait {
            sink.over(told.event.connection);
        }
        sink.flush().unwrap();
    }
    let count = sink.write_pairs().unwrap();
    sink.finish(&summary()).unwrap();
    (page.text(), count)
}

fn drawn(layout: EventLayout, told: &[Told]) -> String {
    written(Format::Table, layout, told, |_| true).0
}

const OPEN: &str = "
    0 c CLOSED SYN_SENT
    107 c SYN_SENT ESTABLISHED
    115 s LISTEN SYN_RCVD
    121 s SYN_RCVD ESTABLISHED
";

/// Every course of a connection, by name.
const LIVES: [(&str, bool, &str); 18] = [
    (
        "the client closes first, and each segment comes alone",
        true,
        "30569 c ESTABLISHED FIN_WAIT_1
         30616 s ESTABLISHED CLOSE_WAIT
         70979 c FIN_WAIT_1 FIN_WAIT_2
         81313 s CLOSE_WAIT LAST_ACK
         81393 c FIN_WAIT_2 TIME_WAIT
         81420 s LAST_ACK CLOSED",
    ),
    (
        "the server closes first, and its FIN is acknowledged with that of the client",
        true,
        "5000 s ESTABLISHED FIN_WAIT_1
         5010 c ESTABLISHED CLOSE_WAIT
         5030 c CLOSE_WAIT LAST_ACK
         5036 s FIN_WAIT_1 FIN_WAIT_2
         5037 s FIN_WAIT_2 TIME_WAIT
         5040 c LAST_ACK CLOSED",
    ),
    (
        "the step to TIME_WAIT is not recorded",
        true,
        "5000 c ESTABLISHED FIN_WAIT_1
         5010 s ESTABLISHED CLOSE_WAIT
         45000 c FIN_WAIT_1 FIN_WAIT_2
         1245000 s CLOSE_WAIT LAST_ACK
         1245010 s LAST_ACK CLOSED",
    ),
    (
        "half-closed until the watch ends",
        true,
        "5000 c ESTABLISHED FIN_WAIT_1
         5010 s ESTABLISHED CLOSE_WAIT
         45000 c FIN_WAIT_1 FIN_WAIT_2",
    ),
    (
        "both close at once",
        true,
        "5000 c ESTABLISHED FIN_WAIT_1
         5002 s ESTABLISHED FIN_WAIT_1
         5020 c FIN_WAIT_1 CLOSING
         5022 s FIN_WAIT_1 CLOSING
         5030 c CLOSING TIME_WAIT
         5032 s CLOSING TIME_WAIT",
    ),
    (
        "the client resets",
        true,
        "5000 c ESTABLISHED CLOSED aborted
         5009 s ESTABLISHED CLOSED reset-by-peer",
    ),
    (
        "the server resets what is half-closed",
        true,
        "5000 c ESTABLISHED FIN_WAIT_1
         5010 s ESTABLISHED CLOSE_WAIT
         5080 c FIN_WAIT_1 FIN_WAIT_2
         6000 s CLOSE_WAIT CLOSED aborted
         6004 c FIN_WAIT_2 CLOSED reset-by-peer",
    ),
    (
        "an administrator destroys one end, and the other hears of it first",
        true,
        "5000 s ESTABLISHED CLOSED reset-by-peer
         5004 c ESTABLISHED CLOSED destroyed",
    ),
    (
        "the client is gone before it is accepted, then the listener",
        true,
        "140 c ESTABLISHED FIN_WAIT_1
         144 s ESTABLISHED CLOSE_WAIT
         180 c FIN_WAIT_1 FIN_WAIT_2
         9000 s CLOSE_WAIT CLOSED not-accepted",
    ),
    (
        "the listener is closed before it accepts",
        true,
        "9000 s ESTABLISHED CLOSED not-accepted
         9016 c ESTABLISHED CLOSED reset-by-peer",
    ),
    (
        "refused",
        false,
        "0 c CLOSED SYN_SENT\n65 c SYN_SENT CLOSED refused",
    ),
    (
        "nobody answers",
        false,
        "0 c CLOSED SYN_SENT\n3100000 c SYN_SENT CLOSED timed-out",
    ),
    (
        "both open at once",
        false,
        "0 c CLOSED SYN_SENT
         1 s CLOSED SYN_SENT
         9 c SYN_SENT SYN_RCVD
         10 s SYN_SENT SYN_RCVD
         15 c SYN_RCVD ESTABLISHED
         16 s SYN_RCVD ESTABLISHED",
    ),
    (
        "with TCP Fast Open",
        false,
        "0 c CLOSED SYN_SENT no-syn
         20 s LISTEN SYN_RCVD
         31 c SYN_SENT ESTABLISHED
         36 s SYN_RCVD ESTABLISHED",
    ),
    (
        "with TCP Fast Open and no cookie yet",
        false,
        "0 c CLOSED SYN_SENT no-syn
         200 c SYN_SENT ESTABLISHED
         210 s LISTEN SYN_RCVD
         215 s SYN_RCVD ESTABLISHED",
    ),
    (
        "a firewall refuses",
        false,
        "0 c CLOSED SYN_SENT
         22 c SYN_SENT CLOSED rejected",
    ),
    (
        "MPTCP, whose listener tells no SYN_RCVD, and is first",
        false,
        "0 c CLOSED SYN_SENT
         71 s LISTEN ESTABLISHED
         78 c SYN_SENT ESTABLISHED",
    ),
    (
        "from before the watch, and looked at now and then",
        false,
        "0 s ESTABLISHED FIN_WAIT_1 sampled
         0 c ESTABLISHED CLOSE_WAIT sampled
         70000 c ? CLOSED sampled",
    ),
];

fn life(is_opened: bool, lines: &str) -> Vec<Told> {
    let begin = if is_opened { OPEN } else { "" };
    told(&both(), &format!("{begin}{lines}"))
}

/// The drawings of all connections, below their names.
fn all(layout: &EventLayout) -> String {
    let drawings = LIVES.map(|(name, is_opened, lines)| {
        let drawing = drawn(layout.clone(), &life(is_opened, lines));
        format!("# {name}\n{drawing}\n")
    });
    drawings.concat()
}

#[test]
fn every_life_is_drawn() {
    let found = all(&layout());
    compare_text("pairs.txt", &found);
    for line in found.lines().filter(|line| !line.starts_with('#')) {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn every_life_is_drawn_in_ascii() {
    let ascii = EventLayout {
        signs: Signs::Ascii,
        ..layout()
    };
    let found = all(&ascii);
    assert!(found.is_ascii(), "{found}");
    compare_text("pairs-ascii.txt", &found);
    let (_, is_opened, lines) = LIVES[0];
    let (plain, _) = written(Format::Plain, layout(), &life(is_opened, lines), |_| true);
    assert!(
        plain.is_ascii() && plain.contains("-------- SYN -------->"),
        "{plain}"
    );
}

#[test]
fn every_arrow_is_in_the_page_too() {
    for (_, is_opened, lines) in LIVES {
        let told = life(is_opened, lines);
        let [plain, page] = [Format::Plain, Format::Html]
            .map(|format| written(format, layout(), &told, |_| true).0);
        let is_arrow = |line: &&str| {
            ["->", "<-", ".>", "<."]
                .iter()
                .any(|tip| line.contains(tip))
        };
        let arrows = plain.lines().filter(is_arrow).count();
        assert_eq!(page.matches("class=\"tip\"").count(), arrows, "{plain}");
        let resets = plain.matches("- RST -").count();
        assert_eq!(page.matches("<text class=\"arrow rst\"").count(), resets);
    }
}

#[test]
fn a_page_has_a_limited_number_of_connections_and_says_so() {
    let (_, is_opened, lines) = LIVES[10];
    let mut told = Vec::new();
    for _ in 0..503 {
        told.extend(life(is_opened, lines));
    }
    for (most_pairs, drawn) in [(None, 500), (Some(2), 2), (Some(502), 502)] {
        let layout = EventLayout {
            most_pairs,
            ..layout()
        };
        let (page, _) = written(Format::Html, layout, &told, |_| true);
        assert_eq!(page.matches("<figure>").count(), drawn);
        let note = "<p class=\"limit\">The first 500 of 503 connections are drawn, unless --limit says otherwise.</p>";
        assert_eq!(page.contains(note), most_pairs.is_none());
    }
}

#[test]
fn owners_and_resets_have_their_colours() {
    let colour = EventLayout {
        color: Color::Always,
        ..layout()
    };
    let (_, is_opened, lines) = LIVES[5];
    compare_text("pairs-colour.txt", &drawn(colour, &life(is_opened, lines)));
}

#[test]
fn records() {
    let mut told = life(true, LIVES[0].2);
    told.extend(life(false, LIVES[10].2));
    // A connection whose start was not seen.
    told.extend(self::told(&both(), "9 s ESTABLISHED CLOSED reset-by-peer"));
    let (json, count) = written(Format::Json, layout(), &told, |_| true);
    compare_text("pairs.json", &json);
    assert_eq!(count, Some(3));
    let (ndjson, _) = written(Format::Ndjson, layout(), &told, |_| true);
    compare_text("pairs.ndjson", &ndjson);
    assert_follows(&json, &ndjson, "pair", "pairs");
}

/// `client`, `server` and the number of `ends` of each pair.
fn roles(told: &[Told], wanted: fn(&Told) -> bool) -> Vec<(bool, bool, usize)> {
    let (lines, _) = written(Format::Ndjson, layout(), told, wanted);
    let lines = lines.lines().map(|line| {
        let pair: serde_json::Value = serde_json::from_str(line).unwrap();
        let ends = pair["ends"].as_array().unwrap().len();
        (pair["client"].is_object(), pair["server"].is_object(), ends)
    });
    lines.collect()
}

#[test]
fn mapped_addresses_are_those_of_ipv4() {
    let [client, _] = both();
    let peer = ("::ffff:192.0.2.10", Some(51_234));
    let server = End::new(2, ("::ffff:192.0.2.1", 8_080), peer);
    let told = told(&[client, server], OPEN);
    assert_eq!(roles(&told, |_| true), [(true, true, 0)]);
}

#[test]
fn both_sides_of_a_transparent_proxy_are_two_connections() {
    let lines = "
        0 s LISTEN SYN_RCVD
        5 s SYN_RCVD ESTABLISHED
        90 c CLOSED SYN_SENT
        99 c SYN_SENT ESTABLISHED
        200 c ESTABLISHED FIN_WAIT_1";
    let told = told(&both(), lines);
    assert_eq!(roles(&told, |_| true), [(true, false, 0), (false, true, 0)]);
}

#[test]
fn ports_that_are_used_again_are_another_pair() {
    let lines = LIVES[0].2;
    let mut told = life(true, lines);
    let [client, server] = both();
    let again = [client.again(3), server.again(4)];
    told.extend(self::told(&again, &format!("{OPEN}{lines}")));
    assert_eq!(roles(&told, |_| true), [(true, true, 0), (true, true, 0)]);
}

#[test]
fn client_whose_port_is_known_last_is_the_other_end() {
    let mut told = told(
        &both(),
        "0 c CLOSED SYN_SENT no-syn
         20 s LISTEN SYN_RCVD
         31 c SYN_SENT ESTABLISHED",
    );
    told[0].event.socket.local.port = None;
    assert_eq!(roles(&told, |_| true), [(true, true, 0)]);
}

#[test]
fn socket_that_is_connected_to_itself_is_both_ends() {
    let itself = || End::new(1, ("127.0.0.1", 40_000), ("127.0.0.1", Some(40_000)));
    let lines = "
        0 c CLOSED SYN_SENT
        4 c SYN_SENT SYN_RCVD
        9 c SYN_RCVD ESTABLISHED
        70 c ESTABLISHED FIN_WAIT_1
        75 c FIN_WAIT_1 CLOSING
        79 c CLOSING TIME_WAIT";
    let told = told(&[itself(), itself()], lines);
    assert_eq!(roles(&told, |_| true), [(true, true, 0)]);
    let drawing = drawn(layout(), &told);
    assert!(drawing.contains("itself 127.0.0.1:40000"), "{drawing}");
}

#[test]
fn listener_is_no_end() {
    let told = told(&both(), "0 s CLOSED LISTEN\n9 s LISTEN CLOSED");
    assert_eq!(roles(&told, |_| true), []);
}

#[test]
fn pair_is_shown_whole_where_one_step_of_one_end_is_wanted() {
    let told = life(true, LIVES[0].2);
    let (all, _) = written(Format::Table, layout(), &told, |_| true);
    let in_close_wait = |told: &Told| told.event.socket.state == State::CloseWait;
    let (some, count) = written(Format::Table, layout(), &told, in_close_wait);
    assert_eq!((some, count), (all, Some(1)));
    let (none, count) = written(Format::Table, layout(), &told, |_| false);
    assert_eq!((none.as_str(), count), ("", Some(0)));
}

#[test]
fn no_more_pairs_are_written_than_the_limit_says() {
    let limited = EventLayout {
        most_pairs: Some(1),
        ..layout()
    };
    let mut told = life(false, LIVES[10].2);
    told.extend(life(true, ""));
    let (text, count) = written(Format::Table, limited, &told, |_| true);
    assert_eq!(count, Some(1));
    assert!(
        text.contains("RST") && !text.contains("ESTABLISHED"),
        "{text}"
    );
}

#[test]
fn long_owners_and_addresses_are_folded() {
    let address = "2001:db8:1111:2222:3333:4444:5555:6666";
    let other = "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff";
    let client = End::new(1, (address, 51_234), (other, Some(8_080))).held_by(scene::HOSTILE);
    let mut server = End::new(2, (other, 8_080), (address, Some(51_234)));
    let workers = (0..12).map(|worker| scene::process(4_194_000 + worker, b"nginx", &[]));
    server.processes = Some(workers.collect());
    let found = drawn(layout(), &told(&[client, server], OPEN));
    compare_text("pairs-folded.txt", &found);
    for line in found.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}
