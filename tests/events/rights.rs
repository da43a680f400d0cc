//! With which rights steps are recorded, and what is said without them.

use serde_json::Value;

use super::watch::traced;
use crate::support::{LSOCK, command, has, is_from, run};

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
    }
}
