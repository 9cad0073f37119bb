use std::collections::HashSet;

use manifest::read::Level;

use crate::lint::objects::subject;
use crate::lint::told::{Text, config_maps, data};
use crate::lint::{Findings, Objects, Rule};

pub(super) const RULE: Rule = Rule {
    code: "HC053",
    level: Level::Warning,
    title: "nginx resolves a name once whose addresses change",
    explanation: "\
nginx looks a host up that is written out in `proxy_pass` or in an `upstream` when it starts, and never again until it is reloaded. A ClusterIP stays, so
that does no harm; the addresses of a headless Service are its pods', and those behind an ExternalName are someone else's: when they change nginx goes on
dialling the old ones, and answers 502 or 504 until a restart seems to mend it. A name that has no address yet even keeps nginx from starting (`host not
found in upstream`).",
    remedy: "Proxy to a ClusterIP Service; or let nginx look the name up while it runs: a `resolver`, and the host in a variable, or `resolve` behind the
`server` of an `upstream` (open source since 1.27.3). nginx walks no search list then, so the name must be whole.",
    sources: &["nginx, ngx_http_proxy_module: proxy_pass", "nginx, ngx_http_upstream_module: server, resolve"],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    for item in config_maps(objects) {
        let namespace = &item.reference.namespace;
        for text in data(item) {
            let mut told = Vec::new();
            for (at, host) in resolved_once(text.text) {
                // The host's rules apply to what stands in a URL.
                let url = format!("//{host}");
                let as_text = Text { text: &url, ..text.clone() };
                let mut hosts = as_text.hosts();
                let service = hosts.next().and_then(|host| host.service(objects, namespace));
                let Some(service) = service else { continue };
                if !(service.is_headless() || service.is_external_name())
                    || told.contains(&service.reference)
                {
                    continue;
                }
                told.push(service.reference.clone());
                let (what, field) = match service.is_headless() {
                    true => ("headless", "spec.clusterIP"),
                    false => ("of type ExternalName", "spec.type"),
                };
                let name = host.split(':').next().unwrap_or_default();
                let finding = findings.add(
                    subject(&item.reference),
                    text.label_at(at..at + host.len(), format!("{name} is looked up once")),
                    format!("nginx looks {name} up when it starts and never again, and the Service is {what}"),
                );
                finding.with(service.label(field, "its addresses change"));
                let whole = whole(
                    name,
                    &service.reference.name,
                    &service.reference.namespace,
                    &objects.options.cluster_domain,
                );
                finding.help("when they change nginx answers 502 or 504 until it is reloaded");
                finding.help(format!(
                    "write: resolver ADDRESS_OF_CLUSTER_DNS valid=5s; set $backend {whole}; proxy_pass http://$backend:PORT;{}",
                    if service.is_headless() { " or proxy to a ClusterIP Service" } else { "" }
                ));
            }
        }
    }
}

/// The name as nginx's resolver needs it, which walks no search list.
fn whole(name: &str, service: &str, namespace: &str, domain: &str) -> String {
    let endpoint = name.split('.').next().filter(|first| *first != service && name.contains('.'));
    let endpoint = endpoint.map(|first| format!("{first}.")).unwrap_or_default();
    format!("{endpoint}{service}.{namespace}.svc.{domain}")
}

/// Directives that hand a request on, and the schemes before their host.
const PASS: &[&str] =
    &["proxy_pass", "grpc_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass", "memcached_pass"];

/// The hosts (`name` or `name:port`) that an nginx configuration has resolved when it is read, and where they stand.
fn resolved_once(text: &str) -> Vec<(usize, &str)> {
    let mut upstreams = HashSet::new();
    let (mut servers, mut passed) = (Vec::new(), Vec::new());
    let mut in_upstream = false;
    let mut words: Vec<(usize, &str)> = Vec::new();
    for (at, token) in tokens(text) {
        match token {
            "{" => {
                if let [(_, "upstream"), (_, name)] = words[..] {
                    upstreams.insert(name);
                    in_upstream = true;
                }
                words.clear();
            }
            "}" => {
                in_upstream = false;
                words.clear();
            }
            ";" => {
                match words[..] {
                    [(_, "server"), host, ref rest @ ..]
                        if in_upstream && !rest.iter().any(|(_, word)| *word == "resolve") =>
                    {
                        servers.push(host);
                    }
                    [(_, pass), url, ..] if PASS.contains(&pass) => passed.push(url),
                    _ => {}
                }
                words.clear();
            }
            word => words.push((at, word)),
        }
    }
    let passed = passed.into_iter().filter_map(|(at, url)| {
        let skipped = url.find("://").map_or(0, |end| end + "://".len());
        let host = url[skipped..].split(['/', '?']).next()?;
        // A block of this name says where requests go, wherever it stands.
        let is_upstream = upstreams.contains(host.split(':').next()?);
        (!is_upstream).then_some((at + skipped, host))
    });
    let hosts = passed.chain(servers.iter().copied());
    hosts
        .filter(|(_, host)| !host.is_empty() && !host.contains('$') && !host.starts_with("unix:"))
        .collect()
}

/// Words (without quotes), braces and semicolons, and where they begin; no comments.
fn tokens(text: &str) -> Vec<(usize, &str)> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        match first {
            '#' => at += rest.find('\n').unwrap_or(rest.len()),
            '{' | '}' | ';' => {
                tokens.push((at, &rest[..1]));
                at += 1;
            }
            '"' | '\'' => {
                let end = rest[1..].find(first).map_or(rest.len(), |end| 1 + end);
                tokens.push((at + 1, &rest[1..end]));
                at = text.len().min(at + end + 1);
            }
            c if c.is_whitespace() => at += c.len_utf8(),
            _ => {
                let end = word(rest);
                tokens.push((at, &rest[..end]));
                at += end;
            }
        }
    }
    tokens
}

/// How long the word is that a text begins with; `${name}` is of it.
fn word(text: &str) -> usize {
    let mut in_name = false;
    let end = text.char_indices().find(|(at, c)| {
        match c {
            '{' if text[..*at].ends_with('$') => in_name = true,
            '}' if in_name => in_name = false,
            c => return c.is_whitespace() || matches!(c, '{' | '}' | ';'),
        }
        false
    });
    end.map_or(text.len(), |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_up_when_nginx_starts() {
        let check = |text: &str, expected: &[&str]| {
            let found: Vec<_> = resolved_once(text)
                .into_iter()
                .inspect(|(at, host)| assert!(text[*at..].starts_with(host), "{text}"))
                .map(|(_, host)| host)
                .collect();
            assert_eq!(found, expected, "{text}");
        };
        check("location / { proxy_pass http://db:80/x; }", &["db:80"]);
        check("location / {\n  # proxy_pass http://db;\n  return 200;\n}", &[]);
        check("set $db db; proxy_pass http://$db:80;", &[]);
        check("proxy_pass http://${db}:80;", &[]);
        check(
            "upstream a { server db-0.db:80 weight=5; server db-1.db:80; }",
            &["db-0.db:80", "db-1.db:80"],
        );
        check(
            "upstream db { zone z 64k; server db:80 resolve; } location / { proxy_pass http://db; }",
            &[],
        );
        check(
            "upstream b { server unix:/x; server db; } location / {proxy_pass http://b;}",
            &["db"],
        );
        check("server { listen 80; server_name x; } grpc_pass \"grpc://db:1\";", &["db:1"]);
        check("fastcgi_pass php:9000;", &["php:9000"]);
        check("log_format x '{ proxy_pass http://db; }'; proxy_pass \"http://a", &[]);
        check("", &[]);
    }
}
