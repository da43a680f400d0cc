//! Translates the arguments into a query.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::as_netstat::{as_netstat, check_listed};
use super::expression::{filter_in, not_text};
use super::families::check_drawn;
use super::fields::{FieldNeeds, columns, order};
use super::words::wrong;
use super::{FormatWord, Terminal, Typed, given};
use crate::enrich::{
    Interfaces, Lookups, Machine, Mapped, OwnerSource, Places, Ports, ScanScope, SystemNames, Tasks,
};
use crate::error::Error;
use crate::fields::Cost;
use crate::filter::{self, Expr};
use crate::model::{Family, Protocol, Selection, Source, StateSet, Table};
use crate::netns::Wanted;
use crate::query::{Check, Count, Hidden, Input, PROC, Query, Report, Tables};
use crate::render::{
    Color, Counted, Engine, Envelope, Extras, Field, Format, Groups, HeaderLine, Layout,
    Repetition, Signs, Stamp,
};
use crate::source::{Detail, Extensions};

impl Typed {
    pub(super) fn query(self, terminal: Terminal) -> Result<Query, Error> {
        let terminal = self.screen(terminal);
        let is_netstat = self.format == Some(FormatWord::Netstat);
        let format = self.output_format(terminal);
        let input = self.input();
        let filter = self.filter(&input)?;
        let tables = self.tables(&filter);
        let filter = Expr::all([self.types(&tables)?, filter]);
        let read = tables.list(&input, false);
        check_drawn(format, &read)?;
        let chosen = self.columns.as_deref().map(|list| columns(list, &read));
        let chosen = chosen.transpose()?;
        let groups = self.groups(&read)?;
        let chosen = groups.as_ref().map(Groups::fields).or(chosen);
        let sort = self.sort.as_deref().filter(|_| groups.is_none());
        let order = order(sort, format == Format::Table && terminal.is_terminal, &read)?;
        self.check_result(chosen.iter().flatten(), order.keys())?;
        if is_netstat {
            check_listed(&tables)?;
        }
        let extras = self.extras(&tables);
        let usual = || self.usual_columns(format, extras);
        let columns = chosen.clone().unwrap_or_else(usual);
        let check = self.check()?;
        let is_repeated = self.events || self.continuous.is_some() || check.wait.is_some();
        if is_repeated && input == Input::Bpf {
            let text = "--source bpf cannot be combined with -c, -E or --wait: it lists once";
            return Err(Error::Usage(text.to_owned()));
        }
        self.check_netns(&filter)?;
        let is_checked = (check.expected.is_some() || self.fail_on.is_some()) && !self.events;
        let is_one = tables.families.len() == 1;
        let checked = tables
            .families
            .first()
            .copied()
            .filter(|_| is_checked && is_one);
        let shows = !(self.summary && !self.is_page() || check.wants_answer_alone())
            || filter.needs().contains(&Cost::Shown);
        let listed = if shows { &*columns } else { &[] };
        let needs = FieldNeeds::new(listed, chosen.is_some(), order.keys(), filter.needs());
        let owners = shows && self.processes > 0 || needs.named.contains(&Cost::Owners);
        let peers = shows && self.processes > 1 || needs.named.contains(&Cost::Peers);
        if (owners || needs.filter.contains(&Cost::Owners)) && self.replay.is_some() {
            let text = "a recording has no processes: -p, and pid or process in a filter, \
                cannot be combined with --replay";
            return Err(Error::Usage(text.to_owned()));
        }
        let query = Query {
            places: self.places(&input),
            extensions: self.extensions(&needs, shows),
            lookups: Lookups {
                scope: match filter.pids() {
                    Some(pids) if !peers => ScanScope::Only(pids),
                    _ => ScanScope::All,
                },
                peers: peers || needs.filter.contains(&Cost::Peers),
                subflows: shows && self.shows_subflows(format, &tables),
                // The kernel's iterator reports the processes of this machine, and is not a file.
                owner_source: if self.is_live() {
                    self.owners
                } else {
                    OwnerSource::Proc
                },
                ..self.lookups(&needs, format, (&input, owners))
            },
            layout: self.layout(columns.clone(), extras, &filter, terminal),
            has_usual_columns: chosen.is_none(),
            named: tables.are_named(),
            tables: tables.list(&input, checked == Some(Family::Inet)),
            checked,
            alone: &tables.alone | &tables.filtered,
            selection: self.selection(&filter),
            spared: StateSet::EMPTY,
            filter,
            is_ended: self.kill,
            hosts: (self.resolve && format.is_text()).then_some(Mapped::AsIpv4),
            hidden: Hidden {
                owners: !owners,
                peers: !peers,
                users: self.numeric,
            },
            report: self.report(&input)?,
            format,
            order,
            limit: self.limit,
            input,
            check,
            netns: self.netns.iter().map(|word| Wanted::of(word)).collect(),
            hint: None,
            groups,
            stamp: self.stamp(format)?,
            output: self.output.clone(),
            record: self.record,
        };
        let query = if is_netstat {
            as_netstat(query, terminal)?
        } else {
            query
        };
        query.check_walk()?;
        Ok(query)
    }

