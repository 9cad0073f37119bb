//! What one slice contributes to its Service's page.

use std::net::IpAddr;

use crate::label::{self, Label};
use crate::page::Ports;
use crate::view::{EndpointView, Protocol, SlicePort, SliceView};
use crate::{Name, ZoneConfig};

/// The endpoints of one slice, arranged for look-up and packed: at 100,000 endpoints an octet here is 100 kB. Immutable.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// The name that those of its endpoints are below, where that is not their Service's: `C.S.N.svc` of an import.
    pub(crate) parent: Option<Name>,
    /// The ports that have a number, named or not.
    ports: Box<[SegmentPort]>,
    /// One row per address of an endpoint, by address, then by label.
    rows: Box<[Row]>,
    /// Those rows that have a label of their own, by that label.
    labelled: Box<[u32]>,
    /// The labels of all rows, in lowercase.
    labels: Box<[u8]>,
    /// The numbers of all ports, each once, in order.
    numbers: Box<[u16]>,
    /// The topology zones that its endpoints are in, in lowercase, and of each row the place of its zone among them.
    /// Both are empty unless names of zones are answered.
    zones: Box<[Box<str>]>,
    zone_of: Box<[u16]>,
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

/// An endpoint's name: the one that stands for an address, or another.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Identity<'a> {
    Address(IpAddr),
    Label(&'a [u8]),
}

/// An endpoint's name as a label below its Service, by reference where it is stored.
#[derive(Clone, Copy)]
pub(crate) enum EndpointName<'a> {
    Own(&'a [u8]),
    /// Stands for the address.
    Dashed(Label),
}

impl EndpointName<'_> {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Own(label) => label,
            Self::Dashed(label) => label.as_bytes(),
        }
    }

    /// The same by value, for sorting.
    pub(crate) fn to_label(self) -> Label {
        match self {
            Self::Own(label) => Label::new(label),
            Self::Dashed(label) => label,
        }
    }
}

/// One address of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) address: IpAddr,
    /// Whether the endpoint is in the answers: ready, or what an option counts as ready.
    pub(crate) published: bool,
    /// Whether the label is the endpoint's hostname. Controllers set one only where the pod's subdomain is the Service.
    pub(crate) has_hostname: bool,
    /// Where the label is in its segment's labels; without one (length 0) the address is the name.
    label_start: u32,
    label_length: u8,
}

impl Segment {
    pub(crate) fn new(view: &SliceView, parent: Option<Name>, config: &ZoneConfig) -> Self {
        let mut labelled_rows = Vec::with_capacity(view.endpoints.len());
        let mut published_count = 0;
        for endpoint in &view.endpoints {
            let EndpointView { addresses, hostname, ready, serving, terminating, pod, zone } =
                endpoint;
            let published =
                *ready || (config.publish_serving_terminating && *serving && *terminating);
            published_count += u32::from(published);
            let hostname = hostname.as_deref().filter(|name| label::is_publishable(name));
            let pod = pod
                .as_deref()
                .filter(|name| config.endpoint_pod_names && label::is_publishable(name));
            let label = hostname.or(pod).map_or_else(String::new, str::to_ascii_lowercase);
            labelled_rows.extend(addresses.iter().map(|&address| {
                let has_hostname = hostname.is_some();
                let row = Row { address, published, has_hostname, label_start: 0, label_length: 0 };
                (row, label.clone(), zone.as_deref().unwrap_or_default())
            }));
        }
        labelled_rows.sort_unstable_by(|(a, a_label, a_zone), (b, b_label, b_zone)| {
            let published = a.published.cmp(&b.published).reverse();
            a.address
                .cmp(&b.address)
                .then(a_label.cmp(b_label))
                .then(published)
                .then(a_zone.cmp(b_zone))
        });
        let mut labels = Vec::new();
        let mut rows = Vec::with_capacity(labelled_rows.len());
        let mut zones: Vec<Box<str>> = Vec::new();
        let mut zone_of = Vec::new();
        for (mut row, label, zone) in labelled_rows {
            if config.zone_names {
                let zone = zone.to_ascii_lowercase();
                let at = zones.iter().position(|known| **known == *zone).unwrap_or_else(|| {
                    zones.push(zone.into());
                    zones.len() - 1
                });
                // A slice has fewer endpoints than that.
                zone_of.push(u16::try_from(at).unwrap_or(u16::MAX));
            }
            row.label_start = labels.len().try_into().unwrap_or(u32::MAX);
            row.label_length = label.len().try_into().unwrap_or(0);
            labels.extend_from_slice(label.as_bytes());
            rows.push(row);
        }
        let mut labelled: Vec<u32> =
            (0..).zip(&rows).filter(|(_, row)| row.label_length > 0).map(|(at, _)| at).collect();
        labelled.sort_by_key(|&at| label_of(&labels, &rows[at as usize]));
        let ports = view.ports.iter().filter_map(|port| {
            let SlicePort { name, port, protocol } = port;
            let name = name.to_ascii_lowercase().into_boxed_str();
            Some(SegmentPort { name, port: (*port)?, protocol: *protocol })
        });
        let ports: Box<[SegmentPort]> = ports.collect();
        let mut numbers: Vec<u16> = ports.iter().map(|port| port.port).collect();
        numbers.sort_unstable();
        numbers.dedup();
        Self {
            parent,
            ports,
            zones: zones.into(),
            zone_of: zone_of.into(),
            numbers: numbers.into(),
            labelled: labelled.into(),
            labels: labels.into(),
            total: view.endpoints.len().try_into().unwrap_or(u32::MAX),
            published: published_count,
            is_ipv6: rows.first().is_some_and(|row| row.address.is_ipv6()),
            rows: rows.into(),
        }
    }

