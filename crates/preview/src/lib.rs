//! Kubernetes objects as names see them, and what manifests come to without a cluster.
//!
//! Pure: the feed of a live directory and the preview of manifests make the same views here.

pub mod views;
