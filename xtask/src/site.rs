//! `target/site`: everything the browser loads, as the server embeds it. Each part is made only when what it is made of has changed.

mod css;
mod wasm;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::files::{self, Fingerprint};

/// What `LEPTOS_OUTPUT_NAME` says: the browser asks for `pkg/NAME.js` and, since that variable is set when leptos is compiled,
/// for `pkg/NAME.wasm` (else it would be `NAME_bg.wasm`).
const NAME: &str = "afterlive";

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// As it ships: small, and compressed beside.
    Release,
    /// Quick to build after a change.
    Dev,
}

pub fn build(root: &Path, mode: Mode) -> anyhow::Result<()> {
    let module = wasm::compile(root, mode)?;
    let bindings = wasm::bind(root, mode, &module)?;

    let site = root.join("target/site");
    let mut fingerprint = Fingerprint::new()?;
    fingerprint.add(&[u8::from(mode == Mode::Dev)]);
    let player = root.join("player/src");
    for folder in [&bindings, &root.join("public"), &root.join("style"), &root.join("app/src"), &player] {
        let mut inputs = files::walk(folder)?;
        if folder.ends_with("app/src") {
            inputs.retain(|file| files::has_extension(file, &["css"]));
        }
        fingerprint.add_files(&inputs)?;
    }
    let vendored = vendored(root)?;
    fingerprint.add_files(&vendored.each_ref().map(|(from, _)| from.clone()))?;
    let made = files::make_folder(&site, &fingerprint.finish(), |new| {
        copy(&root.join("public"), new)?;
        files::write(&new.join(format!("pkg/{NAME}.css")), css::bundle(root)?)?;
        copy(&player, &new.join("pkg/player"))?;
        for (from, name) in &vendored {
            files::write(&new.join("pkg/player/vendor").join(name), files::read(from)?)?;
        }
        if mode == Mode::Release {
            compress(new)?;
        }
        // Compressed already, since it is by far the slowest part and seldom changes.
        copy(&bindings, &new.join("pkg"))
    })?;
    report(&site, made)
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    for file in files::walk(from)? {
        files::write(&to.join(file.strip_prefix(from)?), files::read(&file)?)?;
    }
    Ok(())
}

/// What the player fetches where a browser cannot do without: hls.js, under the Apache License 2.0, as npm laid it there.
fn vendored(root: &Path) -> anyhow::Result<[(PathBuf, &'static str); 2]> {
    let package = root.join("player/node_modules/hls.js");
    let files = [(package.join("dist/hls.light.min.mjs"), "hls.mjs"), (package.join("LICENSE"), "hls.LICENSE.txt")];
    if let Some((missing, _)) = files.iter().find(|(from, _)| !from.is_file()) {
        bail!("{} is missing: `npm --prefix player ci` fetches it, as `make build` does", missing.display());
    }
    Ok(files)
}

/// What gets smaller by compression. Not pictures and fonts: they are compressed already.
const COMPRESSIBLE: [&str; 10] = ["css", "html", "ico", "js", "json", "mjs", "svg", "txt", "wasm", "webmanifest"];

/// Lays a `.br` beside each file below `folder` that gets smaller by it.
fn compress(folder: &Path) -> anyhow::Result<()> {
    for file in files::walk(folder)? {
        if !files::has_extension(&file, &COMPRESSIBLE) {
            continue;
        }
        let plain = files::read(&file)?;
        let compressed = brotli(&plain)?;
        if compressed.len() < plain.len() {
            let mut name = file.into_os_string();
            name.push(".br");
            files::write(Path::new(&name), compressed)?;
        }
    }
    Ok(())
}

fn brotli(plain: &[u8]) -> anyhow::Result<Vec<u8>> {
    const BUFFER_BYTES: usize = 64 << 10;
    const QUALITY: u32 = 11;
    const WINDOW_BITS: u32 = 22;
    let mut writer = brotli::CompressorWriter::new(Vec::new(), BUFFER_BYTES, QUALITY, WINDOW_BITS);
    writer.write_all(plain)?;
    writer.flush()?;
    Ok(writer.into_inner())
}

fn report(site: &Path, made: bool) -> anyhow::Result<()> {
    let kib = |name: &str| Some(fs::metadata(site.join("pkg").join(name)).ok()?.len().div_ceil(1024));
    let wasm = format!("{NAME}.wasm");
    let plain_kib = kib(&wasm).context("the site has no WASM")?;
    let state = if made { "built" } else { "up to date" };
    match kib(&format!("{wasm}.br")) {
        Some(compressed_kib) => eprintln!("target/site is {state}: WASM {plain_kib} KiB, {compressed_kib} KiB compressed"),
        None => eprintln!("target/site is {state}: WASM {plain_kib} KiB"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_gets_smaller_is_compressed() {
        let scratch = tempfile::tempdir().unwrap();
        let text = "afterlive ".repeat(1000);
        files::write(&scratch.path().join("pkg/long.css"), &text).unwrap();
        files::write(&scratch.path().join("tiny.txt"), "a").unwrap();
        files::write(&scratch.path().join("picture.png"), &text).unwrap();
        compress(scratch.path()).unwrap();
        let name = |file: std::path::PathBuf| file.strip_prefix(scratch.path()).unwrap().display().to_string();
        let names: Vec<String> = files::walk(scratch.path()).unwrap().into_iter().map(name).collect();
        assert_eq!(names, ["picture.png", "pkg/long.css", "pkg/long.css.br", "tiny.txt"]);

        let compressed = files::read(&scratch.path().join("pkg/long.css.br")).unwrap();
        let mut plain = Vec::new();
        brotli::BrotliDecompress(&mut compressed.as_slice(), &mut plain).unwrap();
        assert_eq!(plain, text.as_bytes());
    }
}
