//! Lists of entities, prefixes and networks, out of YAML and out of plain files: what they hold, and what is said of what is none.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use proptest::prelude::*;
use rasid_compiler::expression::{Expr, List};
use rasid_compiler::ruleset::Ruleset;
use rasid_compiler::{Code, Report, SourceFile, compile};
use rasid_detectors::entity::is_whole_number;
use rstest::rstest;

/// After all ends below, which are given in days of 2026.
const DAY_MS: i64 = 86_400_000;
const YEAR_MS: i64 = 1_767_225_600_000;

fn files(kind: &str, yaml: &str, entries: Option<&str>) -> Vec<SourceFile> {
    let file = |name: &str, text: String| SourceFile { name: name.to_owned(), text };
    let (on, entity, field) = match kind {
        "ip" | "ip_prefix" => ("auth.otp_requested", "phone", "ip"),
        "phone" | "phone_prefix" => ("auth.otp_requested", "phone", "phone"),
        "user" => ("auth.login_succeeded", "user", "user_id"),
        _ => ("auth.otp_requested", "phone", "purpose"),
    };
    let rule = format!("rule: auth.any\ntitle: T\non: {on}\nentity: {entity}\nwhen: data.{field} in list.those\nexplain: hit\n");
    let from = if entries.is_some() { "entries_from: those.txt\nreason: export\n" } else { "" };
    let mut files =
        vec![file("auth/any.yaml", rule), file("lists/those.yaml", format!("list: those\nkind: {kind}\n{from}entries: [{yaml}]\n"))];
    files.extend(entries.map(|text| file("lists/those.txt", text.to_owned())));
    files
}

fn list(ruleset: &Ruleset) -> Arc<List> {
    let trigger = ruleset.rules.first().and_then(|rule| rule.triggers.first());
    match trigger.and_then(|trigger| trigger.programs.first()).map(|program| &program.when) {
        Some(Expr::InList(_, list)) => Arc::clone(list),
        other => panic!("{other:?}"),
    }
}

fn good(kind: &str, yaml: &str, entries: Option<&str>) -> Arc<List> {
    list(&compile(&files(kind, yaml, entries)).unwrap_or_else(|report| panic!("{}", report.render(false))))
}

fn bad(kind: &str, entries: &str) -> Report {
    compile(&files(kind, "", Some(entries))).expect_err("a fault")
}

#[rstest]
#[case::network("ip", "203.0.113.0/22", "203.0.115.255", true)]
#[case::outside("ip", "203.0.113.0/22", "203.0.116.0", false)]
#[case::dressed("ip", "203.0.113.0/22", "::ffff:203.0.112.0", true)]
#[case::dressed_network("ip", "::ffff:203.0.112.0/118", "203.0.112.9", true)]
#[case::six("ip", "2001:db8::/32", "2001:DB8:ffff::1", true)]
#[case::around_all_mapped("ip", "::/8", "203.0.112.9", false)]
#[case::everybody("ip", "0.0.0.0/0", "255.255.255.255", true)]
#[case::no_address("ip", "0.0.0.0/0", "0.0.0.0/0", false)]
#[case::prefix_as_alerts_show_it("ip_prefix", "192.0.2.0/24", "192.0.2.0/24", true)]
#[case::address_of_a_prefix("ip_prefix", "192.0.2.0/24", "192.0.2.77", true)]
#[case::phone("phone", "+201000000042", "0100 000 0042", true)]
#[case::longer_phone("phone", "+20100000004", "+201000000042", false)]
#[case::short_prefix("phone_prefix", "+20100", "01000000042", true)]
#[case::whole_number("phone_prefix", "+201000000042", "01000000042", true)]
#[case::shorter_than_the_prefix("phone_prefix", "+201000", "+20100", false)]
#[case::words("text", "a", "a", true)]
#[case::other_word("text", "a", "A", false)]
fn an_entry_holds(#[case] kind: &str, #[case] entry: &str, #[case] value: &str, #[case] expected: bool) {
    let (yaml, plain) = (good(kind, &format!("{{value: '{entry}', reason: r}}"), None), good(kind, "", Some(&format!("{entry}\n"))));
    assert_eq!((yaml.holds(value, 0), plain.holds(value, 0)), (expected, expected));
}

