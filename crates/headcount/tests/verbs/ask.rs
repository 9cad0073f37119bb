//! The questions of `headcount design`, answered on a terminal.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use tempfile::TempDir;

use crate::support::{PATIENCE, headcount};

/// `headcount design` on a terminal of its own, and the person before it.
struct Terminal {
    child: Child,
    keys: File,
    shown: Receiver<Vec<u8>>,
    /// What was shown and not looked at.
    text: String,
    _home: TempDir,
}

impl Terminal {
    fn open() -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&ours).expect("a terminal");
        unlockpt(&ours).expect("a terminal");
        let size = Winsize { ws_row: 40, ws_col: 500, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&ours, size).expect("a size");
        let path = ptsname(&ours, Vec::new()).expect("its path");
        let theirs = OpenOptions::new()
            .read(true)
            .write(true)
            .open(OsStr::from_bytes(path.as_bytes()))
            .expect("its other side");
        let home = tempfile::tempdir().expect("a folder");
        let child = headcount(home.path())
            .arg("design")
            .env("TERM", "xterm")
            .env("NO_COLOR", "1")
            .stdin(theirs.try_clone().expect("a terminal"))
            .stdout(Stdio::piped())
            .stderr(theirs)
            .spawn()
            .expect("headcount runs");
        let keys = File::from(ours);
        let mut screen = keys.try_clone().expect("a terminal");
        let (send, shown) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // It ends with an error, when nobody has the other side any more.
            while let Ok(length @ 1..) = screen.read(&mut bytes) {
                if send.send(bytes[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { child, keys, shown, text: String::new(), _home: home }
    }

    /// Waits until this is shown, and answers it.
    fn answer(&mut self, shown: &str, keys: &str) {
        let until = Instant::now() + PATIENCE;
        let end = loop {
            if let Some(at) = self.text.find(shown) {
                break at + shown.len();
            }
            match self.shown.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.text.push_str(&String::from_utf8_lossy(&bytes)),
                Err(_) => panic!("{shown:?} is not shown: {:?}", self.text),
            }
        };
        self.text.drain(..end);
        self.keys.write_all(keys.as_bytes()).expect("written");
    }

    /// Its exit status, and what it printed.
    fn end(mut self) -> (Option<i32>, String) {
        let mut printed = String::new();
        let mut stdout = self.child.stdout.take().expect("a pipe");
        stdout.read_to_string(&mut printed).expect("text");
        (self.child.wait().expect("it ends").code(), printed)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Only of a test that failed is it still there.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const ENTER: &str = "\r";
/// As many times as the longest answer that is taken back has letters.
const CLEAR: &str = "\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}";
const CTRL_C: &str = "\u{3}";

#[test]
fn what_will_not_do_is_asked_for_again() {
    let mut terminal = Terminal::open();
    terminal.answer("What is behind the name?", ENTER);
    terminal.answer("Which software or image?", ENTER);
    terminal.answer("say what runs in the pods", "etcd\r");
    terminal.answer("Under which name do clients find it?", "Orders_DB\r");
    terminal.answer("for example orders-db", &format!("{CLEAR}orders-db\r"));
    terminal.answer("How many replicas?", "many\r");
    terminal.answer("expected a number", &format!("{CLEAR}2\r"));
    terminal.answer("In which namespace?", "prod\r");
    terminal.answer("From which other namespaces", ENTER);
    terminal.answer("How do clients outside", ENTER);
    let (status, printed) = terminal.end();
    assert!(printed.starts_with("# orders-db in namespace prod"), "{printed}");
    assert!(printed.contains("orders-db-1.orders-db-peers.prod.svc.cluster.local"), "{printed}");
    assert_eq!(status, Some(0));
}

#[test]
fn ctrl_c_is_enough() {
    let mut terminal = Terminal::open();
    terminal.answer("What is behind the name?", ENTER);
    terminal.answer("Which software or image?", CTRL_C);
    assert_eq!(terminal.end(), (Some(130), String::new()));
}
