//! One pass gives what runs by themselves give, whatever the rules and whatever comes in.

use proptest::prelude::*;
use rasid_backtest::backtest::{Backtest, Question};
use rasid_backtest::compare::{Change, Comparison, compare};
use rasid_backtest::direction::Direction;
use rasid_backtest::explain::{Everything, Explained, Pass, Replayed, Search, TermTold};
use rasid_backtest::found::{Found, covers};
use rasid_backtest::label::Labels;
use rasid_backtest::pass::{Diff, Period, Run};
use rasid_backtest::sweep::Sweep;
use rasid_backtest::text;
use rasid_compiler::SourceFile;
use rasid_compiler::ruleset::Ruleset;
use rasid_detectors::event::time::format_rfc3339;
use rasid_engine::{Config, Opened, Pseudonymizer, Record};

const START_MS: i64 = 1_767_225_600_000;

fn pseudonymizer() -> Pseudonymizer {
    Pseudonymizer::new(b"a secret that is long enough", 0).expect("long enough")
}

/// What an analyst may turn.
#[derive(Clone, Debug)]
struct Turned {
    sends_max: u32,
    window: u32,
    by: &'static str,
    suppress: u32,
    severity: u8,
    wave_max: u32,
    doubt_max: u32,
}

fn compiled(turned: &Turned) -> Ruleset {
    let Turned { sends_max, window, by, suppress, severity, wave_max, doubt_max } = turned;
    let files = [
        (
            "auth/flood.yaml",
            format!(
                "rule: auth.flood\ntitle: t\nseverity: SEV{severity}\non: auth.otp_requested\nentity: {by}\nparams: {{sends_max: {sends_max}}}\nlet: {{sends: {{count: auth.otp_requested, by: {by}, window: {window}m}}}}\n\
                 when: sends > params.sends_max && data.purpose != \"signup\"\nrisk: 40\nsuppress: {suppress}m\nexplain: '{{sends}} of {{params.sends_max}}'\n"
            ),
        ),
        (
            "auth/doubt.yaml",
            format!(
                "rule: auth.doubt\ntitle: t\non: auth.otp_requested\nentity: phone\nparams: {{least: {doubt_max}}}\nwhen: score > params.least\nsuppress: 1h\nexplain: '{{score}}'\n"
            ),
        ),
        (
            "ops/wave.yaml",
            format!(
                "rule: ops.wave\ntitle: t\non: rasid.alert\nentity: all\nparams: {{most: {wave_max}}}\nlet: {{n: {{count: rasid.alert, by: data.rule, window: 1h}}}}\nwhen: n > params.most\nsuppress: 10m\nexplain: '{{n}}'\n"
            ),
        ),
    ];
    let files: Vec<SourceFile> = files.into_iter().map(|(name, text)| SourceFile { name: name.to_owned(), text }).collect();
    rasid_compiler::compile(&files).unwrap_or_else(|report| panic!("{}", report.render(false)))
}

fn turned() -> impl Strategy<Value = Turned> {
    let by = prop_oneof![Just("phone"), Just("ip")];
    (1_u32..5, 1_u32..3, by, prop_oneof![Just(0), 0_u32..20], 0_u8..4, 1_u32..4, 0_u32..60).prop_map(
        |(sends_max, window, by, suppress, severity, wave_max, doubt_max)| Turned {
            sends_max,
            window,
            by,
            suppress,
            severity,
            wave_max,
            doubt_max,
        },
    )
}

/// Events as they come: in order, late, twice, without a purpose, none at all.
fn events() -> impl Strategy<Value = Vec<String>> {
    let one = (0_i64..3_600, 0_u8..4, 0_u8..3, 0_u8..20, prop_oneof![8 => Just("login"), 1 => Just("signup"), 1 => Just("payout")]);
    proptest::collection::vec(one, 1..120).prop_map(|mut all| {
        all.sort_by_key(|(second, ..)| *second);
        let mut lines = Vec::new();
        for (number, (second, phone, ip, trouble, purpose)) in all.into_iter().enumerate() {
            let late_ms = if trouble == 1 { 1_200_000 } else { 0 };
            let time = format_rfc3339(START_MS + second * 1_000 - late_ms);
            let line = format!(
                r#"{{"specversion":"1.0","id":"e{number}","source":"/test","time":"{time}","type":"auth.otp_requested","data":{{"phone":"+2010000000{phone:02}","ip":"192.0.2.{ip}","purpose":"{purpose}"}}}}"#
            );
            lines.push(if trouble == 2 { "{\"no\": event".to_owned() } else { line.clone() });
            if trouble == 3 {
                lines.push(line);
            }
        }
        lines
    })
}

