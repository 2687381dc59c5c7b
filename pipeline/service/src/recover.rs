//! Taking up: what the data folder holds when the service starts, or when somebody goes through it beside the service.

pub mod damage;
pub(crate) mod exposure;
pub mod layout;
pub mod lock;
pub(crate) mod open;
pub mod past;
pub(crate) mod remembered;
pub mod replay;
pub mod rulesets;
pub mod take_up;
