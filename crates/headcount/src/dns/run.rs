//! A server's life: bound, filled, served, changed, stopped.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use directory::{Name, Reader};
use dns::Live;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::config::ConfigFile;
use super::config_file;
use super::manifests::Stamp;
use super::ops::{Listener, State};
use super::settings::Settings;
use super::source::{Findings, Kept, Objects};
use super::{Dns, Flags};
use crate::error::{Error, Exit};
use crate::live::Connection;
use crate::signal::{self, Asked};
use crate::terminal;
use crate::up::reach;

/// How often the file of settings is looked at.
const POLL: Duration = Duration::from_millis(500);

/// How many samples wait to be looked at.
const SAMPLES_WAITING_MAX: usize = 1024;

pub(super) async fn run(verb: Dns) -> Result<Exit, Error> {
    let started = Instant::now();
    let mut signals = signal::stop_or_hang_up()?;
    let (objects, domain) = objects(&verb).await?;
    let mut config = Config { path: verb.config, flags: verb.flags, domain, stamp: None };
    let settings = config.read(&objects)?;

    let (counters, samples) = dns::Counters::sampled(SAMPLES_WAITING_MAX);
    let state = State::new(counters.clone());
    let (waiting, reader) = directory::new(settings.zone.clone());
    let live = Live::new(settings.dns.clone(), reader);
    // First of all: a taken port is found out before anything is read. Until all is read the answer is SERVFAIL.
    let server = dns::Server::bind_live(&settings.listen, live.clone(), counters)
        .map_err(|error| not_bound(&error))?;
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
    let mut poll = tokio::time::interval(POLL);
    poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
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
                        eprintln!("{}\n  note: the certificate stays as it was", Error::of(&error));
                    }
                    serving.change(&server, config.reread(&serving.objects))?;
                }
            },
            filled = serving.filled() => {
                let is_first = serving.kept.is_none();
                match filled {
                    Ok((kept, settings, found)) => {
                        serving.take(kept, settings);
                        if is_first {
                            findings = found;
                            let Some(Kept { reader, .. }) = &serving.kept else { continue };
                            ready(&words, reader, started)?;
                        }
                    }
                    Err(error) if is_first => return Err(error),
                    Err(error) => {
                        eprintln!("{error}\n  note: what was served before is served still");
                    }
                }
            }
            _ = poll.tick() => {
                if config.has_changed() {
                    serving.change(&server, config.reread(&serving.objects))?;
                }
            }
        }
    };
    if serving.kept.is_none() {
        eprintln!("{stopped_by} before everything was ready");
        return Ok(Exit::CouldNotRun);
    }
    tracing::info!("{stopped_by}: stopping");
    serving.state.stop();
    // Whoever sends queries here is given time to learn that they should go elsewhere. A second signal ends it.
    tokio::time::sleep(serving.settings.lameduck).await;
    server.shutdown().await;
    Ok(if findings { Exit::Findings } else { Exit::Clean })
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

fn not_bound(error: &dns::BindError) -> Error {
    let told = Error::of(error);
    match error {
        dns::BindError::Listen { .. } => {
            told.hint("stop what listens there, or name another address with --listen")
        }
        dns::BindError::Thread(_) | dns::BindError::Certificate(_) | dns::BindError::Forward(_) => {
            told
        }
    }
}

fn ready(words: &str, reader: &Reader, started: Instant) -> Result<(), Error> {
    terminal::print_text(&format!(
        "ready {words} services={} endpoints={} in {} ms; Ctrl-C stops it\n",
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

/// The file of settings, and what comes before and after it.
struct Config {
    path: Option<PathBuf>,
    flags: Flags,
    domain: Option<Name>,
    /// The file as it was when it was read.
    stamp: Option<Stamp>,
}

impl Config {
    fn read(&mut self, objects: &Objects) -> Result<Settings, Error> {
        let file = match &self.path {
            Some(path) => {
                self.stamp = Some(Stamp::of(std::slice::from_ref(path)));
                config_file::read(path).map_err(|error| error.report(path))?
            }
            None => ConfigFile::default(),
        };
        Settings::new(&self.flags, file, objects.origin(), self.domain.as_ref())
    }

    /// As [`Config::read`]; a file that is of no use is said to be so.
    fn reread(&mut self, objects: &Objects) -> Option<Settings> {
        self.read(objects)
            .inspect_err(|error| eprintln!("{error}\n  note: the settings stay as they were"))
            .ok()
    }

    fn has_changed(&self) -> bool {
        let Some(path) = &self.path else { return false };
        self.stamp.as_ref() != Some(&Stamp::of(std::slice::from_ref(path)))
    }
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
    fn change(&mut self, server: &dns::Server, settings: Option<Settings>) -> Result<(), Error> {
        let Some(mut settings) = settings.filter(|new| *new != self.settings) else {
            return Ok(());
        };
        for name in self.settings.fixed(&settings) {
            tracing::warn!("the setting {name} is another: it takes a restart");
        }
        match (&self.settings.dns.forward, &settings.dns.forward) {
            (Some(_), Some(new)) => {
                if let Err(error) = server.set_forwarding(new.clone()) {
                    eprintln!("{}\n  note: forwarding stays as it was", Error::of(&error));
                }
            }
            (old, _) => settings.dns.forward.clone_from(old),
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
