//! `rasid archive`: the past as Parquet, and whether it is whole.

use std::path::PathBuf;

use super::{Command, Failure, OutputFormat};

/// The past as Parquet, for analysts and backtests, with nothing raw in it; and whether an archive is whole
#[derive(clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Examples:\n  rasid simulate --hours 720 | rasid archive - --out month\n  rasid archive /var/lib/rasid --out /srv/archive\n  \
    rasid backtest month --rules rules\n  rasid archive verify month\n\n\
    An archive is a folder: a part for each hour and family of event types, auth/2026-09-21T14.parquet,\n\
    and manifest.json, which names them all. People are named as in alerts: set RASID_KEY or\n\
    RASID_KEY_FILE to the secret of the service."
)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    /// Events, one JSON object a line, also .gz and .zst; - is stdin. Or the data folder of a service, alone
    #[arg(value_name = "EVENTS", required = true)]
    events: Vec<String>,
    /// Where the archive goes: a folder that has none
    #[arg(long, value_name = "FOLDER", required = true)]
    out: Option<PathBuf>,
    /// Threads that share the work; what is written is the same with any number
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
    /// When the records of files arrived, RFC 3339 [default: now]
    #[arg(long, value_name = "TIME", value_parser = super::instant)]
    now: Option<i64>,
    /// How the result is written
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    output: OutputFormat,
}

#[derive(clap::Subcommand)]
enum What {
    /// Go through an archive: hours that are missing, parts that are missing, cut off or changed, another secret, a newer version
    #[command(after_help = "Example:\n  rasid archive verify /srv/archive\n\nExit status: 0 all is whole, 1 something is wrong.")]
    Verify {
        /// The archive
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
        /// How the result is written
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        output: OutputFormat,
    },
}

impl Command for Args {
    #[cfg(not(feature = "archive"))]
    fn run(&self) -> Result<(), Failure> {
        Err(crate::archive::absent("archives are asked for, and"))
    }

    #[cfg(feature = "archive")]
    fn run(&self) -> Result<(), Failure> {
        match (&self.what, &self.out) {
            (Some(What::Verify { folder, output }), _) => built::verify(folder, *output),
            (None, Some(out)) => self.write(out),
            (None, None) => Err(Failure::Configuration("--out says where the archive goes".to_owned())),
        }
    }
}

#[cfg(feature = "archive")]
mod built {
    use std::path::Path;

    use rasid_archive::{Manifest, Options, Origin, Writer, verify as verified};
    use rasid_service::archive::Archiver;
    use rasid_service::recover::past::Said;
    use serde::Serialize;

    use super::Args;
    use crate::archive::is_archive;
    use crate::clock::now_ms;
    use crate::command::{Failure, OutputFormat, print_json, print_line};
    use crate::past::Past;

