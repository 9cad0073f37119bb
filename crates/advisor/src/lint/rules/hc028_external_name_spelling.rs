use manifest::read::Level;

use crate::lint::external_name::{Spelling, Target, fits_dns, is_name, without_dot};
use crate::lint::{Change, Findings, Objects, Rule, words};

pub(super) const RULE: Rule = Rule {
    code: "HC028",
    level: Level::Error,
    title: "an ExternalName is more than a DNS name",
    explanation: "\
`spec.externalName` becomes the target of a CNAME, so it is a bare DNS name: no scheme, no port, no path, no user. The API also wants lower
case letters, digits, hyphens and dots only: an underscore, a capital letter, a wildcard or a space is refused. What a URL says besides
the host is nothing that DNS could pass on; clients have to know it themselves.",
    remedy: "Write the host alone, in lower case, and give clients scheme, port and path in their own configuration.",
    sources: &[
        "Kubernetes API validation of ServiceSpec.externalName (DNS-1123 subdomain)",
        "kubernetes/kubernetes#52266",
    ],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    for service in &objects.services {
        let field = "spec.externalName";
        match Target::of(service) {
            None | Some(Target::Address(_)) => {}
            Some(Target::Name(name)) if fits_dns(name) => {}
            Some(Target::Name(name)) => {
                let longest = name.split('.').map(str::len).max().unwrap_or(0);
                findings
                    .add(
                        service.subject(),
                        service.label(field, "too long for DNS"),
                        format!(
                            "the external name has a label of {longest} characters, and DNS \
                            has at most 63"
                        ),
                    )
                    .help(
                        "the API looks at the whole name only and takes it; no such name can be \
                        asked for",
                    );
            }
            Some(Target::Refused(spelling)) => {
                let text =
                    service.object.spec.as_ref().and_then(|spec| spec.external_name.as_deref());
                let text = text.unwrap_or_default();
                let finding = findings.add(
                    service.subject(),
                    service.label(field, "only a DNS name can be here"),
                    format!("externalName {:?} holds {}", text, what(text, &spelling)),
                );
                finding.help(
                    "the API refuses it: the external name is what a CNAME leads to, a \
                    DNS name and nothing else",
                );
                if !spelling.port.is_empty() {
                    let port = &spelling.port[1..];
                    finding.help(format!(
                        "an alias has no port; clients name it themselves: {}:{port}",
                        service.reference.name
                    ));
                }
                if spelling.host.contains('_') {
                    finding.help(
                        "use another name of that host, or a Service without selector and a \
                         slice of its addresses",
                    );
                }
                let host = spelling.host.to_ascii_lowercase();
                if !is_name(without_dot(&host)) {
                    continue;
                }
                finding.help(format!("the name alone is {host}"));
                // A port or a path that is dropped may be one that somebody counts on.
                if spelling.port.is_empty()
                    && matches!(spelling.path, "" | "/")
                    && spelling.user.is_empty()
                {
                    let set = Change::Set { field: field.to_owned(), to: words::scalar(&host) };
                    finding.fix(
                        format!("set externalName to {host}"),
                        &service.document,
                        vec![set],
                    );
                }
            }
        }
    }
}

/// What stands there that may not.
fn what(text: &str, spelling: &Spelling<'_>) -> String {
    let Spelling { scheme, user, host, port, path } = *spelling;
    let shown = [("scheme", scheme), ("user", user), ("port", port), ("path", path)];
    let shown = shown.into_iter().filter(|(_, text)| !text.is_empty());
    let mut parts: Vec<String> = shown.map(|(what, text)| format!("the {what} {text}")).collect();
    for (is_there, what) in [
        (host.contains(char::is_uppercase), "capital letters"),
        (host.contains('_'), "an underscore"),
        (host.contains('*'), "a wildcard"),
        (text.contains(char::is_whitespace), "white space"),
    ] {
        if is_there {
            parts.push(what.to_owned());
        }
    }
    match parts[..] {
        [] => "no DNS name".to_owned(),
        _ => words::list(&parts, parts.len()),
    }
}
