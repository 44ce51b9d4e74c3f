//! Live delivery: from the hub to viewers.

pub mod whep;
