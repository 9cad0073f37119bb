"""What people do with the Kubernetes client for Python, done against the server of a kubeconfig.

    client.py KUBECONFIG EXAMPLES

(EXAMPLES is the folder examples/; the server has been started once before, so that watches from then have expired)
prints a line for each part that holds and ends with an error at the first check that does not.
"""

import json
import logging
import queue
import sys
import time

from kubernetes import client, config, dynamic, utils, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic.exceptions import ConflictError
from kubernetes.informer import informer
from kubernetes.leaderelection.leaderelectionrecord import LeaderElectionRecord
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock
from kubernetes.utils.retry import retry_on_conflict

SPACE = "python"
PATIENCE_SECONDS = 30


def equal(actual, expected, what):
    if actual != expected:
        raise AssertionError(f"{what}: {actual!r}, expected {expected!r}")


def refused(status, call, *arguments, **options):
    """Calls what must fail with this HTTP status; returns the Status object of the answer."""
    try:
        done = call(*arguments, **options)
    except ApiException as error:
        equal(error.status, status, error.body)
        body = json.loads(error.body)
        equal((body["kind"], body["status"], body["code"]), ("Status", "Failure", status), "the body of an error")
        return body
    raise AssertionError(f"{call.__name__} was not refused: {done}")


def until(read, wanted, what):
    """Reads until the value is as wanted."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not wanted(value := read()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: still {value!r}")
        time.sleep(0.02)
    return value


def names(answer):
    return [item.metadata.name for item in answer.items]


def config_map(name, labels=None, **data):
    return client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name, labels=labels), data=data)


def web_service(name):
    ports = [client.V1ServicePort(name="http", port=80), client.V1ServicePort(name="https", port=443)]
    return client.V1Service(
        metadata=client.V1ObjectMeta(name=name),
        spec=client.V1ServiceSpec(selector={"app": name}, ports=ports),
    )


def version_and_groups(core, _):
    code = client.VersionApi().get_code()
    equal(code.major, "1", "the major version")
    groups = {group.name: group.preferred_version.version for group in client.ApisApi().get_api_versions().groups}
    equal((groups["apps"], groups["discovery.k8s.io"]), ("v1", "v1"), "the preferred versions")
    resources = {resource.name: resource for resource in core.get_api_resources().resources}
    equal((resources["services"].kind, resources["services"].short_names), ("Service", ["svc"]), "services")
    equal(resources["nodes"].namespaced, False, "nodes are cluster-scoped")


def create(core, _):
    core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=SPACE)))
    headless = client.V1Service(
        metadata=client.V1ObjectMeta(name="db", labels={"app": "db"}),
        spec=client.V1ServiceSpec(
            cluster_ip="None", selector={"app": "db"}, ports=[client.V1ServicePort(name="sql", port=5432)]
        ),
    )
    made = core.create_namespaced_service(SPACE, headless)
    equal((made.spec.cluster_ip, made.spec.ports[0].target_port), ("None", 5432), "a headless Service")
    template = client.V1PodTemplateSpec(
        metadata=client.V1ObjectMeta(labels={"app": "db"}),
        spec=client.V1PodSpec(containers=[client.V1Container(name="db", image="postgres:17")]),
    )
    claim = client.V1PersistentVolumeClaim(
        metadata=client.V1ObjectMeta(name="data"),
        spec=client.V1PersistentVolumeClaimSpec(
            access_modes=["ReadWriteOnce"],
            resources=client.V1VolumeResourceRequirements(requests={"storage": "1Gi"}),
        ),
    )
    stateful_set = client.V1StatefulSet(
        metadata=client.V1ObjectMeta(name="db"),
        spec=client.V1StatefulSetSpec(
            service_name="db",
            replicas=3,
            selector=client.V1LabelSelector(match_labels={"app": "db"}),
            template=template,
            volume_claim_templates=[claim],
        ),
    )
    client.AppsV1Api().create_namespaced_stateful_set(SPACE, stateful_set)
    core.create_namespaced_config_map(SPACE, config_map("settings", mode="fast"))
    secret = client.V1Secret(metadata=client.V1ObjectMeta(name="login"), string_data={"user": "admin"})
    equal(core.create_namespaced_secret(SPACE, secret).data, {"user": "YWRtaW4="}, "a Secret's data")
    generated = config_map(None)
    generated.metadata.generate_name = "made-"
    generated = core.create_namespaced_config_map(SPACE, generated)
    equal(generated.metadata.name[:5], "made-", "a generated name")
    core.create_namespaced_config_map(SPACE, config_map("dry"), dry_run="All")
    refused(404, core.read_namespaced_config_map, "dry", SPACE)


def status(core, _):
    apps = client.AppsV1Api()
    until(
        lambda: apps.read_namespaced_stateful_set_status("db", SPACE).status,
        lambda status: status.ready_replicas == 3 and status.observed_generation == 1,
        "the status of the StatefulSet",
    )
    pod = core.read_namespaced_pod("db-0", SPACE)
    equal((pod.status.phase, pod.spec.subdomain), ("Running", "db"), "a pod of the StatefulSet")
    equal(pod.metadata.owner_references[0].kind, "StatefulSet", "the pod's owner")
    until(
        lambda: client.DiscoveryV1Api().list_namespaced_endpoint_slice(
            SPACE, label_selector="kubernetes.io/service-name=db"
        ),
        lambda slices: [len(one.endpoints) for one in slices.items] == [3],
        "the endpoints of the Service",
    )
    body = {"status": {"conditions": [{"type": "Tried", "status": "True"}]}}
    apps.patch_namespaced_stateful_set_status("db", SPACE, body)


def lists(core, _):
    for number in range(5):
        core.create_namespaced_config_map(SPACE, config_map(f"page-{number}", {"page": str(number % 2)}))
    pages, token = [], None
    while True:
        page = core.list_namespaced_config_map(SPACE, label_selector="page", limit=2, _continue=token)
        pages.append(names(page))
        token = page.metadata._continue
        if not token:
            break
    equal(pages, [["page-0", "page-1"], ["page-2", "page-3"], ["page-4"]], "the pages")
    first = core.list_namespaced_pod(SPACE, limit=1)
    equal(first.metadata.remaining_item_count, 2, "how many are left")
    selected = core.list_namespaced_config_map(SPACE, label_selector="page in (1), page notin (0)")
    equal(names(selected), ["page-1", "page-3"], "selected by label")
    selected = core.list_pod_for_all_namespaces(field_selector=f"metadata.namespace={SPACE},status.phase=Running")
    equal(names(selected), ["db-0", "db-1", "db-2"], "selected by field")
    error = refused(400, core.list_namespaced_pod, SPACE, field_selector="spec.image=x")
    equal("field label not supported: spec.image" in error["message"], True, error["message"])


def patches(core, _):
    core.create_namespaced_service(SPACE, web_service("web"))
    strategic = {"spec": {"ports": [{"port": 443, "targetPort": 8443}]}}
    ports = core.patch_namespaced_service("web", SPACE, strategic).spec.ports
    equal([(port.port, port.target_port) for port in ports], [(80, 80), (443, 8443)], "a strategic merge patch")
    merge = {"metadata": {"labels": {"tier": "front"}}, "spec": {"ports": [{"name": "http", "port": 80}]}}
    patched = core.patch_namespaced_service("web", SPACE, merge, _content_type="application/merge-patch+json")
    equal((len(patched.spec.ports), patched.metadata.labels), (1, {"tier": "front"}), "a merge patch")
    operations = [
        {"op": "test", "path": "/metadata/labels/tier", "value": "front"},
        {"op": "replace", "path": "/spec/ports/0/port", "value": 8080},
    ]
    patched = core.patch_namespaced_service("web", SPACE, operations, _content_type="application/json-patch+json")
    equal(patched.spec.ports[0].port, 8080, "a JSON patch")
    operations[0]["value"] = "back"
    refused(422, core.patch_namespaced_service, "web", SPACE, operations, _content_type="application/json-patch+json")


def server_side_apply(core, _):
    services = dynamic.DynamicClient(core.api_client).resources.get(api_version="v1", kind="Service")
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "applied", "labels": {"by": "one"}},
        "spec": {"ports": [{"port": 80}]},
    }
    services.server_side_apply(body, namespace=SPACE, field_manager="one")
    body["metadata"]["labels"]["by"] = "two"
    try:
        services.server_side_apply(body, namespace=SPACE, field_manager="two")
        raise AssertionError("applying over another manager's field was no conflict")
    except ConflictError as error:
        cause = json.loads(error.body)["details"]["causes"][0]
        expected = {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "one"',
            "field": ".metadata.labels.by",
        }
        equal(cause, expected, "the cause of the conflict")
    taken = services.server_side_apply(body, namespace=SPACE, field_manager="two", force_conflicts=True)
    equal(taken.metadata.labels.by, "two", "a field taken by force")
    managers = [(entry.manager, entry.operation) for entry in taken.metadata.managedFields]
    equal(sorted(managers), [("one", "Apply"), ("two", "Apply")], "the managers")


def scale(_, __):
    apps = client.AppsV1Api()
    now = apps.read_namespaced_stateful_set_scale("db", SPACE)
    equal((now.spec.replicas, now.status.selector), (3, "app=db"), "the scale")
    now.spec.replicas = 2
    apps.replace_namespaced_stateful_set_scale("db", SPACE, now)
    refused(409, apps.replace_namespaced_stateful_set_scale, "db", SPACE, now)
    apps.patch_namespaced_stateful_set_scale("db", SPACE, {"spec": {"replicas": 1}})
    until(
        lambda: apps.read_namespaced_stateful_set("db", SPACE),
        lambda one: one.status.replicas == 1 and one.status.observed_generation == one.metadata.generation,
        "the scaled StatefulSet",
    )


def replace(core, _):
    settings = core.read_namespaced_config_map("settings", SPACE)
    settings.data["mode"] = "slow"
    core.replace_namespaced_config_map("settings", SPACE, settings)
    settings.data["mode"] = "stale"
    error = refused(409, core.replace_namespaced_config_map, "settings", SPACE, settings)
    expected = (
        'Operation cannot be fulfilled on configmaps "settings": the object has been modified; please apply your '
        "changes to the latest version and try again"
    )
    equal((error["reason"], error["message"]), ("Conflict", expected), "a stale replacement")

    def once():
        fresh = core.read_namespaced_config_map("settings", SPACE)
        fresh.data["mode"] = "fresh"
        return core.replace_namespaced_config_map("settings", SPACE, fresh)

    equal(retry_on_conflict(once).data["mode"], "fresh", "the next try")


def errors(core, _):
    error = refused(404, core.read_namespaced_service, "absent", SPACE)
    equal(error["details"], {"name": "absent", "kind": "services"}, "the details of a 404")
    error = refused(409, core.create_namespaced_service, SPACE, web_service("web"))
    equal(error["message"], 'services "web" already exists', "a taken name")
    bad = web_service("bad")
    bad.spec.ports[1].port = 70000
    error = refused(422, core.create_namespaced_service, SPACE, bad)
    cause = {
        "reason": "FieldValueInvalid",
        "message": "Invalid value: 70000: must be between 1 and 65535, inclusive",
        "field": "spec.ports[1].port",
    }
    equal((error["reason"], error["details"]["causes"][0]), ("Invalid", cause), "an invalid Service")
    refused(422, core.patch_namespaced_service, "web", SPACE, {"spec": {"portz": []}}, field_validation="Strict")
    _, _, headers = core.patch_namespaced_service_with_http_info("web", SPACE, {"spec": {"portz": []}})
    equal(headers["Warning"], '299 - "unknown field \\"spec.portz\\""', "a warning")


def watches(core, _):
    start = core.list_namespaced_config_map(SPACE).metadata.resource_version
    core.create_namespaced_config_map(SPACE, config_map("seen", {"watched": "yes"}))
    core.create_namespaced_config_map(SPACE, config_map("unseen"))
    core.patch_namespaced_config_map("seen", SPACE, {"data": {"a": "b"}})
    core.delete_namespaced_config_map("seen", SPACE)

    def events(**options):
        stream = watch.Watch().stream(
            core.list_namespaced_config_map, SPACE, label_selector="watched", timeout_seconds=1, **options
        )
        return [(event["type"], event["object"].metadata.resource_version) for event in stream]

    seen = events(resource_version=start)
    equal([kind for kind, _ in seen], ["ADDED", "MODIFIED", "DELETED"], "the events")
    equal(events(resource_version=seen[0][1]), seen[1:], "the events after the first")
    equal(events(), [], "the events from now on")
    try:
        list(watch.Watch().stream(core.list_namespaced_pod, SPACE, resource_version="1", timeout_seconds=1))
        raise AssertionError("a watch from before the server's start did not expire")
    except ApiException as error:
        equal((error.status, error.reason.split(":")[0]), (410, "Expired"), "an expired watch")


def shared_informer(core, _):
    told = queue.Queue()
    shared = informer.SharedInformer(core.list_namespaced_config_map, namespace=SPACE, label_selector="informed")
    for kind in (informer.ADDED, informer.MODIFIED, informer.DELETED):
        shared.add_event_handler(kind, lambda one, kind=kind: told.put((kind, one.metadata.name)))
    core.create_namespaced_config_map(SPACE, config_map("early", {"informed": "yes"}))
    shared.start()
    equal(told.get(timeout=PATIENCE_SECONDS), ("ADDED", "early"), "what was there")
    core.create_namespaced_config_map(SPACE, config_map("late", {"informed": "yes"}))
    equal(told.get(timeout=PATIENCE_SECONDS), ("ADDED", "late"), "what came")
    core.patch_namespaced_config_map("late", SPACE, {"data": {"a": "b"}})
    equal(told.get(timeout=PATIENCE_SECONDS), ("MODIFIED", "late"), "what changed")
    core.patch_namespaced_config_map("early", SPACE, {"metadata": {"labels": {"informed": None}}})
    equal(told.get(timeout=PATIENCE_SECONDS), ("DELETED", "early"), "what is no longer selected")
    equal([one.data for one in shared.cache.list()], [{"a": "b"}], "the cache")
    shared.stop()


def leader_election(_, __):
    first, second = (LeaseLock("leader", SPACE, identity) for identity in ("first", "second"))

    def record(identity):
        return LeaderElectionRecord(identity, "15", "2026-01-01 00:00:00.5", "2026-01-01 00:00:01")

    equal(first.create("leader", SPACE, record("first")), True, "the first takes the lease")
    equal(second.create("leader", SPACE, record("second")), False, "the second finds it taken")
    found, held = second.get("leader", SPACE)
    equal((found, held.holder_identity), (True, "first"), "who holds the lease")
    equal(first.update("leader", SPACE, record("first")), True, "the first renews it")
    equal(second.update("leader", SPACE, record("second")), False, "the second knows an older one")


def dynamic_discovery(core, _):
    found = dynamic.DynamicClient(core.api_client)
    equal(found.version["kubernetes"]["major"], "1", "the version")
    sets = found.resources.get(api_version="apps/v1", kind="StatefulSet")
    equal(sets.get(name="db", namespace=SPACE).spec.replicas, 1, "a StatefulSet")
    equal(sets.scale.get(name="db", namespace=SPACE).spec.replicas, 1, "its scale")
    slices = found.resources.get(kind="EndpointSlice", api_version="discovery.k8s.io/v1")
    kinds = {event["object"].kind for event in slices.watch(namespace=SPACE, timeout=1)}
    equal(kinds, {"EndpointSlice"}, "the kinds in a watch")
    equal(found.resources.get(kind="Lease").group, "coordination.k8s.io", "the group of Leases")


def deletions(core, _):
    apps = client.AppsV1Api()
    apps.delete_namespaced_stateful_set("db", SPACE, propagation_policy="Orphan")
    until(lambda: names(apps.list_namespaced_stateful_set(SPACE)), lambda left: left == [], "the StatefulSet")
    pod = core.read_namespaced_pod("db-0", SPACE)
    equal(pod.metadata.owner_references, None, "the owners of an orphan")
    options = client.V1DeleteOptions(preconditions=client.V1Preconditions(uid="another"))
    refused(409, core.delete_namespaced_pod, "db-0", SPACE, body=options)
    gone = core.delete_namespaced_pod("db-0", SPACE, grace_period_seconds=0)
    equal(gone.metadata.name, "db-0", "the answer to a deletion")
    done = core.delete_namespaced_config_map("settings", SPACE)
    equal((done["status"], done["details"]["name"]), ("Success", "settings"), "the answer to a deletion")
    core.delete_collection_namespaced_config_map(SPACE, label_selector="page=0")
    left = core.list_namespaced_config_map(SPACE, label_selector="page")
    equal(names(left), ["page-1", "page-3"], "what a selective deletion leaves")
    core.delete_namespace(SPACE, propagation_policy="Foreground")
    until(lambda: SPACE in names(core.list_namespace()), lambda there: not there, "the namespace")


def create_from_yaml(core, examples):
    made = utils.create_from_directory(core.api_client, f"{examples}/redis")
    kinds = sorted(one.kind for group in made for ones in group for one in (ones if isinstance(ones, list) else [ones]))
    equal(kinds, ["Service", "StatefulSet"], "what the example holds")
    try:
        utils.create_from_directory(core.api_client, f"{examples}/redis")
        raise AssertionError("creating it again was not refused")
    except utils.FailToCreateError as error:
        equal({one.status for one in error.api_exceptions}, {409}, "creating it again")
    utils.create_from_directory(core.api_client, f"{examples}/redis", apply=True)


PARTS = [
    version_and_groups,
    create,
    status,
    lists,
    patches,
    server_side_apply,
    scale,
    replace,
    errors,
    watches,
    shared_informer,
    leader_election,
    dynamic_discovery,
    deletions,
    create_from_yaml,
]


def main():
    _, kubeconfig, examples = sys.argv
    # An informer that is stopped logs that its connection is gone.
    logging.disable(logging.ERROR)
    config.load_kube_config(kubeconfig)
    core = client.CoreV1Api()
    for part in PARTS:
        part(core, examples)
        print(f"ok {part.__name__}", flush=True)


if __name__ == "__main__":
    main()
