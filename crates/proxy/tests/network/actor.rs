//! The proxy at a whole API: what is written there shows in the network.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::Api;
use kube::api::DeleteParams;
use manifest::{KindId, Stored};
use proxy::{Balancer, Network, Proxy};
use serde_json::json;
use tokio::time::timeout;

use crate::lab::{self, Lab, netfilter, pod, run_nft, tcp};
use crate::objects::{node, policy, running, service, slice};
use crate::whole::{Whole, runtime};

/// The lab's network. It refuses as many scripts as it is told to.
struct Refusing(Arc<AtomicU32>);

impl Network for Refusing {
    async fn nft(&self, script: &str) -> Result<(), String> {
        let left =
            self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if left.is_ok() {
            return Err("not now".to_owned());
        }
        run_nft(script);
        Ok(())
    }

    async fn netfilter(&self) -> Result<OwnedFd, String> {
        Ok(netfilter())
    }
}

struct Cluster {
    api: Whole,
    proxy: Proxy,
    refusals: Arc<AtomicU32>,
    _balancer: Balancer,
}

impl Cluster {
    async fn start(lab: &Lab) -> Self {
        let (mut watches, recorder, controllers) = Whole::begin(lab).await;
        let refusals = Arc::<AtomicU32>::default();
        let proxy = Proxy::start(&mut watches, Refusing(refusals.clone()), lab.config.clone());
        let ranges = vec![lab::net("172.18.255.0/31")];
        let balancer = Balancer::start(&mut watches, ranges, recorder);
        Self { api: Whole::start(watches, controllers), proxy, refusals, _balancer: balancer }
    }

    async fn ingress(&self, service: &str) -> Option<String> {
        let service =
            Api::<Service>::default_namespaced(self.api.client.clone()).get(service).await.unwrap();
        service.status?.load_balancer?.ingress?.first()?.ip.clone()
    }
}

#[test]
fn what_the_api_says_is_so() {
    lab::run("actor::what_the_api_says_is_so", |lab| {
        for (name, host) in [("a", 2), ("client", 9)] {
            lab.pod(name, 1, host);
            lab.serve(&pod(name), 8080);
        }
        runtime().block_on(async {
            let cluster = Cluster::start(lab).await;
            let seen = || tcp(&pod("client"), "10.96.0.9:80").by().to_owned();
            cluster.api.apply(node(1)).await;
            let running = running("default", "a", "10.244.1.2");
            cluster.api.apply(running.clone()).await;
            cluster.api.write_status("a", &running["status"]).await;
            cluster.api.apply(service("web", 9)).await;
            assert_eq!(seen(), "refused");
            cluster.api.apply(slice("web", &["10.244.1.2"])).await;
            assert_eq!(seen(), "a");
            let applied = *cluster.proxy.applied().borrow();
            cluster.api.apply(policy("closed", json!({ "podSelector": {} }))).await;
            assert!(*cluster.proxy.applied().borrow() > applied);
            assert_eq!(seen(), "no answer");
            let policies = Api::<NetworkPolicy>::default_namespaced(cluster.api.client.clone());
            let closed = policies.get("closed").await.unwrap();
            let kind = KindId::Stored(Stored::NetworkPolicy);
            cluster.api.watches.activity().ending(kind, &closed.metadata.uid.unwrap());
            policies.delete("closed", &DeleteParams::default()).await.unwrap();
            cluster.api.idle().await;
            assert_eq!(seen(), "a");

            // A change that is refused is made up for, with all before it.
            run_nft("flush ruleset");
            cluster.refusals.store(1, Ordering::SeqCst);
            let mut applied = cluster.proxy.applied();
            applied.mark_unchanged();
            cluster.api.apply(service("other", 8)).await;
            timeout(Duration::from_secs(30), applied.changed())
                .await
                .expect("applied again")
                .unwrap();
            assert_eq!(seen(), "a");
            run_nft("flush ruleset");
            cluster.proxy.resync();
            timeout(Duration::from_secs(30), applied.changed())
                .await
                .expect("applied again")
                .unwrap();
            assert_eq!(seen(), "a");
        });
    });
}

#[test]
fn load_balancers_have_addresses_that_work() {
    lab::run("actor::load_balancers_have_addresses_that_work", |lab| {
        for (name, host) in [("a", 2), ("client", 9)] {
            lab.pod(name, 1, host);
            lab.serve(&pod(name), 8080);
        }
        runtime().block_on(async {
            let cluster = Cluster::start(lab).await;
            let balanced = |name: &str, number: u8| {
                let mut service = service(name, number);
                service["spec"]["type"] = json!("LoadBalancer");
                service["spec"]["ipFamilies"] = json!(["IPv4"]);
                service["spec"]["clusterIPs"].as_array_mut().unwrap().truncate(1);
                service
            };
            cluster.api.apply(slice("web", &["10.244.1.2"])).await;
            cluster.api.apply(balanced("web", 9)).await;
            assert_eq!(cluster.ingress("web").await.as_deref(), Some("172.18.255.0"));
            assert_eq!(tcp(&pod("client"), "172.18.255.0:80").by(), "a");
            cluster.api.apply(balanced("second", 10)).await;
            assert_eq!(cluster.ingress("second").await.as_deref(), Some("172.18.255.1"));
            cluster.api.apply(balanced("third", 11)).await;
            assert_eq!(cluster.ingress("third").await, None);
            let services = Api::<Service>::default_namespaced(cluster.api.client.clone());
            let second = services.get("second").await.unwrap();
            cluster.api.watches.activity().ending(KindId::Service, &second.metadata.uid.unwrap());
            services.delete("second", &DeleteParams::default()).await.unwrap();
            cluster.api.idle().await;
            assert_eq!(cluster.ingress("third").await.as_deref(), Some("172.18.255.1"));
            let message = cluster.api.told("AllocationFailed").await;
            assert_eq!(
                message,
                "No address for the load balancer: all IPv4 addresses of the load balancers' range 172.18.255.0/31 are in use; give it a larger \
                 range, or remove Services of type LoadBalancer"
            );
        });
    });
}
