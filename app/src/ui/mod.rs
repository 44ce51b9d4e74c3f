//! What pages are built of: components over native elements, each with its CSS beside it. None of them calls the server except to answer a form.

pub mod confirm;
pub mod copy;
pub mod encoder;
pub mod facts;
pub mod header;
pub mod icon;
pub mod ingest;
pub mod live_facts;
pub mod notice;
pub mod overview;
pub mod pager;
pub mod player;
pub mod playout;
pub mod problem;
pub mod recording_row;
pub mod recordings;
pub mod rows;
pub mod scrubber;
pub mod snippets;
pub mod sparkline;
pub mod state_pill;
pub mod stream_table;
pub mod when;
