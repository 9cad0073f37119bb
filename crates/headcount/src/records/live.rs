//! What a live cluster's objects come to, as they are.

use directory::Name;
use preview::Preview;

use super::{Records, Source, View};
use crate::error::Error;
use crate::live::not_listed;

pub(super) async fn view(records: &Records) -> Result<View, Error> {
    let connection = records.cluster.connect().await?;
    let namespace = records.namespace.as_deref();
    let objects = cluster::snapshot(&connection.client, namespace)
        .await
        .map_err(|error| not_listed(&error, &connection.url))?;
    let domain = match records.cluster_domain.clone().or(connection.domain) {
        Some(domain) => domain,
        None => Name::parse("cluster.local").map_err(|error| Error::of(&error))?,
    };
    let now = Preview::of_cluster(&objects, domain);
    Ok(View {
        services: now.services(),
        not_ready: None,
        now,
        source: Source::Cluster { namespace: records.namespace.clone() },
        findings: false,
    })
}
