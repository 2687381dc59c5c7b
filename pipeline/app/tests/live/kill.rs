//! kill -9 in every phase, again and again, on the same data.

use std::time::Duration;

use rasid_testbed::Fault;

use crate::judge;
use crate::producers::{Producers, Sent};
use crate::service::{PATIENCE, Phase, Trap};
use crate::site::Site;
use crate::traffic::{Random, Traffic};

/// Kills that count, over all phases; `RASID_KILL_ROUNDS` says another number.
const ROUNDS: u64 = 30;
/// `RASID_KILL_SEED` says another. What is drawn from it is the harness's choices; the operating system has its own.
const SEED: u64 = 20_261_122;
/// After how many kills the receivers' state is compared in between.
const COMPARE_EVERY: u64 = 10;
/// After how many kills files that were rotated and are read are moved away.
const PUT_AWAY_EVERY: u64 = 7;
/// Rounds of traffic that a service finds from its start to its kill, at most: it is killed within a second, where the
/// machine has nothing else to do.
const ROUNDS_MAX: u64 = 60;
/// A phase that is not reached in this time has been passed over.
const PHASE: Duration = Duration::from_secs(15);
/// Longest time between a phase's beginning and the kill, µs.
const DELAY_US_MAX: u64 = 3_000;
/// Tries for each kill that counts, on average, before the test gives up: a phase may be over before the kill comes.
const TRIES: u64 = 12;

#[derive(Default)]
struct Tally {
    /// Kills that came while the phase went on.
    counted: u64,
    /// Kills that came too late, in a row.
    late: u64,
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text}")))
}

/// C2 and C3: after any kill the service goes on as if there had been none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_in_any_phase_loses_nothing_and_repeats_nothing() {
    let (rounds, seed) = (number("RASID_KILL_ROUNDS", ROUNDS), number("RASID_KILL_SEED", SEED));
    eprintln!("RASID_KILL_ROUNDS={rounds} RASID_KILL_SEED={seed}");
    let wanted = rounds.div_ceil(Phase::ALL.len() as u64);
    let mut random = Random(seed);
    let site = Site::new("").await;
    site.core.mix(seed, 15, &[Fault::Status(503), Fault::LostAck, Fault::ResetInAnswer, Fault::ResetInRequest, Fault::Silence]);
    let traffic = Traffic::start_rotating(&site.path("events"), seed, "1");
    let producers = Producers::start(site.port(), seed, "1");
    let mut tallies: [Tally; Phase::ALL.len()] = Default::default();
    let (mut kills, mut ruleset, mut torn, mut replayed_max, mut put_away) = (0, 0, 0, 0, 0);
    loop {
        let open: Vec<usize> = (0..tallies.len()).filter(|phase| tallies[*phase].counted < wanted).collect();
        let Some(chosen) = open.get(usize::try_from(random.below(open.len().max(1) as u64)).expect("small")).copied() else { break };
        assert!(kills < TRIES * rounds.max(6), "after {kills} kills: {}", figures(&tallies));
        let phase = Phase::ALL[chosen];
        let tally = &mut tallies[chosen];
        // A disk may be so fast that only a kill at once comes in time.
        let at_once = random.once_in(2) || tally.late >= 2;
        let trap = Trap {
            phase,
            skip: usize::try_from(match phase {
                Phase::Append | Phase::Commit => random.below(20),
                Phase::Send | Phase::Acknowledge => random.below(10),
                Phase::Snapshot | Phase::Switch => 0,
            })
            .expect("small"),
            delay: Duration::from_micros(if at_once { 0 } else { random.below(DELAY_US_MAX) }),
        };
        // Half of the switches are there when the service starts, half come while it runs.
        let switch = phase == Phase::Switch;
        let before = switch && random.once_in(2);
        if before {
            ruleset += 1;
            site.switch_rules(ruleset);
        }
        traffic.allow(ROUNDS_MAX);
        let mut service = site.start(Some(trap));
        // One that a kill has kept from the log is made up for at the start, and then the trap is sprung by that.
        if switch && !before && service.heard_or_gone("up", PATIENCE).await.is_some() {
            ruleset += 1;
            site.switch_rules(ruleset);
        }
        if kills % PUT_AWAY_EVERY == 0 {
            put_away += site.put_away();
        }
        if service.gone(PHASE).await.is_none() {
            service.kill().await;
        }
        kills += 1;
        service.assert_sound();
        for line in service.lines().iter().filter(|line| line.message == "restored") {
            torn += u64::from(line.number("cut_bytes").is_some());
            replayed_max = replayed_max.max(line.number("to_replay").unwrap_or(0));
        }
        if service.killed_in() == Some(phase) {
            tally.counted += 1;
            tally.late = 0;
        } else {
            tally.late += 1;
        }
        if kills % COMPARE_EVERY == 0 {
            eprintln!("{kills} kills, {}", figures(&tallies));
            judge::assert_nothing_made_up(&site);
        }
    }
    let lines = traffic.stop().await;
    site.core.heal();
    let mut service = site.start(None);
    service.heard("up", PATIENCE).await;
    let sent = producers.stop().await;
    site.settle(PATIENCE).await;
    let status = site.status().expect("it answers");
    assert_eq!(status.pointer("/stats/worker/divergence_total"), Some(&0.into()));
    assert!(service.drain().await.success());
    service.assert_sound();
    let detected = judge::assert_whole_with(&site, &sent).await;
    let of_all = |count: fn(&Sent) -> u64| sent.values().map(count).sum::<u64>();
    let (events, requests, repeats) = (of_all(|sent| sent.events.len() as u64), of_all(|sent| sent.requests), of_all(|sent| sent.repeats));
    eprintln!(
        "{kills} kills, {}; {lines} lines in {} files, {put_away} of them put away, {events} events in {requests} requests, {repeats} of \
         them sent again; {} records, {} alerts, {} of them for core, {} sent twice or more, {} scores; {torn} torn tails cut, at most \
         {replayed_max} records replayed",
        figures(&tallies),
        site.written().len(),
        detected.records,
        detected.alerts.len(),
        detected.for_core.len(),
        site.core.duplicates().len(),
        detected.reasons.len(),
    );
}

fn figures(tallies: &[Tally]) -> String {
    let each = Phase::ALL.iter().zip(tallies).map(|(phase, tally)| format!("{phase:?} {}", tally.counted));
    format!("of which counted in {}", each.collect::<Vec<_>>().join(", "))
}
