//! Drawings and pages, in a browser.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::events::watch::traced;
use crate::scene::holder::Holder;
use crate::scene::{V4, tcp};
use crate::shell;
use crate::support::{Browser, Reading, close, command, fresh, lsock, program, spawn, stage};

/// A file that `lsock -n` writes with these words.
fn page(folder: &TempDir, words: &[&str]) -> PathBuf {
    let path = folder.path().join("page.html");
    let to = path.to_str().unwrap();
    let run = lsock([&["-n", "--output", to], words].concat());
    assert!(run.status == Some(0) && run.stdout.is_empty(), "{run:?}");
    path
}

/// The texts of the cells of a column, in the rows that are seen.
fn column(browser: &mut Browser, table: usize, column: usize) -> Vec<String> {
    let cells = browser.value(&format!(
        "[...document.querySelectorAll('table.sockets')[{table}].tBodies[0].rows]
            .filter(row => !row.hidden).map(row => row.cells[{column}].textContent)"
    ));
    let cells = cells.as_array().unwrap().iter();
    cells
        .map(|cell| cell.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn pages_load_nothing_and_say_nothing_in_light_and_dark() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let Some(mut browser) = Browser::start(&[]) else {
        return;
    };
    let folder = TempDir::new().unwrap();
    for words in [
        &["-s", "--format", "html", "-A", "all"][..],
        &["-s", "--format", "svg"],
    ] {
        let mut path = page(&folder, words);
        if words.contains(&"svg") {
            let drawing = folder.path().join("drawing.svg");
            std::fs::rename(&path, &drawing).unwrap();
            path = drawing;
        }
        let colours = ["light", "dark"].map(|scheme| {
            browser.open(&path, scheme);
            browser.assert_quiet();
            // Its own style sheet is used.
            browser.value("getComputedStyle(document.querySelector('.back')).fill")
        });
        assert_ne!(colours[0], colours[1], "{words:?}");
        let arrows = "document.querySelectorAll('svg .arrow').length";
        assert_eq!(browser.value(arrows), 21, "{words:?}");
        let numbers = "[...document.querySelectorAll('svg .count')].map(one => one.textContent)";
        let numbers = browser.value(numbers);
        let is_number = |text: &Value| text == "" || text.as_str().unwrap().parse::<u64>().is_ok();
        assert!(
            numbers.as_array().unwrap().iter().all(is_number),
            "{numbers}"
        );
    }
}

#[test]
fn tables_have_the_sockets_and_sort_and_filter() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let Some(mut browser) = Browser::start(&[]) else {
        return;
    };
    let folder = TempDir::new().unwrap();
    browser.open(&page(&folder, &["-st", "--format", "html"]), "light");
    let mut wanted: Vec<String> = lsock(["-tanH", "state", "connected"])
        .clean()
        .lines()
        .iter()
        .map(|line| line.split_whitespace().nth(4).unwrap().to_owned())
        .collect();
    let mut found = column(&mut browser, 1, 4);
    wanted.sort();
    found.sort();
    assert_eq!(found, wanted);
    // By the number in front of what follows it: 9 comes before 10.
    let sort = |browser: &mut Browser| {
        browser.value("document.querySelectorAll('table.sockets')[1].querySelectorAll('th button')[2].click()");
        let queues = column(browser, 1, 2).into_iter();
        queues
            .map(|queue| queue.parse().unwrap_or(0))
            .collect::<Vec<u64>>()
    };
    let rising = sort(&mut browser);
    assert!(
        rising.is_sorted() && rising.last() > Some(&1_000),
        "{rising:?}"
    );
    let falling = sort(&mut browser);
    assert!(falling.iter().rev().eq(&rising), "{falling:?}");
    let sorted = browser.value("document.querySelectorAll('[aria-sort=descending]').length");
    assert_eq!(sorted, 1);
    let filter = |browser: &mut Browser, text: &str| {
        let text = json!(text);
        browser.value(&format!(
            "(() => {{ const box = document.querySelectorAll('input')[1]; box.value = {text};
                box.dispatchEvent(new Event('input')) }})()"
        ));
        column(browser, 1, 1)
    };
    let all = filter(&mut browser, "").len();
    let closing = filter(&mut browser, "close_wait 127.0.0.1");
    assert!(!closing.is_empty() && closing.iter().all(|state| state == "CLOSE_WAIT"));
    let told = browser.value("document.querySelectorAll('output')[1].textContent");
    assert_eq!(told, format!("{} of {all}", closing.len()));
    assert!(filter(&mut browser, "no such socket").is_empty());
    browser.assert_quiet();
}

#[test]
fn pages_are_readable_without_scripts() {
    let Some((scene, _namespace)) = stage() else {
        return;
    };
    let no_script = "--blink-settings=scriptEnabled=false";
    let Some(mut browser) = Browser::start(&[no_script]) else {
        return;
    };
    let folder = TempDir::new().unwrap();
    browser.open(&page(&folder, &["-s", "--format", "html"]), "light");
    let shown = browser.html();
    // Nothing that does nothing.
    assert!(
        !shown.contains("<input") && !shown.contains("<button"),
        "{shown}"
    );
    for state in ["LISTEN", "CLOSE_WAIT", "TIME_WAIT", "SYN_RCVD", "UNCONN"] {
        assert!(
            shown.contains(&format!("<td class=\"{state}\">{state}</td>")),
            "{state}"
        );
    }
    let states: BTreeSet<_> = scene.expected.iter().map(|one| one.state).collect();
    assert!(states.len() > 11, "{states:?}");
}

