//! Which Service of type LoadBalancer has which address.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use k8s_openapi::api::core::v1 as core;
use manifest::IpFamily;

use crate::world::Key;

/// The addresses, and who has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pool {
    ranges: Vec<IpNet>,
    held: BTreeMap<IpAddr, Key>,
}

/// What is to be written of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Nothing: it has what it should have, or is not ours.
    Rest,
    /// These addresses, and no other.
    Write(Vec<IpAddr>),
    /// Nothing, because there is no address for it; why.
    None(String),
}

impl Pool {
    pub(super) fn new(ranges: Vec<IpNet>) -> Self {
        Self { ranges, held: BTreeMap::new() }
    }

    /// Takes what a Service has already as its own, unless another has it.
    pub(super) fn claim(&mut self, key: &Key, service: &core::Service) {
        if is_ours(service) {
            for address in written(service) {
                if self.holds(address) {
                    self.held.entry(address).or_insert_with(|| key.clone());
                }
            }
        }
    }

    /// A Service is gone, or is none of type LoadBalancer any more. Whether it had an address.
    pub(super) fn release(&mut self, key: &Key) -> bool {
        let before = self.held.len();
        self.held.retain(|_, holder| holder != key);
        self.held.len() < before
    }

    /// What a Service is to have.
    pub(super) fn decide(&mut self, key: &Key, service: &core::Service) -> Decision {
        let has = written(service);
        if !is_ours(service) {
            // Another's class is another's business; what is left of an earlier type is not.
            let left = self.release(key) || class(service).is_none() && !is_balanced(service);
            return if left && !has.is_empty() {
                Decision::Write(Vec::new())
            } else {
                Decision::Rest
            };
        }
        let addresses = match self.addresses(key, service) {
            Ok(addresses) => addresses,
            Err(reason) => {
                self.release(key);
                // It must not go on with an address that another may get.
                return if has.is_empty() {
                    Decision::None(reason)
                } else {
                    Decision::Write(Vec::new())
                };
            }
        };
        self.release(key);
        self.held.extend(addresses.iter().map(|address| (*address, key.clone())));
        if addresses == has {
            return Decision::Rest;
        }
        Decision::Write(addresses)
    }

    /// An address of each family that the Service has and there is a range of.
    fn addresses(&self, key: &Key, service: &core::Service) -> Result<Vec<IpAddr>, String> {
        let spec = service.spec.as_ref();
        let wanted =
            spec.and_then(|spec| spec.load_balancer_ip.as_deref()).filter(|ip| !ip.is_empty());
        if let Some(wanted) = wanted {
            let address = wanted
                .parse()
                .map_err(|_| format!("spec.loadBalancerIP {wanted} is no address"))?;
            if !self.holds(address) {
                let ranges = self.written_ranges();
                return Err(format!(
                    "spec.loadBalancerIP {wanted} is not in the load balancers' range {ranges}"
                ));
            }
            return match self.held.get(&address) {
                Some(other) if other != key => {
                    Err(format!("spec.loadBalancerIP {wanted} is {}/{}'s", other.0, other.1))
                }
                _ => Ok(vec![address]),
            };
        }
        let families = spec.into_iter().flat_map(|spec| spec.ip_families.iter().flatten());
        let families: Vec<IpFamily> =
            families.filter_map(|family| IpFamily::parse(family)).collect();
        let mut addresses = Vec::new();
        for family in families {
            let ranges = self.ranges.iter().filter(|range| IpFamily::of(range.addr()) == family);
            let ranges: Vec<&IpNet> = ranges.collect();
            if ranges.is_empty() {
                continue;
            }
            let own = self
                .held
                .iter()
                .find(|(address, holder)| *holder == key && IpFamily::of(**address) == family);
            let free = || ranges.iter().find_map(|range| self.free(range));
            match own.map(|(address, _)| *address).or_else(free) {
                Some(address) => addresses.push(address),
                None => {
                    let ranges = self.written_ranges();
                    return Err(format!(
                        "all {family} addresses of the load balancers' range {ranges} are in use; give it a larger range, or remove \
                         Services of type LoadBalancer"
                    ));
                }
            }
        }
        if addresses.is_empty() {
            let ranges = self.written_ranges();
            return Err(format!(
                "the load balancers' range {ranges} has no family of the Service's"
            ));
        }
        Ok(addresses)
    }

    /// The first free address of a range: not the network's own, nor the one for all. After as many as there are holders one is free, so
    /// a vast range is not gone through.
    fn free(&self, range: &IpNet) -> Option<IpAddr> {
        range.hosts().take(self.held.len() + 1).find(|address| !self.held.contains_key(address))
    }

