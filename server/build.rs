//! Embeds the built site into the server: writes a table of the site folder's files for `src/http/ui/site.rs` to include.
//! Does not build the site; a server that is compiled before it has pages, but neither styles nor scripts.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?);
    println!("cargo::rerun-if-env-changed=AFTERLIVE_SITE");
    let site = match env::var_os("AFTERLIVE_SITE") {
        Some(site) => PathBuf::from(site),
        // OUT_DIR is {target}/{profile}/build/{package}/out; cargo names the target folder nowhere else.
        None => out_dir.ancestors().nth(4).ok_or_else(|| io::Error::other("OUT_DIR is not in a target folder"))?.join("site"),
    };
    // A path that does not exist would make cargo run this every time.
    fs::create_dir_all(&site)?;
    println!("cargo::rerun-if-changed={}", site.display());

    let mut files = Vec::new();
    collect(&site, &site, &mut files)?;
    files.sort();
    let rows: String = files.iter().map(|(name, path)| format!("    ({name:?}, include_bytes!({path:?})),\n")).collect();
    fs::write(out_dir.join("site.rs"), format!("&[\n{rows}]\n"))
}

/// Adds (path in the site with `/` between its parts, path on this machine) of each file below `folder`.
fn collect(site: &Path, folder: &Path, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(site, &path, files)?;
        } else if let Ok(relative) = path.strip_prefix(site) {
            let parts: Option<Vec<&str>> = relative.iter().map(|part| part.to_str()).collect();
            files.push((parts.ok_or_else(|| io::Error::other("a site file's name is not UTF-8"))?.join("/"), path));
        }
    }
    Ok(())
}
