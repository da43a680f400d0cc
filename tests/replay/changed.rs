//! A recording holds other bytes than the kernel sent, or none that it ever sends.

use super::*;

#[test]
fn changed_byte_changes_no_row_but_that_of_its_own_message() {
    for sample in samples() {
        let bytes: Vec<u8> = sample
            .iter()
            .flat_map(|message| message.0.clone())
            .collect();
        let whole = replay(file(&sample).path()).rows();
        for at in 0..bytes.len() {
            for byte in [0, 0xff] {
                let mut changed = bytes.clone();
                changed[at] = byte;
                if changed == bytes {
                    continue;
                }
                let attempt = replay(file_of(&changed).path());
                attempt.assert_speaks_plainly();
                if attempt.stdout.is_empty() {
                    assert_eq!(attempt.status, Some(2), "byte {at}: {attempt:?}");
                    continue;
                }
                let rows = attempt.rows();
                let new = rows.iter().filter(|row| !whole.contains(row)).count();
                // The row of the message that was changed.
                assert!(new <= 1, "byte {at} = {byte:#x}: {rows:#?}");
                assert!(
                    rows.len() <= whole.len(),
                    "byte {at} = {byte:#x}: {rows:#?}"
                );
            }
        }
    }
}

/// What is no recording at all, and how the message goes on behind the file's name.
#[test]
fn garbage_is_refused_with_the_file_and_the_byte() {
    let elf = std::fs::read(LSOCK).unwrap();
    let huge = [&u32::MAX.to_ne_bytes()[..], &[20, 0, 2, 0], &[0; 200]].concat();
    let unknown = Message::new(4711, 1, &[0; 40]).0;
    let rows: [(&str, &[u8], &str); 8] = [
        ("nothing", b"", "holds no netlink messages"),
        ("one byte", b"x", "byte 0: netlink header of 1 bytes"),
        (
            "text",
            b"State Recv-Q Send-Q Local Address:Port\n",
            "byte 0: ",
        ),
        ("zeros", &[0; 4096], "byte 0: message of 0 bytes"),
        (
            "ones",
            &[0xff; 4096],
            "byte 0: a message of 4294967295 bytes",
        ),
        (
            "length of 4 GiB",
            &huge,
            "byte 0: a message of 4294967295 bytes",
        ),
        ("ELF", &elf[..4096], "byte 0: "),
        (
            "unknown type",
            &unknown,
            "byte 0: not a message of sock_diag",
        ),
    ];
    for (name, bytes, text) in rows {
        let recording = file_of(bytes);
        let attempt = replay(recording.path());
        attempt.assert_speaks_plainly();
        assert_eq!(
            (attempt.status, attempt.stdout.len()),
            (Some(2), 0),
            "{name}"
        );
        let begin = format!("lsock: {}: {text}", recording.path().display());
        assert!(attempt.stderr.starts_with(&begin), "{name}: {attempt:?}");
    }
}

#[test]
fn length_of_16_mib_in_a_short_file_is_a_cut() {
    let mut dump = fixture("tcp4.bin");
    let second = dump[0].0.len();
    dump[1].0[..4].copy_from_slice(&(16_u32 << 20).to_ne_bytes());
    let attempt = replay(file(&dump).path());
    assert_eq!(attempt.rows().len(), 1);
    assert_incomplete(
        &attempt,
        &format!("byte {second}: cut off in a message of 16777216 bytes"),
    );
}

#[test]
fn unknown_type_amid_a_dump_ends_it_as_incomplete() {
    let mut dump = fixture("tcp4.bin");
    let second = dump[0].0.len();
    dump.insert(1, Message::new(4711, dump[0].sequence(), &[0; 8]));
    let attempt = replay(file(&dump).path());
    assert_eq!(attempt.rows().len(), 1);
    assert_incomplete(
        &attempt,
        &format!("byte {second}: not a message of sock_diag"),
    );
}

/// The connections of a recording under another sequence number.
fn numbered(number: u32) -> Vec<Message> {
    let mut dump = fixture("tcp4.bin");
    for message in &mut dump {
        message.0[8..12].copy_from_slice(&number.to_ne_bytes());
    }
    dump
}

#[test]
fn sequence_number_of_another_program_means_tcp() {
    // The number that `ss` gives to every request.
    let attempt = replay(file(&numbered(123_456)).path());
    assert_eq!(attempt.status, Some(0), "{attempt:?}");
    assert_eq!(
        attempt.rows(),
        replay(file(&fixture("tcp4.bin")).path()).rows()
    );
}

#[test]
fn table_of_a_later_version_is_taken_for_none_and_told() {
    let unknown = "holds a table that this version does not know (sequence number 0x4c53003f)";
    let later = numbered(0x4c53_003f);
    let alone = replay(file(&later).path());
    alone.assert_speaks_plainly();
    assert_eq!((alone.status, alone.stdout.len()), (Some(2), 0));
    assert!(alone.stderr.contains(unknown), "{alone:?}");

    let known = fixture("udp6.bin");
    let expected = replay(file(&known).path()).rows();
    for dumps in [[known.clone(), later.clone()], [later, known]] {
        let attempt = replay(file(&dumps.concat()).path());
        assert_eq!(attempt.rows(), expected);
        assert_incomplete(&attempt, unknown);
    }
}

proptest! {
    #[test]
    fn random_bytes_are_refused_without_a_row(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let attempt = replay(file_of(&bytes).path());
        attempt.assert_speaks_plainly();
        prop_assert_eq!(attempt.status, Some(2));
        prop_assert!(attempt.stdout.is_empty());
    }

    #[test]
    fn random_messages_never_panic(
        kinds in prop::collection::vec((prop::sample::select(vec![SOCKET, DONE, ERROR, 1, 0x4c53]), 0..12_u32, any::<bool>()), 1..6),
        payload in prop::collection::vec(any::<u8>(), 0..200),
        family in prop::sample::select(vec![1_u8, 2, 10, 16, 17]),
    ) {
        let messages: Vec<Message> = kinds
            .into_iter()
            .map(|(kind, table, multi)| {
                let mut payload = payload.clone();
                if let Some(first) = payload.first_mut() {
                    *first = family;
                }
                let message = Message::new(kind, 0x4c53 << 16 | table, &payload);
                message.with_flags(if multi { MULTI } else { 0 })
            })
            .collect();
        let attempt = replay(file(&messages).path());
        attempt.assert_speaks_plainly();
        prop_assert!(matches!(attempt.status, Some(0 | 2)));
    }
}
