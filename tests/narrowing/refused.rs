//! Programs that the kernel does not take.

use std::thread;

use lsock::filter::{Check, Expr, Field, Narrow, Op, Operand, Operation, Prefix, Side};
use lsock::model::Source as Kind;
use lsock::source::{AutoSource, NetlinkSource, ProcfsSource, Recorder, Source};
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

use super::{TCP, identity, visit, whole};
use crate::support::stage;

/// Reads a table without `CAP_NET_ADMIN` and compares it with the whole.
fn assert_whole(source: &mut dyn Source, narrow: Narrow) {
    let all = whole(TCP);
    let (rows, outcome) = visit(source, TCP, narrow);
    assert!(outcome.refused_program);
    assert_eq!(
        (outcome.source, outcome.reason),
        (Some(Kind::Netlink), None)
    );
    assert_eq!(outcome.warnings, []);
    let rows: Vec<_> = rows.iter().map(identity).collect();
    assert_eq!(rows, all.iter().map(identity).collect::<Vec<_>>());
}

/// Takes a right away from the current thread.
fn renounce(right: CapabilitySet) {
    let mut rights = capabilities(None).unwrap();
    rights.effective.remove(right);
    set_capabilities(None, rights).unwrap();
}

fn sources() -> [Box<dyn Source>; 2] {
    let netlink = || NetlinkSource::new(Recorder::default());
    let procfs = ProcfsSource::new("/proc/thread-self", Recorder::default());
    [
        Box::new(netlink()),
        Box::new(AutoSource::new(Box::new(netlink()), procfs)),
    ]
}

#[test]
fn refused_mark_is_left_to_user_space() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let marked = Expr::field(
        Field::Mark,
        Op::Equal,
        Operand::Masked {
            value: 5,
            mask: u32::MAX,
        },
    );
    let narrow = Narrow::of(&marked.for_table(TCP));
    assert_eq!(narrow.bytecode().len(), 12);
    // A thread is born into the namespace of the one that starts it.
    thread::scope(|scope| {
        scope.spawn(|| {
            renounce(CapabilitySet::NET_ADMIN);
            for mut source in sources() {
                assert_whole(source.as_mut(), narrow.clone());
            }
        });
    });
}

#[test]
fn refused_bytes_are_no_reason_to_change_the_source() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    // A prefix longer than its address, and jumps to themselves, at the begin and behind a test.
    let address = [127, 0, 0, 1].into();
    let long = Prefix {
        address,
        length: 33,
    };
    let port = Check::PortAtLeast(Side::Local, 1);
    let to_itself = [(port, 2), (Check::Never, 1)];
    for program in [
        &[(Check::Host(Side::Local, long), 1)][..],
        &[(Check::Never, 0)],
        &to_itself,
    ] {
        let operation = |(check, fail): &(Check, usize)| Operation {
            check: *check,
            fail: *fail,
        };
        let narrow = Narrow {
            program: program.iter().map(operation).collect(),
            ..Narrow::default()
        };
        assert!(!narrow.bytecode().is_empty());
        for mut source in sources() {
            assert_whole(source.as_mut(), narrow.clone());
        }
    }
}
