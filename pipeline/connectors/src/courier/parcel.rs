//! A batch as it is sent: its items, and the name that they give it.

use std::sync::Arc;

use crate::effect::{Body, Item};
use crate::sink::Batch;

/// What an item weighs beside its text, bytes: the structures around it.
const ITEM_BYTES: usize = 256;

/// A batch on its way. Cheap to clone, so that sending it holds up nothing else.
#[derive(Clone, Debug)]
pub struct Parcel {
    id: Arc<str>,
    pub(super) items: Arc<[Item]>,
}

impl Parcel {
    pub(super) fn new(sink: &str, items: Arc<[Item]>) -> Self {
        Self { id: name(sink, &items).into(), items }
    }

    /// As a sink takes it at that time, Unix ms.
    pub fn batch(&self, now_ms: i64) -> Batch<'_> {
        Batch { id: &self.id, now_ms, items: &self.items }
    }

    /// Names the delivery.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What is sent, in order.
    pub fn items(&self) -> &[Item] {
        &self.items
    }
}

/// What an item takes in memory, about.
pub(super) fn weight(item: &Item) -> usize {
    let text = match &item.body {
        Body::Alert(alert) => alert.json.len() + alert.explanation.len() + alert.title.len() + alert.entity.len(),
        Body::Score(change) => {
            let score = change.score.as_ref();
            change.entity.len() + score.map_or(0, |score| 128 + score.reasons.iter().map(|reason| 64 + reason.rule.len()).sum::<usize>())
        }
        Body::Retracted(retracted) => retracted.rule.len(),
    };
    ITEM_BYTES + text
}

/// `dl_` and 128 bits of a BLAKE3 over the sink and every item's place and id. The same items have the same name on any
/// day; other items never do, though places begin anew with a new outbox.
fn name(sink: &str, items: &[Item]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(sink.as_bytes());
    for item in items {
        hasher.update(&[0]);
        hasher.update(&item.seq.to_be_bytes());
        hasher.update(item.body.id().as_bytes());
    }
    let hash = hasher.finalize().to_hex();
    format!("dl_{}", hash.get(..32).unwrap_or_default())
}
