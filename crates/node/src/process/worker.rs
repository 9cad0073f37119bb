//! The worker of a pod: a task that does what its [`Life`] says, tells it what happened, and writes the pod's status.

mod probing;
mod writing;

use std::sync::Arc;
use std::time::Duration;

use cluster::Busy;
use futures::future::BoxFuture;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container as Spec, Pod, PodStatus};
use manifest::{Object, ObjectRef};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{debug, warn};

use super::acts::{self, Begun, Happening, NotPrepared, NotStarted, Start};
use super::events::{self, Teller};
use super::furnish::Furnished;
use super::life::{Act, Ended, Ending, Life, State, seconds};
use super::probe::{self, Kind};
use super::shared::{Live, Shared};
use super::status::{Circumstances, full_name};
use super::stop::Stop;
use crate::contents::Place;
use crate::hands::{Answer, Hands};
use crate::status::READY_ANNOTATION;
use writing::{fetch, retry_delay};

/// So many happenings wait for the worker.
const WAITING: usize = 32;

/// While more is about to happen, a status waits so long for it.
const SETTLE: Duration = Duration::from_millis(400);

/// How often volumes are compared with what they are of.
const REFRESH: Duration = Duration::from_secs(60);

/// A pod whose end nobody announced has at least so much time.
const GRACE_AT_LEAST: Duration = Duration::from_secs(2);

/// What a worker is told.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    /// The pod as the watch tells of it: not all of it is there.
    pub(super) pod: Arc<Object>,
    /// The API does not have it any more.
    pub(super) gone: bool,
}

/// What a worker begins with.
pub(super) struct Order {
    pub(super) shared: Arc<Shared>,
    pub(super) hands: Hands,
    pub(super) recorder: cluster::Recorder,
    pub(super) target: ObjectRef,
    pub(super) uid: String,
    pub(super) place: Place,
    pub(super) wishes: watch::Receiver<Wish>,
    pub(super) busy: Busy,
}

struct Worker {
    shared: Arc<Shared>,
    hands: Hands,
    teller: Teller,
    target: ObjectRef,
    uid: String,
    place: Arc<Place>,
    circumstances: Circumstances,
    pod: Arc<Pod>,
    life: Life,
    wishes: watch::Receiver<Wish>,
    happenings: mpsc::Receiver<Happening>,
    news: mpsc::Sender<Happening>,
    tasks: JoinSet<()>,
    /// What was prepared and not used yet.
    furnished: Option<Arc<dyn Furnished>>,
    hands_on: Vec<HandsOn>,
    /// The API does not have the pod any more.
    gone: bool,
    /// What was written last: what the API makes of it is its own affair.
    wrote: Option<PodStatus>,
    /// Since when the status that is there is not the true one.
    stale: Option<Instant>,
    failures: u32,
    refreshed: Instant,
    /// Held until the pod has begun.
    busy: Option<Busy>,
}

/// What is under way for a container.
#[derive(Default)]
struct HandsOn {
    live: Option<Arc<Live>>,
    stop: Option<AbortHandle>,
    probers: Vec<AbortHandle>,
}

/// Works for a pod until it has ended for good, and gives it as it is then; none when the API does not have it.
pub(super) async fn work(order: Order) -> Option<Pod> {
    let worker = Worker::begin(order).await?;
    worker.run().await
}

impl Worker {
    async fn begin(order: Order) -> Option<Self> {
        let Order { shared, hands, recorder, target, uid, place, mut wishes, busy } = order;
        shared.swept.subscribe().wait_for(|swept| *swept).await.ok()?;
        // The watch drops what nobody else reads.
        let pod = fetch(&hands, &target, &uid, &mut wishes).await?;
        let teller = Teller::new(recorder, &pod, &place.node_name);
        let life = Life::new(&pod, shared.back_off, shared.now());
        if life.is_known() {
            teller.tell(events::sandbox_changed());
        }
        let hands_on = life.containers.iter().map(|_| HandsOn::default()).collect();
        let circumstances = Circumstances {
            addresses: place.addresses.iter().map(|address| address.address.addr()).collect(),
            host: place.host_ips.clone(),
            played_unready: false,
        };
        let (news, happenings) = mpsc::channel(WAITING);
        Some(Self {
            shared,
            hands,
            teller,
            target,
            uid,
            place: Arc::new(place),
            circumstances,
            pod: Arc::new(pod),
            life,
            wishes,
            happenings,
            news,
            tasks: JoinSet::new(),
            furnished: None,
            hands_on,
            gone: false,
            wrote: None,
            stale: None,
            failures: 0,
            refreshed: Instant::now(),
            busy: Some(busy),
        })
    }

