//! MP4 as a whole: streams go in, and what a player would find in the file must be what went in, at every instant of its life.

mod crashes;
mod front;
mod live;
mod player;
mod recording;
mod streams;
