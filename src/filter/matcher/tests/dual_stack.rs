//! Tests of `::` as an address that includes IPv4.

use super::{host, of, table, tcp6};
use crate::filter::{Decision, Expr, Test};
use crate::model::{Row, Socket, Source, State};

#[test]
fn every_address_of_both_versions_is_that_of_ipv4_too() {
    let mut listener = tcp6("::");
    (listener.state, listener.v6only) = (State::Listen, Some(false));
    for (any, length) in [("0.0.0.0", 32), ("0.0.0.0", 0), ("::", 128)] {
        assert!(of(&host(true, any, length), &listener), "{any}/{length}");
        assert!(!of(&host(false, any, length), &listener), "{any}/{length}");
    }
    assert!(!of(&host(true, "127.0.0.1", 32), &listener));
    assert!(of(&host(false, "10.0.0.0", 8), &listener));
    listener.v6only = Some(true);
    assert!(!of(&host(true, "0.0.0.0", 0), &listener));
    assert!(of(&host(false, "0.0.0.0", 0), &listener));
    assert!(of(&host(true, "::", 128), &listener));
    // Another local address needs no `v6only`.
    listener.v6only = None;
    listener.local.ip = Some("::1".parse().unwrap());
    assert!(of(&host(false, "0.0.0.0", 0), &listener));
    let decide = |test: Test, socket: &Socket| {
        let rule = Expr::Test(test).for_table(table(socket));
        rule.decide(&Row::bare(socket), &mut |_| false)
    };
    listener.local.ip = Some("::".parse().unwrap());
    listener.source = Source::Procfs;
    for equal in [true, false] {
        let decision = decide(host(equal, "0.0.0.0", 0), &listener);
        assert!(
            matches!(decision, Decision::CannotTell { .. }),
            "{decision:?}"
        );
    }
}