    async fn run(mut self) -> Option<Pod> {
        let mut writing: Option<BoxFuture<'static, kube::Result<Answer>>> = None;
        self.look_at_wish();
        loop {
            let now = self.shared.now();
            for act in self.life.acts(now) {
                self.act(act);
            }
            if writing.is_none() {
                let (write, settled) = self.write_due(now);
                writing = write;
                if settled {
                    self.busy = None;
                    if self.life.is_finished() {
                        break;
                    }
                }
            }
            let wake = self.wake(now, writing.is_some());
            tokio::select! {
                changed = self.wishes.changed() => match changed {
                    Ok(()) => self.look_at_wish(),
                    // Nobody watches over the pods any more.
                    Err(_) => return None,
                },
                Some(happening) = self.happenings.recv() => self.take_in(happening),
                Some(_) = self.tasks.join_next() => {}
                answer = async { writing.as_mut().expect("checked").await }, if writing.is_some() => {
                    writing = None;
                    self.written(answer);
                }
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {
                    self.refresh_if_due();
                }
            }
        }
        self.finish().await
    }

    /// When to look again if nothing happens.
    fn wake(&self, now: Timestamp, writing: bool) -> Option<Instant> {
        let life = self.life.wake(now).map(|at| {
            let left = Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO);
            Instant::now() + left
        });
        let write = self.stale.filter(|_| !writing).map(|since| {
            let retry = retry_delay(self.failures);
            since + if self.life.is_settling() { SETTLE.max(retry) } else { retry }
        });
        let refresh = self.life.has_sandbox().then(|| self.refreshed + REFRESH);
        life.into_iter().chain(write).chain(refresh).min()
    }

    fn look_at_wish(&mut self) {
        let Wish { pod: object, gone } = self.wishes.borrow_and_update().clone();
        let Object::Pod(seen) = &*object else { return };
        let now = self.shared.now();
        let metadata = &seen.metadata;
        let played = metadata.annotations.as_ref().and_then(|has| has.get(READY_ANNOTATION));
        self.circumstances.played_unready =
            played.is_some_and(|value| value.eq_ignore_ascii_case("false"));
        let newer = |seen: &Pod, known: &Pod| revision(seen) >= revision(known);
        if newer(seen, &self.pod) {
            let labels_changed = self.pod.metadata.labels != metadata.labels
                || self.pod.metadata.annotations != metadata.annotations;
            let pod = Arc::make_mut(&mut self.pod);
            pod.metadata = metadata.clone();
            pod.status = seen.status.clone();
            if labels_changed {
                self.refreshed = Instant::now() - REFRESH;
            }
        }
        if metadata.deletion_timestamp.is_some() {
            let grace = seconds(metadata.deletion_grace_period_seconds.unwrap_or(0));
            self.life.delete(grace.max(GRACE_AT_LEAST), now);
        }
        if gone {
            self.leave();
        }
    }

    /// The API does not have the pod any more: nothing of it may stay, and there is nothing to write.
    fn leave(&mut self) {
        if !self.gone {
            self.gone = true;
            self.life.delete(GRACE_AT_LEAST, self.shared.now());
        }
    }

    fn spec(&self, container: usize) -> Option<&Spec> {
        let spec = self.pod.spec.as_ref()?;
        let init = spec.init_containers.as_deref().unwrap_or_default();
        init.iter().chain(&spec.containers).nth(container)
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Prepare => {
                let (shared, news) = (self.shared.clone(), self.news.clone());
                let (pod, place) = (self.pod.clone(), self.place.clone());
                self.tasks.spawn(async move {
                    let prepared = acts::prepare(shared, pod, place).await;
                    let _ = news.send(Happening::Prepared(prepared)).await;
                });
            }
            Act::Start { container, restarts } => {
                let Some(spec) = self.spec(container).cloned() else { return };
                let start = Start {
                    shared: self.shared.clone(),
                    pod: self.pod.clone(),
                    place: self.place.clone(),
                    furnished: self.furnished.clone(),
                    container: spec,
                    index: container,
                    restarts,
                    news: self.news.clone(),
                };
                self.tasks.spawn(start.run());
            }
            Act::Stop { container, by } => self.stop(container, by),
            Act::Dismantle => {
                let (shared, news) = (self.shared.clone(), self.news.clone());
                let (id, target) = (acts::pod_id(&self.pod), self.target.clone());
                self.tasks.spawn(async move {
                    if let Err(error) = acts::dismantle(&shared, id).await {
                        warn!(?target, %error, "what the pod's containers shared was not removed");
                    }
                    let _ = news.send(Happening::Dismantled).await;
                });
            }
        }
    }

    fn stop(&mut self, container: usize, by: Timestamp) {
        let Some(live) = self.hands_on[container].live.clone() else { return };
        let Some(spec) = self.spec(container).cloned() else { return };
        let first = match self.hands_on[container].stop.take() {
            Some(stop) => {
                stop.abort();
                false
            }
            None => true,
        };
        if first && self.life.is_over() {
            self.teller.tell_of(&self.life.containers[container], events::killing(&spec.name));
        }
        if self.life.ending() == Some(Ending::Deadline) && first {
            self.teller.tell(events::deadline());
        }
        let left = by.duration_since(self.shared.now());
        let stop = Stop {
            shared: self.shared.clone(),
            live,
            pod: self.pod.clone(),
            addresses: self.circumstances.addresses.clone(),
            container: spec,
            index: container,
            hook: first,
            left: Duration::try_from(left).unwrap_or(Duration::ZERO),
            news: self.news.clone(),
        };
        self.hands_on[container].stop = Some(self.tasks.spawn(stop.run()));
    }

    fn take_in(&mut self, happening: Happening) {
        let now = self.shared.now();
        match happening {
            Happening::Prepared(Ok(furnished)) => {
                self.furnished = Some(furnished);
                self.life.prepared();
            }
            Happening::Prepared(Err(error)) => {
                let event = match error {
                    NotPrepared::Missing(missing) => events::failed_mount(missing.message),
                    NotPrepared::Failed(failure) => events::failed_sandbox(&failure.0),
                };
                self.teller.tell(event);
                self.life.not_prepared(now);
            }
            Happening::Dismantled => self.life.dismantled(),
            Happening::Started { container, result } => self.started(container, result, now),
            Happening::Hooked { container, restarts, result } => {
                if !self.is_present(container, restarts) {
                    return;
                }
                if let Err(message) = result {
                    let told = &self.life.containers[container];
                    self.teller.tell_of(told, events::failed_post_start(message));
                    let stop = self.life.cut_short(container, None, now);
                    self.act_on(stop);
                }
                self.life.settled(container);
            }
            Happening::HookFailed { container, message } => {
                let told = &self.life.containers[container];
                self.teller.tell_of(told, events::failed_pre_stop(message));
            }
            Happening::Ended { container, restarts, exit, message } => {
                if self.is_present(container, restarts) {
                    self.ended(container, exit, message, now);
                }
            }
            Happening::Probed { container, restarts, kind, outcome } => {
                if self.is_present(container, restarts) {
                    self.probed(container, kind, outcome, now);
                }
            }
        }
    }

    fn act_on(&mut self, act: Option<Act>) {
        if let Some(act) = act {
            self.act(act);
        }
    }

    /// Whether news of this life of a container are of its present one.
    fn is_present(&self, container: usize, restarts: u32) -> bool {
        let known = &self.life.containers[container];
        known.restarts == Some(restarts) && matches!(known.state, State::Running { .. })
    }

    fn started(&mut self, index: usize, result: Result<Begun, NotStarted>, now: Timestamp) {
        // What was prepared was for the first start.
        let container = &mut self.life.containers[index];
        let name = container.name.clone();
        match result {
            Ok(Begun { live, image, program }) => {
                container.program = Some(program.display().to_string());
                self.teller.tell_of(container, events::pulled(&image, &program));
                self.teller.tell_of(container, events::created(&name));
                self.teller.tell_of(container, events::started(&name));
                let restarts = live.id.restarts;
                self.hands_on[index].live = Some(live.clone());
                self.life.started(index, now);
                let spec = self.spec(index).cloned().unwrap_or_default();
                let hook =
                    spec.lifecycle.as_ref().and_then(|lifecycle| lifecycle.post_start.clone());
                match hook {
                    None => self.life.settled(index),
                    Some(hook) => {
                        let target = self.target_of(live, &spec);
                        let news = self.news.clone();
                        self.tasks.spawn(async move {
                            let result = probe::hook(&target, &hook).await;
                            let hooked = Happening::Hooked { container: index, restarts, result };
                            let _ = news.send(hooked).await;
                        });
                    }
                }
                self.probe(index, Kind::Startup);
                if self.life.containers[index].started {
                    self.probe_running(index);
                }
            }
            Err(NotStarted::Missing(missing)) => self.not_started(index, missing, now),
            Err(NotStarted::Failed(failure)) => {
                self.teller.tell_of(container, events::failed(&failure.0));
                self.life.failed_to_start(index, failure.0, now);
                self.tell_back_off(index);
            }
        }
        if self.life.containers.iter().all(|container| container.restarts.is_some()) {
            self.furnished = None;
        }
    }

    fn not_started(&mut self, index: usize, missing: crate::contents::NotYet, now: Timestamp) {
        let container = &self.life.containers[index];
        let image = &container.image;
        let (mut reason, mut message) = (missing.reason, missing.message);
        match reason {
            "ErrImagePull" if container.failures() > 0 => {
                self.teller.tell_of(container, events::image_back_off(image));
                reason = "ImagePullBackOff";
                message = format!("Back-off pulling image \"{image}\": ErrImagePull: {message}");
            }
            "ErrImagePull" => {
                self.teller.tell_of(container, events::image_failed(image, &message));
                self.teller.tell_of(container, events::failed(reason));
            }
            _ => self.teller.tell_of(container, events::failed(&message)),
        }
        self.furnished = None;
        self.life.not_started(index, reason, message, now);
    }

    fn ended(
        &mut self,
        index: usize,
        exit: sandbox::Exit,
        message: Option<String>,
        now: Timestamp,
    ) {
        let hands_on = &mut self.hands_on[index];
        for prober in hands_on.probers.drain(..) {
            prober.abort();
        }
        if let Some(stop) = hands_on.stop.take() {
            stop.abort();
        }
        hands_on.live = None;
        let container = &self.life.containers[index];
        let started = match &container.state {
            State::Running { since, .. } => Some(*since),
            State::Waiting(_) | State::Ended(_) => None,
        };
        let code = exit.code();
        let ended = Ended {
            code,
            signal: None,
            reason: if code == 0 { "Completed" } else { "Error" }.to_owned(),
            message,
            started,
            finished: now,
            id: container.id().map(Into::into),
        };
        self.furnished = None;
        self.life.ended(index, ended, None, now);
        self.tell_back_off(index);
    }

    fn tell_back_off(&self, index: usize) {
        let container = &self.life.containers[index];
        if matches!(&container.state, State::Waiting(waiting) if waiting.reason == Some("CrashLoopBackOff"))
        {
            let event = events::back_off(&container.name, &full_name(&self.pod));
            self.teller.tell_of(container, event);
        }
    }

    fn refresh_if_due(&mut self) {
        if self.refreshed + REFRESH > Instant::now() || !self.life.has_sandbox() {
            return;
        }
        self.refreshed = Instant::now();
        let (shared, pod, place) = (self.shared.clone(), self.pod.clone(), self.place.clone());
        let teller = self.teller.clone();
        self.tasks.spawn(async move {
            if let Err(missing) = shared.contents().refresh(&pod, &place).await {
                teller.tell(events::failed_mount(missing.message));
            }
        });
    }

    /// All has ended.
    async fn finish(mut self) -> Option<Pod> {
        self.tasks.shutdown().await;
        if self.life.ending() != Some(Ending::Deleted) {
            return Some(Arc::unwrap_or_clone(self.pod));
        }
        if let Err(error) = self.shared.contents().remove(&self.uid).await {
            warn!(target = ?self.target, %error, "the pod's folder was not removed");
        }
        let mut failures = 0;
        while !self.gone {
            match self.hands.delete(&self.target, self.uid.clone()).await {
                Ok(Answer::Wrote(pod)) => return Some(*pod),
                Ok(Answer::Gone { .. } | Answer::Nothing) => return None,
                Err(error) => {
                    debug!(target = ?self.target, %error, "trying again");
                    failures += 1;
                    sleep(retry_delay(failures)).await;
                    self.gone = self.wishes.borrow().gone;
                }
            }
        }
        None
    }
}

fn revision(pod: &Pod) -> Option<u64> {
    pod.metadata.resource_version.as_deref()?.parse().ok()
}
