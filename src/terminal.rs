//! The terminal and environment of the program. For a view, takes over the screen, reads keys, and always restores
//! the terminal.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};
use std::mem;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossterm::cursor::{Hide, Show};
use crossterm::event::{
    self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseEventKind,
};
use crossterm::execute;
use crossterm::style::Print;
use crossterm::terminal::{
    DisableLineWrap, EnableLineWrap, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
    enable_raw_mode,
};
use jiff::tz::TimeZone;
use lsock::cli::{self, Terminal};
use lsock::mode::{Console, EventSender, Stdout, ignored_signals};
use lsock::render::view::Input;
use procfs::process::Process;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Signal, getpgrp, kill_current_process_group};
use rustix::termios::{Action, isatty, tcflow, tcgetpgrp, tcgetwinsize};
use signal_hook::consts::{
    FORBIDDEN, SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGPIPE, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU,
    SIGURG, SIGWINCH,
};
use signal_hook::iterator::Signals;
use signal_hook::low_level;

/// The size of a terminal that does not report one.
const USUAL: [u16; 2] = [80, 24];

/// Describes the terminal and environment.
pub(crate) fn found() -> Terminal {
    let stdout = io::stdout();
    let is_terminal = isatty(&stdout);
    let size = tcgetwinsize(&stdout).ok().filter(|_| is_terminal);
    let kind = env::var_os("TERM").unwrap_or_default();
    let is_dumb = kind.is_empty() || kind == "dumb";
    let no_color = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    Terminal {
        width: size.map(|size| size.ws_col).filter(|columns| *columns > 0),
        height: size.map(|size| size.ws_row).filter(|rows| *rows > 0),
        zone: Some(TimeZone::system),
        console: (is_terminal && !is_dumb).then_some(open),
        output: Some(output),
        ask: (is_terminal && isatty(io::stdin())).then_some(ask),
        ssh: Some(session),
        is_terminal,
        no_color: no_color || is_dumb,
        utf8: cli::is_utf8(&locale()),
    }
}

/// The locale by POSIX: the first variable that is set and not empty.
fn locale() -> OsString {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"].map(env::var_os);
    let mut set = set.into_iter().flatten();
    set.find(|value| !value.is_empty()).unwrap_or_default()
}

/// Asks on the terminal; only yes means yes.
fn ask(question: &str) -> io::Result<bool> {
    write!(io::stderr(), "{question} [y/N] ")?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// The connection of the `ssh` session. `sudo` does not pass the variable on; then an ancestor process has it.
fn session() -> Option<[SocketAddr; 2]> {
    const NAME: &str = "SSH_CONNECTION";
    let mut found = env::var_os(NAME);
    let mut process = Process::myself().ok();
    while let Some(below) = process.filter(|_| found.is_none()) {
        let parent = below
            .stat()
            .ok()
            .map(|stat| stat.ppid)
            .filter(|pid| *pid > 0);
        process = parent.and_then(|pid| Process::new(pid).ok());
        let environment = process.as_ref().and_then(|process| process.environ().ok());
        found = environment.and_then(|mut all| all.remove(OsStr::new(NAME)));
    }
    ends(found?.to_str()?)
}

/// The ends in `10.0.0.5 52211 10.0.0.1 22`: our own, then the client's.
fn ends(text: &str) -> Option<[SocketAddr; 2]> {
    let mut words = text.split_ascii_whitespace();
    let mut end = || {
        // A link-local address names its interface.
        let address = words.next()?.split('%').next()?.parse().ok()?;
        Some(SocketAddr::new(address, words.next()?.parse().ok()?))
    };
    let (client, own) = (end()?, end()?);
    Some([own, client])
}

/// Duplicates the descriptor of standard output.
pub(crate) fn output() -> io::Result<OwnedFd> {
    io::stdout().as_fd().try_clone_to_owned()
}

/// Enables reports of mouse buttons and the wheel, not of motion.
const MOUSE: &str = "\u{1b}[?1000h\u{1b}[?1006h";
/// Disables mouse reports.
const NO_MOUSE: &str = "\u{1b}[?1006l\u{1b}[?1000l";

/// True if the terminal is taken. Every writer holds this lock, so that a panic or signal can restore the terminal
/// and nobody draws on it afterwards.
static TAKEN: Mutex<bool> = Mutex::new(false);

/// How long the end waits for a writer blocked on the terminal, or for an orderly end that does not come.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often the program checks whether it has the terminal, or has it again after being stopped.
const GLANCE: Duration = Duration::from_millis(100);

/// Takes the terminal on standard output.
fn open(events: EventSender) -> io::Result<(Box<dyn Console>, bool)> {
    let screen = Screen(Stdout::from(output()?));
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        give_back();
        before(panic);
    }));
    let (signals, to_redraw) = (Signals::new(caught())?, events.clone());
    thread::Builder::new().spawn(move || attend(signals, &to_redraw))?;
    // Without a terminal as input there are neither raw mode nor keys.
    let has_keys = take()?;
    if has_keys {
        thread::Builder::new().spawn(move || read(&events))?;
    }
    Ok((Box::new(screen), has_keys))
}

/// The terminal while it is taken.
struct Screen(Stdout);

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

impl Console for Screen {
    fn size(&self) -> [u16; 2] {
        match tcgetwinsize(&self.0) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => [size.ws_col, size.ws_row],
            _ => USUAL,
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let is_taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        // The signal that moved the program to the background may not have been handled yet.
        if *is_taken && has_terminal() {
            self.0.write_all(bytes)
        } else {
            Ok(())
        }
    }

