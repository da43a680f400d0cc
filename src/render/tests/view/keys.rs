//! Tests of keys in the view: selection, search, and lines in place of the list.

use super::*;

/// The selected row: its line on the screen, and its port.
fn selected(glass: &Glass) -> Option<(usize, String)> {
    let text = glass.text();
    let mut lines = text.lines().enumerate();
    let (place, line) = lines.find(|(_, line)| line.chars().nth(1) == Some('>'))?;
    let (_, end) = line.split_once("127.0.0.1:")?;
    Some((place - 4, end.split(' ').next()?.to_owned()))
}

#[test]
fn a_row_is_selected_and_stays_on_the_screen() {
    let list = connections(100);
    let page = page(&list);
    let mut view = view(table(&[]));
    let mut glass = Glass::new(80, 15);
    let mut see = |view: &mut View, keys: &[Input]| {
        for key in keys {
            view.key(*key);
        }
        glass.show(&view.draw(&page, [80, 15]));
        selected(&glass)
    };
    let is = |place, port: u32| Some((place, port.to_string()));
    assert_eq!(see(&mut view, &[]), None);
    // The first key shows the selection.
    assert_eq!(see(&mut view, &[Input::Down]), is(0, 1));
    assert_eq!(see(&mut view, &[Input::Down; 2]), is(2, 3));
    assert_eq!(see(&mut view, &[Input::Down; 8]), is(9, 11));
    assert_eq!(see(&mut view, &[Input::PageDown]), is(9, 21));
    assert_eq!(see(&mut view, &[Input::WheelDown]), is(6, 21));
    // The wheel has moved it out of view.
    assert_eq!(see(&mut view, &[Input::WheelDown; 3]), is(0, 24));
    assert_eq!(see(&mut view, &[Input::Up]), is(0, 23));
    assert_eq!(see(&mut view, &[Input::Last]), is(9, 100));
    assert_eq!(see(&mut view, &[Input::First]), is(0, 1));
    let short = Page {
        rows: list[..3].to_vec(),
        ..page.clone()
    };
    view.key(Input::Last);
    glass.show(&view.draw(&short, [80, 15]));
    assert_eq!(selected(&glass), is(2, 3));
}

#[test]
fn a_selected_row_is_marked_with_and_without_colours() {
    let mut layout = table(&[]);
    layout.color = Color::Always;
    let list = connections(2);
    let mut view = view(layout);
    view.select(Some(1));
    let frame = view.draw(&page(&list), [80, 15]);
    let frame = String::from_utf8(frame).unwrap();
    assert!(frame.contains("\u{1b}[7m >tcp "), "{frame:?}");
}

#[test]
fn a_text_is_found_in_either_direction_and_in_any_case() {
    let mut list = connections(30);
    for row in [3, 20] {
        let mut socket = inet(Protocol::Tcp, ("127.0.0.1", 7), ("127.0.0.1", None));
        socket.state = State::Listen;
        list[row] = changed(OwnedRow::keep(&Row::bare(&socket)), Change::None);
    }
    let page = page(&list);
    let mut view = view(table(&[]));
    for (find, at) in [
        (Find::Here, 3),
        (Find::Here, 3),
        (Find::Next, 20),
        (Find::Next, 3),
        (Find::Previous, 20),
        (Find::Previous, 3),
    ] {
        assert!(view.find(&page, "lIsTen", find));
        assert_eq!(view.selected(), Some(at), "{find:?}");
    }
    assert!(!view.find(&page, "close_wait", Find::Next));
    assert_eq!(view.selected(), Some(3));
    // The mark of a state is not text.
    assert!(view.find(&page, "established", Find::Here));
    let none = Page {
        rows: Vec::new(),
        ..page
    };
    assert!(!view.find(&none, "listen", Find::Next));
}

#[test]
fn keys_fit_the_smallest_usual_screen() {
    let list = connections(100);
    let page = Page {
        aside: Some(Aside::Keys),
        ..page(&list)
    };
    let text = shown(table(&[]), &page, 80, 24).text();
    assert!(text.contains("\nq, Ctrl-C "), "{text}");
    assert!(text.contains("\nCtrl-L, Ctrl-Z "), "{text}");
    assert!(!text.contains('…') && !text.contains("tcp"), "{text}");
}

