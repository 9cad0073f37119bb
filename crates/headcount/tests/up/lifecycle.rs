//! Starting, stopping, starting again, and what stands in the way.

use std::net::{TcpListener, UdpSocket};
use std::path::Path;

use crate::support::{Up, run};
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::Api;

fn stderr(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// `up` with these arguments cannot run: exit status 2, and an error that says `expected`.
#[track_caller]
fn check_cannot_run(arguments: &[&str], expected: &[&str]) {
    let home = tempfile::tempdir().expect("a temporary folder");
    let output = run(home.path(), &[&["up"], arguments].concat());
    let stderr = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
    for part in expected {
        assert!(stderr.contains(part), "{arguments:?}: {part:?} is not in: {stderr}");
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

#[test]
fn a_taken_port_is_named_with_the_flag_to_change() {
    let tcp = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = tcp.local_addr().expect("bound").to_string();
    check_cannot_run(
        &["--ephemeral", "--api-listen", &address, "--dns-listen", "127.0.0.1:0"],
        &[&address, "--api-listen"],
    );
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let address = udp.local_addr().expect("bound").to_string();
    check_cannot_run(
        &["--ephemeral", "--api-listen", "127.0.0.1:0", "--dns-listen", &address],
        &[&address, "--dns-listen"],
    );
}

#[test]
fn a_path_that_is_not_there_is_named() {
    check_cannot_run(
        &["--ephemeral", "-f", "no/such/file.yaml"],
        &["no/such/file.yaml", "name a file or a folder"],
    );
}

#[test]
fn overlapping_ranges_are_refused() {
    check_cannot_run(
        &["--ephemeral", "--pod-cidr", "10.0.0.0/8"],
        &["10.0.0.0/8", "10.96.0.0/12", "--pod-cidr", "--service-cidr"],
    );
}

#[test]
fn listening_beyond_loopback_must_be_meant() {
    let local = "127.0.0.1:0";
    for beyond in ["0.0.0.0:0", "[::]:0", "192.0.2.1:6443"] {
        check_cannot_run(
            &["--ephemeral", "--dns-listen", local, "--api-listen", beyond],
            &[&format!("--api-listen {beyond}"), "its token may do everything", "--allow-remote"],
        );
        check_cannot_run(
            &["--ephemeral", "--api-listen", local, "--dns-listen", beyond],
            &[&format!("--dns-listen {beyond}"), "answers everyone", "--allow-remote"],
        );
    }
    let home = tempfile::tempdir().expect("a temporary folder");
    let help = run(home.path(), &["up", "--help"]);
    let help = String::from_utf8(help.stdout).expect("text");
    let words: Vec<&str> = help.split_whitespace().collect();
    let help = words.join(" ");
    assert!(help.contains("--allow-remote Listen beyond loopback"), "{help}");
    assert!(
        help.contains("Everyone who reaches the API's port and has its token may do everything")
    );
}

#[tokio::test]
async fn a_cluster_for_other_machines_is_reached_by_this_ones_address() {
    let up = Up::ephemeral(&["--allow-remote", "--api-listen", "0.0.0.0:0"]);
    // Here, it is reached by loopback.
    let text = std::fs::read_to_string(&up.kubeconfig).expect("a kubeconfig");
    assert!(text.contains("server: \"https://127.0.0.1:"), "{text}");
    assert!(up.printed.contains("ready api=https://127.0.0.1:"), "{}", up.printed);
    let slices = Api::<EndpointSlice>::default_namespaced(up.client().await);
    let own = slices.get("kubernetes").await.expect("where the API is").endpoints.expect("one");
    let own = &own[0].addresses[0];
    let reached = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect("192.0.2.1:9")?;
        socket.local_addr()
    });
    match reached {
        Ok(address) => {
            assert_eq!(*own, address.ip().to_string());
            // The certificate holds that address.
            let by_address = text.replace("https://127.0.0.1:", &format!("https://{own}:"));
            let kubeconfig = kube::config::Kubeconfig::from_yaml(&by_address).expect("YAML");
            let config = kube::Config::from_custom_kubeconfig(kubeconfig, &Default::default())
                .await
                .expect("complete");
            let client = kube::Client::try_from(config).expect("a client");
            client.apiserver_version().await.expect("the API at its own address");
            assert!(up.stderr().contains(&format!("--server https://{own}:")), "{}", up.stderr());
        }
        // A machine without a network has no other address to be reached by.
        Err(_) => assert_eq!(*own, "0.0.0.0"),
    }
}

#[test]
fn other_ranges_than_those_that_the_data_has_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = ["--data-dir", text(folder.path())];
    let (status, _) = Up::start(&[&data[..], &["--service-cidr", "10.100.0.0/16"]].concat()).stop();
    assert_eq!(status.code(), Some(0));
    let local = ["--api-listen", "127.0.0.1:0", "--dns-listen", "127.0.0.1:0"];
    let check = |arguments: &[&str], expected: &[&str]| {
        let expected = [&[text(folder.path()), "--data-dir"], expected].concat();
        check_cannot_run(&[&data, arguments, &local].concat(), &expected);
    };
    check(&[], &["--service-cidr 10.100.0.0/16", "10.96.0.0/12"]);
    let same = ["--service-cidr", "10.100.0.0/16"];
    check(&[&same[..], &["--pod-cidr", "10.0.0.0/16"]].concat(), &["--pod-cidr 10.244.0.0/16"]);
    check(&[&same[..], &["--nodes", "2"]].concat(), &["--nodes 3"]);
    let (status, _) = Up::start(&[&data[..], &same, &["--nodes", "4"]].concat()).stop();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_database_that_was_emptied_is_no_new_cluster() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = ["--data-dir", text(folder.path())];
    Up::start(&data).stop();
    let database = folder.path().join("headcount.db");
    std::fs::write(&database, "").expect("an emptied database");
    let local = ["--api-listen", "127.0.0.1:0", "--dns-listen", "127.0.0.1:0"];
    let expected = [text(&database), "is empty, and held a cluster before", "--data-dir"];
    check_cannot_run(&[&data[..], &local].concat(), &expected);
    std::fs::remove_file(&database).expect("the database");
    let (status, _) = Up::start(&data).stop();
    assert_eq!(status.code(), Some(0), "moved away, it begins anew");
}

