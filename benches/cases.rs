//! The cases: commands that are compared. The first command of each is its floor.

use std::io;
use std::time::{Duration, Instant};

use crate::command::{BYTES_PER_SOCKET, Command, Shape};
use crate::measure::{self, Run};
use crate::options::Options;
use crate::scene::Scene;

/// Commands that answer the same question.
pub(crate) struct Case {
    /// The question, matched by `--only`.
    pub(crate) name: &'static str,
    commands: Vec<Command>,
}

/// The runs of one command in a case.
pub(crate) struct Row {
    pub(crate) command: Command,
    /// Its runs, in order.
    pub(crate) runs: Vec<Run>,
    /// Why its output is no answer; then the runs do not count.
    pub(crate) failure: Option<String>,
    spent: Duration,
}

const TABLE: [(&str, &[&str]); 13] = [
    (
        "floor: what the kernel alone costs, by what is asked",
        &["floor all", "floor bound", "floor info", "floor listen"],
    ),
    (
        "plain: every TCP socket",
        &[
            "floor all",
            "floor bound",
            "lsock -tan",
            "ss -tanH",
            "netstat -tan",
        ],
    ),
    (
        "connected: without those that listen or are bound",
        &["floor all", "lsock -tn", "ss -tnH", "netstat -tn"],
    ),
    (
        "summary and checks",
        &[
            "floor all",
            "lsock -tas",
            "lsock -ts state established",
            "lsock -tanq state close-wait",
            "lsock -tan --expect 1..",
        ],
    ),
    (
        "listeners",
        &[
            "floor listen",
            "lsock -tln",
            "ss -tlnH",
            "netstat -tln",
            "lsock -tlnp",
            "lsock -tlnp --owners proc",
            "ss -tlnpH",
            "netstat -tlnp",
        ],
    ),
    (
        "owners: every TCP socket with its processes",
        &[
            "floor all",
            "lsock -tanp",
            "lsock -tanp --owners proc",
            "ss -tanpH",
            "netstat -tanp",
        ],
    ),
    (
        "as netstat: every TCP socket",
        &["floor all", "lsock as netstat -tan", "netstat -tan"],
    ),
    (
        "as netstat: every TCP socket with a process",
        &["floor all", "lsock as netstat -tanp", "netstat -tanp"],
    ),
    (
        "formats for machines",
        &[
            "floor all",
            "lsock -tan --format plain",
            "lsock -tan --json",
            "lsock -tan --format ndjson",
            "lsock -tan --format csv",
        ],
    ),
    (
        "extended: users, inodes, timers",
        &["floor all", "lsock -taneo", "ss -taneoH", "netstat -taneo"],
    ),
    (
        "filter: one local port",
        &[
            "floor port",
            "lsock -tan exclude bound sport = 45000",
            "ss -tanH sport = 45000",
            "lsock -tan sport = 45000",
        ],
    ),
    (
        "filter: one local address",
        &[
            "floor host",
            "lsock -tan exclude bound src 127.1.0.3",
            "ss -tanH src 127.1.0.3",
            "lsock -tan src 127.1.0.3",
            "lsock -tan dst 127.1.0.3",
            "ss -tanH dst 127.1.0.3",
        ],
    ),
    (
        "info: the tcp_info of every socket",
        &["floor info", "lsock -tani", "ss -taniH"],
    ),
];

/// The selected cases, with those of `--also` last.
pub(crate) fn chosen(options: &Options) -> Vec<Case> {
    let mut cases: Vec<Case> = TABLE
        .iter()
        .map(|&(name, commands)| Case {
            name,
            commands: commands.iter().map(|text| Command::known(text)).collect(),
        })
        .collect();
    if !options.also.is_empty() {
        let given = options.also.iter().map(|text| Command::given(text));
        cases.push(Case {
            name: "yours",
            commands: std::iter::once(Command::known("floor all"))
                .chain(given)
                .collect(),
        });
    }
    if let Some(word) = &options.only {
        cases.retain(|case| case.name.contains(word.as_str()));
    }
    cases
}

/// Runs the commands of a case in turns until each has its runs or has used up its time.
pub(crate) fn run(case: Case, options: &Options, scene: &mut Scene) -> io::Result<Vec<Row>> {
    let time = Duration::from_secs(options.seconds);
    let mut rows: Vec<Row> = case.commands.into_iter().map(Row::new).collect();
    for _ in 0..options.runs {
        for row in &mut rows {
            if row.has_time_left(time) {
                scene.renew()?;
                row.run_once()?;
            }
        }
    }
    let sockets = rows.first().and_then(Row::sockets).unwrap_or_default();
    for row in &mut rows {
        row.check(sockets);
    }
    Ok(rows)
}

impl Row {
    fn new(command: Command) -> Self {
        Self {
            command,
            runs: Vec::new(),
            failure: None,
            spent: Duration::ZERO,
        }
    }

    fn has_time_left(&self, time: Duration) -> bool {
        let runs = u32::try_from(self.runs.len()).unwrap_or(u32::MAX);
        let next = self.spent.checked_div(runs).unwrap_or_default();
        self.failure.is_none() && (runs == 0 || self.spent + next <= time)
    }

    fn run_once(&mut self) -> io::Result<()> {
        let start = Instant::now();
        match measure::run(&self.command.words()?)? {
            Ok(run) => self.runs.push(run),
            Err(problem) => self.failure = Some(problem),
        }
        self.spent += start.elapsed();
        Ok(())
    }

    /// Number of sockets that this floor received.
    fn sockets(&self) -> Option<usize> {
        self.runs.last()?.output.number
    }

    /// Checks the size of the output: a quick wrong answer must not count.
    ///
    /// `TIME_WAIT` sockets come and go, so a twentieth may be missing.
    fn check(&mut self, sockets: usize) {
        let expected = sockets - sockets / 20;
        for run in &self.runs {
            let output = &run.output;
            let (found, unit) = match self.command.shape {
                Shape::Lines => (output.lines, "lines"),
                Shape::Document => (output.bytes / BYTES_PER_SOCKET, "objects"),
                Shape::Count | Shape::Unknown => continue,
            };
            if found < expected {
                self.failure = Some(format!(
                    "exit status 0, but at most {found} {unit} for {sockets} sockets"
                ));
            }
        }
    }
}
