//! Where answers come from.

use std::sync::Arc;

use directory::{Ending, NameRef, Reader, RecordType, Sink};

/// A source of answers for questions of class IN. Called for every query, on the thread that serves it: it
/// must neither wait nor do I/O.
pub trait Answering {
    /// Gives what `name` answers for `rtype`, now, to a sink.
    fn answer(&self, name: NameRef<'_>, rtype: RecordType, sink: &mut impl Sink) -> Ending;
}

impl Answering for Reader {
    fn answer(&self, name: NameRef<'_>, rtype: RecordType, sink: &mut impl Sink) -> Ending {
        self.answer_into(name, rtype, sink)
    }
}

impl<T: Answering> Answering for Arc<T> {
    fn answer(&self, name: NameRef<'_>, rtype: RecordType, sink: &mut impl Sink) -> Ending {
        T::answer(self, name, rtype, sink)
    }
}
