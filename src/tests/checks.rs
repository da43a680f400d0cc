//! `-q`, `--expect` and `--strict`: every answer, its exit status and its words.

use super::*;

const COUNTS: [&str; 9] = ["0", "1", "3", "0..", "1..", "3..", "..0", "..2", "1..2"];
/// More than any count names.
const MANY: u64 = 9;

/// The exit status if the true number may be any of these.
fn status(count: &str, mut numbers: impl Iterator<Item = u64> + Clone) -> u8 {
    let expected = Count::parse(count).unwrap();
    match (
        numbers.clone().all(|number| expected.holds(number)),
        numbers.any(|number| expected.holds(number)),
    ) {
        (true, _) => 0,
        (false, true) => 2,
        (false, false) => 1,
    }
}

/// So many listeners, of a list that is whole or not.
fn some(count: u16, is_complete: bool) -> Look {
    let look = look(listeners(count));
    if is_complete {
        look
    } else {
        look.fails(TCP6, || Error::NotInProc(TCP6))
    }
}

#[test]
fn status_of_every_count_over_whole_and_incomplete_lists() {
    for count in COUNTS {
        for (found, is_complete) in (0..5).flat_map(|found| [(found, true), (found, false)]) {
            let certain = u64::from(found);
            let most = if is_complete { certain } else { MANY };
            let status = status(count, certain..=most);
            let prefix = match status {
                0 => "",
                1 => "lsock: expected ",
                _ => "lsock: undecided: expected ",
            };
            let quiet = list(&["-tlnq", "--expect", count], some(found, is_complete));
            let what = format!("{count}: {found}, complete: {is_complete}: {quiet:?}");
            assert_eq!(quiet.status(), status, "{what}");
            assert_eq!(quiet.messages.is_empty(), status != 2, "{what}");
            assert_eq!(quiet.out, "", "{what}");
            let shown = list(&["-tlnH", "--expect", count], some(found, is_complete));
            assert_eq!(shown.lines(), usize::from(found), "{what}");
            let last = shown.messages.lines().last().unwrap_or_default();
            if is_complete {
                assert_eq!(shown.status(), status, "{what}");
                assert_eq!(shown.messages.lines().count(), usize::from(status != 0));
            } else {
                assert_eq!(
                    shown.status(),
                    2,
                    "a list that is shown must be whole: {what}"
                );
            }
            if status != 0 {
                assert!(last.starts_with(prefix), "{what}: {last}");
            }
        }
    }
}

#[test]
fn check_that_fails_says_what_was_expected() {
    for (words, expected) in [
        (&["-tln", "--expect", "0"][..], "no TCP listener, found 2"),
        (
            &["-tln4", "--expect", "1"],
            "exactly 1 IPv4 TCP listener, found 2",
        ),
        (
            &["-tn", "--expect", "1.."],
            "at least 1 connected TCP socket, found none",
        ),
        (&["-tan", "--expect", "3..4"], "3 to 4 TCP sockets, found 2"),
        (
            &["-ln", "--expect", "..0", "sport = 1"],
            "no listener where sport = 1, found 1",
        ),
    ] {
        let run = list(words, look(listeners(2)));
        let message = format!("lsock: expected {expected}\n");
        assert_eq!(run.told(), (1, message.as_str()));
    }
}

#[test]
fn sockets_that_cannot_be_told_are_counted_by_themselves() {
    let mut marked = listener(80);
    marked.mark = Some(7);
    let words = ["-tln", "--expect", "2", "mark = 7"];
    let run = list(&words, look([marked, listener(81), listener(82)]));
    assert_eq!(run.status(), 2);
    let last = run.messages.lines().last();
    let message = "lsock: undecided: expected exactly 2 TCP listeners where mark = 0x7, \
                   found 1; 2 sockets could not be checked";
    assert_eq!(last, Some(message));
}

#[test]
fn quiet_ends_with_the_first_match_and_asks_no_other_table() {
    let look = look(listeners(2)).fails(TCP6, || Error::Usage("not so".to_owned()));
    assert_eq!(list(&["-tlnq"], look).told(), (0, ""));
}

#[test]
fn disturbed_dump_is_counted_once() {
    for behind in 0..=3 {
        let disturbed = || look(listeners(3)).disturbed(TCP, behind);
        let quiet = list(&["-tlnq", "--expect", "3"], disturbed());
        assert_eq!(quiet.told(), (0, ""), "{behind}");
        let sorted = list(&["-tlnH", "--sort", "inode", "--expect", "3"], disturbed());
        assert_eq!((sorted.told(), sorted.lines()), ((0, ""), 3), "{behind}");
    }
}

