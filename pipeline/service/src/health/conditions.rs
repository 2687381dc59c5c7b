//! What the person on call must know about Rasid itself. A condition holds until it is ended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use crate::held::held;

/// Something that a person must look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    /// A bounded name: the alert's.
    pub(crate) name: String,
    /// What is wrong, in one sentence.
    pub(crate) summary: String,
    /// The page that says what to do.
    pub(crate) runbook: Option<String>,
}

/// What holds now.
#[derive(Clone, Default)]
pub(crate) struct Conditions {
    holding: Arc<Mutex<Holding>>,
}

#[derive(Default)]
struct Holding {
    conditions: BTreeMap<String, Condition>,
    /// What this process has not raised, but the one before: it stands until its end unless it is ended here.
    inherited: BTreeSet<String>,
    /// Ended since they were last said.
    ended: Vec<String>,
}

impl Conditions {
    /// It holds from now on; the newest words stand.
    pub(crate) fn raise(&self, condition: Condition) {
        held(&self.holding).conditions.insert(condition.name.clone(), condition);
    }

    /// It holds no more.
    pub(crate) fn end(&self, name: &str) {
        let mut holding = held(&self.holding);
        let raised = holding.conditions.remove(name).is_some();
        if holding.inherited.remove(name) || raised {
            holding.ended.push(name.to_owned());
        }
    }

    /// What stands from before the start.
    pub(crate) fn inherit(&self, names: BTreeSet<String>) {
        held(&self.holding).inherited = names;
    }

    /// What holds now, in order of name.
    #[cfg(test)]
    pub(crate) fn holding(&self) -> Vec<Condition> {
        held(&self.holding).conditions.values().cloned().collect()
    }

    /// What holds now, and what has ended since the last call.
    pub(crate) fn take(&self) -> (Vec<Condition>, Vec<String>) {
        let mut holding = held(&self.holding);
        (holding.conditions.values().cloned().collect(), std::mem::take(&mut holding.ended))
    }
}
