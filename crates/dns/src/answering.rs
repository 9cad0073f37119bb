//! Where answers come from.

use std::sync::Arc;

use directory::{Ending, NameRef, Reader, Record, RecordType, Sink};

/// A source of answers for questions of class IN. Called for every query, on the thread that serves it: it
/// must neither wait nor do I/O.
pub trait Answering {
    /// Gives what `name` answers for `rtype`, now, to a sink.
    fn answer(&self, name: NameRef<'_>, rtype: RecordType, sink: &mut impl Sink) -> Ending;

    /// All records of the zone of this name, one SOA record among them, for a transfer; `None` when it is none of ours. May
    /// take its time, and the memory that the records take.
    fn zone(&self, apex: NameRef<'_>) -> Option<Vec<Record>>;
}

impl Answering for Reader {
    fn answer(&self, name: NameRef<'_>, rtype: RecordType, sink: &mut impl Sink) -> Ending {
        self.answer_into(name, rtype, sink)
    }

    fn zone(&self, apex: NameRef<'_>) -> Option<Vec<Record>> {
        self.zone_records(apex)
    }
}

impl<T: Answering> Answering for Arc<T> {
    fn answer(&self, name: NameRef<'_>, rtype: RecordType, sink: &mut impl Sink) -> Ending {
        T::answer(self, name, rtype, sink)
    }

    fn zone(&self, apex: NameRef<'_>) -> Option<Vec<Record>> {
        T::zone(self, apex)
    }
}
