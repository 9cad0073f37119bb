//! Plans of each shape, with what must answer by their intent.

use advisor::design::{Backends, Expectation, Expected, Targets, WhileNotReady};
use directory::Name;
use serde_json::Value;

use crate::trial::{Plan, Report, verify};

/// Manifests and expectations, to be changed before they are tried.
#[derive(Clone)]
pub(super) struct Case {
    pub(super) manifests: String,
    pub(super) expectations: Vec<Expectation>,
    pub(super) namespace: &'static str,
}

impl Case {
    /// With a text in the manifests replaced, which must be there.
    pub(super) fn with(mut self, what: &str, by: &str) -> Self {
        assert!(self.manifests.contains(what), "{what:?} is not in\n{}", self.manifests);
        self.manifests = self.manifests.replace(what, by);
        self
    }

    pub(super) fn objects(&self) -> Vec<Value> {
        let reading = manifest::read::read_any("plan", &self.manifests);
        assert_eq!(reading.problems, vec![]);
        let foreign = reading.foreign.iter().map(|foreign| foreign.located.value.clone());
        reading.documents.iter().map(|document| document.value.clone()).chain(foreign).collect()
    }

    /// Hands the plan to `with`.
    pub(super) async fn plan<T>(&self, with: impl AsyncFnOnce(&Plan<'_>) -> T) -> T {
        let domain = Name::parse("cluster.local").expect("a name");
        let objects = self.objects();
        let plan = Plan {
            objects: &objects,
            expectations: &self.expectations,
            namespace: self.namespace,
            domain: &domain,
        };
        with(&plan).await
    }

    pub(super) async fn verify(&self) -> Report {
        self.plan(async |plan| verify(plan).await.expect("a trial")).await
    }
}

pub(super) fn expect(name: &str, answer: Expected, not_ready: WhileNotReady) -> Expectation {
    let (name, purpose) = (format!("{name}.svc.cluster.local."), "a test".to_owned());
    Expectation { name, answer, purpose, not_ready }
}

pub(super) fn pods(set: &str, replicas: u32) -> Backends {
    Backends::Pods((0..replicas).map(|ordinal| format!("{set}-{ordinal}")).collect())
}

const STATEFUL: &str = "
apiVersion: v1
kind: Service
metadata: {name: db-peers, namespace: prod}
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  selector: {app: db}
  ports: [{name: peer, port: 2380, targetPort: 2380}]
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: prod}
spec:
  selector: {app: db}
  ports: [{name: client, port: 2379, targetPort: client}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: prod}
spec:
  serviceName: db-peers
  replicas: 3
  podManagementPolicy: Parallel
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      containers:
        - name: db
          image: etcd
          ports: [{name: client, containerPort: 2379}, {name: peer, containerPort: 2380}]
";

/// Peers that find one another before they are ready, and a Service for clients.
pub(super) fn stateful() -> Case {
    let below = "db-peers.prod.svc.cluster.local.".to_owned();
    let mut expectations = vec![
        expect("db-peers.prod", Expected::Each(pods("db", 3)), WhileNotReady::Stays),
        expect(
            "_peer._tcp.db-peers.prod",
            Expected::Ports { targets: Targets::Each { of: pods("db", 3), below }, port: 2380 },
            WhileNotReady::Stays,
        ),
        expect(
            "db.prod",
            Expected::Virtual {
                service: "db".to_owned(),
                behind: pods("db", 3),
                ports: vec![2379],
            },
            WhileNotReady::Leaves,
        ),
        expect(
            "_client._tcp.db.prod",
            Expected::Ports {
                targets: Targets::Service("db.prod.svc.cluster.local.".to_owned()),
                port: 2379,
            },
            WhileNotReady::Unaffected,
        ),
    ];
    for ordinal in 0..3 {
        expectations.push(expect(
            &format!("db-{ordinal}.db-peers.prod"),
            Expected::Each(Backends::Pods(vec![format!("db-{ordinal}")])),
            WhileNotReady::Stays,
        ));
    }
    Case { manifests: STATEFUL.to_owned(), expectations, namespace: "prod" }
}

/// The same with pods made one by one, that are published once they are ready.
pub(super) fn one_by_one() -> Case {
    let mut case = stateful()
        .with("podManagementPolicy: Parallel", "podManagementPolicy: OrderedReady")
        .with("publishNotReadyAddresses: true", "publishNotReadyAddresses: false");
    for expectation in &mut case.expectations {
        if expectation.not_ready == WhileNotReady::Stays {
            expectation.not_ready = WhileNotReady::Leaves;
        }
    }
    case
}

