//! Addresses, links and names elsewhere, by chains of one to three tricks, in any sentence; and what looks like them.

#![allow(
    clippy::indexing_slicing,
    clippy::explicit_auto_deref,
    reason = "a test that panics fails; without the star, a text is taken for its own type"
)]

use crate::support::{Rng, Table, carriers, found, kept_out, seed};

const CARRIERS: &str = include_str!("address_carriers.tsv");
const HONEST: &str = include_str!("honest_addresses.tsv");

/// First names and second parts that names on networks are made of.
const NAMES: [&str; 16] = [
    "karim", "nour", "mostafa", "heba", "sherif", "dina", "tarek", "yasmin", "ramy", "salma", "hatem", "mai", "bassem", "reem", "wael",
    "farida",
];
const SECOND: [&str; 12] =
    ["sabry", "elnaggar", "fouad", "decor", "ezzat", "workshop", "elsayed", "painter", "zaki", "crafts", "shawky", "homes"];

/// A name as people have it: with or without figures and marks. With `marks`, it has some.
pub(crate) fn name(rng: &mut Rng, marks: bool) -> String {
    let (first, second) = (*rng.pick(&NAMES), *rng.pick(&SECOND));
    match rng.below(if marks { 4 } else { 2 }) + usize::from(marks) * 2 {
        0 => format!("{first}{second}"),
        1 => format!("{second}{first}"),
        2 => format!("{first}.{second}"),
        3 => format!("{first}_{second}"),
        4 => format!("{first}{second}{}", rng.digits(2)),
        _ => format!("{first}_{second}{}", rng.digits(2)),
    }
}

/// A text with one mark, or a wider glyph, for each letter.
fn zero_width(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_alphabetic() { vec![c, '\u{200b}'] } else { vec![c] }).collect()
}

fn full_width(text: &str) -> String {
    let wide = |c: char| if c.is_ascii_graphic() { char::from_u32(u32::from(c) + 0xFEE0).unwrap_or(c) } else { c };
    text.chars().map(wide).collect()
}

