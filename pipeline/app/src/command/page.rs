//! `rasid page`: proves the way to the person on call.

use rasid_compiler::ruleset::Severity;
use rasid_detectors::event::time::format_rfc3339;
use rasid_service::operate::control::{PageShown, PageTestRequest, PageTested};

use super::{Command, Failure, OutputFormat, print_json, print_line};
use crate::config::Layers;
use crate::http::Client;

/// Prove that a page reaches the person on call
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Page the person on call, marked as a test, and say what Alertmanager makes of it
    #[command(after_help = "Examples:\n  rasid page test --reason \"first start\"\n  rasid page test --severity SEV0\n  \
        rasid page test --resolve\n\n\
        The running service posts the page `rasid_page_test`, and Alertmanager is asked whether it is active and whom it goes\n\
        to. Exit status 1 where it was not taken, is held back or goes to nobody. Then look at the phone: what lies behind\n\
        Alertmanager only the phone shows. The page ends by itself after ten minutes; docs/operations.md has the rest.")]
    Test {
        /// Its severity: routes go by it
        #[arg(long, value_enum, ignore_case = true, default_value = "SEV1")]
        severity: Sev,
        /// Take test pages back
        #[arg(long)]
        resolve: bool,
        /// Why, for the audit
        #[arg(long, value_name = "TEXT", default_value = "to see that a page arrives")]
        reason: String,
        #[command(flatten)]
        layers: Layers,
        /// How the result is written
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        output: OutputFormat,
    },
}

/// A severity on the command line.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Sev {
    #[value(name = "SEV0")]
    Sev0,
    #[value(name = "SEV1")]
    Sev1,
    #[value(name = "SEV2")]
    Sev2,
    #[value(name = "SEV3")]
    Sev3,
}

impl From<Sev> for Severity {
    fn from(severity: Sev) -> Self {
        match severity {
            Sev::Sev0 => Self::Sev0,
            Sev::Sev1 => Self::Sev1,
            Sev::Sev2 => Self::Sev2,
            Sev::Sev3 => Self::Sev3,
        }
    }
}

impl Command for Args {
    fn run(&self) -> Result<(), Failure> {
        let What::Test { severity, resolve, reason, layers, output } = &self.what;
        let why = super::reason(reason)?;
        let request = PageTestRequest { severity: (*severity).into(), resolve: *resolve, who: super::who(), why };
        let tested = Client::of(layers)?.ask(&request)?;
        match output {
            OutputFormat::Json => print_json(&tested)?,
            OutputFormat::Text => lines(&tested, *resolve).iter().try_for_each(|line| print_line(line))?,
        }
        let heard = tested.not_taken.is_none() && (*resolve || tested.shown.as_ref().is_some_and(PageShown::is_heard));
        if heard { Ok(()) } else { Err(Failure::Said(1)) }
    }
}

fn lines(tested: &PageTested, resolve: bool) -> Vec<String> {
    let PageTested { name, not_taken, shown } = tested;
    if let Some(error) = not_taken {
        return vec![format!("{name}: Alertmanager did not take it: {error}")];
    }
    let Some(shown) = shown else {
        return vec![if resolve { format!("{name} is taken back") } else { format!("{name}: Alertmanager took it and does not show it") }];
    };
    let PageShown { state, ends_ms, receivers, deaf, silenced_by, inhibited_by, muted_by } = shown;
    let mut lines = vec![format!("{name} is {state}, and ends by itself at {}", format_rfc3339(*ends_ms))];
    let who = |name: &String| if deaf.contains(name) { format!("{name} (tells nobody)") } else { name.clone() };
    let named: Vec<String> = receivers.iter().map(who).collect();
    lines.push(format!("  goes to       {}", if named.is_empty() { "nobody".to_owned() } else { named.join(", ") }));
    for (what, by) in [("silenced by", silenced_by), ("inhibited by", inhibited_by), ("muted by", muted_by)] {
        if !by.is_empty() {
            lines.push(format!("  {what:<12}  {}", by.join(", ")));
        }
    }
    lines.push(if shown.is_heard() {
        "  now look at the phone: it must ring, and say TEST, once the route's group_wait has passed".to_owned()
    } else {
        "  NOBODY IS TOLD: mend Alertmanager's configuration or end what holds it back, and test again".to_owned()
    });
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tested(shown: PageShown) -> PageTested {
        PageTested { name: "rasid_page_test".to_owned(), not_taken: None, shown: Some(shown) }
    }

    fn shown() -> PageShown {
        PageShown { state: "active".to_owned(), ends_ms: 600_000, receivers: vec!["pager".to_owned()], ..PageShown::default() }
    }

    #[test]
    fn what_holds_a_page_back_is_said() {
        let text = |tested: &PageTested| lines(tested, false).join("\n");
        let heard = text(&tested(shown()));
        assert!(heard.contains("is active, and ends by itself at 1970-01-01T00:10:00.000Z"), "{heard}");
        assert!(heard.contains("goes to       pager") && heard.contains("look at the phone"), "{heard}");
        let silenced = PageShown { state: "suppressed".to_owned(), silenced_by: vec!["5f1c".to_owned()], ..shown() };
        let nobody = PageShown { receivers: Vec::new(), ..shown() };
        let deaf = PageShown { deaf: vec!["pager".to_owned()], ..shown() };
        for (shown, part) in [(silenced, "silenced by   5f1c"), (nobody, "goes to       nobody"), (deaf, "pager (tells nobody)")] {
            assert!(!shown.is_heard());
            let said = text(&tested(shown));
            assert!(said.contains(part) && said.contains("NOBODY IS TOLD"), "{said}");
        }
        let refused = PageTested { not_taken: Some("400 no".to_owned()), ..PageTested::default() };
        assert!(text(&refused).contains("did not take it: 400 no"));
    }
}
