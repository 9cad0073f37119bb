//! What engine and asker say to each other: frames of a length and JSON over a Unix socket, with descriptors beside.

use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use ipnet::IpNet;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recv, recvmsg, send, sendmsg,
    socketpair,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Unsupported};
use crate::spec::{
    ContainerId, ContainerSpec, Exit, Network, PodId, PodSpec, ProcessSpec, WindowSize,
};

/// A frame is no longer than this: an environment of some ConfigMaps, or the rules of thousands of Services.
const FRAME_BYTES_MAX: usize = 32 << 20;

/// No frame comes with more descriptors than a process has to start with, and the process whose container it joins.
const DESCRIPTORS_MAX: usize = 4;

/// As many requests may be under way at once.
pub(crate) const UNDER_WAY_MAX: usize = 256;

/// What an engine is told, by the number that its answer will have.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Question {
    pub(crate) id: u64,
    pub(crate) request: Request,
}

/// What an engine is asked for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    CreatePod(PodSpec),
    RemovePod(PodId),
    Start { spec: Box<ContainerSpec>, stdio: Streams },
    Exec { container: ContainerId, process: Box<ProcessSpec>, stdio: Streams },
    Signal { process: u64, signal: i32 },
    End { patience: Duration },
    Connect { network: Network, to: SocketAddr },
    Listen { network: Network, at: SocketAddr },
    Bind { network: Network, at: SocketAddr },
    AddAddress(IpAddr),
    OpenOutside { inside: Vec<IpNet> },
    Netfilter,
    Nft(String),
}

/// Where a process reads and writes; the descriptors come beside, in this order.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Streams {
    Pipes { stdin: bool, stdout: bool, stderr: bool },
    Terminal(WindowSize),
}

/// What an engine says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Message {
    Answer {
        id: u64,
        result: Result<Answer, Failure>,
    },
    /// A process has ended. It is said once, after the answer that has its number.
    Exited {
        process: u64,
        exit: Exit,
    },
}

/// What came of a request. A socket, or the other side of a terminal, comes beside.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Done,
    Process(u64),
    Socket,
}

/// What the engine's two processes say while they start.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Progress {
    /// The user namespace is there, and its users are to be mapped by who may.
    Unmapped,
    /// All is set up.
    Ready { nft: bool },
    /// It cannot be.
    Unsupported(Unsupported),
}

/// A pair of connected sockets.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?)
}

/// Writes a frame. Two that write to one socket must take turns.
pub(crate) fn write(
    socket: impl AsFd,
    value: &impl Serialize,
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, value)?;
    let length = bytes.len() - 4;
    if length > FRAME_BYTES_MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("a request of {length} bytes; at most {FRAME_BYTES_MAX} can be sent"),
        ));
    }
    bytes[..4].copy_from_slice(&u32::try_from(length).map_err(io::Error::other)?.to_le_bytes());

    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !beside.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many descriptors"));
    }
    let mut sent =
        retry(|| sendmsg(&socket, &[IoSlice::new(&bytes)], &mut beside, SendFlags::NOSIGNAL))?;
    while sent < bytes.len() {
        sent += retry(|| send(&socket, &bytes[sent..], SendFlags::NOSIGNAL))?;
    }
    Ok(())
}

/// Reads a frame and what comes beside; `None` at the end.
pub(crate) fn read<T: DeserializeOwned>(
    socket: impl AsFd,
) -> io::Result<Option<(T, VecDeque<OwnedFd>)>> {
    let mut descriptors = VecDeque::new();
    let mut head = [0; 4];
    let mut filled = 0;
    while filled < head.len() {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut beside = RecvAncillaryBuffer::new(&mut space);
        let got = retry(|| {
            let mut into = [IoSliceMut::new(&mut head[filled..])];
            recvmsg(&socket, &mut into, &mut beside, RecvFlags::CMSG_CLOEXEC)
        })?;
        for message in beside.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                descriptors.extend(rights);
            }
        }
        match got.bytes {
            0 if filled == 0 => return Ok(None),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            bytes => filled += bytes,
        }
    }
    let length = u32::from_le_bytes(head) as usize;
    if length > FRAME_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame that is too long"));
    }
    let mut body = vec![0; length];
    let mut filled = 0;
    while filled < length {
        match retry(|| recv(&socket, &mut body[filled..], RecvFlags::empty()))?.0 {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            bytes => filled += bytes,
        }
    }
    Ok(Some((serde_json::from_slice(&body)?, descriptors)))
}

fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    loop {
        match call() {
            Err(rustix::io::Errno::INTR) => {}
            other => return other,
        }
    }
}
