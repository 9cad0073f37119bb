//! Host names of rules and of requests.

use std::cmp::Reverse;
use std::fmt;

/// The host names that a rule is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum HostPattern {
    /// Every name.
    Any,
    /// This name.
    Exact(String),
    /// Names with one label before this suffix, as an Ingress has it.
    OneLabel(String),
    /// Names with one or more labels before this suffix, as the Gateway API has it.
    Labels(String),
}

impl HostPattern {
    /// The host of an Ingress's rule.
    pub(crate) fn of_ingress(host: Option<&str>) -> Self {
        Self::read(host, Self::OneLabel)
    }

    /// The host name of a listener or a route.
    pub(crate) fn of_gateway(hostname: Option<&str>) -> Self {
        Self::read(hostname, Self::Labels)
    }

    fn read(host: Option<&str>, wildcard: fn(String) -> Self) -> Self {
        let Some(host) = host.filter(|host| !host.is_empty()) else { return Self::Any };
        let host = host.to_ascii_lowercase();
        match host.strip_prefix("*.") {
            Some(suffix) => wildcard(suffix.to_owned()),
            None => Self::Exact(host),
        }
    }

    /// Whether a name is one of these; it is in lower case.
    pub(crate) fn matches(&self, host: &str) -> bool {
        let before = |suffix: &str| host.strip_suffix(suffix)?.strip_suffix('.');
        match self {
            Self::Any => true,
            Self::Exact(name) => name == host,
            Self::OneLabel(suffix) => {
                before(suffix).is_some_and(|label| !label.is_empty() && !label.contains('.'))
            }
            Self::Labels(suffix) => before(suffix).is_some_and(|labels| !labels.is_empty()),
        }
    }

    /// The names that are both of a listener and of a route, if there are any.
    pub(crate) fn intersect(&self, other: &Self) -> Option<Self> {
        let (narrow, wide) =
            if self.rank() <= other.rank() { (self, other) } else { (other, self) };
        let is_within = match (narrow, wide) {
            (_, Self::Any) => true,
            (Self::Exact(name), _) => wide.matches(name),
            (
                Self::OneLabel(suffix) | Self::Labels(suffix),
                Self::OneLabel(of) | Self::Labels(of),
            ) => {
                suffix == of
                    || suffix.strip_suffix(of.as_str()).is_some_and(|rest| rest.ends_with('.'))
            }
            (Self::Any | Self::OneLabel(_) | Self::Labels(_), Self::Exact(_)) | (Self::Any, _) => {
                false
            }
        };
        is_within.then(|| narrow.clone())
    }

    /// What goes first: names before wildcards before all, and the longer of two.
    pub(crate) fn rank(&self) -> (u8, Reverse<usize>) {
        match self {
            Self::Exact(name) => (0, Reverse(name.len())),
            Self::OneLabel(suffix) | Self::Labels(suffix) => (1, Reverse(suffix.len())),
            Self::Any => (2, Reverse(0)),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => formatter.write_str("*"),
            Self::Exact(name) => formatter.write_str(name),
            Self::OneLabel(suffix) | Self::Labels(suffix) => write!(formatter, "*.{suffix}"),
        }
    }
}

/// The name in a `Host` header, as rules are compared to it: without port and final dot, in lower case.
pub(crate) fn bare(host: &str) -> String {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.split(':').next().unwrap_or(host),
    };
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match() {
        let check = |pattern: HostPattern, yes: &[&str], no: &[&str]| {
            for host in yes {
                assert!(pattern.matches(host), "{pattern:?} is {host}");
            }
            for host in no {
                assert!(!pattern.matches(host), "{pattern:?} is not {host}");
            }
        };
        check(HostPattern::of_ingress(None), &["", "a.b"], &[]);
        check(
            HostPattern::of_ingress(Some("API.example.com")),
            &["api.example.com"],
            &["example.com", "x.api.example.com"],
        );
        check(
            HostPattern::of_ingress(Some("*.example.com")),
            &["a.example.com"],
            &["example.com", ".example.com", "a.b.example.com", "aexample.com"],
        );
        check(
            HostPattern::of_gateway(Some("*.example.com")),
            &["a.example.com", "a.b.example.com"],
            &["example.com", ".example.com", "aexample.com"],
        );
    }

    #[test]
    fn listeners_and_routes_meet() {
        let check = |listener: &str, route: &str, wanted: Option<&str>| {
            let of = |text: &str| HostPattern::of_gateway(Some(text));
            let met = of(listener).intersect(&of(route));
            assert_eq!(met, wanted.map(of), "{listener} and {route}");
            assert_eq!(of(route).intersect(&of(listener)), met, "in any order");
        };
        check("", "a.example.com", Some("a.example.com"));
        check("", "", Some(""));
        check("*.example.com", "a.b.example.com", Some("a.b.example.com"));
        check("*.example.com", "example.com", None);
        check("*.example.com", "*.b.example.com", Some("*.b.example.com"));
        check("*.example.com", "*.bexample.com", None);
        check("a.example.com", "b.example.com", None);
        check("a.example.com", "*.example.com", Some("a.example.com"));
    }

    #[test]
    fn headers_name_hosts() {
        for (header, name) in [
            ("API.example.com:8080", "api.example.com"),
            ("example.com.", "example.com"),
            ("[fd00::1]:80", "fd00::1"),
            ("", ""),
        ] {
            assert_eq!(bare(header), name);
        }
    }
}
