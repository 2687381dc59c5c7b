//! Being operated: asked by people, watched for them, and told new rules.

pub mod control;
pub(crate) mod groups;
pub(crate) mod kept;
pub(crate) mod operator;
pub(crate) mod parked;
pub(crate) mod rules;
pub(crate) mod rules_diff;
pub(crate) mod rules_watch;
pub(crate) mod switching;
pub(crate) mod tally;
pub(crate) mod watchman;
