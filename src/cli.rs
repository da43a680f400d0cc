//! The command line: what was typed, and what it means on this terminal.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::styling::Styles;
use clap::{ArgAction, CommandFactory as _, FromArgMatches as _, Parser, ValueEnum};

use crate::enrich::{Interfaces, Lookups};
use crate::error::Error;
use crate::model::{Family, Protocol};
use crate::query::{Input, Query, Selection, Tables};
use crate::render::{
    Color, Column, Extra, Extras, Format, Header, Layout, Place, SortKey, default_columns,
};
use crate::source::Wanted;

/// What the program finds about its surroundings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Terminal {
    /// Columns of the terminal on standard output; `None` = it is none, or does not say.
    pub width: Option<u16>,
    /// Standard output is a terminal.
    pub is_terminal: bool,
    /// `NO_COLOR` is set, or the terminal is dumb.
    pub no_color: bool,
}

/// What to do.
#[derive(Debug)]
pub enum Command {
    /// List sockets.
    List(Box<Query>),
    /// Print a text: help, version, completions.
    Print(String),
}

const FROM_OTHERS: &str = "\
Coming from netstat or ss:
  netstat -tulpn, ss -tulpn   lsock -tulpn        netstat -i    ip -s link
  netstat -W, ss -O           lsock -O            netstat -g    ip maddr
  netstat -c                  watch lsock         netstat -r    ip route
  ss -s                       lsock -a, counted   netstat -M    conntrack -L
  ss state established        (the default)       netstat -s    nstat
  Here -r resolves host names and -M lists MPTCP sockets.

Examples:
  lsock -tulpn                     who listens, with processes
  lsock -apn                       every TCP, UDP and raw socket with its processes
  lsock -ta --sort -recv_queue     TCP, fullest receive queues first
  lsock -xlp                       unix listeners and who holds them
  lsock -tio                       TCP connections with timers and tcp_info
  lsock -a --json | jq '.sockets[] | select(.state == \"CLOSE_WAIT\")'
  lsock -a -A all -D sockets.bin   record what the kernel said, for a bug report
  lsock -a --replay sockets.bin    list a recording

Exit status: 0 done, 2 usage error, unreadable source or incomplete list.
The man page lsock(1) explains fields and states.";

const ABOUT: &str = "\
Lists the sockets of this machine, and where each stands in the TCP state machine.

Without a protocol: TCP, UDP and raw sockets over IPv4 and IPv6. Without -a or -l:
what is connected or connecting. Hosts are looked up in the DNS only with -r.";

