//! The configuration: one TOML file, under the environment, under the command line; every value knows where it comes
//! from. The layering is our own, over `toml`'s spans: the libraries that layer lose the line of a value, or have not been
//! released for years.

mod check;
mod options;
mod report;
pub(crate) mod secret_file;
mod settings;
mod tree;

use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::command::Failure;
use crate::key::DEMO_KEY;
use crate::memory;
use check::Shape;
pub(crate) use options::{Config, LogFormat};
pub(crate) use settings::{Key, Server, key, redis, service};
use tree::Node;
pub(crate) use tree::Origin;

/// The file that is read where none is named.
const DEFAULT_FILE: &str = "rasid.toml";
/// What variables that set options begin with.
const PREFIX: &str = "RASID_";
/// Variables with names of their own.
const NAMED: [(&str, &str); 2] = [("RASID_KEY", "pseudonyms.key"), ("RASID_KEY_FILE", "pseudonyms.key_file")];

// How the command line sets options. No doc comment: it would be the help of each command that this is flattened into.
#[derive(Default, clap::Args)]
pub(crate) struct Layers {
    /// Configuration file, TOML [default: rasid.toml, if it is there]
    #[arg(long, value_name = "FILE", env = "RASID_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
    /// Folder of rule files; sets rules.dir
    #[arg(long, value_name = "DIR")]
    rules: Option<String>,
    /// Data folder; sets data.dir
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// Address to listen at; sets server.listen
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    #[arg(
        long,
        value_name = "BYTES",
        value_parser = memory::bytes,
        help = "Bound on the state of all entities, in bytes or with KiB, MiB, GiB; sets engine.memory_bytes_max"
    )]
    memory: Option<u64>,
    /// Sets any option, as often as wanted: --set engine.threads=2; a list with commas: --set sources.jsonl.files=a,b
    #[arg(long = "set", value_name = "OPTION=VALUE")]
    set: Vec<String>,
}

/// Something wrong in the configuration.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    origin: Origin,
    option: String,
    message: String,
    help: Option<String>,
}

impl Fault {
    fn new(origin: &Origin, option: &str, message: impl Into<String>) -> Self {
        Self { origin: origin.clone(), option: option.to_owned(), message: message.into(), help: None }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("error: ")?;
        match &self.origin {
            Origin::File { file, line, column } => write!(f, "{file}:{line}:{column}: ")?,
            Origin::Default => {}
            origin => write!(f, "{origin}: ")?,
        }
        if !self.option.is_empty() {
            write!(f, "{}: ", self.option)?;
        }
        f.write_str(&self.message)?;
        self.help.as_ref().map_or(Ok(()), |help| write!(f, "\n  = help: {help}"))
    }
}

/// All faults as one text.
fn failure(faults: &[Fault]) -> Failure {
    let s = if faults.len() == 1 { "" } else { "s" };
    let mut lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
    lines.push(format!("{} fault{s} in the configuration", faults.len()));
    Failure::ConfigurationFaults(lines.join("\n"))
}

/// The configuration as it is in force.
pub(crate) struct Loaded {
    pub(crate) config: Config,
    tree: Node,
    shape: Shape,
    /// The file that was read.
    pub(crate) file: Option<String>,
}

impl Loaded {
    /// Every option: path, value (`None` where it is not set), origin. A secret's value is `[set]`.
    pub(crate) fn options(&self) -> Vec<(String, Option<Value>, &Origin)> {
        let leaves = self.tree.leaves().into_iter();
        leaves
            .map(|(path, value, origin)| {
                let value = match value {
                    Value::Null => None,
                    _ if self.shape.is_secret(&path) => Some(Value::from("[set]")),
                    value => Some(value.clone()),
                };
                (path, value, origin)
            })
            .collect()
    }

    fn origin(&self, option: &str) -> Origin {
        self.tree.get(option).map_or(Origin::Default, |node| node.origin().clone())
    }
}

/// The schema of the configuration file.
pub(crate) fn schema() -> Value {
    schemars::schema_for!(Config).into()
}

/// `sinks.redis.password`: `RASID_SINKS__REDIS__PASSWORD`.
fn environment_name(option: &str) -> String {
    match NAMED.iter().find(|(_, named)| *named == option) {
        Some((name, _)) => (*name).to_owned(),
        None => format!("{PREFIX}{}", option.replace('.', "__").to_uppercase()),
    }
}

impl Layers {
    /// The layers around a command that has no options for them: the file and the environment.
    pub(crate) fn surrounding() -> Self {
        Self { config: std::env::var_os("RASID_CONFIG").map(PathBuf::from), ..Self::default() }
    }

