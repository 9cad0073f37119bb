//! What one slice contributes to its Service's page.

use std::net::IpAddr;
use std::sync::Arc;

use crate::ZoneConfig;
use crate::label::{self, Label};
use crate::view::{EndpointView, Protocol, SlicePort, SliceView};

/// The endpoints of one slice, arranged for look-up. Immutable.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// The ports that have a number, named or not.
    ports: Box<[SegmentPort]>,
    /// One row per address of an endpoint, by address, then by name.
    rows: Box<[Row]>,
    /// Those rows that have a label of their own, by that label.
    labelled: Box<[u32]>,
    /// Endpoints, and how many of them are published.
    pub(crate) total: u32,
    pub(crate) published: u32,
    /// Whether the addresses are IPv6.
    pub(crate) is_ipv6: bool,
}

/// A port on the endpoints of a segment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SegmentPort {
    /// In lowercase; empty when unnamed.
    pub(crate) name: Box<str>,
    pub(crate) port: u16,
    pub(crate) protocol: Protocol,
}

/// One address of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) address: IpAddr,
    /// Whether the endpoint is in the answers: ready, or what an option counts as ready.
    pub(crate) published: bool,
    /// Whether the label is the endpoint's hostname. Controllers set one only where the pod's subdomain is the Service.
    pub(crate) has_hostname: bool,
    /// Lowercase; without one the address is the name.
    label: Option<Arc<str>>,
}

impl Row {
    /// The endpoint's name below its Service.
    pub(crate) fn name(&self) -> Label {
        match &self.label {
            Some(label) => Label::new(label.as_bytes()),
            None => Label::dashed(self.address),
        }
    }
}

impl Segment {
    pub(crate) fn new(view: &SliceView, config: &ZoneConfig) -> Self {
        let mut rows = Vec::with_capacity(view.endpoints.len());
        let mut published_count = 0;
        for endpoint in &view.endpoints {
            let EndpointView { addresses, hostname, ready, serving, terminating, pod, zone: _ } =
                endpoint;
            let published =
                *ready || (config.publish_serving_terminating && *serving && *terminating);
            published_count += u32::from(published);
            let hostname = hostname.as_ref().filter(|name| label::is_publishable(name));
            let pod = pod
                .as_ref()
                .filter(|name| config.endpoint_pod_names && label::is_publishable(name));
            let label = hostname.or(pod).map(label::lower);
            rows.extend(addresses.iter().map(|&address| Row {
                address,
                published,
                has_hostname: hostname.is_some(),
                label: label.clone(),
            }));
        }
        rows.sort_unstable_by(|a, b| {
            (a.address, &a.label, !a.published).cmp(&(b.address, &b.label, !b.published))
        });
        let mut labelled: Vec<u32> =
            (0..).zip(&rows).filter(|(_, row)| row.label.is_some()).map(|(at, _)| at).collect();
        labelled.sort_by(|&a, &b| rows[a as usize].label.cmp(&rows[b as usize].label));
        let ports = view.ports.iter().filter_map(|port| {
            let SlicePort { name, port, protocol } = port;
            let name = name.to_ascii_lowercase().into_boxed_str();
            Some(SegmentPort { name, port: (*port)?, protocol: *protocol })
        });
        Self {
            ports: ports.collect(),
            labelled: labelled.into(),
            total: view.endpoints.len().try_into().unwrap_or(u32::MAX),
            published: published_count,
            is_ipv6: rows.first().is_some_and(|row| row.address.is_ipv6()),
            rows: rows.into(),
        }
    }

    pub(crate) fn ports(&self) -> &[SegmentPort] {
        &self.ports
    }

    /// Every row, by address.
    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The rows of one address.
    pub(crate) fn rows_at(&self, address: IpAddr) -> &[Row] {
        let start = self.rows.partition_point(|row| row.address < address);
        let count = self.rows[start..].iter().take_while(|row| row.address == address).count();
        &self.rows[start..start + count]
    }

    /// The rows of the endpoints called `name` (lowercase); `address` is the one that `name` stands for, if any.
    pub(crate) fn rows_named<'a>(
        &'a self,
        name: &'a [u8],
        address: Option<IpAddr>,
    ) -> impl Iterator<Item = &'a Row> {
        let row = |at: &u32| &self.rows[*at as usize];
        let label =
            move |at: &u32| row(at).label.as_ref().map_or(&[][..], |label| label.as_bytes());
        let start = self.labelled.partition_point(|at| label(at) < name);
        let labelled =
            self.labelled[start..].iter().take_while(move |at| label(at) == name).map(row);
        let unlabelled = address.map_or(&[][..], |address| self.rows_at(address));
        labelled.chain(unlabelled.iter().filter(|row| row.label.is_none()))
    }
}