/// The command line as it is typed.
#[derive(Debug, Parser)]
#[command(name = "lsock", version, about = ABOUT, long_about = None, after_help = FROM_OTHERS, max_term_width = 100, styles = Styles::plain())]
#[command(disable_help_flag = true, disable_version_flag = true)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
struct Typed {
    /// TCP
    #[arg(short, long, help_heading = "Which sockets")]
    tcp: bool,
    /// UDP and UDP-Lite
    #[arg(short, long, help_heading = "Which sockets")]
    udp: bool,
    /// Raw and ping sockets
    #[arg(short = 'w', long, help_heading = "Which sockets")]
    raw: bool,
    /// Unix domain
    #[arg(short = 'x', long, help_heading = "Which sockets")]
    unix: bool,
    /// Packet sockets
    #[arg(short = '0', long, help_heading = "Which sockets")]
    packet: bool,
    /// Netlink
    #[arg(long, help_heading = "Which sockets")]
    netlink: bool,
    /// Multipath TCP
    #[arg(short = 'M', long, help_heading = "Which sockets")]
    mptcp: bool,
    /// IPv4
    #[arg(short = '4', long, help_heading = "Which sockets")]
    ipv4: bool,
    /// IPv6; with -4 both
    #[arg(short = '6', long, help_heading = "Which sockets")]
    ipv6: bool,
    /// Protocols and families, separated by commas
    #[arg(
        short = 'A',
        long,
        value_name = "LIST",
        value_delimiter = ',',
        help_heading = "Which sockets"
    )]
    family: Vec<FamilyWord>,
    /// Every state
    #[arg(short, long, help_heading = "Which sockets")]
    all: bool,
    /// Listeners: TCP and unix in LISTEN, others bound and unconnected; -a wins
    #[arg(short, long, help_heading = "Which sockets")]
    listening: bool,

    /// Numbers instead of names for ports and users
    #[arg(short, long, help_heading = "What to tell")]
    numeric: bool,
    /// Host names from the DNS, within two seconds in all (in text)
    #[arg(short, long, help_heading = "What to tell")]
    resolve: bool,
    /// The processes that hold each socket
    #[arg(short, long, help_heading = "What to tell")]
    processes: bool,
    /// User, inode, cookie, half-close, interface, mark, cgroup; descriptors with -p
    #[arg(short, long, help_heading = "What to tell")]
    extended: bool,
    /// The timer that runs
    #[arg(short = 'o', long, help_heading = "What to tell")]
    timers: bool,
    /// Congestion control and the kernel's `tcp_info`
    #[arg(short, long, help_heading = "What to tell")]
    info: bool,
    /// Socket memory and drops
    #[arg(short, long, help_heading = "What to tell")]
    memory: bool,

    /// Form of the output: `table` on a terminal and `plain` in a pipe unless given
    #[arg(long, value_name = "FORMAT", help_heading = "How to show it")]
    format: Option<FormatWord>,
    /// The same as --format json
    #[arg(
        short,
        long,
        conflicts_with = "format",
        help_heading = "How to show it"
    )]
    json: bool,
    /// No line of titles
    #[arg(short = 'H', long, help_heading = "How to show it")]
    no_header: bool,
    /// What -i and -m tell on the socket's own line
    #[arg(short = 'O', long, help_heading = "How to show it")]
    oneline: bool,
    /// Fields to show, separated by commas
    #[arg(long, value_name = "LIST", help_heading = "How to show it")]
    columns: Option<String>,
    /// Fields to sort by, separated by commas; -FIELD descends. Holds all rows in memory
    #[arg(
        long,
        value_name = "LIST",
        allow_hyphen_values = true,
        help_heading = "How to show it"
    )]
    sort: Option<String>,
    /// Rows to show at the most
    #[arg(long, value_name = "N", help_heading = "How to show it")]
    limit: Option<u64>,
    /// Colours
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "How to show it"
    )]
    color: ColorWord,

    /// Where sockets are read: netlink, and /proc/net where netlink does not list a protocol
    #[arg(
        long,
        value_name = "SOURCE",
        default_value = "auto",
        help_heading = "Where from"
    )]
    source: SourceWord,
    /// Read the files of another /proc, and nothing but files
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with = "replay",
        help_heading = "Where from"
    )]
    proc_root: Option<PathBuf>,
    /// Keep what was read in FILE: raw netlink messages, as ss -D writes them
    #[arg(
        short = 'D',
        long,
        value_name = "FILE",
        conflicts_with = "replay",
        help_heading = "Where from"
    )]
    record: Option<PathBuf>,
    /// List a recording of -D, or of ss -D, as if live
    #[arg(long, value_name = "FILE", help_heading = "Where from")]
    replay: Option<PathBuf>,

    /// Print help
    #[arg(short, long, action = ArgAction::HelpShort, help_heading = "Other")]
    help: Option<bool>,
    /// Print version
    #[arg(short = 'V', long, action = ArgAction::Version, help_heading = "Other")]
    version: Option<bool>,
    /// Print completions for a shell
    #[arg(long, value_name = "SHELL", help_heading = "Other")]
    completions: Option<ShellWord>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FamilyWord {
    All,
    Inet,
    Inet6,
    Tcp,
    Udp,
    Udplite,
    Raw,
    Icmp,
    Unix,
    Packet,
    Netlink,
    Mptcp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatWord {
    Table,
    Plain,
    Json,
    Ndjson,
    Csv,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ColorWord {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SourceWord {
    Auto,
    Netlink,
    Procfs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ShellWord {
    Bash,
    Zsh,
    Fish,
}

/// Reads the command line.
///
/// # Errors
///
/// [`Error::Usage`] when it asks for what does not exist or does not go together.
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    terminal: Terminal,
) -> Result<Command, Error> {
    let mut definition = Typed::command();
    if let Some(width) = terminal.width {
        definition = definition.term_width(usize::from(width));
    }
    let typed = match definition.try_get_matches_from(arguments) {
        Ok(matches) => Typed::from_arg_matches(&matches).map_err(|error| usage(&error))?,
        Err(error) if !error.use_stderr() => return Ok(Command::Print(error.render().to_string())),
        Err(error) => return Err(usage(&error)),
    };
    match typed.completions {
        Some(shell) => Ok(Command::Print(completions(shell))),
        None => typed.query(terminal).map(Box::new).map(Command::List),
    }
}

/// An error of clap's in this program's form: no `error:` in front, no closing line feed.
fn usage(error: &clap::Error) -> Error {
    let text = error.render().to_string();
    Error::Usage(text.trim_start_matches("error: ").trim_end().to_owned())
}

fn completions(shell: ShellWord) -> String {
    let shell = match shell {
        ShellWord::Bash => clap_complete::Shell::Bash,
        ShellWord::Zsh => clap_complete::Shell::Zsh,
        ShellWord::Fish => clap_complete::Shell::Fish,
    };
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Typed::command(), "lsock", &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// The definition of the command line, for what must agree with it.
pub fn definition() -> clap::Command {
    Typed::command()
}

impl Typed {
    fn query(self, terminal: Terminal) -> Result<Query, Error> {
        let tables = self.tables();
        let format = self.output_format(terminal);
        let chosen = self.columns.as_deref().map(columns).transpose()?;
        let sort = self
            .sort
            .as_deref()
            .map(sort_keys)
            .transpose()?
            .unwrap_or_default();
        let input = self.input()?;
        let extras = self.extras(&tables);
        let columns = chosen
            .clone()
            .unwrap_or_else(|| default_columns(format, extras));
        let needs = Needs {
            shown: &columns,
            chosen: chosen.is_some(),
            sort: &sort,
        };
        if self.processes || needs.owners() {
            Self::check_owners(&input)?;
        }
        Ok(Query {
            wanted: self.wanted(&needs),
            lookups: self.lookups(&needs, format, &input),
            layout: self.layout(columns.clone(), extras, terminal),
            named: tables.are_named(),
            tables: tables.list(&input, self.family.contains(&FamilyWord::Icmp)),
            selection: self.selection(),
            hosts: self.resolve && matches!(format, Format::Table | Format::Plain),
            format,
            sort,
            limit: self.limit,
            input,
            record: self.record,
        })
    }

    fn tables(&self) -> Tables {
        let mut tables = Tables::default();
        let flags = [
            (self.tcp, &[Protocol::Tcp][..]),
            (self.udp, &[Protocol::Udp, Protocol::UdpLite]),
            (self.raw, &[Protocol::Raw, Protocol::Icmp]),
            (self.unix, &[Protocol::Unix]),
            (self.packet, &[Protocol::Packet]),
            (self.netlink, &[Protocol::Netlink]),
            (self.mptcp, &[Protocol::Mptcp]),
        ];
        for (_, protocols) in flags.into_iter().filter(|(given, _)| *given) {
            tables.protocols.extend(protocols);
        }
        let words = self.family.iter().copied();
        let ip = [
            (self.ipv4, FamilyWord::Inet),
            (self.ipv6, FamilyWord::Inet6),
        ];
        let ip = ip
            .into_iter()
            .filter(|(given, _)| *given)
            .map(|(_, word)| word);
        for word in words.chain(ip) {
            match word {
                FamilyWord::All => tables.protocols.extend(Protocol::ALL),
                FamilyWord::Inet => _ = tables.families.insert(Family::Inet),
                FamilyWord::Inet6 => _ = tables.families.insert(Family::Inet6),
                FamilyWord::Tcp => _ = tables.protocols.insert(Protocol::Tcp),
                FamilyWord::Udp => _ = tables.protocols.insert(Protocol::Udp),
                FamilyWord::Udplite => _ = tables.protocols.insert(Protocol::UdpLite),
                FamilyWord::Raw => _ = tables.protocols.insert(Protocol::Raw),
                FamilyWord::Icmp => _ = tables.protocols.insert(Protocol::Icmp),
                FamilyWord::Unix => _ = tables.protocols.insert(Protocol::Unix),
                FamilyWord::Packet => _ = tables.protocols.insert(Protocol::Packet),
                FamilyWord::Netlink => _ = tables.protocols.insert(Protocol::Netlink),
                FamilyWord::Mptcp => _ = tables.protocols.insert(Protocol::Mptcp),
            }
        }
        tables
    }

    const fn selection(&self) -> Selection {
        match (self.all, self.listening) {
            (true, _) => Selection::All,
            (false, true) => Selection::Listening,
            (false, false) => Selection::Connected,
        }
    }

    fn output_format(&self, terminal: Terminal) -> Format {
        if self.json {
            return Format::Json;
        }
        let usual = if terminal.is_terminal {
            FormatWord::Table
        } else {
            FormatWord::Plain
        };
        match self.format.unwrap_or(usual) {
            FormatWord::Json => Format::Json,
            FormatWord::Table => Format::Table,
            FormatWord::Plain => Format::Plain,
            FormatWord::Ndjson => Format::Ndjson,
            FormatWord::Csv => Format::Csv,
        }
    }

    fn input(&self) -> Result<Input, Error> {
        let clash = |option: &str| {
            Error::Usage(format!(
                "--source {} and {option} do not go together",
                word(&self.source)
            ))
        };
        match (self.source, &self.proc_root, &self.replay) {
            (SourceWord::Netlink, Some(_), _) => Err(clash("--proc-root")),
            (SourceWord::Netlink | SourceWord::Procfs, _, Some(_)) => Err(clash("--replay")),
            (_, Some(root), _) => Ok(Input::Procfs(root.clone())),
            (SourceWord::Procfs, None, None) => Ok(Input::Procfs(PathBuf::from(PROC))),
            (_, _, Some(path)) => Ok(Input::Replay(path.clone())),
            (SourceWord::Netlink, None, None) => Ok(Input::Netlink),
            (SourceWord::Auto, None, None) => Ok(Input::Auto),
        }
    }

    /// Processes can be told of this machine, and of another `/proc`; not of a recording.
    fn check_owners(input: &Input) -> Result<(), Error> {
        if matches!(input, Input::Replay(_)) {
            let text =
                "a recording does not hold the processes of its sockets: no -p with --replay";
            return Err(Error::Usage(text.to_owned()));
        }
        Ok(())
    }

    fn extras(&self, tables: &Tables) -> Extras {
        let listed = |protocol| tables.protocols.contains(&protocol);
        let extras = [
            (listed(Protocol::Unix), Extra::Unix),
            (listed(Protocol::Packet), Extra::Packet),
            (self.extended, Extra::Extended),
            (self.timers, Extra::Timers),
            (self.info, Extra::Info),
            (self.memory, Extra::Memory),
            (self.processes, Extra::Processes),
        ];
        extras
            .into_iter()
            .filter(|(given, _)| *given)
            .map(|(_, extra)| extra)
            .collect()
    }

    fn wanted(&self, needs: &Needs<'_>) -> Wanted {
        let info = [Column::TcpInfo, Column::MptcpInfo, Column::Congestion];
        Wanted {
            info: self.info || needs.any_wished(&info),
            memory: self.memory || needs.any_wished(&[Column::Memory]),
            unix_peers: needs.any(&[Column::Peer, Column::PeerAddress]),
        }
    }

    fn lookups(&self, needs: &Needs<'_>, format: Format, input: &Input) -> Lookups {
        let text = matches!(format, Format::Table | Format::Plain);
        let here = matches!(input, Input::Auto | Input::Netlink)
            || matches!(input, Input::Procfs(_)) && self.proc_root.is_none();
        let ports = [
            Column::Local,
            Column::Peer,
            Column::LocalPort,
            Column::PeerPort,
        ];
        let root = match input {
            Input::Procfs(root) => root.clone(),
            _ => PathBuf::from(PROC),
        };
        let owners = self.processes || needs.owners();
        let replayed = matches!(input, Input::Replay(_));
        Lookups {
            owners: owners.then_some(root),
            users: !self.numeric && !replayed && (owners || needs.any(&[Column::User])),
            services: !self.numeric && text && needs.any(&ports),
            interfaces: if here {
                Interfaces::Live
            } else {
                Interfaces::NumbersOnly
            },
            cgroups: here && needs.any(&[Column::Cgroup]),
        }
    }

    fn layout(&self, columns: Vec<Column>, extras: Extras, terminal: Terminal) -> Layout {
        let colored = match self.color {
            ColorWord::Auto => terminal.is_terminal && !terminal.no_color,
            ColorWord::Always => true,
            ColorWord::Never => false,
        };
        Layout {
            columns,
            header: if self.no_header {
                Header::Hidden
            } else {
                Header::Shown
            },
            extras,
            place: if self.oneline {
                Place::SameLine
            } else {
                Place::Below
            },
            color: if colored { Color::Always } else { Color::Never },
            width: terminal.width,
        }
    }
}

/// The process file system of this machine.
const PROC: &str = "/proc";

/// A word of the command line as it is typed.
fn word(value: &impl ValueEnum) -> String {
    value
        .to_possible_value()
        .map(|word| word.get_name().to_owned())
        .unwrap_or_default()
}

/// Which fields a listing needs.
struct Needs<'a> {
    shown: &'a [Column],
    /// The columns were chosen by name: one that is costly is then wished for.
    chosen: bool,
    sort: &'a [SortKey],
}

impl Needs<'_> {
    /// Is one of them shown, or sorted by?
    fn any(&self, columns: &[Column]) -> bool {
        let sorted = self.sort.iter().map(|key| &key.column);
        self.shown
            .iter()
            .chain(sorted)
            .any(|column| columns.contains(column))
    }

    /// Was one of them named?
    fn any_wished(&self, columns: &[Column]) -> bool {
        let shown = if self.chosen { self.shown } else { &[] };
        let sorted = self.sort.iter().map(|key| &key.column);
        shown
            .iter()
            .chain(sorted)
            .any(|column| columns.contains(column))
    }

    fn owners(&self) -> bool {
        self.any_wished(&[Column::Processes, Column::ProcessStatus])
    }
}

fn column(name: &str) -> Result<Column, Error> {
    Column::from_name(name).ok_or_else(|| {
        let names: Vec<&str> = Column::VOCABULARY
            .into_iter()
            .chain(Column::COMBINED)
            .map(Column::name)
            .collect();
        let name = crate::text::escape(name.as_bytes());
        Error::Usage(format!(
            "unknown field \"{name}\"; the fields are: {}",
            names.join(", ")
        ))
    })
}

fn columns(list: &str) -> Result<Vec<Column>, Error> {
    list.split(',').map(column).collect()
}

fn sort_keys(list: &str) -> Result<Vec<SortKey>, Error> {
    list.split(',')
        .map(|word| {
            let (name, descending) = match word.strip_prefix('-') {
                Some(name) => (name, true),
                None => (word, false),
            };
            let column = column(name)?;
            if column.is_sortable() {
                Ok(SortKey { column, descending })
            } else {
                Err(Error::Usage(format!(
                    "\"{name}\" has many values: no order"
                )))
            }
        })
        .collect()
}
