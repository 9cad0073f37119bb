//! A pod's search path, and one search entry in its place, through the eyes of a resolver: they find the same. The benchmark
//! `search` asks the same names through the resolvers of C libraries.

#[path = "../../benches/search/names.rs"]
mod names;
#[path = "../../benches/search/upstream.rs"]
mod upstream;

use std::collections::BTreeSet;
use std::net::SocketAddr;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::Name;

use crate::support::server::{Dns, folder};
use names::{LOOKUPS, Lookup};

/// A resolver with a pod's options.
fn resolver(server: SocketAddr, search: &[&str]) -> TokioResolver {
    let mut by_udp = ConnectionConfig::udp();
    by_udp.port = server.port();
    let name_server = NameServerConfig::new(server.ip(), true, vec![by_udp]);
    let search = search.iter().map(|entry| Name::from_ascii(entry).expect("a name")).collect();
    let config = ResolverConfig::from_parts(None, search, vec![name_server]);
    let mut options = ResolverOpts::default();
    options.ndots = 5;
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        .with_options(options)
        .build()
        .expect("a resolver")
}

async fn look_up(resolver: &TokioResolver, name: &str) -> BTreeSet<String> {
    match resolver.lookup_ip(name).await {
        Ok(found) => found.iter().map(|address| address.to_string()).collect(),
        Err(_) => BTreeSet::new(),
    }
}

#[tokio::test]
async fn one_entry_finds_what_the_search_path_finds() {
    let upstream = upstream::serve("127.0.0.1:0").expect("a socket");
    let settings = format!("searchNames: true\nforward: {{ upstreams: ['{upstream}'] }}\n");
    let files = [("objects.yaml", &*names::objects()), ("dns.conf", &*settings)];
    let arguments =
        ["-f", "manifests", "--listen", "127.0.0.1:0", "--config", "manifests/dns.conf"];
    let dns = Dns::start(folder(&files), &arguments);
    let server = dns.addresses[0];
    let plain = ["prod.svc.cluster.local.", "svc.cluster.local.", "cluster.local."];
    let path = resolver(server, &plain);
    let entry = resolver(server, &["prod.search.cluster.local."]);
    for Lookup { name, what, addresses } in &LOOKUPS {
        let due = addresses.iter().map(|address| (*address).to_owned()).collect();
        assert_eq!(look_up(&path, name).await, due, "by the path: {name} ({what})");
        assert_eq!(look_up(&entry, name).await, due, "by the entry: {name} ({what})");
    }
}
