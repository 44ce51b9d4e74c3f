//! The one form in which the API answers.

use std::io::{self, Write};

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::doc::LINES;
use crate::http::error::internal;
use crate::http::unsent::in_memory;

/// A body in JSON. What the API says holds for the moment and for the caller: nobody keeps it.
#[derive(Debug)]
pub struct Json<T>(pub T);

/// A body of many objects in JSON, one a line.
#[derive(Debug)]
pub struct Lines<I>(pub I);

/// Whether something is so.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(example = json!({ "success": true }))]
pub struct Verdict {
    pub success: bool,
}

impl<I: Iterator<Item: Serialize>> IntoResponse for Lines<I> {
    fn into_response(self) -> Response {
        let headers = [(CONTENT_TYPE, LINES), (CACHE_CONTROL, "no-store"), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
        let mut text = Pieces::default();
        for line in self.0 {
            if let Err(cause) = serde_json::to_writer(&mut text, &line) {
                return internal(cause);
            }
            text.0.push(b'\n');
        }
        in_memory((headers, text.0).into_response())
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        let headers =
            [(CONTENT_TYPE, "application/json; charset=utf-8"), (CACHE_CONTROL, "no-store"), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
        let mut text = Pieces::default();
        match serde_json::to_writer(&mut text, &self.0) {
            Ok(()) => in_memory((headers, text.0).into_response()),
            Err(cause) => internal(cause),
        }
    }
}

/// What is written in pieces, most of which are one byte, a quote or a comma: 40,000 of them in a list of 50 streams. To a `Vec` each is a copy of a slice, by two
/// calls.
#[derive(Default)]
struct Pieces(Vec<u8>);

impl Write for Pieces {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.write_all(piece)?;
        Ok(piece.len())
    }

    #[inline]
    fn write_all(&mut self, piece: &[u8]) -> io::Result<()> {
        match piece {
            [byte] => self.0.push(*byte),
            piece => self.0.extend_from_slice(piece),
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
