//! Expectations against what DNS answers and what the API says.

use std::collections::{BTreeSet, HashSet};
use std::net::IpAddr;

use advisor::design::{Backends, Expectation, Expected, Targets, WhileNotReady};
use directory::Name;
use futures::{StreamExt as _, stream};

use super::ask::{Asker, Nothing, Reply};
use super::owned::Owned;
use super::report::Check;
use super::seen::{Backend, Seen};
use super::{slices, text};

/// So many questions are under way at a time.
const QUESTIONS_MAX: usize = 16;

/// What expectations are compared with.
pub(super) struct Comparison<'c> {
    pub(super) seen: &'c Seen,
    /// `None`: DNS cannot be asked; what the API says is compared alone.
    pub(super) asker: Option<&'c Asker>,
    /// The zone that the names are in.
    pub(super) domain: &'c Name,
    /// When this is: "at first".
    pub(super) when: &'c str,
    /// How it is known which pod leads.
    pub(super) leads: Leads<'c>,
}

/// How it is known which pod leads, of software that has a leader.
#[derive(Clone, Copy, Debug)]
pub(super) enum Leads<'c> {
    /// The software runs, and has labelled it.
    Labelled,
    /// The trial plays the software: it has labelled this pod and no other. Another that has the label has it of the plan, and
    /// should not.
    Played(Option<&'c str>),
}

