//! Runs every behaviour script of the directory over real sockets, UDP and TCP, and compares what a library
//! decodes.

mod support;

use directory::script::{Action, Script, Step};
use support::{ask_tcp, ask_udp, config, decode, outcome, query, server};

directory::each_script!(run);

fn run(script_name: &str, text: &str) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let failures = runtime.block_on(failures(script_name, text));
    assert!(failures.is_empty(), "\n{}\n", failures.join("\n\n"));
}

async fn failures(script_name: &str, text: &str) -> Vec<String> {
    let script = Script::parse(text).expect("a script");
    let (mut writer, reader) = directory::new(script.config);
    let server = server(reader, config());
    let address = server.local_addresses()[0];
    let mut failures = Vec::new();
    let mut asked_count = 0;
    for Step { line, action } in script.steps {
        match action {
            Action::Apply(change) => writer.apply(change),
            Action::Sync => writer.set_synced(),
            Action::Ask { name: asked, rtype, expected } => {
                let query = query(line as u16, &asked, rtype, Some(1232));
                let over_udp = decode(&ask_udp(address, &query).await);
                let over_tcp = decode(&ask_tcp(address, &query).await);
                asked_count += 1;
                if over_udp.truncated {
                    assert!(over_udp.answer.len() < over_tcp.answer.len(), "line {line}");
                } else if let Err(difference) = expected.check(&outcome(over_udp)) {
                    failures.push(format!("{script_name}.script:{line} UDP {asked}\n{difference}"));
                }
                assert!(!over_tcp.truncated, "line {line}");
                if let Err(difference) = expected.check(&outcome(over_tcp)) {
                    failures.push(format!("{script_name}.script:{line} TCP {asked}\n{difference}"));
                }
            }
        }
    }
    server.shutdown().await;
    assert!(asked_count > 0, "{script_name}.script asked nothing");
    failures
}