#[test]
fn names_are_text() {
    let Some(_namespace) = fresh() else { return };
    let Some(mut browser) = Browser::start(&[]) else {
        return;
    };
    let name = "<script>alert(1)</script><img src=x onerror='alert(2)'>\"&amp;\u{202e}";
    let listener = tcp::listener(V4, 1).unwrap();
    let _child = Holder::named(b"<script>alert(1", &[listener.as_fd()]).unwrap();
    let unix = SocketAddr::from_abstract_name(name).unwrap();
    let _unix = UnixListener::bind_addr(&unix).unwrap();
    let folder = TempDir::new().unwrap();
    let words = [
        "-s", "--format", "html", "-A", "tcp,unix", "(", "any", "alert", ")",
    ];
    browser.open(&page(&folder, &words), "light");
    browser.assert_quiet();
    // Those of the page itself.
    let elements =
        "['script', 'style', 'img', 'b > *'].map(one => document.querySelectorAll(one).length)";
    assert_eq!(browser.value(elements), json!([1, 1, 0, 0]));
    let text = browser.value("document.body.textContent");
    let text = text.as_str().unwrap();
    assert!(text.contains("<script>alert(1["), "{text}");
    let escaped = name.replace('\u{202e}', "\\xe2\\x80\\xae");
    assert!(text.contains(&format!("@{escaped}")), "{text}");
    // A name that got in would be refused.
    let inject = "document.body.append(Object.assign(document.createElement('script'), { text: 'window.got = 1' })); window.got";
    assert_eq!(browser.value(inject), Value::Null);
}

#[test]
fn a_connection_is_drawn_as_arrows() {
    let Some(_namespace) = traced() else { return };
    let Some(mut browser) = Browser::start(&[]) else {
        return;
    };
    let words = ["-En", "--by", "pair", "--format", "html", "--limit", "1"];
    let watch = Reading::start(program().args(words), |line| line);
    watch.wait_for("a page", |lines| lines.iter().any(|line| line == "<main>"));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let end = listener.local_addr().unwrap();
    let client = TcpStream::connect(end).unwrap();
    let (server, _) = listener.accept().unwrap();
    close(client);
    close(server);
    let (lines, run) = watch.outcome();
    assert_eq!(run.status, Some(0), "{run:?}");
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("exchange.html");
    std::fs::write(&path, lines.join("\n")).unwrap();
    browser.open(&path, "dark");
    // Without the style sheet, which has other line ends then, there would be complaints.
    browser.assert_quiet();
    let ends = browser.value("document.querySelector('.ends').innerText");
    assert!(ends.as_str().unwrap().contains(&end.to_string()), "{ends}");
    let states =
        browser.value("[...document.querySelectorAll('svg .state')].map(one => one.textContent)");
    for state in ["SYN_SENT", "ESTABLISHED", "FIN_WAIT_1", "CLOSE_WAIT"] {
        assert!(
            states.as_array().unwrap().contains(&json!(state)),
            "{states}"
        );
    }
}

#[test]
fn a_page_of_connections_is_written_to_a_file_as_a_whole() {
    let Some(_namespace) = fresh() else { return };
    let folder = TempDir::new().unwrap();
    let words = ["-E", "--by", "pair", "--format", "html", "--wait", "10ms"];
    let text = std::fs::read_to_string(page(&folder, &words)).unwrap();
    assert!(text.starts_with("<!DOCTYPE html>") && text.ends_with("</html>\n"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// The hash of a text, as a policy has it.
fn hash(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut sum = command("sha256sum");
    let mut child = spawn(sum.stdin(Stdio::piped()).stdout(Stdio::piped())).unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let sum = child.wait_with_output().unwrap().stdout;
    let bits = sum[..64].iter();
    let bits = bits.map(|digit| format!("{:04b}", char::from(*digit).to_digit(16).unwrap()));
    let bits = bits.collect::<Vec<_>>().concat();
    // 256 bits are 43 digits, of which the last has two bits too many.
    let digits = format!("{bits}00");
    let digits = digits.as_bytes().chunks(6).map(|six| {
        let six = std::str::from_utf8(six).unwrap();
        char::from(DIGITS[usize::from_str_radix(six, 2).unwrap()])
    });
    format!("'sha256-{}='", digits.collect::<String>())
}

#[test]
fn only_the_style_sheet_and_the_script_of_the_program_are_allowed() {
    let file = |name: &str| shell::text(&format!("src/render/page/{name}"));
    let style = file("drawing.css") + &file("page.css");
    let policy = format!(
        "style-src {}; script-src {}",
        hash(&style),
        hash(&file("page.js"))
    );
    let page = lsock(["-s", "--format", "html", "-t"]).done();
    assert!(
        page.text().contains(&policy),
        "src/render/page/mod.rs: POLICY is not \"…; {policy}\""
    );
}
