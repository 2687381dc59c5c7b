//! `rasid simulate`: a labelled synthetic marketplace as JSON Lines.

use rasid_simulate::{Config, Kind, Level, simulate};

use super::{Command, Failure, print_line};
use rasid_connectors::sink::RawLines;

/// A labelled synthetic marketplace: events and the campaigns hidden in them
#[derive(clap::Args)]
#[command(after_help = "Example:\n  rasid simulate --seed 7 --hours 24 --labels labels.jsonl > events.jsonl")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) world: World,
    /// Where events go, one JSON object a line; - is stdout
    #[arg(long, value_name = "FILE", default_value = "-")]
    events: String,
    /// Where labels go: the campaigns', and those of honest life that looks like them
    #[arg(long, value_name = "FILE")]
    labels: Option<String>,
    /// Broken records among them, of a million events
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    malformed: u32,
    /// Lists the campaigns, family by family, and simulates nothing
    #[arg(long)]
    list_scenarios: bool,
}

// Which marketplace is simulated. No doc comment, here as in all that is flattened: it would be the help of the command.
#[derive(clap::Args)]
pub(crate) struct World {
    /// Everything random comes from it: the same seed, the same marketplace
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// How long
    #[arg(long, value_name = "H", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=24 * 366))]
    pub(crate) hours: u32,
    /// Only these campaigns: their words, families or levels, or none; --list-scenarios shows them [default: all]
    #[arg(long, value_name = "WORD", value_delimiter = ',')]
    scenario: Vec<String>,
}

impl World {
    /// The simulator's configuration.
    pub(crate) fn config(&self) -> Result<Config, Failure> {
        let mut config = Config { seed: self.seed, hours: self.hours, ..Config::default() };
        let (mut kinds, mut levels): (Vec<Kind>, Vec<Level>) = (Vec::new(), Vec::new());
        for word in &self.scenario {
            match (word.as_str(), word.parse::<Kind>(), word.parse::<Level>()) {
                ("none", ..) => {}
                (_, Ok(kind), _) => kinds.push(kind),
                (_, _, Ok(level)) => levels.push(level),
                (_, Err(error), Err(_)) => {
                    let family: Vec<Kind> = Kind::all().into_iter().filter(|kind| kind.family() == word).collect();
                    if family.is_empty() {
                        return Err(Failure::Configuration(format!("--scenario: {error}, a family, a level, or none")));
                    }
                    kinds.extend(family);
                }
            }
        }
        // A family and one of its words, or a word twice, are one.
        let all = Kind::all();
        kinds = all.into_iter().filter(|kind| kinds.contains(kind)).collect();
        levels = Level::ALL.into_iter().filter(|level| levels.contains(level)).collect();
        if self.scenario.iter().any(|word| word == "none") {
            config.kinds = Vec::new();
        } else if !kinds.is_empty() {
            config.kinds = kinds;
        }
        if !levels.is_empty() {
            config.levels = levels;
        }
        Ok(config)
    }
}

impl Command for Args {
    fn run(&self) -> Result<(), Failure> {
        if self.list_scenarios {
            for kind in Kind::all() {
                print_line(&format!("{:<10} {:<26} {}", kind.family(), kind.word(), kind.doc()))?;
            }
            return Ok(());
        }
        let config = Config { malformed_per_million: self.malformed, ..self.world.config()? };
        let mut simulation = simulate(&config);
        let mut events = RawLines::create(&self.events)?;
        let mut labels = self.labels.as_deref().map(RawLines::create).transpose()?;
        for record in simulation.by_ref() {
            events.write(&record.line)?;
        }
        events.finish()?;
        if let Some(mut sink) = labels.take() {
            for label in simulation.labels() {
                sink.write(&label.to_json())?;
            }
            for label in simulation.look_alikes() {
                sink.write(&label.to_json())?;
            }
            sink.finish()?;
        }
        Ok(())
    }
}
