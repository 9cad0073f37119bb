//! The records for programs. The form is described in `docs/records.md` and changes only with its version.

use preview::{Absent, Change, NamedRecord, ServiceRecords};
use serde_json::{Value, json};

use super::{Source, View};

/// The version of the form: what is there stays as it is; more may come.
const VERSION: u32 = 1;

pub(super) fn text(view: &View) -> String {
    let domain = view.now.reader().config().domain.to_string();
    let source = match view.source {
        Source::Manifests => "manifests",
        Source::Cluster { .. } => "cluster",
    };
    let is_compared = view.not_ready.is_some();
    let mut value = json!({
        "version": VERSION,
        "source": source,
        "domain": domain,
        "symbolic": view.now.is_symbolic(),
        "services": view.services.iter().map(|each| service(each, is_compared)).collect::<Vec<_>>(),
        "pods": records(&view.now.pod_records(), false),
        "zone": records(&view.now.zone_records(), false),
    });
    if let Some(pods) = &view.not_ready {
        value["notReady"] = json!(pods);
    }
    // A Value has nothing that JSON could not hold.
    format!("{value:#}\n")
}

/// The Services' records, in the form of `services`.
pub(crate) fn services(services: &[ServiceRecords]) -> Vec<Value> {
    services.iter().map(|each| service(each, false)).collect()
}

fn service(service: &ServiceRecords, is_compared: bool) -> Value {
    let ServiceRecords {
        service: id,
        shape,
        endpoints,
        endpoints_before,
        records: own,
        nothing,
        absent,
        notes,
    } = service;
    let counts = |(ready, total): (usize, usize)| json!({ "ready": ready, "total": total });
    let mut value = json!({
        "namespace": &*id.namespace,
        "name": &*id.name,
        "type": shape.to_string(),
        "endpoints": counts(*endpoints),
        "records": records(own, is_compared),
        "nothing": nothing.as_ref().map(ToString::to_string),
        "absent": absent.iter().map(|Absent { name, reason }| json!({ "name": name, "reason": reason })).collect::<Vec<_>>(),
        "notes": notes,
    });
    if let Some(before) = endpoints_before {
        value["endpointsBefore"] = counts(*before);
    }
    value
}

fn records(records: &[NamedRecord], is_compared: bool) -> Vec<Value> {
    let one = |named: &NamedRecord| {
        let NamedRecord { record, owner, data, purpose, change } = named;
        let mut value = json!({
            "name": owner,
            "type": record.data.rtype().to_string(),
            "ttl": record.ttl,
            "data": data,
            "for": purpose,
        });
        if is_compared {
            let change = match change {
                Change::Same => "same",
                Change::Removed => "removed",
                Change::Added => "added",
                Change::Reweighted { was } => {
                    value["was"] = was.as_str().into();
                    "reweighted"
                }
            };
            value["change"] = change.into();
        }
        value
    };
    records.iter().map(one).collect()
}
