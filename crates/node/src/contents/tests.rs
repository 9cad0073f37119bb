//! Pods of an API in this process, prepared on this disk.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use api::store::Memory;
use api::{ApiServer, Config};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use manifest::Kind;
use sandbox::{ContainerSpec, MountSource};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

const IMAGES: &str = "
images:
- image: app
  entrypoint: [/bin/sh, -c]
  cmd: ['true']
  env: {COLOR: green, HOME: /srv}
  workingDir: /srv
  user: 7
  group: 8
  files: {/srv/app.conf: 'port = 80', /srv/other.conf: ''}
  volumes: [/data, /cache]
- {image: bare}
- {image: absent, cmd: [no-such-program-of-this-test]}
";

struct Fixture {
    client: Client,
    contents: Contents,
    folder: TempDir,
}

impl Fixture {
    async fn start() -> Self {
        Self::with_images(|_| IMAGES.to_owned()).await
    }

    /// With the table that a text is, which may speak of files in the folder.
    async fn with_images(images: impl Fn(&Path) -> String) -> Self {
        let ranges = vec!["10.96.0.0/12".parse().unwrap()];
        let config = Config::new(ranges, "127.0.0.1:6443".parse().unwrap());
        let server = ApiServer::new(Arc::new(Memory::new()), config).unwrap();
        server.bootstrap().await.unwrap();
        let client = Client::new(server, "default");
        let namespace: Namespace =
            serde_json::from_value(json!({"metadata": {"name": "prod"}})).unwrap();
        Api::all(client.clone()).create(&PostParams::default(), &namespace).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        let metadata = fs::metadata(&path).unwrap();
        let me = (metadata.uid(), metadata.gid());
        let settings = Settings {
            resolv_conf: path.join("resolv.conf.of.the.node"),
            images: Images::parse("images.yaml", images(&path).as_bytes()).unwrap(),
            folder: path,
            cluster_domain: "cluster.local".to_owned(),
            dns: vec!["10.96.0.10".parse().unwrap()],
            owner: Arc::new(move |_, _| me),
        };
        Self { contents: Contents::new(client.clone(), settings), client, folder }
    }

    async fn apply(&self, manifest: Value) {
        let kind = Kind::by_type("v1", manifest["kind"].as_str().unwrap()).unwrap();
        let mut manifest = manifest;
        manifest["apiVersion"] = "v1".into();
        let applied = cluster::apply(&self.client, kind, &manifest, "prod").await;
        applied.unwrap_or_else(|error| panic!("{error}: {:?}", error.causes()));
    }

    /// A pod of the namespace with this specification, as the API has it.
    async fn pod(&self, spec: Value) -> Pod {
        let pod = json!({"metadata": {"name": "db-0", "namespace": "prod", "labels": {"app": "db"}}, "spec": spec});
        let pod: Pod = serde_json::from_value(pod).unwrap();
        let pods = Api::<Pod>::namespaced(self.client.clone(), "prod");
        let _ = pods.delete("db-0", &DeleteParams::default().grace_period(0)).await;
        pods.create(&PostParams::default(), &pod).await.unwrap()
    }

    async fn prepare(&self, pod: &Pod) -> Prepared {
        match self.contents.prepare(pod, &Place::example()).await {
            Ok(prepared) => prepared,
            Err(error) => panic!("{error:?}"),
        }
    }

    async fn container(&self, spec: Value) -> Result<ContainerSpec, NotYet> {
        let pod = self.pod(spec).await;
        self.prepare(&pod).await.container("c", 0)
    }

    /// A path below the fixture's folder.
    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(path)
    }

    /// Mounts in short: where, what, and whether it can be written to.
    fn mounts(&self, spec: &ContainerSpec) -> Vec<String> {
        let mount = |mount: &sandbox::Mount| {
            let what = match &mount.source {
                MountSource::Own(path) => {
                    let pod = self.path("pods").join(&spec.id.pod.0);
                    let base = [pod, self.path("")];
                    let within = base.iter().find_map(|base| path.strip_prefix(base).ok());
                    within.expect("what is ours is in our folder").display().to_string()
                }
                other => format!("{other:?}"),
            };
            let access = if mount.read_only { "r" } else { "rw" };
            format!("{} {what} {access}", mount.target.display())
        };
        spec.mounts.iter().map(mount).collect()
    }
}

fn uid(pod: &Pod) -> &str {
    pod.metadata.uid.as_deref().unwrap()
}

