//! A recording ends where it should not.

use super::*;

/// Where a cut leaves a valid, shorter recording: behind the end of a dump, and behind an answer
/// to a question that was no dump. The begin of the file is no such place: nothing is no recording.
fn ends(messages: &[Message]) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut at = 0;
    for message in messages {
        at += message.0.len();
        if message.kind() == DONE {
            ends.push(at);
        }
    }
    ends
}

#[test]
fn cut_at_every_byte_lists_what_is_left_and_says_that_it_is_cut() {
    for sample in samples() {
        let bytes: Vec<u8> = sample
            .iter()
            .flat_map(|message| message.0.clone())
            .collect();
        let whole = replay(file(&sample).path()).rows();
        let ends = ends(&sample);
        for length in 0..=bytes.len() {
            let attempt = replay(file_of(&bytes[..length]).path());
            attempt.assert_speaks_plainly();
            let is_whole = ends.contains(&length);
            let status = if is_whole { 0 } else { 2 };
            assert_eq!(attempt.status, Some(status), "{length} bytes: {attempt:?}");
            assert_eq!(attempt.stderr.is_empty(), is_whole, "{length} bytes");
            if attempt.stdout.is_empty() {
                // Not one message is whole: that is an error, not a list.
                assert!(length < sample[0].0.len(), "{length} bytes: {attempt:?}");
                continue;
            }
            let rows = attempt.rows();
            assert!(is_part(&rows, &whole), "{length} bytes: {rows:#?}");
            assert_eq!(rows.len(), whole_sockets(&sample, length), "{length} bytes");
        }
    }
}

/// Sockets that lie in the first `length` bytes; the padding behind the last one may be cut.
fn whole_sockets(messages: &[Message], length: usize) -> usize {
    let mut at = 0;
    let mut found = 0;
    for message in messages {
        let is_whole = at + message.stated() <= length;
        found += usize::from(is_whole && message.kind() != DONE);
        at += message.0.len();
    }
    found
}

#[test]
fn message_says_at_which_byte_the_recording_is_cut() {
    let dump = fixture("tcp4.bin");
    let bytes: Vec<u8> = dump.iter().flat_map(|message| message.0.clone()).collect();
    let second = dump[0].0.len();
    let recording = file_of(&bytes[..second + 20]);
    let attempt = replay(recording.path());
    let text = format!(
        "lsock: incomplete list: {}: byte {second}: cut off in a message of {} bytes\n",
        recording.path().display(),
        dump[1].stated()
    );
    assert_eq!(attempt.stderr, text);
}