impl Comparison<'_> {
    /// Asks what each expectation asks, and compares. What should be answered follows from the expectation and from which
    /// pods are ready now.
    pub(super) async fn of(&self, expectations: &[Expectation]) -> Vec<Check> {
        let mut checks = stream::iter(expectations)
            .map(|expectation| self.of_one(expectation))
            .buffered(QUESTIONS_MAX);
        // The target of a record may have an expectation of its own; it is told of once.
        let mut told = HashSet::new();
        let mut all = Vec::new();
        while let Some(checks) = checks.next().await {
            let is_new = |check: &Check| {
                !check.ok || told.insert((check.asked.clone(), check.expected.clone()))
            };
            all.extend(checks.into_iter().filter(is_new));
        }
        all
    }

    /// Whether the pods that the expectations speak of are there and ready.
    pub(super) fn of_pods(&self, expectations: &[Expectation]) -> Vec<Check> {
        let good = || vec!["there and ready".to_owned()];
        text::pods_behind(expectations)
            .into_iter()
            .map(|backends| {
                let troubles = self.seen.not_serving(&backends);
                let ok = troubles.is_empty();
                let answered = if ok { good() } else { troubles };
                let asked = text::backends(&backends);
                Check {
                    when: self.when.to_owned(),
                    asked,
                    purpose: String::new(),
                    expected: good(),
                    answered,
                    ok,
                }
            })
            .collect()
    }

    /// Whether one pod leads, and no other, where software that runs labels it.
    pub(super) fn of_leaders(&self, expectations: &[Expectation]) -> Vec<Check> {
        let leaders = expectations.iter().filter_map(|it| match text::behind(&it.answer)? {
            Backends::Leader { pods, label, value } => Some((pods, label, value)),
            Backends::Pods(_) | Backends::Deployment { .. } | Backends::Addresses(_) => None,
        });
        leaders
            .map(|(pods, label, value)| {
                let answered: Vec<String> =
                    self.seen.leading(pods, label, value).cloned().collect();
                let ok = answered.len() == 1;
                let expected = match ok {
                    true => answered.clone(),
                    false => vec![format!("one of {}", text::list(pods))],
                };
                Check {
                    when: self.when.to_owned(),
                    asked: format!("the pod with the label {label}={value}"),
                    purpose: "the one that leads".to_owned(),
                    expected,
                    answered,
                    ok,
                }
            })
            .collect()
    }

    async fn of_one(&self, expectation: &Expectation) -> Vec<Check> {
        let Expectation { name, answer, purpose: _, not_ready: _ } = expectation;
        match (answer, self.asker) {
            (Expected::Each(backends), Some(asker)) => {
                let wanted = self.published(expectation, backends);
                let wanted = wanted.map(|backends| owned(&backends));
                let reply = asker.addresses(name).await;
                vec![self.addresses(expectation, name, wanted, &reply)]
            }
            (Expected::Virtual { service, behind, ports }, asker) => {
                let mut checks = Vec::new();
                if let Some(asker) = asker {
                    let wanted = self.seen.virtual_addresses(service);
                    let reply = asker.addresses(name).await;
                    checks.push(self.addresses(expectation, name, wanted, &reply));
                }
                let behind = self.published(expectation, behind);
                let wanted = behind.map(|backends| owned(&backends));
                let (expected, answered, ok) = slices::compare(self.seen, service, wanted, ports);
                let asked = format!("EndpointSlices of Service {service}");
                checks.push(self.check(expectation, asked, expected, answered, ok));
                checks
            }
            (Expected::Ports { targets: Targets::Service(target), port }, Some(asker)) => {
                let wanted = BTreeSet::from([(text::absolute(target), *port)]);
                let reply = asker.services(name).await;
                vec![self.records(expectation, format!("SRV {name}"), &wanted, &reply, srv)]
            }
            (Expected::Ports { targets: Targets::Each { of, below }, port }, Some(asker)) => {
                self.each_port(asker, expectation, of, below, *port).await
            }
            (Expected::Alias(target), Some(asker)) => {
                let wanted = BTreeSet::from([text::absolute(target)]);
                let reply = asker.alias(name).await;
                let asked = format!("CNAME {name}");
                vec![self.records(expectation, asked, &wanted, &reply, String::clone)]
            }
            (Expected::Each(_) | Expected::Ports { .. } | Expected::Alias(_), None) => Vec::new(),
        }
    }

    /// What an expectation's answer should be made of now.
    fn published(
        &self,
        expectation: &Expectation,
        backends: &Backends,
    ) -> Result<Vec<Backend>, String> {
        let mut found = match (backends, self.leads) {
            (Backends::Leader { .. }, Leads::Played(pod)) => {
                let pod = pod.map(str::to_owned).into_iter().collect();
                self.seen.backends(&Backends::Pods(pod))?
            }
            _ => self.seen.backends(backends)?,
        };
        match expectation.not_ready {
            WhileNotReady::Leaves => found.retain(|backend| backend.ready),
            WhileNotReady::Stays | WhileNotReady::Unaffected => {}
        }
        let service = text::service_of(&expectation.name, self.domain).unwrap_or_default();
        match backends {
            // A pod may have an address of a family that its Service has not.
            Backends::Pods(_) | Backends::Leader { .. } | Backends::Deployment { .. } => {
                for backend in &mut found {
                    backend.addresses.retain(|address| self.seen.has_family(&service, *address));
                }
            }
            Backends::Addresses(_) => {}
        }
        Ok(found)
    }

    fn addresses(
        &self,
        expectation: &Expectation,
        name: &str,
        wanted: Result<Vec<Owned>, String>,
        reply: &Reply<IpAddr>,
    ) -> Check {
        let (expected, wanted) = match wanted {
            Ok(owned) => (
                owned.iter().map(Owned::to_string).collect(),
                Some(owned.iter().map(|owned| owned.address).collect::<BTreeSet<_>>()),
            ),
            Err(missing) => (vec![missing], None),
        };
        let told = wanted.iter().flatten().chain(reply.iter().flatten());
        let (v4, v6): (Vec<&IpAddr>, _) = told.partition(|address| address.is_ipv4());
        let rtypes = match (v4.is_empty(), v6.is_empty()) {
            (false, true) => "A",
            (true, false) => "AAAA",
            (true, true) | (false, false) => "A, AAAA",
        };
        let ok = wanted.is_some_and(|wanted| agree(&wanted, reply));
        let answered = texts(reply, IpAddr::to_string);
        self.check(expectation, format!("{rtypes} {name}"), expected, answered, ok)
    }

    /// SRV records that point to a name for each of those behind a headless Service: how many, to which names, with which
    /// port; and that each name answers with the address of one of them.
    async fn each_port(
        &self,
        asker: &Asker,
        expectation: &Expectation,
        of: &Backends,
        below: &str,
        port: u16,
    ) -> Vec<Check> {
        let asked = format!("SRV {}", expectation.name);
        let reply = asker.services(&expectation.name).await;
        let backends = match self.published(expectation, of) {
            Ok(backends) => backends,
            Err(missing) => {
                let answered = texts(&reply, srv);
                return vec![self.check(expectation, asked, vec![missing], answered, false)];
            }
        };
        let below = text::absolute(below);
        let name_of = |pod: &str| format!("{pod}.{below}");
        let first = match of {
            Backends::Pods(_) | Backends::Leader { .. } => {
                let wanted = backends.iter().map(|backend| (name_of(&backend.name), port));
                self.records(expectation, asked, &wanted.collect(), &reply, srv)
            }
            // Their names are made of their addresses, or of host names that the intent does not know.
            Backends::Deployment { .. } | Backends::Addresses(_) => {
                let wanted = owned(&backends).len();
                let is_good = |(target, told): &(String, u16)| {
                    *told == port && target.strip_suffix(&below).is_some_and(|it| it.ends_with('.'))
                };
                let ok = match &reply {
                    Ok(told) => told.len() == wanted && told.iter().all(is_good),
                    Err(nothing) => wanted == 0 && nothing.is_negative(),
                };
                let expected = match wanted {
                    0 => Vec::new(),
                    1 => vec![format!("1 name below {below}, port {port}")],
                    wanted => vec![format!("{wanted} names below {below}, port {port}")],
                };
                self.check(expectation, asked, expected, texts(&reply, srv), ok)
            }
        };
        let mut checks = vec![first];
        let owned_by_all = owned(&backends);
        for (target, _) in reply.iter().flatten() {
            let reply = asker.addresses(target).await;
            let wanted = match of {
                Backends::Pods(_) | Backends::Leader { .. } => {
                    let pod = backends.iter().filter(|backend| name_of(&backend.name) == *target);
                    owned(&pod.cloned().collect::<Vec<_>>())
                }
                Backends::Deployment { .. } | Backends::Addresses(_) => {
                    let is_told =
                        |owned: &&Owned| reply.as_ref().is_ok_and(|r| r.contains(&owned.address));
                    owned_by_all.iter().filter(is_told).cloned().collect()
                }
            };
            let wanted = if wanted.is_empty() {
                Err("the address of one of those behind it".to_owned())
            } else {
                Ok(wanted)
            };
            checks.push(self.addresses(expectation, target, wanted, &reply));
        }
        checks
    }

    fn records<T: Ord>(
        &self,
        expectation: &Expectation,
        asked: String,
        wanted: &BTreeSet<T>,
        reply: &Reply<T>,
        text: impl Fn(&T) -> String,
    ) -> Check {
        let expected = wanted.iter().map(&text).collect();
        self.check(expectation, asked, expected, texts(reply, &text), agree(wanted, reply))
    }

    fn check(
        &self,
        expectation: &Expectation,
        asked: String,
        expected: Vec<String>,
        answered: Vec<String>,
        ok: bool,
    ) -> Check {
        let purpose = expectation.purpose.clone();
        Check { when: self.when.to_owned(), asked, purpose, expected, answered, ok }
    }
}

/// The addresses of all of these.
fn owned(backends: &[Backend]) -> Vec<Owned> {
    let owned = |Backend { name, addresses, ready: _ }: &Backend| -> Vec<Owned> {
        addresses.iter().map(|address| Owned::new(*address, name.clone())).collect()
    };
    backends.iter().flat_map(owned).collect()
}

/// Whether the records are those that were wanted. Where none were, any answer that says so will do: the specification
/// leaves the choice between "no such name" and "no such records" open in places.
fn agree<T: Ord>(wanted: &BTreeSet<T>, reply: &Reply<T>) -> bool {
    match reply {
        Ok(told) => told == wanted,
        Err(nothing) => wanted.is_empty() && nothing.is_negative(),
    }
}

fn texts<T>(reply: &Reply<T>, text: impl Fn(&T) -> String) -> Vec<String> {
    match reply {
        Ok(told) => told.iter().map(text).collect(),
        Err(nothing) => vec![Nothing::to_string(nothing)],
    }
}

fn srv((target, port): &(String, u16)) -> String {
    format!("{target} port {port}")
}
