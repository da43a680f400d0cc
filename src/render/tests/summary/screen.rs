//! Tests of `-s` on screens of several heights.

use super::super::{Page, envelope, feed, layout};
use super::{findings, found, rows, summary};
use crate::model::Finding;
use crate::render::{Counted, Format, Layout, Summing};

/// The output for this many findings on a screen of 80 columns.
fn on_screen(found_here: &[Finding], height: Option<u16>, counted: Counted) -> String {
    let layout = Layout {
        width: Some(80),
        height,
        counted,
        ..layout(Format::Table, &[])
    };
    let page = Page::default();
    let mut sink = Summing::new(
        Format::Table,
        layout,
        None,
        envelope(),
        Box::new(page.clone()),
    );
    sink.tell(found(found_here.to_vec()));
    let rows = rows();
    feed(&mut sink, &rows, &summary(&rows)).unwrap();
    page.text()
}

#[test]
fn any_number_of_findings_fits_24_lines_and_none_is_left_out_silently() {
    let [severe, ..] = &findings()[..] else {
        return;
    };
    let fact = "critical api[812] holds 1640 connections in CLOSE_WAIT:";
    for count in 0..30 {
        let here = vec![severe.clone(); count];
        let text = on_screen(&here, Some(24), Counted::Whole);
        assert!(text.lines().count() < 24, "{text}");
        assert!(
            text.starts_with("CLOSED ─") || text.starts_with("CLOSED -"),
            "{text}"
        );
        let shown = text.matches(fact).count();
        assert!(shown >= count.min(2), "{text}");
        let last = text.lines().last().unwrap();
        let more = match count - shown {
            0 => String::new(),
            1 => "1 finding, ".to_owned(),
            more => format!("{more} findings, "),
        };
        assert!(
            last.starts_with(&format!("Not shown: {more}")) && last.ends_with(" (append | less)"),
            "{text}"
        );
        // Remedies, too.
        assert_eq!(
            last.contains("remedies"),
            !text.contains("reads its end.") && count > 0,
            "{text}"
        );
        assert!(
            text.contains("\nlisteners  5; fullest") || text.contains(" SEND_Q LISTENER "),
            "{text}"
        );
    }
}

#[test]
fn a_tall_screen_and_no_screen_have_everything() {
    let whole = on_screen(&findings(), None, Counted::Whole);
    for height in [41, 42, 60, 200] {
        assert_eq!(on_screen(&findings(), Some(height), Counted::Whole), whole);
    }
    assert!(on_screen(&findings(), Some(40), Counted::Whole).contains("\nand 2 more\n"));
}

#[test]
fn a_low_dashboard_has_a_finding_and_everything_below() {
    for height in 6..24 {
        let text = on_screen(&findings(), Some(height), Counted::Compared);
        let seen: Vec<&str> = text.lines().take(usize::from(height) - 1).collect();
        assert!(
            seen.iter()
                .any(|line| line.starts_with("critical api[812]")),
            "{text}"
        );
        assert!(
            seen[0].starts_with("tcp  ") || seen[0].starts_with("CLOSED "),
            "{text}"
        );
        let below: Vec<&str> = text.lines().skip(seen.len()).collect();
        assert!(
            below
                .join("\n")
                .contains("lsock -ap 'inode = 1 or inode = 2'"),
            "{text}"
        );
        assert!(
            text.contains("\nNot shown: ") && text.contains(" (scroll down)\n"),
            "{text}"
        );
    }
}
