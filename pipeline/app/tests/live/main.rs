//! The live service from outside: `rasid run` as a process over a real folder, with a real Redis and a core API that
//! fails on command. It is killed in every phase of its work, cut off from its receivers, drained; and what came of it is
//! held to what `rasid detect` makes of the log that it left.

mod again;
mod alerts;
mod canary;
mod clients;
mod clock;
mod early_refusals;
mod full_disk;
mod judge;
mod kill;
mod many_files;
mod mend;
mod outage;
mod pages;
mod probes;
mod producers;
mod producers_page;
mod receiver;
mod refusal;
mod rotation;
mod rules;
mod seen;
mod service;
mod site;
mod strangers;
mod tokens;
mod traffic;
mod truth;
