//! The questions of the benchmark `dns`: every answer is what a slow and obvious reading of the manifests says.

#[path = "../../benches/dns/client.rs"]
#[allow(dead_code, reason = "the benchmark uses the rest")]
mod client;
#[path = "../../benches/dns/expected.rs"]
mod expected;
#[path = "../../benches/dns/objects.rs"]
mod objects;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use expected::Expected;
use objects::Scale;

use crate::nsd::reader;

#[test]
fn every_question_of_the_benchmark_has_the_expected_answer() {
    let scale = Scale { services: 1_000, endpoints: 10 };
    let folder = tempfile::tempdir().unwrap();
    objects::write_manifests(scale, folder.path()).unwrap();
    let questions = objects::questions(scale);
    let expected = Expected::read(folder.path()).unwrap();

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _inside = runtime.enter();
    let loopback: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let server =
        ::dns::Server::bind(&[loopback], ::dns::Config::default(), reader(folder.path())).unwrap();
    let mut connection = client::Connection::new(server.local_addresses()[0]).unwrap();
    let mut ends = BTreeMap::new();
    for question in &questions {
        let answer = connection.ask(question).unwrap();
        assert_eq!(answer, expected.answer(question), "{question}");
        *ends.entry(format!("{:?}, {} records", answer.0, answer.1.len())).or_insert(0) += 1;
    }
    // Of each sort as many as there are to be: one address, ten, aliases with and without, none, no such name.
    let ends: Vec<String> = ends.iter().map(|(end, count)| format!("{count} × {end}")).collect();
    assert_eq!(
        ends,
        [
            "667 × NXDomain, 0 records",
            "800 × NoError, 0 records",
            "1400 × NoError, 1 records",
            "1000 × NoError, 10 records",
            "50 × NoError, 11 records",
            "50 × NoError, 2 records",
        ]
    );
}
