//! A cluster: commands go to whoever has their key, wherever that is by now.
//!
//! The library's own client sends a pipeline to one node and follows a redirect by sending all of it again; here each
//! command of a pipeline is answered, and followed, by itself. Only `MOVED` and `ASK` are followed at once: all else
//! (a master that is away, `CLUSTERDOWN`, `TRYAGAIN`) is an error, and whoever called tries again later. That is harmless
//! and in order, because each command works on one key and a key holds its version.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use ::redis::{ConnectionInfo, Pipeline, RedisError, RedisResult, ServerErrorKind, Value, cmd};
use tokio::task::JoinSet;

use super::config::Config;
use super::connection::{Connected, Error, address, beside, connect, parse};
use super::link::{Answered, Keyed, answered};
use super::slots::{self, Slots, slot};
use super::{WITNESS, memory, random_token, scripts};

/// How often a command is sent on. A key moves once at a time; more means that the nodes do not agree.
const REDIRECTS_MAX: usize = 6;
/// Parts of all slots that have a witness each. A master that has twice this share in one piece has a witness.
const WITNESSES: u16 = 64;

/// The nodes of a cluster.
pub(super) struct Cluster {
    seeds: Vec<ConnectionInfo>,
    /// Open connections, by `host:port`.
    nodes: BTreeMap<String, Connected>,
    /// Empty where it has to be asked for.
    slots: Slots,
}

/// One command that is still to be answered.
struct Errand {
    /// Its place among the commands.
    index: usize,
    /// A node that has the key already, though it is not yet its owner: it wants to be asked for it.
    asking: Option<String>,
}

impl Cluster {
    pub(super) fn new(urls: &[String]) -> Result<Self, Error> {
        let seeds = urls.iter().map(|url| parse(url)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { seeds, nodes: BTreeMap::new(), slots: Slots::default() })
    }

    /// Runs the commands, those of one node in one round trip, and gives the answer of each.
    pub(super) async fn run(&mut self, config: &Config, commands: &[Keyed]) -> Result<Vec<Answered>, Error> {
        let mut answers: BTreeMap<usize, Answered> = BTreeMap::new();
        let mut open: Vec<Errand> = (0..commands.len()).map(|index| Errand { index, asking: None }).collect();
        for _ in 0..=REDIRECTS_MAX {
            if self.slots.is_empty() {
                self.survey(config).await?;
            }
            let mut by_node: BTreeMap<String, Vec<Errand>> = BTreeMap::new();
            for errand in open.drain(..) {
                let slot = commands.get(errand.index).map_or(0, |command| slot(&command.key));
                let node = errand.asking.as_deref().or_else(|| self.slots.owner(slot));
                let Some(node) = node.map(str::to_owned) else {
                    self.slots = Slots::default();
                    return Err(Error::Unowned { slot });
                };
                by_node.entry(node).or_default().push(errand);
            }
            for (from, index, answer) in self.round(config, commands, by_node).await? {
                match self.redirected(index, &from, &answer) {
                    Some(errand) => open.push(errand),
                    None => self.distrust(&from, &answer),
                }
                answers.insert(index, answer);
            }
            if open.is_empty() {
                break;
            }
        }
        Ok(answers.into_values().collect())
    }

