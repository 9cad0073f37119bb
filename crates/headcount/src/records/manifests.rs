//! What manifests come to.

use std::collections::HashMap;

use directory::Name;
use manifest::ObjectRef;
use manifest::read::{Checked, Document, Problem};
use preview::{Refused, Settings, SettleError, settle};

use super::{Records, Source, View};
use crate::error::Error;
use crate::files;
use crate::reading::Reading;

pub(super) async fn view(records: &Records) -> Result<View, Error> {
    let files = files::read(records.filenames.clone()).await?;
    let namespace = records.namespace.as_deref().unwrap_or("default");
    let reading = Reading::new(files, namespace);
    let mut findings = reading.report();

    let domain = match &records.cluster_domain {
        Some(domain) => domain.clone(),
        None => Name::parse("cluster.local").map_err(|error| Error::of(&error))?,
    };
    let settings = Settings { domain, not_ready: records.not_ready.clone() };
    let mut documents: HashMap<ObjectRef, Document> = HashMap::new();
    let mut values = Vec::new();
    for Checked { document, reference, value } in reading.objects {
        documents.insert(reference, document);
        values.push(value);
    }
    let settled = settle(values, &settings).map_err(not_settled)?;
    for problem in settled.refused.iter().flat_map(|refused| problems(refused, &documents)) {
        crate::terminal::say(&problem);
        findings = true;
    }
    Ok(View {
        services: settled.services(),
        not_ready: settled.before.is_some().then_some(settled.not_ready),
        now: settled.now,
        source: Source::Manifests,
        findings,
    })
}

/// A cluster's refusal, at the lines of the fields that it names.
fn problems(refused: &Refused, documents: &HashMap<ObjectRef, Document>) -> Vec<Problem> {
    let Some(document) = documents.get(&refused.target) else { return Vec::new() };
    let problem = |error: &manifest::field::FieldError| {
        Problem::error(&document.source, document.position(&error.field), error.body())
            .in_field(error.field.clone())
    };
    refused.errors.iter().map(problem).collect()
}

pub(crate) fn not_settled(error: SettleError) -> Error {
    let hint = match &error {
        SettleError::TooManyPods => Some("give the workloads fewer replicas to look at"),
        SettleError::UnknownPod { .. } => Some("name pods as they are here with --not-ready"),
        SettleError::AmbiguousPod { .. } => Some("write NAMESPACE/POD with --not-ready"),
        SettleError::NoRest { .. } => {
            Some("two workloads may select each other's pods: give each a label of its own")
        }
        SettleError::NoAddress | SettleError::UnknownKind(_) | SettleError::Malformed { .. } => {
            None
        }
    };
    let told = Error::of(&error);
    match hint {
        Some(hint) => told.hint(hint),
        None => told,
    }
}
