//! The store against plain lists, through crashes in and between transactions.

use proptest::prelude::*;

use super::*;
use crate::alerts::state::HOUR_MS;

/// What the store should hold, kept the plain way.
#[derive(Clone, Debug, Default)]
struct Model {
    position: u64,
    alerts: Vec<(Opened, State)>,
    retractions: Vec<(u64, String, i64)>,
}

impl Model {
    fn take(&mut self, changed: &Changed, retention: Retention) {
        match &changed.change {
            Change::Opened(opened) if self.alerts.iter().all(|(other, _)| other.id != opened.id) => {
                self.alerts.push((opened.clone(), State::new(changed.position, opened)));
                self.alerts.sort_by_key(|(opened, _)| (opened.opened_at_ms, opened.id.clone()));
                let newest_ms = self.alerts.last().map_or(0, |(opened, _)| opened.opened_at_ms);
                let mut left = 16;
                self.alerts.retain(|(opened, _)| {
                    let stays = opened.opened_at_ms >= newest_ms - retention.age_ms || left == 0;
                    left -= usize::from(!stays);
                    stays
                });
                while self.alerts.len() as u64 > retention.count_max && left > 0 {
                    let closed = self.alerts.iter().position(|(_, state)| state.status == Status::Closed);
                    self.alerts.remove(closed.unwrap_or(0));
                    left -= 1;
                }
            }
            Change::Opened(_) => {}
            Change::Feedback(feedback) => {
                for id in &feedback.alerts {
                    if let Some((_, state)) = self.alerts.iter_mut().find(|(opened, _)| opened.id == *id) {
                        state.take(changed.position, feedback);
                    }
                }
            }
            Change::Retracted { rule, since_ms } => self.retractions.push((changed.position, rule.clone(), *since_ms)),
        }
    }

    fn alerts(&self) -> Vec<KeptAlert> {
        let kept = |(opened, state): &(Opened, State)| {
            let took = |(position, rule, since_ms): &&(u64, String, i64)| {
                *rule == opened.rule && *position > state.position && *since_ms <= opened.opened_at_ms
            };
            let retracted = self.retractions.iter().rfind(took).map(|(position, ..)| *position);
            KeptAlert { id: opened.id.clone(), json: opened.json.clone(), state: state.clone(), retracted }
        };
        self.alerts.iter().rev().map(kept).collect()
    }

    /// What changed behind `after`, by id; and the same of what was taken back, by position.
    fn changes(&self, after: u64) -> (Vec<(u64, String)>, Vec<u64>) {
        let changed = self.alerts.iter().map(|(opened, state)| (state.changed(), opened.id.clone()));
        let mut changed: Vec<_> = changed.filter(|(changed, _)| *changed > after).collect();
        changed.sort();
        // Of two at one position the store keeps one.
        let mut positions: Vec<(u64, &String)> = self.retractions.iter().map(|(position, rule, _)| (*position, rule)).collect();
        positions.sort();
        positions.dedup();
        (changed, positions.into_iter().map(|(position, _)| position).filter(|position| *position > after).collect())
    }

    fn counts(&self) -> BTreeMap<(String, i64, String), u64> {
        let mut counts = BTreeMap::new();
        for (_, state) in &self.alerts {
            let class = Class { status: state.status, severity: state.severity, mode: state.mode };
            *counts
                .entry((state.rule.clone(), state.opened_at_ms.div_euclid(HOUR_MS).saturating_mul(HOUR_MS), format!("{class:?}")))
                .or_insert(0) += 1;
        }
        counts
    }

    fn figures(&self) -> Figures {
        let mut verdicts = BTreeMap::new();
        for (opened, state) in &self.alerts {
            if let Some((verdict, _)) = &state.verdict {
                *verdicts.entry((opened.rule.clone(), *verdict)).or_insert(0) += 1;
            }
        }
        let count = |status| self.alerts.iter().filter(|(_, state)| state.status == status).count() as u64;
        let by_status = Status::ALL.into_iter().map(|status| (status, count(status))).collect();
        Figures { position: self.position, from: 1, gaps: Vec::new(), by_status, verdicts }
    }
}

/// What the log says next: so many positions on.
#[derive(Clone, Debug)]
enum Next {
    Opened { number: u64, opened_at_ms: i64 },
    Feedback { numbers: Vec<u64>, act: Act },
    Retracted { odd: bool, since_ms: i64 },
}

