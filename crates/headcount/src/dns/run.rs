//! A server's life: bound, filled, served, changed, stopped.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use directory::{Name, Reader};
use dns::Live;
use tokio::task::JoinSet;

use super::Dns;
use super::config_file;
use super::ops::{Listener, State};
use super::settings::Settings;
use super::source::{Findings, Kept, Objects};
use crate::error::{Error, Exit};
use crate::live::Connection;
use crate::signal::{self, Asked};
use crate::terminal::{print_text, say};
use crate::up::reach;

/// How many samples wait to be looked at.
const SAMPLES_WAITING_MAX: usize = 1024;

pub(super) async fn run(verb: Dns) -> Result<Exit, Error> {
    let started = Instant::now();
    let mut signals = signal::stop_or_hang_up()?;
    let (objects, domain) = objects(&verb).await?;
    let Dns { config: path, flags, .. } = verb;
    let source = config_file::Source { path, flags, origin: objects.origin(), domain };
    let mut config = config_file::Watched::start(source)?;
    let settings = tokio::select! {
        settings = config.next() => settings?,
        signal = signals.next_stop() => return Ok(stopped_early(signal)),
    };

    let (counters, samples) = dns::Counters::sampled(SAMPLES_WAITING_MAX);
    let state = State::new(counters.clone());
    let (waiting, reader) = directory::new(settings.zone.clone());
    let live = Live::new(settings.dns.clone(), reader);
    // First of all: a taken port is found out before anything is read. Until all is read the answer is SERVFAIL.
    let server = dns::Server::bind_live(&settings.listen, Vec::new(), live.clone(), counters)
        .map_err(|error| not_bound(&error, &settings))?;
    state.forward_by(server.forwarder().cloned());
    let listeners = Listener::bind(&settings.pages).await?;
    let words = words(&server, &listeners);
    tracing::info!("listening {words}");
    let shown = state.clone();
    std::thread::Builder::new()
        .name("samples".to_owned())
        .spawn(move || shown.samples.take(&samples))
        .map_err(|error| Error::caused("could not start a thread for samples", &error))?;
    let mut pages = JoinSet::new();
    for listener in listeners {
        pages.spawn(listener.serve(state.clone()));
    }

    let mut serving = Serving { objects, state, live, settings, kept: None, next: None };
    serving.begin(serving.settings.clone())?;
    drop(waiting);
    let mut findings = false;
    let stopped_by = loop {
        tokio::select! {
            asked = signals.next() => match asked {
                Asked::Stop(signal) => break signal,
                Asked::Reload => {
                    if let Some(kept) = &serving.kept {
                        kept.reload();
                    }
                    if let Err(error) = server.reload_certificate() {
                        say(format_args!("{}\n  note: the certificate stays as it was", Error::of(&error)));
                    }
                    config.reload();
                }
            },
            settings = config.next() => serving.change(&server, settings?)?,
            filled = serving.filled() => {
                let is_first = serving.kept.is_none();
                match filled {
                    Ok((kept, settings, found)) => {
                        serving.take(kept, settings);
                        if is_first {
                            findings = found;
                            let Some(Kept { reader, .. }) = &serving.kept else { continue };
                            // A full disk behind stdout is no reason to serve nothing.
                            if let Err(error) = ready(&words, reader, started) {
                                say(error);
                            }
                        }
                    }
                    Err(error) if is_first => return Err(error),
                    Err(error) => {
                        say(format_args!("{error}\n  note: what was served before is served still"));
                    }
                }
            }
        }
    };
    if serving.kept.is_none() {
        return Ok(stopped_early(stopped_by));
    }
    tracing::info!("{stopped_by}: stopping");
    serving.state.stop();
    // Whoever sends queries here is given time to learn that they should go elsewhere. A second signal ends it.
    tokio::time::sleep(serving.settings.lameduck).await;
    server.shutdown().await;
    Ok(if findings { Exit::Findings } else { Exit::Clean })
}

fn stopped_early(signal: &str) -> Exit {
    say(format_args!("{signal} before everything was ready"));
    Exit::CouldNotRun
}

/// Where the objects are from, and the zone of their names if the kubeconfig says so.
async fn objects(verb: &Dns) -> Result<(Objects, Option<Name>), Error> {
    let Dns { filenames, namespace, cluster, .. } = verb;
    if !filenames.is_empty() {
        let objects = Objects::Manifests { paths: filenames.clone(), namespace: namespace.clone() };
        return Ok((objects, None));
    }
    let of_this_pod = !cluster.is_named();
    let connection = match !of_this_pod {
        true => cluster.connect().await?,
        false => Connection::in_cluster().unwrap_or_else(|| {
            Err(Error::new("there is nothing to serve, and this is not a pod of a cluster").hint(
                "name manifests with -f PATH, or a cluster with --kubeconfig PATH or --context NAME",
            ))
        })?,
    };
    let Connection { client, url, domain, dns: _ } = connection;
    Ok((Objects::Cluster { client, url, of_this_pod }, domain))
}