    fn output(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Takes the terminal; true if keys can be read. Its modes may have changed meanwhile.
fn take() -> io::Result<bool> {
    let mut is_taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    *is_taken = true;
    let _ = disable_raw_mode();
    let is_raw = enable_raw_mode().is_ok();
    let mut out = Stdout::from(output()?);
    let mouse = if is_raw { MOUSE } else { NO_MOUSE };
    execute!(
        out,
        EnterAlternateScreen,
        DisableLineWrap,
        Hide,
        Print(mouse)
    )?;
    Ok(is_raw)
}

/// Restores the terminal, once. One that is gone needs nothing; one that blocks output gets only its modes back.
fn give_back() {
    let until = Instant::now() + PATIENCE;
    // After Ctrl-S the output stays blocked.
    let _ = tcflow(io::stdout(), Action::OOn);
    let mut lock = TAKEN.try_lock();
    while lock.is_err() && Instant::now() < until {
        thread::sleep(PATIENCE / 100);
        lock = TAKEN.try_lock();
    }
    // Held to the end: the next caller may end the program.
    if let Ok(is_taken) = &mut lock
        && !mem::take(&mut **is_taken)
    {
        return;
    }
    let _ = disable_raw_mode();
    let Ok(descriptor) = output() else { return };
    let pause = PATIENCE.try_into().ok();
    let ready = poll(
        &mut [PollFd::new(&descriptor, PollFlags::OUT)],
        pause.as_ref(),
    );
    if lock.is_ok() && ready.is_ok_and(|ready| ready > 0) {
        let mut out = Stdout::from(descriptor);
        let _ = execute!(
            out,
            Print(NO_MOUSE),
            EnableLineWrap,
            Show,
            LeaveAlternateScreen
        );
    }
}

/// Signals that would end or stop the program, after which the screen must be redrawn, or that end it in order, if that
/// takes too long. Ignored signals stay ignored.
fn caught() -> impl Iterator<Item = i32> {
    let ignored = ignored_signals();
    let others = [SIGPIPE, SIGCHLD, SIGURG, SIGTTIN, SIGTTOU];
    // The C library reserves the first real-time signals.
    let signals = (1..32).chain(35..=64);
    signals.filter(move |signal| {
        let is_ignored = ignored >> (signal - 1) & 1 == 1;
        !is_ignored && !FORBIDDEN.contains(signal) && !others.contains(signal)
    })
}

/// Handles signals as long as the program runs.
fn attend(mut signals: Signals, events: &EventSender) {
    let mut is_away = false;
    loop {
        let was_away = is_away;
        let caught = if was_away {
            thread::sleep(GLANCE);
            signals.pending()
        } else {
            signals.wait()
        };
        for signal in caught {
            match signal {
                SIGWINCH => _ = events.input(Input::Redraw),
                SIGCONT => {
                    // Whoever stopped the program has used the terminal.
                    if let Ok(mut is_taken) = TAKEN.try_lock() {
                        *is_taken = false;
                    }
                    is_away = true;
                }
                SIGTSTP => {
                    give_back();
                    // Stops the program, unless it is orphaned.
                    let _ = low_level::raise(SIGTTOU);
                    is_away = true;
                }
                SIGHUP | SIGINT | SIGTERM => {
                    thread::sleep(PATIENCE);
                    end(signal);
                }
                _ => end(signal),
            }
        }
        if was_away && has_terminal() && take().is_ok() {
            is_away = false;
            events.input(Input::Redraw);
        }
    }
}

/// Ends the program as the signal would have.
fn end(signal: i32) {
    give_back();
    let _ = low_level::emulate_default_handler(signal);
    // The crate does not know this signal.
    low_level::exit(128 + signal);
}

/// True if the shell runs this program in the foreground.
fn has_terminal() -> bool {
    tcgetpgrp(io::stdout()).map_or(true, |group| group == getpgrp())
}

/// Reads keys until that fails or nobody wants them. In the background it does not read: that would stop the program
/// just as the shell brings it back.
fn read(events: &EventSender) {
    loop {
        if !has_terminal() {
            thread::sleep(GLANCE);
            continue;
        }
        match event::poll(GLANCE).and_then(|is_there| is_there.then(event::read).transpose()) {
            Err(_) => return,
            Ok(event) => {
                if event
                    .and_then(input)
                    .is_some_and(|input| !events.input(input))
                {
                    return;
                }
            }
        }
    }
}

fn input(event: Event) -> Option<Input> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => key_input(key),
        Event::Mouse(mouse) if mouse.kind == MouseEventKind::ScrollUp => Some(Input::WheelUp),
        Event::Mouse(mouse) if mouse.kind == MouseEventKind::ScrollDown => Some(Input::WheelDown),
        _ => None,
    }
}

fn key_input(key: KeyEvent) -> Option<Input> {
    let with = |modifier| key.modifiers.contains(modifier);
    Some(match key.code {
        KeyCode::Char(letter) if with(KeyModifiers::CONTROL) => match letter {
            'a' => Input::First,
            'e' => Input::Last,
            'h' => Input::Backspace,
            'l' => Input::Redraw,
            'z' => {
                let _ = kill_current_process_group(Signal::TSTP);
                return None;
            }
            _ => Input::Control(letter),
        },
        KeyCode::Char(_) if with(KeyModifiers::ALT) => return None,
        KeyCode::Char(letter) => Input::Char(letter),
        KeyCode::Up => Input::Up,
        KeyCode::Down => Input::Down,
        KeyCode::Left => Input::Left,
        KeyCode::Right => Input::Right,
        KeyCode::PageUp => Input::PageUp,
        KeyCode::PageDown => Input::PageDown,
        KeyCode::Home => Input::First,
        KeyCode::End => Input::Last,
        KeyCode::Enter => Input::Enter,
        KeyCode::Esc => Input::Escape,
        KeyCode::Backspace => Input::Backspace,
        KeyCode::Delete => Input::Delete,
        _ => return None,
    })
}
