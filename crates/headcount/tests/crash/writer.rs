//! A client that writes its own objects, and knows what they must be.

use std::collections::BTreeMap;

use kube::Client;
use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::support::random::Random;
use crate::{api, revision};

/// Every object that is written here has it.
pub(crate) const LABEL: &str = "crash=test";

/// Objects of one writer and kind.
const NAMES: u64 = 4;

/// The number that an object was last written with. It is there three times, so that a half-written object shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Object {
    number: u64,
}

impl Object {
    /// What an object of the API holds; it must be whole.
    pub(crate) fn of(object: &DynamicObject) -> Self {
        let annotations = object.metadata.annotations.as_ref().expect("annotations");
        let first = &annotations["first"];
        assert_eq!(annotations["second"], first.repeat(200), "{object:?}");
        assert_eq!(annotations["third"], *first, "{object:?}");
        Self { number: first.parse().expect("a number") }
    }

    fn annotations(&self) -> Value {
        let text = self.number.to_string();
        json!({ "first": text, "second": text.repeat(200), "third": text })
    }
}

/// An object's place: its kind's place in the list of kinds, and its name.
type Place = (usize, String);

/// What an object may be when it is not known whether the last write happened: as it was acknowledged, or as here.
pub(crate) struct InFlight {
    place: Place,
    after: Option<Object>,
}

/// A client that writes.
pub(crate) struct Writer {
    id: u64,
    random: Random,
    kinds: Vec<ApiResource>,
    /// What was acknowledged last; what was deleted, or never made, is not in it.
    known: BTreeMap<Place, Object>,
    next_number: u64,
    /// The write whose answer did not come.
    pub(crate) in_flight: Option<InFlight>,
    /// How many writes of this round were acknowledged.
    pub(crate) acknowledged: u64,
    /// Those whose revision was told: kind and revision.
    pub(crate) revisions: Vec<(String, u64)>,
    /// The last one.
    pub(crate) newest: u64,
}

impl Writer {
    pub(crate) fn new(id: u64, seed: u64, kinds: &[ApiResource]) -> Self {
        Self {
            id,
            random: Random::new(seed * 1000 + id),
            kinds: kinds.to_vec(),
            known: BTreeMap::new(),
            next_number: 1,
            in_flight: None,
            acknowledged: 0,
            revisions: Vec::new(),
            newest: 0,
        }
    }

    /// Compares this writer's objects of a kind with what the API lists, and goes on from that.
    pub(crate) fn compare(
        &mut self,
        kind: &ApiResource,
        listed: &BTreeMap<String, Object>,
        round: u64,
    ) {
        let of_kind = self.kinds.iter().position(|known| known == kind).expect("a known kind");
        for index in 0..NAMES {
            let place = (of_kind, self.name(index));
            let (seen, known) = (listed.get(&place.1), self.known.get(&place));
            let in_flight = self.in_flight.as_ref().filter(|write| write.place == place);
            let allowed =
                seen == known || in_flight.is_some_and(|write| seen == write.after.as_ref());
            assert!(
                allowed,
                "round {round}: {} {}: {seen:?} is there, {known:?} was acknowledged, under way {:?}",
                kind.kind,
                place.1,
                in_flight.map(|write| &write.after),
            );
            match seen.cloned() {
                Some(object) => self.known.insert(place, object),
                None => self.known.remove(&place),
            };
        }
    }

    fn name(&self, index: u64) -> String {
        format!("w{}-{index}", self.id)
    }

    /// Writes, one after the other, until the server is gone. Every acknowledged write is newer than `floor`.
    pub(crate) async fn write_until_it_dies(
        mut self,
        client: Client,
        count: watch::Sender<u64>,
        floor: u64,
    ) -> Self {
        self.acknowledged = 0;
        self.revisions.clear();
        self.in_flight = None;
        self.newest = floor;
        loop {
            let kind = self.random.below(self.kinds.len() as u64) as usize;
            let index = self.random.below(NAMES);
            let place = (kind, self.name(index));
            let object = Object { number: self.next_number };
            self.next_number += 1;
            let delete = self.known.contains_key(&place) && self.random.below(4) == 0;
            let after = (!delete).then_some(object);
            let result = self.write(&client, &place, after.as_ref()).await;
            match result {
                Ok(at) => {
                    if let Some(at) = at {
                        assert!(at > self.newest, "{place:?}: {at} after {}", self.newest);
                        self.newest = at;
                        self.revisions.push((self.kinds[kind].kind.clone(), at));
                    }
                    self.acknowledged += 1;
                    match after {
                        Some(object) => self.known.insert(place, object),
                        None => self.known.remove(&place),
                    };
                    count.send_modify(|count| *count += 1);
                }
                Err(kube::Error::Api(status)) => panic!("{place:?} was refused: {status:?}"),
                Err(_) => {
                    self.in_flight = Some(InFlight { place, after });
                    return self;
                }
            }
        }
    }

    /// One write; the revision at which it was acknowledged, where the answer tells it.
    async fn write(
        &mut self,
        client: &Client,
        place: &Place,
        after: Option<&Object>,
    ) -> kube::Result<Option<u64>> {
        let (kind, name) = (&self.kinds[place.0], place.1.as_str());
        let api = api(client, kind);
        let Some(after) = after else {
            let gone = api.delete(name, &DeleteParams::default()).await?;
            // Some kinds answer with the object as it went, the others with a Status.
            let object = gone.left();
            return Ok(object.map(|object| revision(object.metadata.resource_version.as_deref())));
        };
        let (label, value) = LABEL.split_once('=').expect("a label");
        let metadata =
            json!({ "name": name, "labels": { label: value }, "annotations": after.annotations() });
        let spec = match kind.kind.as_str() {
            "Service" => json!({ "ports": [{ "port": 80 }] }),
            _ => json!({}),
        };
        let whole = || -> DynamicObject {
            let mut object = json!({
                "apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata,
            });
            if kind.kind != "ConfigMap" {
                object["spec"] = spec.clone();
            }
            serde_json::from_value(object).expect("an object")
        };
        let written = if !self.known.contains_key(place) {
            api.create(&PostParams::default(), &whole()).await?
        } else if self.random.below(2) == 0 {
            let patch = json!({ "metadata": { "annotations": after.annotations() } });
            api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?
        } else {
            let mut object = whole();
            let old = api.get(name).await?;
            object.metadata.resource_version = old.metadata.resource_version;
            // The addresses are the server's to give, and stay.
            if kind.kind == "Service" {
                object.data = old.data;
            }
            api.replace(name, &PostParams::default(), &object).await?
        };
        Ok(Some(revision(written.metadata.resource_version.as_deref())))
    }
}