#[test]
fn limit_shows_fewer_and_all_are_counted() {
    for (count, status) in [("3", 0), ("2", 1), ("4", 1)] {
        for more in [&[][..], &["--sort", "local_port"]] {
            let words = ["-tlnH", "--limit", "2", "--expect", count];
            let run = list(&[&words, more].concat(), look(listeners(3)));
            assert_eq!((run.status(), run.lines()), (status, 2), "{count}");
        }
    }
}

/// Nothing can be found out about processes below this folder.
fn with_owners(words: &[&str]) -> Run {
    let folder = tempfile::TempDir::new().unwrap();
    let root = folder.path().join("gone");
    let mut query = query(words);
    query.lookups.owners = Some(root.clone());
    query.input = Input::Procfs(root);
    let mut socket = listener(80);
    socket.inode = Some(31_337);
    list_once(&Page::default(), &query, look([socket]))
}

#[test]
fn owners_that_nobody_could_read_make_the_list_incomplete() {
    for words in [&["-tlnpH"][..], &["-tlnpH", "--strict"]] {
        let run = with_owners(words);
        assert_eq!((run.status(), run.lines()), (2, 1));
        let gap = run.messages.strip_prefix("lsock: incomplete list: ");
        assert_eq!(gap.map(|gap| gap.lines().count()), Some(1), "{run:?}");
    }
    assert!(with_owners(&["-tlnpj"]).out.contains("\"complete\":false"));
}

#[test]
fn strict_is_nothing_to_lists_without_owners() {
    assert_eq!(
        list(&["-tlnH", "--strict"], look(listeners(1))).told(),
        (0, "")
    );
}

/// Without `--strict`, `-q` asks for an answer, and a list that is shown must be whole; with it the list
/// counts, shown or not.
#[test]
fn strict_check_ends_alike_with_and_without_quiet() {
    let whole = || look(listeners(2));
    let cut = || some(2, false);
    // By `--expect`: the status of a list that is shown, with `-q`, and with `--strict` either way.
    for (count, of_whole, of_cut) in [
        ("2", [0, 0, 0], [2, 2, 2]),
        ("1..", [0, 0, 0], [2, 0, 2]),
        ("0", [1, 1, 1], [2, 1, 2]),
        ("3..", [1, 1, 1], [2, 2, 2]),
    ] {
        let statuses = |look: &dyn Fn() -> Look, wait: &[&str]| {
            let options: [&[&str]; 4] = [&[], &["-q"], &["--strict"], &["-q", "--strict"]];
            let statuses = options.map(|options| {
                let words = [&["-tlnH", "--expect", count][..], options, wait].concat();
                let run = if wait.is_empty() {
                    list(&words, look())
                } else {
                    super::wait(&words, &[look()]).0
                };
                assert!(!options.contains(&"-q") || run.out.is_empty(), "{run:?}");
                run.status()
            });
            let [shown, quiet, strict, both] = statuses;
            assert_eq!(strict, both, "--expect {count} {wait:?}");
            [shown, quiet, both]
        };
        assert_eq!(statuses(&whole, &[]), of_whole, "--expect {count}");
        assert_eq!(statuses(&cut, &[]), of_cut, "--expect {count}");
        assert_eq!(statuses(&whole, &["--wait", "0"]), of_whole, "{count}");
        statuses(&cut, &["--wait", "0"]);
    }
    let of = |options: &[&str]| {
        let words = [&["-tlnpH", "--expect", "1"], options].concat();
        with_owners(&words).status()
    };
    assert_eq!(of(&["--strict"]), 2);
    assert_eq!(of(&["--strict", "-q"]), 2);
    assert_eq!(of(&["-q"]), 0, "owners are nothing to this answer");
}

#[test]
fn strict_leaves_a_check_that_fails_no_certain_answer() {
    let run = with_owners(&["-tlnpq", "--strict", "--expect", "0"]);
    assert_eq!((run.status(), run.out.as_str()), (2, ""));
    let run = with_owners(&["-tlnpq", "--expect", "0", "process = api"]);
    assert_eq!(run.status(), 2);
    assert!(run.messages.contains("lsock: undecided: "), "{run:?}");
}
