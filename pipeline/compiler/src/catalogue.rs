//! What the language has, as its users read it: every function with its types and an example that a test runs, the loops,
//! and what is refused. The checker's help, the rule reference and the tests are made from these tables.

use crate::cel::{BYTES_MAX, HEIGHT_MAX, NESTING_MAX};
use crate::function::PATTERN_BYTES_MAX;
use crate::items::{LIST_ELEMENTS_MAX, LOOP_STEPS_MAX, TEXT_BYTES_MAX};

/// A function, a method, or a loop.
#[derive(Clone, Copy, Debug)]
pub struct Documented {
    /// Its name.
    pub name: &'static str,
    /// How it is called, with types.
    pub forms: &'static [&'static str],
    /// One call, for the help of a fault.
    pub usage: &'static str,
    /// What it gives.
    pub about: &'static str,
    /// Conditions that hold.
    pub examples: &'static [&'static str],
}

const PARTS_OF_DURATIONS: &str = "of a timestamp in UTC, or in the zone that is named; of a duration all of it, towards zero";

macro_rules! documented {
    ($($name:literal: [$($form:literal),*], $usage:literal, $about:expr, [$($example:literal),*];)*) => {
        &[$(Documented { name: $name, forms: &[$($form),*], usage: $usage, about: $about, examples: &[$($example),*] },)*]
    };
}

