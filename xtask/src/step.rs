//! One command at a time, with its name before and its duration after.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

/// A step that ran and failed. The task ends with its exit code.
#[derive(Debug)]
pub(crate) struct Failed {
    step: String,
    /// The command's exit code; 1 where a signal ended it.
    pub(crate) code: u8,
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` failed with exit code {}", self.step, self.code)
    }
}

impl std::error::Error for Failed {}

impl Failed {
    pub(crate) fn new(step: &str, code: u8) -> Self {
        Self { step: step.to_owned(), code }
    }
}

/// What the tests are built with that a newcomer's build has not.
pub(crate) const FEATURES: &str = "rasid/archive";

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map(PathBuf::from).unwrap_or(here)
}

/// A command that runs in the repository's root.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// Clippy's compiler, where our own crates are linted as they are built.
static LINTER: OnceLock<PathBuf> = OnceLock::new();

/// The cargo that runs this task.
pub(crate) fn cargo<const N: usize>(arguments: [&str; N]) -> Command {
    let mut cargo = command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(arguments);
    if let Some(linter) = LINTER.get() {
        // As `cargo clippy -- -D warnings` asks it.
        cargo.env("RUSTC_WORKSPACE_WRAPPER", linter).env("CLIPPY_ARGS", "-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__");
    }
    cargo
}

/// From now on Clippy's compiler compiles our own crates, and a warning fails the build. It compiles as rustc does and as fast as
/// code that runs, so nothing is gone through twice: `cargo clippy` would look at every dependency once more, six minutes of it.
pub(crate) fn lint_what_is_built() -> Result<()> {
    let mut rustc = command(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--print", "sysroot"]);
    let sysroot = String::from_utf8(output("rustc --print sysroot", rustc)?).context("the sysroot")?;
    let linter = PathBuf::from(sysroot.trim()).join("bin/clippy-driver");
    ensure!(linter.exists(), "there is no {}: `rustup component add clippy` brings it", linter.display());
    drop(LINTER.set(linter)); // once is enough
    Ok(())
}

/// The `rasid` that the tests run, built if it is not there: with a test, so that it is built with their features and what it
/// depends on is not built a second time with others.
pub(crate) fn rasid<const N: usize>(arguments: [&str; N]) -> Result<Command> {
    output("build rasid", cargo(["build", "--quiet", "--workspace", "--features", FEATURES, "--bin", "rasid", "--test", "cli"]))?;
    let mut rasid = command(target()?.join("debug/rasid"));
    rasid.args(arguments);
    Ok(rasid)
}

/// Cargo's target folder.
pub(crate) fn target() -> Result<PathBuf> {
    let metadata = output("cargo metadata", cargo(["metadata", "--format-version", "1", "--no-deps", "--quiet"]))?;
    let metadata: serde_json::Value = serde_json::from_slice(&metadata).context("cargo metadata")?;
    metadata
        .get("target_directory")
        .and_then(serde_json::Value::as_str)
        .map(PathBuf::from)
        .context("cargo metadata names no target_directory")
}

/// Runs a command as the step `name`.
pub(crate) fn run(name: &str, mut command: Command) -> Result<()> {
    timed(name, || {
        let status = command.status().with_context(|| format!("cannot start {}", command.get_program().display()))?;
        check(name, status)
    })
}

/// Runs work as the step `name`.
#[expect(clippy::disallowed_methods, reason = "a stopwatch for the person who waits; nothing is decided by it")]
pub(crate) fn timed<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    eprintln!("── {name}");
    let started = std::time::Instant::now();
    let result = work()?;
    eprintln!("── {name}: ok in {}", seconds(started.elapsed()));
    Ok(result)
}

/// What a command writes to standard output; what it says on standard error is shown.
pub(crate) fn output(name: &str, mut command: Command) -> Result<Vec<u8>> {
    let output = command.stderr(Stdio::inherit()).output().with_context(|| format!("cannot start {}", command.get_program().display()))?;
    check(name, output.status)?;
    Ok(output.stdout)
}

/// An error unless the command succeeded.
pub(crate) fn check(name: &str, status: ExitStatus) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Err(Failed::new(name, code).into())
}

/// A task of this program beside the others, whose words are kept until it is waited for: what leaves a core idle, such as a crate that is
/// compiled in one unit. Stopped where nobody waits for it any more.
pub(crate) struct Beside {
    name: &'static str,
    child: Child,
    said: PathBuf,
}

impl Beside {
    /// Starts it.
    pub(crate) fn start(name: &'static str) -> Result<Self> {
        let said = root().join(format!("target/{name}.log"));
        std::fs::create_dir_all(root().join("target"))?;
        let file = File::create(&said).with_context(|| format!("cannot write {}", said.display()))?;
        let mut task = command(std::env::current_exe()?);
        task.arg(name).stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).process_group(0);
        let child = task.spawn().with_context(|| format!("cannot start {name} beside the rest"))?;
        Ok(Self { name, child, said })
    }

    /// Waits for its end, and shows what it said.
    pub(crate) fn wait(mut self) -> Result<()> {
        let status = self.child.wait()?;
        eprint!("{}", std::fs::read_to_string(&self.said).with_context(|| format!("cannot read {}", self.said.display()))?);
        check(self.name, status)
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            // With all that it has started. Where that fails it ends by itself, some minutes later.
            drop(Command::new("kill").args(["--", &format!("-{}", self.child.id())]).status());
            drop(self.child.wait());
        }
    }
}

/// Whether a program is there and answers `--version`.
pub(crate) fn present(mut version: Command) -> bool {
    version.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
