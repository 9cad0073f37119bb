//! What is done to requests and answers on their way.

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue};
use manifest::gateway::{HttpFilter, HttpHeader, HttpHeaderFilter, HttpPathModifier, HttpRedirect};

use super::condition::PathMatch;

/// How headers change: first what is set, then what is added, then what is removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HeaderChange {
    set: Vec<(HeaderName, HeaderValue)>,
    add: Vec<(HeaderName, HeaderValue)>,
    remove: Vec<HeaderName>,
}

impl HeaderChange {
    fn read(filter: &HttpHeaderFilter) -> Result<Self, String> {
        let headers = |headers: &[HttpHeader]| headers.iter().map(header).collect::<Result<_, _>>();
        Ok(Self {
            set: headers(&filter.set)?,
            add: headers(&filter.add)?,
            remove: filter.remove.iter().map(|name| header_name(name)).collect::<Result<_, _>>()?,
        })
    }

    pub(crate) fn apply(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.set {
            headers.insert(name, value.clone());
        }
        for (name, value) in &self.add {
            headers.append(name, value.clone());
        }
        for name in &self.remove {
            headers.remove(name);
        }
    }
}

fn header(header: &HttpHeader) -> Result<(HeaderName, HeaderValue), String> {
    let value = HeaderValue::from_str(&header.value)
        .map_err(|_| format!("{:?} is no value of a header", header.value))?;
    Ok((header_name(&header.name)?, value))
}

pub(super) fn header_name(name: &str) -> Result<HeaderName, String> {
    HeaderName::try_from(name).map_err(|_| format!("{name:?} is no name of a header"))
}

/// How a path changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PathChange {
    /// It becomes this.
    Full(String),
    /// Its first bytes, so many as the prefix has, become this.
    Prefix { length: usize, to: String },
}

impl PathChange {
    fn read(modifier: &HttpPathModifier, path: &PathMatch) -> Result<Self, String> {
        let HttpPathModifier { type_, replace_full_path, replace_prefix_match } = modifier;
        match (type_.as_str(), path) {
            ("ReplaceFullPath", _) => Ok(Self::Full(replace_full_path.clone().unwrap_or_default())),
            ("ReplacePrefixMatch", PathMatch::Prefix(prefix)) => {
                let to = replace_prefix_match.clone().unwrap_or_default();
                Ok(Self::Prefix { length: prefix.len(), to })
            }
            ("ReplacePrefixMatch", PathMatch::Exact(_)) => {
                Err("ReplacePrefixMatch needs a match of type PathPrefix".to_owned())
            }
            (other, _) => Err(format!("a path modifier of type {other:?} is not known")),
        }
    }

    /// The path that it becomes. A prefix is replaced by whole elements: `/foo/bar` with `/foo` replaced by `/x/`, or by
    /// `/x`, is `/x/bar`.
    pub(crate) fn apply(&self, path: &str) -> String {
        let changed = match self {
            Self::Full(full) => full.clone(),
            Self::Prefix { length, to } => {
                let rest = path.get(*length..).unwrap_or_default();
                format!("{}{rest}", to.trim_end_matches('/'))
            }
        };
        if changed.starts_with('/') { changed } else { format!("/{changed}") }
    }
}

/// Where a client is sent instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Redirect {
    pub(crate) code: u16,
    scheme: Option<String>,
    hostname: Option<String>,
    path: Option<PathChange>,
    port: Option<u16>,
}

/// Where a request arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrived<'r> {
    pub(crate) scheme: &'static str,
    /// The host, without port.
    pub(crate) host: &'r str,
    /// The port of the listener.
    pub(crate) port: u16,
}

impl Redirect {
    fn read(filter: &HttpRedirect, matched: &PathMatch) -> Result<Self, String> {
        let HttpRedirect { scheme, hostname, path, port, status_code } = filter;
        let path = path.as_ref().map(|path| PathChange::read(path, matched)).transpose()?;
        Ok(Self {
            code: status_code.and_then(|code| u16::try_from(code).ok()).unwrap_or(302),
            scheme: scheme.clone(),
            hostname: hostname.clone(),
            path,
            port: port.and_then(|port| u16::try_from(port).ok()),
        })
    }

    /// The `Location`. Without a port it is that of the scheme if the redirect names one, else that of the listener; the
    /// usual port of a scheme is left out.
    pub(crate) fn location(&self, arrived: Arrived<'_>, path: &str, query: Option<&str>) -> String {
        let scheme = self.scheme.as_deref().unwrap_or(arrived.scheme);
        let usual = if scheme == "https" { 443 } else { 80 };
        let port = match (self.port, &self.scheme) {
            (Some(port), _) => port,
            (None, Some(_)) => usual,
            (None, None) => arrived.port,
        };
        let host = self.hostname.as_deref().unwrap_or(arrived.host);
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let port = if port == usual { String::new() } else { format!(":{port}") };
        let path = self.path.as_ref().map_or_else(|| path.to_owned(), |change| change.apply(path));
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        format!("{scheme}://{host}{port}{path}{query}")
    }
}

/// All that a rule, or a backend of it, does to requests and answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filters {
    pub(crate) request: HeaderChange,
    pub(crate) response: HeaderChange,
    pub(crate) host: Option<HeaderValue>,
    pub(crate) path: Option<PathChange>,
    pub(crate) redirect: Option<Redirect>,
}