    /// The grouping of `--by` for these tables.
    fn groups(&self, tables: &[Table]) -> Result<Option<Groups>, Error> {
        let Some(by) = self.by.as_deref().filter(|_| !self.events) else {
            return Ok(None);
        };
        if let "connection" | "pair" = by {
            let text = format!("--by {by} groups the events of -E: add -E");
            return Err(Error::Usage(text));
        }
        let states = tables.iter().map(|table| table.protocol.states());
        let mut groups = Groups {
            by: columns(by, tables)?,
            sort: Vec::new(),
            states: states.fold(StateSet::EMPTY, StateSet::union),
            limit: self.limit,
            rates: self.continuous.is_some(),
        };
        let words = self.sort.iter().flat_map(|list| list.split(','));
        for word in words {
            let name = word.strip_prefix('-').unwrap_or(word);
            let Some(key) = groups.key(&name.to_ascii_lowercase()) else {
                let why = "is not a column of groups, which are the fields of --by, count, states and sums";
                return Err(wrong("--sort", name, why));
            };
            groups.sort.push((key, name.len() < word.len()));
        }
        Ok(Some(groups))
    }

    /// The terminal, or none if output goes to a file.
    fn screen(&self, terminal: Terminal) -> Terminal {
        Terminal {
            is_terminal: terminal.is_terminal && self.output.is_none(),
            width: terminal.width.filter(|_| self.output.is_none()),
            height: terminal.height.filter(|_| self.output.is_none()),
            ..terminal
        }
    }

    /// Refuses a filter on network namespaces if those are not looked up.
    fn check_netns(&self, filter: &Expr) -> Result<(), Error> {
        let is_known = !self.netns.is_empty() || self.events || self.replay.is_some();
        if filter.needs().contains(&Cost::Netns) && !is_known {
            let text = "filter: a network namespace needs -N: add -N all, or -N NAME";
            return Err(Error::Usage(text.to_owned()));
        }
        Ok(())
    }

    /// The schema of the rows that this command line writes.
    pub(super) fn schema(mut self, engine: Engine, terminal: Terminal) -> Result<String, Error> {
        let format = match self.format {
            Some(FormatWord::Own(format)) if !format.is_text() && format != Format::Json => format,
            None if !self.json || engine == Engine::Json => Format::Ndjson,
            _ => {
                let text = "--schema needs --format ndjson or csv, or none: others are for people";
                return Err(Error::Usage(text.to_owned()));
            }
        };
        self.format = Some(FormatWord::Own(format));
        let repetition = match self.continuous.take() {
            Some(_) => Repetition::First,
            None => Repetition::Single,
        };
        let query = self.query(terminal)?;
        let envelope = Envelope {
            host: String::new(),
            time: String::new(),
            repetition,
            stamp: query.stamp,
        };
        Ok(engine.schema(format, &query.layout, &envelope))
    }

    fn usual_columns(&self, format: Format, extras: Extras) -> Vec<Field> {
        if self.events {
            return format.event_columns(self.extras(&Tables::default()));
        }
        // `any` searches these columns in a summary, whatever its format.
        let format = if self.summary { Format::Plain } else { format };
        let mut columns = format.columns(extras);
        let is_queue = |field: &Field| [Field::RecvQueue, Field::SendQueue].contains(field);
        columns.retain(|field| !self.no_queues || !is_queue(field));
        columns
    }

    /// The host and its boot id; a recording has neither.
    fn stamp(&self, format: Format) -> Result<Option<Stamp>, Error> {
        if !self.stamp {
            return Ok(None);
        }
        if format.is_text() {
            let text = "--stamp needs --format ndjson or csv: it adds columns for programs";
            return Err(Error::Usage(text.to_owned()));
        }
        let root = self.proc_root.as_deref().unwrap_or(Path::new(PROC));
        let text = fs::read_to_string(root.join("sys/kernel/random/boot_id"));
        let boot_id = text.ok().filter(|_| self.replay.is_none());
        Ok(Some(Stamp {
            boot_id: boot_id.map(|text| text.trim().to_owned()),
        }))
    }

