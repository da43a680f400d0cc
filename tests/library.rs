//! What the library promises to whoever depends on it.

use crate::support::{command, run};

/// What it is built from without its features, transitively.
fn dependencies(features: &str) -> Vec<String> {
    let mut cargo = command(env!("CARGO"));
    let asked = [
        "tree",
        "-e",
        "normal",
        "--prefix",
        "none",
        "-f",
        "{p}",
        "--offline",
        "--locked",
    ];
    cargo
        .args(asked)
        .args(["--no-default-features", "-F", features]);
    let tree = run(cargo.current_dir(env!("CARGO_MANIFEST_DIR"))).done();
    let names = tree.lines().into_iter();
    let names = names.filter_map(|line| line.split(' ').next());
    names.map(str::to_owned).collect()
}

#[test]
fn without_its_features_it_brings_what_asks_the_kernel_and_nothing_else() {
    let found = dependencies("");
    for brought in ["netlink-sys", "procfs", "rustix", "zerocopy"] {
        assert!(
            found.iter().any(|one| one == brought),
            "{brought}: {found:?}"
        );
    }
    let of_the_program = [
        "anstyle",
        "clap",
        "comfy-table",
        "crossterm",
        "dns-lookup",
        "itoa",
        "jiff",
        "serde_core",
        "serde_json",
        "signal-hook",
        "strsim",
        "unicode-width",
        "uzers",
    ];
    for kept in of_the_program {
        assert!(!found.iter().any(|one| one == kept), "{kept}: {found:?}");
    }
}

#[test]
fn each_feature_brings_its_own_crate() {
    for (feature, own, other) in [
        ("bpf", "jiff", "serde_json"),
        ("containers", "serde_json", "jiff"),
        ("serde", "serde_core", "serde_json"),
        ("cli", "clap", "serde"),
    ] {
        let found = dependencies(feature);
        let has = |name: &str| found.iter().any(|one| one == name);
        assert!(has(own) && !has(other), "{feature}: {found:?}");
    }
}
