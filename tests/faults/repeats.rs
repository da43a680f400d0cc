//! A dump that is disturbed is made again, three times, while nothing of it is shown.

use super::*;

/// One thread receives everything, so that calls can be counted.
const ONE_THREAD: &str = "?clone,?clone3:error=EAGAIN";
/// Of the list of the stage there are more datagrams than are received before the first is looked at.
const FIRST: u32 = 4;

/// What can happen to `recv`.
const FAULTS: [&str; 3] = ["error=ENOBUFS", "retval=0", "retval=40000"];

fn with_loss(fault: &str, calls: &str, arguments: &[&str]) -> Run {
    let loss = format!("recvfrom:{fault}:when={calls}");
    with_faults(&[ONE_THREAD, &loss], arguments)
}

#[test]
fn loss_within_the_first_datagrams_begins_a_long_dump_again() {
    let Some(stage) = Stage::new() else { return };
    for fault in FAULTS {
        for call in 1..=FIRST {
            let attempt = with_loss(fault, &call.to_string(), &LIST);
            assert_whole(&attempt, &stage, "netlink");
            assert_eq!(attempt.stderr, "", "{fault} {call}");
        }
    }
}

#[test]
fn loss_behind_them_is_told_where_rows_are_shown() {
    let Some(stage) = Stage::new() else { return };
    for call in [FIRST + 1, FIRST + 3] {
        let attempt = with_loss("error=ENOBUFS", &call.to_string(), &LIST);
        assert_incomplete(&attempt, &stage, "ENOBUFS");
        let rows = attempt.rows().len();
        assert!(rows > 0 && rows < stage.rows.len(), "{rows} rows");
    }
}

#[test]
fn loss_is_made_good_to_the_end_where_rows_are_held() {
    let Some(stage) = Stage::new() else { return };
    let sorted = [&LIST[..], &["--sort", "inode"]].concat();
    for call in [FIRST + 1, FIRST + 3] {
        let attempt = with_loss("error=ENOBUFS", &call.to_string(), &sorted);
        assert_whole(&attempt, &stage, "netlink");
        assert_eq!(attempt.stderr, "");
    }
    let rows = stage.rows.len();
    for (arguments, lines) in [
        // Titles, and the rows.
        (&["-tanim4O", "--format", "table"][..], rows + 1),
        (&["-tanim4", "--sort", "inode", "--limit", "10", "-HO"], 10),
        (&["-tim4O", "sport = 1"], 1),
    ] {
        let attempt = with_loss("error=ENOBUFS", "7", arguments);
        assert_eq!(attempt.status, Some(0), "{arguments:?}: {attempt:?}");
        let text = String::from_utf8_lossy(&attempt.stdout);
        assert_eq!(text.lines().count(), lines, "{arguments:?}: {attempt:?}");
    }
}

#[test]
fn sockets_of_a_dump_that_was_lost_are_counted_once() {
    let Some(stage) = Stage::new() else { return };
    // Counted are sockets, not what `-i` tells of them: there are fewer datagrams.
    let count = |attempt: &Run| attempt.document()["counts"][0]["states"].clone();
    let words = ["-stj4", "state", "established"];
    let undisturbed = lsock(words);
    for call in 1..=4 {
        let attempt = with_loss("error=ENOBUFS", &call.to_string(), &words);
        assert_eq!(attempt.status, Some(0), "{attempt:?}");
        assert_eq!(count(&attempt), count(&undisturbed), "{call}");
    }
    assert_eq!(count(&undisturbed)["ESTABLISHED"], stage.rows.len() - 1);
}

#[test]
fn three_repeats_are_made_and_no_more() {
    let Some(stage) = Stage::new() else { return };
    let whole = with_loss("error=ENOBUFS", "1..3", &LIST);
    assert_whole(&whole, &stage, "netlink");
    let lost = with_loss("error=ENOBUFS", "1..4", &LIST);
    assert_incomplete(&lost, &stage, "ENOBUFS");
    assert_eq!(lost.rows().len(), 0);
}

#[test]
fn recording_has_no_dump_that_was_begun_again() {
    let Some(stage) = Stage::new() else { return };
    let recording = crate::recording::file_of(b"");
    let path = recording.path().to_str().unwrap();
    let words = ["-tanj4", "--columns", COLUMNS, "-imD", path];
    let live = with_loss("error=ENOBUFS", "3", &words);
    assert_whole(&live, &stage, "netlink");
    let replayed = lsock(["-tanj4", "--columns", COLUMNS, "--replay", path]);
    assert_eq!((replayed.status, replayed.stderr.as_str()), (Some(0), ""));
    assert_same(&replayed.rows(), &stage.rows);
}

/// A few sockets: a dump of one datagram, with its end in another.
struct Few {
    rows: Vec<String>,
    /// The begin of the first message, as if the table had changed: length, type, flags.
    changed: String,
    _sockets: (OwnedFd, Vec<TcpStream>),
    _namespace: Namespace,
}

const FEW: [&str; 3] = ["-tanj4", "--columns", COLUMNS];
/// `NLM_F_DUMP_INTR` (`include/uapi/linux/netlink.h`), in the low byte of the flags.
const DUMP_INTR: u8 = 0x10;

impl Few {
    fn new() -> Option<Self> {
        let namespace = crate::support::fresh()?;
        if !can_strace() {
            return None;
        }
        let sockets = connections_of(3);
        let recording = crate::recording::file_of(b"");
        let path = recording.path().to_str().unwrap();
        let recorded = lsock([&FEW[..], &["-D", path]].concat());
        let bytes = std::fs::read(path).unwrap();
        let mut begin: [u8; 8] = bytes[..8].try_into().unwrap();
        begin[6] |= DUMP_INTR;
        Some(Self {
            rows: recorded.rows(),
            changed: format!("{:016x}", u64::from_be_bytes(begin)),
            _sockets: sockets,
            _namespace: namespace,
        })
    }

    /// So many dumps, one after another, say that the table changed.
    fn with_changes(&self, dumps: u32) -> Run {
        // Every other call has the end of a dump.
        let last = 2 * dumps - 1;
        let poke = format!("recvfrom:poke_exit=@arg2={}:when=1..{last}+2", self.changed);
        with_faults(&[&poke], &FEW)
    }
}

#[test]
fn table_that_changed_while_it_was_read_is_read_again() {
    let Some(few) = Few::new() else { return };
    for dumps in 1..=3 {
        let attempt = few.with_changes(dumps);
        assert_eq!((attempt.status, attempt.stderr.as_str()), (Some(0), ""));
        assert_eq!(attempt.rows(), few.rows, "{dumps}");
        assert_eq!(attempt.document()["summary"]["complete"], true, "{dumps}");
    }
}

#[test]
fn table_that_goes_on_changing_is_shown_and_told_of() {
    let Some(few) = Few::new() else { return };
    let attempt = few.with_changes(4);
    assert_eq!(attempt.status, Some(2), "{attempt:?}");
    let why = "the table changed while it was read (NLM_F_DUMP_INTR)\n";
    let message = format!("lsock: incomplete list: IPv4 TCP sockets: {why}");
    assert_eq!(attempt.stderr, message);
    assert_eq!(attempt.rows(), few.rows);
    assert_eq!(attempt.document()["summary"]["complete"], false);
}