    fn holds(&self, address: IpAddr) -> bool {
        self.ranges.iter().any(|range| range.contains(&address))
    }

    fn written_ranges(&self) -> String {
        let ranges: BTreeSet<String> = self.ranges.iter().map(IpNet::to_string).collect();
        ranges.into_iter().collect::<Vec<_>>().join(", ")
    }
}

fn class(service: &core::Service) -> Option<&str> {
    service.spec.as_ref()?.load_balancer_class.as_deref()
}

fn is_balanced(service: &core::Service) -> bool {
    service.spec.as_ref().is_some_and(|spec| spec.type_.as_deref() == Some("LoadBalancer"))
}

/// A Service that asks for a load balancer of nobody in particular, and stays.
fn is_ours(service: &core::Service) -> bool {
    is_balanced(service)
        && class(service).is_none()
        && service.metadata.deletion_timestamp.is_none()
}

/// The addresses in its status.
fn written(service: &core::Service) -> Vec<IpAddr> {
    let status = service.status.iter().filter_map(|status| status.load_balancer.as_ref());
    let ingress = status.flat_map(|balancer| balancer.ingress.iter().flatten());
    ingress.filter_map(|ingress| ingress.ip.as_ref()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn key(name: &str) -> Key {
        ("default".to_owned(), name.to_owned())
    }

    fn service(spec: Value, ips: &[&str]) -> core::Service {
        let mut value = json!({ "spec": { "type": "LoadBalancer", "ipFamilies": ["IPv4"] } });
        value["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        let ingress: Vec<Value> = ips.iter().map(|ip| json!({ "ip": ip })).collect();
        value["status"] = json!({ "loadBalancer": { "ingress": ingress } });
        serde_json::from_value(value).unwrap()
    }

    fn write(addresses: &[&str]) -> Decision {
        Decision::Write(addresses.iter().map(|address| address.parse().unwrap()).collect())
    }

    #[test]
    fn decisions() {
        // Two addresses: .1 and .2.
        let mut pool = Pool::new(vec!["172.18.255.0/30".parse().unwrap()]);
        let mut check = |name: &str, spec: Value, has: &[&str], expected: Decision| {
            assert_eq!(pool.decide(&key(name), &service(spec, has)), expected, "{name}");
        };
        check("a", json!({}), &[], write(&["172.18.255.1"]));
        check("a", json!({}), &["172.18.255.1"], Decision::Rest);
        check("theirs", json!({ "loadBalancerClass": "example.com/other" }), &[], Decision::Rest);
        check(
            "theirs",
            json!({ "loadBalancerClass": "example.com/other" }),
            &["192.0.2.1"],
            Decision::Rest,
        );
        check("plain", json!({ "type": "ClusterIP" }), &[], Decision::Rest);
        check("b", json!({ "loadBalancerIP": "172.18.255.2" }), &[], write(&["172.18.255.2"]));
        check(
            "c",
            json!({ "loadBalancerIP": "172.18.255.2" }),
            &[],
            Decision::None("spec.loadBalancerIP 172.18.255.2 is default/b's".to_owned()),
        );
        check(
            "c",
            json!({ "loadBalancerIP": "192.0.2.1" }),
            &[],
            Decision::None(
                "spec.loadBalancerIP 192.0.2.1 is not in the load balancers' range 172.18.255.0/30"
                    .to_owned(),
            ),
        );
        let exhausted = "all IPv4 addresses of the load balancers' range 172.18.255.0/30 are in use; give it a larger range, or remove Services of type \
                         LoadBalancer";
        check("c", json!({}), &[], Decision::None(exhausted.to_owned()));
        check(
            "v6",
            json!({ "ipFamilies": ["IPv6"] }),
            &[],
            Decision::None(
                "the load balancers' range 172.18.255.0/30 has no family of the Service's"
                    .to_owned(),
            ),
        );
        // Who becomes something else gives back what it had.
        check("a", json!({ "type": "NodePort" }), &["172.18.255.1"], write(&[]));
        check("c", json!({}), &[], write(&["172.18.255.1"]));
    }

    #[test]
    fn what_was_given_stays_given() {
        let mut pool = Pool::new(vec!["172.18.255.0/30".parse().unwrap()]);
        let (first, second) =
            (service(json!({}), &["172.18.255.2"]), service(json!({}), &["172.18.255.2"]));
        pool.claim(&key("first"), &first);
        pool.claim(&key("second"), &second);
        assert_eq!(pool.decide(&key("second"), &second), write(&["172.18.255.1"]));
        assert_eq!(pool.decide(&key("first"), &first), Decision::Rest);
        assert!(pool.release(&key("first")));
        assert_eq!(pool.decide(&key("third"), &service(json!({}), &[])), write(&["172.18.255.2"]));
    }
}
