//! The command line: its arguments, and what they mean on this terminal.

mod as_netstat;
mod clashes;
mod events;
mod explain;
mod expression;
mod families;
mod fields;
mod getopt;
mod habits;
mod help;
mod kill;
mod meaning;
mod netstat;
mod refusal;
mod repeat;
mod ss;
mod words;

use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::builder::styling::Styles;
use clap::{ArgAction, CommandFactory as _, FromArgMatches as _, Parser};
use clap_complete::Shell;
use jiff::tz::TimeZone;

use crate::enrich::OwnerSource;
use crate::error::Error;
use crate::exit::Verdict;
use crate::filter;
use crate::mode::{OpenConsole, Repeating};
use crate::model::{Severity, Source};
use crate::query::netstat::Netstat;
use crate::query::{Ask, Count, Killing, OpenOutput, Query, Watching};
use crate::render::{Color, Engine};
use words::{FormatWord, Listed, OrAuto};

/// The environment of the program.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terminal {
    /// Columns of the terminal on standard output; `None` = not a terminal, or unknown.
    pub width: Option<u16>,
    /// True if standard output is a terminal.
    pub is_terminal: bool,
    /// True if `NO_COLOR` is set, or the terminal is dumb.
    pub no_color: bool,
    /// True if the locale is UTF-8.
    pub utf8: bool,
    /// Lines of the terminal.
    pub height: Option<u16>,
    /// Reads the time zone; `None` = UTC.
    pub zone: Option<fn() -> TimeZone>,
    /// Opens the terminal for a view; `None` = not a terminal, or a dumb one.
    pub console: Option<OpenConsole>,
    /// Opens standard output, terminal or not.
    pub output: Option<OpenOutput>,
    /// Asks the user a question; `None` = nobody would answer.
    pub ask: Option<Ask>,
    /// Finds the connection of the `ssh` session: the local endpoint and the peer's.
    pub ssh: Option<fn() -> Option<[SocketAddr; 2]>>,
}

/// What to do.
#[derive(Debug)]
pub enum Command {
    /// List sockets.
    List(Box<Query>),
    /// List them repeatedly.
    Repeat(Box<Repeating>),
    /// Show events.
    Watch(Box<Watching>),
    /// Destroy sockets.
    Kill(Box<Killing>),
    /// List sockets as `netstat` does.
    Netstat(Box<Netstat>),
    /// Show sockets as they are destroyed, as `ss -E` does.
    Destroyed(Box<Query>, Option<OpenOutput>),
    /// Count sockets as `ss -s` does; list them too if true.
    Sockstat(Box<Query>, bool),
    /// Print a text: help, version, completions, explanations.
    Print(String),
    /// Print to standard error why nothing is done, and exit.
    Refuse(String, Verdict),
}

/// The name at the start of messages: `lsock`, or `netstat` or `ss` if called by that name.
pub fn program(arguments: &[OsString]) -> &'static str {
    let called = arguments.first().map(Path::new).and_then(Path::file_name);
    let mut others = [netstat::NAME, ss::NAME].into_iter();
    let other = others.find(|name| called == Some(OsStr::new(name)));
    other.unwrap_or("lsock")
}

