//! Every entity's score: alerts raise it, retractions and changes of rules take out of it, and each change says what has
//! become of it (the formulas are in `score.rs`). Versions only rise (invariant E4).

use rasid_compiler::ruleset::Advice;
use rasid_detectors::entity::EntityKind;
use serde::{Deserialize, Serialize};

use crate::advice::Advices;
use crate::doubt::{Cast, Doubt, TakenBack};
use crate::keyed_state::{Keyed, Table};
use crate::score::{Level, Reason, Score, ScoreChange};

/// One entity's doubts.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Doubts {
    /// As it left when it last changed.
    entity: String,
    /// And as it had left before the secret was changed, while readers may look for that. Saved apart.
    #[serde(skip)]
    former: Option<String>,
    /// By the rule's number.
    reasons: Vec<Doubt>,
    /// Saved apart.
    #[serde(skip)]
    advices: Advices,
    version: i64,
    /// Last instant at which the score is 1 or more or advice stands, ms.
    live_until_ms: i64,
}

impl Keyed for Doubts {
    const READ_IN_PARTS: bool = true;

    /// While it can be read, and until the event clock has passed its version, which must never fall.
    fn keep_until_ms(&self) -> i64 {
        self.live_until_ms.max(self.version)
    }

    fn cells(&self) -> usize {
        (self.reasons.iter().map(Doubt::bytes).sum::<usize>() + self.advices.bytes()).div_ceil(16)
            + self.entity.len().div_ceil(16)
            + self.former.as_ref().map_or(0, |former| former.len().div_ceil(16))
    }

    fn version(&self) -> i64 {
        self.version
    }
}

impl Doubts {
    fn score(&self, now_ms: i64) -> u8 {
        score_of(self.reasons.iter(), now_ms)
    }

    /// The last instant from `now_ms` on at which the score is `least` or more; `None` where it is below that now.
    /// The score only falls while nothing happens, so it is found by bisection to the millisecond.
    fn until(&self, now_ms: i64, least: u8) -> Option<i64> {
        if self.score(now_ms) < least {
            return None;
        }
        if let [only] = self.reasons.as_slice()
            && let Some(until) = self.until_of_one(only, now_ms, least)
        {
            return Some(until);
        }
        let mut reached = 0_i64;
        let mut beyond = self.reasons.iter().map(Doubt::half_life_ms).max().unwrap_or(1);
        while self.score(now_ms + beyond) >= least {
            reached = beyond;
            beyond = beyond.saturating_mul(2);
        }
        while beyond - reached > 1 {
            let middle = reached + (beyond - reached) / 2;
            if self.score(now_ms + middle) >= least { reached = middle } else { beyond = middle }
        }
        Some(now_ms + reached)
    }

    /// The same for one reason, by its formula, held against the score on either side.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a guess, which is checked")]
    fn until_of_one(&self, only: &Doubt, now_ms: i64, least: u8) -> Option<i64> {
        let halvings = libm::log2(only.share() * 100.0 / (f64::from(least) - 0.5));
        let guess = only.newest_ms() + (halvings * only.half_life_ms() as f64) as i64;
        let candidates = guess - 1..=guess + 1;
        candidates.rev().find(|at| *at >= now_ms && self.score(*at) >= least && self.score(*at + 1) < least)
    }

    /// Gives what changed a new version, and says what has become of the score.
    fn changed(&mut self, moment: Moment<'_>, version_lost: i64, rules: &[String]) -> ScoreChange {
        // A state that the memory bound has cost may have had a version ahead of the clock.
        let previous = if self.version == 0 { version_lost } else { self.version };
        self.version = (previous + 1).max(moment.clock_ms);
        self.advices.forget(moment.clock_ms);
        let doubted = match self.reasons.iter().map(Doubt::newest_ms).max() {
            Some(newest_ms) => self.until(newest_ms, 1).unwrap_or(newest_ms),
            None => moment.clock_ms - 1,
        };
        self.live_until_ms = self.advices.until(moment.clock_ms, Advice::Watch).unwrap_or(i64::MIN).max(doubted);
        self.change(moment, rules)
    }

