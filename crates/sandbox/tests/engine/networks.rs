//! Who reaches whom.

use std::net::SocketAddr;
use std::time::Duration;

use sandbox::{Exit, Network, PodId, PodNetwork, PodSpec};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::support::{Trial, container};

/// What is not answered within this is not going to be.
const SILENCE: Duration = Duration::from_millis(300);

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Says a word over a connection from one network to a listener in another; returns who said it.
async fn say(trial: &Trial, from: Network, to: Network, address: &str) -> SocketAddr {
    let listener = trial.engine.listen(to, at(address)).await.unwrap();
    let mut speaker = trial.engine.connect(from, at(address)).await.unwrap();
    let (mut hearer, who) = listener.accept().await.unwrap();
    speaker.write_all(b"word").await.unwrap();
    let mut word = [0; 4];
    hearer.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"word");
    who
}

#[tokio::test]
async fn a_pod_reaches_others() {
    let trial = Trial::start().await;
    let (a, b) = (trial.pod("a", 5).await, trial.pod("b", 6).await);
    let (pod, other) = (|| Network::Pod(a.clone()), || Network::Pod(b.clone()));
    // The other pod, by both versions; the nodes, by their own address, the pods' gateway and any Service's.
    for (from, to, address, seen) in [
        (pod(), other(), "10.244.1.6:80", "10.244.1.5"),
        (pod(), other(), "[fd00:10:244:1::6]:80", "fd00:10:244:1::5"),
        (pod(), Network::Cluster, "172.18.0.3:8080", "10.244.1.5"),
        (pod(), Network::Cluster, "10.244.1.1:8080", "10.244.1.5"),
        (pod(), Network::Cluster, "10.96.0.10:53", "10.244.1.5"),
        (pod(), Network::Cluster, "[fd00:10:96::a]:53", "fd00:10:244:1::5"),
        (Network::Cluster, pod(), "10.244.1.5:8080", "10.244.1.1"),
        (Network::Cluster, pod(), "[fd00:10:244:1::5]:8080", "fd00:10:244:1::1"),
        (pod(), pod(), "127.0.0.1:8080", "127.0.0.1"),
    ] {
        assert_eq!(say(&trial, from, to, address).await.ip().to_string(), seen, "{address}");
    }
}

#[tokio::test]
async fn datagrams_of_a_pod_reach_a_service() {
    let trial = Trial::start().await;
    let pod = trial.pod("a", 5).await;
    let service = at("10.96.0.10:53");
    let server = trial.engine.bind(Network::Cluster, service).await.unwrap();
    let server = tokio::net::UdpSocket::from_std(server).unwrap();
    let client = trial.engine.bind(Network::Pod(pod), at("0.0.0.0:0")).await.unwrap();
    let client = tokio::net::UdpSocket::from_std(client).unwrap();
    client.send_to(b"question", service).await.unwrap();
    let mut bytes = [0; 16];
    let (length, who) = server.recv_from(&mut bytes).await.unwrap();
    assert_eq!((&bytes[..length], who.ip().to_string()), (&b"question"[..], "10.244.1.5".into()));
    server.send_to(b"answer", who).await.unwrap();
    let (length, who) = client.recv_from(&mut bytes).await.unwrap();
    assert_eq!((&bytes[..length], who), (&b"answer"[..], service));
}

#[tokio::test]
async fn several_sockets_take_datagrams_of_one_address() {
    let trial = Trial::start().await;
    let at = at("10.96.0.10:53");
    let first = trial.engine.bind(Network::Cluster, at).await.unwrap();
    let second = trial.engine.bind(Network::Cluster, at).await.unwrap();
    assert_eq!(first.local_addr().unwrap(), second.local_addr().unwrap());
}

#[tokio::test]
async fn nothing_outside_is_reached() {
    let trial = Trial::start().await;
    let pod = trial.pod("a", 5).await;
    let host = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let there = host.local_addr().unwrap();
    for (network, to, error) in [
        (Network::Cluster, there, "Connection refused (os error 111)"),
        (Network::Pod(pod.clone()), there, "Connection refused (os error 111)"),
        (Network::Cluster, at("192.0.2.1:80"), "Network is unreachable (os error 101)"),
        (Network::Pod(PodId("z".into())), there, "pod z is not there"),
    ] {
        let failure = trial.engine.connect(network, to).await.unwrap_err().to_string();
        assert!(failure.ends_with(error), "{to}: {failure}");
    }
    // With a way to the outside, what is inside and not there is told from it still.
    trial.engine.open_outside(vec!["10.244.0.0/16".parse().unwrap()]).await.unwrap();
    let missing = at("10.244.7.7:80");
    for network in [Network::Cluster, Network::Pod(pod.clone())] {
        let failure = trial.engine.connect(network, missing).await.unwrap_err().to_string();
        assert!(failure.ends_with("No route to host (os error 113)"), "{failure}");
    }
    let outside = trial.engine.connect(Network::Cluster, at("192.0.2.1:80"));
    let waits = tokio::time::timeout(std::time::Duration::from_millis(100), outside).await;
    assert!(waits.is_err(), "no rule leads it anywhere: {waits:?}");
}

