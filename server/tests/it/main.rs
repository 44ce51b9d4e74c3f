//! Behaviour of the server as a whole: over a real database, real sockets and the real binary. One binary, so that it links once.

mod api;
mod assets;
mod cli;
mod counts;
mod database;
mod embed;
mod fixture;
mod gate;
mod in_step;
mod jobs;
mod kills;
mod library_pages;
mod listen;
mod live;
mod overview;
mod pictures;
mod playback;
mod reconnect;
mod recording;
mod retention;
mod rtmp;
mod sign_in;
mod stream_search;
mod vod;
mod watching;
mod webrtc;
