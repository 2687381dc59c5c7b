//! What happened, to be read when a seed fails and compared when it is run again.

const SHOWN: usize = 60;

/// Steps that a failure shows: `SIM_TRACE=100000` shows all of them.
fn shown() -> usize {
    std::env::var("SIM_TRACE").ok().and_then(|text| text.parse().ok()).unwrap_or(SHOWN)
}

pub(crate) struct Trace {
    seed: u64,
    steps: Vec<String>,
}

impl Trace {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, steps: Vec::new() }
    }

    pub(crate) fn note(&mut self, now_ms: i64, what: impl std::fmt::Display) {
        self.steps.push(format!("{:>9} {what}", now_ms - super::events::START_MS));
    }

    pub(crate) fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.steps)
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let skipped = self.steps.len().saturating_sub(shown());
            eprintln!("SIM_SEED={} failed; its last steps of {}:", self.seed, self.steps.len());
            self.steps.iter().skip(skipped).for_each(|step| eprintln!("  {step}"));
        }
    }
}
