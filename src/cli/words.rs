//! Words that options accept, with their meanings.

use std::ffi::OsStr;
use std::iter::once;
use std::num::{IntErrorKind, ParseIntError};
use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;

use clap::Arg;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap_complete::Shell;

use super::ss::kinds;
use crate::enrich::OwnerSource;
use crate::error::Error;
use crate::filter;
use crate::model::{Family, Protocol, Severity, SocketType, Source};
use crate::query::Count;
use crate::render::{Color, Engine, Format};
use crate::text::escape;

/// The meaning of a word of `-A`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    All,
    Version(Family),
    /// Sockets of one type, or of all.
    Protocol(Protocol, Option<SocketType>),
}

/// A word of `-A`, and true if it adds, false if it removes (`!`).
pub(super) type Listed = (bool, Named);

/// The meaning of a word of `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FormatWord {
    Own(Format),
    Netstat,
}

/// `None` = `auto`. (clap takes a type called `Option` as optional.)
pub(super) type OrAuto<T> = Option<T>;

/// The names of families and protocols, and those of `ss`.
pub(super) fn families() -> impl TypedValueParser<Value = Listed> {
    let versions = [Family::Inet, Family::Inet6].map(|family| (family.name(), family));
    let versions = versions.map(|(name, family)| (name, Named::Version(family)));
    let mut protocols = Protocol::ALL;
    protocols.sort_by_key(|protocol| *protocol == Protocol::Mptcp);
    let protocols = protocols.map(|protocol| (protocol.name(), Named::Protocol(protocol, None)));
    let link = once(("link", Named::Protocol(Protocol::Packet, None)));
    let kinds = kinds().flat_map(|(long, short, protocol, kind)| {
        [long, short].map(|name| (name, Named::Protocol(protocol, Some(kind))))
    });
    let all = once(("all", Named::All)).chain(versions).chain(protocols);
    Excluding(one_of(all.chain(link).chain(kinds)))
}

/// Parses what another parser does, with an optional leading `!`.
#[derive(Debug, Clone)]
struct Excluding<P>(P);

impl<P: TypedValueParser> TypedValueParser for Excluding<P> {
    type Value = (bool, P::Value);

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Self::Value, clap::Error> {
        let name = value.as_bytes().strip_prefix(b"!");
        let word = OsStr::from_bytes(name.unwrap_or(value.as_bytes()));
        let meant = self.0.parse_ref(command, argument, word)?;
        Ok((name.is_none(), meant))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        self.0.possible_values()
    }
}

pub(super) fn formats() -> impl TypedValueParser<Value = FormatWord> {
    let formats = Format::ALL.map(|format| (format.name(), FormatWord::Own(format)));
    one_of(
        formats
            .into_iter()
            .chain(once(("netstat", FormatWord::Netstat))),
    )
}

pub(super) fn colors() -> impl TypedValueParser<Value = OrAuto<Color>> {
    one_of([
        ("auto", None),
        ("always", Some(Color::Always)),
        ("never", Some(Color::Never)),
    ])
}

pub(super) fn sources() -> impl TypedValueParser<Value = OrAuto<Source>> {
    let sources =
        [Source::Netlink, Source::Procfs, Source::Bpf].map(|source| (source.name(), Some(source)));
    one_of(once(("auto", None)).chain(sources))
}

pub(super) fn owner_sources() -> impl TypedValueParser<Value = OwnerSource> {
    one_of(OwnerSource::ALL.map(|source| (source.name(), source)))
}

pub(super) fn severities() -> impl TypedValueParser<Value = Severity> {
    one_of(Severity::ALL.map(|severity| (severity.name(), severity)))
}

pub(super) fn engines() -> impl TypedValueParser<Value = Engine> {
    one_of(Engine::ALL.map(|engine| (engine.word(), engine)))
}

pub(super) fn shells() -> impl TypedValueParser<Value = Shell> {
    one_of([
        ("bash", Shell::Bash),
        ("zsh", Shell::Zsh),
        ("fish", Shell::Fish),
    ])
}

/// Parses one of these words to its value.
fn one_of<T: Clone + Send + Sync + 'static>(
    words: impl IntoIterator<Item = (&'static str, T)>,
) -> impl TypedValueParser<Value = T> {
    let (names, meanings): (Vec<_>, Vec<_>) = words.into_iter().unzip();
    PossibleValuesParser::new(names.clone()).try_map(move |typed| {
        let place = names.iter().position(|name| *name == typed);
        let meaning = place.and_then(|place| meanings.get(place));
        meaning.cloned().ok_or("an unknown word")
    })
}

pub(super) fn limit(text: &str) -> Result<usize, &'static str> {
    text.parse()
        .map_err(|error: ParseIntError| match error.kind() {
            IntErrorKind::PosOverflow => "too large",
            _ => "it is not a number of rows (expected 10)",
        })
}

/// Parses the value of `--wait`.
pub(super) fn duration(text: &str) -> Result<Duration, Error> {
    let why = "is not a duration (expected 500ms, 30s or 5m)";
    filter::duration(text).ok_or_else(|| wrong("--wait", text, why))
}

/// Parses the value of `--expect`.
pub(super) fn count(text: &str) -> Result<Count, Error> {
    let why = "is not a count (expected 3, 1.., ..5 or 2..4)";
    Count::parse(text).ok_or_else(|| wrong("--expect", text, why))
}

/// An error about the value of an option.
pub(super) fn wrong(option: &str, text: &str, why: &str) -> Error {
    let clean = escape(text.as_bytes());
    Error::Usage(format!("{option}: \"{clean}\" {why}"))
}
