//! File descriptors: one for each connection, and the system's default is few.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What the program itself needs besides connections: the store, DNS, the runtime.
const OWN: usize = 256;

/// More than all connections that the API admits.
const ENOUGH: u64 = 32_768;

/// Raises the limit of open files as far as this user may, and says how many connections that leaves room for.
pub(super) fn connections() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(ENOUGH, |maximum| maximum.min(ENOUGH));
    if limit.current.is_some_and(|current| current < wanted) {
        let raised = Rlimit { current: Some(wanted), ..limit };
        match setrlimit(Resource::Nofile, raised) {
            Ok(()) => limit.current = Some(wanted),
            Err(error) => tracing::debug!("could not raise the limit of open files: {error}"),
        }
    }
    let files =
        limit.current.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX));
    room(files)
}

/// A part of a small limit is left for connections, too.
fn room(files: usize) -> usize {
    files.saturating_sub(OWN).max(files / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn something_is_left_for_the_program_and_for_connections() {
        assert_eq!(room(20_000), 20_000 - OWN);
        assert_eq!(room(1024), 1024 - OWN);
        assert_eq!(room(256), 64);
        assert!(connections() >= 16);
    }
}
