//! A terminal, and somebody who looks at it and presses keys.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Output};

use rustix::termios::{Action, tcflow};
use tempfile::TempDir;

use crate::support::{LSOCK, has, output, until_ok};

/// A shell in `tmux`, in the namespace of this thread.
pub struct Terminal {
    folder: TempDir,
}

/// What the shell asks for the next command with.
const PROMPT: &str = "ready>";

impl Terminal {
    /// With a screen of this size, and in this environment; nothing, with the reason on stderr, where
    /// there is no `tmux`.
    pub fn open(width: u16, height: u16, environment: &[(&str, &str)]) -> Option<Terminal> {
        if !has("tmux") {
            return None;
        }
        let folder = TempDir::new().unwrap();
        let terminal = Terminal { folder };
        let mut shell = String::from("exec env -u NO_COLOR LC_ALL=C.UTF-8");
        for (name, value) in environment {
            shell.extend([" ", name, "=", value]);
        }
        shell.extend([" PS1='", PROMPT, "' HISTFILE= bash --norc --noprofile"]);
        let size = [width.to_string(), height.to_string()];
        let begun = terminal.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            &size[0],
            "-y",
            &size[1],
            &shell,
        ]);
        assert!(begun.status.success(), "{begun:?}");
        terminal.wait_for("a prompt", |screen| screen.starts_with(PROMPT));
        Some(terminal)
    }

    fn tmux(&self, words: &[&str]) -> Output {
        let mut tmux = Command::new("tmux");
        // `-u`: it takes and gives UTF-8, wherever the tests run.
        tmux.arg("-u").arg("-S").arg(self.file("socket"));
        tmux.args(words).env_remove("TMUX").env("LC_ALL", "C.UTF-8");
        output(&mut tmux).unwrap()
    }

    /// Presses keys, by the names of `tmux`.
    pub fn press(&self, keys: &[&str]) {
        let sent = self.tmux(&[&["send-keys"], keys].concat());
        assert!(sent.status.success(), "{sent:?}");
    }

    /// Types a text.
    pub fn write(&self, text: &str) {
        self.press(&["-l", text]);
    }

    /// Runs `lsock` with these words, and waits until it has taken the screen.
    pub fn run(&self, words: &str) {
        self.write(&format!("{LSOCK} {words}"));
        self.press(&["Enter"]);
        self.wait_for("the view", |screen| screen.starts_with("lsock  "));
    }

    /// What is on the screen.
    pub fn screen(&self) -> String {
        self.capture(&[])
    }

    /// The same with the sequences that colour it.
    pub fn painted(&self) -> String {
        self.capture(&["-e"])
    }

    fn capture(&self, more: &[&str]) -> String {
        let output = self.tmux(&[&["capture-pane", "-p"], more].concat());
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Waits until the screen is so, and gives it.
    ///
    /// # Panics
    ///
    /// When it is not in time.
    #[track_caller]
    pub fn wait_for(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        until_ok(what, || {
            let screen = self.screen();
            if is_so(&screen) {
                Ok(screen)
            } else {
                Err(screen)
            }
        })
    }

    /// Gives the screen another size.
    pub fn resize(&self, width: u16, height: u16) {
        let size = [width.to_string(), height.to_string()];
        let resized = self.tmux(&["resize-window", "-x", &size[0], "-y", &size[1]]);
        assert!(resized.status.success(), "{resized:?}");
    }

    /// Stops what is written to it, as Ctrl-S does.
    pub fn stop_output(&self) {
        let tty = self.tmux(&["display-message", "-p", "#{pane_tty}"]);
        let tty = String::from_utf8(tty.stdout).unwrap();
        let tty = File::options().write(true).open(tty.trim()).unwrap();
        tcflow(tty, Action::OOff).unwrap();
    }

    /// The process that the shell runs.
    pub fn child(&self) -> u32 {
        let pane = self.tmux(&["display-message", "-p", "#{pane_pid}"]);
        let pane = String::from_utf8(pane.stdout).unwrap();
        let pane = pane.trim();
        let path = format!("/proc/{pane}/task/{pane}/children");
        let children = std::fs::read_to_string(path).unwrap();
        children.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// A file beside it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What the shell says about its terminal: modes, and whether the alternate screen, the cursor and the mouse
    /// are on.
    pub fn modes(&self) -> String {
        let flags =
            "#{alternate_on} #{cursor_flag} #{wrap_flag} #{mouse_any_flag} #{mouse_sgr_flag}";
        let flags = self.tmux(&["display-message", "-p", flags]).stdout;
        let modes = self.file("modes");
        self.write(&format!(
            "stty -a > {0}.new; mv {0}.new {0}",
            modes.display()
        ));
        self.press(&["Enter"]);
        until_ok("modes", || {
            modes.exists().then_some(()).ok_or_else(|| self.screen())
        });
        let stty = std::fs::read_to_string(&modes).unwrap();
        std::fs::remove_file(&modes).unwrap();
        self.press(&["C-l"]);
        self.wait_for("an empty screen", |screen| screen.trim() == PROMPT);
        format!("{}{stty}", String::from_utf8(flags).unwrap())
    }

    /// Whether the mouse is told to what runs there: `1` or `0`.
    pub fn mouse(&self) -> String {
        let flag = self.tmux(&["display-message", "-p", "#{mouse_any_flag}"]);
        String::from_utf8(flag.stdout).unwrap().trim().to_owned()
    }

    /// Waits until the shell asks for the next command.
    pub fn wait_for_prompt(&self) -> String {
        self.wait_for("a prompt", |screen| screen.trim_end().ends_with(PROMPT))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The server of this terminal alone.
        self.tmux(&["kill-server"]);
    }
}
