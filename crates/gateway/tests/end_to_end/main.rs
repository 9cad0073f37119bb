//! Objects in an API, requests over loopback, answers of programs.

#![allow(clippy::unwrap_used)] // its fixtures, as the tests, may panic

mod backend;
mod fixture;
mod requests;
mod routes;
mod statuses;
mod tls;
