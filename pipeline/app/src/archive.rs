//! An archive as commands read it, in a build that can.

#[cfg(feature = "archive")]
pub(crate) use self::built::{Past, is_archive};
#[cfg(not(feature = "archive"))]
pub(crate) use self::not_built::{Past, is_archive};

#[cfg(feature = "archive")]
mod built {
    use std::path::Path;

    use rasid_archive::{Control, Error, Reader, Said, Stretch};
    use rasid_backtest::taken::Taken;
    use rasid_detectors::event::EventType;
    use rasid_engine::Pseudonymizer;

    use crate::command::{Failure, Progress, say};
    use crate::past::note_lost;

    pub(crate) use rasid_archive::is_archive;

    /// An archive on its way.
    pub(crate) struct Past(Reader);

    impl Past {
        /// The archive in `folder`.
        pub(crate) fn open(folder: &Path, pseudonymizer: &Pseudonymizer) -> Result<Self, Failure> {
            let reader = Reader::open(folder, pseudonymizer)?;
            let manifest = reader.manifest();
            if let Some(retired) = &manifest.retired {
                say(format_args!("note: this archive begins behind {}: {} hours before went by age", retired.hour, retired.hours));
            }
            for gap in &manifest.gaps {
                say(format_args!(
                    "note: positions {} to {} are not in this archive: the log had retired them before they were archived",
                    gap.first, gap.last
                ));
            }
            let names = pseudonymizer.names_fingerprint();
            if manifest.hours.iter().flat_map(|hour| &hour.names).any(|other| *other != names) {
                say(format_args!(
                    "note: in a part of this archive people are named under another secret of the service; what is given raw is not found there"
                ));
            }
            Ok(Self(reader))
        }

        /// Hands on all of it, in order.
        pub(crate) fn read(
            self,
            wanted: impl Fn(EventType) -> bool,
            mut take: impl FnMut(Taken<'_>),
            progress: &mut Progress,
        ) -> Result<(), Failure> {
            let mut reader = self.0.of_types(wanted);
            let (mut count, mut lost) = (0, 0);
            while let Some(stretch) = reader.stretch()? {
                match stretch {
                    Stretch::Events(events) => {
                        count += events.len() as u64;
                        take(Taken::Columns(&events));
                        progress.show(count);
                    }
                    Stretch::Said(Said { position, control }) => match control {
                        Control::Tick(at_ms) => take(Taken::Tick { position, at_ms }),
                        Control::Retract { rule, since_ms } => take(Taken::Retract { position, rule: &rule, since_ms }),
                        Control::Lost => lost += 1,
                        Control::Switch { .. } | Control::Feedback => {}
                    },
                }
            }
            note_lost(lost);
            let missing: Vec<&str> = reader.missing().collect();
            if !missing.is_empty() {
                say(format_args!(
                    "note: parts of this archive are of another version and have no columns {}: rules that read those fields see none there",
                    missing.join(", ")
                ));
            }
            if reader.unknown() > 0 {
                say(format_args!("note: {} rows of this archive are of types that this rasid does not know", reader.unknown()));
            }
            Ok(())
        }
    }

    impl From<Error> for Failure {
        fn from(error: Error) -> Self {
            match error {
                Error::Secret { .. } | Error::NoArchive { .. } | Error::Exists { .. } | Error::Resume { .. } => {
                    Self::Configuration(error.to_string())
                }
                error => Self::Outside(Box::new(error)),
            }
        }
    }
}

#[cfg(not(feature = "archive"))]
mod not_built {
    use std::path::Path;

    use rasid_backtest::taken::Taken;
    use rasid_detectors::event::EventType;
    use rasid_engine::Pseudonymizer;

    use crate::command::{Failure, Progress};

    /// Whether a folder is an archive.
    pub(crate) fn is_archive(folder: &Path) -> bool {
        folder.join("manifest.json").is_file()
    }

    /// There is none in this build.
    pub(crate) enum Past {}

    impl Past {
        /// Says what is missing.
        pub(crate) fn open(folder: &Path, _: &Pseudonymizer) -> Result<Self, Failure> {
            Err(super::absent(&format!("{} is an archive, and", folder.display())))
        }

        /// Never.
        pub(crate) fn read(self, _: impl Fn(EventType) -> bool, _: impl FnMut(Taken<'_>), _: &mut Progress) -> Result<(), Failure> {
            match self {}
        }
    }
}

/// What a build without archives says.
#[cfg(not(feature = "archive"))]
pub(crate) fn absent(what: &str) -> crate::command::Failure {
    crate::command::Failure::Configuration(format!("{what} this rasid was built without archives: build it with `--features archive`"))
}
