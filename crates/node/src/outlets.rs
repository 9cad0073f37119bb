//! Where the simulation tells what happens.

use cluster::Recorder;
use jiff::Timestamp;
use manifest::ObjectRef;

use crate::logs::Logs;
use crate::news::Report;

/// Where it is told what happens.
#[derive(Clone, Debug)]
pub struct Outlets {
    /// For Events.
    pub recorder: Recorder,
    /// For pods' logs.
    pub logs: Logs,
}

impl Outlets {
    /// Tells what happened to a pod.
    pub(crate) fn tell(&self, target: &ObjectRef, report: &Report) {
        let Report { uid, node, news } = report;
        let now = Timestamp::now();
        for news in news {
            let (container, line) = news.line();
            self.logs.add(uid, now, container, &line);
            if let Some(notice) = news.notice(target, uid, node.as_deref()) {
                self.recorder.record(notice);
            }
        }
    }
}
