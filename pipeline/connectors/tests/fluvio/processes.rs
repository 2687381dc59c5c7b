//! The processes of a cluster on this machine: killed, and started again as they were.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The folder of a cluster whose processes may be killed.
pub(crate) struct Processes {
    folder: PathBuf,
    binary: PathBuf,
    endpoint: String,
}

impl Processes {
    /// If `FLUVIO_RUN_DIR` names one; the program is `FLUVIO_RUN`, else the one that runs there now.
    pub(crate) fn given(endpoint: &str) -> Option<Self> {
        let folder = PathBuf::from(std::env::var_os("FLUVIO_RUN_DIR")?);
        let running = || fs::read_link(format!("/proc/{}/exe", pid(&folder, "sc").trim())).expect("the controller runs");
        let binary = std::env::var_os("FLUVIO_RUN").map_or_else(running, PathBuf::from);
        Some(Self { folder, binary, endpoint: endpoint.to_owned() })
    }

    /// The units' ids.
    pub(crate) fn units(&self) -> Vec<u32> {
        let names =
            fs::read_dir(&self.folder).expect("the cluster's folder").filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names.filter_map(|name| name.strip_prefix("spu-")?.strip_suffix(".conf")?.parse().ok()).collect()
    }

    /// `kill -9`: what is in its memory is gone.
    pub(crate) fn kill(&self, name: &str) {
        let pid = pid(&self.folder, name);
        let command = fs::read_to_string(format!("/proc/{}/cmdline", pid.trim())).unwrap_or_default();
        assert!(command.contains("fluvio-run"), "process {pid} is another one: {command:?}");
        let killed = Command::new("kill").args(["-9", pid.trim()]).status().expect("there is a kill");
        assert!(killed.success());
    }

    pub(crate) fn start_controller(&self) {
        let unit = *self.units().first().expect("a unit");
        let private = self.unit(unit).3;
        let metadata = self.folder.join("metadata").display().to_string();
        self.start("sc", &["sc", "--local", &metadata, "--bind-public", &self.endpoint, "--bind-private", &private]);
    }

    pub(crate) fn start_unit(&self, unit: u32) {
        let (id, public, private, controller) = self.unit(unit);
        let data = self.folder.join("data").display().to_string();
        let (public, private) = (format!("127.0.0.1:{public}"), format!("127.0.0.1:{private}"));
        let arguments = ["spu", "-i", &id, "-p", &public, "-v", &private, "--sc-addr", &controller, "--log-base-dir", &data];
        self.start(&format!("spu-{unit}"), &arguments);
    }

    fn unit(&self, unit: u32) -> (String, String, String, String) {
        let text = fs::read_to_string(self.folder.join(format!("spu-{unit}.conf"))).expect("the unit's configuration");
        let mut words = text.split_whitespace().map(str::to_owned);
        let mut word = || words.next().expect("ID PUBLIC_PORT PRIVATE_PORT SC_PRIVATE_ADDRESS");
        (word(), word(), word(), word())
    }

    #[expect(clippy::zombie_processes, reason = "it outlives the test, as the one that it replaces did")]
    fn start(&self, name: &str, arguments: &[&str]) {
        let log = log(&self.folder.join("log").join(format!("{name}.log")));
        let child = Command::new(&self.binary)
            .args(arguments)
            .env("RUST_LOG", "warn")
            .env("FLUVIO_METRIC_SPU", self.folder.join(format!("{name}.sock")))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("another handle"))
            .stderr(log)
            .spawn()
            .expect("it starts");
        fs::write(self.folder.join(format!("{name}.pid")), child.id().to_string()).expect("written");
    }
}

fn pid(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(format!("{name}.pid"))).expect("the process id")
}

fn log(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).expect("its log")
}
