//! Instructions per socket: a figure that a busy machine does not change.

use std::process::{Command as Process, Stdio};

use crate::command::Command;

const COMMANDS: [&str; 6] = [
    "floor all",
    "lsock -tan --format plain",
    "lsock -tan --format ndjson",
    "lsock -tan --json",
    "lsock -tan --format csv",
    "ss -tanH",
];

/// Prints the instructions in user space of one run of each command, divided by the sockets.
pub(crate) fn print() {
    println!("\ninstructions in user space per socket (valgrind --tool=callgrind)");
    let mut sockets = None;
    for text in COMMANDS {
        match count(text) {
            Ok((instructions, printed)) => {
                // The floor comes first and says how many sockets there are.
                let sockets: u64 = *sockets.get_or_insert(printed.max(1));
                let share = instructions as f64 / sockets as f64;
                println!("  {text:26} {share:>9.0}");
            }
            Err(problem) => println!("  {text:26} failed: {problem}"),
        }
    }
}

/// Instructions of one run, and the number its output starts with or else 0.
fn count(text: &str) -> Result<(u64, u64), String> {
    let words = Command::known(text).words().map_err(|e| e.to_string())?;
    let output = Process::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(words)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("valgrind: {error}"))?;
    if !output.status.success() {
        return Err(output.status.to_string());
    }
    let log = String::from_utf8_lossy(&output.stderr);
    let collected = log
        .lines()
        .find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok())
        .ok_or("valgrind reported no count")?;
    let printed = String::from_utf8_lossy(&output.stdout);
    Ok((collected, printed.trim().parse().unwrap_or_default()))
}
