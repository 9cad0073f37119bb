//! Every question of the benchmarks' files, asked once: what the server's reply says is what a second implementation says.

#![allow(clippy::unwrap_used, reason = "tests: a panic is the report")]

#[path = "../../benches/dns/objects.rs"]
#[allow(dead_code, reason = "the files are the benchmark's")]
mod objects;
#[path = "../../../directory/tests/reference/mod.rs"]
mod reference;
#[path = "../../../dns/tests/support/mod.rs"]
mod support;

use directory::script::Rcode;
use directory::{Change, Reader, ZoneConfig};
use dns::Transport;
use manifest::{KindId, Object};
use objects::{LARGE, SMALL, Scale};
use reference::{Reference, Said};
use serde_json::Value;
use support::{decode, name, outcome, query, reply};

/// Both sides with the same objects.
fn both(changes: Vec<Change>) -> (Reader, Reference) {
    let config = ZoneConfig::new(name("cluster.local"));
    let (mut writer, reader) = directory::new(config.clone());
    let mut reference = Reference::new(config);
    for change in &changes {
        reference.apply(change.clone());
    }
    writer.apply_all(changes);
    reference.set_synced();
    writer.set_synced();
    (reader, reference)
}

/// The objects of a benchmark's manifests.
fn objects_of(scale: Scale) -> Vec<Change> {
    let read = |(file, text): &(String, String)| {
        let (documents, problems) = manifest::read::read(file, text);
        assert!(problems.is_empty(), "{file}");
        let change = |value: &Value| {
            let kind = match value["kind"].as_str().unwrap() {
                "Namespace" => KindId::Namespace,
                "Service" => KindId::Service,
                "EndpointSlice" => KindId::EndpointSlice,
                other => panic!("{file}: {other}"),
            };
            preview::views::change(&Object::from_value(kind, value).unwrap()).unwrap().unwrap()
        };
        documents.iter().map(|document| change(&document.located.value)).collect::<Vec<_>>()
    };
    let files = objects::manifests(scale).unwrap();
    let read = |files: &[_]| files.iter().flat_map(read).collect::<Vec<_>>();
    on_all_cores(&files, read).concat()
}

/// Shares work among the cores.
fn on_all_cores<T: Sync, R: Send>(all: &[T], work: impl Fn(&[T]) -> R + Sync) -> Vec<R> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let work = &work;
        let parts = all.chunks(all.len().div_ceil(cores));
        let threads: Vec<_> = parts.map(|part| scope.spawn(move || work(part))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// Asks all questions of a benchmark. Both sides have the objects of its manifests.
#[track_caller]
fn check(scale: Scale) {
    let changes = objects_of(scale);
    let slices = changes.iter().filter_map(|change| match change {
        Change::Slice(slice) => Some(slice.endpoints.len()),
        _ => None,
    });
    assert_eq!(slices.sum::<usize>(), scale.services / 2 * scale.endpoints);
    let (reader, reference) = both(changes);
    let questions = objects::questions(scale);
    let codes = on_all_cores(&questions, |questions| {
        let codes = questions.iter().map(|question| compare(&reader, &reference, question));
        codes.collect::<Vec<_>>()
    })
    .concat();
    assert_eq!(codes.len(), questions.len());
    assert!(codes.contains(&Rcode::NoError) && codes.contains(&Rcode::NxDomain));
}

/// Asks one question, over TCP, so that the answer is whole.
fn compare(reader: &Reader, reference: &Reference, question: &str) -> Rcode {
    let (asked, rtype) = question.split_once(' ').unwrap();
    let (asked, rtype) = (name(asked), rtype.parse().unwrap());
    let (_, reply) = reply(reader, Transport::Tcp, &query(0, &asked, rtype, None));
    let decoded = decode(&reply);
    assert!(!decoded.truncated, "{question}");
    let said = Said::of(&outcome(decoded));
    assert_eq!(said, reference.answer(&asked, rtype), "{question}");
    said.rcode
}

#[test]
fn of_the_small_benchmark() {
    check(SMALL);
}

#[test]
fn of_the_large_benchmark() {
    check(LARGE);
}
