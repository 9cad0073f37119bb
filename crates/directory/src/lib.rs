//! Who is here, and what every name answers.
//!
//! Objects come in trimmed ([`view`]) through the one [`Writer`], become pages, and pages become answers for
//! any number of [`Reader`]s. Nothing here does I/O, knows a clock or speaks to Kubernetes.

pub mod answer;
pub mod directory;
pub mod name;
pub mod reason;
pub mod record;
pub mod view;
pub mod zone;

pub use answer::{Answer, Negative};
pub use directory::{Change, Reader, Writer, new};
pub use name::{Name, NameError};
pub use reason::Reason;
pub use record::{Rdata, Record, RecordType};
pub use zone::{Cidr, NegativeTtl, PodMode, Ttl, ZoneConfig};