    /// One round trip to each of the nodes, at once; who answered what.
    async fn round(
        &mut self,
        config: &Config,
        commands: &[Keyed],
        by_node: BTreeMap<String, Vec<Errand>>,
    ) -> Result<Vec<(String, usize, Answered)>, Error> {
        let mut under_way = JoinSet::new();
        let mut failed = None;
        for (node, errands) in by_node {
            let mut to = match self.connected(config, &node).await {
                Ok(connected) => connected.to.clone(),
                Err(error) => {
                    failed = Some(error);
                    continue;
                }
            };
            let mut pipeline = Pipeline::with_capacity(errands.len());
            let mut places = Vec::with_capacity(errands.len());
            for errand in errands {
                let Some(command) = commands.get(errand.index) else { continue };
                if errand.asking.is_some() {
                    pipeline.cmd("ASKING");
                    places.push(None);
                }
                pipeline.add_command(command.command.clone());
                places.push(Some(errand.index));
            }
            under_way.spawn(async move {
                let answers: RedisResult<Vec<Value>> = to.send_packed_commands(&pipeline, 0, pipeline.len()).await;
                (node, places, answers)
            });
        }
        let mut all = Vec::with_capacity(commands.len());
        while let Some(done) = under_way.join_next().await {
            let (node, places, answers) = done.expect("it does not panic and is not aborted");
            match answers {
                Ok(answers) => {
                    let of_commands = places.into_iter().zip(answers).filter_map(|(place, answer)| Some((place?, answer)));
                    all.extend(of_commands.map(|(index, answer)| (node.clone(), index, answered(answer))));
                }
                Err(error) => {
                    self.lost(&node);
                    failed = Some(Error::Command(error));
                }
            }
        }
        failed.map_or(Ok(all), Err)
    }

    /// The command once more, where it is to be sent on.
    fn redirected(&mut self, index: usize, from: &str, answer: &Answered) -> Option<Errand> {
        let Err(error) = answer else { return None };
        let kind = error.kind()?;
        let error = RedisError::from(error.clone());
        let (node, slot) = error.redirect_node()?;
        let (host, port) = slots::split(node)?;
        let node = slots::node(host, port, slots::split(from).map_or("", |(host, _)| host));
        if kind == ServerErrorKind::Moved {
            self.slots.moved(slot, node);
            Some(Errand { index, asking: None })
        } else {
            Some(Errand { index, asking: Some(node) })
        }
    }

    /// A node that says that it, or the cluster as it sees it, is out of order is not asked who has what.
    fn distrust(&mut self, node: &str, answer: &Answered) {
        let Err(error) = answer else { return };
        if let Some(ServerErrorKind::ClusterDown | ServerErrorKind::MasterDown | ServerErrorKind::ReadOnly | ServerErrorKind::BusyLoading) =
            error.kind()
        {
            self.lost(node);
        }
    }

    fn lost(&mut self, node: &str) {
        self.nodes.remove(node);
        self.slots = Slots::default();
    }

    async fn connected(&mut self, config: &Config, node: &str) -> Result<&Connected, Error> {
        if !self.nodes.contains_key(node) {
            let server = self.server(node);
            match connect(config, &server).await {
                Ok(connected) => {
                    self.nodes.insert(node.to_owned(), connected);
                }
                Err(error) => {
                    self.slots = Slots::default();
                    return Err(error);
                }
            }
        }
        Ok(self.nodes.get(node).expect("it is there or was put there"))
    }

    /// How a node is reached: as the first of those that are configured.
    fn server(&self, node: &str) -> ConnectionInfo {
        let (host, port) = slots::split(node).unwrap_or((node, 6379));
        let seed = self.seeds.first().expect("the configuration names a node");
        beside(seed, host, port)
    }

    /// Asks who has which slots, first those nodes that we are connected to.
    async fn survey(&mut self, config: &Config) -> Result<(), Error> {
        let seeds = self.seeds.iter().map(address).filter(|seed| !self.nodes.contains_key(seed));
        let candidates: Vec<String> = self.nodes.keys().cloned().chain(seeds).collect();
        let mut failed = Error::Unowned { slot: 0 };
        for node in candidates {
            match self.ask_for_slots(config, &node).await {
                Ok(slots) if !slots.is_empty() => {
                    let masters = slots.masters();
                    self.nodes.retain(|node, _| masters.contains(node));
                    self.slots = slots;
                    return Ok(());
                }
                Ok(_) => {}
                Err(error) => {
                    self.nodes.remove(&node);
                    failed = error;
                }
            }
        }
        Err(failed)
    }

