//! The `Range` header of HTTP: eight bytes of the file's size, then the header's value.

use crate::http_range::{Asked, asked};
use crate::script::Script;

pub(crate) fn run(data: &[u8]) {
    let mut script = Script::new(data);
    let size = script.u64();
    let value = String::from_utf8_lossy(script.rest());
    match asked(&value, size) {
        Asked::Part(part) => {
            assert!(part.start < part.end && part.end <= size, "{part:?} of {size}");
            // What is answered is what would be asked for by its name in the answer.
            let named = format!("bytes={}-{}", part.start, part.end - 1);
            assert_eq!(asked(&named, size), Asked::Part(part));
        }
        Asked::Unsatisfiable => assert!(value.contains('='), "{value} is no range"),
        Asked::Whole => {}
    }
}
