//! Where answers come from.

use std::sync::Arc;

use directory::{Answer, Name, Reader, RecordType};

/// A source of answers for questions of class IN. Called for every query, on the thread that serves it: it
/// must neither wait nor do I/O.
pub trait Answering {
    /// What `name` answers for `rtype`, now.
    fn answer(&self, name: &Name, rtype: RecordType) -> Answer;
}

impl Answering for Reader {
    fn answer(&self, name: &Name, rtype: RecordType) -> Answer {
        Self::answer(self, name, rtype)
    }
}

impl<T: Answering + ?Sized> Answering for Arc<T> {
    fn answer(&self, name: &Name, rtype: RecordType) -> Answer {
        T::answer(self, name, rtype)
    }
}
