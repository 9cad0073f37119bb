//! Who is here, and what every name answers.
//!
//! Objects come in trimmed ([`view`]) through the one [`Writer`], become pages, and pages become answers for
//! any number of [`Reader`]s. Nothing here does I/O, knows a clock or speaks to Kubernetes.

mod answer;
mod directory;
mod import_question;
mod label;
mod map;
mod name;
mod ordered;
mod page;
mod question;
mod reader;
mod reason;
mod record;
mod reverse;
#[cfg(feature = "script")]
pub mod script;
mod segment;
mod sink;
pub mod view;
mod writer;
mod zone;

pub use answer::{Answer, Negative};
pub use directory::new;
pub use label::dashed;
pub use name::{Name, NameError, NameParts, NameRef};
pub use reader::{Owner, Reader, Role};
pub use reason::Reason;
pub use record::{Rdata, RdataRef, Record, RecordType, RecordTypeError};
pub use sink::{Ending, Full, Owner as RecordOwner, Sink};
pub use writer::{Change, Writer};
pub use zone::{Cidr, NegativeTtl, PodMode, Ttl, ZoneConfig};