/// The command line as typed.
#[derive(Debug, Clone, Parser)]
#[command(name = "lsock", version, about = help::ABOUT, long_about = None, after_help = help::AFTER, styles = Styles::plain())]
#[command(
    disable_help_flag = true,
    disable_version_flag = true,
    args_override_self = true
)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
struct Typed {
    /// TCP
    #[arg(short, long)]
    tcp: bool,
    /// UDP and UDP-Lite
    #[arg(short, long)]
    udp: bool,
    /// Raw and ping sockets
    #[arg(short = 'w', long)]
    raw: bool,
    /// SCTP
    #[arg(short = 'S', long)]
    sctp: bool,
    /// Unix domain
    #[arg(short = 'x', long)]
    unix: bool,
    /// Packet sockets
    #[arg(short = '0', long)]
    packet: bool,
    /// Netlink; also --vsock, --tipc, --xdp, --smc
    #[arg(long)]
    netlink: bool,
    /// vsock
    #[arg(long, hide_short_help = true)]
    vsock: bool,
    /// TIPC
    #[arg(long, hide_short_help = true)]
    tipc: bool,
    /// XDP
    #[arg(long, hide_short_help = true)]
    xdp: bool,
    /// SMC
    #[arg(long, hide_short_help = true)]
    smc: bool,
    /// Multipath TCP
    #[arg(short = 'M', long)]
    mptcp: bool,
    /// IPv4
    #[arg(short = '4', long)]
    ipv4: bool,
    /// IPv6; with -4 both
    #[arg(short = '6', long)]
    ipv6: bool,
    /// Protocols and families: all, tcp, sctp, unix ...
    #[arg(
        short = 'A',
        long,
        short_alias = 'f',
        aliases = ["query", "socket"],
        value_name = "LIST",
        value_delimiter = ',',
        value_parser = words::families()
    )]
    family: Vec<Listed>,
    /// Every state, listeners included
    #[arg(short, long)]
    all: bool,
    /// Only listeners: LISTEN, or unconnected UDP and raw
    #[arg(short, long)]
    listening: bool,

    /// Show numbers instead of port and user names
    #[arg(short, long)]
    numeric: bool,
    /// Look up host names, for at most two seconds
    #[arg(short, long)]
    resolve: bool,
    /// Processes; -pp: peers too; -T: threads; -Z: contexts
    #[arg(short, long, action = ArgAction::Count)]
    processes: u8,
    /// Threads that hold a socket, with -p
    #[arg(short = 'T', long, hide_short_help = true)]
    threads: bool,
    /// Security contexts of processes and sockets, with -p
    #[arg(
        short = 'Z',
        long,
        short_alias = 'z',
        alias = "contexts",
        hide_short_help = true
    )]
    context: bool,
    /// User, inode, half-close, mark, cgroup; with -p fds
    #[arg(short, long)]
    extended: bool,
    /// Running timer
    #[arg(short = 'o', long)]
    timers: bool,
    #[arg(short, long, help = "Congestion control and the kernel's tcp_info")]
    info: bool,
    /// Socket memory and drops
    #[arg(short, long)]
    memory: bool,
    /// BPF maps that store data for a socket: ID and size
    #[arg(long, hide_short_help = true)]
    bpf_storage: bool,
    /// Count sockets by state and report problems; --brief
    #[arg(short, long)]
    summary: bool,
    /// With -s: five lines
    #[arg(long, hide_short_help = true)]
    brief: bool,
    /// With -s: exit 1 at info, warning or critical
    #[arg(long, value_name = "SEVERITY", value_parser = words::severities())]
    fail_on: Option<Severity>,
    /// Watch mode: list every second, or every SEC
    #[arg(
        short,
        long,
        value_name = "SEC",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "1",
        value_parser = repeat::seconds
    )]
    continuous: Option<Duration>,
    /// Show TCP state changes as they happen; best as root
    #[arg(short = 'E', long)]
    events: bool,
    /// Group by FIELD,...; with -E: connection, pair
    #[arg(long, value_name = "WHAT")]
    by: Option<String>,

    /// table, plain (in a pipe), json, ndjson, csv, csv-safe, netstat; with -s: openmetrics, prometheus, svg, html
    #[arg(long, value_name = "FORMAT", value_parser = words::formats())]
    format: Option<FormatWord>,
    /// Same as --format json; --output FILE: into a file
    #[arg(short, long, conflicts_with = "format")]
    json: bool,
    /// Omit the header line
    #[arg(short = 'H', long)]
    no_header: bool,
    /// Show details of -i and -m on the same line
    #[arg(short = 'O', long)]
    oneline: bool,
    /// Omit the queue columns
    #[arg(short = 'Q', long, hide_short_help = true)]
    no_queues: bool,
    /// Begin rows of ndjson and csv with time, host and boot ID
    #[arg(long, hide_short_help = true)]
    stamp: bool,
    /// Write to FILE atomically
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    output: Option<PathBuf>,
    /// Print a definition of the rows: json, duckdb, clickhouse, arrow
    #[arg(long, value_name = "ENGINE", value_parser = words::engines(), hide_short_help = true)]
    schema: Option<Engine>,
    /// Fields to show; --stamp: time, host; --schema: SQL
    #[arg(long, value_name = "LIST")]
    columns: Option<String>,
    /// Fields to sort by, or none; -FIELD descends
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    sort: Option<String>,
    /// Show at most N rows or events
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = words::limit)]
    limit: Option<usize>,
    #[arg(
        long,
        help = "Colors: auto, always or never",
        value_name = "WHEN",
        value_parser = words::colors(),
        default_value = "auto"
    )]
    color: OrAuto<Color>,

    /// Show nothing; exit 0 if a socket matches
    #[arg(short, long)]
    quiet: bool,
    /// Exit 1 unless COUNT match: 3, 1.., ..5, 2..4
    #[arg(long, value_name = "COUNT", allow_hyphen_values = true, value_parser = words::count)]
    expect: Option<Count>,
    /// Retry until the check holds, at most DURATION
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = words::duration)]
    wait: Option<Duration>,
    /// Exit 2 if some processes could not be read
    #[arg(long)]
    strict: bool,

    /// End the matching sockets; --dry-run only lists them
    #[arg(short = 'K', long)]
    kill: bool,
    /// With -K: do not ask; twice: end our ssh session too
    #[arg(long, action = ArgAction::Count)]
    yes: u8,
    /// With -K: only list the sockets
    #[arg(long, hide = true)]
    dry_run: bool,

    /// Network namespaces: name, PID, path, or all
    #[arg(short = 'N', long, value_name = "WHERE", value_delimiter = ',')]
    netns: Vec<OsString>,
    /// How to read sockets: auto, netlink, procfs, bpf
    #[arg(long, value_name = "SOURCE", value_parser = words::sources(), default_value = "auto")]
    source: OrAuto<Source>,
    /// How to find processes: auto, proc, bpf
    #[arg(long, value_name = "WAY", value_parser = words::owner_sources(), default_value = "auto")]
    owners: OwnerSource,
    /// Read only the files of another /proc
    #[arg(long, value_name = "DIR", conflicts_with = "replay")]
    proc_root: Option<PathBuf>,
    /// Read files of container engines below DIR
    #[arg(long, value_name = "DIR", default_value = "/", hide = true)]
    host_root: PathBuf,
    /// Record the data in FILE, in the format of ss -D
    #[arg(short = 'D', long, value_name = "FILE", conflicts_with = "replay")]
    record: Option<PathBuf>,
    /// List a recording of -D or ss -D
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,

    /// Read a filter from FILE
    #[arg(
        short = 'F',
        long = "filter",
        value_name = "FILE",
        id = "filter_file",
        hide_short_help = true
    )]
    filter_file: Option<PathBuf>,

    /// Filter: dport = 443, state time-wait; -F FILE
    #[arg(value_name = "FILTER")]
    filter: Vec<OsString>,

    /// Print help; -h: common options, --help: all
    #[arg(short, long, action = ArgAction::HelpShort)]
    help: Option<bool>,
    /// Print version
    #[arg(short = 'V', long, action = ArgAction::Version)]
    version: Option<bool>,
    /// Explain a state, or all
    #[arg(long, value_name = "STATE", exclusive = true)]
    explain: Option<String>,
    /// Print completions for bash, zsh or fish
    #[arg(long, value_name = "SHELL", value_parser = words::shells())]
    completions: Option<Shell>,
}

