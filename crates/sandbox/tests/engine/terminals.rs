//! Terminals.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::Command;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use sandbox::{Exit, Stdio, WindowSize};

use crate::support::{Trial, container, process};

const SIZE: WindowSize = WindowSize { columns: 91, rows: 37 };

const PATIENCE: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

/// Reads until a word is there.
fn until(terminal: &mut File, word: &str) -> String {
    let (mut read, mut bytes) = (String::new(), [0; 256]);
    while !read.contains(word) {
        let mut readable = [PollFd::new(&*terminal, PollFlags::IN)];
        let ready = poll(&mut readable, Some(&PATIENCE)).unwrap();
        assert!(ready > 0, "{word} does not come: {read}");
        let length = terminal.read(&mut bytes).unwrap_or(0);
        assert!(length > 0, "it ended without {word}: {read}");
        read.push_str(&String::from_utf8_lossy(&bytes[..length]));
    }
    read
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_on_a_terminal() {
    let trial = Trial::start().await;
    let pod = trial.pod("a", 5).await;
    let mut spec = container(&pod, "main", &["sh"]);
    spec.process.user.uid = 1000;
    let id = spec.id.clone();
    let mut first = trial.engine.start_container(spec, Stdio::Terminal(SIZE)).await.unwrap();
    let mut terminal = File::from(first.terminal.take().unwrap());
    terminal.write_all(b"stty size; tty; test -O $(tty) && echo mi''ne\n").unwrap();
    let said = until(&mut terminal, "mine\r\n");
    assert!(said.contains("37 91\r\n/dev/pts/0\r\n"), "{said}");

    // The other side sets another size, and an interrupt reaches what is in front.
    rustix::termios::tcsetwinsize(&terminal, winsize(100, 50)).unwrap();
    terminal.write_all(b"sh -c 'stty size; exec sleep 1000'\n").unwrap();
    until(&mut terminal, "50 100\r\n");
    terminal.write_all(b"\x03").unwrap();
    until(&mut terminal, "^C");

    let mut beside =
        trial.engine.exec(&id, process(&["tty"]), Stdio::Terminal(SIZE)).await.unwrap();
    let mut other = File::from(beside.terminal.take().unwrap());
    until(&mut other, "/dev/pts/1\r\n");
    assert_eq!(beside.exit().await, Exit::Code(0));

    terminal.write_all(b"exit 5\n").unwrap();
    assert_eq!(first.exit().await, Exit::Code(5));
}

fn winsize(columns: u16, rows: u16) -> rustix::termios::Winsize {
    rustix::termios::Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 }
}

/// A shell has interrupts ignored for what it starts in the background, and programs keep that, unless somebody mends it.
#[test]
fn what_was_ignored_outside_is_heard_inside() {
    let ignoring = "trap '' INT CHLD HUP; exec \"$0\" --exact terminals::a_shell_on_a_terminal";
    let tests = std::env::current_exe().unwrap();
    let output = Command::new("sh").args(["-c", ignoring]).arg(tests).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
}
