//! Expressions that are longer or deeper than anybody would type.

use crate::scene::expected::local_address;
use crate::scene::{V4, tcp};
use crate::support::{Run, fresh, lsock};

/// So many ports but this one.
pub fn ports(count: u16, without: u16) -> Vec<u16> {
    let ports = (1_024..).filter(|port| *port != without);
    ports.take(count.into()).collect()
}

/// `sport = 1024 or sport = 1025 or …`
pub fn or_of_ports(ports: &[u16]) -> String {
    let tests: Vec<String> = ports.iter().map(|port| format!("sport = {port}")).collect();
    tests.join(" or ")
}

/// The text in arguments, none longer than Linux takes.
fn in_arguments(text: &str) -> Vec<String> {
    let mut arguments = vec![String::new()];
    for word in text.split(' ') {
        let last = arguments.last_mut().expect("there is one");
        if last.len() > 100_000 {
            arguments.push(word.to_owned());
        } else {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    arguments
}

fn listen(text: &str) -> Run {
    let words = ["-t", "-l", "-n", "-j"].map(str::to_owned);
    lsock(words.into_iter().chain(in_arguments(text)))
}

/// A list with so many sockets, and nothing to complain of.
fn assert_listed(attempt: &Run, count: usize) {
    assert_eq!(attempt.status, Some(0), "{attempt:?}");
    assert_eq!(attempt.stderr, "");
    assert_eq!(attempt.rows().len(), count, "{attempt:?}");
}

/// Nothing but one message of a few lines.
fn assert_refused(attempt: &Run) {
    attempt.assert_speaks_plainly();
    assert_eq!(attempt.status, Some(2), "{attempt:?}");
    assert!(attempt.stdout.is_empty(), "{attempt:?}");
    assert!(attempt.stderr.starts_with("lsock: filter: "), "{attempt:?}");
    assert!(attempt.stderr.len() < 4_096, "{}", attempt.stderr.len());
}

#[test]
fn list_of_a_mib_is_one_expression() {
    let Some(_namespace) = fresh() else { return };
    let (one, other) = (tcp::listener(V4, 1).unwrap(), tcp::listener(V4, 1).unwrap());
    let port = local_address(&one).unwrap().port();
    let mut text = or_of_ports(&ports(5_000, local_address(&other).unwrap().port()));
    while text.len() < 1 << 20 {
        text += " or src 10.1.2.3 and dport = 80";
    }
    assert_listed(&listen(&format!("{text} or sport = {port}")), 1);
}

#[test]
fn mib_with_an_error_at_its_end_is_refused_in_few_words() {
    let Some(_namespace) = fresh() else { return };
    let mut text = String::from("sport = 1");
    while text.len() < 1 << 20 {
        text += " or src 10.1.2.3 and dport = 80";
    }
    assert_refused(&listen(&format!("{text} or sport = 70000")));
}

#[test]
fn mib_of_one_word_is_refused_in_few_words() {
    let Some(_namespace) = fresh() else { return };
    let text = "x".repeat(100_000);
    let words = vec![text; 10];
    assert_refused(&lsock(["-t"].map(str::to_owned).into_iter().chain(words)));
}

#[test]
fn thousands_of_ports_in_one_list_are_one_expression() {
    let Some(_namespace) = fresh() else { return };
    let (one, other) = (tcp::listener(V4, 1).unwrap(), tcp::listener(V4, 1).unwrap());
    let mut ports = ports(5_000, local_address(&other).unwrap().port());
    ports.push(local_address(&one).unwrap().port());
    let list: Vec<String> = ports.iter().map(u16::to_string).collect();
    assert_listed(&listen(&format!("sport = {}", list.join(","))), 1);
}

#[test]
fn parentheses_that_people_type_are_not_too_deep() {
    let Some(_namespace) = fresh() else { return };
    let _listener = tcp::listener(V4, 1).unwrap();
    let text = format!("{}sport > 0{}", "(".repeat(50), ")".repeat(50));
    assert_listed(&listen(&text), 1);
    let text = format!("{}sport > 0", "not ".repeat(50));
    assert_listed(&listen(&text), 1);
}

/// It works, or it is refused: it is no crash.
fn assert_survived(text: &str) {
    let attempt = listen(text);
    if attempt.status == Some(0) {
        assert_listed(&attempt, 1);
    } else {
        assert_refused(&attempt);
    }
}

#[test]
fn thousands_of_parentheses_are_no_crash() {
    let Some(_namespace) = fresh() else { return };
    let _listener = tcp::listener(V4, 1).unwrap();
    let (open, close) = ("(".repeat(10_000), ")".repeat(10_000));
    assert_survived(&format!("{open}sport > 0{close}"));
    assert_refused(&listen(&format!("{open}sport > 0")));
    assert_refused(&listen(&format!("sport > 0{close}")));
    assert_refused(&listen(&open));
    assert_refused(&listen(&close));
}

#[test]
fn thousands_of_nots_are_no_crash() {
    let Some(_namespace) = fresh() else { return };
    let _listener = tcp::listener(V4, 1).unwrap();
    assert_survived(&format!("{}sport > 0", "not ".repeat(10_000)));
    assert_survived(&format!("{}sport > 0", "!".repeat(10_000)));
    assert_survived(&format!(
        "{}sport > 0{}",
        "!(".repeat(10_000),
        ")".repeat(10_000)
    ));
    assert_refused(&listen(&"not ".repeat(10_000)));
}

#[test]
fn nested_lists_are_no_crash() {
    let Some(_namespace) = fresh() else { return };
    let _listener = tcp::listener(V4, 1).unwrap();
    let open = "(sport = 1 or (sport > 0 and ".repeat(4_000);
    assert_survived(&format!("{open}sport > 0{}", "))".repeat(4_000)));
}
