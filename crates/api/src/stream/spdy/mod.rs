//! A server of SPDY/3.1, as much of it as clients of Kubernetes use: they open streams, which carry data both ways.
//!
//! As both sides of Kubernetes do it (`spdystream`), nobody keeps windows: who does not read holds up the connection.

mod connection;
mod frame;
mod headers;

#[cfg(test)]
pub(super) use connection::tests as testing;
pub(super) use connection::{Gone, Inbound, Sender, Stream, connect};
pub(super) use frame::{PIECE_MAX, ResetCode};
#[cfg(any(test, feature = "fuzzing"))]
pub(super) use {
    frame::{CONTROL_MAX, Decoder, Frame},
    headers::{HEADERS_MAX, Unpacker},
};
