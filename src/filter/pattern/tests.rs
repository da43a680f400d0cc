use super::{Case, Pattern, Piece};
use proptest::prelude::*;

fn glob(text: &str) -> Pattern {
    Pattern::Glob(text.into(), Case::Sensitive)
}

#[test]
fn exact_compares_bytes() {
    assert!(Pattern::Exact(b"a*".to_vec()).matches(b"a*"));
    assert!(!Pattern::Exact(b"a*".to_vec()).matches(b"ab"));
}

#[test]
fn globs_match_the_whole_text() {
    for (pattern, text, matches) in [
        ("", "", true),
        ("", "a", false),
        ("*", "", true),
        ("*", "anything at all", true),
        ("nginx*", "nginx: worker", true),
        ("nginx", "nginx: worker", false),
        ("*.sock", "/run/a.sock", true),
        ("*.sock", "/run/a.sock.lock", false),
        ("a*b*c", "aXbYbZc", true),
        ("a*b*c", "aXbYbZ", false),
        ("*ab*ab", "abab", true),
        ("*ab*ab", "aab", false),
        ("if?", "if7", true),
        ("if?", "if", false),
        ("if?", "if17", false),
    ] {
        assert_eq!(
            glob(pattern).matches(text.as_bytes()),
            matches,
            "{pattern} {text}"
        );
    }
}

#[test]
fn question_mark_is_one_character() {
    assert!(glob("?").matches("é".as_bytes()));
    assert!(glob("a?c").matches("a😀c".as_bytes()));
    assert!(!glob("??").matches("é".as_bytes()));
    assert!(!glob("*??").matches("😀".as_bytes()));
}

#[test]
fn question_mark_is_one_byte_of_what_is_no_utf8() {
    assert!(glob("?").matches(b"\xff"));
    assert!(glob("??").matches(b"\xe2\x82"));
    assert!(glob("??").matches(b"\xe2a"));
}

#[test]
fn escapes_stand_for_bytes() {
    assert!(glob(r"\x2a").matches(b"*"));
    assert!(!glob(r"\x2a").matches(b"a"));
    assert!(glob(r"\\").matches(b"\\"));
    assert!(glob(r"\*").matches(b"*"));
    assert!(glob(r"*\xff").matches(b"a\xff"));
    assert!(glob(r"a\").matches(b"a"));
}

#[test]
fn case_is_folded_in_ascii_only() {
    let folding = Pattern::Glob("*É.Sock".into(), Case::Insensitive);
    assert!(folding.matches("/É.sOCK".as_bytes()));
    assert!(!folding.matches("/é.sock".as_bytes()));
    assert!(!glob("A").matches(b"a"));
}

#[test]
fn at_sign_in_front_is_the_nul_of_an_abstract_name() {
    for (pattern, name, matches) in [
        ("@bus*", "\0bus-1", true),
        ("@bus*", "@bus-1", false),
        ("@bus*", "bus-1", false),
        (r"\x40bus*", "@bus-1", true),
        (r"\x40bus*", "\0bus-1", false),
        (r"\x00bus*", "\0bus-1", true),
        ("*bus-1", "\0bus-1", true),
        ("?bus-1", "\0bus-1", true),
        ("*@a", "/@a", true),
        ("*@a", "/\0a", false),
    ] {
        assert_eq!(
            glob(pattern).matches_name(name.as_bytes()),
            matches,
            "{pattern} {name:?}"
        );
    }
    assert!(Pattern::Exact(b"\0bus".to_vec()).matches_name(b"\0bus"));
}

#[test]
fn many_stars_do_not_take_for_ever() {
    let pattern = glob(&format!("{}b", "a*".repeat(200)));
    assert!(!pattern.matches(&b"a".repeat(20_000)));
}

/// Splits a text into characters and invalid bytes.
fn characters(text: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let whole = (1..=4).find(|len| {
            let start = rest.get(..*len).and_then(|s| std::str::from_utf8(s).ok());
            start.is_some_and(|start| start.chars().count() == 1)
        });
        let (character, behind) = rest.split_at(whole.unwrap_or(1));
        found.push(character);
        rest = behind;
    }
    found
}

fn naive(glob: &[u8], case: Case, text: &[u8], begins: &[usize]) -> bool {
    let Some((piece, rest)) = Piece::cut(glob) else {
        return text.is_empty();
    };
    let place = begins.last().copied().unwrap_or_default() - text.len();
    match piece {
        Piece::Any => {
            (0..=text.len()).any(|taken| naive(rest, case, text.split_at(taken).1, begins))
        }
        Piece::One => match begins.iter().position(|begin| *begin == place) {
            Some(number) if !text.is_empty() => {
                let len = begins.get(number + 1).copied().unwrap_or_default() - place;
                naive(rest, case, text.split_at(len).1, begins)
            }
            _ => false,
        },
        Piece::Byte(wanted) => text.split_first().is_some_and(|(first, tail)| {
            let fold = case == Case::Insensitive && first.eq_ignore_ascii_case(&wanted);
            (*first == wanted || fold) && naive(rest, case, tail, begins)
        }),
    }
}

proptest! {
    #[test]
    fn agrees_with_a_naive_matcher(
        pattern in r"([aAé?*]|\\xc3|\\xa9|\\x41|\\\\){0,8}",
        text in prop::collection::vec(
            prop_oneof![Just(b'a'), Just(b'A'), Just(0xc3), Just(0xa9), Just(b'\\'), Just(0xf0)],
            0..10,
        ),
        fold in any::<bool>(),
    ) {
        let case = if fold { Case::Insensitive } else { Case::Sensitive };
        let mut begins = vec![0];
        for character in characters(&text) {
            begins.push(begins.last().copied().unwrap_or_default() + character.len());
        }
        let expected = naive(pattern.as_bytes(), case, &text, &begins);
        prop_assert_eq!(Pattern::Glob(pattern, case).matches(&text), expected);
    }
}
