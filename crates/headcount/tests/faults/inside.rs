//! What somebody tries from inside of a pod.

use std::io::Write as _;
use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;

use serde_json::json;

use crate::support::who::Who;
use crate::{everybody, marker, pod};

/// What the pod runs that is attacked: it says what reaches it, and has memory that is shared with whoever finds it.
const OTHER: &str = r#"
import ctypes, os, socket, threading
print("shared", ctypes.CDLL(None).shmget(0x5ec, 4096, 0o1666) >= 0, flush=True)
tcp = socket.create_server(("0.0.0.0", 9998))
def answer():
    while True:
        client = tcp.accept()[0]
        client.sendall(b"the other pod")
        client.close()
threading.Thread(target=answer, daemon=True).start()
udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
udp.bind(("::", 9999))
print("listening", flush=True)
while True:
    text, source = udp.recvfrom(64)
    print("got", text.decode(), "from", source[0], flush=True)
"#;

#[test]
fn nothing_of_the_host_or_of_others_is_had() {
    everybody(attack);
}

fn attack(who: Who) {
    let marker = marker();
    let port = answer_on_loopback(marker.clone());
    let name = SocketAddr::from_abstract_name(&marker).expect("a name");
    let _abstract = UnixListener::bind_addr(&name).expect("nobody has this name");
    let folder = who.folder();
    let data = folder.path().join("data").display().to_string();
    let up = who.up(&[
        "--data-dir",
        &data,
        "--pod-cidr",
        "10.244.0.0/16,fd00:244::/56",
        "--service-cidr",
        "10.96.0.0/12,fd00:96::/112",
    ]);
    let other = json!({ "image": "python", "command": ["python3", "-c", OTHER, marker],
        "env": [{ "name": "SECRET", "value": marker }] });
    up.apply(&[pod("other", other)]);
    up.await_ready(&["other"]);
    up.await_log("other", "shared True\nlistening\n");
    let addresses = up.object(&["pod", "other"]).expect("there")["status"]["podIPs"].clone();
    let address = |at: usize| addresses[at]["ip"].as_str().expect("an address").to_owned();

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/attacker.py");
    let script = std::fs::read_to_string(script).expect("the script");
    let attempts = script.matches("@attempt\n").count();
    let api = up.api().rsplit_once(':').expect("a port").1.to_owned();
    let environment = [
        ("DATA", data),
        ("LOOPBACK", port.to_string()),
        ("API", api),
        ("MARKER", marker),
        ("OTHER", address(0)),
        ("OTHER6", address(1)),
        ("GATEWAY", "10.244.1.1".to_owned()),
        ("HOST", own_address().unwrap_or_default()),
    ];
    let environment = environment.map(|(name, value)| json!({ "name": name, "value": value }));
    let mut attacker = pod(
        "attacker",
        json!({ "image": "python", "command": ["python3", "/attack/attacker.py"], "env": environment,
            "volumeMounts": [{ "name": "attack", "mountPath": "/attack" }] }),
    );
    attacker["spec"]["volumes"] = json!([{ "name": "attack", "configMap": { "name": "attack" } }]);
    let map = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "attack" },
        "data": { "attacker.py": script } });
    up.apply(&[map, attacker]);

    let log = up.await_log("attacker", "\ndone\n");
    assert!(log.starts_with("reached "), "{log}");
    let (kept_out, rest): (Vec<&str>, Vec<&str>) =
        log.lines().skip(1).partition(|line| line.contains(": kept out: "));
    assert_eq!(rest, ["done"], "as {who:?}: {log}");
    assert_eq!(kept_out.len(), attempts, "{log}");
    let heard = up.await_log("other", "got true");
    assert!(!heard.contains("forged"), "as {who:?}: {heard}");
}

/// Listens on this machine's loopback alone; the port.
fn answer_on_loopback(text: String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = stream.and_then(|mut stream| stream.write_all(text.as_bytes()));
        }
    });
    port
}

/// The address by which this machine reaches others, if it has one. Nothing is sent.
fn own_address() -> Option<String> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip().to_string())
}
