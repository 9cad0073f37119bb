//! Manifests as the source of a directory: read, watched, read again.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime};

use cluster::Observer;
use directory::view::ObjectName;
use directory::{Change, Writer};
use manifest::read::{Examined, Examiner, Problem};
use manifest::{KindId, Object, ObjectRef};
use preview::views::Unusable;
use preview::{Changes, GivenSlice, SettleError, changes};
use serde_json::Value;
use tokio::sync::oneshot;

use super::memory;
use super::names::Names;
use super::source::Findings;
use crate::error::Error;
use crate::files::{self, File};
use crate::records::manifests::not_settled;

/// How often the files are looked at.
const POLL: Duration = Duration::from_millis(250);

/// After a look at very many files, so many times as long as it took nothing is looked at.
const REST: u32 = 10;

/// Manifests that are served and watched, on a thread of their own.
pub(super) struct Manifests {
    reload: mpsc::SyncSender<()>,
    /// What the first reading came to; taken once.
    first: Option<oneshot::Receiver<Result<Findings, Error>>>,
}

impl Manifests {
    /// Begins to read the manifests into the directory, and watches them from then on.
    pub(super) fn start(
        paths: Vec<PathBuf>,
        namespace: String,
        writer: Writer,
        observer: Arc<dyn Observer>,
    ) -> Result<Self, Error> {
        // One that waits to be looked at stands for those that come meanwhile.
        let (reload, reloads) = mpsc::sync_channel(1);
        let (read, first) = oneshot::channel();
        let served = Served { paths, namespace, writer, observer };
        std::thread::Builder::new()
            .name("manifests".to_owned())
            .spawn(move || served.serve(read, &reloads))
            .map_err(|error| Error::caused("could not start a thread for the manifests", &error))?;
        Ok(Self { reload, first: Some(first) })
    }

    /// Completes when they have been read for the first time.
    pub(super) async fn filled(&mut self) -> Result<Findings, Error> {
        let ended = || Err(Error::new("reading the manifests ended unexpectedly"));
        match self.first.take() {
            Some(first) => first.await.unwrap_or_else(|_| ended()),
            None => ended(),
        }
    }

    /// Reads them again, whether they have changed or not.
    pub(super) fn reload(&self) {
        let _ = self.reload.try_send(());
    }
}

/// What the files are known by. A folder that cannot be listed has none.
#[derive(PartialEq, Eq)]
pub(super) struct Stamp(Vec<(PathBuf, Option<(SystemTime, u64)>)>);

impl Stamp {
    pub(super) fn of(paths: &[PathBuf]) -> Self {
        let files = files::list(paths).unwrap_or_default();
        let stamp = |path: &Path| {
            let metadata = std::fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        };
        Self(files.into_iter().map(|path| (path.clone(), stamp(&path))).collect())
    }
}

struct Served {
    paths: Vec<PathBuf>,
    namespace: String,
    writer: Writer,
    observer: Arc<dyn Observer>,
}

impl Served {
    fn serve(
        mut self,
        read: oneshot::Sender<Result<Findings, Error>>,
        reloads: &mpsc::Receiver<()>,
    ) {
        let mut stamp = Stamp::of(&self.paths);
        let first = self.read_first();
        let failed = first.is_err();
        let _ = read.send(first);
        if failed {
            return;
        }
        let mut seen = None;
        let mut pause = POLL;
        loop {
            let asked = match reloads.recv_timeout(pause) {
                Ok(()) => true,
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let looked = Instant::now();
            let now = Stamp::of(&self.paths);
            pause = POLL.max(looked.elapsed() * REST);
            // Whoever writes the files may be in the midst of it: when they are the same twice, they are done.
            let settled = now != stamp && seen.as_ref() == Some(&now);
            if asked || settled {
                self.read_again();
                stamp = now;
                seen = None;
            } else {
                seen = Some(now);
            }
        }
    }

    fn read_first(&mut self) -> Result<Findings, Error> {
        let Read { changes, errors } = read_apart(&self.paths, &self.namespace)?;
        self.apply(&changes);
        drop(changes);
        self.writer.set_synced();
        memory::give_back();
        Ok(errors > 0)
    }

    fn apply(&mut self, changes: &[Change]) {
        // One by one: what a view took is free again before the next is made.
        let mut names = Names::default();
        self.writer.apply_all(changes.iter().map(|change| names.own(change)));
        for change in changes {
            if let Change::Namespace(name) = change {
                self.observer.namespace(name);
            }
        }
    }

    fn read_again(&mut self) {
        match read_apart(&self.paths, &self.namespace) {
            Ok(Read { changes, errors: 0 }) => self.replace(&changes),
            Ok(Read { changes: _, errors }) => crate::terminal::say(format_args!(
                "error: the manifests have {errors} error{}, see above: what was served before is served still",
                if errors == 1 { "" } else { "s" },
            )),
            Err(error) => crate::terminal::say(format_args!(
                "{error}\n  note: what was served before is served still"
            )),
        }
        memory::give_back();
    }

    /// Everything that there is now. What stays is never missing meanwhile.
    fn replace(&mut self, changes: &[Change]) {
        let mut namespaces: HashSet<Arc<str>> = HashSet::new();
        let (mut services, mut imports, mut slices, mut pods) =
            (HashSet::new(), HashSet::new(), HashSet::new(), HashSet::<ObjectName>::new());
        for change in changes {
            match change {
                Change::Namespace(name) => drop(namespaces.insert(name.clone())),
                Change::Service(view) => drop(services.insert(view.id.clone())),
                Change::Import(view) => drop(imports.insert(view.id.clone())),
                Change::Slice(view) => drop(slices.insert(view.id.clone())),
                Change::Pod(view) => drop(pods.insert(view.id.clone())),
                Change::NamespaceGone(_)
                | Change::ServiceGone(_)
                | Change::ImportGone(_)
                | Change::SliceGone(_)
                | Change::PodGone(_) => {}
            }
        }
        self.apply(changes);
        self.writer.retain_slices(|id| slices.contains(id));
        self.writer.retain_services(|id| services.contains(id));
        self.writer.retain_imports(|id| imports.contains(id));
        self.writer.retain_pods(|id| pods.contains(id));
        self.writer.retain_namespaces(|name| namespaces.contains(name));
        let reader = self.writer.reader();
        tracing::info!(
            "read again: {} Services, {} endpoints",
            reader.service_count(),
            reader.endpoint_count()
        );
    }
}

/// What the manifests come to, and how many errors they have.
struct Read {
    changes: Vec<Change>,
    errors: usize,
}

/// As [`read`], on a thread of its own, whose memory is apart from that of the directory: reading takes several times what is
/// kept, and a page of memory goes back to the system only when nothing that is kept lies on it.
fn read_apart(paths: &[PathBuf], namespace: &str) -> Result<Read, Error> {
    let read = std::thread::scope(|scope| scope.spawn(|| read(paths, namespace)).join());
    read.unwrap_or_else(|_| Err(Error::new("reading the manifests ended unexpectedly")))
}

/// Reads the manifests and prints what is wrong with them. A file is held at a time, and of a file a document.
fn read(paths: &[PathBuf], namespace: &str) -> Result<Read, Error> {
    let mut reading = Reading::new(namespace);
    for path in files::list(paths)? {
        reading.file(files::open(&path));
    }
    reading.settle()
}

/// What has been read so far.
struct Reading {
    examiner: Examiner,
    /// Everything but slices, with namespaces and defaults.
    objects: Vec<Value>,
    slices: Vec<GivenSlice>,
    /// Where the Services are, for what only shows when all are there.
    services: HashMap<ObjectRef, Problem>,
    errors: usize,
}

impl Reading {
    fn new(namespace: &str) -> Self {
        Self {
            examiner: Examiner::new(namespace),
            objects: Vec::new(),
            slices: Vec::new(),
            services: HashMap::new(),
            errors: 0,
        }
    }

