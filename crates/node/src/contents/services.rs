//! What a container's environment says of Services, as Kubernetes has said it since before it had DNS.

use k8s_openapi::api::core::v1::Service;

/// The variables for these Services, those without a cluster IP left out, in the order of their names.
pub(super) fn variables(services: &[Service]) -> Vec<(String, String)> {
    let mut services: Vec<&Service> = services.iter().collect();
    services.sort_by_key(|service| service.metadata.name.as_deref());
    services.into_iter().flat_map(of_service).collect()
}

fn of_service(service: &Service) -> Vec<(String, String)> {
    let name = service.metadata.name.as_deref().unwrap_or_default();
    let spec = service.spec.as_ref();
    let address = spec.and_then(|spec| spec.cluster_ip.as_deref()).unwrap_or_default();
    let ports = spec.and_then(|spec| spec.ports.as_deref()).unwrap_or_default();
    let [first, ..] = ports else { return Vec::new() };
    if matches!(address, "" | "None") {
        return Vec::new();
    }
    let prefix = word(name);
    let host = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
    let mut variables = vec![
        (format!("{prefix}_SERVICE_HOST"), address.to_owned()),
        (format!("{prefix}_SERVICE_PORT"), first.port.to_string()),
    ];
    for port in ports {
        if let Some(name) = port.name.as_deref().filter(|name| !name.is_empty()) {
            variables
                .push((format!("{prefix}_SERVICE_PORT_{}", word(name)), port.port.to_string()));
        }
    }
    // The names that Docker's links had.
    for (at, port) in ports.iter().enumerate() {
        let protocol = port.protocol.as_deref().unwrap_or("TCP");
        let lower = protocol.to_lowercase();
        let number = port.port;
        let link = format!("{lower}://{host}:{number}");
        if at == 0 {
            variables.push((format!("{prefix}_PORT"), link.clone()));
        }
        let prefix = format!("{prefix}_PORT_{number}_{}", protocol.to_uppercase());
        variables.extend([
            (prefix.clone(), link),
            (format!("{prefix}_PROTO"), lower),
            (format!("{prefix}_PORT"), number.to_string()),
            (format!("{prefix}_ADDR"), address.to_owned()),
        ]);
    }
    variables
}

/// A name as part of a variable's name.
fn word(name: &str) -> String {
    let word = name.replace(['.', '-'], "_").to_uppercase();
    if word.starts_with(|c: char| c.is_ascii_digit()) { format!("_{word}") } else { word }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[track_caller]
    fn check(services: &[(&str, Value)], expected: &[&str]) {
        let services: Vec<Service> = services
            .iter()
            .map(|(name, spec)| {
                serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec})).unwrap()
            })
            .collect();
        let seen: Vec<String> = variables(&services)
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn services_in_the_environment() {
        check(&[], &[]);
        check(
            &[
                ("web", json!({"clusterIP": "10.96.0.20", "ports": [{"port": 80}]})),
                ("db", json!({"clusterIP": "None", "ports": [{"port": 5432}]})),
                ("outside", json!({"type": "ExternalName", "externalName": "db.example.com"})),
            ],
            &[
                "WEB_SERVICE_HOST=10.96.0.20",
                "WEB_SERVICE_PORT=80",
                "WEB_PORT=tcp://10.96.0.20:80",
                "WEB_PORT_80_TCP=tcp://10.96.0.20:80",
                "WEB_PORT_80_TCP_PROTO=tcp",
                "WEB_PORT_80_TCP_PORT=80",
                "WEB_PORT_80_TCP_ADDR=10.96.0.20",
            ],
        );
        check(
            &[(
                "1st-dns",
                json!({"clusterIP": "fd00::a", "ports": [
                    {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
                    {"name": "dns", "port": 53, "protocol": "UDP"},
                ]}),
            )],
            &[
                "_1ST_DNS_SERVICE_HOST=fd00::a",
                "_1ST_DNS_SERVICE_PORT=53",
                "_1ST_DNS_SERVICE_PORT_DNS_TCP=53",
                "_1ST_DNS_SERVICE_PORT_DNS=53",
                "_1ST_DNS_PORT=tcp://[fd00::a]:53",
                "_1ST_DNS_PORT_53_TCP=tcp://[fd00::a]:53",
                "_1ST_DNS_PORT_53_TCP_PROTO=tcp",
                "_1ST_DNS_PORT_53_TCP_PORT=53",
                "_1ST_DNS_PORT_53_TCP_ADDR=fd00::a",
                "_1ST_DNS_PORT_53_UDP=udp://[fd00::a]:53",
                "_1ST_DNS_PORT_53_UDP_PROTO=udp",
                "_1ST_DNS_PORT_53_UDP_PORT=53",
                "_1ST_DNS_PORT_53_UDP_ADDR=fd00::a",
            ],
        );
    }
}