/// The functions, by what they are of.
pub const FUNCTIONS: &[Documented] = documented! {
    "has": ["has(field) -> bool"], "has(data.field)", "Whether an optional field is there.", ["!has(data.ip) || data.ip != \"\""];
    "size": ["size(string) -> int", "size(list) -> int", "string.size() -> int", "list.size() -> int"], "size(text), text.size(), size(list)", "Characters of a text (code points), elements of a list.", ["size(\"é\") == 1", "[1, 2].size() == 2"];
    "startsWith": ["string.startsWith(string) -> bool"], "text.startsWith(\"beginning\")", "Whether a text begins so.", ["\"pay_42\".startsWith(\"pay_\")"];
    "endsWith": ["string.endsWith(string) -> bool"], "text.endsWith(\"end\")", "Whether it ends so.", ["\"a@b.eg\".endsWith(\".eg\")"];
    "contains": ["string.contains(string) -> bool"], "text.contains(\"part\")", "Whether that is in it.", ["\"call me\".contains(\"me\")"];
    "matches": ["string.matches(pattern) -> bool", "matches(string, pattern) -> bool"], "text.matches(\"pattern\")", "Whether a pattern matches somewhere: a literal or a parameter, in the syntax of the regex crate, without look-around and back-references; time grows with the text alone.", ["\"01012345678\".matches(\"^01[0-9]{9}$\")"];
    "charAt": ["string.charAt(int) -> string"], "text.charAt(0)", "The character at a place from 0; empty at the end, an error beyond it.", ["\"tea\".charAt(1) == \"e\""];
    "indexOf": ["string.indexOf(string) -> int", "string.indexOf(string, int) -> int"], "text.indexOf(\"part\")", "Where it stands first, at or after a place; -1 where it does not.", ["\"a-b-c\".indexOf(\"-\") == 1", "\"a-b-c\".indexOf(\"-\", 2) == 3"];
    "lastIndexOf": ["string.lastIndexOf(string) -> int", "string.lastIndexOf(string, int) -> int"], "text.lastIndexOf(\"part\")", "Where it stands last, at or before a place; -1 where it does not.", ["\"a-b-c\".lastIndexOf(\"-\") == 3", "\"a-b-c\".lastIndexOf(\"-\", 2) == 1"];
    "lowerAscii": ["string.lowerAscii() -> string"], "text.lowerAscii()", "A to Z as a to z; all else as it is.", ["\"CARD\".lowerAscii() == \"card\""];
    "upperAscii": ["string.upperAscii() -> string"], "text.upperAscii()", "a to z as A to Z; all else as it is.", ["\"egp\".upperAscii() == \"EGP\""];
    "replace": ["string.replace(string, string) -> string", "string.replace(string, string, int) -> string"], "text.replace(\"old\", \"new\")", "With one text in place of another, everywhere or so many times from the left.", ["\"010 123\".replace(\" \", \"\") == \"010123\"", "\"aaa\".replace(\"a\", \"b\", 2) == \"bba\""];
    "split": ["string.split(string) -> list", "string.split(string, int) -> list"], "text.split(\",\")", "The parts between separators, so many at most.", ["\"a,b,c\".split(\",\") == [\"a\", \"b\", \"c\"]", "\"a,b,c\".split(\",\", 2)[1] == \"b,c\""];
    "join": ["list.join() -> string", "list.join(string) -> string"], "list.join(\",\")", "The texts of a list in one, with a separator.", ["[\"a\", \"b\"].join(\"-\") == \"a-b\""];
    "substring": ["string.substring(int) -> string", "string.substring(int, int) -> string"], "text.substring(0, 3)", "From a place, up to another one that is no part of it; an error outside the text.", ["\"+20101\".substring(1) == \"20101\"", "\"+20101\".substring(1, 3) == \"20\""];
    "trim": ["string.trim() -> string"], "text.trim()", "Without white space at both ends.", ["\" a \".trim() == \"a\""];
    "reverse": ["string.reverse() -> string"], "text.reverse()", "Its characters from the last to the first.", ["\"abc\".reverse() == \"cba\""];
    "int": ["int(double) -> int", "int(string) -> int", "int(timestamp) -> int", "int(int) -> int"], "int(x) of a double, a text or a timestamp", "Towards zero; of a timestamp whole seconds since 1970. A text that is no whole number and what does not fit are errors.", ["int(-1.9) == -1", "int(\"42\") == 42", "int(timestamp(\"1970-01-01T00:01:00Z\")) == 60"];
    "double": ["double(int) -> double", "double(string) -> double", "double(double) -> double"], "double(x) of an int or a text", "The nearest double.", ["double(3) / 2.0 == 1.5", "double(\"1e3\") == 1000.0"];
    "string": ["string(bool) -> string", "string(int) -> string", "string(double) -> string", "string(timestamp) -> string", "string(duration) -> string", "string(string) -> string"], "string(x) of a bool, a number, a timestamp or a duration", "As text: doubles in the fewest digits, timestamps as RFC 3339 in UTC, durations in seconds.", ["string(42) == \"42\"", "string(duration(\"1.5s\")) == \"1.5s\""];
    "bool": ["bool(string) -> bool", "bool(bool) -> bool"], "bool(x) of a text", "`true`, `True`, `TRUE`, `t`, `1`, and the same of false; anything else is an error.", ["bool(\"true\")"];
    "dyn": ["dyn(any) -> dyn"], "dyn(x)", "The value itself, of a type that is found when it is read: compared with one of another type it differs.", ["dyn(1) == 1.0 && dyn(1) != \"1\""];
    "timestamp": ["timestamp(string) -> timestamp", "timestamp(int) -> timestamp", "timestamp(timestamp) -> timestamp"], "timestamp(\"2026-11-21T10:00:00Z\")", "An instant in RFC 3339, or so many seconds after 1970; the years 1 to 9999. What an event brings is kept to the millisecond.", ["timestamp(\"2026-11-21T12:00:00+02:00\") == timestamp(\"2026-11-21T10:00:00Z\")"];
    "duration": ["duration(string) -> duration", "duration(duration) -> duration"], "duration(\"10m\")", "A span in h, m, s and ms; there is no d.", ["duration(\"90s\") == duration(\"1m30s\")", "timestamp(\"2026-11-21T10:00:00Z\") + duration(\"1h\") > timestamp(\"2026-11-21T10:30:00Z\")"];
    "getFullYear": ["timestamp.getFullYear() -> int", "timestamp.getFullYear(zone) -> int"], "time.getFullYear(\"Africa/Cairo\")", "The year.", ["timestamp(\"2026-12-31T23:00:00Z\").getFullYear(\"Africa/Cairo\") == 2027"];
    "getMonth": ["timestamp.getMonth() -> int", "timestamp.getMonth(zone) -> int"], "time.getMonth(\"Africa/Cairo\")", "The month from 0, January.", ["timestamp(\"2026-11-21T10:00:00Z\").getMonth() == 10"];
    "getDate": ["timestamp.getDate() -> int", "timestamp.getDate(zone) -> int"], "time.getDate(\"Africa/Cairo\")", "The day of the month from 1.", ["timestamp(\"2026-11-21T10:00:00Z\").getDate() == 21"];
    "getDayOfMonth": ["timestamp.getDayOfMonth() -> int", "timestamp.getDayOfMonth(zone) -> int"], "time.getDayOfMonth(\"Africa/Cairo\")", "The day of the month from 0.", ["timestamp(\"2026-11-21T10:00:00Z\").getDayOfMonth() == 20"];
    "getDayOfWeek": ["timestamp.getDayOfWeek() -> int", "timestamp.getDayOfWeek(zone) -> int"], "time.getDayOfWeek(\"Africa/Cairo\")", "The day of the week from 0, Sunday; Friday is 5.", ["timestamp(\"2026-11-21T10:00:00Z\").getDayOfWeek() == 6"];
    "getDayOfYear": ["timestamp.getDayOfYear() -> int", "timestamp.getDayOfYear(zone) -> int"], "time.getDayOfYear(\"Africa/Cairo\")", "The day of the year from 0.", ["timestamp(\"2026-01-01T10:00:00Z\").getDayOfYear() == 0"];
    "getHours": ["timestamp.getHours() -> int", "timestamp.getHours(zone) -> int", "duration.getHours() -> int"], "time.getHours(\"Africa/Cairo\")", PARTS_OF_DURATIONS, ["timestamp(\"2026-07-01T22:30:00Z\").getHours(\"Africa/Cairo\") == 1", "timestamp(\"2026-07-01T22:30:00Z\").getHours(\"+02:00\") == 0", "duration(\"90m\").getHours() == 1"];
    "getMinutes": ["timestamp.getMinutes() -> int", "timestamp.getMinutes(zone) -> int", "duration.getMinutes() -> int"], "time.getMinutes()", PARTS_OF_DURATIONS, ["duration(\"90m\").getMinutes() == 90"];
    "getSeconds": ["timestamp.getSeconds() -> int", "timestamp.getSeconds(zone) -> int", "duration.getSeconds() -> int"], "time.getSeconds()", PARTS_OF_DURATIONS, ["duration(\"90m\").getSeconds() == 5400"];
    "getMilliseconds": ["timestamp.getMilliseconds() -> int", "timestamp.getMilliseconds(zone) -> int", "duration.getMilliseconds() -> int"], "time.getMilliseconds()", "The milliseconds within the second, of a duration too.", ["duration(\"1.5s\").getMilliseconds() == 500"];
    "distance_m": ["distance_m(place, place) -> double"], "distance_m(data.location, [30.04, 31.24])", "Great-circle metres between two places: `data.location`, `data` itself where that has `lat` and `lon`, a point of `data.points`, or `[latitude, longitude]`. Not CEL's own. A place is never shown.", ["distance_m([30.0444, 31.2357], [31.2001, 29.9187]) > 179000.0"];
    "in_currency": ["in_currency(int, string, currency) -> int"], "in_currency(data.amount, data.currency, \"EGP\")", "An amount in the smallest unit of its currency, in that of another one, by the newest rates of `rates.yaml` that began by the event's time; rounded half away from zero. An error where there is no rate: the condition is no hit, unless the other side of `||` is true. Not CEL's own. The examples take a dollar for 47.85 EGP.", ["in_currency(10000, \"USD\", \"EGP\") == 478500", "in_currency(478500, \"EGP\", \"USD\") == 10000"];
};