fn records(lines: &[String]) -> Vec<Record<'_>> {
    (1..).zip(lines).map(|(position, line)| Record { position, arrival_ms: i64::MAX, bytes: line.as_bytes() }).collect()
}

/// By itself.
fn alone(ruleset: &Ruleset, lines: &[String], period: Period) -> Vec<Found> {
    let mut run = Run::new(ruleset.clone(), &Config::default(), &pseudonymizer(), period).expect("an engine");
    let records = records(lines);
    let opened = Opened::default();
    let batch = run.decode(&records, &opened);
    run.step(&batch);
    run.into_found()
}

/// Beside the others, batch by batch.
fn beside(old: &Ruleset, new: &Ruleset, lines: &[String], size: usize) -> (Comparison, Vec<Found>) {
    let mut diff = Diff::new((old.clone(), new.clone()), &Config::default(), &pseudonymizer(), Period::ALL).expect("engines");
    for part in records(lines).chunks(size) {
        let opened = Opened::default();
        let batch = diff.new_run().decode(part, &opened);
        diff.step(&batch);
        diff.new_run().recycle(batch);
    }
    diff.finish()
}

fn backtest(question: Question, lines: &[String], size: usize) -> rasid_backtest::report::Report {
    let mut backtest = Backtest::new(question, &Config::default(), &pseudonymizer()).unwrap_or_else(|error| panic!("{error}"));
    records(lines).chunks(size).for_each(|part| backtest.step(part));
    backtest.finish().0
}

fn asked(ruleset: Ruleset) -> Question {
    Question { ruleset, baseline: None, sweeps: Vec::new(), period: Period::ALL, labels: Labels::default(), gates: Vec::new() }
}

fn without_why(mut comparison: Comparison) -> Comparison {
    comparison.differences.iter_mut().for_each(|difference| difference.why = None);
    comparison.directions.clear();
    comparison
}

/// Why the alert of that id was opened, as the command tells it.
fn explained(ruleset: &Ruleset, lines: &[String], size: usize, id: &str) -> Explained {
    let (config, pseudonymizer, records) = (Config::default(), pseudonymizer(), records(lines));
    let mut everything = Everything::new(ruleset.clone(), &config, &pseudonymizer).expect("an engine");
    let mut search = Search::new(id);
    for part in records.chunks(size) {
        everything.step(part).expect("alerts").iter().for_each(|alert| search.take(alert).expect("an alert"));
    }
    let searched = search.finish();
    let [alert] = searched.found.as_slice() else { panic!("one, {:?}", searched.found) };
    let look = |mut pass: Pass| {
        let mut parts = records.chunks(size);
        while parts.next().is_some_and(|part| pass.step(part)) {}
        pass
    };
    let pass = look(Pass::new(ruleset, alert, &config, &pseudonymizer).expect("an engine").expect("a rule"));
    let pass = look(pass.again().expect("an engine").expect("its event comes"));
    let rule = ruleset.place(&alert.rule).and_then(|place| ruleset.rules.get(place)).expect("a rule");
    let mut explained = Explained::of(alert, ruleset, rule, pass.finish().expect("it was seen"), searched.neighbours).expect("an alert");
    explained.replayed = Some(Replayed::of(Some(&alert.json), Some(&alert.json)));
    explained
}

