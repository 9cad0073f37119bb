//! Plans that are right pass; each fault planted into one is found and named.

mod faults;
mod good;
mod live;
mod objects;
mod plans;
