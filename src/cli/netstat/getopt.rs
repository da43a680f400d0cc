//! `getopt_long(3)` of the C library over the options of `netstat`.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::slice::Iter;

use crate::text::escape;

const LETTERS: &[u8] = b"ACFMacdeghilnNoprsStuUvVWw2fx64?Z";
/// The one that takes an argument.
const WITH_ARGUMENT: &str = "A";
/// Stands for the letter of a family that is an option of its own.
const FAMILY: &str = "=";

/// Long options, each with its letter, some of which exist here alone. An ambiguous abbreviation lists its
/// candidates in this order.
const LONG: &str = "ax25 = x25 = ip = ipx = appletalk = netrom = inet = inet6 = ddp = rose = unix = \
    bluetooth = tcpip = version V interfaces i help h route r masquerade M protocol A tcp t sctp S udp u \
    udplite U raw w unix x l2cap 2 rfcomm f listening l all a timers o continuous c extend e programs p \
    verbose v statistics s wide W numeric n numeric-hosts ! numeric-ports @ numeric-users # symbolic N \
    cache C fib F groups g context Z";

pub(super) const NUMERIC_HOSTS: u8 = b'!';
pub(super) const NUMERIC_PORTS: u8 = b'@';
pub(super) const NUMERIC_USERS: u8 = b'#';

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Given {
    Letter(u8),
    /// Families by their names, separated by commas.
    Families(Vec<u8>),
}

type Words<'w> = &'w mut dyn Iterator<Item = Vec<u8>>;

/// Reads a command line without the program's name: lends each option, or what is wrong with it in the words
/// of the C library, until one is the end. Other words mean nothing.
pub(super) fn read<E>(
    words: impl IntoIterator<Item = OsString>,
    mut take: impl FnMut(Result<Given, String>) -> Result<(), E>,
) -> Result<(), E> {
    let mut words = words.into_iter().map(OsString::into_vec);
    while let Some(word) = words.next() {
        match word.as_slice() {
            b"--" => break,
            [b'-', b'-', word @ ..] => take(long(word, &mut words))?,
            [b'-', letters @ ..] => {
                let mut letters = letters.iter();
                while let Some(letter) = letters.next() {
                    take(short(*letter, &mut letters, &mut words))?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn short(letter: u8, rest: &mut Iter<'_, u8>, words: Words<'_>) -> Result<Given, String> {
    if !LETTERS.contains(&letter) {
        return Err(format!("invalid option -- '{}'", escape(&[letter])));
    }
    if WITH_ARGUMENT.as_bytes() != [letter] {
        return Ok(Given::Letter(letter));
    }
    let argument = if rest.len() == 0 {
        words.next()
    } else {
        Some(rest.copied().collect())
    };
    let families = argument.map(Given::Families);
    families.ok_or_else(|| "option requires an argument -- 'A'".to_owned())
}

fn long(word: &[u8], words: Words<'_>) -> Result<Given, String> {
    let mut parts = word.splitn(2, |byte| *byte == b'=');
    let (name, value) = (parts.next().unwrap_or_default(), parts.next());
    let (name, letter) = meant(name, word)?;
    match (letter, value) {
        (WITH_ARGUMENT, Some(value)) => Ok(Given::Families(value.to_vec())),
        (WITH_ARGUMENT, None) => {
            let families = words.next().map(Given::Families);
            families.ok_or_else(|| format!("option '--{name}' requires an argument"))
        }
        (_, Some(_)) => Err(format!("option '--{name}' doesn't allow an argument")),
        (FAMILY, None) => Ok(Given::Families(name.into())),
        (letter, None) => Ok(Given::Letter(letter.bytes().next().unwrap_or_default())),
    }
}

/// The option of this name, or the one whose name begins so. All families are one option to the C
/// library: of these the first is meant.
fn meant(name: &[u8], word: &[u8]) -> Result<(&'static str, &'static str), String> {
    let mut long = LONG.split(' ');
    let long = std::iter::from_fn(|| long.next().zip(long.next()));
    let matches = long.filter(|(long, _)| long.as_bytes().starts_with(name));
    let matches: Vec<(&str, &str)> = matches.collect();
    if let Some(exact) = matches.iter().find(|(long, _)| long.len() == name.len()) {
        return Ok(*exact);
    }
    let shown = escape(word);
    let Some(first) = matches.first() else {
        return Err(format!("unrecognized option '--{shown}'"));
    };
    let others = matches.iter().filter(|(_, letter)| *letter != first.1);
    let others: Vec<&str> = others.map(|(long, _)| *long).collect();
    if others.is_empty() {
        return Ok(*first);
    }
    Err(format!(
        "option '--{shown}' is ambiguous; possibilities: '--{}' '--{}'",
        first.0,
        others.join("' '--")
    ))
}
