//! What a senior network engineer would say of Services, and why.
//!
//! Pure: manifests and what was observed in, findings and plans out.

pub mod design;
pub mod lint;
pub mod peers;
