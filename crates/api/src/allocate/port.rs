//! Node ports.

use std::ops::RangeInclusive;

use super::pool::{self, Pool, Random};

/// Why a node port cannot be had; the texts are Kubernetes'.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PortError {
    /// Another Service has it.
    #[error("provided port is already allocated")]
    Allocated,
    /// It is no node port.
    #[error(
        "provided port is not in the valid range. The range of valid ports is {}-{}",
        NodePorts::RANGE.start(),
        NodePorts::RANGE.end()
    )]
    NotInRange,
    /// Every port is taken.
    #[error("range is full")]
    Full,
}

/// The node ports of Services. A port is one number whatever its protocol: a Service that uses it for
/// both TCP and UDP takes it once.
pub(crate) struct NodePorts {
    pool: Pool,
}

impl NodePorts {
    /// Kubernetes' default range.
    pub(crate) const RANGE: RangeInclusive<u16> = 30_000..=32_767;

    /// `min(max(16, size / 32), 128)` of 2,768 ports (KEP-3668).
    const STATIC_BAND: u128 = 86;

    /// Nothing allocated yet.
    pub(crate) fn new() -> Self {
        Self::with_random(pool::system())
    }

    /// As [`Self::new`], with another source of random numbers.
    fn with_random(random: Random) -> Self {
        let (first, last) = (u128::from(*Self::RANGE.start()), u128::from(*Self::RANGE.end()));
        Self { pool: Pool::new(first..=last, first + Self::STATIC_BAND, random) }
    }

    /// Takes a free port.
    pub(crate) fn allocate(&mut self) -> Result<u16, PortError> {
        let number = self.pool.allocate().ok_or(PortError::Full)?;
        Ok(u16::try_from(number).expect("the pool holds ports only"))
    }

    /// Takes this port.
    pub(crate) fn reserve(&mut self, port: u16) -> Result<(), PortError> {
        if !Self::RANGE.contains(&port) {
            return Err(PortError::NotInRange);
        }
        if self.pool.take(u128::from(port)) { Ok(()) } else { Err(PortError::Allocated) }
    }

    /// Gives a port back; one that was not taken is left as it is.
    pub(crate) fn release(&mut self, port: u16) {
        self.pool.release(u128::from(port));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_band_is_used_last() {
        let mut in_order = NodePorts::with_random(Box::new(|| 0));
        assert_eq!(in_order.allocate(), Ok(30_086));
        let mut ports = NodePorts::new();
        let mut given = BTreeSet::new();
        for n in 0..2768 {
            let port = ports.allocate().unwrap();
            assert_eq!(port >= 30_086, n < 2768 - 86);
            assert!(NodePorts::RANGE.contains(&port) && given.insert(port));
        }
        assert_eq!(ports.allocate(), Err(PortError::Full));
    }

    #[test]
    fn reserved_ports() {
        let mut ports = NodePorts::new();
        let mut check = |port: u16, expected: &str| {
            let shown = match ports.reserve(port) {
                Ok(()) => "ok".to_owned(),
                Err(error) => error.to_string(),
            };
            assert_eq!(shown, expected);
        };
        let outside =
            "provided port is not in the valid range. The range of valid ports is 30000-32767";
        check(30_000, "ok");
        check(32_767, "ok");
        check(30_000, "provided port is already allocated");
        check(29_999, outside);
        check(32_768, outside);
        ports.release(30_000);
        assert_eq!(ports.reserve(30_000), Ok(()));
    }
}
