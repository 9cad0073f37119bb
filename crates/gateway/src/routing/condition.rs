//! What a rule asks of a request: path, method, headers, query.

use std::cmp::Reverse;
use std::fmt;

use http::{HeaderMap, HeaderName, Method};

/// What is compared of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestHead<'r> {
    /// The host, as [`super::host::bare`] makes it.
    pub(crate) host: &'r str,
    pub(crate) path: &'r str,
    pub(crate) query: &'r str,
    pub(crate) method: &'r Method,
    pub(crate) headers: &'r HeaderMap,
}

/// How a path is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PathMatch {
    /// The path is this.
    Exact(String),
    /// The path begins with these elements; without the final `/`, so that all paths have the empty one.
    Prefix(String),
}

impl PathMatch {
    pub(crate) fn prefix(path: &str) -> Self {
        Self::Prefix(path.trim_end_matches('/').to_owned())
    }

    fn matches(&self, path: &str) -> bool {
        match self {
            Self::Exact(wanted) => wanted == path,
            Self::Prefix(prefix) => path
                .strip_prefix(prefix.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        }
    }
}

impl fmt::Display for PathMatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(path) => write!(formatter, "path {path}"),
            Self::Prefix(prefix) if prefix.is_empty() => formatter.write_str("prefix /"),
            Self::Prefix(prefix) => write!(formatter, "prefix {prefix}"),
        }
    }
}

/// All that must hold of a request besides its host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) path: PathMatch,
    pub(crate) method: Option<Method>,
    pub(crate) headers: Vec<(HeaderName, String)>,
    pub(crate) query: Vec<(String, String)>,
}

impl Condition {
    /// That the path matches.
    pub(crate) fn of_path(path: PathMatch) -> Self {
        Self { path, method: None, headers: Vec::new(), query: Vec::new() }
    }

    /// Whether it holds. Of several headers of a name all count, joined as RFC 9110 has it (§5.2); of several parameters
    /// of a name the first, as the Gateway API has it.
    pub(crate) fn holds(&self, request: &RequestHead<'_>) -> bool {
        let Self { path, method, headers, query } = self;
        path.matches(request.path)
            && method.as_ref().is_none_or(|method| method == request.method)
            && headers.iter().all(|(name, wanted)| {
                let mut values = request.headers.get_all(name).iter();
                match (values.next(), values.next()) {
                    (None, _) => false,
                    (Some(only), None) => only == wanted.as_str(),
                    (Some(_), Some(_)) => {
                        let values = request.headers.get_all(name).iter();
                        let parts: Vec<&[u8]> = values.map(|value| value.as_bytes()).collect();
                        parts.join(&b","[..]) == wanted.as_bytes()
                    }
                }
            })
            && query.iter().all(|(name, wanted)| {
                parameter(request.query, name).is_some_and(|value| value == *wanted)
            })
    }

    /// What goes first: an exact path, then the longest prefix, then a method, then the most headers, then the most
    /// parameters. For Ingress it is the longest path, then the exact one: the same, as an exact path that matches is the
    /// whole path.
    pub(crate) fn rank(&self) -> impl Ord + use<> {
        let path = match &self.path {
            PathMatch::Exact(_) => (0, Reverse(0)),
            PathMatch::Prefix(prefix) => (1, Reverse(prefix.len())),
        };
        (path, self.method.is_none(), Reverse(self.headers.len()), Reverse(self.query.len()))
    }
}

/// The first parameter of a name in a query.
fn parameter(query: &str, name: &str) -> Option<String> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key) == name).then(|| decode(value))
    })
}

/// Undoes the escapes of a query; what is no escape stays as it is.
fn decode(text: &str) -> String {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let bytes = text.as_bytes();
    let (mut decoded, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(byte) = bytes.get(at) {
        let escape = || Some((digit(bytes.get(at + 1))? * 16 + digit(bytes.get(at + 2))?) as u8);
        match (byte, if *byte == b'%' { escape() } else { None }) {
            (_, Some(byte)) => {
                decoded.push(byte);
                at += 2;
            }
            (b'+', None) => decoded.push(b' '),
            (byte, None) => decoded.push(*byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(condition: &Condition, request: &str, headers: &[(&str, &str)], wanted: bool) {
        let (method, target) = request.split_once(' ').unwrap();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        let method = method.parse().unwrap();
        let head = RequestHead { host: "", path, query, method: &method, headers: &map };
        assert_eq!(condition.holds(&head), wanted, "{condition:?} of {request} {headers:?}");
    }

    /// The table in Kubernetes' documentation of Ingress, and what the Gateway API says of prefixes: the same.
    #[test]
    fn paths() {
        let check = |path: PathMatch, request: &str, wanted: bool| {
            check(&Condition::of_path(path), &format!("GET {request}"), &[], wanted);
        };
        for (prefix, request, wanted) in [
            ("/", "/any/path", true),
            ("/foo", "/foo", true),
            ("/foo", "/foo/", true),
            ("/foo/", "/foo", true),
            ("/foo/", "/foo/", true),
            ("/aaa/bb", "/aaa/bbb", false),
            ("/aaa/bbb", "/aaa/bbb", true),
            ("/aaa/bbb/", "/aaa/bbb", true),
            ("/aaa/bbb", "/aaa/bbb/", true),
            ("/aaa/bbb", "/aaa/bbb/ccc", true),
            ("/aaa/bbb", "/aaa/bbbxyz", false),
        ] {
            check(PathMatch::prefix(prefix), request, wanted);
        }
        for (exact, request, wanted) in [
            ("/foo", "/foo", true),
            ("/foo", "/bar", false),
            ("/foo", "/foo/", false),
            ("/foo/", "/foo", false),
        ] {
            check(PathMatch::Exact(exact.to_owned()), request, wanted);
        }
    }

    #[test]
    fn methods_headers_and_parameters() {
        let condition = Condition {
            method: Some(Method::GET),
            headers: vec![(HeaderName::from_static("version"), "two".to_owned())],
            query: vec![("a b".to_owned(), "ü".to_owned())],
            ..Condition::of_path(PathMatch::prefix("/"))
        };
        let two: &[_] = &[("version", "two")];
        check(&condition, "GET /?a+b=%C3%BC", two, true);
        check(&condition, "GET /?x=1&a%20b=%c3%bc&a+b=no", two, true);
        check(&condition, "GET /?a+b=no&a+b=%C3%BC", two, false);
        check(&condition, "GET /", two, false);
        check(&condition, "POST /?a+b=%C3%BC", two, false);
        check(&condition, "GET /?a+b=%C3%BC", &[], false);
        check(&condition, "GET /?a+b=%C3%BC", &[("version", "one")], false);
        check(&condition, "GET /?a+b=%C3%BC", &[("version", "two"), ("version", "three")], false);
        let torn = Condition { query: vec![("a".to_owned(), "%zz%4".to_owned())], ..condition };
        check(&torn, "GET /?a=%zz%4", two, true);
    }
}