    fn change(&self, moment: Moment<'_>, rules: &[String]) -> ScoreChange {
        ScoreChange {
            position: moment.position,
            entity: self.entity.clone(),
            version: self.version,
            score: self.standing(moment.clock_ms, moment.ruleset, rules),
            live_until: self.live_until_ms,
        }
    }

    /// A change under every name that the entity has.
    fn told(&self, change: ScoreChange) -> impl Iterator<Item = ScoreChange> + use<> {
        let formerly = self.former.clone().map(|former| change.under(former));
        std::iter::once(change).chain(formerly)
    }

    /// The score as readers get it; `None` below 1 where no advice stands.
    fn standing(&self, now_ms: i64, ruleset: &str, rules: &[String]) -> Option<Score> {
        let score = self.score(now_ms);
        let reason = |doubt: &Doubt| Reason {
            rule: rules[doubt.rule as usize].clone(),
            risk: libm::round(doubt.share() * 10_000.0) / 100.0,
            at: doubt.newest_ms(),
            half_life_s: doubt.half_life_ms() / 1000,
        };
        let level = Level::of(score);
        let advice = self.advices.strongest(now_ms);
        if level.is_none() && advice.is_none() {
            return None;
        }
        let mut reasons: Vec<Reason> = self.reasons.iter().map(reason).collect();
        reasons.sort_unstable_by(|a, b| a.rule.cmp(&b.rule));
        Some(Score {
            entity: self.entity.clone(),
            score,
            level,
            as_of: now_ms,
            low_until: self.until(now_ms, 1),
            medium_until: self.until(now_ms, 30),
            high_until: self.until(now_ms, 60),
            critical_until: self.until(now_ms, 85),
            advice: advice.map(|(advice, _)| advice),
            advice_until: advice.map(|(_, until)| until),
            watch_until: self.advices.until(now_ms, Advice::Watch),
            challenge_until: self.advices.until(now_ms, Advice::Challenge),
            hold_until: self.advices.until(now_ms, Advice::Hold),
            block_until: self.advices.until(now_ms, Advice::Block),
            reasons,
            version: self.version,
            ruleset: ruleset.to_owned(),
        })
    }
}

/// What doubts come to at an instant.
fn score_of<'d>(reasons: impl Iterator<Item = &'d Doubt>, now_ms: i64) -> u8 {
    let innocent = reasons.fold(1.0, |product, doubt| product * (1.0 - doubt.at(now_ms)));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=100")]
    {
        libm::round(100.0 * (1.0 - innocent)).clamp(0.0, 100.0) as u8
    }
}

/// A name of before, as it is saved.
#[derive(Serialize, Deserialize)]
struct FormerName {
    #[serde(with = "postcard::fixint::le")]
    key: u64,
    name: String,
}

/// What stands of advice about an entity, as it is saved.
#[derive(Serialize, Deserialize)]
struct SavedAdvices {
    #[serde(with = "postcard::fixint::le")]
    key: u64,
    advices: Advices,
}

/// Whether an entity is named by a pseudonym (`phone:p1_…`) that does not begin with `prefix` (`p2_`).
fn is_pseudonym_but(entity: &str, prefix: &str) -> bool {
    let Some((kind, id)) = entity.split_once(':') else { return false };
    EntityKind::from_name(kind).is_some_and(EntityKind::is_personal) && !id.starts_with(prefix)
}

/// Every entity's score.
pub(crate) struct Scores {
    entities: Table<Doubts>,
    /// Ids of all rules so far; a doubt names its rule by the index, which no later ruleset changes.
    rules: Vec<String>,
}

