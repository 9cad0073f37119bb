use manifest::read::Level;

use crate::lint::dialled::dialled;
use crate::lint::{Findings, Objects, Rule, Workload};

pub(super) const RULE: Rule = Rule {
    code: "HC052",
    level: Level::Warning,
    title: "a JVM is told to keep addresses for ever, or its setting for that does nothing",
    explanation: "\
The JVM keeps the addresses of a name for 30 seconds, unless it is told otherwise; only with a security manager, which newer ones do not have, it
keeps them for ever. That default is short enough for the names of Services; Elasticsearch sets one of its own, 60 seconds.

Two settings do harm. `sun.net.inetaddr.ttl` below 0 keeps an address until the process ends: a pod that came back under its name with another
address is never found again, and neither is a database behind an ExternalName that has moved. And `networkaddress.cache.ttl` is a *security*
property, read from `java.security` or set by the program: `-Dnetworkaddress.cache.ttl=5` on a command line sets nothing, and the default stays.",
    remedy: "\
Write `-Dsun.net.inetaddr.ttl=5` where a command line or `JAVA_TOOL_OPTIONS` sets it, or `networkaddress.cache.ttl=5` in a file that
`-Djava.security.properties=FILE` names.",
    sources: &[
        "Java SE API: java.net.InetAddress, InetAddress Caching",
        "Java SE, Networking Properties: sun.net.inetaddr.ttl",
        "OpenJDK: sun.net.InetAddressCachePolicy",
        "JEP 486",
    ],
    check,
};

const SECURITY: &str = "-Dnetworkaddress.cache.ttl=";
const SYSTEM: &str = "-Dsun.net.inetaddr.ttl=";

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    for workload in &objects.workloads {
        let texts = options(workload);
        // The property that works decides, wherever it stands.
        let system = texts.iter().find_map(|(field, text)| Some((field, value(text, SYSTEM)?)));
        let changing = || {
            dialled(objects, workload)
                .into_iter()
                .find(|used| used.service.is_headless() || used.service.is_external_name())
        };
        match system {
            Some((field, seconds)) if seconds.parse::<i64>().is_ok_and(|ttl| ttl < 0) => {
                let Some(used) = changing() else { continue };
                let kind = match used.service.is_headless() {
                    true => "headless",
                    false => "an ExternalName",
                };
                findings
                    .add(
                        workload.subject(),
                        workload.pod_label(field, "keeps addresses for ever"),
                        format!(
                            "the JVM of {} never looks {} up again, and that Service is {kind}: its addresses change",
                            workload.reference.name, used.name
                        ),
                    )
                    .with(workload.pod_label(&used.field, "dialled by this name"))
                    .help(format!(
                        "when they have changed, it dials the former ones until it is started anew: write {SYSTEM}5"
                    ));
            }
            Some(_) => {}
            None => {
                let security =
                    texts.iter().find_map(|(field, text)| Some((field, value(text, SECURITY)?)));
                if let Some((field, seconds)) = security {
                    findings
                        .add(
                            workload.subject(),
                            workload.pod_label(field, "no system property"),
                            format!(
                                "{SECURITY}{seconds} sets nothing: the JVM of {} keeps addresses for its default, 30 seconds",
                                workload.reference.name
                            ),
                        )
                        .help(format!("the system property for it is {SYSTEM}{seconds}"));
                }
            }
        }
    }
}

/// The texts that may hold options of a JVM, and their paths among the pod's fields.
fn options(workload: &Workload) -> Vec<(String, &str)> {
    let mut texts = Vec::new();
    for (path, container) in workload.containers() {
        for (at, variable) in container.env.iter().flatten().enumerate() {
            if let Some(value) = variable.value.as_deref() {
                texts.push((format!("{path}.env[{at}].value"), value));
            }
        }
        for (list, all) in [("command", &container.command), ("args", &container.args)] {
            let all = all.iter().flatten().enumerate();
            texts.extend(all.map(|(at, text)| (format!("{path}.{list}[{at}]"), text.as_str())));
        }
    }
    texts
}

/// What a text gives for an option: `-Dx=` in `-Xmx1g -Dx=5 …` has `5`.
fn value<'t>(text: &'t str, option: &str) -> Option<&'t str> {
    let (_, after) = text.split_once(option)?;
    let end = after.find(|c: char| !(c.is_ascii_digit() || c == '-')).unwrap_or(after.len());
    Some(&after[..end])
}
