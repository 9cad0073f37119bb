//! The validity of containers.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, ContainerPort, EnvVar, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::validate::{NOT_NEGATIVE, Volumes, known, label};
use crate::field::{FieldError, FieldPath};
use crate::rules::{names, net};

type Errors = Vec<FieldError>;

/// Checks a container; `seen` are the names of those before.
pub(super) fn container<'c>(
    container: &'c Container,
    path: &FieldPath<'_>,
    volumes: &Volumes<'_>,
    seen: &mut BTreeSet<&'c str>,
    errors: &mut Errors,
) {
    common(container, path, volumes, seen, errors);
    for (field, one, successes_fixed) in [
        ("livenessProbe", &container.liveness_probe, true),
        ("readinessProbe", &container.readiness_probe, false),
        ("startupProbe", &container.startup_probe, true),
    ] {
        if let Some(one) = one {
            probe(one, &path.child(field), successes_fixed, errors);
        }
    }
}

/// Checks a container that runs before the others. Only one that stays (restartPolicy Always) may be probed.
pub(super) fn init_container<'c>(
    one: &'c Container,
    path: &FieldPath<'_>,
    volumes: &Volumes<'_>,
    seen: &mut BTreeSet<&'c str>,
    errors: &mut Errors,
) {
    if one.restart_policy.as_deref() == Some("Always") {
        container(one, path, volumes, seen, errors);
        return;
    }
    common(one, path, volumes, seen, errors);
    for (field, is_set) in [
        ("lifecycle", one.lifecycle.is_some()),
        ("livenessProbe", one.liveness_probe.is_some()),
        ("readinessProbe", one.readiness_probe.is_some()),
        ("startupProbe", one.startup_probe.is_some()),
    ] {
        if is_set {
            errors.push(FieldError::forbidden(
                &path.child(field),
                "may not be set for init containers without restartPolicy=Always",
            ));
        }
    }
}

fn common<'c>(
    container: &'c Container,
    path: &FieldPath<'_>,
    volumes: &Volumes<'_>,
    seen: &mut BTreeSet<&'c str>,
    errors: &mut Errors,
) {
    let name_path = path.child("name");
    label(&name_path, &container.name, errors);
    if !container.name.is_empty() && !seen.insert(&container.name) {
        errors.push(FieldError::duplicate(&name_path, container.name.as_str()));
    }
    match container.image.as_deref() {
        None | Some("") => errors.push(FieldError::required(&path.child("image"), "")),
        Some(image) if image.trim() != image => errors.push(FieldError::invalid(
            &path.child("image"),
            image,
            "must not have leading or trailing whitespace",
        )),
        Some(_) => {}
    }
    known(
        &path.child("imagePullPolicy"),
        container.image_pull_policy.as_deref(),
        &["Always", "IfNotPresent", "Never"],
        errors,
    );
    ports(container.ports.as_deref().unwrap_or_default(), &path.child("ports"), errors);
    env(container.env.as_deref().unwrap_or_default(), &path.child("env"), errors);

    let list = path.child("volumeMounts");
    let mut places = BTreeSet::new();
    for (index, mount) in container.volume_mounts.iter().flatten().enumerate() {
        let path = list.index(index);
        if mount.name.is_empty() {
            errors.push(FieldError::required(&path.child("name"), ""));
        } else if !volumes.contains(mount.name.as_str()) {
            errors.push(FieldError::not_found(&path.child("name"), mount.name.as_str()));
        }
        let path = path.child("mountPath");
        if mount.mount_path.is_empty() {
            errors.push(FieldError::required(&path, ""));
        } else if !places.insert(mount.mount_path.as_str()) {
            errors.push(FieldError::invalid(&path, mount.mount_path.as_str(), "must be unique"));
        }
    }
}

fn ports(ports: &[ContainerPort], list: &FieldPath<'_>, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let path = list.index(index);
        let ContainerPort { container_port, host_ip: _, host_port, name, protocol } = port;
        if let Some(name) = name.as_deref() {
            let path = path.child("name");
            let problems = names::port_name(name);
            if problems.is_empty() && !seen.insert(name) {
                errors.push(FieldError::duplicate(&path, name));
            }
            errors.extend(problems.into_iter().map(|text| FieldError::invalid(&path, name, text)));
        }
        let number_path = path.child("containerPort");
        if *container_port == 0 {
            errors.push(FieldError::required(&number_path, ""));
        } else if let Some(text) = names::port_number((*container_port).into()) {
            errors.push(FieldError::invalid(&number_path, *container_port, text));
        }
        if let Some(host_port) = host_port.filter(|port| *port != 0)
            && let Some(text) = names::port_number(host_port.into())
        {
            errors.push(FieldError::invalid(&path.child("hostPort"), host_port, text));
        }
        net::protocol(&path.child("protocol"), protocol.as_deref(), errors);
    }
}

fn env(env: &[EnvVar], list: &FieldPath<'_>, errors: &mut Errors) {
    for (index, EnvVar { name, value, value_from }) in env.iter().enumerate() {
        let path = list.index(index);
        let name_path = path.child("name");
        if name.is_empty() {
            errors.push(FieldError::required(&name_path, ""));
        } else if !name.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'=') {
            errors.push(FieldError::invalid(
                &name_path,
                name.as_str(),
                "a valid environment variable name must consist only of printable ASCII characters other than '='",
            ));
        }
        if value_from.is_some() && value.as_deref().is_some_and(|value| !value.is_empty()) {
            errors.push(FieldError::invalid(
                &path.child("valueFrom"),
                "",
                "may not be specified when `value` is not empty",
            ));
        }
    }
}

fn probe(probe: &Probe, path: &FieldPath<'_>, successes_fixed: bool, errors: &mut Errors) {
    let handlers = [
        probe.exec.is_some(),
        probe.grpc.is_some(),
        probe.http_get.is_some(),
        probe.tcp_socket.is_some(),
    ];
    match handlers.into_iter().filter(|is_set| *is_set).count() {
        0 => errors.push(FieldError::required(path, "must specify a handler type")),
        1 => {}
        _ => errors.push(FieldError::forbidden(path, "may not specify more than 1 handler type")),
    }
    if let Some(http) = &probe.http_get {
        handler_port(&http.port, &path.child("httpGet"), errors);
    }
    if let Some(tcp) = &probe.tcp_socket {
        handler_port(&tcp.port, &path.child("tcpSocket"), errors);
    }
    if let Some(grpc) = &probe.grpc
        && let Some(text) = names::port_number(grpc.port.into())
    {
        let path = path.child("grpc");
        errors.push(FieldError::invalid(&path.child("port"), grpc.port, text));
    }
    for (field, seconds) in [
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("periodSeconds", probe.period_seconds),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ] {
        if let Some(seconds) = seconds.filter(|seconds| *seconds < 0) {
            errors.push(FieldError::invalid(&path.child(field), seconds, NOT_NEGATIVE));
        }
    }
    if successes_fixed && let Some(count) = probe.success_threshold.filter(|count| *count > 1) {
        errors.push(FieldError::invalid(&path.child("successThreshold"), count, "must be 1"));
    }
}

fn handler_port(port: &IntOrString, path: &FieldPath<'_>, errors: &mut Errors) {
    let path = path.child("port");
    match port {
        IntOrString::Int(number) => {
            if let Some(text) = names::port_number((*number).into()) {
                errors.push(FieldError::invalid(&path, *number, text));
            }
        }
        IntOrString::String(name) => errors.extend(
            names::port_name(name)
                .into_iter()
                .map(|text| FieldError::invalid(&path, name.as_str(), text)),
        ),
    }
}