#[test]
fn a_plain_file_has_comments_quotes_ends_and_windows_line_ends() {
    let text = "\u{FEFF}# of the export\r\n\r\n  \"a, \"\"b\"\" # c\" , 2026-01-02 , any, reason\r\nd # not e\r\nf,,why # not\r\n\"g\"\r\nh#i,2026-01-02T00:00:00Z\r\nh#i";
    let list = good("text", "{value: y, reason: r}, {value: d, reason: r, expires: 2026-01-02}", Some(text));
    for (value, expected) in
        [("a, \"b\" # c", true), ("d", true), ("d # not e", false), ("f", true), ("g", true), ("h#i", true), ("y", true)]
    {
        assert_eq!(list.holds(value, YEAR_MS), expected, "{value}");
    }
    // Equal entries are one, that ends with the last of them.
    assert!(list.holds("d", i64::MAX - 1) && list.holds("h#i", i64::MAX - 1) && !list.holds("a, \"b\" # c", YEAR_MS + DAY_MS));
}

#[rstest]
#[case::not_a_phone("phone", "+201000000042\nhotline\n", Code::BadEntry, (2, 1))]
#[case::indented("ip", "192.0.2.1\n  192.0.2.256\n", Code::BadEntry, (2, 3))]
#[case::too_many_bits("ip", "192.0.2.0/33", Code::BadEntry, (1, 1))]
#[case::end("user", "u-1,soon,why", Code::BadInstant, (1, 5))]
#[case::end_behind_quotes("text", "\"a, b\" , 2026-02-30", Code::BadInstant, (1, 10))]
#[case::open_quote("text", "\"a", Code::BadEntry, (1, 1))]
#[case::quote_inside("text", "a\"b", Code::BadEntry, (1, 1))]
#[case::behind_the_quote("text", "\"a\"b,", Code::BadEntry, (1, 1))]
#[case::nul("text", "ab\0c", Code::BadEntry, (1, 3))]
#[case::bidi("text", "ok\nab\u{202E}c", Code::BadEntry, (2, 3))]
#[case::lone_return("text", "a\rb", Code::BadEntry, (1, 2))]
#[case::empty("text", "\"\"", Code::BadEntry, (1, 1))]
#[case::comma("user", ",2026-01-01", Code::BadEntry, (1, 1))]
#[case::long_line("text", &"x".repeat(5_000), Code::TooMuch, (1, 1))]
#[case::too_many("text", &"x\n".repeat(2_000_001), Code::TooMuch, (2_000_001, 1))]
fn what_is_no_entry_has_a_line_and_a_column(#[case] kind: &str, #[case] text: &str, #[case] code: Code, #[case] place: (usize, usize)) {
    let report = bad(kind, text);
    let fault = &report.faults[0];
    assert_eq!((report.faults.len(), fault.code, report.position(fault)), (1, code, place), "{report}");
    assert!(report.path(fault).ends_with("lists/those.txt") && fault.help.is_some());
}

#[test]
fn a_file_of_another_kind_is_no_flood_of_faults_and_none_says_whom_it_names() {
    let text = "aya@example.com\n".repeat(100_000);
    let report = bad("ip", &text);
    assert_eq!(report.faults.len(), 20);
    assert!(!report.to_string().contains("aya"), "{report}");
}

#[test]
fn a_file_of_entries_is_named_and_there() {
    let mut without = files("ip", "", Some("192.0.2.1"));
    without.pop();
    let report = compile(&without).expect_err("it is not there");
    assert_eq!((report.faults[0].code, report.position(&report.faults[0])), (Code::Unreadable, (3, 15)), "{report}");
    let mut unnamed = files("ip", "", None);
    unnamed.push(SourceFile { name: "lists/those.csv".to_owned(), text: "192.0.2.1".to_owned() });
    let report = compile(&unnamed).expect_err("nothing names it");
    assert_eq!((report.faults[0].code, report.faults.len()), (Code::Unused, 1), "{report}");
    for file in ["../a.txt", "a.yaml", ".txt", "/etc/a.csv"] {
        let mut files = files("ip", "", None);
        files[1].text = format!("list: those\nentries_from: {file}\nreason: r\n");
        assert_eq!(compile(&files).expect_err("no name").faults[0].code, Code::BadName, "{file}");
    }
}

#[test]
fn what_is_written_for_debugging_has_no_entry() {
    let files = files("phone", "{value: '+201000000041', reason: r}", Some("+201000000042\n"));
    let said = format!("{files:?} {:?}", compile(&files).expect("good"));
    assert!(said.contains("those.txt") && !said.contains("+2010"), "{said}");
}

