//! The library as it runs: the examples of its table, what is at the ends of ranges, and the bounds of what is made.

use rasid_compiler::Code;
use rasid_compiler::catalogue::{FUNCTIONS, LOOPS, REFUSED, REFUSED_FORMS};
use rasid_compiler::expression::{EvalError, Scope};
use rasid_compiler::items::{LIST_ELEMENTS_MAX, LOOP_STEPS_MAX, TEXT_BYTES_MAX};
use rasid_compiler::trial::{self, Outcome};
use rasid_detectors::event::EventType;
use rasid_detectors::event::envelope::{Decoded, Limits, decode, unknown_field, unknown_list};
use rasid_detectors::event::{Event, field::FieldPath};
use rasid_detectors::value::{OwnedValue, Value};
use rstest::rstest;

/// An event as conditions see it.
struct Seen<'r> {
    event: Event<'r>,
    record: &'r [u8],
}

impl Scope for Seen<'_> {
    fn field(&self, path: FieldPath) -> Value<'_> {
        self.event.data.get(path)
    }

    fn unknown(&self, name: &str) -> OwnedValue {
        unknown_field(self.record, name)
    }

    fn binding(&self, _: usize) -> Value<'_> {
        Value::Absent
    }

    fn fired(&self, _: usize) -> Option<bool> {
        Some(false)
    }

    fn time(&self) -> i64 {
        self.event.clock()
    }

    fn score(&self) -> Value<'_> {
        Value::Absent
    }

    fn signal(&self, _: usize, _: usize) -> Value<'_> {
        Value::Absent
    }

    fn count(&self, path: FieldPath) -> Option<usize> {
        self.event.data.count(path)
    }

    fn element(&self, path: FieldPath, index: usize, field: u8) -> Value<'_> {
        self.event.data.element(path, index, field)
    }

    fn unknown_list(&self, name: &str) -> Option<Vec<OwnedValue>> {
        unknown_list(self.record, name)
    }
}