    /// A service that lives in one folder, with rules in `rules`, data in `data` and files of events that are followed in `events`, and
    /// that no file or variable around it changes.
    ///
    /// # Errors
    /// [`Failure`] with every fault: of the address.
    pub(crate) fn alone(folder: &Path, listen: &str) -> Result<Loaded, Failure> {
        let file = folder.join(DEFAULT_FILE);
        std::fs::write(&file, "").map_err(|error| Failure::Outside(Box::new(error)))?;
        let inside = |name: &str| folder.join(name).to_string_lossy().into_owned();
        let set = vec![format!("sources.jsonl.follow_dirs={}", inside("events"))];
        let (config, rules, data, listen) = (Some(file), Some(inside("rules")), Some(inside("data")), Some(listen.to_owned()));
        let layers = Self { config, rules, data, listen, set, ..Self::default() };
        layers.load_with(vec![("RASID_KEY".to_owned(), DEMO_KEY.to_owned())])
    }

    /// Reads and checks all layers.
    ///
    /// # Errors
    /// [`Failure`] with every fault.
    pub(crate) fn load(&self) -> Result<Loaded, Failure> {
        let variables = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        self.load_with(variables.collect())
    }

    fn load_with(&self, mut variables: Vec<(String, String)>) -> Result<Loaded, Failure> {
        variables.sort_unstable();
        let shape = Shape::new();
        let mut faults = Vec::new();
        let defaults = serde_json::to_value(Config::default()).map_err(|error| Failure::Outside(Box::new(error)))?;
        let mut tree = Node::from_defaults(defaults);
        let file = self.file();
        if let Some(file) = &file {
            match read_file(file) {
                Ok(node) => tree.overlay(node),
                Err(fault) => faults.push(fault),
            }
        }
        tree.overlay(environment(&variables, &shape));
        tree.overlay(self.flags(&shape, &mut faults));
        faults.extend(shape.check(&tree));
        if !faults.is_empty() {
            return Err(failure(&faults));
        }
        let config = serde_json::from_value(tree.to_json()).map_err(|error| Failure::Configuration(error.to_string()))?;
        let loaded = Loaded { config, tree, shape, file: file.map(|file| file.display().to_string()) };
        let faults = settings::check(&loaded);
        if faults.is_empty() { Ok(loaded) } else { Err(failure(&faults)) }
    }

    /// The file to read: the one that is named, or the usual one if it is there.
    fn file(&self) -> Option<PathBuf> {
        self.config.clone().or_else(|| Some(PathBuf::from(DEFAULT_FILE)).filter(|file| file.exists()))
    }

    fn flags(&self, shape: &Shape, faults: &mut Vec<Fault>) -> Node {
        let mut node = Node::empty();
        let named =
            [("--rules", "rules.dir", &self.rules), ("--data", "data.dir", &self.data), ("--listen", "server.listen", &self.listen)];
        for (name, option, value) in named {
            if let Some(value) = value {
                let path: Vec<&str> = option.split('.').collect();
                node.set(&path, Value::from(value.as_str()), &Origin::Flag { name: name.to_owned() });
            }
        }
        if let Some(bytes) = self.memory {
            node.set(&["engine", "memory_bytes_max"], Value::from(bytes), &Origin::Flag { name: "--memory".to_owned() });
        }
        for setting in &self.set {
            // The origin shows the option alone: the value may be what must not be shown.
            let option = setting.split('=').next().unwrap_or_default();
            let origin = Origin::Flag { name: format!("--set {option}") };
            match setting.split_once('=') {
                Some((option, text)) if !option.is_empty() => {
                    let path: Vec<&str> = option.split('.').collect();
                    node.set(&path, shape.read(&path, text), &origin);
                }
                _ => faults.push(Fault::new(&origin, "", "expected OPTION=VALUE, such as engine.threads=2")),
            }
        }
        node
    }
}

fn read_file(file: &Path) -> Result<Node, Fault> {
    let name = file.display().to_string();
    let origin = |line, column| Origin::File { file: name.clone(), line, column };
    let text = std::fs::read_to_string(file).map_err(|error| Fault::new(&origin(1, 1), "", format!("cannot read it: {error}")))?;
    Node::from_toml(&name, &text).map_err(|(message, span)| {
        let (line, column) = tree::position(&text, span.start);
        Fault::new(&origin(line, column), "", format!("no TOML: {}", message.split_whitespace().collect::<Vec<_>>().join(" ")))
    })
}

/// What the environment sets. Names with `__` are options, so that a misspelt one is found; others are not ours to judge.
fn environment(variables: &[(String, String)], shape: &Shape) -> Node {
    let mut node = Node::empty();
    for (name, text) in variables {
        let named = NAMED.iter().find(|(known, _)| known == name).map(|(_, option)| (*option).to_owned());
        let option = named.or_else(|| {
            let rest = name.strip_prefix(PREFIX).filter(|rest| rest.contains("__"))?;
            Some(rest.to_lowercase().replace("__", "."))
        });
        if let Some(option) = option {
            let path: Vec<&str> = option.split('.').collect();
            node.set(&path, shape.read(&path, text), &Origin::Environment { name: name.clone() });
        }
    }
    node
}

#[cfg(test)]
mod tests;
