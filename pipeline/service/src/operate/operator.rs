//! What an operator asks of the running service, answered from its parts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use rasid_connectors::alerts::AlertStore;
use rasid_connectors::audit::{self, Audit};
use rasid_connectors::log::{Act, Control as ControlRecord, DeadLetterReader, Letter, LetterBlock};
use rasid_connectors::outbox::{self, Outbox};
use rasid_connectors::seal::Keyring;
use rasid_connectors::sink::Answer;
use rasid_connectors::sink::alertmanager::{AlertmanagerSink, TEST_PAGE};
use rasid_connectors::source::{Appender as _, Incoming};
use rasid_connectors::storage::Storage;
use rasid_engine::Score;
use tokio::sync::{Notify, mpsc, oneshot, watch};

use crate::clock::{Clock, Now, age_ms};
use crate::decide::engine_thread::Ask;
use crate::decide::figures::EngineFigures;
use crate::decide::log_thread::LogAppender;
use crate::decide::progress::Progress;
use crate::health::stats::Stats;
use crate::held::held;
use crate::operate::control::{
    AckRequest, AlertChanges, AlertFilter, AlertGroups, AlertList, AlertRequest, AlertShown, AlertsChanged, ChangesRequest, CloseRequest,
    Control, ControlError, DeadLetterFilter, DeadLetterInfo, DeadLetterList, EntityRequest, EntityShown, GroupFilter, PageShown,
    PageTestRequest, PageTested, Parked, ParkedFilter, Restored, RetractRequest, Retracted, Retried, RetryRequest, RiskRequest, RuleList,
    RuleRequest, RuleShown, RulesRequest, Status, StatusRequest, UnparkRequest, Unparked, VerdictRequest, Who,
};
use crate::operate::rules::{self, Catalogue};
use crate::operate::tally::Tally;
use crate::operate::{groups, kept, parked};
use crate::recover::layout;

/// Most dead letters given at once.
const LIST_MAX: usize = 10_000;
/// The stream that retried dead letters come from; their offset is the position that they had.
pub(crate) const RETRY_STREAM: &str = "dead-letters";

/// The parts that an operator's questions are answered from.
pub(crate) struct Operator {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) keys: Keyring,
    pub(crate) log: LogAppender,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) store: Arc<AlertStore>,
    /// The position up to which the alert store has everything.
    pub(crate) stored: watch::Receiver<u64>,
    pub(crate) audit: Arc<Mutex<Audit>>,
    pub(crate) figures: Arc<Mutex<EngineFigures>>,
    pub(crate) tally: Arc<Tally>,
    /// The rules, for people.
    pub(crate) catalogue: Catalogue,
    pub(crate) asks: mpsc::Sender<Ask>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) sinks: Vec<Arc<Notify>>,
    /// `None` where nobody is on call.
    pub(crate) pager: Option<AlertmanagerSink>,
    pub(crate) instance: String,
    pub(crate) started: Now,
    pub(crate) restored: Restored,
    pub(crate) draining: Arc<AtomicBool>,
    pub(crate) clock: Clock,
}

impl Operator {
    fn check_open(&self) -> Result<(), ControlError> {
        if self.draining.load(Ordering::Relaxed) { Err(ControlError::NotNow("draining")) } else { Ok(()) }
    }

    fn audit(&self, who: &Who, action: &str, why: &str, details: BTreeMap<&str, String>) -> Result<(), ControlError> {
        if why.trim().is_empty() {
            return Err(ControlError::Refused("say why: it goes to the audit".to_owned()));
        }
        self.audit_act(who, action, why, details)
    }

    /// The same for what may need no reason.
    fn audit_act(&self, who: &Who, action: &str, why: &str, details: BTreeMap<&str, String>) -> Result<(), ControlError> {
        if who.user.is_empty() {
            return Err(ControlError::Refused("nobody knows who asks, and that goes to the audit".to_owned()));
        }
        let Who { user, claimed, door } = who;
        let entry = audit::Entry { at_ms: self.clock.wall_ms(), who: user, claimed, from: &door.name(), action, why, details };
        self.audit.lock().unwrap_or_else(PoisonError::into_inner).append(&entry).map_err(|error| ControlError::Outside(Box::new(error)))
    }