#[test]
fn a_data_folder_in_use_is_named_with_the_flag_to_change() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let _first = Up::start(&["--data-dir", text(folder.path())]);
    check_cannot_run(
        &[
            "--data-dir",
            text(folder.path()),
            "--api-listen",
            "127.0.0.1:0",
            "--dns-listen",
            "127.0.0.1:0",
        ],
        &[text(folder.path()), "--data-dir"],
    );
}

#[tokio::test]
async fn a_restart_finds_everything_as_it_was() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = ["--data-dir", text(folder.path())];
    let peers = "redis-headless.default.svc.cluster.local.";

    let first = Up::start(&[&data[..], &["-f", "examples/redis"]].concat());
    let before = state(&first).await;
    let addresses = first.records(peers, "A");
    let kubeconfig = std::fs::read_to_string(&first.kubeconfig).expect("a kubeconfig");
    let (status, _) = first.stop();
    assert_eq!(status.code(), Some(0));

    let second = Up::start(&data);
    assert_eq!(state(&second).await, before);
    assert_eq!(second.records(peers, "A"), addresses);
    let token = |text: &str| text.lines().find(|line| line.contains("token")).map(str::to_owned);
    let again = std::fs::read_to_string(&second.kubeconfig).expect("a kubeconfig");
    assert_eq!(token(&again), token(&kubeconfig), "the token is that of the first start");
    second.kill();

    // Applying again changes nothing, also after a start that ended without a chance to clean up.
    let third = Up::start(&[&data[..], &["-f", "examples/redis"]].concat());
    assert_eq!(state(&third).await, before);
    assert!(third.printed.contains("unchanged"), "{}", third.printed);
}

/// UIDs, addresses and cluster IPs.
async fn state(up: &Up) -> Vec<String> {
    let client = up.client().await;
    let pods: Api<Pod> = Api::default_namespaced(client.clone());
    let services: Api<Service> = Api::all(client);
    let mut state = Vec::new();
    for pod in pods.list(&Default::default()).await.expect("pods") {
        let address = pod.status.and_then(|status| status.pod_ip);
        state.push(format!("{:?} {:?} {address:?}", pod.metadata.name, pod.metadata.uid));
    }
    for service in services.list(&Default::default()).await.expect("services") {
        let address = service.spec.and_then(|spec| spec.cluster_ip);
        state.push(format!("{:?} {:?} {address:?}", service.metadata.name, service.metadata.uid));
    }
    state
}