    /// The cluster that its endpoints are in (lowercase); `None` for those of the cluster's own Services.
    pub(crate) fn cluster(&self) -> Option<&[u8]> {
        self.parent.as_ref().and_then(|parent| parent.labels().next())
    }

    pub(crate) fn ports(&self) -> &[SegmentPort] {
        &self.ports
    }

    /// The numbers of the ports that `wanted` means, each once, in order.
    pub(crate) fn numbers(&self, wanted: Ports<'_>) -> &[u16] {
        match wanted {
            Ports::All => &self.numbers,
            // The API takes a name but once in a slice; of others the first one counts.
            Ports::Named(..) => {
                let mut ports = self.ports.iter();
                let port = ports.find(|port| wanted.include(&port.name, port.protocol));
                port.map_or(&[], |port| std::slice::from_ref(&port.port))
            }
        }
    }

    /// Every row, by address.
    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The published rows with their places: by label, then those without one by address.
    pub(crate) fn published_rows(&self) -> impl Iterator<Item = (u32, &Row)> {
        let labelled = self.labelled.iter().map(|&at| (at, &self.rows[at as usize]));
        let unlabelled = (0..).zip(&*self.rows).filter(|(_, row)| row.label_length == 0);
        labelled.chain(unlabelled).filter(|(_, row)| row.published)
    }

    /// The addresses of published endpoints in a topology zone (lowercase).
    pub(crate) fn addresses_in<'a>(&'a self, zone: &'a [u8]) -> impl Iterator<Item = IpAddr> + 'a {
        let wanted = self.zones.iter().position(|known| known.as_bytes() == zone);
        let rows = self.rows.iter().zip(&*self.zone_of);
        rows.filter(move |(row, at)| row.published && wanted == Some(usize::from(**at)))
            .map(|(row, _)| row.address)
    }

    /// The name, below its Service, of the endpoint of a row of this segment.
    pub(crate) fn name_of(&self, row: &Row) -> EndpointName<'_> {
        match label_of(&self.labels, row) {
            [] => EndpointName::Dashed(Label::dashed(row.address)),
            label => EndpointName::Own(label),
        }
    }

    /// What tells that name from others, at less cost.
    pub(crate) fn identity_of(&self, row: &Row) -> Identity<'_> {
        match label_of(&self.labels, row) {
            [] => Identity::Address(row.address),
            label => label::parse_dashed(label).map_or(Identity::Label(label), Identity::Address),
        }
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
        let label = move |at: &u32| label_of(&self.labels, row(at));
        let start = self.labelled.partition_point(|at| label(at) < name);
        let labelled =
            self.labelled[start..].iter().take_while(move |at| label(at) == name).map(row);
        let unlabelled = address.map_or(&[][..], |address| self.rows_at(address));
        labelled.chain(unlabelled.iter().filter(|row| row.label_length == 0))
    }
}

/// A row's label among those of its segment; empty without one.
fn label_of<'a>(labels: &'a [u8], row: &Row) -> &'a [u8] {
    let start = row.label_start as usize;
    labels.get(start..start + usize::from(row.label_length)).unwrap_or_default()
}