/// The loops over a list.
pub const LOOPS: &[Documented] = documented! {
    "all": ["list.all(x, bool) -> bool"], "list.all(x, x > 0)", "Whether it holds of every element; true of an empty list.", ["[1, 2].all(x, x > 0)"];
    "exists": ["list.exists(x, bool) -> bool"], "list.exists(x, x > 0)", "Whether it holds of one or more.", ["[\"a\", \"b\"].exists(x, x == \"b\")"];
    "exists_one": ["list.exists_one(x, bool) -> bool", "list.existsOne(x, bool) -> bool"], "list.exists_one(x, x > 0)", "Whether it holds of exactly one.", ["[1, 2, 3].exists_one(x, x > 2)"];
    "filter": ["list.filter(x, bool) -> list"], "list.filter(x, x > 0)", "Those of which it holds.", ["[1, 2, 3].filter(x, x > 1) == [2, 3]"];
    "map": ["list.map(x, value) -> list", "list.map(x, bool, value) -> list"], "list.map(x, x + 1)", "A value of each, or of each of which it holds.", ["[1, 2].map(x, x * 2) == [2, 4]", "[1, 2].map(x, x > 1, x * 2) == [4]"];
};

/// Functions that CEL has and rules do not, with what to write instead.
pub const REFUSED: [(&str, &str); 11] = [
    ("format", "put texts together by +, with string(x) of numbers"),
    ("quote", "texts need no quoting here"),
    ("type", "types are known when the rule is checked"),
    ("uint", "write int(x): there are no unsigned numbers"),
    ("bytes", "there are no bytes: texts are compared as texts"),
    ("exists", "a loop names one variable: list.exists(x, x > 0)"),
    ("all", "a loop names one variable: list.all(x, x > 0)"),
    ("existsOne", "a loop names one variable: list.exists_one(x, x > 0)"),
    ("transformList", "write list.map(x, …)"),
    ("transformMap", "conditions take no maps"),
    ("getTime", "a timestamp has getHours(), getMinutes(), getDate() and their kin"),
];

