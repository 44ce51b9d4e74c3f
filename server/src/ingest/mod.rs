//! From encoders to the hub: the gate that all protocols pass, and one module a protocol. No SQL and no files.

pub mod gate;
pub mod rtmp;
pub mod usher;
pub mod webhook;
pub mod whip;
