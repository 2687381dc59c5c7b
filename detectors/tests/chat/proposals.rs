//! Proposals to go on, deal or pay elsewhere, and honest talk in the same words: sentences of a grammar, spelt as people do.

#![allow(
    clippy::indexing_slicing,
    clippy::explicit_auto_deref,
    reason = "a test that panics fails; without the star, a text is taken for its own type"
)]

use crate::support::{Rng, Table, found, kept_out, seed};

const PROPOSALS: &str = include_str!("proposals.tsv");
const HONEST: &str = include_str!("honest_words.tsv");

fn fillers(language: &str, slot: &str) -> &'static [&'static str] {
    match (language, slot) {
        ("arabic", "{ch}") => {
            &["واتس", "الواتس", "الواتساب", "واتساب", "التليجرام", "تليجرام", "الماسنجر", "انستا", "الفيس", "سناب", "ايمو", "فايبر"]
        }
        ("arabic", "{out}") => &[
            "بره التطبيق",
            "برا الابلكيشن",
            "خارج التطبيق",
            "بعيد عن التطبيق",
            "من غير التطبيق",
            "بدون الأبلكيشن",
            "بره البرنامج",
            "من ورا التطبيق",
        ],
        ("arabic", "{pay}") => &["فودافون كاش", "على انستاباي", "انستا باي", "على المحفظة", "تحويل بنكي", "على رقمي"],
        ("franco", "{ch}") => &["whats", "el whatsapp", "wats", "telegram", "el tele", "messenger", "insta", "el face", "snap", "viber"],
        ("franco", "{out}") => &[
            "barra el app",
            "bara el application",
            "kharig el app",
            "be3eed 3an el app",
            "men 8eir el app",
            "men gheir el app",
            "bedoon el app",
        ],
        ("franco", "{pay}") => &["vodafone cash", "3ala instapay", "insta pay", "3al ma7faza", "ta7weel banky"],
        (_, "{ch}") => {
            &["whatsapp", "WhatsApp", "whats app", "telegram", "messenger", "insta", "Instagram", "fb", "facebook", "snap", "viber", "imo"]
        }
        (_, "{out}") => &[
            "outside the app",
            "off the app",
            "outside this app",
            "without the app",
            "off platform",
            "away from the app",
            "outside of the platform",
        ],
        (_, "{pay}") => {
            &["by vodafone cash", "by InstaPay", "through instapay", "by bank transfer", "to my wallet", "on my vodafone wallet"]
        }
        _ => panic!("no fillers of {language} for {slot}"),
    }
}

const BEFORE: [(&str, &[&str]); 3] = [
    ("english", &["hi, ", "hello sir ", "please ", "ok ", "dear, ", "listen, ", "good morning, ", "thanks, "]),
    ("arabic", &["لو سمحت ", "يا باشا ", "السلام عليكم، ", "طب ", "بقولك ايه ", "صباح الخير ", "تمام، ", "معلش "]),
    ("franco", &["law sama7t ", "ya basha ", "salam 3alekom, ", "tab ", "ba2olak eh ", "saba7 el 5eir ", "tamam, ", "ma3lesh "]),
];
const AFTER: [(&str, &[&str]); 3] = [
    ("english", &[" please", " thanks", ", ok?", " if you don't mind", "!!", " :)", ", it is urgent", " and I come tomorrow"]),
    ("arabic", &[" لو سمحت", " شكرا", "، تمام؟", " لو مفيش مانع", " 🙏", " ضروري", "، وأنا جاي بكرة", " يا غالي"]),
    ("franco", &[" law sama7t", " shokran", ", tamam?", " law mafeesh mane3", "!!", " darory", ", w ana gay bokra", " ya 8aly"]),
];