impl Filters {
    /// What the filters come to for requests whose path matched so.
    ///
    /// # Errors
    ///
    /// A filter is of a type that is not served, or cannot be.
    pub(crate) fn read(filters: &[HttpFilter], matched: &PathMatch) -> Result<Self, String> {
        let mut all = Self::default();
        for filter in filters {
            match filter.type_.as_str() {
                "RequestHeaderModifier" => {
                    let change = filter.request_header_modifier.clone().unwrap_or_default();
                    all.request = HeaderChange::read(&change)?;
                }
                "ResponseHeaderModifier" => {
                    let change = filter.response_header_modifier.clone().unwrap_or_default();
                    all.response = HeaderChange::read(&change)?;
                }
                "RequestRedirect" => {
                    let redirect = filter.request_redirect.clone().unwrap_or_default();
                    all.redirect = Some(Redirect::read(&redirect, matched)?);
                }
                "URLRewrite" => {
                    let rewrite = filter.url_rewrite.clone().unwrap_or_default();
                    all.host = rewrite
                        .hostname
                        .map(|host| {
                            HeaderValue::from_str(&host)
                                .map_err(|_| format!("{host:?} is no host name"))
                        })
                        .transpose()?;
                    all.path =
                        rewrite.path.map(|path| PathChange::read(&path, matched)).transpose()?;
                }
                other => return Err(format!("filters of type {other} are not served here")),
            }
        }
        let paths = [&all.path, &all.redirect.as_ref().and_then(|redirect| redirect.path.clone())]
            .map(Option::clone);
        for path in paths.into_iter().flatten() {
            let (PathChange::Full(text) | PathChange::Prefix { to: text, .. }) = &path;
            if PathAndQuery::try_from(path.apply("/").as_str()).is_err() {
                return Err(format!("{text:?} is no path"));
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use manifest::gateway::HttpRewrite;

    use super::*;

    #[test]
    fn prefixes_are_replaced_by_whole_elements() {
        let check = |prefix: &str, to: &str, path: &str, wanted: &str| {
            let change = PathChange::Prefix {
                length: prefix.trim_end_matches('/').len(),
                to: to.to_owned(),
            };
            assert_eq!(change.apply(path), wanted, "{path} with {prefix} replaced by {to}");
        };
        // The table of the Gateway API.
        check("/foo", "/xyz", "/foo/bar", "/xyz/bar");
        check("/foo", "/xyz/", "/foo/bar", "/xyz/bar");
        check("/foo/", "/xyz", "/foo/bar", "/xyz/bar");
        check("/foo/", "/xyz/", "/foo/bar", "/xyz/bar");
        check("/foo", "/xyz", "/foo", "/xyz");
        check("/foo", "/xyz/", "/foo/", "/xyz/");
        check("/foo", "", "/foo/bar", "/bar");
        check("/foo", "", "/foo/", "/");
        check("/foo", "", "/foo", "/");
        check("/foo", "/", "/foo", "/");
        check("/", "/xyz", "/bar", "/xyz/bar");
    }

    #[test]
    fn redirects() {
        let check = |redirect: HttpRedirect, wanted: &str| {
            let redirect = Redirect::read(&redirect, &PathMatch::prefix("/a")).unwrap();
            let arrived = Arrived { scheme: "http", host: "example.com", port: 8080 };
            assert_eq!(redirect.location(arrived, "/a/b", Some("q=1")), wanted);
        };
        let some = |text: &str| Some(text.to_owned());
        check(HttpRedirect::default(), "http://example.com:8080/a/b?q=1");
        check(
            HttpRedirect { scheme: some("https"), ..HttpRedirect::default() },
            "https://example.com/a/b?q=1",
        );
        check(
            HttpRedirect {
                hostname: some("other.example.com"),
                port: Some(80),
                ..HttpRedirect::default()
            },
            "http://other.example.com/a/b?q=1",
        );
        let path = HttpPathModifier {
            type_: "ReplacePrefixMatch".to_owned(),
            replace_prefix_match: some("/z"),
            ..HttpPathModifier::default()
        };
        check(
            HttpRedirect { path: Some(path), ..HttpRedirect::default() },
            "http://example.com:8080/z/b?q=1",
        );
    }

    #[test]
    fn what_is_not_served_is_refused() {
        let check = |filter: HttpFilter, wanted: &str| {
            let error = Filters::read(&[filter], &PathMatch::prefix("/")).unwrap_err();
            assert_eq!(error, wanted);
        };
        let of = |type_: &str| HttpFilter { type_: type_.to_owned(), ..HttpFilter::default() };
        check(of("CORS"), "filters of type CORS are not served here");
        let full = HttpPathModifier {
            type_: "ReplaceFullPath".to_owned(),
            replace_full_path: Some("/a b".to_owned()),
            ..HttpPathModifier::default()
        };
        let rewrite = HttpRewrite { hostname: None, path: Some(full) };
        check(HttpFilter { url_rewrite: Some(rewrite), ..of("URLRewrite") }, "\"/a b\" is no path");
        let bad = HttpHeader { name: "a b".to_owned(), value: String::new() };
        let set = HttpHeaderFilter { set: vec![bad], ..HttpHeaderFilter::default() };
        check(
            HttpFilter { request_header_modifier: Some(set), ..of("RequestHeaderModifier") },
            "\"a b\" is no name of a header",
        );
    }
}
