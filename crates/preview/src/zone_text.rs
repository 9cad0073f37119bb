//! A zone as text that a DNS server loads (RFC 1035 §5.1).

use std::fmt::Write as _;

use directory::{Name, Owner, Rdata, Role};
use thiserror::Error;

use crate::observe::Preview;
use crate::records::{Change, NamedRecord};

/// A zone that has no names.
#[derive(Debug, PartialEq, Eq, Error)]
#[error("there is no zone {asked}; there are {}", .zones.join(", "))]
pub struct UnknownZone {
    /// The zone asked for.
    pub asked: String,
    /// The zones that there are.
    pub zones: Vec<String>,
}

/// One zone: the cluster domain, or a zone of reverse names. `gone` are records that were there before.
///
/// # Errors
///
/// There is no such zone.
pub fn zone_text(
    preview: &Preview,
    zone: Option<&Name>,
    gone: &[NamedRecord],
) -> Result<String, UnknownZone> {
    let reader = preview.reader();
    let domain = &reader.config().domain;
    let reverse = reader.reverse_zones();
    let (apex, owners) = match zone {
        None => (domain.clone(), reader.owners()),
        Some(zone) if zone == domain => (domain.clone(), reader.owners()),
        Some(zone) => match reverse.iter().find(|(apex, _)| apex == zone) {
            Some((apex, owners)) => (apex.clone(), owners.clone()),
            None => {
                let zones = std::iter::once(domain).chain(reverse.iter().map(|(apex, _)| apex));
                let zones = zones.map(ToString::to_string).collect();
                return Err(UnknownZone { asked: zone.to_string(), zones });
            }
        },
    };
    let mut text = Text { preview, text: String::new() };
    text.head(&apex, &reverse);
    text.owners(&owners);
    text.gone(gone, &apex);
    Ok(text.text)
}

struct Text<'a> {
    preview: &'a Preview,
    text: String,
}

impl Text<'_> {
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{line}");
    }

    fn head(&mut self, apex: &Name, reverse: &[(Name, Vec<Owner>)]) {
        let symbols = &self.preview.symbols;
        if !symbols.is_empty() {
            self.line(format_args!("; Only a cluster can allot addresses. Those whose line says what they stand for are of"));
            self.line(format_args!("; 192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24 (RFC 5737) and 2001:db8::/32 (RFC 3849)."));
            if symbols.overflowed {
                self.line(format_args!("; These were not enough: the others are of 198.18.0.0/15, the range for benchmarks (RFC 2544)."));
            }
        }
        if *apex == self.preview.reader().config().domain && !reverse.is_empty() {
            self.line(format_args!("; Zones of reverse names, each printed with --zone:"));
            for (zone, _) in reverse {
                self.line(format_args!(";   {zone}"));
            }
        }
        self.line(format_args!("$ORIGIN {apex}"));
    }

    fn owners(&mut self, owners: &[Owner]) {
        let mut part = Part::Zone;
        for owner in owners {
            let next = Part::of(&owner.role);
            if next != part {
                self.line(format_args!("\n; {}", self.title(&next)));
                part = next;
            }
            for record in self.preview.reader().records(&owner.name) {
                let stands_for = match (&record.data, &owner.role) {
                    (Rdata::A(address), _) => self.preview.symbols.meaning((*address).into()),
                    (Rdata::Aaaa(address), _) => self.preview.symbols.meaning((*address).into()),
                    (Rdata::Ptr(_), Role::Address(address)) => {
                        self.preview.symbols.meaning(*address)
                    }
                    _ => None,
                };
                match stands_for {
                    Some(meaning) => self.line(format_args!("{record} ; {meaning}")),
                    None => self.line(format_args!("{record}")),
                }
            }
        }
    }

    fn title(&self, part: &Part) -> String {
        match part {
            Part::Zone => "the zone".to_owned(),
            Part::Service(id) => {
                let shape = self.preview.services.get(id).map(crate::records::Shape::of);
                let shape = shape.map(|shape| format!(", {shape}")).unwrap_or_default();
                format!("Service {id}{shape}")
            }
            Part::Pods => "pods by their addresses".to_owned(),
            Part::Addresses => "from addresses to names".to_owned(),
        }
    }

    fn gone(&mut self, gone: &[NamedRecord], apex: &Name) {
        let gone: Vec<_> = gone
            .iter()
            .filter(|named| named.change == Change::Removed && named.record.owner.is_within(apex))
            .collect();
        if !gone.is_empty() {
            self.line(format_args!("\n; gone:"));
            for named in gone {
                self.line(format_args!("; {}", named.record));
            }
        }
    }
}

/// The parts of a zone's text.
#[derive(PartialEq, Eq)]
enum Part {
    Zone,
    Service(directory::view::ObjectName),
    Pods,
    Addresses,
}

impl Part {
    fn of(role: &Role) -> Self {
        match role {
            Role::Apex | Role::NameServer | Role::DnsVersion => Self::Zone,
            Role::Service(service)
            | Role::Endpoint { service, .. }
            | Role::Port { service, .. } => Self::Service(service.clone()),
            Role::Pod { .. } => Self::Pods,
            Role::Address(_) => Self::Addresses,
        }
    }
}