fn over(event: EventType, data: &str, expression: &str) -> Result<Outcome, EvalError> {
    let record =
        format!(r#"{{"specversion":"1.0","id":"e1","source":"/t","type":"{}","time":"2026-07-01T22:30:00Z","data":{data}}}"#, event.name());
    let Ok(Decoded::Event(read) | Decoded::Garbled { event: read, .. }) = decode(record.as_bytes(), &Limits::default()) else {
        panic!("no record: {data}")
    };
    let trial = trial::check(expression, event, &[], &[]).unwrap_or_else(|refused| panic!("{expression}: {refused:?}"));
    trial.run(&Seen { event: read, record: record.as_bytes() })
}

const LOGIN: &str = r#"{"user_id":"u_1","device_id":"d_1","ip":"192.0.2.1","location":{"lat":30.0444,"lon":31.2357,"accuracy_km":5},"at":"2026-07-01T20:30:00.123456Z","far":"0000-01-01T00:00:00Z","zone":"Africa/Cairo","tags":["vip","new",3],"nested":[[1],[2]],"empty":[]}"#;
const LEDGER: &str = r#"{"entry_id":"l_1","lines":[{"account":"cash","amount":500,"currency":"EGP"},{"account":"fees","amount":-500},{"account":"cash","amount":7,"currency":"USD"}]}"#;
const ROUTE: &str = r#"{"route_id":"r_1","entity_id":"d_1","task_id":"b_1","points":[[30.0444,31.2357],[31.2001,29.9187]]}"#;

fn login(expression: &str) -> Result<Outcome, EvalError> {
    over(EventType::LoginSucceeded, LOGIN, expression)
}

type Given = Result<Outcome, EvalError>;

const YES: Given = Ok(Outcome::Value(OwnedValue::Bool(true)));

#[expect(clippy::unnecessary_wraps, reason = "what a program gives is a value or an error")]
const fn int(number: i64) -> Given {
    Ok(Outcome::Value(OwnedValue::Int(number)))
}

#[test]
fn every_example_of_the_table_holds() {
    for known in FUNCTIONS.iter().chain(LOOPS) {
        assert!(!known.forms.is_empty() && !known.about.is_empty() && !known.examples.is_empty(), "{}", known.name);
        for example in known.examples {
            assert!(example.contains(known.name), "{example} shows {}", known.name);
            assert_eq!(login(example), YES, "{example}");
        }
    }
}

/// What the page says is refused is, by that name, and with a help.
#[test]
fn what_is_refused_says_so_by_name() {
    let refused = |expression: &str| trial::check(expression, EventType::LoginSucceeded, &[], &[]).expect_err(expression);
    for (name, instead) in REFUSED {
        let found = refused(&format!("data.user_id.{name}(1, 2, 3, 4) == 1"));
        assert_eq!((found.code, found.help.as_deref()), (Code::NotInSubset, Some(instead)), "{name}");
        assert!(found.message.starts_with(&format!("`{name}` is not")), "{found:?}");
    }
    for (form, example) in REFUSED_FORMS {
        let found = refused(example);
        assert!(found.code == Code::NotInSubset && found.help.is_some(), "{found:?}");
        assert_eq!(found.message, format!("{form} is not in the subset of CEL that rules take"), "{example}");
    }
}

/// The number of arguments that a form has is taken, one more is not.
#[test]
fn every_form_of_the_table_is_taken() {
    let sample = |ty: &str| match ty {
        "int" => "1",
        "double" => "1.5",
        "bool" => "true",
        "timestamp" => "time",
        "duration" => "duration('1s')",
        "zone" => "'UTC'",
        "currency" => "'EGP'",
        "list" => "['a']",
        "place" => "[30.0, 31.0]",
        "field" => "data.location",
        "x" | "value" => "x",
        "string" => "data.user_id",
        _ => "'a'",
    };
    for known in FUNCTIONS.iter().chain(LOOPS) {
        for form in known.forms {
            let (call, gives) = form.split_once(" -> ").expect("a form says what it gives");
            let (head, rest) = call.split_once('(').expect("a call");
            let arguments: Vec<&str> = rest.trim_end_matches(')').split(", ").filter(|ty| !ty.is_empty()).map(sample).collect();
            let head = match head.split_once('.') {
                Some((subject, name)) => format!("{}.{name}", sample(subject)),
                None => head.to_owned(),
            };
            let expression = format!("{head}({})", arguments.join(", "));
            let trial = trial::check(&expression, EventType::LoginSucceeded, &[], &[])
                .unwrap_or_else(|refused| panic!("{expression}: {refused:?}"));
            assert_eq!(trial.type_name(), gives, "{form}");
            let more = format!("{head}({})", [arguments, vec!["1", "2", "3"]].concat().join(", "));
            assert!(trial::check(&more, EventType::LoginSucceeded, &[], &[]).is_err(), "{more}");
        }
    }
}

#[rstest]
#[case::summer("time.getHours('Africa/Cairo')", int(1))]
#[case("time.getDayOfWeek('Africa/Cairo')", int(4))]
#[case("time.getHours(data['zone'])", int(1))]
#[case("time.getHours(data['at'])", Err(EvalError::Conversion))]
#[case::to_the_millisecond("timestamp(data['at']).getMilliseconds()", int(123))]
#[case("(time - timestamp(data['at'])).getHours()", int(1))]
#[case("timestamp(data['far']) < time", Err(EvalError::Conversion))]
#[case("timestamp(data['zone']) < time", Err(EvalError::Conversion))]
#[case("timestamp(data['gone']) < time", Err(EvalError::Absent))]
#[case("timestamp(data['tags']) < time", Err(EvalError::NoOverload))]
#[case("timestamp('9999-12-31T23:59:59.999Z') + duration('1ms') > time", Err(EvalError::Overflow))]
#[case("timestamp('0001-01-01T00:00:00Z') - duration('1ms') < time", Err(EvalError::Overflow))]
#[case("timestamp('9999-12-31T23:59:59Z') - timestamp('0001-01-01T00:00:00Z') > duration('1s')", Err(EvalError::Overflow))]
#[case("timestamp(253402300799) > time", YES)]
#[case("timestamp(253402300800) > time", Err(EvalError::Conversion))]
#[case("timestamp(-62135596800) < time", YES)]
#[case("timestamp(-62135596801) < time", Err(EvalError::Conversion))]
#[case("string(timestamp('9999-12-31T23:59:59.990Z')) == '9999-12-31T23:59:59.99Z'", YES)]
#[case("duration(data['at']) > duration('1s')", Err(EvalError::Conversion))]
fn instants_are_those_of_cel(#[case] expression: &str, #[case] expected: Given) {
    assert_eq!(login(expression), expected, "{expression}");
}

#[rstest]
#[case("string(1e6) == '1e+06' && string(123456.0) == '123456' && string(-0.00001) == '-1e-05' && string(0.0001) == '0.0001'", YES)]
#[case("string(1.0 / 0.0) == '+Inf' && string(0.0 / 0.0) == 'NaN' && string(2.0) == '2' && string(1.5e300) == '1.5e+300'", YES)]
#[case("string(duration('-1.5s')) == '-1.5s' && string(duration('0s')) == '0s' && string(duration('2h')) == '7200s'", YES)]
#[case("int('+5') == 5 && int('-9223372036854775808') < 0", YES)]
#[case("int('9223372036854775808')", Err(EvalError::Conversion))]
#[case("int('1.5')", Err(EvalError::Conversion))]
#[case("int(' 1')", Err(EvalError::Conversion))]
#[case("int(9.3e18)", Err(EvalError::Conversion))]
#[case("int(double('NaN'))", Err(EvalError::Conversion))]
#[case("double('1e400')", Err(EvalError::Conversion))]
#[case("double('') > 1.0", Err(EvalError::Conversion))]
#[case("bool('yes')", Err(EvalError::Conversion))]
#[case("int(data['tags'][2]) == 3 && string(data['tags'][2]) == '3'", YES)]
#[case("int(data['empty'])", Err(EvalError::NoOverload))]
fn conversions_are_those_of_cel(#[case] expression: &str, #[case] expected: Given) {
    assert_eq!(login(expression), expected, "{expression}");
}

#[rstest]
#[case("data['tags'].exists(t, t == 'vip') && 'new' in data['tags'] && size(data['tags']) == 3", YES)]
#[case("data['tags'].filter(t, t != 3).map(t, size(t)) == [3, 3]", YES)]
#[case("data['tags'].all(t, size(t) == 3)", Err(EvalError::NoOverload))]
#[case("data['tags'].exists(t, size(t) == 3)", YES)]
#[case("data['tags'][3] == 'x'", Err(EvalError::OutOfRange))]
#[case("data['tags'][-1] == 'x'", Err(EvalError::OutOfRange))]
#[case("data['nested'].exists(t, t == 1)", Err(EvalError::NoOverload))]
#[case("data['gone'].exists(t, t == 1)", Err(EvalError::Absent))]
#[case("data['zone'].exists(t, t == 1)", Err(EvalError::NoOverload))]
#[case("data['empty'].all(t, t == 1) && !data['empty'].exists(t, t == 1)", YES)]
#[case("[1, 2, 3].exists_one(x, x / (x - 1) > 0)", Err(EvalError::DivisionByZero))]
#[case("[1, 2].exists(x, 1 / (x - 1) == 1) && ![1, 0].all(x, 1 / x == 5)", YES)]
#[case("[1, 2].all(x, 1 / (x - 1) == 1)", Err(EvalError::DivisionByZero))]
#[case("[1, 2].map(x, [3, 4].map(y, x * y).exists(z, z == 8)) == [false, true]", YES)]
#[case("[1, 2].exists(x, [x].exists(x, x == 2))", YES)]
#[case("([1] + [2.0, 3]).map(x, x) == [1, 2, 3.0] && [1] != [1, 2] && [] == []", YES)]
fn loops_are_those_of_cel(#[case] expression: &str, #[case] expected: Given) {
    assert_eq!(login(expression), expected, "{expression}");
}

#[test]
fn elements_of_events_are_read() {
    let ledger = |expression: &str| over(EventType::LedgerPosted, LEDGER, expression);
    assert_eq!(ledger("data.lines.filter(l, l.account == 'cash').map(l, l.amount) == [500, 7]"), YES);
    assert_eq!(ledger("data.lines.filter(l, l.amount > 0)[1].amount"), int(7));
    assert_eq!(ledger("data.lines.filter(l, has(l.currency)).size() == 2 && data.lines.exists(l, l.currency == 'USD')"), YES);
    assert_eq!(ledger("data.lines.exists_one(l, l.currency == 'USD')"), Err(EvalError::Absent));
    assert_eq!(ledger("data.lines.exists(a, data.lines.exists(b, a.amount == -b.amount && a.account != b.account))"), YES);
    assert_eq!(ledger("data.lines[3].amount"), Err(EvalError::OutOfRange));
    let route = |expression: &str| over(EventType::RoutePlanned, ROUTE, expression);
    assert_eq!(route("data.points.all(p, p[0] > 30.0) && size(data.points) == 2"), YES);
    assert_eq!(route("int(distance_m(data.points[0], data.points[1]) / 1000.0)"), int(179));
    assert_eq!(login("has(data.location) && distance_m(data.location, [30.0444, 31.2357]) == 0.0"), YES);
    assert_eq!(login("distance_m([91.0, 0.0], [30.0, 31.0])"), Err(EvalError::OutOfRange));
}

/// What a hostile event or rule would have made is refused before it is.
#[test]
fn what_is_made_is_bounded() {
    let chat = |text: &str, expression: &str| {
        let data = format!(r#"{{"conversation_id":"c_1","sender_id":"u_1","recipient_id":"u_2","text":"{text}"}}"#);
        over(EventType::ChatMessage, &data, expression)
    };
    let long = "a".repeat(TEXT_BYTES_MAX / 2 + 1);
    assert_eq!(chat(&long, "data.text.upperAscii().size() > 5"), YES);
    for grows in [
        "data.text + data.text == ''",
        "data.text.replace('a', 'bb') == ''",
        "data.text.replace('', 'b') == ''",
        "[data.text, data.text].join() == ''",
        "[data.text, data.text + 'x'].size() == 2",
        "[1, 2, 3].map(x, data.text).size() == 3",
        "data.text.split('').size() > 5",
        "data.text.split('a').size() > 5",
    ] {
        assert_eq!(chat(&long, grows), Err(EvalError::TooLong), "{grows}");
    }
    let words = vec!["a"; LIST_ELEMENTS_MAX].join(" ");
    assert_eq!(chat(&words, "data.text.split(' ').size()"), int(i64::try_from(LIST_ELEMENTS_MAX).expect("small")));
    assert_eq!(chat(&format!("{words} a"), "data.text.split(' ').size()"), Err(EvalError::TooLong));
}

/// A loop in a loop takes as many steps as it is long squared; the bound holds for all of it together, and reading a long text
/// in it costs too.
#[test]
fn loops_end_after_so_many_steps() {
    let words = |count: usize| vec!["a"; count].join(" ");
    let chat = |text: &str, expression: &str| {
        let data = format!(r#"{{"conversation_id":"c_1","sender_id":"u_1","recipient_id":"u_2","text":"{text}"}}"#);
        over(EventType::ChatMessage, &data, expression)
    };
    let pairs = "data.text.split(' ').all(x, data.text.split(' ').all(y, x == y))";
    assert_eq!(chat(&words(20), pairs), YES);
    assert_eq!(chat(&words(200), pairs), Err(EvalError::TooManySteps));
    let steps = LOOP_STEPS_MAX as usize;
    assert_eq!(chat(&words(steps / 20), "data.text.split(' ').all(x, x == 'a')"), YES);
    assert_eq!(chat(&"a".repeat(1 << 19), "[1, 2, 3].all(x, data.text.contains('b') || true)"), YES);
    let scan = "'a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a'.split(',').all(x, !data.text.contains('b'))";
    assert_eq!(chat(&"a".repeat(1 << 19), scan), Err(EvalError::TooManySteps));
    // An error that only says that the steps are over decides nothing.
    assert_eq!(chat(&words(200), &format!("({pairs}) || [1].exists(x, x == 1)")), YES);
}