/// A chain of one to three tricks, and whether it is kept out.
fn chain(rng: &mut Rng, tricks: &[&'static str], clash: impl Fn(&[&str]) -> bool) -> (Vec<&'static str>, bool) {
    loop {
        let mut chosen: Vec<&str> = (0..rng.between(1, 3)).map(|_| *rng.pick(tricks)).collect();
        chosen.sort_unstable();
        chosen.dedup();
        if !clash(&chosen) {
            // Single tricks are what tuning is about: only combinations are kept out.
            let out = chosen.len() > 1 && kept_out(&chosen.join("+"), 2);
            return (chosen, out);
        }
    }
}

const MAIL_TRICKS: [&str; 13] = [
    "plain",
    "capitals",
    "at_word",
    "at_brackets",
    "dot_word",
    "spaces",
    "comma",
    "host_typo",
    "end_typo",
    "host_split",
    "arabic_host",
    "no_end",
    "zero_width",
];

fn mail(rng: &mut Rng, tricks: &[&str], language: &str) -> String {
    let has = |trick: &str| tricks.contains(&trick);
    let provider = rng.below(4);
    let mut host = ["gmail", "yahoo", "hotmail", "outlook"][provider];
    let (mut at, mut dot, mut end) = ("@", ".", "com");
    if has("at_word") {
        at = if language == "arabic" { *rng.pick(&[" آت ", " ات ", " at "]) } else { *rng.pick(&[" at ", " AT ", " At "]) };
    }
    if has("at_brackets") {
        at = *rng.pick(&["(at)", "[at]", "{at}", " (at) ", "[@]", "<at>"]);
    }
    if has("dot_word") {
        dot = if language == "arabic" {
            *rng.pick(&[" دوت ", " نقطة ", " dot "])
        } else {
            *rng.pick(&[" dot ", "(dot)", "[dot]", " DOT "])
        };
    }
    if has("comma") {
        dot = *rng.pick(&[",", " , ", ";", ", "]);
    }
    if has("host_typo") {
        let typos: &[&str] = match provider {
            0 => &["gmial", "gamil", "gmai", "gnail", "gmal", "gmaill", "jmail", "gimail"],
            1 => &["yaho", "yahooo", "yhoo", "yahou", "yaahoo"],
            2 => &["hotmial", "hotmal", "hotmai", "hotmil", "hotmeil"],
            _ => &["outlok", "outloook", "outlock", "oulook"],
        };
        host = *rng.pick(typos);
    }
    if has("host_split") {
        host = ["g mail", "ya hoo", "hot mail", "out look"][provider];
    }
    if has("arabic_host") {
        host = ["جيميل", "ياهو", "هوتميل", "اوتلوك"][provider];
        end = *rng.pick(&["كوم", "com"]);
    }
    if has("end_typo") {
        end = *rng.pick(&["con", "cm", "comm", "vom", "cim", "coom"]);
    }
    if has("no_end") {
        (dot, end) = ("", "");
    }
    let mut local = name(rng, true);
    if has("spaces") {
        at = match at {
            "@" => " @ ",
            other => other,
        };
        dot = match dot {
            "." => " . ",
            other => other,
        };
    }
    if has("capitals") {
        local = local.to_uppercase();
    }
    let whole = format!("{local}{at}{host}{dot}{end}");
    if has("zero_width") { zero_width(&whole) } else { whole }
}

fn mails_clash(tricks: &[&str]) -> bool {
    let many = |of: &[&str]| tricks.iter().filter(|trick| of.contains(trick)).count() > 1;
    many(&["host_typo", "host_split", "arabic_host"])
        || many(&["dot_word", "comma", "no_end"])
        || many(&["at_word", "at_brackets"])
        || many(&["end_typo", "arabic_host", "no_end"])
        || (tricks.contains(&"plain") && tricks.len() > 1)
        // Nothing but the context is left of it.
        || (tricks.contains(&"no_end") && tricks.contains(&"host_typo"))
}

const LINK_TRICKS: [&str; 11] =
    ["plain", "https", "capitals", "spaces", "dot_word", "slash_word", "dot_brackets", "comma", "hxxp", "zero_width", "full_width"];

fn link(rng: &mut Rng, tricks: &[&str], language: &str) -> String {
    let has = |trick: &str| tricks.contains(&trick);
    let who = name(rng, true);
    let phone = format!("2010{}", rng.digits(8));
    let code = format!("{}{}", *rng.pick(&["Ax", "dk", "Qw", "zT"]), rng.digits(4));
    let hosts: [(&str, String); 24] = [
        ("wa.me", phone.clone()),
        ("wa.link", code.clone()),
        ("t.me", who.clone()),
        ("m.me", who.clone()),
        ("linktr.ee", who.clone()),
        ("instagram.com", who.clone()),
        ("facebook.com", who.clone()),
        ("fb.me", who.clone()),
        ("tiktok.com", format!("@{who}")),
        ("snapchat.com", format!("add/{who}")),
        ("telegram.me", who.clone()),
        ("ipn.eg", format!("S/{who}/instapay/{code}")),
        ("bit.ly", code.clone()),
        ("tinyurl.com", code.clone()),
        ("discord.gg", code.clone()),
        ("wa.me", format!("message/{}", code.to_uppercase())),
        ("linkedin.com", format!("in/{who}")),
        ("solo.to", who.clone()),
        ("bio.link", who.clone()),
        ("t.me", format!("+{phone}")),
        ("cutt.ly", code.clone()),
        ("x.com", who.clone()),
        ("msng.link", format!("o/{code}")),
        ("threads.net", format!("@{who}")),
    ];
    let (host, path) = rng.pick(&hosts);
    let mut dot = ".";
    let mut slash = "/";
    if has("spaces") {
        (dot, slash) = (" . ", " / ");
    }
    if has("dot_word") {
        dot = if language == "arabic" { *rng.pick(&[" دوت ", " نقطة ", " dot "]) } else { *rng.pick(&[" dot ", " DOT ", "(dot)"]) };
    }
    if has("slash_word") {
        slash = if language == "arabic" { *rng.pick(&[" سلاش ", " slash "]) } else { " slash " };
    }
    if has("dot_brackets") {
        dot = *rng.pick(&["[.]", "(.)", "{.}"]);
    }
    if has("comma") {
        dot = *rng.pick(&[",", " ,"]);
    }
    let head = if has("https") {
        "https://"
    } else if has("hxxp") {
        "hxxps://"
    } else {
        ""
    };
    let mut whole = format!("{head}{}{slash}{path}", host.replace('.', dot));
    if has("capitals") {
        whole = whole.to_uppercase();
    }
    if has("zero_width") {
        whole = zero_width(&whole);
    }
    if has("full_width") {
        whole = full_width(&whole);
    }
    whole
}

fn links_clash(tricks: &[&str]) -> bool {
    let many = |of: &[&str]| tricks.iter().filter(|trick| of.contains(trick)).count() > 1;
    many(&["spaces", "dot_word", "dot_brackets", "comma"])
        || many(&["spaces", "slash_word"])
        || many(&["https", "hxxp"])
        || (tricks.contains(&"plain") && tricks.len() > 1)
}

/// Links that name no host: an app opens them.
fn deep_link(rng: &mut Rng) -> String {
    let (who, phone) = (name(rng, true), format!("2012{}", rng.digits(8)));
    let links = [
        format!("tg://resolve?domain={who}"),
        format!("whatsapp://send?phone={phone}"),
        format!("viber://chat?number=%2B{phone}"),
        format!("skype:{who}?call"),
        format!("fb-messenger://user/{who}"),
        format!("snapchat://add/{who}"),
        format!("instagram://user?username={who}"),
        format!("tel:+{phone}"),
        format!("sms:+{phone}"),
        format!("mailto:{who}@gmail.com"),
        format!("api.whatsapp.com/send?phone={phone}"),
        format!("tg:resolve?domain={who}"),
    ];
    rng.pick(&links).clone()
}

/// A name on a platform, by how it is said.
fn handle(rng: &mut Rng, language: &str) -> (&'static str, String) {
    let arabic = ["انستا", "الانستا", "سناب", "تليجرام", "فيس بوك", "الفيس", "تيك توك", "تويتر", "ماسنجر"];
    let mine_arabic =
        ["سنابي", "انستاي", "تليجرامي", "فيسي", "يوزري انستا", "الانستا بتاعي", "السناب بتاعي", "التيليجرام بتاعي", "اكونتي على الفيس"];
    let latin = ["insta", "ig", "snap", "telegram", "tele", "fb", "facebook", "tiktok", "twitter", "instagram", "snapchat", "messenger"];
    let mine_franco =
        ["instaty", "snapy", "el insta beta3y", "el snap beta3i", "telegramy", "el face bta3y", "7esaby 3ala insta", "el tele beta3y"];
    let marks = rng.chance(50);
    let who = name(rng, marks);
    let form = if marks { "marked name" } else { "lettered name" };
    let text = match (language, rng.below(4)) {
        ("arabic", 0) => format!("{} {who}", rng.pick(&arabic)),
        ("arabic", 1) => format!("{} {who}", rng.pick(&mine_arabic)),
        ("arabic", 2) => format!("{} على {}", who, rng.pick(&arabic)),
        ("arabic", _) => format!("{} {} {who}", *rng.pick(&["ضيفني", "تابعني", "دور عليا", "هتلاقيني"]), rng.pick(&arabic)),
        ("franco", 0) => format!("{} {who}", rng.pick(&latin)),
        ("franco", 1) => format!("{} {who}", rng.pick(&mine_franco)),
        ("franco", 2) => format!("{who} 3ala {}", rng.pick(&latin)),
        ("franco", _) => format!("{} 3ala {} {who}", *rng.pick(&["defny", "tab3ny", "dawar 3alaya", "hatla2eeny"]), rng.pick(&latin)),
        (_, 0) => format!("my {} is {who}", rng.pick(&latin)),
        (_, 1) => format!("{} on {}", who, rng.pick(&latin)),
        (_, 2) => format!("{} {who} on {}", *rng.pick(&["add", "follow", "find", "look for"]), rng.pick(&latin)),
        (_, _) => format!("{} {} {who}", rng.pick(&latin), *rng.pick(&["->", ":", "=", "is", "@"])),
    };
    (form, text)
}

/// A name that takes money.
fn payment(rng: &mut Rng, language: &str) -> String {
    let who = name(rng, true);
    match (language, rng.below(4)) {
        (_, 0) => format!("{who}@instapay"),
        (_, 1) => format!("{who} @ instapay"),
        ("arabic", 2) => format!("انستاباي {who}"),
        ("arabic", _) => format!("حول على {who}@instapay"),
        ("franco", 2) => format!("instapay beta3y {who}"),
        ("franco", _) => format!("7awel 3ala {who}@instapay"),
        (_, 2) => format!("my instapay is {who}"),
        (_, _) => format!("ipa {who}@instapay"),
    }
}

#[test]
fn addresses_and_names_are_found_whatever_hides_them() {
    let carriers = carriers(CARRIERS);
    let mut rng = Rng::new(seed(), "addresses");
    let mut table = Table::default();
    for _ in 0..12_000 {
        let carrier = rng.pick(&carriers);
        let (rows, payload, out) = match rng.below(10) {
            0..=3 => {
                let (tricks, out) = chain(&mut rng, &MAIL_TRICKS, mails_clash);
                let payload = mail(&mut rng, &tricks, carrier.language);
                (tricks.iter().map(|trick| format!("mail {trick}")).collect(), payload, out)
            }
            4..=6 => {
                let (tricks, out) = chain(&mut rng, &LINK_TRICKS, links_clash);
                let payload = link(&mut rng, &tricks, carrier.language);
                (tricks.iter().map(|trick| format!("link {trick}")).collect(), payload, out)
            }
            7 => (vec!["link of an app".to_owned()], deep_link(&mut rng), false),
            8 => {
                let (form, payload) = handle(&mut rng, carrier.language);
                (vec![format!("{form} {}", carrier.language)], payload, false)
            }
            _ => (vec!["payment name".to_owned()], payment(&mut rng, carrier.language), false),
        };
        let text = carrier.with(&payload);
        let hit = found(&text).is_some();
        for row in rows {
            table.count(&row, out || carrier.kept_out, hit, !hit, || text.clone());
        }
    }
    table.print("addresses and names", 12);
    for row in table.rows() {
        let (tuned, kept) = (table.share(row, false).0, table.share(row, true).0);
        assert!(tuned >= RECALL_MIN && kept >= RECALL_MIN - 2.0, "{row}: {tuned}, {kept}");
    }
}

#[test]
fn what_only_looks_like_an_address_is_none() {
    let mut rng = Rng::new(seed(), "honest addresses");
    let mut table = Table::default();
    for line in HONEST.lines().filter(|line| !line.starts_with('#')) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [_, class, sentence] = columns[..] else { panic!("three columns: {line}") };
        for _ in 0..60 {
            let text = sentence
                .replace(
                    "{ch}",
                    *rng.pick(&["facebook", "instagram", "whatsapp", "snapchat", "telegram", "tiktok", "فيسبوك", "انستجرام", "واتساب"]),
                )
                .replace(
                    "{shop}",
                    *rng.pick(&["noon.com", "amazon.eg", "jumia.com.eg", "ikea.com", "btech.com", "homzmart.com", "2b.com.eg"]),
                )
                .replace("{id}", &format!("{}{}{}", *rng.pick(&["B0C", "N", "xk", "Zq"]), rng.digits(5), *rng.pick(&["A", "b", "Fd", ""])))
                .replace("{n}", &rng.digits(3))
                .replace("{w}", *rng.pick(&NAMES));
            let hit = found(&text).is_some();
            table.count(class, kept_out(sentence, 3), hit, hit, || text.clone());
        }
    }
    table.print("what only looks like an address, false", 8);
    for row in table.rows() {
        let (tuned, kept) = (table.share(row, false).0, table.share(row, true).0);
        assert!(tuned <= FALSE_MAX && kept <= FALSE_MAX, "{row}: {tuned}, {kept}");
    }
}

/// Least recall of a trick, per cent.
const RECALL_MIN: f64 = 97.0;
/// Most false finds of a class, per cent.
const FALSE_MAX: f64 = 1.0;