fn of<'a>(table: &[(&str, &'a [&'a str])], language: &str) -> &'a [&'a str] {
    table.iter().find(|(of, _)| *of == language).map(|(_, texts)| *texts).expect("every language")
}

/// The same sentence as somebody else spells it.
fn respelt(rng: &mut Rng, language: &str, text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut respelt = String::new();
    for (at, &c) in chars.iter().enumerate() {
        let last = chars.get(at + 1).is_none_or(|next| !next.is_alphanumeric());
        let seldom = rng.chance(4);
        let often = rng.chance(40);
        let first = at == 0 || !chars[at - 1].is_alphanumeric();
        match (language, c) {
            ("arabic", 'ة') if often => respelt.push('ه'),
            ("arabic", 'ي') if last && often => respelt.push('ى'),
            ("arabic", 'أ' | 'إ' | 'آ') if often => respelt.push('ا'),
            ("arabic", 'ا') if first && seldom => respelt.push('أ'),
            ("arabic", 'و' | 'ي' | 'ا') if !first && seldom => respelt.extend([c, c, c]),
            ("arabic", '\u{0621}'..='\u{064A}') if seldom && rng.chance(40) && !last => respelt.extend([c, 'ـ']),
            ("franco", 'e') if !first && rng.chance(20) => respelt.push('i'),
            ("franco", 'o') if !first && rng.chance(15) => respelt.push('u'),
            ("franco", 'a' | 'e' | 'o') if !first && seldom => respelt.extend([c, c]),
            ("franco", 'y') if last && often => respelt.push('i'),
            ("franco", '5') if often => respelt.push_str("kh"),
            ("franco", '8') if often => respelt.push_str("gh"),
            ("franco", '7') if rng.chance(10) => respelt.push('h'),
            ("english", '\'') if rng.chance(30) => {}
            ("english", 'a'..='z') if rng.chance(1) => respelt.extend([c, c]),
            _ => respelt.push(c),
        }
    }
    if rng.chance(20) { respelt.to_lowercase() } else { respelt }
}

fn filled(rng: &mut Rng, language: &str, sentence: &str) -> String {
    let mut text = sentence.to_owned();
    for slot in ["{ch}", "{out}", "{pay}"] {
        if text.contains(slot) {
            text = text.replace(slot, *rng.pick(fillers(language, slot)));
        }
    }
    let before = if rng.chance(35) { *rng.pick(of(&BEFORE, language)) } else { "" };
    let after = if rng.chance(35) { *rng.pick(of(&AFTER, language)) } else { "" };
    format!("{before}{}{after}", respelt(rng, language, &text))
}

/// Every sentence of a file, sixty times: what is counted is `hit`, and a try is wrong where that differs from `wanted`.
fn tried(file: &'static str, name: &str, wanted: bool, hit: impl Fn(&str, &str) -> bool) -> Table {
    let mut rng = Rng::new(seed(), name);
    let mut table = Table::default();
    for line in file.lines().filter(|line| !line.starts_with('#')) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [language, class, sentence] = columns[..] else { panic!("three columns: {line}") };
        for _ in 0..60 {
            let text = filled(&mut rng, language, sentence);
            let hit = hit(class, &text);
            table.count(&format!("{class} {language}"), kept_out(sentence, 3), hit, hit != wanted, || text.clone());
        }
    }
    table
}

#[test]
fn proposals_are_seen_however_they_are_put() {
    let table =
        tried(PROPOSALS, "proposals", true, |class, text| found(text).is_some_and(|found| (found.kind == "code") == (class == "code")));
    table.print("proposals", 12);
    let (tuned, kept) = (table.total(false).0, table.total(true).0);
    assert!(tuned >= RECALL_MIN && kept >= KEPT_RECALL_MIN, "{tuned}, {kept}");
}

#[test]
fn honest_talk_in_the_same_words_is_left_alone() {
    let table = tried(HONEST, "honest talk", false, |_, text| found(text).is_some());
    table.print("honest talk, false", 12);
    let (tuned, kept) = (table.total(false).0, table.total(true).0);
    assert!(tuned <= ALL_FALSE_MAX && kept <= KEPT_ALL_FALSE_MAX, "{tuned}, {kept}");
    for row in table.rows() {
        let (tuned, kept) = (table.share(row, false).0, table.share(row, true).0);
        assert!(tuned <= FALSE_MAX && kept <= KEPT_FALSE_MAX, "{row}: {tuned}, {kept}");
    }
}

/// Least recall, of the part that was tuned on and of the one kept out, per cent.
const RECALL_MIN: f64 = 98.0;
const KEPT_RECALL_MIN: f64 = 96.0;
/// Most false finds of a class, per cent: letters that are doubled by chance make a stranger of a word that refuses.
const FALSE_MAX: f64 = 2.0;
/// The same of the part that was kept out: a class has three sentences there, and "we can agree on the price after you see the place"
/// sounds like what goes on elsewhere with one word more or less.
const KEPT_FALSE_MAX: f64 = 4.0;
/// The same over all classes.
const ALL_FALSE_MAX: f64 = 0.3;
const KEPT_ALL_FALSE_MAX: f64 = 0.5;
