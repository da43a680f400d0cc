//! With which rights steps are recorded, and what is said without them.

use nix::libc;
use serde_json::Value;

use super::watch::traced;
use crate::support::{LSOCK, Run, command, has, is_from, run};

/// `CAP_SYS_ADMIN`, `CAP_SYS_RESOURCE`, `CAP_PERFMON` and `CAP_BPF` by number: not every `setpriv` knows their
/// names. Up to Linux 5.10 the first set is not enough: a map is locked memory, and its limit has to be lifted.
const PRIVILEGES: [(&[&str], bool); 7] = [
    (&["setpriv", "--bounding-set=-all,+cap_38,+cap_39"], true),
    (
        &["setpriv", "--bounding-set=-all,+cap_24,+cap_38,+cap_39"],
        true,
    ),
    (&["setpriv", "--bounding-set=-cap_38,-cap_39"], true),
    (&["setpriv", "--bounding-set=-cap_38,-cap_21"], false),
    (&["setpriv", "--bounding-set=-all,+cap_39"], false),
    (&["setpriv", "--bounding-set=-all"], false),
    (&["unshare", "-Ur"], false),
];

#[test]
fn steps_are_recorded_with_the_rights_for_it_and_sampled_without_which_is_said_once() {
    let Some(_namespace) = traced() else { return };
    if !has("setpriv") || !has("unshare") {
        return;
    }
    let privileges = PRIVILEGES.into_iter();
    for (words, is_recorded) in privileges.skip(usize::from(!is_from((5, 11)))) {
        assert_recorded(words, is_recorded);
    }
}

/// Does `lsock -E`, run by these words, have records, and does it say so if not?
fn assert_recorded(words: &[&str], is_recorded: bool) -> Run {
    let mut watch = command(words[0]);
    watch.args(&words[1..]);
    let run = run(watch.args([LSOCK, "-E", "--wait", "0", "--json"]));
    assert_eq!(run.status, Some(0), "{words:?}: {run:?}");
    let document = run.document();
    let is_sampled = Value::from(!is_recorded);
    assert_eq!(document["summary"]["sampled"], is_sampled, "{words:?}");
    let said = run.stderr.lines().filter(|line| line.contains("(sampled)"));
    assert_eq!(
        said.count(),
        usize::from(!is_recorded),
        "{words:?}: {run:?}"
    );
    run
}

/// Refuses a system call from now on, by number, with an error, by number; then runs what follows. The filter reads
/// the number of a call, and compares; `prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER)` installs it.
pub const REFUSE: &str = "
import ctypes, os, struct, sys
call, error = map(int, sys.argv[1:3])
steps = [(0x20, 0, 0, 0), (0x15, 0, 1, call), (6, 0, 0, 0x50000 | error), (6, 0, 0, 0x7fff0000)]
code = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *step) for step in steps))
program = ctypes.create_string_buffer(struct.pack('HP', len(steps), ctypes.addressof(code)))
assert ctypes.CDLL(None).prctl(22, ctypes.c_ulong(2), program) == 0
os.execv(sys.argv[3], sys.argv[3:])
";

#[test]
fn steps_are_sampled_where_a_sandbox_refuses_bpf_and_the_error_is_said() {
    let Some(_namespace) = traced() else { return };
    if !has("python3") {
        return;
    }
    let call = libc::SYS_bpf.to_string();
    for (error, text) in [
        (libc::EPERM, "operation not permitted"),
        (libc::ENOSYS, "function not implemented"),
    ] {
        let run = assert_recorded(&["python3", "-c", REFUSE, &call, &error.to_string()], false);
        assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
        assert!(run.stderr.contains(text), "{run:?}");
    }
}