    fn check(&self) -> Result<Check, Error> {
        // With events it is the time to watch.
        let wait = self.wait.filter(|_| !self.events);
        if self.quiet && self.summary && self.expect.is_none() && self.fail_on.is_none() {
            let text = "-q with -s needs --expect or --fail-on: otherwise nothing is checked";
            return Err(Error::Usage(text.to_owned()));
        }
        let is_any_enough = wait.is_some() || self.quiet && !self.summary;
        Ok(Check {
            expected: self.expect.or(is_any_enough.then_some(Count::SOME)),
            quiet: self.quiet,
            strict: self.strict,
            wait,
        })
    }

    /// The filter's words, joined by blanks and parsed for the tables that are read.
    fn filter(&self, input: &Input) -> Result<Expr, Error> {
        let words: Vec<&str> = self
            .filter
            .iter()
            .map(|word| word.to_str().ok_or_else(|| not_text(word)))
            .collect::<Result<_, _>>()?;
        let meanings = SystemNames {
            machine: match (&self.replay, &self.proc_root) {
                (Some(_), _) => Machine::Recorded,
                (None, Some(_)) => Machine::Elsewhere,
                (None, None) => Machine::Here,
            },
            hosts: self.resolve,
            only_unix: self.lists_only_unix(),
            other_netns: !self.netns.is_empty(),
            root: match input {
                _ if !self.netns.is_empty() => None,
                Input::Auto | Input::Files | Input::Netlink | Input::Bpf => Some(Path::new(PROC)),
                Input::Procfs(root) => Some(root),
                Input::Replay(_) => None,
            },
        };
        let in_file = self.filter_file.as_deref().map(filter_in).transpose()?;
        let text = words.into_iter().chain(in_file.as_deref());
        let text = text.collect::<Vec<_>>().join(" ");
        let read = |tables: &[Table]| {
            filter::parse_for(&text, &meanings, tables)
                .map_err(|error| Error::Usage(format!("filter: {error}")))
        };
        let chosen = self.tables(&Expr::ALWAYS).list(input, false);
        let filter = read(&chosen)?;
        // Tables that the filter itself adds have fields too.
        let all = self.tables(&filter).list(input, false);
        if all == chosen {
            Ok(filter)
        } else {
            read(&all)
        }
    }

    fn report(&self, input: &Input) -> Result<Report, Error> {
        if !self.summary {
            return Ok(Report::Rows);
        }
        let fail_on = self.fail_on;
        if fail_on.is_some() && !input.is_live() {
            let what = match input {
                Input::Replay(_) => "a recording",
                _ => "another /proc",
            };
            return Err(Error::Usage(format!(
                "{what} has no findings: --fail-on cannot be used"
            )));
        }
        Ok(Report::Summary { fail_on })
    }

    /// The selection of states. A filter that tests states overrides it. A summary counts every state, and
    /// events cover all.
    fn selection(&self, filter: &Expr) -> Selection {
        let every_state = (self.summary || self.events) && !self.listening;
        let all = self.all || every_state || filter.names_state();
        match (all, self.listening) {
            (true, _) => Selection::All,
            (false, true) => Selection::Listening,
            (false, false) => Selection::Connected,
        }
    }

    fn output_format(&self, terminal: Terminal) -> Format {
        if self.json {
            return Format::Json;
        }
        match self.format {
            Some(FormatWord::Own(format)) => format,
            None if terminal.is_terminal => Format::Table,
            // `netstat` rows use the names of `plain`.
            Some(FormatWord::Netstat) | None => Format::Plain,
        }
    }

    fn input(&self) -> Input {
        match (self.source, &self.proc_root, &self.replay) {
            (_, _, Some(path)) => Input::Replay(path.clone()),
            (_, Some(root), None) => Input::Procfs(root.clone()),
            (Some(Source::Procfs), None, None) => Input::Procfs(PathBuf::from(PROC)),
            (Some(Source::Netlink), None, None) => Input::Netlink,
            (Some(Source::Bpf), None, None) => Input::Bpf,
            (Some(Source::Replay) | None, None, None) => Input::Auto,
        }
    }