#[tokio::test]
async fn a_container_as_it_is_started() {
    let fixture = Fixture::start().await;
    fixture
        .apply(
            json!({"kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"a.conf": "1"}}),
        )
        .await;
    fixture
        .apply(json!({"kind": "Service", "metadata": {"name": "web"},
            "spec": {"clusterIP": "10.96.0.20", "ports": [{"port": 80}]}}))
        .await;
    fixture
        .apply(json!({"kind": "PersistentVolumeClaim", "metadata": {"name": "data"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}))
        .await;
    let pod = fixture
        .pod(json!({
            "subdomain": "db",
            "securityContext": {"fsGroup": 2000},
            "volumes": [
                {"name": "settings", "configMap": {"name": "settings"}},
                {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
                {"name": "scratch", "emptyDir": {}},
            ],
            "containers": [{
                "name": "c", "image": "acme/app:1", "args": ["echo $(WHO) $(COLOR) $(WEB_SERVICE_PORT)"],
                "env": [{"name": "WHO", "value": "me"}],
                "resources": {"limits": {"ephemeral-storage": "1Mi"}},
                "volumeMounts": [
                    {"name": "data", "mountPath": "/data"},
                    {"name": "scratch", "mountPath": "/data/logs", "subPathExpr": "$(WHO)/logs"},
                    {"name": "settings", "mountPath": "/srv/app.conf", "subPath": "a.conf"},
                    {"name": "settings", "mountPath": "/settings"},
                ]}],
        }))
        .await;
    let prepared = fixture.prepare(&pod).await;
    let spec = prepared.container("c", 3).unwrap();
    assert_eq!(
        (spec.id.pod.0.as_str(), spec.id.name.as_str(), spec.id.restarts),
        (uid(&pod), "c", 3)
    );
    assert_eq!(spec.process.command, ["/bin/sh", "-c", "echo me $(COLOR) 80"]);
    assert_eq!(spec.process.working_dir, Path::new("/srv"));
    let user = &spec.process.user;
    assert_eq!((user.uid, user.gid, &user.groups[..]), (7, 8, &[2000][..]));
    assert_eq!(spec.hostname, "db-0");
    assert!(!spec.read_only_root);
    assert_eq!(spec.limits.root_bytes, 1 << 20);
    let env: Vec<String> =
        spec.process.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(
        env.iter()
            .filter(|line| !line.contains("_PORT") && !line.contains("_HOST"))
            .collect::<Vec<_>>(),
        [
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOSTNAME=db-0",
            "HOME=/srv",
            "COLOR=green",
            "WHO=me"
        ]
    );
    for variable in ["WEB_SERVICE_HOST=10.96.0.20", "KUBERNETES_SERVICE_HOST=10.96.0.1"] {
        assert!(env.iter().any(|line| line == variable), "{variable} is not in {env:?}");
    }
    let claim = fs::read_dir(fixture.path("volumes")).unwrap().next().unwrap().unwrap();
    let claim = claim.file_name().into_string().unwrap();
    assert!(claim.starts_with("prod_data_"), "{claim}");
    let file = fs::read_link(fixture.path("pods").join(uid(&pod)).join("volumes/settings/..data"));
    let file = file.unwrap().join("a.conf");
    assert_eq!(
        fixture.mounts(&spec),
        [
            "/cache containers/c/image-volume-1 rw".to_owned(),
            format!("/data volumes/{claim} rw"),
            "/settings volumes/settings r".to_owned(),
            "/srv/other.conf containers/c/image-file-1 r".to_owned(),
            "/etc/hosts hosts rw".to_owned(),
            "/etc/hostname hostname rw".to_owned(),
            "/etc/resolv.conf resolv.conf rw".to_owned(),
            "/dev/termination-log containers/c/termination-log-3 rw".to_owned(),
            "/data/logs volumes/scratch/me/logs rw".to_owned(),
            format!("/srv/app.conf volumes/settings/{} r", file.display()),
        ]
    );
    let own = fixture.path("pods").join(uid(&pod));
    let read = |file: &str| fs::read_to_string(own.join(file)).unwrap();
    assert_eq!(read("hostname"), "db-0\n");
    assert!(read("hosts").ends_with("fd00::2\tdb-0.db.prod.svc.cluster.local\tdb-0\n"));
    assert!(read("resolv.conf").starts_with("search prod.svc.cluster.local svc.cluster.local"));
    let mode = |path: PathBuf| fs::metadata(path).unwrap().mode() & 0o7777;
    assert_eq!(mode(own.join("volumes/scratch")), 0o2777);
    assert_eq!(mode(own.join("volumes/scratch/me/logs")), 0o2777);
    assert_eq!(mode(own.join("volumes/settings/a.conf")), 0o644);
    assert_eq!(mode(own.clone()), 0o700);
    assert_eq!(mode(fixture.path("pods")), 0o700);
    assert_eq!(mode(fixture.path("volumes")), 0o700);
    assert_eq!(prepared.program("c"), Ok(("acme/app:1".to_owned(), "/bin/sh".into())));
}

#[tokio::test]
async fn programs_of_a_users_own() {
    let fixture = Fixture::with_images(|folder| {
        let folder = folder.display();
        format!(
            "images:\n\
             - {{image: acme/api, entrypoint: [{folder}/api], mounts: [{folder}/settings]}}\n\
             - {{image: boxed, cmd: [sh], path: [{folder}/bin], applets: true}}\n"
        )
    })
    .await;
    fs::create_dir(fixture.path("settings")).unwrap();
    fs::write(fixture.path("api"), "").unwrap();
    let container = |image: &str| {
        json!({"containers": [{"name": "c", "image": image, "tty": true,
        "securityContext": {"readOnlyRootFilesystem": true, "runAsUser": 5}}]})
    };
    let error = fixture.container(container("acme/api")).await.unwrap_err();
    assert!(
        error.message.contains("/api, which is not on this machine: install it, or"),
        "{error:?}"
    );
    fs::set_permissions(fixture.path("api"), Permissions::from_mode(0o755)).unwrap();
    let spec = fixture.container(container("acme/api")).await.unwrap();
    let program = fixture.path("api").display().to_string();
    assert_eq!(spec.process.command, [program.as_str()]);
    let host = |file: &str| MountSource::Host(fixture.path(file));
    for file in ["api", "settings"] {
        let mount = spec.mounts.iter().find(|mount| mount.source == host(file)).expect(file);
        assert_eq!((&mount.target, mount.read_only), (&fixture.path(file), true));
    }
    assert!(spec.read_only_root);
    let hosts = ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/dev/termination-log"];
    let read_only = |target: &str| {
        spec.mounts
            .iter()
            .find(|mount| mount.target == Path::new(target))
            .map(|mount| mount.read_only)
    };
    assert_eq!(hosts.map(read_only), [Some(false), Some(true), Some(true), Some(false)]);
    let variable = |name: &str| {
        spec.process.env.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    };
    assert_eq!((variable("HOME"), variable("TERM")), (Some("/"), Some("xterm")));

    // A busybox that says what it was asked with.
    let bin = fixture.path("bin");
    fs::create_dir(&bin).unwrap();
    symlink("/bin/echo", bin.join("busybox")).unwrap();
    let spec = fixture.container(container("boxed")).await.unwrap();
    assert_eq!(fixture.mounts(&spec)[0], "/busybox busybox r");
    assert_eq!(spec.process.command, ["sh"]);
    assert_eq!(fs::read_link(fixture.path("busybox/--list")).unwrap(), bin.join("busybox"));
}

#[tokio::test]
async fn what_stands_against_a_container() {
    let fixture = Fixture::start().await;
    let check = async |container: Value, reason: &str, message: &str| {
        let mut container = container;
        container["name"] = "c".into();
        let label = container.to_string();
        let spec = json!({"containers": [container], "volumes": [{"name": "v", "emptyDir": {}}]});
        let NotYet { reason: why, message: seen } =
            fixture.container(spec).await.expect_err(&label);
        assert_eq!(why, reason, "{label}: {seen}");
        assert!(seen.starts_with(message), "{label}: {seen}");
    };
    let unconfigured = "CreateContainerConfigError";
    check(
        json!({"image": "unknown/api:2"}),
        "ErrImagePull",
        "no program for image \"unknown/api:2\"",
    )
    .await;
    check(
        json!({"image": "absent", "command": ["sh"]}),
        "ErrImagePull",
        "image \"absent\" needs the program no-such-program-of-this-test",
    )
    .await;
    check(json!({"image": "Redis"}), "InvalidImageName", "Failed to apply default image tag").await;
    check(json!({"image": "bare"}), "CreateContainerError", "no command specified").await;
    check(
        json!({"image": "app", "envFrom": [{"configMapRef": {"name": "none"}}]}),
        unconfigured,
        "configmap \"none\" not found",
    )
    .await;
    check(
        json!({"image": "app", "securityContext": {"runAsUser": 0, "runAsNonRoot": true}}),
        unconfigured,
        "container's runAsUser breaks non-root policy",
    )
    .await;
    check(
        json!({"image": "app", "volumeMounts": [{"name": "v", "mountPath": "/x", "subPathExpr": "$(NONE)"}]}),
        unconfigured,
        "missing value for \"NONE\"",
    )
    .await;
    check(
        json!({"image": "app", "volumeMounts": [{"name": "v", "mountPath": "/proc/x"}]}),
        unconfigured,
        "\"/proc/x\" cannot be mounted because it is inside /proc",
    )
    .await;
    check(
        json!({"image": "app", "volumeDevices": [{"name": "v", "devicePath": "/dev/x"}]}),
        unconfigured,
        "volumeDevices: there are no block devices here",
    )
    .await;
}

#[tokio::test]
async fn what_stands_against_a_pod() {
    let fixture = Fixture::start().await;
    let check = async |volume: Value, message: &str| {
        let mut volume = volume;
        volume["name"] = "v".into();
        let label = volume.to_string();
        let spec = json!({"containers": [{"name": "c", "image": "app"}], "volumes": [volume]});
        let pod = fixture.pod(spec).await;
        let refused = fixture.contents.prepare(&pod, &Place::example()).await;
        let NotYet { reason, message: seen } = refused.err().expect(&label);
        assert_eq!((reason, seen.as_str()), ("FailedMount", message), "{label}");
    };
    check(
        json!({"configMap": {"name": "none"}}),
        "MountVolume.SetUp failed for volume \"v\" : configmap \"none\" not found",
    )
    .await;
    check(
        json!({"persistentVolumeClaim": {"claimName": "none"}}),
        "persistentvolumeclaim \"none\" not found",
    )
    .await;
}

#[tokio::test]
async fn a_link_in_a_volume_is_not_followed() {
    let fixture = Fixture::start().await;
    let pod = fixture
        .pod(json!({
            "volumes": [{"name": "v", "emptyDir": {}}],
            "containers": [{"name": "c", "image": "app",
                "volumeMounts": [{"name": "v", "mountPath": "/x", "subPath": "etc"}]}],
        }))
        .await;
    let prepared = fixture.prepare(&pod).await;
    // As a container that ran before may have left it.
    symlink("/etc", fixture.path("pods").join(uid(&pod)).join("volumes/v/etc")).unwrap();
    let error = prepared.container("c", 1).unwrap_err();
    let message = "failed to prepare subPath for volumeMount \"v\" of container \"c\": etc: ";
    assert!(error.message.starts_with(message), "{error:?}");
}

#[tokio::test]
async fn volumes_follow_their_objects() {
    let fixture = Fixture::start().await;
    let settings = |value: &str| json!({"kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"a": value}});
    fixture.apply(settings("1")).await;
    let mut pod = fixture
        .pod(json!({
            "volumes": [
                {"name": "settings", "configMap": {"name": "settings"}},
                {"name": "labels", "downwardAPI": {"items": [
                    {"path": "app", "fieldRef": {"fieldPath": "metadata.labels['app']"}}]}},
                {"name": "scratch", "emptyDir": {}},
            ],
            "containers": [{"name": "c", "image": "app"}],
        }))
        .await;
    fixture.prepare(&pod).await;
    let own = fixture.path("pods").join(uid(&pod)).join("volumes");
    let read = |file: &str| fs::read_to_string(own.join(file)).unwrap();
    fs::write(own.join("scratch/mine"), "kept").unwrap();

    fixture.apply(settings("2")).await;
    pod.metadata.labels.get_or_insert_default().insert("app".to_owned(), "cache".to_owned());
    assert_eq!((read("settings/a"), read("labels/app")), ("1".to_owned(), "db".to_owned()));
    fixture.contents.refresh(&pod, &Place::example()).await.unwrap();
    assert_eq!((read("settings/a"), read("labels/app")), ("2".to_owned(), "cache".to_owned()));
    fixture.prepare(&pod).await;
    assert_eq!(read("scratch/mine"), "kept");

    // What is gone leaves what there was, and does not hold up the others.
    let maps = Api::<ConfigMap>::namespaced(fixture.client.clone(), "prod");
    maps.delete("settings", &DeleteParams::default()).await.unwrap();
    pod.metadata.labels.get_or_insert_default().insert("app".to_owned(), "web".to_owned());
    let error = fixture.contents.refresh(&pod, &Place::example()).await.unwrap_err();
    assert!(error.message.ends_with("configmap \"settings\" not found"), "{error:?}");
    assert_eq!((read("settings/a"), read("labels/app")), ("2".to_owned(), "web".to_owned()));
}

#[tokio::test]
async fn what_is_gone_is_removed() {
    let fixture = Fixture::start().await;
    for name in ["old", "kept"] {
        fixture
            .apply(json!({"kind": "PersistentVolumeClaim", "metadata": {"name": name},
                "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}))
            .await;
    }
    let spec = json!({
        "volumes": [
            {"name": "old", "persistentVolumeClaim": {"claimName": "old"}},
            {"name": "kept", "persistentVolumeClaim": {"claimName": "kept"}},
        ],
        "containers": [{"name": "c", "image": "app"}],
    });
    let pod = fixture.pod(spec.clone()).await;
    fixture.prepare(&pod).await;
    let names = |folder: &str| {
        let mut names: Vec<String> = fs::read_dir(fixture.path(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    assert_eq!((names("pods").len(), names("volumes").len()), (1, 2));
    fixture.contents.remove(uid(&pod)).await.unwrap();
    fixture.contents.remove("../volumes").await.unwrap();
    assert_eq!((names("pods").len(), names("volumes").len()), (0, 2));

    let pod = fixture.pod(spec).await;
    fixture.prepare(&pod).await;
    fs::create_dir(fixture.path("pods/of-another-life")).unwrap();
    let claims = Api::<PersistentVolumeClaim>::namespaced(fixture.client.clone(), "prod");
    claims.delete("old", &DeleteParams::default()).await.unwrap();
    let finalizers = json!({"metadata": {"finalizers": null}});
    let _ = claims.patch("old", &PatchParams::default(), &Patch::Merge(finalizers)).await;
    fixture.contents.sweep(BTreeSet::from([uid(&pod).to_owned()])).await.unwrap();
    assert_eq!(names("pods"), [uid(&pod)]);
    assert_eq!(names("volumes").len(), 1);
    assert!(names("volumes")[0].starts_with("prod_kept_"));
}

#[tokio::test]
async fn services_in_the_environment() {
    let fixture = Fixture::start().await;
    fixture
        .apply(json!({"kind": "Service", "metadata": {"name": "web"},
            "spec": {"clusterIP": "10.96.0.20", "ports": [{"port": 80}]}}))
        .await;
    let check = async |links: bool, expected: [Option<&str>; 2]| {
        let spec =
            json!({"enableServiceLinks": links, "containers": [{"name": "c", "image": "app"}]});
        let env = fixture.container(spec).await.unwrap().process.env;
        let value = |name: &str| {
            env.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
        };
        let seen = ["WEB_SERVICE_HOST", "KUBERNETES_SERVICE_HOST"].map(value);
        assert_eq!(seen, expected, "links: {links}");
    };
    check(true, [Some("10.96.0.20"), Some("10.96.0.1")]).await;
    check(false, [None, Some("10.96.0.1")]).await;
    fixture
        .apply(json!({"kind": "Service", "metadata": {"name": "kubernetes"},
            "spec": {"clusterIP": "10.96.0.21", "ports": [{"port": 80}]}}))
        .await;
    check(true, [Some("10.96.0.20"), Some("10.96.0.21")]).await;
    check(false, [None, Some("10.96.0.1")]).await;
}

#[tokio::test]
async fn last_words() {
    let fixture = Fixture::start().await;
    let pod = fixture.pod(json!({"containers": [{"name": "c", "image": "app"}]})).await;
    let prepared = fixture.prepare(&pod).await;
    for restarts in 0..4 {
        prepared.container("c", restarts).unwrap();
    }
    let file = |restarts| prepared.termination_log("c", restarts);
    let mode = |restarts| fs::metadata(file(restarts)).map(|there| there.mode() & 0o7777).ok();
    assert_eq!([mode(0), mode(1), mode(2), mode(3)], [None, None, Some(0o666), Some(0o666)]);
    // A life that had this number before, under another process of ours, does not speak for this one.
    fs::write(file(3), "old").unwrap();
    prepared.container("c", 3).unwrap();
    assert_eq!(fs::read_to_string(file(3)).unwrap(), "");
}
