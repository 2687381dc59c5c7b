//! The engine: one deterministic function over one totally ordered log.
//!
//! ```text
//! records ─→ decode ─→ batch ─→ order ─→ scatter ─→ 256 shards ─→ gather ─→ conditions ─→ alerts, scores
//!            one door           one by   keys,      keyed state,  cells of  chunks        one by one:
//!                               one:     filters    stream order  each row                suppression, ids
//!                               duplicates, clock, what comes due
//! ```
//!
//! `(state, next batch of records) → (state′, alerts, score changes)`: no clock, no socket, no thread order and no
//! randomness decides anything here. However the log is cut into batches and however many threads share the work, the
//! same log gives the same bytes (invariant E1).

#![expect(
    clippy::indexing_slicing,
    reason = "indices come from the plan and the batch that they index; one out of range is a broken invariant, and stops the engine"
)]

mod advice;
mod alert;
mod batch;
mod brake;
mod condition;
mod cost;
mod counters;
mod coverage;
mod doubt;
mod duplicates;
mod engine;
mod entries;
mod keyed_state;
mod look;
mod memory;
mod mutate;
mod operator_table;
mod plan;
mod population;
mod producers;
mod pseudonym;
mod scatter;
mod scenario;
mod score;
mod scores;
mod shard;
mod suppress;
mod timer;
mod trace;
mod warming;

pub use alert::{Alert, EventRef, Values, alert_schema};
pub use batch::{Batch, ColumnsRecord, Opened, Record};
pub use brake::BrakedRule;
pub use cost::{BindingCost, Bytes, Cost, EVENTS_COUNTED, EventCost, RECORDS_COUNTED, Reading, RuleCost, cost};
pub use counters::{Counters, RuleCounters};
pub use coverage::{Coverage, RuleCoverage, cover};
pub use engine::{BoxError, Config, DeadLetter, Engine, EngineError, Output, Part, Reach, RestoreError, SOURCE, Snapshot};
pub use look::{Compared, Counted, EventShown, Fix, Look, Moment, SHOWN_MAX};
pub use memory::{events_per_s_max, reserved_bytes};
pub use mutate::{Turned, turn};
pub use producers::{FieldCounter, ProducerCounters};
pub use pseudonym::{Pseudonymizer, SEED_BYTES, SecretError};
pub use scenario::{Outcome, run_tests};
pub use score::{Level, Reason, Score, ScoreChange};
pub use scores::LivePart;
pub use trace::Trace;