    /// Puts into the log what somebody says about alerts, and waits until the store has it.
    async fn say(&self, ids: Vec<String>, act: Act, who: Who, why: &str) -> Result<AlertsChanged, ControlError> {
        self.check_open()?;
        let alerts = tokio::task::block_in_place(|| kept::resolve(&self.store, ids))?;
        let (act, why) = (kept::masked(act)?, kept::reason(why)?);
        let mut details = BTreeMap::from([("alerts", alerts.join(","))]);
        match &act {
            Act::Acknowledge { assignee } => details.extend(assignee.iter().map(|assignee| ("assignee", assignee.clone()))),
            Act::Verdict(verdict) => details.extend([("verdict", verdict.name().to_owned())]),
            Act::Close => {}
        }
        let action = kept::action(&act);
        self.audit_act(&who, action, &why, details)?;
        let record = kept::feedback(&alerts, act, who, why, self.clock.wall_ms());
        let position = self.log.control(ControlRecord::Feedback(record)).await.map_err(outside)?;
        self.stored.clone().wait_for(|stored| *stored >= position).await.map_err(outside)?;
        tracing::info!(position, action, alerts = alerts.len(), "something was said about alerts");
        Ok(AlertsChanged { position, alerts })
    }

    /// Reads the dead letters until `each` has enough. They may be a gigabyte: the tasks of this thread go elsewhere meanwhile.
    fn letters(&self, each: impl FnMut(&Letter<'_>) -> bool) -> Result<(), ControlError> {
        tokio::task::block_in_place(|| self.read_letters(each))
    }

    fn read_letters(&self, mut each: impl FnMut(&Letter<'_>) -> bool) -> Result<(), ControlError> {
        let outside = |error: rasid_connectors::log::Error| ControlError::Outside(Box::new(error));
        let mut reader = DeadLetterReader::open(Arc::clone(&self.storage), layout::DEAD_LETTERS, &self.keys).map_err(outside)?;
        let mut block = LetterBlock::new();
        while reader.next(&mut block).map_err(outside)? {
            for letter in block.letters() {
                if !each(&letter) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

fn outside<E: std::error::Error + Send + Sync + 'static>(error: E) -> ControlError {
    ControlError::Outside(Box::new(error))
}

#[async_trait]
impl Control for Operator {
    async fn retract(&self, request: RetractRequest) -> Result<Retracted, ControlError> {
        self.check_open()?;
        let RetractRequest { rule, since_ms, who, why } = request;
        let in_force = {
            let figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
            let in_force = figures.rules.iter().any(|counts| counts.rule == rule);
            // What a rule that is gone has opened is still out there.
            if !in_force && !figures.former_rules.contains(&rule) {
                return Err(ControlError::Refused(format!("no rule `{rule}` is in force, or was since the log's beginning")));
            }
            in_force
        };
        self.audit(&who, "retract", &why, BTreeMap::from([("rule", rule.clone()), ("since_ms", since_ms.to_string())]))?;
        let record = ControlRecord::Retract { rule, since_ms };
        let position = self.log.control(record).await.map_err(|error| ControlError::Outside(Box::new(error)))?;
        Ok(Retracted { position, id: format!("retract_{position}"), in_force })
    }

    async fn dead_letters(&self, filter: DeadLetterFilter) -> Result<DeadLetterList, ControlError> {
        let limit = filter.limit.min(LIST_MAX);
        let mut list = DeadLetterList::default();
        self.letters(|letter| {
            let wanted = letter.position > filter.after
                && filter.since_ms.is_none_or(|since_ms| letter.arrival_ms >= since_ms)
                && filter.field.as_deref().is_none_or(|field| letter.field == Some(field));
            if !wanted {
                return true;
            }
            if list.dead_letters.len() == limit {
                list.next_after = list.dead_letters.last().map(|last| last.position);
                return false;
            }
            list.dead_letters.push(DeadLetterInfo {
                position: letter.position,
                field: letter.field.map(str::to_owned),
                reason: letter.reason.to_owned(),
                arrival_ms: letter.arrival_ms,
                stream: letter.stream.to_owned(),
                bytes: letter.record.len() as u64,
            });
            true
        })?;
        Ok(list)
    }

    async fn retry(&self, request: RetryRequest) -> Result<Retried, ControlError> {
        self.check_open()?;
        let RetryRequest { mut positions, who, why } = request;
        positions.sort_unstable();
        positions.dedup();
        let mut found: Vec<(u64, Vec<u8>)> = Vec::new();
        self.letters(|letter| {
            if positions.binary_search(&letter.position).is_ok() {
                found.push((letter.position, letter.record.to_vec()));
            }
            found.len() < positions.len()
        })?;
        let listed = found.iter().map(|(position, _)| position.to_string()).collect::<Vec<_>>().join(",");
        self.audit(&who, "retry dead letters", &why, BTreeMap::from([("positions", listed)]))?;
        let mut retried = Retried::default();
        for (position, bytes) in found {
            let record = Incoming { stream: RETRY_STREAM.into(), offset: position, bytes };
            let new = self.log.append(vec![record]).await.map_err(|error| ControlError::Outside(Box::new(error)))?;
            retried.appended.push((position, new));
        }
        retried.missing = positions.into_iter().filter(|position| retried.appended.iter().all(|(old, _)| old != position)).collect();
        Ok(retried)
    }

    async fn parked(&self, filter: ParkedFilter) -> Result<Vec<Parked>, ControlError> {
        let ParkedFilter { sink, limit, rule, since_ms } = filter;
        let wanted = |parked: &outbox::Parked| parked::is_as(&parked.item, rule.as_deref(), since_ms);
        let found = || self.outbox.parked_where(sink.as_deref(), 0, limit.min(LIST_MAX), wanted);
        let parked = tokio::task::block_in_place(found).map_err(outside)?;
        Ok(parked
            .into_iter()
            .map(|parked| Parked {
                id: parked.item.body.id(),
                rule: parked::rule_of(&parked.item).map(str::to_owned),
                sink: parked.item.sink,
                seq: parked.item.seq,
                committed_ms: parked.item.committed_ms,
                answer: parked.answer,
            })
            .collect())
    }

    async fn unpark(&self, request: UnparkRequest) -> Result<Unparked, ControlError> {
        self.check_open()?;
        let UnparkRequest { sink, mut seqs, all, who, why } = request;
        seqs.sort_unstable();
        seqs.dedup();
        let mut details = BTreeMap::from([("sink", sink.clone())]);
        let (seqs, next) = match all {
            Some(_) if !seqs.is_empty() => return Err(ControlError::Refused("name places, or how they are, not both".to_owned())),
            Some(all) => {
                details.extend(all.rule.clone().map(|rule| ("rule", rule)));
                details.extend(all.since_ms.map(|since_ms| ("since_ms", since_ms.to_string())));
                tokio::task::block_in_place(|| parked::choose(&self.outbox, &sink, all)).map_err(outside)?
            }
            None => {
                details.insert("seqs", seqs.iter().map(ToString::to_string).collect::<Vec<_>>().join(","));
                (seqs, None)
            }
        };
        // Before it is done, as every entry: of places that are named, those at which something is parked.
        let parked = tokio::task::block_in_place(|| parked::count(&self.outbox, &sink, &seqs)).map_err(outside)?;
        details.insert("items", parked.to_string());
        self.audit(&who, "unpark", &why, details)?;
        let offered = tokio::task::block_in_place(|| self.outbox.unpark_all(&sink, &seqs)).map_err(outside)?;
        tracing::info!(sink, items = offered.len(), "parked items are offered again");
        let missing = seqs.into_iter().filter(|seq| offered.binary_search(seq).is_err()).collect();
        self.sinks.iter().for_each(|sink| sink.notify_one());
        Ok(Unparked { offered, missing, next })
    }

    async fn alerts(&self, filter: AlertFilter) -> Result<AlertList, ControlError> {
        tokio::task::block_in_place(|| kept::list(&self.store, filter))
    }

    async fn alert(&self, request: AlertRequest) -> Result<AlertShown, ControlError> {
        tokio::task::block_in_place(|| kept::show(&self.store, &request.id))
    }

    async fn acknowledge(&self, request: AckRequest) -> Result<AlertsChanged, ControlError> {
        let AckRequest { ids, assignee, who, why } = request;
        self.say(ids, Act::Acknowledge { assignee }, who, &why).await
    }

    async fn close(&self, request: CloseRequest) -> Result<AlertsChanged, ControlError> {
        let CloseRequest { ids, who, why } = request;
        kept::needed(&why)?;
        self.say(ids, Act::Close, who, &why).await
    }

    async fn judge(&self, request: VerdictRequest) -> Result<AlertsChanged, ControlError> {
        let VerdictRequest { ids, verdict, who, why } = request;
        kept::needed(&why)?;
        self.say(ids, Act::Verdict(verdict), who, &why).await
    }

    async fn groups(&self, filter: GroupFilter) -> Result<AlertGroups, ControlError> {
        tokio::task::block_in_place(|| groups::groups(&self.store, filter))
    }

    async fn changes(&self, request: ChangesRequest) -> Result<AlertChanges, ControlError> {
        tokio::task::block_in_place(|| groups::changes(&self.store, request))
    }

    async fn rules(&self, _: RulesRequest) -> Result<RuleList, ControlError> {
        let figures = held(&self.figures).clone();
        tokio::task::block_in_place(|| self.catalogue.list(&figures, &self.store))
    }

    async fn rule(&self, request: RuleRequest) -> Result<RuleShown, ControlError> {
        let figures = held(&self.figures).clone();
        tokio::task::block_in_place(|| self.catalogue.show(&request.id, &figures, &self.store))
    }

    async fn entity(&self, request: EntityRequest) -> Result<EntityShown, ControlError> {
        let risk = self.risk(RiskRequest { entity: request.entity.clone() }).await?;
        let shown = tokio::task::block_in_place(|| rules::entity(&self.store, request.entity))?;
        Ok(EntityShown { risk, ..shown })
    }

    async fn risk(&self, request: RiskRequest) -> Result<Option<Score>, ControlError> {
        let (answer, answered) = oneshot::channel();
        self.asks.send(Ask::Score { entity: request.entity, answer }).await.map_err(|_| ControlError::NotNow("draining"))?;
        self.progress.ask();
        answered.await.map_err(|_| ControlError::NotNow("going through its log once more, or draining"))
    }

    async fn page_test(&self, request: PageTestRequest) -> Result<PageTested, ControlError> {
        let PageTestRequest { severity, resolve, who, why } = request;
        let Some(pager) = &self.pager else {
            return Err(ControlError::Refused("nobody is on call: `sinks.alertmanager.url` is not set".to_owned()));
        };
        let action = if resolve { "end page test" } else { "page test" };
        self.audit(&who, action, &why, BTreeMap::from([("severity", format!("{severity:?}").to_uppercase())]))?;
        let answer = if resolve {
            pager.end_test(self.clock.wall_ms()).await
        } else {
            let summary =
                format!("TEST of the way to the person on call, asked for by {} on {}: nothing is wrong", who.user, self.instance);
            pager.test(self.clock.wall_ms(), severity, &summary).await
        };
        let mut tested = PageTested { name: TEST_PAGE.to_owned(), ..PageTested::default() };
        match answer {
            Answer::Taken { .. } if resolve => {}
            Answer::Taken { .. } => {
                let shown = pager.look_up_test(severity).await;
                tested.shown = shown.map_err(|error| ControlError::Outside(error.into()))?;
            }
            Answer::Refused { answer } => tested.not_taken = Some(answer),
            Answer::Unavailable { error, .. } | Answer::Unknown { error } => tested.not_taken = Some(error),
        }
        tracing::info!(
            action,
            taken = tested.not_taken.is_none(),
            heard = tested.shown.as_ref().map(PageShown::is_heard),
            "a page was tested"
        );
        Ok(tested)
    }

    async fn status(&self, _: StatusRequest) -> Result<Status, ControlError> {
        Ok(Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instance: self.instance.clone(),
            started_ms: self.started.wall_ms,
            up_ms: age_ms(self.clock.monotonic_ms(), self.started.monotonic_ms),
            restored: self.restored.clone(),
            stats: self.stats(),
        })
    }

    fn stats(&self) -> Stats {
        self.tally.stats(&self.clock)
    }

    fn known(&self) -> watch::Receiver<u64> {
        self.stored.clone()
    }
}