    fn file(&mut self, File { name, content }: File) {
        let bytes = match content {
            Ok(bytes) => bytes,
            Err(error) => {
                crate::terminal::say(format_args!("{name}: error: could not be read: {error}"));
                self.errors += 1;
                return;
            }
        };
        let mut problems = Vec::new();
        match manifest::read::text(&name, &bytes) {
            Ok(text) => {
                let mut found = false;
                let wrong = manifest::read::read_each(&name, text, |document| {
                    found = true;
                    let examined = self.examiner.examine(document);
                    self.object(examined, &mut problems);
                });
                if !found && wrong.is_empty() {
                    crate::terminal::say(format_args!("{name}: note: no object in it"));
                }
                problems.extend(wrong);
            }
            Err(problem) => problems.push(problem),
        }
        problems.sort_by_key(Problem::position);
        for problem in &problems {
            crate::terminal::say(problem);
            self.errors += usize::from(problem.is_error());
        }
    }

    fn object(&mut self, examined: Examined, problems: &mut Vec<Problem>) {
        let Examined { document, reference, value, problems: own } = examined;
        let is_wrong = own.iter().any(Problem::is_error);
        problems.extend(own);
        let Some(value) = value.filter(|_| !is_wrong) else { return };
        let at = document.position("metadata.name");
        let problem = |message: String| Problem::error(&document.source, at, message);
        match document.kind.id {
            KindId::EndpointSlice => match Object::from_value(KindId::EndpointSlice, &value) {
                Ok(Object::EndpointSlice(slice)) => match GivenSlice::new(&slice) {
                    Ok(slice) => self.slices.push(slice),
                    Err(unusable) => {
                        crate::terminal::say(skipped(
                            &document.source,
                            at.line,
                            &reference,
                            &unusable,
                        ));
                    }
                },
                Ok(_) => {}
                Err(error) => problems.push(problem(error.to_string())),
            },
            KindId::Service => {
                self.services.insert(reference, problem(String::new()));
                self.objects.push(value);
            }
            _ => self.objects.push(value),
        }
    }

    /// Lets the controllers act on what was read.
    fn settle(mut self) -> Result<Read, Error> {
        let settled: Result<Changes, SettleError> = changes(self.objects, self.slices);
        let Changes { changes, refused, skipped: unusable } = settled.map_err(not_settled)?;
        for refused in refused {
            let Some(at) = self.services.remove(&refused.target) else { continue };
            for error in refused.errors {
                let problem = Problem { message: error.body(), ..at.clone() };
                crate::terminal::say(problem.in_field(error.field));
                self.errors += 1;
            }
        }
        for (reference, why) in unusable {
            tracing::warn!("{} {}/{}: {why}", reference.kind, reference.namespace, reference.name);
        }
        Ok(Read { changes, errors: self.errors })
    }
}

fn skipped(source: &str, line: usize, reference: &ObjectRef, why: &Unusable) -> String {
    let ObjectRef { kind, namespace, name } = reference;
    format!("{source}:{line}: note: {kind} {namespace}/{name} has no part in DNS: {why}")
}