    /// What was written, for programs.
    #[derive(Serialize)]
    struct Summary<'a> {
        hours: usize,
        parts: u64,
        rows: u64,
        records: u64,
        bytes: u64,
        from: Option<&'a str>,
        to: Option<&'a str>,
    }

    impl<'a> Summary<'a> {
        fn of(manifest: &'a Manifest) -> Self {
            let name = |hour: &'a rasid_archive::Hour| hour.hour.as_str();
            Self {
                hours: manifest.hours.len(),
                parts: manifest.hours.iter().map(|hour| hour.parts.len() as u64).sum(),
                rows: manifest.rows(),
                records: manifest.hours.iter().map(|hour| hour.last + 1 - hour.first).sum(),
                bytes: manifest.bytes(),
                from: manifest.hours.first().map(name),
                to: manifest.hours.last().map(name),
            }
        }

        fn line(&self) -> String {
            let Self { hours, parts, rows, records, bytes, from, to } = self;
            let (from, to) = (from.unwrap_or("nothing"), to.unwrap_or("nothing"));
            #[expect(clippy::cast_precision_loss, reason = "for people")]
            let each = *bytes as f64 / (*rows).max(1) as f64;
            let beside = records - rows;
            let beside = if beside > 0 { format!(" ({beside} more were no events)") } else { String::new() };
            format!("{rows} rows{beside} in {parts} parts of {hours} hours, {from} to {to}; {bytes} bytes, {each:.1} a row")
        }
    }

    impl Args {
        pub(super) fn write(&self, out: &Path) -> Result<(), Failure> {
            if let Some(archive) = self.events.iter().find(|file| is_archive(Path::new(file.as_str()))) {
                return Err(Failure::Configuration(format!("{archive} is an archive already")));
            }
            let past = Past::open(&self.events, self.now.unwrap_or_else(now_ms), self.threads)?;
            let (current, known) = (past.pseudonymizer().clone(), past.pseudonymizers().to_vec());
            let origin = if past.is_log() { Origin::Log } else { Origin::Lines };
            let mut archiver: Option<Archiver> = None;
            let new = |from: u64| -> Result<Archiver, Failure> {
                let writer = Writer::create(out, &current, origin, from, Options::default())?;
                rasid_archive::begin(out)?;
                let made = Archiver::new(writer, &current, known.clone(), usize::from(self.threads));
                made.map_err(|error| Failure::Outside(Box::new(error)))
            };
            past.each(|said, at_ms| {
                let from = match said {
                    Said::Records(records) => records.first().map_or(1, |record| record.position),
                    Said::Control { position, .. } => *position,
                };
                let archiver = match &mut archiver {
                    Some(known) => known,
                    None => archiver.insert(new(from)?),
                };
                archiver.take(said, at_ms)?;
                Ok(true)
            })?;
            let archiver = archiver.map_or_else(|| new(1), Ok)?;
            let (manifest, _) = archiver.into_writer().finish()?;
            rasid_archive::end(out)?;
            show(&Summary::of(&manifest), self.output)
        }
    }

    fn show(summary: &Summary<'_>, output: OutputFormat) -> Result<(), Failure> {
        match output {
            OutputFormat::Json => print_json(summary),
            OutputFormat::Text => print_line(&summary.line()),
        }
    }

    /// What was found, for programs.
    #[derive(Serialize)]
    struct Found<'a> {
        #[serde(flatten)]
        summary: Option<Summary<'a>>,
        gaps: &'a [rasid_archive::Gap],
        faults: &'a [String],
    }

    pub(super) fn verify(folder: &Path, output: OutputFormat) -> Result<(), Failure> {
        let pseudonymizer = crate::key::of_service()?;
        let found = verified(folder, pseudonymizer.as_ref());
        let faults: Vec<String> = found.faults.iter().map(|fault| rasid_service::Chain(fault).to_string()).collect();
        let gaps = found.manifest.as_ref().map(|manifest| manifest.gaps.as_slice()).unwrap_or_default();
        let summary = found.manifest.as_ref().map(Summary::of);
        match output {
            OutputFormat::Json => print_json(&Found { summary, gaps, faults: &faults })?,
            OutputFormat::Text => {
                if let Some(summary) = summary {
                    print_line(&summary.line())?;
                }
                if let Some(retired) = found.manifest.as_ref().and_then(|manifest| manifest.retired.as_ref()) {
                    print_line(&format!("gone by age: {} hours with {} rows, up to {}", retired.hours, retired.rows, retired.hour))?;
                }
                for gap in gaps {
                    print_line(&format!(
                        "gap: positions {} to {}, which the log had retired before they were archived",
                        gap.first, gap.last
                    ))?;
                }
                for fault in &faults {
                    print_line(&format!("wrong: {fault}"))?;
                }
                if faults.is_empty() && pseudonymizer.is_none() {
                    print_line("not looked at: whose secret it is; set RASID_KEY or RASID_KEY_FILE")?;
                }
            }
        }
        if faults.is_empty() && gaps.is_empty() { Ok(()) } else { Err(Failure::Said(1)) }
    }
}
