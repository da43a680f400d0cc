//! Files of a `/proc` that nobody has: every form of an address, a number or a name that the kernel can
//! write, with the same options for both programs.

use std::fmt::Write as _;
use std::fs;
use std::net::Ipv6Addr;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::said::difference;
use super::stage::{folder, in_mounts_of_its_own};
use crate::support::{Run, fresh, needed, output, skip};

/// What puts our directory in the place of `/proc`.
const COVER: &str =
    r#"mount --bind "$1" /proc && mount --bind "$2" /etc/hosts && shift 2 && exec "$@""#;

const TITLES: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

/// Addresses with every pattern of zero groups, in several fillings.
fn addresses() -> Vec<Ipv6Addr> {
    let fillings = [0x1_u16, 0xffff, 0x0db8, 0x0102];
    let patterns = (0..=u8::MAX).flat_map(|pattern| {
        fillings.map(|filling| {
            let groups: [u16; 8] = std::array::from_fn(|place| {
                let zero = pattern >> place & 1 == 0;
                if zero { 0 } else { filling }
            });
            Ipv6Addr::from(groups)
        })
    });
    let mapped = [
        "::ffff:1.2.3.4",
        "::ffff:0.0.0.0",
        "::1.2.3.4",
        "64:ff9b::1.2.3.4",
    ];
    let mapped = mapped.map(|text| text.parse().unwrap());
    patterns.chain(mapped).collect()
}

/// As the kernel writes it: four words in the order of this machine.
fn words(address: Ipv6Addr) -> String {
    let octets = address.octets();
    let words = octets
        .chunks(4)
        .map(|word| u32::from_ne_bytes(word.try_into().unwrap()));
    let words: Vec<String> = words.map(|word| format!("{word:08X}")).collect();
    words.concat()
}

/// Numbers of all widths, one after another.
fn number(place: usize) -> u32 {
    [0, 1, 42, 999_999, 1_000_000, u32::MAX][place % 6]
}

/// Lines of `tcp6` with every state, timer and width.
fn tcp6() -> String {
    let mut text = TITLES.to_owned();
    let all = addresses();
    for (place, address) in all.iter().enumerate() {
        let peer = all[(place * 7 + 1) % all.len()];
        let (state, timer) = (1 + place % 9, place % 5);
        let port = [22, 54_321, 1, 443][place % 4];
        writeln!(
            text,
            "{place:4}: {}:{port:04X} {}:{:04X} {state:02X} {:08X}:{:08X} {timer:02X}:{:08X} {:08X} {:5} {:8} {} 1 0000000000000000 20 0 0 10 -1",
            words(*address),
            words(peer),
            [0, 80, 65_535][place % 3],
            number(place),
            number(place / 6),
            number(place / 2),
            number(place / 3) & 0xff,
            number(place / 5) & 0x7fff_ffff,
            place % 3,
            1_000 + place,
        )
        .unwrap();
    }
    text
}

/// Lines of `udp` or `raw`, all of them bound.
fn datagrams() -> String {
    let mut text = TITLES.replace("inode", "inode ref pointer drops");
    for place in 0..256 {
        let (state, peer) = if place % 2 == 0 {
            (7, 0)
        } else {
            (1, 0x0200_007F)
        };
        writeln!(
            text,
            "{place:5}: 0100007F:{place:04X} {peer:08X}:0000 {state:02X} {:08X}:{:08X} 00:00000000 00000000 {:5}        0 {} 2 0000000000000000 0",
            number(place),
            number(place / 6),
            place,
            5_000 + place,
        )
        .unwrap();
    }
    text
}

