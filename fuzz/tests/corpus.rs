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

/// `libfuzzer/` is compiled by `scripts/fuzz` alone. There is nothing in it that could break unseen: each of its programs is this line, of a target
/// of ours.
#[test]
fn each_target_has_its_program_for_libfuzzer_and_that_is_one_line() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("libfuzzer");
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    for target in TARGETS {
        let program = format!("targets/{}.rs", target.name);
        let line = format!(
            "#![no_main]\n\nlibfuzzer_sys::fuzz_target!(|data: &[u8]| (afterlive_fuzz::{}.run)(data));\n",
            target.name.to_uppercase()
        );
        assert_eq!(fs::read_to_string(folder.join(&program)).unwrap(), line, "{program}");
        assert!(manifest.contains(&format!("name = \"{}\"\npath = \"{program}\"\n", target.name)), "{program}");
    }
    assert_eq!(fs::read_dir(folder.join("targets")).unwrap().count(), TARGETS.len());
}
