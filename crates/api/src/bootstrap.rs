//! What the API server makes by itself at start: the system's namespaces, and the Service `kubernetes` with where it
//! leads.

use std::net::SocketAddr;

use manifest::IpFamily;
use manifest::kind::{Kind, KindId};
use manifest::labels::{SERVICE_NAME, SKIP_MIRROR};
use serde_json::{Value, json};

use crate::allocate::kubernetes_address;
use crate::options::{FieldValidation, WriteOptions};
use crate::registry::{Registry, Subject};
use crate::service::ApiServer;
use crate::status::{Reason, StatusError};

/// The namespaces that every cluster has.
const NAMESPACES: [&str; 4] = ["default", "kube-system", "kube-public", "kube-node-lease"];

const NAMESPACE: &str = "default";
const NAME: &str = "kubernetes";

impl ApiServer {
    /// Makes what is missing of the system's objects and mends what is out of date. Idempotent; to be called before
    /// clients are served.
    ///
    /// # Errors
    ///
    /// When the store fails, or the first address of the service range is held by another Service.
    pub async fn bootstrap(&self) -> Result<(), StatusError> {
        let registry = self.registry();
        for name in NAMESPACES {
            ensure(registry, KindId::Namespace, None, name, namespace(name)).await?;
        }
        let service = service(registry);
        ensure(registry, KindId::Service, Some(NAMESPACE), NAME, service).await?;
        for (kind, value) in [
            (KindId::EndpointSlice, slice(registry.config.advertise)),
            (KindId::Endpoints, endpoints(registry.config.advertise)),
        ] {
            registry.assert(Kind::of(kind), NAMESPACE, NAME, value).await?;
        }
        Ok(())
    }
}

async fn ensure(
    registry: &Registry,
    id: KindId,
    namespace: Option<&str>,
    name: &str,
    value: Value,
) -> Result<(), StatusError> {
    let kind = Kind::of(id);
    let subject = Subject { kind, namespace: namespace.unwrap_or(""), name };
    if registry.get(kind, subject.namespace, name).is_ok() {
        return Ok(());
    }
    let options =
        WriteOptions { field_validation: FieldValidation::Strict, ..WriteOptions::default() };
    match registry.create(kind, namespace, value, options).await {
        Ok(_) => Ok(()),
        Err(error) if error.reason == Reason::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn namespace(name: &str) -> Value {
    json!({ "metadata": { "name": name } })
}

/// Without selector, at the first address of the primary range.
fn service(registry: &Registry) -> Value {
    let primary = registry.config.service_cidrs.first().and_then(kubernetes_address);
    json!({
        "metadata": {
            "name": NAME,
            "labels": { "component": "apiserver", "provider": "kubernetes" },
        },
        "spec": {
            "type": "ClusterIP",
            "clusterIP": primary.map(|address| address.to_string()),
            "ipFamilyPolicy": "SingleStack",
            "sessionAffinity": "None",
            "ports": [{
                "name": "https",
                "protocol": "TCP",
                "port": 443,
                "targetPort": registry.config.advertise.port(),
            }],
        },
    })
}

fn slice(advertise: SocketAddr) -> Value {
    json!({
        "metadata": { "labels": { SERVICE_NAME: NAME } },
        "addressType": IpFamily::of(advertise.ip()).as_str(),
        "endpoints": [{
            "addresses": [advertise.ip().to_string()],
            "conditions": { "ready": true },
        }],
        "ports": [{ "name": "https", "port": advertise.port(), "protocol": "TCP" }],
    })
}

fn endpoints(advertise: SocketAddr) -> Value {
    json!({
        // The slice above is made together with this, not mirrored from it.
        "metadata": { "labels": { SKIP_MIRROR: "true" } },
        "subsets": [{
            "addresses": [{ "ip": advertise.ip().to_string() }],
            "ports": [{ "name": "https", "port": advertise.port(), "protocol": "TCP" }],
        }],
    })
}