#[test]
fn the_ruleset_s_hash_says_which_entries() {
    let hash = |text: &str| compile(&files("ip", "", Some(text))).expect("good").hash;
    assert_eq!(hash("192.0.2.1\n"), hash("192.0.2.1\n"));
    assert_ne!(hash("192.0.2.1\n"), hash("192.0.2.2\n"));
}

/// An address of few networks, so that they lie in each other.
fn address() -> impl Strategy<Value = IpAddr> {
    let four = (0_u8..4, 0_u8..4, any::<u8>()).prop_map(|(b, c, d)| Ipv4Addr::new(10, b, c, d));
    let six = (0_u16..4, any::<u16>()).prop_map(|(b, h)| Ipv6Addr::new(0x2001, b, 0, 0, 0, 0, 0, h));
    prop_oneof![four.prop_map(IpAddr::V4), four_dressed(), six.prop_map(IpAddr::V6)]
}

fn four_dressed() -> impl Strategy<Value = IpAddr> {
    (0_u8..4, any::<u8>()).prop_map(|(c, d)| IpAddr::V6(Ipv4Addr::new(10, 0, c, d).to_ipv6_mapped()))
}

/// Its bits, after its family: what a network shares with its addresses.
fn bits(address: IpAddr) -> (bool, Vec<bool>) {
    let of = |bytes: &[u8]| bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)).collect();
    match address.to_canonical() {
        IpAddr::V4(four) => (true, of(&four.octets())),
        IpAddr::V6(six) => (false, of(&six.octets())),
    }
}

/// An end, perhaps, by the day.
fn line(value: &str, day: Option<u8>) -> String {
    day.map_or_else(|| format!("{value}\n"), |day| format!("{value},2026-01-{day:02}\n"))
}

fn is_open(day: Option<u8>, at_ms: i64) -> bool {
    day.is_none_or(|day| at_ms < YEAR_MS + (i64::from(day) - 1) * DAY_MS)
}

