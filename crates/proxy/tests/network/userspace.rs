//! Services without nftables.

use std::net::{SocketAddr, UdpSocket as StdUdpSocket};

use proxy::{Sockets, Userspace};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::spawn_blocking;

use crate::lab::{self, Lab, Outcome, ask, pod, tcp, udp, within};
use crate::objects::{endpoint, node, policy, service, slice, slice_of};
use crate::whole::{Whole, runtime};

/// Sockets of the namespace of this process, which is the nodes'.
struct Own;

impl Sockets for Own {
    async fn listen(&self, at: SocketAddr) -> Result<TcpListener, String> {
        TcpListener::bind(at).await.map_err(|error| error.to_string())
    }

    async fn connect(&self, to: SocketAddr) -> Result<TcpStream, String> {
        TcpStream::connect(to).await.map_err(|error| error.to_string())
    }

    async fn bind(&self, at: SocketAddr) -> Result<UdpSocket, String> {
        UdpSocket::bind(at).await.map_err(|error| error.to_string())
    }
}

async fn start(lab: &Lab) -> (Whole, Userspace) {
    let (mut watches, recorder, controllers) = Whole::begin(lab).await;
    let userspace = Userspace::start(&mut watches, Own, lab.config.clone(), recorder);
    (Whole::start(watches, controllers), userspace)
}

/// Asks on another thread, as this one serves.
async fn asked(ask: impl FnOnce() -> Outcome + Send + 'static) -> String {
    spawn_blocking(move || ask().by().to_owned()).await.unwrap()
}

#[test]
fn services_are_served_at_their_addresses() {
    lab::run("userspace::services_are_served_at_their_addresses", |lab| {
        for (name, node, host) in [("a", 1, 2), ("b", 2, 2), ("client", 1, 9)] {
            lab.pod(name, node, host);
            lab.serve(&pod(name), 8080);
        }
        runtime().block_on(async {
            let (api, _userspace) = start(lab).await;
            let of_tcp = || asked(|| tcp(&pod("client"), "10.96.0.9:80"));
            let of_udp = || asked(|| udp(&pod("client"), "10.96.0.9:80"));
            api.apply(node(1)).await;
            api.apply(service("web", 9)).await;
            assert_eq!((of_tcp().await.as_str(), of_udp().await.as_str()), ("refused", "refused"));
            api.apply(slice("web", &["10.244.1.2"])).await;
            api.apply(slice("web", &["fd00:10:244:1::2"])).await;
            assert_eq!((of_tcp().await.as_str(), of_udp().await.as_str()), ("a", "a"));
            assert_eq!(asked(|| tcp(&pod("client"), "[fd00:10:96::9]:80")).await, "a");

            // A flow of UDP goes on, and leaves an endpoint that has gone.
            let socket = within(&pod("client"), || StdUdpSocket::bind("0.0.0.0:0").unwrap());
            socket.connect("10.96.0.9:80").unwrap();
            let again = || {
                let socket = socket.try_clone().unwrap();
                asked(move || ask(&socket))
            };
            assert_eq!(again().await, "a");
            assert_eq!(again().await, "a");
            let moved = [endpoint("10.244.1.2", false, false), endpoint("10.244.2.2", true, false)];
            api.apply(slice_of("web", moved.to_vec())).await;
            assert_eq!((again().await, of_tcp().await), ("b".to_owned(), "b".to_owned()));

            let mut sticky = service("sticky", 10);
            sticky["spec"]["sessionAffinity"] = json!("ClientIP");
            api.apply(sticky).await;
            api.apply(slice("sticky", &["10.244.1.2", "10.244.2.2"])).await;
            let of_sticky = || asked(|| tcp(&pod("client"), "10.96.0.10:80"));
            let first = of_sticky().await;
            for _ in 0..10 {
                assert_eq!(of_sticky().await, first);
            }
            api.apply(policy("closed", json!({ "podSelector": {} }))).await;
            assert_eq!(
                api.told("NotEnforced").await,
                "This NetworkPolicy is not enforced: that takes nftables, and the program nft was not found. Install nftables and start again."
            );
        });
    });
}