/// Parses the command line.
///
/// # Errors
///
/// [`Error::Usage`] if an argument does not exist, or some cannot be combined.
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    terminal: Terminal,
) -> Result<Command, Error> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    match program(&arguments) {
        netstat::NAME => return netstat::parse(arguments.into_iter().skip(1), terminal),
        ss::NAME => return ss::parse(arguments.into_iter().skip(1), terminal),
        _ => {}
    }
    if let Some(topic) = help::topic(&arguments) {
        return topic.map(Command::Print);
    }
    let definition = definition().term_width(help::width(terminal));
    let arguments = repeat::joined(arguments, &definition);
    let matches = match definition.clone().try_get_matches_from(&arguments) {
        Ok(matches) => matches,
        Err(error) if help::is_brief(&error, &arguments) => {
            return Ok(Command::Print(help::brief(definition)));
        }
        Err(error) if !error.use_stderr() => return Ok(Command::Print(error.render().to_string())),
        Err(error) => return Err(refusal::usage(error, &arguments, definition)),
    };
    clashes::check(&matches, &definition)?;
    let typed = Typed::from_arg_matches(&matches)
        .map_err(|error| refusal::usage(error, &arguments, definition))?;
    let as_lsof = habits::as_lsof(&arguments);
    let command = typed.meant(as_lsof, terminal);
    command.map_err(|error| match error {
        Error::Usage(text) if text.starts_with("filter: ") => {
            let meant = habits::behind(&arguments);
            let (wrong, _) = text.split_once(['\n', ';']).unwrap_or((&text, ""));
            let meant = meant.map(|meant| format!("{wrong}; {meant}"));
            Error::Usage(meant.unwrap_or(text))
        }
        error => error,
    })
}

