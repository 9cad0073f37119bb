//! A cluster as large as asked for, always the same: its manifests, and the questions that clients ask of it.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

/// How large a cluster is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    /// Services: half of them headless, three tenths with a cluster IP, two tenths of type ExternalName.
    pub(crate) services: usize,
    /// Endpoints of each headless Service.
    pub(crate) endpoints: usize,
}

/// 1,000 Services with 5,000 endpoints.
pub(crate) const SMALL: Scale = Scale { services: 1_000, endpoints: 10 };

/// 10,000 Services with 100,000 endpoints.
pub(crate) const LARGE: Scale = Scale { services: 10_000, endpoints: 20 };

/// The namespaces, each with Services of every type.
const NAMESPACES: usize = 20;

/// The most endpoints of a slice, as Kubernetes' controller fills them.
const SLICE_ENDPOINTS: usize = 100;

/// What a Service is, by its number.
#[derive(Clone, Copy)]
enum Shape {
    Headless,
    ClusterIp,
    /// An alias of another Service.
    Inside,
    /// An alias of a name outside the cluster.
    Outside,
}

struct Service {
    number: usize,
    shape: Shape,
}

impl Service {
    fn new(number: usize) -> Self {
        let shape = match number % 10 {
            0..5 => Shape::Headless,
            5..8 => Shape::ClusterIp,
            8 => Shape::Inside,
            _ => Shape::Outside,
        };
        Self { number, shape }
    }

    fn name(&self) -> String {
        let kind = match self.shape {
            Shape::Headless => "db",
            Shape::ClusterIp => "web",
            Shape::Inside | Shape::Outside => "alias",
        };
        format!("{kind}-{}", self.number)
    }

    fn namespace(&self) -> String {
        format!("ns-{}", self.number / 10 % NAMESPACES)
    }

    /// The name that clients ask for, with the dot at its end.
    fn owner(&self) -> String {
        format!("{}.{}.svc.cluster.local.", self.name(), self.namespace())
    }

    /// What an alias stands for: a Service with a cluster IP or a headless one by turns, or an outside name.
    fn target(&self) -> String {
        match self.shape {
            Shape::Outside => format!("db-{}.example.com", self.number),
            _ => {
                let back = if (self.number / 10).is_multiple_of(2) { 2 } else { 8 };
                Self::new(self.number - back).owner().trim_end_matches('.').to_owned()
            }
        }
    }

    fn manifests(&self, endpoints: usize, out: &mut String) -> std::fmt::Result {
        let (name, namespace) = (self.name(), self.namespace());
        writeln!(
            out,
            "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n  namespace: {namespace}\nspec:"
        )?;
        let port = match self.shape {
            Shape::Headless => {
                writeln!(out, "  clusterIP: None")?;
                "{name: redis, port: 6379}"
            }
            Shape::ClusterIp => {
                let [high, low] = (self.number as u16).to_be_bytes();
                writeln!(out, "  clusterIP: 10.100.{high}.{low}")?;
                "{name: http, port: 80}"
            }
            Shape::Inside | Shape::Outside => {
                return writeln!(out, "  type: ExternalName\n  externalName: {}", self.target());
            }
        };
        writeln!(out, "  ports:\n  - {port}")?;
        if !matches!(self.shape, Shape::Headless) {
            return Ok(());
        }
        for first in (0..endpoints).step_by(SLICE_ENDPOINTS) {
            writeln!(
                out,
                "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: {name}-{first}\n  \
                 namespace: {namespace}\n  labels: {{kubernetes.io/service-name: {name}}}\naddressType: IPv4\nports:\n\
                 - {{name: redis, port: 6379}}\nendpoints:"
            )?;
            for at in first..endpoints.min(first + SLICE_ENDPOINTS) {
                // Below 10.64.0.0: apart from the cluster IPs.
                let [_, a, b, c] = ((self.number * endpoints + at) as u32).to_be_bytes();
                writeln!(
                    out,
                    "- {{addresses: [10.{a}.{b}.{c}], hostname: {name}-{at}, conditions: {{ready: true}}}}"
                )?;
            }
        }
        Ok(())
    }

    fn questions(&self, endpoints: usize, out: &mut Vec<String>) {
        let (name, owner) = (self.name(), self.owner());
        match self.shape {
            Shape::Headless => {
                out.push(format!("{owner} A"));
                out.push(format!("{owner} AAAA"));
                out.push(format!("_redis._tcp.{owner} SRV"));
                out.push(format!("{name}-{}.{owner} A", self.number % endpoints.max(1)));
            }
            Shape::ClusterIp => {
                out.push(format!("{owner} A"));
                out.push(format!("{owner} AAAA"));
                out.push(format!("_http._tcp.{owner} SRV"));
            }
            Shape::Inside | Shape::Outside => {
                out.push(format!("{owner} A"));
                out.push(format!("{owner} CNAME"));
            }
        }
        // Names that are not there: what resolvers with a search path ask on the way, and mistakes.
        let (number, namespace) = (self.number, self.namespace());
        let missing = match number % 9 {
            0 => format!("api-{number}.example.com.{namespace}.svc.cluster.local. A"),
            1 => format!("api-{number}.example.com.svc.cluster.local. AAAA"),
            2 => format!("api-{number}.example.com.cluster.local. A"),
            3 => format!("{owner}{namespace}.svc.cluster.local. A"),
            4 => format!("no-{number}.{namespace}.svc.cluster.local. A"),
            5 => format!("no-{number}.{owner} A"),
            _ => return,
        };
        out.push(missing);
    }
}

/// The manifests, by the names of their files: one for each namespace.
pub(crate) fn manifests(scale: Scale) -> Result<Vec<(String, String)>, std::fmt::Error> {
    let head = |number| {
        let name = format!("ns-{number}");
        let text = format!("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {name}\n");
        (name + ".yaml", text)
    };
    let mut files: Vec<_> = (0..NAMESPACES).map(head).collect();
    for number in 0..scale.services {
        let (_, text) = &mut files[number / 10 % NAMESPACES];
        Service::new(number).manifests(scale.endpoints, text)?;
    }
    Ok(files)
}

/// Writes the manifests into `folder`.
pub(crate) fn write_manifests(scale: Scale, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (name, text) in manifests(scale).map_err(io::Error::other)? {
        fs::write(folder.join(name), text)?;
    }
    Ok(())
}

/// The questions, shuffled, as dnsperf reads them: a name and a type a line.
pub(crate) fn questions(scale: Scale) -> Vec<String> {
    let mut questions = Vec::new();
    for number in 0..scale.services {
        Service::new(number).questions(scale.endpoints, &mut questions);
    }
    // Fisher and Yates' shuffle, with numbers that are always the same (Knuth's MMIX generator).
    let mut state = 1u64;
    for at in (1..questions.len()).rev() {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        questions.swap(at, (state >> 33) as usize % (at + 1));
    }
    questions
}