/// A part of the log, put in at once, and what befalls it.
#[derive(Clone, Debug)]
struct Part {
    says: Vec<(u64, Next)>,
    /// Positions behind it of which there is nothing to say.
    silence: u64,
    /// The disk fails that many operations on, and the machine ends.
    fails_after: Option<u64>,
    /// The machine ends behind it.
    crash: Option<u64>,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        prop::option::of("[a-z]{1,4}").prop_map(|assignee| Act::Acknowledge { assignee }),
        Just(Act::Close),
        prop::sample::select(Verdict::ALL.to_vec()).prop_map(Act::Verdict),
    ]
}

fn next() -> impl Strategy<Value = Next> {
    // Few numbers, so that ids come again and are spoken of before and after they are there; times that go back and far ahead.
    let time = prop_oneof![9 => 0..200_i64, 1 => Just(i64::MAX / 2), 1 => Just(-1_000_000_i64)];
    prop_oneof![
        5 => (0..40_u64, time.clone()).prop_map(|(number, opened_at_ms)| Next::Opened { number, opened_at_ms }),
        3 => (prop::collection::vec(0..40_u64, 0..4), act()).prop_map(|(numbers, act)| Next::Feedback { numbers, act }),
        1 => (any::<bool>(), time).prop_map(|(odd, since_ms)| Next::Retracted { odd, since_ms }),
    ]
}

fn part() -> impl Strategy<Value = Part> {
    let says = prop::collection::vec((0..3_u64, next()), 0..12);
    (says, 0..3_u64, prop::option::weighted(0.2, 0..30_u64), prop::option::weighted(0.2, any::<u64>()))
        .prop_map(|(says, silence, fails_after, crash)| Part { says, silence, fails_after, crash })
}

/// What the store says changed, piece by piece.
fn changes(store: &AlertStore, mut after: u64) -> (Vec<(u64, String)>, Vec<u64>) {
    let (mut alerts, mut retractions) = (Vec::new(), Vec::new());
    loop {
        let changes = store.changes(after, 3).unwrap();
        let mut part: Vec<_> = changes.alerts.into_iter().map(|alert| (alert.state.changed(), alert.id)).collect();
        part.sort();
        alerts.extend(part);
        retractions.extend(changes.retractions.into_iter().map(|retraction| retraction.position));
        if !changes.more {
            return (alerts, retractions);
        }
        after = changes.upto;
    }
}

fn changed(position: u64, next: &Next) -> Changed {
    match next {
        Next::Opened { number, opened_at_ms } => opened(position, *number, *opened_at_ms),
        Next::Feedback { numbers, act } => feedback(position, numbers, act.clone()),
        Next::Retracted { odd, since_ms } => retracted(position, if *odd { "auth.odd" } else { "chat.even" }, *since_ms),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// C1: whatever ends on the way, and however the log is cut into transactions, it holds what the log says.
    #[test]
    fn it_holds_what_the_log_says(
        parts in prop::collection::vec(part(), 1..14),
        count_max in prop_oneof![Just(u64::MAX), 1..20_u64],
        age_ms in prop_oneof![Just(1_i64 << 40), 0..150_i64],
        seed in any::<u64>(),
        after in 0..30_u64,
    ) {
        let retention = Retention { age_ms, count_max };
        let memory = Memory::new();
        let open = || AlertStore::with_backend(memory.backend(), retention).unwrap();
        let mut store = open();
        store.begin(0).unwrap();
        let (mut model, mut position) = (Model::default(), 0);
        // What was handed over since the position that the store is known to have: a replay says it again.
        let mut log: Vec<Changed> = Vec::new();
        for part in parts {
            for (step, says) in &part.says {
                position = (position + step).max(1);
                let changed = changed(position, says);
                model.take(&changed, retention);
                log.push(changed);
            }
            position += part.silence;
            model.position = position;
            if let Some(fails_after) = part.fails_after {
                memory.fail_after(fails_after);
                if store.apply(position, &log).is_ok() {
                    prop_assert_eq!(store.position(), Some(position));
                }
                memory.crash(seed);
                store = open();
                prop_assert!(store.position().is_some(), "it had begun durably");
            }
            store.apply(position, &log).unwrap();
            if let Some(crash) = part.crash {
                memory.crash(crash);
                store = open();
            }
            prop_assert_eq!(store.figures(), model.figures());
            prop_assert_eq!(all(&store), model.alerts());
            prop_assert_eq!(changes(&store, after), model.changes(after));
            let counts = store.counts(i64::MIN, i64::MAX).unwrap().into_iter();
            let counts = counts.map(|count| ((count.rule, count.hour_ms, format!("{:?}", count.class)), count.alerts));
            prop_assert_eq!(counts.collect::<BTreeMap<_, _>>(), model.counts());
            // Positions of one block come together, so a part may end on the one that the next begins with; not here.
            position += 1;
        }
    }
}