fn not_bound(error: &dns::BindError, settings: &Settings) -> Error {
    let told = Error::of(error);
    match error {
        dns::BindError::Listen { address, source, .. } => told.hint(match source.kind() {
            ErrorKind::AddrNotAvailable => {
                "this machine has no such address: ip address shows those that it has"
            }
            ErrorKind::PermissionDenied => {
                "ports below 1024 take the capability NET_BIND_SERVICE, or name another with --listen"
            }
            _ if settings.times_listened(*address) > 1 => "it is named twice: name it once",
            _ => "stop what listens there, or name another address with --listen",
        }),
        dns::BindError::Thread(_) | dns::BindError::Certificate(_) | dns::BindError::Forward(_) => {
            told
        }
    }
}

fn ready(words: &str, reader: &Reader, started: Instant) -> Result<(), Error> {
    let imports = match reader.config().cluster_set_domain {
        Some(_) => format!(" imports={}", reader.import_count()),
        None => String::new(),
    };
    print_text(&format!(
        "ready {words} services={} endpoints={}{imports} in {} ms; Ctrl-C stops it\n",
        reader.service_count(),
        reader.endpoint_count(),
        started.elapsed().as_millis(),
    ))
}

/// Where DNS is asked, and what else is shown where, for people and scripts.
fn words(server: &dns::Server, listeners: &[Listener]) -> String {
    let of = |name: &'static str, addresses: &[SocketAddr]| -> Vec<String> {
        addresses.iter().map(|address| format!("{name}={}", reach::from_here(*address))).collect()
    };
    let mut words = of("dns", server.local_addresses());
    words.extend(of("tls", server.tls_addresses()));
    words.extend(of("https", server.https_addresses()));
    words.extend(listeners.iter().flat_map(Listener::words));
    words.join(" ")
}

type Filling = Pin<Box<dyn Future<Output = Result<(Kept, Settings, Findings), Error>> + Send>>;

/// What is served, and what is to be served next.
struct Serving {
    objects: Objects,
    state: Arc<State>,
    live: Arc<Live<Reader>>,
    settings: Settings,
    /// Nothing before the first directory is filled.
    kept: Option<Kept>,
    /// A directory that is being filled.
    next: Option<Filling>,
}

impl Serving {
    /// Begins to fill a directory for these settings. Until that is done, what was served before is served still.
    fn begin(&mut self, settings: Settings) -> Result<(), Error> {
        let mut zone = settings.zone.clone();
        if let Some(Kept { reader, .. }) = &self.kept {
            zone.first_serial = zone.first_serial.max(reader.serial().wrapping_add(1));
        }
        let mut kept = Kept::start(self.objects.clone(), zone, self.state.watcher.clone())?;
        if self.kept.is_none() {
            self.live.replace(settings.dns.clone(), kept.reader.clone());
            self.state.serve(kept.now());
        }
        self.next = Some(Box::pin(async move {
            let findings = kept.filled().await?;
            Ok((kept, settings, findings))
        }));
        Ok(())
    }

    /// Completes when the directory that is being filled is full; never when there is none.
    async fn filled(&mut self) -> Result<(Kept, Settings, Findings), Error> {
        match &mut self.next {
            Some(next) => {
                let filled = next.await;
                self.next = None;
                filled
            }
            None => std::future::pending().await,
        }
    }

    fn take(&mut self, kept: Kept, settings: Settings) {
        self.live.replace(settings.dns.clone(), kept.reader.clone());
        self.state.serve(kept.now());
        self.settings = settings;
        self.kept = Some(kept);
    }

    /// Lets other settings be in force, if there are any.
    fn change(&mut self, server: &dns::Server, mut settings: Settings) -> Result<(), Error> {
        for name in settings.keep_fixed(&self.settings) {
            tracing::warn!("the setting {name} is another: it takes a restart");
        }
        match (&self.settings.dns.forward, &settings.dns.forward) {
            (Some(old), Some(new)) if old != new => {
                if let Err(error) = server.set_forwarding(new.clone()) {
                    say(format_args!("{}\n  note: forwarding stays as it was", Error::of(&error)));
                }
            }
            _ => {}
        }
        match (&self.kept, self.next.is_some()) {
            (Some(kept), false) if settings.has_zone_of(&self.settings) => {
                self.live.replace(settings.dns.clone(), kept.reader.clone());
                self.settings = settings;
                Ok(())
            }
            _ => self.begin(settings),
        }
    }
}
