//! Jobs, opinions, chat, staff and gateway: every story plays, and says no more and no less than it should.

use std::collections::{BTreeMap, BTreeSet};

use rasid_detectors::event::envelope::{Decoded, Limits, decode};
use rasid_detectors::event::time::parse_rfc3339;
use rasid_simulate::{Config, Half, Kind, Level, simulate};
use serde_json::Value;

const FAMILIES: [&str; 6] = ["jobs", "reputation", "safety", "chat", "inside", "gateway"];

fn kinds() -> Vec<Kind> {
    Kind::all().into_iter().filter(|kind| FAMILIES.contains(&kind.family())).collect()
}

fn week(seed: u64, half: Option<Half>) -> Config {
    Config { seed, half, hours: 168, drivers: 6, kinds: kinds(), ..Config::default() }
}

fn text<'a>(event: &'a Value, field: &str) -> &'a str {
    event.get("data").and_then(|data| data.get(field)).and_then(Value::as_str).unwrap_or_default()
}

#[test]
fn every_campaign_plays_within_its_span() {
    for (seed, half) in [(1, None), (2, Some(Half::Tuned)), (3, Some(Half::Untuned))] {
        let mut simulation = simulate(&week(seed, half));
        let mut written: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
        for record in simulation.by_ref() {
            let decoded = decode(record.line.as_bytes(), &Limits::default());
            assert!(matches!(decoded, Ok(Decoded::Event(_))), "{}", record.line);
            let event: Value = serde_json::from_str(&record.line).expect("JSON");
            if let Some(number) = record.campaign {
                written.entry(number).or_default().insert(event["id"].as_str().expect("an id").to_owned());
            }
        }
        assert_eq!(simulation.labels().len(), kinds().len() * Level::ALL.len());
        for (number, label) in (0..).zip(simulation.labels()) {
            let at = |text: &str| parse_rfc3339(text).expect("an instant");
            let took = at(&label.label.to) - at(&label.label.from);
            assert!(took <= label.kind.span_ms(label.level), "{} {} took {took} ms", label.kind, label.level);
            let ids: BTreeSet<String> = label.label.event_ids.iter().cloned().collect();
            assert_eq!(Some(&ids), written.get(&number), "{} {}", label.kind, label.level);
        }
    }
}

#[test]
fn bookings_take_permitted_steps_and_reports_are_answered() {
    let mut simulation = simulate(&week(4, None));
    let mut events = Vec::new();
    for record in simulation.by_ref() {
        let event: Value = serde_json::from_str(&record.line).expect("JSON");
        let kind = event["type"].as_str().expect("a type").to_owned();
        if kind.starts_with("booking.") || kind.starts_with("report.") {
            let at = parse_rfc3339(event["time"].as_str().expect("a time")).expect("an instant");
            let id = event["id"].as_str().expect("an id").to_owned();
            events.push((at, id, kind, event, record.campaign, record.look_alike));
        }
    }
    events.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    events.dedup_by(|a, b| a.1 == b.1);
    let of = |campaign: Option<u32>, tale: Option<u32>| match (campaign, tale) {
        (Some(number), _) => simulation.labels()[number as usize].kind.word(),
        (_, Some(number)) => simulation.look_alikes()[number as usize].look_alike,
        _ => "everyday",
    };
    let (mut states, mut open) = (BTreeMap::new(), BTreeMap::new());
    for (at, _, kind, event, campaign, tale) in &events {
        let story = of(*campaign, *tale);
        if let Some(step) = kind.strip_prefix("booking.") {
            let before = states.insert(text(event, "booking_id").to_owned(), step.to_owned());
            let permitted = matches!(
                (before.as_deref(), step),
                (None, "created")
                    | (Some("created"), "accepted" | "cancelled")
                    | (Some("accepted"), "started" | "cancelled")
                    | (Some("started"), "completed")
                    | (Some("completed"), "disputed")
            );
            assert!(permitted || ["illegal_transitions", "tapped_twice"].contains(&story), "{story}: {before:?} to {step}");
        } else if kind == "report.filed" {
            open.insert(text(event, "report_id").to_owned(), (*at, text(event, "category").to_owned(), story));
        } else if let Some((filed, category, story)) = open.remove(text(event, "report_id")) {
            let limit = match category.as_str() {
                "panic" => 16,
                "violence" | "harassment" | "coercion" => 120,
                _ => 24 * 60,
            };
            assert_eq!(*at - filed > limit * 60_000, story == "report_unanswered", "{story}: {category}");
        }
    }
}

#[test]
fn every_honest_story_plays() {
    let mut seen = BTreeSet::new();
    for seed in 1..=8 {
        let mut simulation = simulate(&Config { clients: 5_000, taskers: 700, kinds: Vec::new(), ..week(seed, None) });
        simulation.by_ref().for_each(drop);
        seen.extend(simulation.look_alikes().iter().map(|story| story.look_alike));
    }
    for word in TALES {
        assert!(seen.contains(word), "{word}");
    }
}

const TALES: &[&str] = &[
    "borrowed_phone",
    "nobody_home",
    "neighbours_first",
    "second_visit",
    "resent_after_deploy",
    "told_twice",
    "slow_webhooks",
    "settlement_batch",
    "key_rotation",
    "provider_hiccup",
    "new_line",
    "on_call",
    "overtime",
    "month_end",
    "approved_export",
    "new_admin",
    "admin_travels",
    "works_from_cafe",
    "popular_case",
    "safety_watch",
    "refund_desk",
    "account_manager",
    "lead_approves",
    "wallets_move",
    "rights_missing",
    "trouble_caller",
    "wedding_organiser",
    "business_regular",
    "compound_gate",
    "tower_block",
    "ended_on_the_way",
    "short_job",
    "basement_job",
    "tapped_twice",
    "last_minute_cancel",
    "broken_car",
    "no_photo_privacy",
    "siblings",
    "colleagues",
    "ended_by_staff",
    "late_authorization",
    "rerouted",
    "bad_week",
    "regular_praise",
    "good_first_week",
    "office_reviews",
    "moved_house",
    "family_phone",
    "two_reports",
    "unlucky_client",
    "panic_by_mistake",
    "opinion_without_job",
    "chatty",
    "word_by_word",
    "numbers_in_chat",
    "phone_confirmed",
    "same_greeting",
    "running_late",
    "asked_for_number",
];

#[test]
fn strangers_of_two_honest_stories_have_no_number_in_common() {
    let mut simulation = simulate(&Config { clients: 5_000, taskers: 700, kinds: Vec::new(), ..week(9, None) });
    let registered: Vec<_> = simulation.by_ref().filter(|record| record.line.contains("account.registered")).collect();
    let mut stories: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
    for record in &registered {
        // A company's numbers are of a range that is sold together, wherever that lies.
        let told = record.look_alike.filter(|number| simulation.look_alikes()[*number as usize].look_alike != "company_numbers");
        let event: Value = serde_json::from_str(&record.line).expect("JSON");
        stories.entry(text(&event, "phone").to_owned()).or_default().extend(told);
    }
    let shared: Vec<_> = stories.iter().filter(|(_, stories)| stories.len() > 1).collect();
    assert!(stories.len() > 300 && shared.is_empty(), "{} numbers, {shared:?}", stories.len());
}
