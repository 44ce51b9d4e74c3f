//! Dependencies: their licences, those that are banned, and where they come from, by the rules of `deny.toml`.
//! Knows the keys of that file that are used; advisories are left to cargo-deny.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use serde::Deserialize;

use super::spdx;
use crate::files;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    licenses: Licences,
    bans: Bans,
    #[serde(rename = "sources")]
    _sources: Sources,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Licences {
    allow: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Bans {
    deny: Vec<Ban>,
    #[serde(rename = "wildcards")]
    _wildcards: Deny,
    /// Ours depend on each other by path, without a version.
    allow_wildcard_paths: bool,
    /// More than one version of a crate costs compile time, not correctness: not looked at.
    #[serde(rename = "multiple-versions")]
    _multiple_versions: Allow,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Sources {
    #[serde(rename = "unknown-registry")]
    _unknown_registry: Deny,
    #[serde(rename = "unknown-git")]
    _unknown_git: Deny,
}

/// The only value that this check can enforce at such a key.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Deny {
    Deny,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Allow {
    Allow,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    /// `None` for what lies in the repository.
    source: Option<String>,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    req: String,
    path: Option<String>,
}

pub fn check(root: &Path) -> anyhow::Result<Vec<String>> {
    let rules = toml::from_str(&files::read_text(&root.join("deny.toml"))?).context("deny.toml")?;
    // Locked: what is checked is what is built, and a lock file that does not fit the manifests is a finding too.
    let output = Command::new("cargo")
        .current_dir(root)
        .args(["metadata", "--format-version", "1", "--locked"])
        .stderr(Stdio::inherit())
        .output()
        .context("cargo")?;
    if !output.status.success() {
        bail!("cargo metadata: {}", output.status);
    }
    Ok(problems(&serde_json::from_slice(&output.stdout)?, &rules))
}

fn problems(metadata: &Metadata, rules: &Rules) -> Vec<String> {
    let mut problems = Vec::new();
    for package in &metadata.packages {
        let mut report = |problem: String| problems.push(format!("{} {}: {problem}", package.name, package.version));
        match package.license.as_deref() {
            None => report("names no licence".into()),
            Some(expression) => match spdx::satisfied(expression, &rules.licenses.allow) {
                Some(true) => {}
                Some(false) => report(format!("its licence is not among the allowed: {expression}")),
                None => report(format!("its licence is no SPDX expression: {expression}")),
            },
        }
        if let Some(ban) = rules.bans.deny.iter().find(|ban| ban.name == package.name) {
            report(format!("is banned: {}", ban.reason));
        }
        match &package.source {
            None => {
                let exempt = |dependency: &Dependency| rules.bans.allow_wildcard_paths && dependency.path.is_some();
                let wildcards = package.dependencies.iter().filter(|dependency| dependency.req == "*" && !exempt(dependency));
                wildcards.for_each(|dependency| report(format!("depends on any version of {}", dependency.name)));
            }
            Some(source) if source.starts_with("registry+") && source.ends_with("/crates.io-index") => {}
            Some(source) => report(format!("comes from {source}")),
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        let text = r#"
            licenses = { allow = ["MIT"] }
            bans = { deny = [{ crate = "openssl", reason = "rustls" }], wildcards = "deny", allow-wildcard-paths = true, multiple-versions = "allow" }
            sources = { unknown-registry = "deny", unknown-git = "deny" }
        "#;
        toml::from_str(text).unwrap()
    }

    fn problems_of(package: serde_json::Value) -> Vec<String> {
        problems(&serde_json::from_value(serde_json::json!({ "packages": [package] })).unwrap(), &rules())
    }

    const REGISTRY: &str = "registry+https://index.test/crates.io-index";

    #[test]
    fn a_crate_of_the_registry_under_an_allowed_licence_is_fine() {
        let package =
            serde_json::json!({ "name": "a", "version": "1.0.0", "license": "MIT", "source": REGISTRY, "dependencies": [] });
        assert!(problems_of(package).is_empty());
    }

    #[test]
    fn licence_ban_and_source_are_each_reported() {
        let package = serde_json::json!({ "name": "openssl", "version": "1.0.0", "license": "GPL-3.0", "source": "git+https://a.test/b", "dependencies": [] });
        let problems = problems_of(package);
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(problems.iter().all(|problem| problem.starts_with("openssl 1.0.0: ")));
    }

    #[test]
    fn any_version_will_do_only_for_a_crate_of_our_own() {
        let package = |path: Option<&str>| {
            let dependency = serde_json::json!({ "name": "b", "req": "*", "path": path });
            serde_json::json!({ "name": "a", "version": "1.0.0", "license": "MIT", "source": null, "dependencies": [dependency] })
        };
        assert_eq!(problems_of(package(None)), ["a 1.0.0: depends on any version of b"]);
        assert!(problems_of(package(Some("b"))).is_empty());
    }

    #[test]
    fn a_rule_that_this_check_does_not_know_is_an_error() {
        assert!(toml::from_str::<Rules>("[licenses]\nallow = []\nprivate = true").is_err());
    }
}
