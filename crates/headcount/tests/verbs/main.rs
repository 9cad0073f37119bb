//! The verbs that need no cluster, as people and scripts meet them: a child process with a clean environment.

#[cfg(unix)]
mod ask;
mod dns;
mod dns_encrypted;
mod dns_trouble;
mod imports;
mod nsd;
mod records;
mod search;
mod sessions;
#[path = "../up/support/mod.rs"]
mod support;
