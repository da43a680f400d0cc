//! The surroundings of the program. Of a terminal the screen is taken for a view, the keys are read, and
//! it is given back as it was, whatever happens.

use std::env;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::mem;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::panic;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use crossterm::cursor::{Hide, Show};
use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::execute;
use crossterm::terminal::{
    DisableLineWrap, EnableLineWrap, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
    enable_raw_mode,
};
use jiff::tz::TimeZone;
use lsock::cli::{self, Terminal};
use lsock::mode::{Console, Input, Stdout};
use rustix::process::{Signal, kill_current_process_group};
use rustix::termios::{isatty, tcgetwinsize};

/// The size of a terminal that does not say it.
const USUAL: [u16; 2] = [80, 24];

/// What there is.
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
        is_terminal,
        no_color: no_color || is_dumb,
        utf8: cli::is_utf8(&locale()),
    }
}

/// What POSIX says: the first of these that is set and not empty counts.
fn locale() -> OsString {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"].map(env::var_os);
    let mut set = set.into_iter().flatten();
    set.find(|value| !value.is_empty()).unwrap_or_default()
}

/// Another descriptor of the standard output.
pub(crate) fn output() -> io::Result<OwnedFd> {
    io::stdout().as_fd().try_clone_to_owned()
}

/// Is the terminal taken? Whoever writes to it holds this: a thread that panics gives the terminal back,
/// and another one must not draw on it afterwards.
static TAKEN: Mutex<bool> = Mutex::new(false);

fn taken() -> MutexGuard<'static, bool> {
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the terminal on standard output.
fn open() -> io::Result<Box<dyn Console>> {
    let out = Stdout::from(output()?);
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        give_back();
        before(panic);
    }));
    let mut screen = Screen { out, keys: None };
    // Without a terminal to read from there is no raw mode, and there are no keys.
    if screen.take()? {
        screen.keys = Some(Keys::read()?);
    }
    Ok(Box::new(screen))
}

/// The terminal while it is taken.
struct Screen {
    out: Stdout,
    keys: Option<Keys>,
}

impl Screen {
    /// `true` = keys can be read.
    fn take(&mut self) -> io::Result<bool> {
        let mut taken = taken();
        *taken = true;
        let is_raw = enable_raw_mode().is_ok();
        execute!(self.out, EnterAlternateScreen, DisableLineWrap, Hide)?;
        Ok(is_raw)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Makes the terminal what it was, once. One that is gone needs nothing.
fn give_back() {
    let mut taken = taken();
    if !mem::take(&mut *taken) {
        return;
    }
    if let Ok(descriptor) = output() {
        let mut out = Stdout::from(descriptor);
        let _ = execute!(out, EnableLineWrap, Show, LeaveAlternateScreen);
    }
    let _ = disable_raw_mode();
}

impl Console for Screen {
    fn size(&self) -> [u16; 2] {
        match tcgetwinsize(&self.out) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => [size.ws_col, size.ws_row],
            _ => USUAL,
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let taken = taken();
        if *taken {
            self.out.write_all(bytes)
        } else {
            Ok(())
        }
    }

    fn input(&self) -> Option<BorrowedFd<'_>> {
        self.keys.as_ref().map(|keys| keys.wake.as_fd())
    }

    fn output(&self) -> BorrowedFd<'_> {
        self.out.as_fd()
    }

    fn next(&mut self) -> Option<Input> {
        let keys = self.keys.as_ref()?;
        if keys.is_over() {
            self.keys = None;
            return None;
        }
        keys.pressed.try_recv().ok()
    }

    fn suspend(&mut self) -> io::Result<()> {
        give_back();
        kill_current_process_group(Signal::TSTP)?;
        self.take().map(|_| ())
    }
}

/// Keys, as a thread reads them.
struct Keys {
    pressed: Receiver<Input>,
    /// Can be read when there are some.
    wake: UnixStream,
}

impl Keys {
    fn read() -> io::Result<Self> {
        let (sender, pressed) = mpsc::channel();
        let (wake, waker) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        thread::Builder::new().spawn(move || read(&sender, waker))?;
        Ok(Self { pressed, wake })
    }

    /// Is nobody reading any more? What woke us is taken.
    fn is_over(&self) -> bool {
        matches!(rustix::io::read(&self.wake, &mut [0; 64]), Ok(0))
    }
}

/// Reads keys until that is not possible any more, or nobody wants them.
fn read(pressed: &Sender<Input>, mut waker: UnixStream) {
    while let Ok(event) = event::read() {
        if let Some(input) = input(&event)
            && (pressed.send(input).is_err() || waker.write_all(&[0]).is_err())
        {
            return;
        }
    }
}

fn input(event: &Event) -> Option<Input> {
    match event {
        Event::Resize(..) => Some(Input::Resize),
        Event::Key(key) if key.kind != KeyEventKind::Release => key_input(*key),
        _ => None,
    }
}

fn key_input(key: KeyEvent) -> Option<Input> {
    let with = |modifier| key.modifiers.contains(modifier);
    Some(match key.code {
        KeyCode::Char(letter) if with(KeyModifiers::CONTROL) => match letter {
            'a' => Input::Home,
            'e' => Input::End,
            'h' => Input::Backspace,
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
        KeyCode::Home => Input::Home,
        KeyCode::End => Input::End,
        KeyCode::Enter => Input::Enter,
        KeyCode::Esc => Input::Escape,
        KeyCode::Backspace => Input::Backspace,
        KeyCode::Delete => Input::Delete,
        _ => return None,
    })
}
