//! Who listens, and on what.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program")]

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let listing = lsock::listeners()?;
    for row in &listing {
        let Some(local) = row.local() else { continue };
        let holders = row.processes().iter().map(|process| {
            let name = process.name().unwrap_or_default();
            format!("{}[{}]", name.display(), process.pid)
        });
        let holders: Vec<_> = holders.collect();
        println!("{:8} {local} {}", row.protocol(), holders.join(","));
    }
    for gap in listing.completeness.gaps() {
        eprintln!("missing: {gap}");
    }
    Ok(())
}
