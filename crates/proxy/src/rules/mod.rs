//! Tables of nftables, as they follow from objects.
//!
//! The behaviour is that of kube-proxy's nftables mode, the choice among nodes' own endpoints included; policies are judged beside it. A packet that no
//! policy allows is dropped, so that whoever sent it waits until its time is up.

mod base;
mod endpoints;
mod names;
mod policies;
mod services;
mod table;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use crate::config::Config;
use crate::flows;
use crate::policy::Policies;
use crate::world::World;
pub(crate) use endpoints::Endpoints;
pub use table::Change;
use table::{Elements, Table};

/// For each UDP address of a Service the endpoints that answer there.
pub(crate) type UdpFlows = BTreeMap<SocketAddr, BTreeSet<SocketAddr>>;

/// All rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ruleset {
    tables: Vec<Table>,
    udp: UdpFlows,
}

impl Ruleset {
    /// The rules that follow from objects.
    pub fn of(world: &World, config: &Config) -> Self {
        let policies = Policies::of(world);
        let mut udp = UdpFlows::new();
        let tables = config.families().map(|family| {
            let mut table = Table::new(family);
            services::add(world, config, family, &mut table, &mut udp);
            policies::add(&policies, family, &mut table);
            base::add(config, family, &mut table);
            table
        });
        Self { tables: tables.collect(), udp }
    }

    /// What makes these rules, whatever there is.
    pub fn whole(&self) -> Change {
        let mut change = Change::default();
        for table in &self.tables {
            table.whole(&mut change);
        }
        change
    }

    /// What makes these rules of earlier ones.
    pub fn change_from(&self, old: &Self) -> Change {
        let mut change = Change::default();
        for table in &self.tables {
            match old.tables.iter().find(|old| old.family == table.family) {
                Some(old) => table.change_from(old, &mut change),
                None => table.whole(&mut change),
            }
        }
        change
    }

    /// Forgets the flows of UDP to endpoints that an earlier set of rules had and this one has not; says how many. See
    /// [`Network::netfilter`](crate::Network::netfilter).
    ///
    /// # Errors
    ///
    /// What the kernel refuses.
    pub fn forget_flows(&self, old: &Self, socket: &OwnedFd) -> io::Result<usize> {
        flows::forget(socket, &old.udp, &self.udp)
    }

    /// The endpoints that answer at each UDP address of a Service.
    pub(crate) fn udp(&self) -> &UdpFlows {
        &self.udp
    }
}

/// The elements of a set.
fn keys(keys: impl IntoIterator<Item = impl ToString>) -> Elements {
    Elements::Keys(keys.into_iter().map(|key| (key.to_string(), ())).collect())
}
