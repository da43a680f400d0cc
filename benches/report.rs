//! The table of a case.

use std::time::Duration;

use crate::cases::Row;
use crate::command::Shape;
use crate::measure::Run;

/// The rows that others are compared with: the floor and the first of lsock.
struct References<'r> {
    floor: Option<&'r Row>,
    ours: Option<&'r Row>,
}

/// Prints the rows of a case under its name.
pub(crate) fn print(name: &str, rows: &[Row]) {
    let width = rows.iter().map(|row| row.command.text.len()).max();
    let width = width.unwrap_or_default();
    let answered = || rows.iter().filter(|row| row.failure.is_none());
    let references = References {
        floor: answered().find(|row| row.command.shape == Shape::Count),
        ours: answered().find(|row| row.command.is_ours()),
    };
    println!("\n{name}");
    println!(
        "  {:width$} {:>4} {:>9} {:>19} {:>22} {:>22} {:>9} {:>22} {:>8} {:>9}",
        "command",
        "runs",
        "wall ms",
        "min-max",
        "/floor",
        "/lsock",
        "cpu ms",
        "cpu/floor",
        "peak MiB",
        "lines"
    );
    for row in rows {
        let cells = match &row.failure {
            Some(problem) => format!("failed: {problem}"),
            None => cells(row, &references),
        };
        println!("  {:width$} {cells}", row.command.text);
    }
}

/// Prints an explanation of the columns, once at the end.
pub(crate) fn print_legend() {
    println!(
        "\nwall and cpu (user + system): medians of the runs of a row, which took turns with the \
         other rows of its case.\n/floor and /lsock: wall time as a multiple of the first floor \
         and of the first lsock row of the case, in the same turn: median (min-max); cpu/floor: the same of \
         processor time.\npeak: resident memory; < means not \
         more than the measuring process has.  lines: as printed; of the floor: sockets received."
    );
}

fn cells(row: &Row, references: &References<'_>) -> String {
    let times =
        |time: fn(&Run) -> Duration| row.runs.iter().map(move |run| milliseconds(time(run)));
    let (Some(wall), Some(cpu)) = (spread(times(|run| run.wall)), spread(times(|run| run.cpu)))
    else {
        return "no run".to_owned();
    };
    format!(
        "{:>4} {:>9.1} {:>19} {:>22} {:>22} {:>9.1} {:>22} {:>8} {:>9}",
        row.runs.len(),
        wall.median,
        format!("{:.1}-{:.1}", wall.least, wall.most),
        ratio(row, references.floor, |run| run.wall),
        ratio(row, references.ours, |run| run.wall),
        cpu.median,
        ratio(row, references.floor, |run| run.cpu),
        peak(&row.runs),
        lines(row),
    )
}

/// Median, minimum and maximum.
struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

/// `None` = no numbers.
fn spread(numbers: impl Iterator<Item = f64>) -> Option<Spread> {
    let mut numbers: Vec<f64> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    Some(Spread {
        median: *numbers.get(numbers.len() / 2)?,
        least: *numbers.first()?,
        most: *numbers.last()?,
    })
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The ratio of runs in the same turn, which had the same disturbances.
fn ratio(row: &Row, reference: Option<&Row>, time: fn(&Run) -> Duration) -> String {
    let Some(reference) = reference else {
        return "-".to_owned();
    };
    let turns = row.runs.iter().zip(&reference.runs);
    match spread(turns.map(|(run, other)| time(run).div_duration_f64(time(other)))) {
        Some(ratio) if ratio.least < ratio.most => {
            format!("{:.2} ({:.2}-{:.2})", ratio.median, ratio.least, ratio.most)
        }
        Some(ratio) => format!("{:.2}", ratio.median),
        None => "-".to_owned(),
    }
}

fn peak(runs: &[Run]) -> String {
    let Some(run) = runs.iter().max_by_key(|run| run.peak_kib) else {
        return "-".to_owned();
    };
    let mark = if run.peak_kib <= run.wrapper_kib {
        "<"
    } else {
        ""
    };
    format!("{mark}{:.1}", run.peak_kib as f64 / 1024.0)
}

fn lines(row: &Row) -> usize {
    let Some(output) = row.runs.last().map(|run| &run.output) else {
        return 0;
    };
    match row.command.shape {
        Shape::Count => output.number.unwrap_or_default(),
        _ => output.lines,
    }
}
