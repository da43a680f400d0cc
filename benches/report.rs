//! The table of a case.

use std::time::Duration;

use crate::cases::Row;
use crate::command::Shape;
use crate::measure::Run;

/// What a command is compared with: the medians of the floor and of the first lsock row.
struct References {
    floor: Option<Duration>,
    ours: Option<Duration>,
}

/// Prints the rows of a case under its name.
pub(crate) fn print(name: &str, rows: &[Row]) {
    let width = rows.iter().map(|row| row.command.text.len()).max();
    let width = width.unwrap_or_default();
    let answered = || rows.iter().filter(|row| row.failure.is_none());
    let references = References {
        floor: answered()
            .find(|row| row.command.shape == Shape::Count)
            .and_then(median_wall),
        ours: answered()
            .find(|row| row.command.is_ours())
            .and_then(median_wall),
    };
    println!("\n{name}");
    println!(
        "  {:width$} {:>4} {:>9} {:>19} {:>7} {:>7} {:>9} {:>8} {:>9}",
        "command", "runs", "wall ms", "min-max", "/floor", "/lsock", "cpu ms", "peak MiB", "lines"
    );
    for row in rows {
        let cells = match &row.failure {
            Some(problem) => format!("failed: {problem}"),
            None => cells(row, &references),
        };
        println!("  {:width$} {cells}", row.command.text);
    }
}

/// What the columns mean, once at the end.
pub(crate) fn print_legend() {
    println!(
        "\nwall and cpu (user + system): medians of the runs of a row, which took turns with the \
         other rows of its case.\n/floor and /lsock: wall time as a multiple of the first floor \
         and of the first lsock row of the case.\npeak: resident memory; < means not \
         more than the measuring process has.  lines: as printed; of the floor: sockets received."
    );
}

fn cells(row: &Row, references: &References) -> String {
    let (Some(wall), Some(cpu)) = (median_wall(row), median(&row.runs, |run| run.cpu)) else {
        return "no run".to_owned();
    };
    let walls = || row.runs.iter().map(|run| milliseconds(run.wall));
    let range = format!(
        "{:.1}-{:.1}",
        walls().fold(f64::INFINITY, f64::min),
        walls().fold(0.0, f64::max)
    );
    format!(
        "{:>4} {:>9.1} {range:>19} {:>7} {:>7} {:>9.1} {:>8} {:>9}",
        row.runs.len(),
        milliseconds(wall),
        ratio(wall, references.floor),
        ratio(wall, references.ours),
        milliseconds(cpu),
        peak(&row.runs),
        lines(row),
    )
}

fn median_wall(row: &Row) -> Option<Duration> {
    median(&row.runs, |run| run.wall)
}

fn median(runs: &[Run], value: impl Fn(&Run) -> Duration) -> Option<Duration> {
    let mut values: Vec<Duration> = runs.iter().map(value).collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn ratio(time: Duration, reference: Option<Duration>) -> String {
    reference.map_or_else(
        || "-".to_owned(),
        |reference| format!("{:.2}", time.div_duration_f64(reference)),
    )
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