/// Peers of which the software labels the one that leads, which is the one for clients.
pub(super) fn leader() -> Case {
    let mut case = stateful().with(
        "metadata: {name: db, namespace: prod}\nspec:\n  selector: {app: db}",
        "metadata: {name: db, namespace: prod}\nspec:\n  selector: {app: db, role: leader}",
    );
    for expectation in &mut case.expectations {
        if let Expected::Virtual { behind, .. } = &mut expectation.answer {
            let (label, value) = ("role".to_owned(), "leader".to_owned());
            let Backends::Pods(pods) = pods("db", 3) else { unreachable!("they are pods") };
            *behind = Backends::Leader { pods, label, value };
        }
    }
    case
}

fn web(replicas: u32) -> Backends {
    Backends::Deployment { name: "web".to_owned(), replicas }
}

const DEPLOYMENT: &str = "
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  clusterIP:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: web, ports: [{name: http, containerPort: 8080}]}]
";

/// Any of some pods, behind a virtual address.
pub(super) fn deployment() -> Case {
    let expectations = vec![
        expect(
            "web.default",
            Expected::Virtual { service: "web".to_owned(), behind: web(3), ports: vec![8080] },
            WhileNotReady::Leaves,
        ),
        expect(
            "_http._tcp.web.default",
            Expected::Ports {
                targets: Targets::Service("web.default.svc.cluster.local.".to_owned()),
                port: 80,
            },
            WhileNotReady::Unaffected,
        ),
    ];
    Case { manifests: DEPLOYMENT.to_owned(), expectations, namespace: "default" }
}

/// All of some pods, among which clients choose.
pub(super) fn headless() -> Case {
    let below = "web.default.svc.cluster.local.".to_owned();
    let expectations = vec![
        expect("web.default", Expected::Each(web(3)), WhileNotReady::Leaves),
        expect(
            "_http._tcp.web.default",
            Expected::Ports { targets: Targets::Each { of: web(3), below }, port: 8080 },
            WhileNotReady::Leaves,
        ),
    ];
    let case = Case { manifests: DEPLOYMENT.to_owned(), expectations, namespace: "default" };
    case.with("clusterIP:\n", "clusterIP: None\n")
}

/// Another name for a host outside.
pub(super) fn external_name() -> Case {
    let manifests = "
apiVersion: v1
kind: Service
metadata: {name: billing, namespace: shop}
spec: {type: ExternalName, externalName: billing.example.com}
";
    let alias = Expected::Alias("billing.example.com.".to_owned());
    let expectations = vec![expect("billing.shop", alias, WhileNotReady::Unaffected)];
    Case { manifests: manifests.to_owned(), expectations, namespace: "shop" }
}

const BY_HAND: &str = "
apiVersion: v1
kind: Service
metadata: {name: orders}
spec:
  clusterIP:
  ports: [{name: postgresql, port: 5432}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: orders-1
  labels: {kubernetes.io/service-name: orders}
addressType: IPv4
ports: [{name: postgresql, port: 5432}]
endpoints: [{addresses: [192.0.2.10]}, {addresses: [192.0.2.11]}]
";

fn outside() -> Backends {
    Backends::Addresses(vec![[192, 0, 2, 10].into(), [192, 0, 2, 11].into()])
}

/// Addresses outside, behind a virtual one.
pub(super) fn by_hand() -> Case {
    let expectations = vec![
        expect(
            "orders.default",
            Expected::Virtual {
                service: "orders".to_owned(),
                behind: outside(),
                ports: vec![5432],
            },
            WhileNotReady::Unaffected,
        ),
        expect(
            "_postgresql._tcp.orders.default",
            Expected::Ports {
                targets: Targets::Service("orders.default.svc.cluster.local.".to_owned()),
                port: 5432,
            },
            WhileNotReady::Unaffected,
        ),
    ];
    Case { manifests: BY_HAND.to_owned(), expectations, namespace: "default" }
}

/// Addresses outside, all of them in the answer.
pub(super) fn by_hand_headless() -> Case {
    let below = "orders.default.svc.cluster.local.".to_owned();
    let expectations = vec![
        expect("orders.default", Expected::Each(outside()), WhileNotReady::Unaffected),
        expect(
            "_postgresql._tcp.orders.default",
            Expected::Ports { targets: Targets::Each { of: outside(), below }, port: 5432 },
            WhileNotReady::Unaffected,
        ),
    ];
    let case = Case { manifests: BY_HAND.to_owned(), expectations, namespace: "default" };
    case.with("clusterIP:\n", "clusterIP: None\n")
}

/// All of them, by name.
pub(super) fn all() -> Vec<(&'static str, Case)> {
    vec![
        ("stateful", stateful()),
        ("one by one", one_by_one()),
        ("leader", leader()),
        ("deployment", deployment()),
        ("headless", headless()),
        ("external name", external_name()),
        ("by hand", by_hand()),
        ("by hand, headless", by_hand_headless()),
    ]
}
