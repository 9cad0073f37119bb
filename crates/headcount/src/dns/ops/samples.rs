//! The queries that were picked out: who asks, what is asked for in vain, the query log.

use std::fmt::Write as _;
use std::io::Write as _;
use std::iter;
use std::net::IpAddr;
use std::sync::mpsc::Receiver;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use dns::{Sample, Transport};

use super::top::Top;

/// How many are shown.
const SHOWN: usize = 20;

/// How long samples gather before they are looked at.
const REST: Duration = Duration::from_millis(10);

/// What the samples come to.
pub(in crate::dns) struct Samples(Mutex<Tops>);

struct Tops {
    names: Top<String>,
    clients: Top<IpAddr>,
}

impl Samples {
    pub(in crate::dns) fn new() -> Self {
        Self(Mutex::new(Tops { names: Top::new(), clients: Top::new() }))
    }

    /// Takes samples until nobody can send one any more. Blocks its thread; what comes while it does not keep up is lost and
    /// counted, and no query waits.
    pub(in crate::dns) fn take(&self, samples: &Receiver<Sample>) {
        while let Ok(first) = samples.recv() {
            let mut logged = false;
            for sample in iter::once(first).chain(samples.try_iter()) {
                logged |= sample.logged;
                self.take_one(&sample);
            }
            // Who gives a sample to a thread that waits must wake it, which takes longer than most answers. What is
            // logged is shown at once all the same.
            if !logged {
                thread::sleep(REST);
            }
        }
    }

    fn take_one(&self, sample: &Sample) {
        if sample.logged {
            // There is nobody to be told that the log cannot be written.
            let _ = writeln!(std::io::stdout().lock(), "{}", line(sample));
        }
        let mut tops = self.tops();
        if sample.of_all > 0 {
            tops.clients.add(sample.client.ip().to_canonical(), sample.of_all.into());
        }
        if sample.of_no_such_name > 0 {
            let name = sample.name.to_string().to_ascii_lowercase();
            tops.names.add(name, sample.of_no_such_name.into());
        }
    }

    /// The names that are asked for in vain most, and the clients that ask most, for people.
    pub(in crate::dns) fn top(&self) -> String {
        let tops = self.tops();
        let mut text =
            "names that do not exist, by how often they were asked for, about\n".to_owned();
        for (name, count) in tops.names.first(SHOWN) {
            let _ = writeln!(text, "{:>12}  {name}", count.most);
        }
        text.push_str("\nclients, by how often they asked, about\n");
        for (client, count) in tops.clients.first(SHOWN) {
            let _ = writeln!(text, "{:>12}  {client}", count.most);
        }
        text
    }

    fn tops(&self) -> MutexGuard<'_, Tops> {
        // Whole after every statement, whatever thread died.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A line of the query log.
fn line(sample: &Sample) -> String {
    let Sample { client, transport, end, name, rtype, reply_length, .. } = sample;
    let transport = match transport {
        Transport::Udp => "udp",
        Transport::Tcp => "tcp",
    };
    let (rcode, answer) = (end.rcode(), end.as_str());
    format!(
        "query client={client} transport={transport} name={name} type={rtype} rcode={rcode} answer={answer} size={reply_length}"
    )
}
