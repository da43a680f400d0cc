//! The head of the output: machine, tools, and the scene as planned and as the kernel counts it.

use std::fs;
use std::process::Command;

use crate::scene::Scene;

/// Prints the head.
pub(crate) fn print(scene: &Scene) {
    let kernel = rustix::system::uname();
    println!(
        "{} {} {}, {} cores; {}; {}; {}",
        kernel.sysname().to_string_lossy(),
        kernel.release().to_string_lossy(),
        kernel.machine().to_string_lossy(),
        std::thread::available_parallelism().map_or(0, usize::from),
        version(env!("CARGO_BIN_EXE_lsock"), "lsock"),
        version("ss", "ss"),
        version("netstat", "netstat"),
    );
    let counts = &scene.counts;
    let established = 2 * (counts.pairs + counts.pairs6 - counts.half_closed);
    println!(
        "scene: {} ESTABLISHED, {half} FIN_WAIT_2, {half} CLOSE_WAIT, {} LISTEN, about {} \
         TIME_WAIT; {} over IPv6; held by {} processes; built in {:.1} s",
        established,
        counts.listeners,
        counts.time_waits,
        2 * counts.pairs6,
        counts.processes,
        scene.build_time.as_secs_f64(),
        half = counts.half_closed,
    );
    for path in ["/proc/net/sockstat", "/proc/net/sockstat6"] {
        let text = fs::read_to_string(path).unwrap_or_default();
        for line in text.lines().filter(|line| line.starts_with("TCP")) {
            println!("{path}: {line}");
        }
    }
}

/// The first line of `--version`, or that there is none.
fn version(program: &str, name: &str) -> String {
    let output = match Command::new(program).arg("--version").output() {
        Ok(output) => output,
        Err(error) => return format!("{name} missing ({error})"),
    };
    let text = String::from_utf8_lossy(&output.stdout);
    match text.lines().next() {
        Some(line) => line.to_owned(),
        None => format!("{name} without a version"),
    }
}