    fn extras(&self, tables: &Tables) -> Extras {
        let listed = |protocol| tables.names(protocol);
        let extras = [
            (several(&self.netns), Extras::NETNS),
            (listed(Protocol::Unix), Extras::UNIX),
            (listed(Protocol::Packet), Extras::PACKET),
            (listed(Protocol::Sctp), Extras::SCTP),
            (self.extended, Extras::EXTENDED),
            (self.timers, Extras::TIMERS),
            (self.info, Extras::INFO),
            (self.memory, Extras::MEMORY),
            (self.processes > 0, Extras::PROCESSES),
            (self.processes > 1, Extras::PEERS),
            (self.kill, Extras::RESULT),
            (self.info && self.continuous.is_some(), Extras::RATES),
            (self.threads, Extras::THREADS),
            (self.context, Extras::CONTEXTS),
            (self.bpf_storage, Extras::STORAGE),
        ];
        given(extras).collect()
    }

    fn extensions(&self, needs: &FieldNeeds, shows: bool) -> Extensions {
        Extensions {
            info: shows && self.info || needs.has(Cost::Info) || needs.shows(Cost::Rates),
            options: shows && self.extended || needs.has(Cost::Options),
            memory: shows && self.memory || needs.has(Cost::Memory),
            storage: shows && self.bpf_storage || needs.has(Cost::Storage),
            files: shows && self.extended || needs.has(Cost::File),
            unix_peers: needs.shows(Cost::UnixPeers),
            sctp: None,
            attributes: false,
            proc_net: false,
            is_named: false,
            detail: Detail::default(),
        }
    }

    /// The lookups needed. `owners` = processes are shown.
    fn lookups(
        &self,
        needs: &FieldNeeds,
        format: Format,
        (input, owners): (&Input, bool),
    ) -> Lookups {
        let here = self.is_live();
        let owners = owners || needs.filter.contains(&Cost::Owners);
        let users = !self.numeric && (owners || needs.shown.contains(&Cost::User));
        Lookups {
            owners: owners.then(|| input.processes()),
            tasks: Tasks {
                threads: self.threads || needs.has(Cost::Threads),
                contexts: self.context || needs.has(Cost::Contexts),
            },
            users: self.replay.is_none() && (users || needs.filter.contains(&Cost::User)),
            services: if !self.numeric && format.is_text() && needs.has_ports {
                Ports::Named
            } else {
                Ports::Numbers
            },
            interfaces: if here {
                Interfaces::Live
            } else {
                Interfaces::NumbersOnly
            },
            paths: here && (self.extended || needs.has(Cost::Path)),
            places: self.shows_places(needs).then(|| self.places(input)),
            cgroups: here && needs.shows(Cost::Cgroup),
            ..Lookups::default()
        }
    }

    fn places(&self, input: &Input) -> Places {
        Places {
            proc: input.processes(),
            root: self.replay.is_none().then(|| self.host_root.clone()),
        }
    }

    /// True if it must be known where processes run or sockets were made.
    fn shows_places(&self, needs: &FieldNeeds) -> bool {
        let is_shown = |cost| self.extended && needs.shown.contains(&cost);
        let has_holders = self.processes > 0 && is_shown(Cost::Containers);
        let is_asked = needs.has(Cost::Containers) || needs.has(Cost::Maker);
        is_asked || has_holders || is_shown(Cost::Maker)
    }

    /// True if subflows are shown with their connections, not as rows.
    fn shows_subflows(&self, format: Format, tables: &Tables) -> bool {
        let lists = |protocol| tables.protocols.contains(&protocol);
        self.info && format.is_text() && lists(Protocol::Mptcp) && !lists(Protocol::Tcp)
    }

    const fn is_live(&self) -> bool {
        self.proc_root.is_none() && self.replay.is_none()
    }

    fn layout(
        &self,
        columns: Vec<Field>,
        extras: Extras,
        filter: &Expr,
        terminal: Terminal,
    ) -> Layout {
        let usual = if terminal.is_terminal && !terminal.no_color {
            Color::Always
        } else {
            Color::Never
        };
        Layout {
            columns,
            header: if self.no_header {
                HeaderLine::Hidden
            } else if self.expect.is_some() {
                HeaderLine::WithRows
            } else {
                HeaderLine::Shown
            },
            extras,
            one_line: self.oneline,
            color: self.color.unwrap_or(usual),
            width: terminal.width,
            height: terminal.height.filter(|_| self.limit.is_none()),
            counted: if self.brief {
                Counted::Brief
            } else {
                Counted::Whole
            },
            leaves_out_empty: terminal.is_terminal && self.columns.is_none(),
            signs: if terminal.utf8 {
                Signs::Unicode
            } else {
                Signs::Ascii
            },
            filter: if *filter == Expr::ALWAYS {
                String::new()
            } else {
                filter.to_string()
            },
        }
    }
}

/// True if more than one namespace may be listed.
fn several(netns: &[OsString]) -> bool {
    netns.len() > 1 || netns.iter().any(|word| Wanted::of(word) == Wanted::All)
}
