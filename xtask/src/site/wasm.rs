//! The browser's code: compiled, given its JavaScript bindings, made small. Which compiler there is, `scripts/wasm-toolchain` knows.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use wasm_bindgen_cli_support::Bindgen;

use super::{Mode, NAME, compress};
use crate::files::{self, Fingerprint};

const TARGET: &str = "wasm32-unknown-unknown";
const PACKAGE: &str = "afterlive-app";

/// Compiles the app and returns the module's path. Cargo decides whether there is anything to do.
pub fn compile(root: &Path, mode: Mode) -> anyhow::Result<PathBuf> {
    // A target folder of its own: this compiler may be another one than the server's, and each would throw away what the other built.
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |folder| root.join(folder)).join("wasm");
    // For development the common profile: it compiles in steps, where the small one optimises the whole program each time.
    let profile = if mode == Mode::Release { "wasm-release" } else { "release" };
    let toolchain = Toolchain::find(root)?;
    let mut cargo = Command::new(&toolchain.cargo);
    cargo
        .current_dir(root)
        .env("RUSTC", &toolchain.rustc)
        // Both are of the toolchain that runs us, and would be taken for this one's.
        .env_remove("CARGO")
        .env_remove("RUSTDOC")
        .args(["build", "--package", PACKAGE, "--lib", "--no-default-features", "--features", "hydrate"])
        .args(["--target", TARGET, "--profile", profile])
        .arg("--target-dir")
        .arg(&target);
    succeed(&mut cargo)?;
    Ok(target.join(TARGET).join(profile).join(PACKAGE.replace('-', "_")).with_extension("wasm"))
}

/// Makes the folder with `NAME.js`, `NAME.wasm` and what they import; returns its path.
pub fn bind(root: &Path, mode: Mode, module: &Path) -> anyhow::Result<PathBuf> {
    let bindings = root.join("target").join(if mode == Mode::Release { "site-wasm" } else { "site-wasm-dev" });
    let mut fingerprint = Fingerprint::new()?;
    fingerprint.add(&files::read(module)?);
    files::make_folder(&bindings, &fingerprint.finish(), |new| {
        Bindgen::new()
            .input_path(module)
            .out_name(NAME)
            .web(true)?
            .typescript(false)
            .remove_name_section(mode == Mode::Release)
            .remove_producers_section(true)
            // Leptos says where the module is.
            .omit_default_module_path(true)
            .generate(new)?;
        let bound = new.join(format!("{NAME}_bg.wasm"));
        let finished = new.join(format!("{NAME}.wasm"));
        match mode {
            Mode::Release => {
                optimise(&bound, &finished)?;
                fs::remove_file(&bound)?;
                compress(new)
            }
            Mode::Dev => Ok(fs::rename(&bound, &finished)?),
        }
    })?;
    Ok(bindings)
}

/// A new `rustc` emits instructions that an old `wasm-opt` has switched off until asked: these are the ones all browsers have had for years.
const WASM_FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

fn optimise(input: &Path, output: &Path) -> anyhow::Result<()> {
    let program = std::env::var_os("WASM_OPT").unwrap_or_else(|| "wasm-opt".into());
    let mut wasm_opt = Command::new(program);
    wasm_opt.arg("-Oz").args(WASM_FEATURES).args(["--strip-debug", "--strip-producers"]).arg(input).arg("-o").arg(output);
    succeed(&mut wasm_opt).context("wasm-opt is part of the package binaryen")?;
    if let Some(mended) = with_externrefs_exported(&files::read(output)?)? {
        files::write(output, mended)?;
    }
    Ok(())
}

/// The table in which JavaScript objects stand for WASM.
const EXTERNREFS: &str = "__wbindgen_externrefs";

/// `wasm-opt` 108, which is Debian 12's, writes each export of a table as one of table 0. Returns the module with that put right;
/// `None` where it is right.
fn with_externrefs_exported(module: &[u8]) -> anyhow::Result<Option<Vec<u8>>> {
    let mut module = walrus::Module::from_buffer(module)?;
    let Some(export) = module.exports.iter().find(|export| export.name == EXTERNREFS) else { return Ok(None) };
    let (export, exported) = (export.id(), export.item);
    let externref = module.tables.iter().filter(|table| table.element_ty == walrus::RefType::EXTERNREF).map(walrus::Table::id);
    let [table] = externref.collect::<Vec<_>>()[..] else { bail!("not exactly one table of JavaScript objects") };
    if matches!(exported, walrus::ExportItem::Table(exported) if exported == table) {
        return Ok(None);
    }
    module.exports.get_mut(export).item = walrus::ExportItem::Table(table);
    Ok(Some(module.emit_wasm()))
}

struct Toolchain {
    cargo: OsString,
    rustc: OsString,
}

impl Toolchain {
    fn find(root: &Path) -> anyhow::Result<Self> {
        let script = root.join("scripts/wasm-toolchain");
        let output = Command::new(&script).stderr(Stdio::inherit()).output().with_context(|| script.display().to_string())?;
        if !output.status.success() {
            bail!("there is no compiler for the browser's code");
        }
        let output = String::from_utf8(output.stdout)?;
        let value = |key: &str| {
            let line = output.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            line.map(OsString::from).with_context(|| format!("{} did not say {key}", script.display()))
        };
        Ok(Self { cargo: value("CARGO")?, rustc: value("RUSTC")? })
    }
}

fn succeed(command: &mut Command) -> anyhow::Result<()> {
    let name = command.get_program().display().to_string();
    let status = command.status().with_context(|| name.clone())?;
    if !status.success() {
        bail!("{name}: {status}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table of functions and one of JavaScript objects, of which the one numbered `exported` is exported by the name of the latter.
    fn module(exported: u8) -> Vec<u8> {
        let mut module = b"\0asm\x01\0\0\0".to_vec();
        let (section_table, section_export, funcref, externref, kind_table) = (4, 7, 0x70, 0x6f, 1);
        module.extend([section_table, 7, 2, funcref, 0, 1, externref, 0, 1]);
        let name_len = u8::try_from(EXTERNREFS.len()).unwrap();
        module.extend([section_export, name_len + 4, 1, name_len]);
        module.extend(EXTERNREFS.as_bytes());
        module.extend([kind_table, exported]);
        module
    }

    #[test]
    fn the_table_of_javascript_objects_is_the_one_exported() {
        assert_eq!(with_externrefs_exported(&module(1)).unwrap(), None);
        let mended = with_externrefs_exported(&module(0)).unwrap().unwrap();
        assert_eq!(with_externrefs_exported(&mended).unwrap(), None);
    }

    #[test]
    fn a_module_without_such_a_table_is_left_alone() {
        assert_eq!(with_externrefs_exported(b"\0asm\x01\0\0\0").unwrap(), None);
    }
}
