//! `headcount up` as people and scripts meet it: a child process, stock clients, real sockets.
//!
//! One test binary, for linking takes longer than the tests.

mod bad_input;
mod documents;
mod events;
mod explain;
mod kubectl;
mod lifecycle;
mod live;
mod rollout;
mod seeds;
mod support;
mod transcripts;
mod workspace;