/// What else CEL has and rules do not, as its fault names it, with an expression that has it.
pub const REFUSED_FORMS: [(&str, &str); 7] = [
    ("an unsigned number", "1u == 1u"),
    ("a bytes literal", "b'a' == b'a'"),
    ("null", "data.user_id == null"),
    ("a map", "{'a': 1} == {'a': 1}"),
    ("a message", "Place{lat: 1.0} == Place{lat: 1.0}"),
    ("a list of lists", "[[1]] == [[1]]"),
    ("a field's name that is not written out", "data[data.user_id] == 1"),
];

/// The bounds of an expression and of what it makes.
pub fn limits() -> Vec<(&'static str, String)> {
    vec![
        ("length of an expression, bytes", BYTES_MAX.to_string()),
        ("brackets in brackets", NESTING_MAX.to_string()),
        ("operators in operators", HEIGHT_MAX.to_string()),
        ("a compiled pattern, bytes", PATTERN_BYTES_MAX.to_string()),
        ("a text that is made, bytes", TEXT_BYTES_MAX.to_string()),
        ("elements of a list that is made (its texts together are as long as one text at most)", LIST_ELEMENTS_MAX.to_string()),
        (
            "steps of a loop with all loops in it: one for each part of its body and round, and one for 64 bytes of text",
            LOOP_STEPS_MAX.to_string(),
        ),
    ]
}

/// A function by its name.
pub fn find(name: &str) -> Option<&'static Documented> {
    FUNCTIONS.iter().find(|known| known.name == name)
}

/// What to write in place of a function that is refused.
pub(crate) fn refused(name: &str) -> Option<&'static str> {
    REFUSED.iter().find(|(refused, _)| *refused == name).map(|(_, instead)| *instead)
}
