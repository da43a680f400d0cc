//! Instructions per socket, which are independent of the machine's load.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::fd::AsRawFd;

use crate::command::{BYTES_PER_SOCKET, Command, Shape};
use crate::measure;

const COMMANDS: [&str; 11] = [
    "floor all",
    "lsock -tan --format plain",
    "lsock -tan --format table",
    "lsock -tan --format ndjson",
    "lsock -tan --json",
    "lsock -tan --format csv",
    "lsock as netstat -tan",
    "lsock -taneo --format plain",
    "lsock -tani --format plain",
    "lsock -ts state established",
    "ss -tanH",
];

/// Prints the user-space instructions of one run of each command, divided by the number of sockets.
pub(crate) fn print() -> io::Result<()> {
    println!("\ninstructions in user space per socket (valgrind --tool=callgrind)");
    // The floor comes first and counts the sockets.
    let mut sockets = None;
    for text in COMMANDS {
        let cell = match count(text, &mut sockets)? {
            Ok(instructions) => format!("{instructions:>9.0}"),
            Err(problem) => format!("failed: {problem}"),
        };
        println!("  {text:29} {cell}");
    }
    Ok(())
}

/// Instructions per socket in one run.
fn count(text: &str, sockets: &mut Option<usize>) -> io::Result<Result<f64, String>> {
    // Unnamed, so nothing is left behind if the bench is killed.
    let mut profile = tempfile::tempfile()?;
    let path = format!("/proc/{}/fd/{}", std::process::id(), profile.as_raw_fd());
    let mut words: Vec<OsString> = vec![
        "valgrind".into(),
        "-q".into(),
        "--tool=callgrind".into(),
        format!("--callgrind-out-file={path}").into(),
    ];
    let command = Command::known(text);
    words.extend(command.words()?);
    let output = match measure::run(&words)? {
        Ok(run) => run.output,
        Err(problem) => return Ok(Err(problem)),
    };
    let sockets = *sockets.get_or_insert(output.number.unwrap_or_default());
    let is_long = matches!(command.shape, Shape::Lines | Shape::Document);
    if is_long && output.bytes / BYTES_PER_SOCKET < sockets / 2 {
        return Ok(Err(format!("{} bytes for {sockets} sockets", output.bytes)));
    }
    let mut text = String::new();
    profile.read_to_string(&mut text)?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    let total = total.and_then(|total| total.trim().parse::<u64>().ok());
    Ok(total
        .map(|total| total as f64 / sockets.max(1) as f64)
        .ok_or_else(|| "valgrind wrote no total".to_owned()))
}
