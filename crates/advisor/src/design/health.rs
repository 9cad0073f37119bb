//! When a pod is ready: by the software's own check where one is well known, else by an open port, and then it is said
//! that this is a placeholder.

use super::intent::{Intent, Port, Protocol};
use super::wiring::is_official;
use super::yaml::Map;
use crate::peers::Peer;

/// How software is asked whether it is ready.
enum Check {
    /// By HTTP, on the port of this name.
    Http { port: &'static str, path: &'static str },
    /// By a command of its official image.
    Command(Vec<String>),
    /// By its port, which it opens only then.
    Opens { port: &'static str, when: &'static str },
}

fn command(words: &[&str]) -> Check {
    Check::Command(words.iter().map(|&word| word.to_owned()).collect())
}

fn shell(line: String) -> Check {
    Check::Command(vec!["sh".to_owned(), "-c".to_owned(), line])
}

/// A readiness probe, and what to say of it.
pub(super) fn readiness(intent: &Intent) -> Option<(Map, String)> {
    let until = match intent.client_service() {
        Some(service) => format!("; until it passes, {service} sends nobody here"),
        None => String::new(),
    };
    let check = intent.software().and_then(|software| Some((software, check(intent, software)?)));
    if let Some((software, check)) = check {
        let name = software.name;
        match check {
            Check::Http { port, path } if has_port(intent, port) => {
                let get = Map::new().set("path", path).set("port", port);
                let note = format!("{name}'s own check{until}");
                return Some((Map::new().set("httpGet", get), note));
            }
            Check::Opens { port, when } if has_port(intent, port) => {
                let note = format!("{name} opens {port} {when}{until}");
                return Some((tcp(port), note));
            }
            Check::Command(words) if is_official(software, image(intent)) => {
                let exec = Map::new().set("exec", Map::new().set("command", words));
                let note = format!("{name}'s own check, a program that starts each time{until}");
                return Some((exec.set("timeoutSeconds", 10u16), note));
            }
            Check::Http { .. } | Check::Opens { .. } | Check::Command(_) => {}
        }
    }
    let is_tcp = |port: &&Port| port.protocol == Protocol::Tcp;
    let port = intent.client_ports().find(is_tcp).or_else(|| intent.ports.iter().find(is_tcp))?;
    let note = format!(
        "a placeholder, which tells that the port is open and no more; the own check of {} belongs here{until}",
        intent.what()
    );
    Some((tcp(&port.name), note))
}

fn tcp(port: &str) -> Map {
    Map::new().set("tcpSocket", Map::new().set("port", port))
}

fn image(intent: &Intent) -> &str {
    intent.pods().map_or("", |pods| &pods.image)
}

fn has_port(intent: &Intent, name: &str) -> bool {
    intent.ports.iter().any(|port| port.name == name)
}

/// What the software's documentation, chart or operator asks.
fn check(intent: &Intent, software: &Peer) -> Option<Check> {
    let number = |name: &str| {
        intent.ports.iter().find(|port| port.name == name).map_or(0, |port| port.target)
    };
    Some(match software.name {
        // It fails while there is no leader.
        "etcd" => Check::Http { port: "client", path: "/health" },
        "ZooKeeper" => command(&["zkServer.sh", "status"]),
        "Cassandra" => Check::Opens { port: "cql", when: "once it has joined the ring" },
        "RabbitMQ" => Check::Opens { port: "amqp", when: "at the end of its start" },
        "Redis with Sentinel" => {
            shell(format!("redis-cli -p {} ping | grep -q PONG", number("redis")))
        }
        "Redis Cluster" => shell(format!(
            "redis-cli -p {} cluster info | grep -q cluster_state:ok",
            number("redis")
        )),
        "CockroachDB" => Check::Http { port: "http", path: "/health?ready=1" },
        "Galera" => command(&["healthcheck.sh", "--connect", "--galera_online"]),
        "PostgreSQL with Patroni" => Check::Http { port: "rest", path: "/readiness" },
        // The answer is an empty string while there is no leader.
        "Consul" => shell(format!(
            "curl -s http://127.0.0.1:{}/v1/status/leader | grep -q '[0-9]'",
            number("http")
        )),
        "Vault" => Check::Http { port: "http", path: "/v1/sys/health?standbyok=true" },
        "NATS" => Check::Http { port: "monitor", path: "/healthz?js-server-only=true" },
        "MinIO" => Check::Http { port: "minio", path: "/minio/health/ready" },
        "Pekko" | "Akka" => Check::Http { port: "management", path: "/ready" },
        "Dgraph Alpha" | "Dgraph Zero" => Check::Http { port: "http", path: "/health" },
        _ => return None,
    })
}
