//! The table of routes: what becomes of a request.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::rustls::sign::CertifiedKey;

use super::backend::{At, Backend};
use super::condition::{Condition, RequestHead};
use super::filter::{Filters, Redirect};
use super::host::HostPattern;
use crate::objects::Name;

/// How many routes an answer names at most.
const ROUTES_TOLD_MAX: usize = 10;

/// What each port does.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) ports: BTreeMap<u16, Port>,
}

/// A port that is listened on.
#[derive(Debug, Default)]
pub(crate) struct Port {
    /// The certificates that end TLS here; none on ports without TLS.
    pub(crate) certificates: Option<Vec<(HostPattern, Arc<CertifiedKey>)>>,
    /// What is served to which hosts, the most special first: a request belongs to the first that matches.
    pub(crate) sites: Vec<Site>,
    /// The rules of Ingresses, for requests that no site has a route for.
    pub(crate) ingress: Vec<Route>,
    /// What an Ingress without rules does with the rest: the oldest of them.
    pub(crate) default: Option<Route>,
}

/// The listeners of Gateways for the same hosts.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) host: HostPattern,
    pub(crate) routes: Vec<Route>,
}

/// What is done with requests of which something holds.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) host: HostPattern,
    pub(crate) condition: Condition,
    pub(crate) action: Arc<Action>,
    /// `Ingress default/web`.
    pub(crate) from: String,
    /// Older objects go first, then those whose name comes first, then the first rules.
    pub(crate) order: Order,
}

/// The creation in seconds, the name, and the place of the rule.
pub(crate) type Order = (i64, Name, usize);

/// What is done.
#[derive(Debug)]
pub(crate) enum Action {
    Forward(Forward),
    Redirect(Redirect, Filters),
}

/// Requests go to one of some backends.
#[derive(Debug)]
pub(crate) struct Forward {
    pub(crate) backends: Vec<Share>,
    pub(crate) filters: Filters,
    /// How long may be waited for the answer's head.
    pub(crate) timeout: Option<Duration>,
}

/// A backend and its share.
#[derive(Debug)]
pub(crate) struct Share {
    pub(crate) weight: u32,
    /// Why not, if it cannot be.
    pub(crate) backend: Result<Backend, String>,
    pub(crate) filters: Filters,
}

/// What becomes of a request.
#[derive(Debug)]
pub(crate) enum Decision<'t> {
    /// It goes to one of these addresses, the first that is chosen by chance.
    Forward {
        forward: &'t Forward,
        share: &'t Share,
        backend: &'t Backend,
    },
    Redirect {
        redirect: &'t Redirect,
        filters: &'t Filters,
    },
    /// It is refused: with this code, and why.
    Refuse(u16, String),
}

impl Table {
    /// What becomes of a request that arrived at a port. Chance chooses among backends.
    pub(crate) fn decide(&self, port: u16, request: &RequestHead<'_>, chance: u64) -> Decision<'_> {
        let Some(at) = self.ports.get(&port) else {
            return Decision::Refuse(404, format!("nothing is served at port {port} any more\n"));
        };
        match at.route(request) {
            Some(route) => route.decide(chance),
            None => Decision::Refuse(404, at.unrouted(request)),
        }
    }
}

impl Port {
    /// Puts routes into the order in which they are tried.
    pub(crate) fn sort(&mut self) {
        self.sites.sort_by_key(|site| site.host.rank());
        for routes in self.sites.iter_mut().map(|site| &mut site.routes).chain([&mut self.ingress])
        {
            routes.sort_by(|a, b| {
                let key = |route: &Route| (route.host.rank(), route.condition.rank());
                key(a).cmp(&key(b)).then_with(|| a.order.cmp(&b.order))
            });
        }
    }

    fn route(&self, request: &RequestHead<'_>) -> Option<&Route> {
        let takes =
            |route: &&Route| route.host.matches(request.host) && route.condition.holds(request);
        let site = self.sites.iter().find(|site| site.host.matches(request.host));
        let of_site = site.and_then(|site| site.routes.iter().find(takes));
        of_site.or_else(|| self.ingress.iter().find(takes)).or(self.default.as_ref())
    }

    /// Which host and path had no route, and which have one.
    fn unrouted(&self, request: &RequestHead<'_>) -> String {
        let host = if request.host.is_empty() { "no host" } else { request.host };
        let mut text = format!("no route for {host}, path {}", request.path);
        let routes = self.sites.iter().flat_map(|site| &site.routes).chain(&self.ingress);
        let all = routes.clone().count();
        if all == 0 {
            text.push_str(
                ": there are no routes here yet; an Ingress or an HTTPRoute makes some\n",
            );
            return text;
        }
        text.push_str("; routed are:\n");
        for Route { host, condition, from, .. } in routes.take(ROUTES_TOLD_MAX) {
            let Condition { path, method, headers, query } = condition;
            let _ = write!(text, "  host {host}, {path}");
            if let Some(method) = method {
                let _ = write!(text, ", method {method}");
            }
            for (name, value) in headers {
                let _ = write!(text, ", header {name}: {value}");
            }
            for (name, value) in query {
                let _ = write!(text, ", parameter {name}={value}");
            }
            let _ = writeln!(text, " ({from})");
        }
        if all > ROUTES_TOLD_MAX {
            let _ = writeln!(text, "  and {} more", all - ROUTES_TOLD_MAX);
        }
        text
    }
}

impl Route {
    fn decide(&self, chance: u64) -> Decision<'_> {
        let forward = match &*self.action {
            Action::Redirect(redirect, filters) => return Decision::Redirect { redirect, filters },
            Action::Forward(forward) => forward,
        };
        let Some(share) = forward.share(chance) else {
            return Decision::Refuse(
                500,
                format!("{} names no backend for this request\n", self.from),
            );
        };
        match &share.backend {
            Err(why) => Decision::Refuse(500, format!("{}: {why}\n", self.from)),
            Ok(Backend { name, at: At::Nowhere(why) }) => {
                Decision::Refuse(503, format!("Service {name} cannot answer: {why}\n"))
            }
            Ok(backend) => Decision::Forward { forward, share, backend },
        }
    }
}

impl Forward {
    /// The share that a chance falls into.
    fn share(&self, chance: u64) -> Option<&Share> {
        let total: u64 = self.backends.iter().map(|share| u64::from(share.weight)).sum();
        let mut left = chance.checked_rem(total)?;
        self.backends.iter().find(|share| {
            let weight = u64::from(share.weight);
            let falls = left < weight;
            left = left.saturating_sub(weight);
            falls
        })
    }
}