/// What a tree comes to by its leaves, as CEL joins them; `None` where it was not asked, or its leaves do not say.
fn comes_to(term: &TermTold) -> Option<bool> {
    let parts = || term.parts.iter().map(comes_to);
    match term.joins {
        None => {
            let came = term.came.as_deref()?.parse().ok();
            if let (Some(held), Some(beyond), Some(compared)) = (came, term.beyond, &term.compared) {
                let expected = match compared.sign {
                    ">" => beyond > 0.0,
                    ">=" => beyond >= 0.0,
                    "<" => beyond < 0.0,
                    "<=" => beyond <= 0.0,
                    _ => held,
                };
                assert!(compared.limit_is_left || expected == held, "{term:?}");
            }
            came
        }
        Some("all") => Some(parts().all(|part| part != Some(false))),
        Some("any") => Some(parts().any(|part| part == Some(true))),
        Some("not") => parts().next()?.map(|held| !held),
        Some(_) => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// A baseline beside the rules gives what two runs by themselves give, held against each other.
    #[test]
    fn a_baseline_is_two_runs(old in turned(), new in turned(), lines in events(), size in 1_usize..40) {
        let (old, new) = (compiled(&old), compiled(&new));
        let (then, now) = (alone(&old, &lines, Period::ALL), alone(&new, &lines, Period::ALL));
        let (before, after) = (covers(&old), covers(&new));
        let longer = |rule: &str| before.get(rule).copied().unwrap_or(0).max(after.get(rule).copied().unwrap_or(0));
        let expected = compare(then, now.clone(), longer);
        let (found, alerts) = beside(&old, &new, &lines, size);
        prop_assert_eq!(&alerts, &now);
        // What a condition saw is told of what differs, and only where the rule was looked into.
        for difference in found.differences.iter().filter(|difference| difference.rule == "auth.flood" && difference.change == Change::New) {
            let why = difference.why.as_ref().expect("it was looked into");
            prop_assert!(why.new.as_ref().expect("the rule is there").is_hit());
        }
        prop_assert_eq!(without_why(found.clone()), expected);
        let report = backtest(Question { baseline: Some(old.clone()), ..asked(new.clone()) }, &lines, size);
        prop_assert_eq!(report.comparison, Some(found.clone()));
        for (rule, direction) in &found.directions {
            let counts = found.rules.get(rule).copied().unwrap_or_default();
            let (none_comes, none_goes) = (counts.added + counts.moved == 0, counts.gone + counts.moved == 0);
            let every_hit = old.rules.iter().chain(&new.rules).filter(|other| other.id == *rule).all(|other| other.suppress_ms == 0);
            let kept = match direction {
                Direction::Same => none_comes && none_goes,
                Direction::Narrower => none_comes,
                Direction::Wider => none_goes,
            };
            prop_assert!(kept || !every_hit, "{} {:?} {:?}", rule, direction, counts);
        }
        prop_assert!(!text::comparison_text(&found).contains("+2010000000"));
    }

    /// Every value of a sweep gives what the rules with that value in the file give: also of rules that read what others opened.
    #[test]
    fn a_sweep_is_as_many_runs(now in turned(), lines in events(), size in 1_usize..40) {
        let ruleset = compiled(&now);
        let sweeps: Vec<Sweep> = ["auth.flood.sends_max=1..4:1", "auth.doubt.least=0..50:25", "ops.wave.most=1,2"].iter().map(|text| text.parse().expect("a sweep")).collect();
        let report = backtest(Question { sweeps, ..asked(ruleset) }, &lines, size);
        prop_assert_eq!(report.sweeps.len(), 3);
        for curve in &report.sweeps {
            for point in &curve.points {
                let value: u32 = point.variant.values[0].1.parse().expect("a number");
                let mut other = now.clone();
                let place = match curve.rule.as_str() {
                    "auth.flood" => &mut other.sends_max,
                    "auth.doubt" => &mut other.doubt_max,
                    _ => &mut other.wave_max,
                };
                prop_assert_eq!(point.variant.current, *place == value);
                *place = value;
                let separate = alone(&compiled(&other), &lines, Period::ALL);
                let own = separate.iter().filter(|found| found.rule == curve.rule).count() as u64;
                prop_assert_eq!(point.alerts, own, "{} = {}", &curve.rule, value);
            }
        }
    }

    /// What is told of an alert is what the engine saw: the tree comes to a hit, its values are the alert's, and of what is counted
    /// there are as many events as the count says.
    #[test]
    fn an_alert_is_explained_by_what_opened_it(turned in turned(), lines in events(), size in 1_usize..40, which in any::<prop::sample::Index>()) {
        let ruleset = compiled(&turned);
        let all = alone(&ruleset, &lines, Period::ALL);
        prop_assume!(!all.is_empty());
        let found = which.get(&all);
        let explained = explained(&ruleset, &lines, size, &found.id);
        prop_assert!(explained.is_hit(), "{:?}", explained.came);
        prop_assert_eq!(comes_to(&explained.condition), Some(true));
        let seen: Vec<(String, serde_json::Value)> = explained.values.iter().map(|told| (told.name.clone(), told.value.clone())).collect();
        prop_assert_eq!(&seen, &found.values.0);
        for behind in &explained.behind {
            let name = behind.counted.name.clone().expect("a count may be shown");
            let value = seen.iter().find(|(other, _)| *other == name).and_then(|(_, value)| value.as_u64());
            prop_assert_eq!(Some(behind.counted.events), value, "{:?}", behind);
            prop_assert_eq!(behind.counted.newest.len() as u64, behind.counted.events.min(20));
        }
        let about = all.iter().filter(|other| other.entity == found.entity && other.id != found.id).count();
        prop_assert_eq!(explained.neighbours.len(), about.min(20));
        let told = explained.lines().join("\n") + &serde_json::to_string(&explained).expect("written");
        prop_assert!(!told.contains("2010000000") && !told.contains("192.0.2."), "{}", told);
    }

    /// What came before the period warms up, and is not counted.
    #[test]
    fn warming_up_is_not_counted(turned in turned(), lines in events(), from in 0_i64..3_600, length in 1_i64..3_600) {
        let ruleset = compiled(&turned);
        let period = Period { since_ms: START_MS + from * 1_000, until_ms: START_MS + (from + length) * 1_000 };
        let whole: Vec<Found> = alone(&ruleset, &lines, Period::ALL).into_iter().filter(|found| period.contains(found.opened_ms)).collect();
        prop_assert_eq!(alone(&ruleset, &lines, period), whole);
    }
}

fn codes(count: usize) -> Vec<String> {
    let line = |number: usize| {
        let time = format_rfc3339(START_MS + 1_000 * i64::try_from(number).expect("few"));
        format!(
            r#"{{"specversion":"1.0","id":"e{number}","source":"/test","time":"{time}","type":"auth.otp_requested","data":{{"phone":"+201000000001","ip":"192.0.2.1","purpose":"login"}}}}"#
        )
    };
    (0..count).map(line).collect()
}

const USUAL: Turned = Turned { sends_max: 3, window: 10, by: "phone", suppress: 30, severity: 2, wave_max: 50, doubt_max: 90 };

#[test]
fn a_difference_says_which_term_made_it() {
    let (old, new) = (compiled(&USUAL), compiled(&Turned { sends_max: 5, ..USUAL }));
    let (comparison, _) = beside(&old, &new, &codes(10), 3);
    let [moved] = comparison.differences.as_slice() else { panic!("one, {:?}", comparison.differences) };
    assert_eq!((moved.change, moved.rule.as_str()), (Change::Moved, "auth.flood"));
    let (comparison, _) = beside(&old, &new, &codes(5), 3);
    let said = text::comparison_text(&comparison);
    for expected in [
        "1 alerts before, 0 after: 0 new, 1 gone, 0 moved, 0 changed",
        "gone    2026-01-01T00:00:03.000Z  phone:p0_",
        "params.sends_max 3 → 5, sends 4",
        "before: hit (`sends > params.sends_max` true, `data.purpose != \"signup\"` true); after: no (`sends > params.sends_max` false)",
    ] {
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn a_gate_without_a_baseline_and_a_sweep_of_nothing_are_refused() {
    let refused = |question: Question| match Backtest::new(question, &Config::default(), &pseudonymizer()) {
        Ok(_) => panic!("it is refused"),
        Err(error) => error.to_string(),
    };
    let gate = |text: &str| vec![text.parse().expect("a gate")];
    let sweep = |text: &str| vec![text.parse().expect("a sweep")];
    for (question, said) in [
        (Question { gates: gate("new.all > 0"), ..asked(compiled(&USUAL)) }, "add --baseline"),
        (Question { gates: gate("alerts.auth.fload > 0"), ..asked(compiled(&USUAL)) }, "there is no such rule"),
        (Question { sweeps: sweep("auth.fload.x=1,2"), ..asked(compiled(&USUAL)) }, "there is no rule `auth.fload`"),
        (
            Question { sweeps: sweep("auth.flood.send_max=1,2"), ..asked(compiled(&USUAL)) },
            "auth.flood has no parameter `send_max`: it has sends_max",
        ),
        (Question { sweeps: sweep("auth.flood.sends_max=1,many"), ..asked(compiled(&USUAL)) }, "auth.flood with sends_max=many is no rule"),
        (
            Question {
                sweeps: ["auth.flood.sends_max=1..100:1", "auth.doubt.least=1..380:1"].map(|text| text.parse().expect("a sweep")).into(),
                ..asked(compiled(&USUAL))
            },
            "480 combinations",
        ),
    ] {
        let error = refused(question);
        assert!(error.contains(said), "{error}");
    }
}
