//! Messages in a datagram.

use super::super::{Body, Messages, done, ends_dump, proc_line};

#[test]
fn messages_stop_at_a_broken_length() {
    let whole = proc_line(1, b"x");
    for len in 1..16 {
        assert!(
            Messages::new(&whole[..len]).next().unwrap().is_err(),
            "{len} bytes"
        );
    }
    let mut long = whole.clone();
    long[0] = 200;
    let found: Vec<_> = Messages::new(&long).collect();
    let expected = format!("message of 200 bytes, {} present", whole.len());
    assert_eq!(found, [Err(expected)]);
    let mut short = whole;
    short[0] = 15;
    assert!(Messages::new(&short).next().unwrap().is_err());
}

#[test]
fn a_datagram_ends_a_dump_with_done_or_an_error() {
    let mut bytes = proc_line(1, b"x");
    assert!(!ends_dump(&bytes));
    assert!(!ends_dump(&bytes[..10]));
    bytes.extend(done(1));
    assert!(ends_dump(&bytes));
    bytes[0..4].copy_from_slice(&u32::MAX.to_ne_bytes());
    assert!(!ends_dump(&bytes));
}

#[test]
fn negative_done_is_not_the_end_of_an_empty_list() {
    let mut bytes = done(1);
    bytes[16..20].copy_from_slice(&(-2_i32).to_ne_bytes());
    let message = Messages::new(&bytes).next().unwrap().unwrap();
    assert_eq!(message.body, Body::Done(2));
}

#[test]
fn length_of_4_gib_is_an_error() {
    let mut bytes = done(1);
    bytes[..4].copy_from_slice(&u32::MAX.to_ne_bytes());
    let found: Vec<_> = Messages::new(&bytes).collect();
    let expected = format!("message of {} bytes, {} present", u32::MAX, bytes.len());
    assert_eq!(found, [Err(expected)]);
}

#[test]
fn error_without_a_code_is_no_acknowledgement() {
    let mut bytes = done(1)[..16].to_vec();
    bytes[0] = 16;
    bytes[4] = 2;
    let found = Messages::new(&bytes).next().unwrap();
    let expected = "netlink error of 0 bytes, 4 expected";
    assert_eq!(found, Err(expected.to_owned()));
}

#[test]
fn unknown_type_is_of_no_meaning() {
    for kind in [0_u16, 1, 4, 16, 19, 21, 0x4c52, u16::MAX] {
        let mut bytes = done(1);
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        let message = Messages::new(&bytes).next().unwrap().unwrap();
        assert_eq!(message.body, Body::Other, "{kind}");
    }
}

#[test]
fn message_behind_an_odd_length_begins_at_the_next_word() {
    for length in 0..9 {
        let line = vec![b'x'; length];
        let bytes = [proc_line(1, &line), done(2)].concat();
        let found: Vec<_> = Messages::new(&bytes)
            .map(|message| message.unwrap().body)
            .collect();
        assert_eq!(found, [Body::ProcLine(&line), Body::Done(0)], "{length}");
    }
}
