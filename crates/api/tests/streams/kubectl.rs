//! Sessions of a stock kubectl, over WebSockets and over SPDY, which it falls back to.

use std::process::Stdio;
use std::time::Duration;

use api::serve::Limits;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::serving::{Serving, serve};

const PATIENCE: Duration = Duration::from_secs(60);

const MIB: usize = 1024 * 1024;

/// How kubectl speaks.
#[derive(Clone, Copy, Debug)]
enum Over {
    WebSocket,
    Spdy,
}

const BOTH: [Over; 2] = [Over::WebSocket, Over::Spdy];

fn command(serving: &Serving, over: Over, arguments: &[&str]) -> Command {
    let websockets = match over {
        Over::WebSocket => "true",
        Over::Spdy => "false",
    };
    let mut command = Command::new("kubectl");
    command
        .args(arguments)
        .env("KUBECONFIG", serving.kubeconfig())
        .env("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", websockets)
        .env("KUBECTL_PORT_FORWARD_WEBSOCKETS", websockets)
        .current_dir(serving.folder())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// What a run of kubectl came to: its code, and what it wrote.
#[derive(Debug, PartialEq, Eq)]
struct Ran {
    code: i32,
    stdout: Vec<u8>,
    stderr: String,
}

async fn run(serving: &Serving, over: Over, arguments: &[&str], stdin: &[u8]) -> Ran {
    let mut child = command(serving, over, arguments).spawn().unwrap();
    let mut to = child.stdin.take().unwrap();
    let feed = async {
        // An error means that it wants no more.
        _ = to.write_all(stdin).await;
        drop(to);
    };
    let both = async { tokio::join!(feed, child.wait_with_output()).1.unwrap() };
    let output = timeout(PATIENCE, both).await.expect("kubectl ends");
    Ran {
        code: output.status.code().unwrap(),
        stdout: output.stdout,
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_exec_carries_outputs_and_exit_codes() {
    let serving = serve(Limits::default()).await;
    let check = async |over, arguments: &[&str], code: i32, stdout: &str, stderr: &str| {
        let ran = run(&serving, over, &[&["exec"], arguments].concat(), b"").await;
        let expected = Ran { code, stdout: stdout.as_bytes().to_vec(), stderr: stderr.to_owned() };
        assert_eq!(ran, expected, "{over:?} {arguments:?}");
    };
    for over in BOTH {
        check(over, &["p", "--", "echo", "a b"], 0, "a b\n", "").await;
        check(
            over,
            &["p", "--", "sh", "-c", "echo out; echo err >&2; exit 3"],
            3,
            "out\n",
            "err\ncommand terminated with exit code 3\n",
        )
        .await;
        let missing = "error: Internal error occurred: error executing command in container: /no/such: No such file or \
                       directory (os error 2)\n";
        check(over, &["p", "--", "/no/such"], 1, "", missing).await;
        let gone = "Error from server (InternalError): Internal error occurred: unable to upgrade connection: container not found (\"c\")\n";
        let ran = run(&serving, over, &["exec", "p", "--", "gone"], b"").await;
        assert_eq!((ran.code, ran.stderr.as_str()), (1, gone), "{over:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_exec_carries_its_input() {
    let serving = serve(Limits::default()).await;
    let input: Vec<u8> = (0..10 * MIB).map(|index| (index % 251) as u8).collect();
    for over in BOTH {
        let ran = run(&serving, over, &["exec", "-i", "p", "--", "cat"], &input).await;
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{over:?}");
        assert!(ran.stdout == input, "{over:?}: {} octets came back", ran.stdout.len());
        // Who reads nothing is not waited for. (kubectl may say that it could not send all, so stderr is left out.)
        let ran = run(&serving, over, &["exec", "-i", "p", "--", "true"], &input).await;
        assert_eq!((ran.code, ran.stdout), (0, Vec::new()), "{over:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_attaches() {
    let serving = serve(Limits::default()).await;
    for over in BOTH {
        let mut child = command(&serving, over, &["attach", "-i", "p"]).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        stdin.write_all(b"hello\n").await.unwrap();
        let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap();
        assert_eq!(line.as_deref(), Some("said hello"), "{over:?}");
        stdin.write_all(b"exit\n").await.unwrap();
        let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap();
        assert_eq!(line.as_deref(), Some("bye"), "{over:?}");
        assert!(timeout(PATIENCE, child.wait()).await.unwrap().unwrap().success(), "{over:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_copies_files_both_ways() {
    let serving = serve(Limits::default()).await;
    let text: Vec<u8> = (0..3 * MIB).map(|index| (index % 253) as u8).collect();
    for over in BOTH {
        let folder = serving.folder();
        let inside = tempfile::tempdir_in(&folder).unwrap();
        std::fs::write(folder.join("from"), &text).unwrap();
        let there = inside.path().join("there");
        let remote = format!("p:{}", there.display());
        let ran = run(&serving, over, &["cp", "from", &remote], b"").await;
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{over:?}");
        assert!(std::fs::read(&there).unwrap() == text, "{over:?}");
        let ran = run(&serving, over, &["cp", &remote, "back"], b"").await;
        assert_eq!(ran.code, 0, "{over:?} {}", ran.stderr);
        assert!(std::fs::read(folder.join("back")).unwrap() == text, "{over:?}");
        std::fs::remove_file(folder.join("back")).unwrap();
    }
}

/// A kubectl that forwards a port of this machine to another one.
struct Forward {
    child: Child,
    port: u16,
    stderr: tokio::process::ChildStderr,
}

async fn forward(serving: &Serving, over: Over, what: &str, to: u16) -> Forward {
    let ports = format!(":{to}");
    let mut child = command(serving, over, &["port-forward", what, &ports]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap_or_default();
    let port =
        line.strip_prefix("Forwarding from 127.0.0.1:").and_then(|rest| rest.split_once(' '));
    let port = port.unwrap_or_else(|| panic!("{line:?}")).0.parse().unwrap();
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    let stderr = child.stderr.take().unwrap();
    Forward { child, port, stderr }
}

/// What a pod would serve: sends back what comes, until its end.
async fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.into_split();
                _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    port
}

/// Sends octets and reads as many back.
async fn exchange(port: u16, octets: Vec<u8>) {
    let (mut from, mut to) = TcpStream::connect(("127.0.0.1", port)).await.unwrap().into_split();
    let sent = octets.clone();
    let sending = tokio::spawn(async move {
        to.write_all(&sent).await.unwrap();
        to
    });
    let mut back = vec![0; octets.len()];
    timeout(PATIENCE, from.read_exact(&mut back)).await.expect("it comes back").unwrap();
    assert!(back == octets);
    drop(sending.await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_forwards_ports() {
    let serving = serve(Limits::default()).await;
    for over in BOTH {
        let forward = forward(&serving, over, "pod/p", echo().await).await;
        // One after the other, and many at a time.
        for round in 0..5 {
            exchange(forward.port, vec![round; 1000]).await;
        }
        let mut all = JoinSet::new();
        for number in 0..20 {
            all.spawn(exchange(forward.port, vec![number; 100_000]));
        }
        all.join_all().await;
        exchange(forward.port, vec![7; 20 * MIB]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_hears_why_a_port_is_refused() {
    let serving = serve(Limits::default()).await;
    for over in BOTH {
        // A port that was free a moment ago.
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut forward = forward(&serving, over, "p", port).await;
        let mut stream = TcpStream::connect(("127.0.0.1", forward.port)).await.unwrap();
        assert_eq!(timeout(PATIENCE, stream.read(&mut [0])).await.unwrap().unwrap_or(0), 0);
        let mut said = String::new();
        timeout(PATIENCE, forward.stderr.read_to_string(&mut said)).await.unwrap().unwrap();
        let why = format!("uid : connecting to 127.0.0.1:{port} in the pod: Connection refused");
        assert!(
            said.contains(&format!("error forwarding port {port} to pod ")) && said.contains(&why),
            "{over:?}: {said}"
        );
        // So kubectl does with Kubernetes, too.
        assert!(said.contains("lost connection to pod"), "{over:?}: {said}");
        assert!(!forward.child.wait().await.unwrap().success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_hears_why_a_pod_is_not_reached() {
    let serving = serve(Limits::default()).await;
    for over in BOTH {
        for arguments in
            [&["exec", "pending", "--", "true"][..], &["port-forward", "pending", ":80"]]
        {
            let ran = run(&serving, over, arguments, b"").await;
            let why =
                "Internal error occurred: unable to upgrade connection: the pod has no network yet";
            assert!(ran.code == 1 && ran.stderr.contains(why), "{over:?}: {}", ran.stderr);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_forwards_to_what_stands_for_pods() {
    let serving = serve(Limits::default()).await;
    let port = echo().await;
    let objects = format!(
        r#"{{
            "apiVersion": "v1", "kind": "List", "items": [
                {{
                    "apiVersion": "v1", "kind": "Service", "metadata": {{ "name": "web" }},
                    "spec": {{ "selector": {{ "app": "p" }}, "ports": [{{ "port": 80, "targetPort": {port} }}] }}
                }},
                {{
                    "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {{ "name": "web" }},
                    "spec": {{
                        "selector": {{ "matchLabels": {{ "app": "p" }} }},
                        "template": {{
                            "metadata": {{ "labels": {{ "app": "p" }} }},
                            "spec": {{ "containers": [{{ "name": "c", "image": "i" }}] }}
                        }}
                    }}
                }}
            ]
        }}"#
    );
    let created = run(&serving, Over::WebSocket, &["create", "-f", "-"], objects.as_bytes()).await;
    assert_eq!((created.code, created.stderr.as_str()), (0, ""));
    for over in BOTH {
        for (what, to) in [("service/web", 80), ("deployment/web", port)] {
            let forward = forward(&serving, over, what, to).await;
            exchange(forward.port, b"through".to_vec()).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_that_is_killed_leaves_its_place() {
    let serving = serve(Limits { sessions: 1, ..Limits::default() }).await;
    let port = echo().await;
    for over in [Over::WebSocket, Over::Spdy, Over::WebSocket] {
        let begun = async {
            loop {
                let ran = run(&serving, over, &["exec", "p", "--", "true"], b"").await;
                if ran.code == 0 {
                    return forward(&serving, over, "p", port).await;
                }
                assert!(ran.stderr.contains("1 sessions open"), "{}", ran.stderr);
            }
        };
        let mut forward = timeout(PATIENCE, begun).await.expect("the place is free again");
        exchange(forward.port, b"alive".to_vec()).await;
        forward.child.kill().await.unwrap();
    }
}

/// What nobody reads is not read from the pod: the target cannot send for ever.
#[tokio::test(flavor = "multi_thread")]
async fn kubectl_whose_client_reads_nothing_holds_the_target_up() {
    let serving = serve(Limits::default()).await;
    for over in BOTH {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let forward = forward(&serving, over, "p", port).await;
        let _client = TcpStream::connect(("127.0.0.1", forward.port)).await.unwrap();
        let (mut target, _) = timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
        let (piece, mut sent) = (vec![0; MIB], 0);
        while timeout(Duration::from_secs(1), target.write_all(&piece)).await.is_ok() {
            sent += 1;
            assert!(sent < 64, "{over:?}: {sent} MiB went nowhere");
        }
    }
}
