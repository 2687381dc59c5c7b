//! `cargo xtask test`: installs what the tests need and is not there, then runs every check; the first that fails is
//! the last.

use std::{env, fs};

use anyhow::Result;

use crate::{cel, fmt, pages, schema, step};

pub(crate) fn run() -> Result<()> {
    install()?;
    step::lint_what_is_built()?;
    // Long, and half of it on one core alone: it is over before the tests begin, some of which look at a clock.
    let counts = step::Beside::start("counts")?;
    fmt::run(true)?;
    let profile = if env::var_os("CI").is_some() { "ci" } else { "default" };
    step::run(
        "build the tests, linted",
        step::cargo(["nextest", "run", "--no-run", "--workspace", "--features", step::FEATURES, "--profile", profile]),
    )?;
    counts.wait()?;
    step::run("nextest", step::cargo(["nextest", "run", "--workspace", "--features", step::FEATURES, "--profile", profile]))?;
    step::run("doc tests", step::cargo(["test", "--doc", "--workspace", "--features", step::FEATURES, "--quiet"]))?;
    cel::run()?;
    schema::run(true)?;
    pages::run(true)
}

/// Programs that the tests start, and Debian's packages that bring them. The packages may start services of their own on
/// the usual ports; that is no matter, the tests use free ports and folders of their own.
const PROGRAMS: [(&str, &str); 10] = [
    ("python3", "python3"),
    ("pip3", "python3-pip"),
    ("redis-server", "redis-server"),
    ("prometheus-alertmanager", "prometheus-alertmanager"),
    ("promtool", "prometheus"),
    ("curl", "curl"),
    ("openssl", "openssl"),
    ("faketime", "faketime"),
    ("logrotate", "logrotate"),
    ("valgrind", "valgrind"),
];

fn install() -> Result<()> {
    let absent = |program: &str| {
        let mut command = step::command(program);
        command.arg("--version");
        !step::present(command)
    };
    let packages: Vec<&str> = PROGRAMS.iter().filter(|(program, _)| absent(program)).map(|(_, package)| *package).collect();
    if !packages.is_empty() {
        step::run("update the package lists", apt_get(&["update", "--quiet"]))?;
        let mut install = apt_get(&["install", "--quiet", "--yes", "--no-install-recommends"]);
        install.args(&packages);
        step::run(&format!("install {}", packages.join(", ")), install)?;
    }
    install_clients()?;
    if !step::present(step::cargo(["nextest", "--version"])) {
        step::run("install cargo-nextest", step::cargo(["install", "cargo-nextest", "--locked", "--quiet"]))?;
    }
    Ok(())
}

/// The HTTP clients of `fixtures/clients`, where Python's and Node's own installers put them: `target/clients`. Node's are left
/// out where there is no Node.
fn install_clients() -> Result<()> {
    let (from, to) = (step::root().join("fixtures/clients"), step::root().join("target/clients"));
    let node = to.join("node");
    fs::create_dir_all(&node)?;
    let pinned = fs::read(from.join("requirements.txt"))?;
    if fs::read(to.join("requirements.txt")).ok().as_ref() != Some(&pinned) {
        let mut pip = step::command("pip3");
        pip.args(["install", "--quiet", "--disable-pip-version-check", "--upgrade", "--target", "target/clients/python"]);
        pip.args(["--requirement", "fixtures/clients/requirements.txt"]);
        step::run("install Python's HTTP clients", pip)?;
        fs::write(to.join("requirements.txt"), pinned)?;
    }
    let mut npm = step::command("npm");
    npm.arg("--version");
    if !step::present(npm) {
        return Ok(());
    }
    let pinned = fs::read(from.join("package-lock.json"))?;
    if fs::read(to.join("package-lock.json")).ok().as_ref() != Some(&pinned) {
        for name in ["package.json", "package-lock.json"] {
            fs::copy(from.join(name), node.join(name))?;
        }
        let mut npm = step::command("npm");
        npm.args(["ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", "target/clients/node"]);
        step::run("install Node's HTTP clients", npm)?;
        fs::write(to.join("package-lock.json"), pinned)?;
    }
    Ok(())
}

/// apt-get, by sudo where there is one: a container's root has none and needs none.
fn apt_get(arguments: &[&str]) -> std::process::Command {
    let mut sudo = step::command("sudo");
    sudo.arg("--version");
    let mut command = if step::present(sudo) {
        let mut command = step::command("sudo");
        command.args(["--non-interactive", "apt-get"]);
        command
    } else {
        step::command("apt-get")
    };
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    command
}