    async fn ask_for_slots(&mut self, config: &Config, node: &str) -> Result<Slots, Error> {
        let mut to = self.connected(config, node).await?.to.clone();
        let map: Value = cmd("CLUSTER").arg("SLOTS").query_async(&mut to).await.map_err(Error::Command)?;
        let (host, _) = slots::split(node).unwrap_or((node, 0));
        let unreadable = || Error::Foreign { key: format!("CLUSTER SLOTS of {node}"), reason: "an unexpected answer".to_owned() };
        Slots::parse(&map, host).ok_or_else(unreadable)
    }

    /// Has every master know a script.
    pub(super) async fn load(&mut self, config: &Config, script: &::redis::Script) -> Result<(), Error> {
        if self.slots.is_empty() {
            self.survey(config).await?;
        }
        for node in self.slots.masters() {
            let mut to = self.connected(config, &node).await?.to.clone();
            script.load_async(&mut to).await.map_err(Error::Command)?;
        }
        Ok(())
    }

    /// What the masters do when their memory is full. Those that were not asked are, and with `anew` all.
    pub(super) async fn policies(&mut self, config: &Config, anew: bool) -> Result<BTreeSet<memory::Policy>, Error> {
        if self.slots.is_empty() {
            self.survey(config).await?;
        }
        let masters = self.slots.masters();
        for node in &masters {
            self.connected(config, node).await?;
            let asked = match self.nodes.get_mut(node) {
                Some(connected) => memory::ask(connected, anew).await,
                None => Ok(()),
            };
            if asked.is_err() {
                self.lost(node);
            }
            asked?;
        }
        Ok(memory::all(self.nodes.iter().filter(|(node, _)| masters.contains(*node)).map(|(_, connected)| connected)))
    }

    /// Changes when any part of the cluster may have lost what was written to it. A master that was restarted, or took over
    /// for another, is another run; of one that was flushed the witnesses are gone, and new ones are not the same.
    pub(super) async fn identity(&mut self, config: &Config) -> Result<String, Error> {
        self.survey(config).await?;
        let witnesses: Vec<Keyed> = witnesses()
            .iter()
            .map(|key| {
                let mut command = cmd("EVAL");
                command.arg(scripts::WITNESS).arg(1).arg(key).arg(random_token());
                Keyed { key: key.clone(), command }
            })
            .collect();
        let mut hasher = blake3::Hasher::new();
        for answer in self.run(config, &witnesses).await? {
            match answer {
                Ok(Value::BulkString(token)) => hasher.update(&token),
                Ok(_) => return Err(Error::Foreign { key: WITNESS.to_owned(), reason: "an unexpected answer".to_owned() }),
                Err(error) => return Err(Error::Command(error.into())),
            };
        }
        let mut runs = Vec::new();
        for node in self.slots.masters() {
            runs.push(self.connected(config, &node).await?.run_id.clone());
        }
        runs.sort_unstable();
        for run in &runs {
            hasher.update(run.as_bytes());
        }
        Ok(hasher.finalize().to_hex().to_string())
    }
}

/// A key in each part of the slots.
fn witnesses() -> &'static [String] {
    static KEYS: OnceLock<Vec<String>> = OnceLock::new();
    KEYS.get_or_init(|| {
        let mut keys: BTreeMap<u16, String> = BTreeMap::new();
        let mut numbers = 0_u32..;
        while keys.len() < usize::from(WITNESSES) {
            let key = format!("{WITNESS}{}", numbers.next().expect("they do not end"));
            keys.entry(slot(&key) / (16_384 / WITNESSES)).or_insert(key);
        }
        keys.into_values().collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_the_slots_has_a_witness() {
        let parts: Vec<u16> = witnesses().iter().map(|key| slot(key) / 256).collect();
        assert_eq!(parts, (0..64).collect::<Vec<_>>());
    }
}
