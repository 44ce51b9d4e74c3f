//! What fuzzers have found worth keeping, run once more without one.

use std::fs;
use std::path::Path;

use afterlive_fuzz::TARGETS;

#[test]
fn everything_in_the_corpus_is_taken_as_it_must_be() {
    for target in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name);
        let mut replayed = 0;
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            let data = fs::read(&path).unwrap();
            let outcome = std::panic::catch_unwind(|| (target.run)(&data));
            assert!(outcome.is_ok(), "{} fails: {}", target.name, path.display());
            replayed += 1;
        }
        assert!(replayed > 10, "{} has a corpus of {replayed} files", target.name);
    }
}
