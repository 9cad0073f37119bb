//! Which of the host's users those of containers are.

use std::fs;
use std::path::Path;

use rustix::process::{getgid, getuid};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::spec::User;

/// The first of the host's numbers that an engine of root gives out: far from all that systems, services of directories and
/// other runtimes use.
const RANGE_START: u32 = 1_879_048_192;

/// As many.
const RANGE_LENGTH: u32 = 65_536;

/// How users inside are mapped to the host's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Users {
    /// All are the one that started the engine.
    One { uid: u32, gid: u32 },
    /// Each is another one, and none is anybody else.
    Range,
}

/// Whether the numbers are there to be given out: root of somebody's user namespace, as in most containers, has few.
fn has_range() -> bool {
    ["uid_map", "gid_map"].iter().all(|map| {
        let map = fs::read_to_string(Path::new("/proc/self").join(map)).unwrap_or_default();
        holds_range(&map)
    })
}

fn holds_range(map: &str) -> bool {
    map.lines().any(|line| {
        let mut fields = line.split_whitespace().map(str::parse::<u64>);
        let (Some(Ok(first)), Some(Ok(_)), Some(Ok(count))) =
            (fields.next(), fields.next(), fields.next())
        else {
            return false;
        };
        let (start, length) = (u64::from(RANGE_START), u64::from(RANGE_LENGTH));
        first <= start && first + count >= start + length
    })
}

impl Users {
    /// Those of an engine that this process starts.
    pub(crate) fn here() -> Self {
        let (uid, gid) = (getuid(), getgid());
        match uid.is_root() && has_range() {
            true => Self::Range,
            false => Self::One { uid: uid.as_raw(), gid: gid.as_raw() },
        }
    }

    pub(crate) fn on_host(self, uid: u32, gid: u32) -> (u32, u32) {
        let within = |id: u32| RANGE_START + id.min(RANGE_LENGTH - 1);
        match self {
            Self::One { uid, gid } => (uid, gid),
            Self::Range => (within(uid), within(gid)),
        }
    }

    /// What `/proc/PID/uid_map` and `gid_map` of the engine's namespace say.
    pub(crate) fn maps(self) -> (String, String) {
        match self {
            Self::One { uid, gid } => (format!("0 {uid} 1"), format!("0 {gid} 1")),
            Self::Range => {
                let map = format!("0 {RANGE_START} {RANGE_LENGTH}");
                (map.clone(), map)
            }
        }
    }

    /// The same, of a container's namespace in the engine's.
    pub(crate) fn container_maps(self, user: &User) -> (String, String) {
        match self {
            Self::One { .. } => (format!("{} 0 1", user.uid), format!("{} 0 1", user.gid)),
            Self::Range => {
                let map = format!("0 0 {RANGE_LENGTH}");
                (map.clone(), map)
            }
        }
    }

    /// The user that owns the namespace of the container that is started as so manieth.
    pub(crate) fn owner(self, number: u32) -> Option<u32> {
        match self {
            Self::One { .. } => None,
            // The first one is the engine.
            Self::Range => Some(1 + number % (RANGE_LENGTH - 1)),
        }
    }

    /// Which groups there are in the engine, first and last.
    pub(crate) fn groups(self) -> &'static str {
        match self {
            Self::One { .. } => "0 0",
            Self::Range => "0 65535",
        }
    }

    /// Whether there can be such a user.
    pub(crate) fn check(self, user: &User) -> Result<(), Failure> {
        let mut ids = [user.uid, user.gid].into_iter().chain(user.groups.iter().copied());
        match (self, ids.find(|id| *id >= RANGE_LENGTH)) {
            (Self::Range, Some(id)) => Err(Failure::system(
                format!("run as {id}"),
                format!("users and groups have numbers below {RANGE_LENGTH}"),
            )),
            (Self::One { .. } | Self::Range, _) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_is_there_where_all_numbers_are() {
        assert!(holds_range("         0          0 4294967295\n"));
        assert!(holds_range("0 0 1\n1000000 1000000 2000000000\n"));
        assert!(!holds_range("         0       1000          1\n"));
        assert!(!holds_range("0 1000 1\n1 100000 65536\n"));
        assert!(!holds_range(""));
    }
}