#[test]
fn details_of_a_listener_leave_out_its_backlog_among_segments() {
    for (state, is_shown) in [(State::Listen, false), (State::Established, true)] {
        let mut socket = inet(Protocol::Tcp, ("127.0.0.1", 80), ("0.0.0.0", None));
        socket.state = state;
        let mut info = vec![0; 232];
        // `tcpi_unacked` and `tcpi_sacked`; `tcpi_rcv_mss` before them.
        (info[20], info[24], info[28]) = (9, 5, 128);
        socket
            .details_mut()
            .set_info(crate::model::Structure::TcpInfo, &info);
        let aside = Some(Aside::Socket {
            row: Arc::new(OwnedRow::keep(&Row::bare(&socket))),
            is_gone: false,
            other: None,
            columns: Format::Json.columns(Extras::default()),
        });
        let page = Page { aside, ..page(&[]) };
        let text = shown(table(&[]), &page, 100, 200).text();
        assert!(text.contains("rcv_mss:9"), "{text}");
        assert_eq!(text.contains("unacked:5 sacked:128"), is_shown, "{text}");
    }
}

#[test]
fn all_about_a_socket_has_its_fields_its_other_end_and_its_state() {
    let row = |ends: [(&str, u32); 2], state| {
        let mut socket = inet(Protocol::Tcp, ends[0], (ends[1].0, Some(ends[1].1)));
        socket.state = state;
        let owners = [process(7, HOSTILE, &[3])];
        let row = Row {
            processes: Some(&owners),
            process_status: Some(ProcessStatus::Found),
            ..Row::bare(&socket)
        };
        Arc::new(OwnedRow::keep(&row))
    };
    let ends = [("127.0.0.1", 80), ("127.0.0.1", 4_000)];
    let aside = |is_gone| Aside::Socket {
        row: row(ends, State::CloseWait),
        is_gone,
        other: Some(row([ends[1], ends[0]], State::FinWait2)),
        columns: Format::Json.columns(Extras::default()),
    };
    let mut color = table(&[]);
    color.color = Color::Always;
    for (is_gone, gone) in [(false, ""), (true, "  (gone)")] {
        let page = Page {
            aside: Some(aside(is_gone)),
            ..page(&[])
        };
        let text = shown(color.clone(), &page, 100, 200).text();
        let title = format!("\ntcp CLOSE_WAIT 127.0.0.1:80 127.0.0.1:4000{gone}\n");
        assert!(text.contains(&title), "{text}");
        for part in [
            "\nlocal_port          80\n",
            "\nprocess_status      found\n",
            "\\x1b]52;c;aGk=\\x07",
            "\nThe other end\nstate               FIN_WAIT_2\n",
            "\nCLOSE_WAIT\n\nMeaning\n",
            "\nHow long\n",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        // A name that was not looked up is neither zero nor a dash.
        assert!(!text.contains("\nuser "), "{text}");
        for width in 1..130 {
            shown(color.clone(), &page, width, 12);
        }
    }
}

#[test]
fn what_stands_in_the_place_of_the_list_scrolls_by_itself() {
    let lines: Vec<String> = (0..50).map(|line| format!("line {line}")).collect();
    let text = lines.join("\n");
    let list = connections(100);
    let beside = Page {
        aside: Some(Aside::Groups { by: "state", text }),
        ..page(&list)
    };
    let page = page(&list);
    let mut view = view(table(&[]));
    let mut glass = Glass::new(80, 15);
    view.key(Input::PageDown);
    glass.show(&view.draw(&page, [80, 15]));
    view.key(Input::WheelDown);
    glass.show(&view.draw(&page, [80, 15]));
    let list = glass.line(14);
    glass.show(&view.draw(&beside, [80, 15]));
    assert!(glass.line(0).ends_with("by: state"), "{}", glass.text());
    assert_eq!(
        (glass.line(1), glass.line(2)),
        ("line 0".to_owned(), "line 1".to_owned())
    );
    view.key(Input::Down);
    view.key(Input::PageDown);
    glass.show(&view.draw(&beside, [80, 15]));
    // The title stays.
    assert_eq!(
        (glass.line(1), glass.line(2)),
        ("line 0".to_owned(), "line 14".to_owned())
    );
    assert!(glass.line(14).ends_with("14-25 of 49"), "{}", glass.text());
    glass.show(&view.draw(&page, [80, 15]));
    assert_eq!(glass.line(14), list);
    glass.show(&view.draw(&beside, [80, 15]));
    assert_eq!(glass.line(2), "line 1");
}

#[test]
fn a_filter_is_written_at_the_bottom_and_what_is_wrong_above_it() {
    let list = connections(30);
    let text = "sport >= )";
    let error = "filter: expected a port after \">=\", found \")\"\n  sport >= )\n           ^";
    let page = Page {
        prompt: Some(prompt(text, 8, Some(error))),
        ..page(&list)
    };
    let glass = shown(table(&[]), &page, 80, 12);
    let lines: Vec<String> = (8..12).map(|line| glass.line(line)).collect();
    assert_eq!(lines[..3].join("\n"), error);
    assert!(lines[3].starts_with("/sport >= )  "), "{lines:?}");
    assert_eq!(glass.cursor, Some((11, 9)));
}