/// Where in the log, and when.
#[derive(Clone, Copy)]
pub(crate) struct Moment<'a> {
    pub(crate) position: u64,
    pub(crate) clock_ms: i64,
    /// Hash of the ruleset in force.
    pub(crate) ruleset: &'a str,
}

/// Some of the scores that are live.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LivePart {
    /// They, in no order.
    pub scores: Vec<ScoreChange>,
    /// Where to go on; 0 after the last part.
    pub next: usize,
    /// How many places all parts have together: the scores that are live, and up to some four times as many that are not.
    pub places: usize,
}

/// Whom an alert is about.
#[derive(Clone, Copy)]
pub(crate) struct About<'a> {
    pub(crate) key: u64,
    /// `kind:id`, as it leaves.
    pub(crate) entity: &'a str,
    /// And as it left before, where readers may still look for that.
    pub(crate) former: Option<&'a str>,
}

impl Scores {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { entities: Table::new(1, bytes_max), rules: Vec::new() }
    }

    /// The number of a rule, which it keeps for ever.
    #[expect(clippy::cast_possible_truncation, reason = "nobody writes 2^32 rules")]
    pub(crate) fn number(&mut self, rule: &str) -> u32 {
        let number = self.rules.iter().position(|known| known == rule).unwrap_or_else(|| {
            self.rules.push(rule.to_owned());
            self.rules.len() - 1
        });
        number as u32
    }

    /// What an alert of the rule of that number does to the score of its entity, under the name that it leaves by now;
    /// `None` where it weighs nothing.
    /// `advice`: what it advises, and the last instant at which that stands.
    pub(crate) fn raise(
        &mut self,
        about: About<'_>,
        rule: u32,
        cast: Cast,
        advice: Option<(Advice, i64)>,
        moment: Moment<'_>,
    ) -> Option<ScoreChange> {
        // Advice of an alert that comes so late that it is over says nothing to anybody.
        let advice = advice.filter(|(_, until)| *until >= moment.clock_ms);
        if cast.risk == 0 && advice.is_none() {
            return None;
        }
        let Self { entities, rules } = self;
        let version_lost = entities.version_lost();
        let change = entities.update(about.key, moment.clock_ms, |doubts| {
            if doubts.entity != about.entity {
                about.entity.clone_into(&mut doubts.entity);
            }
            if doubts.former.as_deref() != about.former {
                doubts.former = about.former.map(str::to_owned);
            }
            if let Some((advice, until_ms)) = advice {
                doubts.advices.give(rule, cast.at_ms, advice, until_ms);
            }
            if cast.risk > 0 {
                let place = doubts.reasons.partition_point(|doubt| doubt.rule < rule);
                match doubts.reasons.get_mut(place) {
                    Some(doubt) if doubt.rule == rule => doubt.add(cast),
                    _ => doubts.reasons.insert(place, Doubt::new(rule, cast)),
                }
            }
            doubts.changed(moment, version_lost, rules)
        });
        Some(change)
    }

    /// The score of a key as of an instant, from the reasons of other rules than those of the numbers in `but`.
    pub(crate) fn of(&self, key: u64, clock_ms: i64, but: &[u32]) -> u8 {
        let doubts = self.entities.get(key, clock_ms);
        doubts.map_or(0, |doubts| score_of(doubts.reasons.iter().filter(|doubt| !but.contains(&doubt.rule)), clock_ms))
    }

    /// The rules but the one of that number that cast doubt on a key, by their ids, as of an instant: those that make its score 1 or more
    /// by themselves.
    pub(crate) fn doubted_by(&self, key: u64, clock_ms: i64, but: u32) -> Vec<&str> {
        let reasons = self.entities.get(key, clock_ms).into_iter().flat_map(|doubts| &doubts.reasons);
        let live = reasons.filter(|doubt| doubt.rule != but && score_of(std::iter::once(*doubt), clock_ms) > 0);
        live.filter_map(|doubt| self.rules.get(doubt.rule as usize)).map(String::as_str).collect()
    }

    /// Takes the reasons of every rule that is not among `kept`, by number, out of all scores; changes by entity.
    pub(crate) fn keep_only(&mut self, kept: &[u32], moment: Moment<'_>) -> Vec<ScoreChange> {
        self.take_out(moment, |rule| !kept.contains(&rule), None)
    }

    /// Takes back what the rule's alerts have cast that opened at or after `since_ms`; changes by entity.
    pub(crate) fn retract(&mut self, rule: &str, since_ms: i64, moment: Moment<'_>) -> Vec<ScoreChange> {
        let Some(number) = self.rules.iter().position(|known| known == rule) else { return Vec::new() };
        self.take_out(moment, |rule| rule as usize == number, Some(since_ms))
    }

    /// Takes back what those rules' alerts have said that opened at or after an instant; without one all of it.
    fn take_out(&mut self, moment: Moment<'_>, of: impl Fn(u32) -> bool, since_ms: Option<i64>) -> Vec<ScoreChange> {
        let Self { entities, rules } = self;
        let changes = entities.change_all(moment.clock_ms, |doubts| {
            if !doubts.reasons.iter().any(|doubt| of(doubt.rule)) && doubts.advices.is_empty() {
                return None;
            }
            let take = |doubt: &mut Doubt| since_ms.map_or(TakenBack::All, |since_ms| doubt.take_back(since_ms));
            let mut taken = doubts.advices.take_back(&of, since_ms.unwrap_or(i64::MIN));
            doubts.reasons.retain_mut(|doubt| {
                let what = if of(doubt.rule) { take(doubt) } else { TakenBack::Nothing };
                taken |= what != TakenBack::Nothing;
                what != TakenBack::All
            });
            taken.then(|| {
                let change = doubts.changed(moment, 0, rules);
                doubts.told(change)
            })
        });
        let mut changes: Vec<ScoreChange> = changes.into_iter().flatten().collect();
        changes.sort_unstable_by(|a, b| a.entity.cmp(&b.entity));
        changes
    }

    /// Every score of 1 or more as of the moment, by entity.
    pub(crate) fn live(&self, moment: Moment<'_>) -> Vec<ScoreChange> {
        let live = self.entities.live(moment.clock_ms).into_iter();
        let mut changes: Vec<ScoreChange> =
            live.flat_map(|doubts| doubts.told(doubts.change(moment, &self.rules))).filter(|change| change.score.is_some()).collect();
        changes.sort_unstable_by(|a, b| a.entity.cmp(&b.entity));
        changes
    }

    /// The score of the entity that leaves by that name, `kind:id`; `None` below 1 where no advice stands. Looked for among all.
    pub(crate) fn named(&self, moment: Moment<'_>, entity: &str) -> Option<Score> {
        let is_it = |doubts: &Doubts| doubts.entity == entity || doubts.former.as_deref() == Some(entity);
        let score = self.entities.find_live(moment.clock_ms, is_it)?.change(moment, &self.rules).score?;
        Some(Score { entity: entity.to_owned(), ..score })
    }

    /// The same of one part of the entities, in no order.
    pub(crate) fn live_part(&self, moment: Moment<'_>, from: usize, places: usize) -> LivePart {
        let (live, next) = self.entities.live_part(moment.clock_ms, from, places);
        let told = |doubts: &Doubts| doubts.told(doubts.change(moment, &self.rules));
        let scores = live.into_iter().flat_map(told).filter(|change| change.score.is_some()).collect();
        LivePart { scores, next, places: self.entities.places() }
    }

    /// Memory as the bound counts it.
    pub(crate) fn bytes(&self) -> usize {
        self.entities.bytes()
    }

    /// Takes another share of memory.
    pub(crate) fn set_share(&mut self, bytes_max: usize, clock_ms: i64) {
        self.entities.set_share(bytes_max, clock_ms);
    }

    /// Entries that the memory bound has cost so far.
    pub(crate) fn evicted(&self) -> u64 {
        self.entities.evicted()
    }

    /// The same for a snapshot.
    pub(crate) fn share(&mut self) -> Self {
        Self { entities: self.entities.share(), rules: self.rules.clone() }
    }

    pub(crate) fn save(&self, out: Vec<u8>) -> Vec<u8> {
        self.entities.save(postcard::to_extend(&self.rules, out).expect("plain data, into a vector that grows"))
    }

    /// Adds what stands of advice, by key.
    pub(crate) fn save_advices(&self, out: Vec<u8>) -> Vec<u8> {
        let advised = self.entities.states().filter(|(_, doubts)| !doubts.advices.is_empty());
        let mut advices: Vec<SavedAdvices> = advised.map(|(key, doubts)| SavedAdvices { key, advices: doubts.advices.clone() }).collect();
        advices.sort_unstable_by_key(|saved| saved.key);
        postcard::to_extend(&advices, out).expect("plain data, into a vector that grows")
    }

    /// Gives it back to the entities, and the bytes after it.
    pub(crate) fn load_advices<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], postcard::Error> {
        let (saved, rest): (Vec<SavedAdvices>, _) = postcard::take_from_bytes(bytes)?;
        for SavedAdvices { key, advices } in saved {
            self.entities.amend(key, |doubts| doubts.advices = advices);
        }
        Ok(rest)
    }

    /// Adds the names of before, by key.
    pub(crate) fn save_former_names(&self, out: Vec<u8>) -> Vec<u8> {
        let mut names: Vec<FormerName> =
            self.entities.states().filter_map(|(key, doubts)| Some(FormerName { key, name: doubts.former.clone()? })).collect();
        names.sort_unstable_by_key(|name| name.key);
        postcard::to_extend(&names, out).expect("plain data, into a vector that grows")
    }

    /// Gives them back to the entities, and the bytes after them.
    pub(crate) fn load_former_names<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], postcard::Error> {
        let (names, rest): (Vec<FormerName>, _) = postcard::take_from_bytes(bytes)?;
        for FormerName { key, name } in names {
            self.entities.amend(key, |doubts| doubts.former = Some(name));
        }
        Ok(rest)
    }

    /// How many of the scores that are live stand under a pseudonym that does not begin so, and when the last of them ends
    /// by itself, ms.
    pub(crate) fn named_otherwise(&self, prefix: &str, clock_ms: i64) -> (usize, i64) {
        let other = |doubts: &&&Doubts| doubts.live_until_ms >= clock_ms && is_pseudonym_but(&doubts.entity, prefix);
        let live = self.entities.live(clock_ms);
        let others = live.iter().filter(other).map(|doubts| doubts.live_until_ms);
        others.fold((0, i64::MIN), |(count, last), until| (count + 1, last.max(until)))
    }

    /// Fills an empty one, and gives the bytes after it.
    pub(crate) fn load<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], postcard::Error> {
        let (rules, rest): (Vec<String>, _) = postcard::take_from_bytes(bytes)?;
        let rest = self.entities.load(rest)?;
        // The rules of the ruleset are known already, in the order in which it has them; those that are gone come after.
        self.rules = rules;
        Ok(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    const HOUR: i64 = 3_600_000;

    fn moment(clock_ms: i64) -> Moment<'static> {
        Moment { position: 9, clock_ms, ruleset: "sha256:0" }
    }

    fn raise(scores: &mut Scores, rule: usize, risk: u8, at_ms: i64, clock_ms: i64) -> Option<ScoreChange> {
        let number = scores.number(&format!("r.{rule}"));
        scores.raise(
            About { key: 1, entity: "user:u_1", former: None },
            number,
            Cast { at_ms, half_life_ms: 6 * HOUR, risk },
            None,
            moment(clock_ms),
        )
    }

    fn raised(alerts: &[(usize, u8, i64)]) -> Scores {
        let mut scores = Scores::new(usize::MAX);
        let mut clock = 0;
        for (rule, risk, at) in alerts {
            clock = clock.max(*at);
            raise(&mut scores, *rule, *risk, *at, clock);
        }
        scores
    }

    fn standing(scores: &Scores, now: i64) -> Option<Score> {
        scores.live(moment(now)).into_iter().find_map(|change| change.score)
    }

    fn score(alerts: &[(usize, u8, i64)], now: i64) -> u8 {
        standing(&raised(alerts), now).map_or(0, |score| score.score)
    }

    #[rstest]
    #[case::one(&[(0, 60, 0)], 0, 60)]
    #[case::half_life(&[(0, 60, 0)], 6 * HOUR, 30)]
    #[case::same_rule_again(&[(0, 60, 0), (0, 60, 0)], 0, 84)]
    #[case::same_rule_later(&[(0, 60, 0), (0, 60, 6 * HOUR)], 6 * HOUR, 72)]
    #[case::two_rules(&[(0, 60, 0), (1, 50, 0)], 0, 80)]
    #[case::certain(&[(0, 100, 0)], 0, 100)]
    #[case::late(&[(0, 60, HOUR), (0, 60, 0)], HOUR, 84)]
    #[case::weightless(&[(0, 0, 0)], 0, 0)]
    fn doubts_add_up_as_the_formula_says(#[case] alerts: &[(usize, u8, i64)], #[case] now: i64, #[case] expected: u8) {
        assert_eq!(score(alerts, now), expected);
    }

    #[test]
    fn levels_end_when_the_score_falls_below_them() {
        for (alerts, now) in [(&[(0, 90, 0)][..], 0), (&[(0, 70, 0), (1, 80, HOUR)], HOUR)] {
            let score = standing(&raised(alerts), now).expect("live");
            assert_eq!(score.level, Some(Level::Critical));
            let live_until = raised(alerts).live(moment(now))[0].live_until;
            for (until, least) in [(score.medium_until, 30), (score.high_until, 60), (score.critical_until, 85), (Some(live_until), 1)] {
                let until = until.expect("critical is all of them");
                assert!(self::score(alerts, until) >= least && self::score(alerts, until + 1) < least);
            }
        }
    }

    #[test]
    fn a_score_that_has_decayed_below_one_is_gone() {
        assert!(raised(&[(0, 10, 0)]).live(moment(100 * HOUR)).is_empty());
    }

    #[test]
    fn a_change_says_what_is_now() {
        let mut scores = Scores::new(usize::MAX);
        let first = raise(&mut scores, 0, 50, 0, 0).expect("weighs");
        assert_eq!((first.version, first.score.map(|score| score.score)), (1, Some(50)));
        let second = raise(&mut scores, 1, 90, 6 * HOUR, 6 * HOUR).expect("weighs");
        assert_eq!(second.version, 6 * HOUR);
        assert_eq!(second.score.map(|score| (score.level, score.as_of)), Some((Some(Level::Critical), 6 * HOUR)));
        assert_eq!(raise(&mut scores, 2, 0, 6 * HOUR, 6 * HOUR), None);
    }

    #[test]
    fn all_parts_together_are_all_that_is_live() {
        let mut scores = Scores::new(usize::MAX);
        for (key, name) in (0..500_u64).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15), format!("user:u_{n}"))) {
            let about = About { key, entity: &name, former: (key % 3 == 0).then_some("user:former") };
            let number = scores.number("r.0");
            scores.raise(about, number, Cast { at_ms: 0, half_life_ms: HOUR, risk: if key % 2 == 0 { 5 } else { 90 } }, None, moment(0));
        }
        for now in [0, 5 * HOUR] {
            let (mut all, mut from) = (Vec::new(), 0);
            loop {
                let part = scores.live_part(moment(now), from, 37);
                assert!(part.places >= 500 && part.scores.len() <= 2 * 37);
                all.extend(part.scores);
                from = part.next;
                if from == 0 {
                    break;
                }
            }
            let by_name = |a: &ScoreChange, b: &ScoreChange| (&a.entity, a.version).cmp(&(&b.entity, b.version));
            let mut expected = scores.live(moment(now));
            all.sort_unstable_by(by_name);
            expected.sort_unstable_by(by_name);
            assert_eq!(all.len(), expected.len(), "at {now}");
            assert!(all.iter().zip(&expected).all(|(part, whole)| part.entity == whole.entity));
        }
    }

    #[test]
    fn a_retraction_to_nothing_and_a_new_alert_at_once_keep_versions_rising() {
        let mut scores = raised(&[(0, 60, HOUR), (0, 60, HOUR), (1, 30, HOUR)]);
        let now = moment(HOUR);
        let retracted = scores.retract("r.0", HOUR, now);
        assert_eq!(retracted.len(), 1);
        assert_eq!(retracted[0].score.as_ref().map(|score| score.score), Some(30));
        let gone = scores.retract("r.1", i64::MIN, now).remove(0);
        assert_eq!((&gone.score, gone.live_until), (&None, HOUR - 1));
        assert!(scores.live(now).is_empty());
        assert_eq!((scores.retract("r.1", i64::MIN, now), scores.retract("r.unknown", i64::MIN, now)), (vec![], vec![]));
        let again = raise(&mut scores, 0, 10, HOUR, HOUR).expect("weighs");
        assert!(retracted[0].version < gone.version && gone.version < again.version && again.version > HOUR + 3);
    }

    #[test]
    fn rules_that_leave_take_their_reasons_with_them() {
        let mut scores = raised(&[(0, 60, 0), (1, 30, 0)]);
        let changes = scores.keep_only(&[1], moment(5));
        assert_eq!(changes.len(), 1);
        let left = changes[0].score.as_ref().expect("one reason is left");
        assert_eq!(left.reasons.iter().map(|reason| reason.rule.as_str()).collect::<Vec<_>>(), ["r.1"]);
        assert!(scores.keep_only(&[1], moment(5)).is_empty());
    }

    proptest! {
        #[test]
        fn scores_stay_in_range_and_more_never_lowers_them(
            alerts in proptest::collection::vec((0_usize..5, 0_u8..=100, 0_i64..100 * HOUR), 1..40), after in 0_i64..400 * HOUR,
        ) {
            let now = alerts.iter().map(|(_, _, at)| *at).max().unwrap_or(0) + after;
            let mut before = 0;
            for n in 1..=alerts.len() {
                let value = score(&alerts[..n], now);
                prop_assert!(value <= 100 && value >= before);
                before = value;
            }
            prop_assert!(score(&alerts, now + HOUR) <= before);
        }

        #[test]
        fn versions_only_rise_even_where_memory_is_full(
            steps in proptest::collection::vec((0_u64..6, 0_usize..5, 0_u8..=100, 0_i64..HOUR, 0_u8..8), 2..60), bytes_max in 0_usize..3_000,
        ) {
            let mut scores = Scores::new(bytes_max);
            let (mut clock, mut last) = (0, std::collections::BTreeMap::new());
            for (who, rule, risk, at, what) in steps {
                clock = clock.max(at);
                let changes = if what == 0 {
                    scores.retract(&format!("r.{rule}"), at, moment(clock))
                } else {
                    let (number, entity) = (scores.number(&format!("r.{rule}")), format!("user:u_{who}"));
                    let cast = Cast { at_ms: at, half_life_ms: 24 * HOUR, risk };
                    scores.raise(About { key: who, entity: &entity, former: None }, number, cast, None, moment(clock)).into_iter().collect()
                };
                for change in changes {
                    prop_assert!(change.version >= clock);
                    prop_assert!(last.insert(change.entity, change.version).is_none_or(|before| before < change.version));
                }
            }
        }
    }
}