#[test]
fn the_ready_file_is_there_while_it_serves() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ready = folder.path().join("ready");
    let up = Up::ephemeral(&["--ready-file", text(&ready)]);
    assert!(ready.exists());
    let (status, _) = up.stop();
    assert_eq!(status.code(), Some(0));
    assert!(!ready.exists());
}

#[cfg(unix)]
#[test]
fn the_kubeconfig_is_its_owners_alone_and_never_replaces_another() {
    use std::os::unix::fs::PermissionsExt as _;
    let up = Up::ephemeral(&[]);
    let mode = std::fs::metadata(&up.kubeconfig).expect("a kubeconfig").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let folder = tempfile::tempdir().expect("a temporary folder");
    let other = folder.path().join("config");
    std::fs::write(
        &other,
        "apiVersion: v1\nkind: Config\nclusters: [{name: prod, cluster: {server: https://prod}}]\n",
    )
    .expect("written");
    check_cannot_run(
        &[
            "--ephemeral",
            "--api-listen",
            "127.0.0.1:0",
            "--dns-listen",
            "127.0.0.1:0",
            "--write-kubeconfig",
            text(&other),
        ],
        &[text(&other), "--write-kubeconfig"],
    );
    assert!(std::fs::read_to_string(&other).expect("still there").contains("https://prod"));
}

#[cfg(unix)]
#[test]
fn files_are_their_owners_alone_whatever_the_umask() {
    use std::io::{BufRead as _, BufReader};
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::{Command, Stdio};
    let home = tempfile::tempdir().expect("a temporary folder");
    let kubeconfig = home.path().join("kubeconfig");
    let data = home.path().join("data");
    for _ in 0..2 {
        let mut child = Command::new("sh")
            .args(["-c", "umask 0; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_headcount"), "up"])
            .args(["--api-listen", "127.0.0.1:0", "--dns-listen", "127.0.0.1:0"])
            .args(["--data-dir", text(&data), "--write-kubeconfig", text(&kubeconfig)])
            .env("HOME", home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("headcount starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let ready = lines.any(|line| line.expect("text").starts_with("ready "));
        let mut paths = vec![kubeconfig.clone(), data.clone()];
        let mut seen = 0;
        while let Some(path) = paths.pop() {
            let metadata = std::fs::metadata(&path).expect("there");
            let mode = metadata.permissions().mode();
            assert_eq!(mode & 0o077, 0, "{}: {mode:o}", path.display());
            if metadata.is_dir() {
                let entries = std::fs::read_dir(&path).expect("a folder");
                paths.extend(entries.map(|entry| entry.expect("an entry").path()));
            }
            seen += 1;
        }
        crate::support::signal(child.id(), "TERM");
        child.wait().expect("a child of ours");
        assert!(ready && seen > 6, "{seen} files");
        // Next time, it finds a file that anyone may read.
        let anyone = std::fs::Permissions::from_mode(0o666);
        std::fs::set_permissions(&kubeconfig, anyone).expect("ours");
    }
}

#[cfg(unix)]
#[test]
fn an_interrupt_stops_it_cleanly() {
    let up = Up::ephemeral(&["-f", "examples/redis"]);
    crate::support::signal(up.pid(), "INT");
    let (status, _) = up.wait();
    assert_eq!(status.code(), Some(0));
}

#[cfg(unix)]
#[test]
fn a_signal_ends_the_wait_for_manifests_that_never_come() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let pipe = home.path().join("pipe.yaml");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
    assert!(made.success());
    let child = crate::support::headcount(home.path())
        .args(["up", "--ephemeral", "-f", text(&pipe)])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("headcount starts");
    // Opens once headcount has it open as well, and is never written to.
    let _writer = std::fs::File::options().write(true).open(&pipe).expect("a reader");
    crate::support::signal(child.id(), "TERM");
    let output = child.wait_with_output().expect("a child of ours");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stderr(&output), "terminated before everything was ready\n");
}