impl Typed {
    fn meant(mut self, hint: Option<String>, terminal: Terminal) -> Result<Command, Error> {
        if self.threads || self.context {
            self.processes = self.processes.max(1);
        }
        if self.is_page() {
            self.columns = Some(self.page_columns());
        }
        Ok(if let Some(engine) = self.schema {
            Command::Print(self.schema(engine, terminal)?)
        } else if let Some(shell) = self.completions {
            Command::Print(completions(shell))
        } else if let Some(word) = &self.explain {
            Command::Print(explain::explain(word, terminal)?)
        } else if self.continuous.is_some() {
            Command::Repeat(Box::new(self.repeating(terminal)?))
        } else if self.kill {
            Command::Kill(Box::new(self.killing(terminal)?))
        } else if self.events {
            Command::Watch(Box::new(self.watching(terminal)?))
        } else {
            let query = self.query(terminal)?;
            Command::List(Box::new(Query { hint, ..query }))
        })
    }
}

/// The values of the options that are given.
fn given<T>(options: impl IntoIterator<Item = (bool, T)>) -> impl Iterator<Item = T> {
    let given = options.into_iter().filter(|(given, _)| *given);
    given.map(|(_, what)| what)
}

/// True if a locale like `de_DE.UTF-8` encodes text in UTF-8.
pub fn is_utf8(locale: &OsStr) -> bool {
    let locale = locale.to_string_lossy().to_ascii_lowercase();
    let codeset = locale.split_once('.').map_or("", |(_, codeset)| codeset);
    let codeset = codeset.split('@').next().unwrap_or_default();
    matches!(codeset, "utf-8" | "utf8")
}

fn completions(shell: Shell) -> String {
    // The shell completes the first words of filters, and `help`.
    let help = std::iter::once("help".to_owned());
    let words: Vec<String> = filter::words().into_iter().chain(help).collect();
    let choice = PossibleValuesParser::new(&words);
    let states = PossibleValuesParser::new(explain::words());
    let mut definition = definition()
        .mut_arg("filter", |filter| filter.value_parser(choice))
        .mut_arg("explain", |explain| explain.value_parser(states));
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut definition, "lsock", &mut text);
    let mut text = String::from_utf8_lossy(&text).into_owned();
    if shell == Shell::Fish {
        // The generator for fish omits values that belong to no option.
        let line = format!("complete -c lsock -f -a '{}'\n", words.join(" "));
        text.push_str(&line);
    }
    text
}

/// The definition of the command line, for texts and tests that must agree with it.
pub fn definition() -> clap::Command {
    help::under_headings(Typed::command())
}

#[cfg(test)]
mod tests {
    use super::is_utf8;

    #[test]
    fn codeset_of_a_locale_is_told() {
        for locale in ["C.UTF-8", "de_DE.utf8", "sr_RS.UTF-8@latin"] {
            assert!(is_utf8(locale.as_ref()), "{locale}");
        }
        for locale in ["", "C", "POSIX", "de_DE", "de_DE.ISO-8859-1", "utf-8"] {
            assert!(!is_utf8(locale.as_ref()), "{locale}");
        }
    }
}