/// Lines of `unix` with every type and state, and names that are no clean text.
fn unix() -> Vec<u8> {
    let names: [&[u8]; 10] = [
        b"",
        b" /run/a",
        b" @abstract",
        b" two words",
        b"  blank first",
        b" a\tb\x0bc\x0cd\re",
        b" \x1b[31m\xff\xfe",
        b" line\nbreak",
        b" \n",
        b" \xc2\xa0x",
    ];
    let mut text = b"Num       RefCount Protocol Flags    Type St Inode Path\n".to_vec();
    for (place, name) in names.iter().cycle().take(80).enumerate() {
        let flags = if place % 3 == 0 { 0x1_0000 } else { 0 };
        let state = if flags == 0 { 1 + place / 10 % 4 } else { 1 };
        let held = matches!(state, 1 | 3);
        let inode = if held {
            [7_000, 99_900, 4_000_000_000][place % 3] + place
        } else {
            0
        };
        let line = format!(
            "0000000000000000: {:08X} 00000000 {flags:08X} {:04X} {state:02X} {inode:5}",
            number(place / 10),
            [1, 2, 5][place % 3],
        );
        text.extend(line.bytes());
        text.extend(*name);
        text.push(b'\n');
    }
    text
}

/// A `/proc` with these files and some processes, one of them for every third socket.
fn proc() -> TempDir {
    let proc = TempDir::new().unwrap();
    let net = proc.path().join("net");
    fs::create_dir(&net).unwrap();
    for (name, text) in [("tcp", TITLES.to_owned()), ("tcp6", tcp6())] {
        fs::write(net.join(name), text).unwrap();
    }
    for name in ["udp", "udp6", "udplite", "udplite6", "raw", "raw6"] {
        let text = if name.ends_with('6') {
            TITLES.to_owned()
        } else {
            datagrams()
        };
        fs::write(net.join(name), text).unwrap();
    }
    fs::write(net.join("unix"), unix()).unwrap();
    let long = [b"/", &[b'x'; 600][..], b"/base"].concat();
    let commands: [&[u8]; 5] = [b"/usr/bin/a b\0c", b"a/b", b"\x1b\xff\n", &long, b""];
    for (place, command) in commands.iter().enumerate() {
        let process = proc
            .path()
            .join(["2", "11", "101", "1001", "4194304"][place]);
        fs::create_dir_all(process.join("fd")).unwrap();
        fs::write(process.join("cmdline"), command).unwrap();
        fs::write(process.join("comm"), "comm\n").unwrap();
        for inode in (1_000 + place..8_000).step_by(15) {
            let link = process.join("fd").join(inode.to_string());
            symlink(format!("socket:[{inode}]"), link).unwrap();
        }
    }
    proc
}

fn run(program: &Path, covered: (&Path, &Path), words: &[&str]) -> Run {
    let mut unshare = in_mounts_of_its_own(COVER);
    unshare.args([covered.0, covered.1, program]).args(words);
    crate::support::run(&mut unshare)
}

#[test]
fn every_line_the_kernel_can_write_is_shown_as_netstat_shows_it() {
    let Some(netstat) = needed("netstat") else {
        return;
    };
    let cover = output(Command::new("unshare").args(["--mount", "mount", "--bind", "/", "/"]));
    if !cover.is_ok_and(|output| output.status.success()) {
        skip("no mount namespace of our own");
        return;
    }
    // No packet leaves for the name of a host that is made up.
    let Some(_namespace) = fresh() else { return };
    let (folder, proc) = (folder(), proc());
    let covered = (proc.path(), &*folder.path().join("hosts"));
    let ours = folder.path().join("netstat");
    let mut lines = 0;
    for words in [
        &["-aneop"][..],
        &["-aeopW", "--numeric-hosts"],
        &["-an6oe"],
        &["-leo", "--numeric-hosts"],
        &["-eo", "--numeric-hosts"],
        &["-aUwxnp"],
        &["-aux", "--numeric-hosts"],
        &["-xl"],
    ] {
        let theirs = run(&netstat, covered, words);
        let said = run(&ours, covered, words);
        if let Some(difference) = difference(&theirs, &said) {
            panic!("{words:?}: {difference}");
        }
        lines += theirs.stdout.split(|byte| *byte == b'\n').count();
    }
    assert!(lines > 5_000, "{lines}");
}
