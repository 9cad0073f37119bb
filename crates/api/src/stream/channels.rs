//! The messages of a session over a WebSocket: each begins with the number of its channel.

use bytes::{BufMut as _, Bytes, BytesMut};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::kubelet::{End, TerminalSize};
use crate::status::{Reason, StatusError};

/// Which words a session uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// `v4.channel.k8s.io`: how the process ended is told as a `Status`.
    V4,
    /// `v5.channel.k8s.io`: besides, a client can end a channel.
    V5,
}

impl Protocol {
    /// Those that are known, the best first.
    pub(super) const ALL: [Self; 2] = [Self::V5, Self::V4];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::V4 => "v4.channel.k8s.io",
            Self::V5 => "v5.channel.k8s.io",
        }
    }
}

/// What goes to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    Stdout,
    Stderr,
    /// How the process ended.
    Status,
}

const STDIN: u8 = 0;
const RESIZE: u8 = 4;
const CLOSE: u8 = 255;

impl Output {
    fn channel(self) -> u8 {
        match self {
            Self::Stdout => 1,
            Self::Stderr => 2,
            Self::Status => 3,
        }
    }
}

/// What comes from a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// For the process to read.
    Stdin(Bytes),
    /// The process has nothing more to read.
    StdinEnd,
    /// The terminal has another size.
    Resize(TerminalSize),
}

/// What a message says; `None` for what is of no use, which is passed over as in Kubernetes.
pub(crate) fn parse(protocol: Protocol, mut message: Bytes) -> Option<Input> {
    let channel = *message.first()?;
    let rest = message.split_off(1);
    match (channel, protocol) {
        (STDIN, _) if rest.is_empty() => None,
        (STDIN, _) => Some(Input::Stdin(rest)),
        (RESIZE, _) => size(&rest).map(Input::Resize),
        (CLOSE, Protocol::V5) if *rest == [STDIN] => Some(Input::StdinEnd),
        _ => None,
    }
}

/// A terminal's size, as JSON.
pub(crate) fn size(json: &[u8]) -> Option<TerminalSize> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Size {
        width: u16,
        height: u16,
    }
    let Size { width, height } = serde_json::from_slice(json).ok()?;
    (width > 0 && height > 0).then_some(TerminalSize { width, height })
}

/// A message for the client.
pub(super) fn message(to: Output, data: &[u8]) -> Bytes {
    let mut message = BytesMut::with_capacity(1 + data.len());
    message.put_u8(to.channel());
    message.put_slice(data);
    message.freeze()
}

/// What somebody does with a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Process {
    /// Runs this command.
    Exec(Vec<String>),
    /// Attaches to what runs already: its end is no failure of this.
    Attach,
}

/// How a process ended, as a `Status`, in the words of the kubelet and of containerd.
pub(crate) fn status(process: &Process, end: &End) -> Value {
    let success = || json!({ "metadata": {}, "status": "Success" });
    match (process, end) {
        (Process::Attach, End::Code(_)) | (Process::Exec(_), End::Code(0)) => success(),
        (Process::Exec(command), End::Code(code)) => json!({
            "metadata": {},
            "status": "Failure",
            "message": format!(
                "command terminated with non-zero exit code: error executing command [{}], exit code {code}",
                command.join(" ")
            ),
            "reason": "NonZeroExitCode",
            "details": { "causes": [{ "reason": "ExitCode", "message": code.to_string() }] },
        }),
        (process, End::Failed(why)) => {
            let what = match process {
                Process::Exec(_) => "error executing command in container",
                Process::Attach => "error attaching to container",
            };
            let message = format!("Internal error occurred: {what}: {why}");
            StatusError::new(Reason::InternalError, message).to_value()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn messages_of_a_client() {
        let check = |protocol, message: &'static [u8], expected| {
            assert_eq!(parse(protocol, Bytes::from_static(message)), expected, "{message:?}");
        };
        let size = |width, height| Some(Input::Resize(TerminalSize { width, height }));
        for protocol in Protocol::ALL {
            check(protocol, b"", None);
            check(protocol, b"\x00", None);
            check(protocol, b"\x00abc", Some(Input::Stdin(Bytes::from_static(b"abc"))));
            check(protocol, b"\x01abc", None);
            check(protocol, b"\x03abc", None);
            check(protocol, b"\x04{\"Width\":80,\"Height\":24}", size(80, 24));
            check(protocol, b"\x04{\"Width\":80,\"Height\":24}\n", size(80, 24));
            check(protocol, b"\x04{\"Width\":0,\"Height\":24}", None);
            check(protocol, b"\x04{\"Width\":99999,\"Height\":24}", None);
            check(protocol, b"\x04[", None);
            check(protocol, b"\xff\x01", None);
            check(protocol, b"\xff", None);
        }
        check(Protocol::V5, b"\xff\x00", Some(Input::StdinEnd));
        check(Protocol::V4, b"\xff\x00", None);
    }

    #[test]
    fn messages_for_a_client() {
        assert_eq!(message(Output::Stdout, b"abc"), b"\x01abc"[..]);
        assert_eq!(message(Output::Stderr, b""), b"\x02"[..]);
        assert_eq!(message(Output::Status, b"{}"), b"\x03{}"[..]);
    }

    #[test]
    fn ends() {
        let exec = Process::Exec(["sh", "-c", "exit 3"].map(str::to_owned).into());
        let success = json!({ "metadata": {}, "status": "Success" });
        let check = |process: &Process, end, expected: &Value| {
            assert_eq!(status(process, &end), *expected);
        };
        check(&exec, End::Code(0), &success);
        check(&Process::Attach, End::Code(0), &success);
        check(&Process::Attach, End::Code(1), &success);
        check(
            &exec,
            End::Code(3),
            &json!({
                "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
                "message": "command terminated with non-zero exit code: error executing command [sh -c exit 3], exit code 3",
                "details": { "causes": [{ "reason": "ExitCode", "message": "3" }] },
            }),
        );
        let failed = |message: &str| {
            json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": message, "reason": "InternalError", "code": 500,
            })
        };
        check(
            &exec,
            End::Failed("it is gone".to_owned()),
            &failed("Internal error occurred: error executing command in container: it is gone"),
        );
        check(
            &Process::Attach,
            End::Failed("it is gone".to_owned()),
            &failed("Internal error occurred: error attaching to container: it is gone"),
        );
    }

    proptest! {
        #[test]
        fn arbitrary_messages_are_read(message: Vec<u8>) {
            let length = message.len();
            for protocol in Protocol::ALL {
                if let Some(Input::Stdin(data)) = parse(protocol, Bytes::from(message.clone())) {
                    prop_assert_eq!(data.len() + 1, length);
                }
            }
        }
    }
}
