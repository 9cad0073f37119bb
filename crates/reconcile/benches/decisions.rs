//! What taking in objects and deciding costs, as the number of objects grows: `cargo bench -p reconcile`.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Node, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use manifest::{Object, ObjectRef};
use reconcile::{Action, Context, Key, Work, World, reconcile};
use serde_json::json;

fn service(name: &str) -> Object {
    let service: Service = serde_json::from_value(json!({
        "metadata": {"name": name, "namespace": "bench", "uid": format!("s-{name}"), "resourceVersion": "1"},
        "spec": {"clusterIP": "None", "ipFamilies": ["IPv4"], "selector": {"app": name, "tier": "bench"},
                 "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]},
    }))
    .unwrap();
    service.into()
}

fn pod(app: &str, number: usize, version: u64, ready: bool) -> Object {
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": format!("{app}-{number}"), "namespace": "bench", "uid": format!("p-{app}-{number}"),
                     "resourceVersion": version.to_string(), "labels": {"app": app, "tier": "bench"}},
        "spec": {"nodeName": "node-1", "hostname": format!("{app}-{number}"), "subdomain": app,
                 "containers": [{"name": "c", "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]}]},
        "status": {"phase": "Running", "podIP": format!("10.1.{}.{}", number / 250, number % 250),
                   "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}]},
    }))
    .unwrap();
    pod.into()
}

/// Carries out what is decided, on the world alone.
fn work_off(
    world: &mut World,
    work: impl IntoIterator<Item = Work>,
    version: &mut u64,
) -> (usize, Duration) {
    let mut queue: BTreeSet<Work> = work.into_iter().collect();
    let mut chance = 1u64;
    let (mut writes, mut spent) = (0, Duration::ZERO);
    while let Some(next) = queue.pop_first() {
        let mut random = || {
            chance = chance.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            chance
        };
        let mut context = Context { now: jiff::Timestamp::UNIX_EPOCH, random: &mut random };
        let start = Instant::now();
        let actions = reconcile(world, &next, &mut context).actions;
        spent += start.elapsed();
        for action in actions {
            let (Action::Create(mut object) | Action::Update(mut object)) = action else {
                continue;
            };
            writes += 1;
            *version += 1;
            let metadata = object.metadata_mut();
            metadata.resource_version = Some(version.to_string());
            if metadata.uid.is_none() {
                metadata.uid = Some(format!("o-{version}"));
            }
            let start = Instant::now();
            queue.extend(world.apply(object));
            spent += start.elapsed();
        }
    }
    (writes, spent)
}

fn up(services: usize, pods: usize) {
    let objects: Vec<Object> = (0..services)
        .flat_map(|service_number| {
            let name = format!("web-{service_number}");
            let made = (0..pods).map(|number| pod(&name, number, 2, true)).collect::<Vec<_>>();
            std::iter::once(service(&name)).chain(made)
        })
        .collect();
    let count = objects.len();
    let mut world = World::new();
    let node: Node = serde_json::from_value(json!({"metadata": {"name": "node-1"}})).unwrap();
    world.apply(Object::from(node));
    let (mut version, mut writes) = (10, 0);
    let mut spent = Duration::ZERO;
    for object in objects {
        let start = Instant::now();
        let work = world.apply(object);
        spent += start.elapsed();
        let (more, time) = work_off(&mut world, work, &mut version);
        writes += more;
        spent += time;
    }
    println!(
        "{services} Services with {pods} pods each: {:.1} µs an object, {writes} writes, {} slices",
        spent.as_secs_f64() * 1e6 / count as f64,
        world.store::<EndpointSlice>().len(),
    );
    // One pod turns not ready, and back.
    let name = format!("web-{}", services / 2);
    let mut times = Vec::new();
    for round in 0..200u64 {
        let object = pod(&name, pods / 2, 1_000_000 + round, round % 2 == 1);
        let start = Instant::now();
        let work = world.apply(object);
        let taken = start.elapsed();
        let (_, decided) = work_off(&mut world, work, &mut version);
        times.push(taken + decided);
    }
    times.sort();
    println!("  a pod's readiness: p50 {:?}, p99 {:?}", times[100], times[197]);
    let target = ObjectRef { kind: "Service", namespace: "bench".into(), name: name.clone() };
    assert!(world.object(&target).is_some());
    let mut random = || 0;
    let mut context = Context { now: jiff::Timestamp::UNIX_EPOCH, random: &mut random };
    let start = Instant::now();
    let idle = reconcile(&world, &Work::EndpointSlices(Key::new("bench", name)), &mut context);
    assert_eq!(idle.actions, []);
    println!("  a look that finds nothing to do: {:?}", start.elapsed());
}

fn stateful_set(name: &str) -> Object {
    let set: StatefulSet = serde_json::from_value(json!({
        "metadata": {"name": name, "namespace": "bench", "uid": format!("set-{name}"), "resourceVersion": "1"},
        "spec": {"replicas": 3, "serviceName": name, "podManagementPolicy": "Parallel",
                 "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
                 "selector": {"matchLabels": {"app": name}},
                 "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": "c:1"}]}},
                 "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {}}]},
    }))
    .unwrap();
    set.into()
}

/// StatefulSets with their revisions, claims and pods: what a look at one of them costs.
fn sets(count: usize) {
    let mut world = World::new();
    let (mut version, mut writes, mut spent) = (10, 0, Duration::ZERO);
    for number in 0..count {
        let start = Instant::now();
        let work = world.apply(stateful_set(&format!("set-{number}")));
        spent += start.elapsed();
        let (more, time) = work_off(&mut world, work, &mut version);
        writes += more;
        spent += time;
    }
    // A revision, three claims and three pods each.
    assert_eq!(writes, count * 7);
    let key = Key::new("bench", format!("set-{}", count / 2));
    let work = Work::StatefulSet(key.clone());
    let mut random = || 0;
    let mut context = Context { now: jiff::Timestamp::UNIX_EPOCH, random: &mut random };
    let mut times = Vec::new();
    for _ in 0..200 {
        let start = Instant::now();
        let decision = reconcile(&world, &work, &mut context);
        times.push(start.elapsed());
        assert!(matches!(decision.actions[..], [Action::UpdateStatus(_)]));
    }
    times.sort();
    println!(
        "{count} StatefulSets of 3 pods: {:.1} µs a set; a look at one: p50 {:?}, p99 {:?}",
        spent.as_secs_f64() * 1e6 / count as f64,
        times[100],
        times[197],
    );
}

fn main() {
    for (services, pods) in [(100, 1), (1_000, 1), (5_000, 1), (100, 10), (1, 100), (1, 1_000)] {
        up(services, pods);
    }
    for count in [100, 1_000, 5_000] {
        sets(count);
    }
}
