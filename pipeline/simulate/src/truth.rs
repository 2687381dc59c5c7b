//! Whether an alert is right: held against the labels of what was played.

use std::collections::HashMap;

use crate::clock::DAY;
use crate::label::{Campaign, Label, LookAlike};

/// Which stories an identifier belongs to.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    campaigns_of: HashMap<String, Vec<usize>>,
    look_alike_of: HashMap<String, &'static str>,
    /// By campaign, Unix ms.
    windows: Vec<(i64, i64)>,
}

/// What an alert is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// These campaigns, by their places among the labels: its event is one of theirs, or it names somebody of them while they
    /// go on or within a day after.
    Campaigns(Vec<usize>),
    /// Honest people; which look-alike, where it is one.
    Honest {
        /// Its word.
        look_alike: Option<&'static str>,
    },
}

impl Truth {
    /// What the labels say; `leave` is how an identifier of a kind is named in alerts.
    pub fn new(campaigns: &[Campaign], look_alikes: &[LookAlike], leave: impl Fn(&str, &str) -> String) -> Self {
        let names = |label: &Label| {
            let entities = std::iter::once(&label.entity).chain(&label.also).filter_map(|entity| entity.split_once(':'));
            // Everybody is in every story: an alert about all is right by its event alone.
            let entities = entities.filter(|(kind, _)| *kind != "all");
            let named = entities.map(|(kind, id)| format!("{kind}:{}", leave(kind, id)));
            named.chain(label.event_ids.iter().cloned()).collect::<Vec<String>>()
        };
        let mut truth = Self::default();
        for (number, campaign) in campaigns.iter().enumerate() {
            truth.windows.push((campaign.label.from_ms, campaign.label.to_ms));
            for name in names(&campaign.label) {
                truth.campaigns_of.entry(name).or_default().push(number);
            }
        }
        for look_alike in look_alikes {
            for name in names(&look_alike.label) {
                truth.look_alike_of.entry(name).or_insert(look_alike.look_alike);
            }
        }
        truth
    }

    /// What an alert is about that names `entity` and was opened at `opened_ms` by the event of that id.
    pub fn of(&self, event_id: &str, entity: &str, opened_ms: i64) -> Verdict {
        let of_event = self.campaigns_of.get(event_id).into_iter().flatten().copied();
        let goes_on = |number: &usize| self.windows.get(*number).is_some_and(|(from, to)| (*from..=to + DAY).contains(&opened_ms));
        let of_entity = self.campaigns_of.get(entity).into_iter().flatten().copied().filter(goes_on);
        let mut found: Vec<usize> = of_event.chain(of_entity).collect();
        found.sort_unstable();
        found.dedup();
        if found.is_empty() {
            let look_alike = self.look_alike_of.get(event_id).or_else(|| self.look_alike_of.get(entity)).copied();
            return Verdict::Honest { look_alike };
        }
        Verdict::Campaigns(found)
    }

    /// From a campaign's first event to an instant, ms; never negative.
    pub fn since(&self, campaign: usize, at_ms: i64) -> i64 {
        self.windows.get(campaign).map_or(0, |(from, _)| (at_ms - from).max(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Level;
    use crate::scenario::Kind;

    #[test]
    fn an_alert_is_right_by_its_event_or_by_whom_it_names_while_it_goes_on() {
        let label = Label {
            entity: "user:u_1".to_owned(),
            also: vec!["ip:192.0.2.1".to_owned()],
            from: String::new(),
            to: String::new(),
            event_ids: vec!["e1".to_owned()],
            from_ms: 1_000,
            to_ms: 2_000,
        };
        let kind = *Kind::all().first().expect("there are some");
        let campaign = Campaign { campaign: "c01".to_owned(), kind, level: Level::Careful, label: label.clone() };
        let look_alike =
            LookAlike { look_alike: "shop_day", label: Label { entity: "user:u_9".to_owned(), event_ids: Vec::new(), ..label } };
        let truth = Truth::new(&[campaign], &[look_alike], |kind, id| if kind == "ip" { format!("p_{id}") } else { id.to_owned() });
        let right = Verdict::Campaigns(vec![0]);
        assert_eq!(truth.of("e1", "user:u_7", 9 * DAY), right, "its event");
        assert_eq!(truth.of("e5", "ip:p_192.0.2.1", 2_000 + DAY), right, "somebody of it, within a day");
        assert_eq!(truth.of("e5", "user:u_1", 2_001 + DAY), Verdict::Honest { look_alike: None });
        assert_eq!(truth.of("e5", "user:u_9", 1_500), Verdict::Honest { look_alike: Some("shop_day") });
        assert_eq!((truth.since(0, 1_700), truth.since(0, 7)), (700, 0));
    }
}