fn end() -> impl Strategy<Value = Option<u8>> {
    prop::option::weighted(0.8, 1_u8..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn an_address_is_in_a_list_where_a_listed_network_holds_it(
        networks in prop::collection::vec((address(), 0_u8..=128, end()), 0..40),
        addresses in prop::collection::vec(address(), 1..20),
        day in 0_i64..7,
    ) {
        // Of a mapped network of less than 96 bits no IPv4 address is one; table tests have that.
        let length = |address: &IpAddr, bits: u8| match address {
            IpAddr::V4(_) => bits % 33,
            IpAddr::V6(six) if six.to_ipv4_mapped().is_some() => 96 + bits % 33,
            IpAddr::V6(_) => bits % 129,
        };
        let text: String = networks.iter().map(|(net, bits, end)| line(&format!("{net}/{}", length(net, *bits)), *end)).collect();
        let (list, at_ms) = (good("ip", "", Some(&text)), YEAR_MS + day * DAY_MS - 1);
        for address in addresses.into_iter().chain(networks.iter().map(|(net, ..)| *net)) {
            let expected = networks.iter().any(|(net, length_drawn, end)| {
                let shared = usize::from(length(net, *length_drawn)) - if net.is_ipv6() && net.to_canonical().is_ipv4() { 96 } else { 0 };
                let ((family, bits), (of_net, of_bits)) = (bits(address), bits(*net));
                family == of_net && bits[..shared] == of_bits[..shared] && is_open(*end, at_ms)
            });
            prop_assert_eq!(list.holds(&address.to_string(), at_ms), expected, "{} in\n{}", address, text);
        }
    }

    #[test]
    fn a_number_is_in_a_list_where_it_begins_with_a_listed_prefix(
        prefixes in prop::collection::vec(("[12][0-2]{0,5}", end()), 0..40),
        numbers in prop::collection::vec("[12][0-2]{2,12}", 1..20),
        day in 0_i64..7,
        is_exact in any::<bool>(),
    ) {
        // `+200…` and its like are written with a trunk zero, and read without.
        let written = |digits: &str| match ["200", "2110", "2120"].iter().find_map(|code| Some((code, digits.strip_prefix(code)?))) {
            Some((code, rest)) => format!("+{}1{rest}", code.strip_suffix("0").unwrap_or(code)),
            None => format!("+{digits}"),
        };
        let text: String = prefixes.iter().map(|(prefix, end)| line(&written(prefix), *end)).collect();
        let list = good(if is_exact { "phone" } else { "phone_prefix" }, "", Some(&text));
        let at_ms = YEAR_MS + day * DAY_MS - 1;
        for number in numbers.iter().chain(prefixes.iter().map(|(prefix, _)| prefix)).map(|digits| written(digits)) {
            let expected = prefixes.iter().any(|(prefix, end)| {
                let prefix = written(prefix);
                (if is_exact { number == prefix } else { number.starts_with(&prefix) && is_whole_number(&number) }) && is_open(*end, at_ms)
            });
            prop_assert_eq!(list.holds(&number, at_ms), expected, "{} in\n{}", number, text);
        }
    }

    #[test]
    fn a_word_is_in_a_list_that_has_it(
        words in prop::collection::vec(("[a-cé]{1,3}", end()), 0..40),
        asked in prop::collection::vec("[a-cé]{1,3}", 1..20),
        day in 0_i64..7,
    ) {
        let text: String = words.iter().map(|(word, end)| line(word, *end)).collect();
        let (list, at_ms) = (good("text", "", Some(&text)), YEAR_MS + day * DAY_MS - 1);
        for word in asked {
            let expected = words.iter().any(|(other, end)| *other == word && is_open(*end, at_ms));
            prop_assert_eq!(list.holds(&word, at_ms), expected, "{} in\n{}", word, text);
        }
    }

    #[test]
    fn no_bytes_make_it_panic_and_every_fault_lies_in_the_file(text in "[a1:./,\"# \\n\\r\\t\\x00é\u{202E}+-]{0,80}", kind in 0_usize..4) {
        let kind = ["text", "ip", "phone", "phone_prefix"][kind];
        if let Err(report) = compile(&files(kind, "", Some(&text))) {
            prop_assert!(report.faults.iter().all(|fault| fault.span.end <= text.len() && text.is_char_boundary(fault.span.start)), "{}", report);
        }
    }
}

/// Of this process, from `/proc`, kB.
fn memory_kb(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let found = status.lines().find_map(|other| other.strip_prefix(line)).expect("a line");
    found.trim_end_matches("kB").trim().parse().expect("a number")
}

/// What a million entries take, under bounds that are far above what was measured: the machine may have other things to do. Figures are
/// said by `cargo test -p rasid-compiler --test lists million -- --nocapture --test-threads 1`, with `--release` for those of a release.
#[rstest]
#[case::phones("phone", |number: u32| format!("+2010{:08}", u64::from(number) * 61 % 100_000_000))]
#[case::networks("ip", |number: u32| format!("{}/24", Ipv4Addr::from_bits(number << 9)))] // apart: what adjoins is one range
#[case::networks_of_ipv6("ip", |number: u32| format!("2001:db8:{:x}:{:x}::/64", number >> 15, number << 1 & 0xFFFF))]
#[case::users("user", |number: u32| format!("u_{number:010x}"))]
fn a_million_entries_are_loaded_and_found(#[case] kind: &str, #[case] entry: fn(u32) -> String) {
    a_million(kind, entry);
}

#[expect(clippy::print_stdout, clippy::disallowed_methods, reason = "the figures that docs/rules.md quotes")]
fn a_million(kind: &str, entry: fn(u32) -> String) {
    const ENTRIES: u32 = 1_000_000;
    let folder = tempfile::tempdir().expect("a folder");
    let asked: Vec<String> = {
        let text: String = (0..ENTRIES).map(|number| entry(number) + "\n").collect();
        for file in files(kind, "", Some(&text)) {
            let path = folder.path().join(&file.name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, file.text).expect("a file");
        }
        (0..ENTRIES).step_by(101).map(|number| entry(number).split('/').next().unwrap_or_default().to_owned()).collect()
    };
    let before_kb = memory_kb("VmRSS:");
    let began = std::time::Instant::now();
    let ruleset = rasid_compiler::load(folder.path()).expect("good");
    let loaded = began.elapsed();
    let (held_kb, most_kb) = (memory_kb("VmRSS:") - before_kb, memory_kb("VmHWM:") - before_kb);
    let list = list(&ruleset);
    let began = std::time::Instant::now();
    let found = asked.iter().filter(|value| list.holds(value, 0)).count();
    let each = began.elapsed() / u32::try_from(asked.len()).expect("few");
    println!("{kind}: loaded in {loaded:.2?}, held {held_kb} kB with the files' text, at most {most_kb} kB, a look-up {each:?}");
    assert_eq!(found, asked.len());
    assert!(!list.holds("192.0.2", 0) && !list.holds("+209", 0));
    assert!(loaded.as_secs() < 30 && held_kb < 200_000 && each.as_micros() < 100, "{loaded:?} {held_kb} {each:?}");
}