#[tokio::test]
async fn an_address_can_be_added_and_is_taken_once() {
    let trial = Trial::start().await;
    let address = at("172.19.0.9:80");
    let nowhere = trial.engine.listen(Network::Cluster, address).await.unwrap_err();
    assert_eq!(
        nowhere.to_string(),
        "listen on 172.19.0.9:80: Cannot assign requested address (os error 99)"
    );
    trial.engine.add_address(address.ip()).await.unwrap();
    trial.engine.add_address(address.ip()).await.unwrap();
    let _listener = trial.engine.listen(Network::Cluster, address).await.unwrap();
    let taken = trial.engine.listen(Network::Cluster, address).await.unwrap_err();
    assert_eq!(taken.to_string(), "listen on 172.19.0.9:80: Address already in use (os error 98)");
}

#[tokio::test]
async fn rules_hold_between_pods() {
    let trial = Trial::start().await;
    assert!(trial.engine.has_nft(), "nftables must be installed where this is tested");
    let (a, b) = (trial.pod("a", 5).await, trial.pod("b", 6).await);
    let to = at("10.244.1.6:80");
    let _listener = trial.engine.listen(Network::Pod(b), to).await.unwrap();
    let connect = || trial.engine.connect(Network::Pod(a.clone()), to);
    connect().await.unwrap();
    let rule = "table ip test {\n  chain forward {\n    type filter hook forward priority 0;\n    \
                ip saddr 10.244.1.5 ip daddr 10.244.1.6 drop\n  }\n}\n";
    trial.engine.nft(rule).await.unwrap();
    assert!(timeout(SILENCE, connect()).await.is_err(), "the rule lets it pass");
    trial.engine.nft("delete table ip test\n").await.unwrap();
    connect().await.unwrap();

    let wrong = trial.engine.nft("add rule ip nothing nowhere drop\n").await.unwrap_err();
    let text = wrong.to_string();
    assert!(text.starts_with("nft (exit status: 1): "), "{text}");
    assert!(text.contains("No such file or directory"), "{text}");
}

#[tokio::test]
async fn a_program_without_rights_listens_on_any_port() {
    let trial = Trial::start().await;
    let pod = trial.pod("a", 5).await;
    let mut spec =
        container(&pod, "server", &["busybox", "nc", "-l", "-p", "80", "-e", "echo", "hi"]);
    spec.process.user.uid = 1000;
    let running = trial.run(spec).await.unwrap();
    let mut connection = loop {
        match trial.engine.connect(Network::Cluster, at("10.244.1.5:80")).await {
            Ok(connection) => break connection,
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    let mut said = String::new();
    connection.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, "hi\n");
    assert_eq!(running.end().await.exit, Exit::Code(0));
}

#[tokio::test]
async fn a_pod_may_share_the_nodes_network() {
    let trial = Trial::start().await;
    let id = PodId("node".into());
    let spec = PodSpec { id: id.clone(), network: PodNetwork::Node };
    trial.engine.create_pod(spec.clone()).await.unwrap();
    let out = trial.output(&id, "ip -o -4 address show dev lo").await;
    assert!(out.contains(" 172.18.0.2/32 "), "{out}");
    let again = trial.engine.create_pod(spec).await.unwrap_err();
    assert_eq!(again.to_string(), "pod node is there already");
}

#[tokio::test]
async fn a_removed_pod_gives_its_address_back() {
    let trial = Trial::start().await;
    for _ in 0..3 {
        let pod = trial.pod("a", 5).await;
        say(&trial, Network::Cluster, Network::Pod(pod.clone()), "10.244.1.5:80").await;
        trial.engine.remove_pod(&pod).await.unwrap();
        let there = trial.engine.connect(Network::Cluster, at("10.244.1.5:80")).await.unwrap_err();
        assert!(there.to_string().contains("Network is unreachable"), "{there}");
        let gone = trial.engine.remove_pod(&pod).await.unwrap_err();
        assert_eq!(gone.to_string(), "pod a is not there");
    }
    let node = PodId("node".into());
    let spec = PodSpec { id: node.clone(), network: PodNetwork::Node };
    trial.engine.create_pod(spec).await.unwrap();
    // The kernel takes its time.
    while trial.output(&node, "ip -o link").await.lines().count() > 1 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
