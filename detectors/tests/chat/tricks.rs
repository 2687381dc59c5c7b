//! How people hide a number: forms of it, orders, glyphs, separators, several messages.

use crate::plan::{Number, Plan};
use crate::support::Rng;

/// Tricks by where they act; a chain takes at most one of a line.
pub(crate) const SLOTS: &[&[&str]] = &[
    &[
        "form.plus",
        "form.idd",
        "form.bare_country",
        "form.no_zero",
        "form.plus_two",
        "form.trunk",
        "form.misplaced",
        "form.landline",
        "form.foreign",
        "form.foreign_idd",
        "form.foreign_trunk",
        "form.extension",
    ],
    &["order.reversed", "order.rtl"],
    &[
        "glyph.eastern",
        "glyph.persian",
        "glyph.fullwidth",
        "glyph.scripts",
        "glyph.maths",
        "glyph.circled",
        "glyph.superscript",
        "glyph.keycap",
        "glyph.mixed",
        "glyph.pictograph",
        "glyph.counted",
        "glyph.letters",
        "glyph.arabic_letters",
        "glyph.look_alike",
        "words.arabic",
        "words.franco",
        "words.english",
        "words.mixed",
        "words.glued",
        "words.half",
        "words.typos",
        "compounds.arabic",
        "compounds.franco",
        "compounds.english",
        "words.double",
    ],
    &[
        "sep.space",
        "sep.dash",
        "sep.dot",
        "sep.slash",
        "sep.star",
        "sep.underscore",
        "sep.emoji",
        "sep.newline",
        "sep.joining_word",
        "sep.zero_width",
        "sep.decoy_word",
        "sep.brackets",
        "sep.many",
    ],
    &["split.in_order", "split.late", "split.told_order", "split.called_price", "pretext"],
];

/// Chains that no reader could follow either, or that say nothing more than their parts.
pub(crate) fn makes_sense(chain: &[&str]) -> bool {
    let has = |name: &str| chain.iter().any(|trick| trick.starts_with(name));
    let weak = has("form.no_zero") || has("form.landline") || has("form.misplaced");
    let letters = has("glyph.letters") || has("glyph.arabic_letters") || has("glyph.look_alike");
    !(weak && (has("order") || has("split") || has("pretext") || letters || has("glyph.counted") || has("sep.decoy_word")))
        && !(has("form.misplaced") && (has("words") || has("compounds")))
        && !(has("form.extension") && (has("order") || has("split") || has("glyph") || has("words") || has("compounds")))
        && !(has("form") && has("order.reversed"))
        && !(has("form") && has("split.told_order"))
        && !((has("form.foreign") || has("form.bare")) && (has("sep.decoy_word") || has("order") || letters))
        && !(has("order.rtl") && (has("words") || has("compounds") || has("split")))
        && !(has("order.reversed") && (has("compounds") || has("words.double") || has("split") || has("words.glued")))
        && !(has("split") && has("sep"))
        && !(has("sep.decoy_word") && (has("pretext") || letters || has("glyph.counted") || has("order")))
        && !(has("sep.emoji") && (has("glyph.counted") || has("glyph.pictograph")))
        && !(has("glyph.counted") && (has("split") || has("form")))
        && !((has("form.bare") || has("form.foreign_idd")) && (has("pretext") || has("split.called_price")))
        && !(has("sep.zero_width")
            && (has("compounds")
                || has("words.half")
                || has("words.double")
                || has("words.typos")
                || has("form.misplaced")
                || has("order.rtl")))
        && !(has("sep.joining_word") && has("compounds"))
}

/// What to write: one or more pieces; with more, each is a message of its own.
pub(crate) struct Written {
    pub(crate) number: Number,
    pub(crate) pieces: Vec<String>,
}

/// A number under a chain of tricks.
pub(crate) fn write(rng: &mut Rng, chain: &[&str]) -> Written {
    let in_slot = |slot: usize| chain.iter().copied().find(|trick| SLOTS[slot].contains(trick)).unwrap_or("");
    let (form, order, glyph, sep, split) = (in_slot(0), in_slot(1), in_slot(2), in_slot(3), in_slot(4));
    let plan = match form {
        "form.landline" => Plan::Landline,
        _ if form.starts_with("form.foreign") => Plan::Foreign,
        _ => Plan::Mobile,
    };
    let mut number = Number::draw(rng, plan);
    // Of a country whose numbers vary in length, a part of one may be a whole one.
    while form == "form.foreign_trunk" && !number.trunk || split.starts_with("split.") && matches!(number.country.as_str(), "49" | "961") {
        number = Number::draw(rng, plan);
    }
    let weak = matches!(form, "form.no_zero" | "form.landline" | "form.misplaced");
    // Called a price, 00 and a code look like an account's number.
    let called_otherwise = matches!(split, "pretext" | "split.called_price");
    let cut = !sep.is_empty() || order == "order.rtl" || rng.chance(30);
    let mut groups = formed(rng, form, &number, cut && !weak && order != "order.rtl" && glyph != "glyph.counted", called_otherwise);
    if split.starts_with("split.") {
        let (head, digits): (String, String) = groups.concat().chars().partition(|c| !c.is_ascii_digit());
        groups = in_pieces(rng, &digits);
        groups[0].insert_str(0, head.trim_matches(['(', ')']));
    }
    match order {
        "order.reversed" => groups = vec![groups.concat().chars().rev().collect()],
        "order.rtl" => {
            groups.reverse();
            // A plus stands on the other side of its number then.
            for group in &mut groups {
                if let Some(code) = group.strip_prefix('+') {
                    *group = if rng.chance(50) { format!("{code}+") } else { group.clone() };
                }
            }
        }
        _ => {}
    }
    let mut pieces: Vec<String> = written(rng, glyph, &groups);
    if order == "order.reversed" {
        let cue = rng.one(&["بالعكس ", "backwards ", "bel3aks ", "مقلوب ", "reversed: ", "اقراه من الشمال لليمين بالعكس "]);
        pieces[0].insert_str(0, cue);
    }
    if !split.starts_with("split.") {
        pieces = vec![joined(rng, sep, &pieces)];
    }
    if form == "form.extension" {
        pieces[0].push_str(rng.one(&[" ext 12", " ext. 305", " x204", ",,1#", "p12", " تحويلة 15", ";ext=7"]));
    }
    Written { number, pieces }
}

/// The number as it is dialled, in groups.
fn formed(rng: &mut Rng, form: &str, number: &Number, singles: bool, called_otherwise: bool) -> Vec<String> {
    let Number { country, national, .. } = number;
    let trunk = if number.trunk { "0" } else { "" };
    let head = |head: &str, rest: &str| {
        let mut groups = vec![head.to_owned()];
        groups.push(rest.to_owned());
        groups
    };
    let groups = match form {
        "form.plus" | "form.foreign" => head(&format!("+{country}"), national),
        "form.idd" | "form.foreign_idd" => head(&format!("00{country}"), national),
        "form.bare_country" => vec![format!("{country}{national}")],
        "form.no_zero" => vec![national.clone()],
        // "+2 010…": the country is taken for 2.
        "form.plus_two" => head(rng.one(&["+2", "002"]), &format!("0{national}")),
        "form.trunk" | "form.foreign_trunk" => {
            let plus = if called_otherwise { "+" } else { rng.one(&["+", "00"]) };
            match rng.below(2) {
                0 => vec![format!("{plus}{country}"), "(0)".to_owned(), national.clone()],
                _ => head(&format!("{plus}{country}"), &format!("0{national}")),
            }
        }
        "form.misplaced" => {
            let plus = rng.one(&["+20", "(+20)", "20+", "(20+)"]);
            match rng.below(2) {
                0 => vec![national.clone(), plus.to_owned()],
                _ => vec![format!("0{national}"), plus.to_owned()],
            }
        }
        _ => vec![format!("{trunk}{national}")],
    };
    // One group of digits is cut in the way of people: three and four, pairs, one by one.
    let mut cut = Vec::new();
    for group in groups {
        if group.len() < 7 || form == "form.landline" && !singles && rng.chance(40) {
            cut.push(group);
        } else if form == "form.landline" {
            let area = if number.national.starts_with(['2', '3']) { 2 } else { 3 };
            cut.push(group[..area].to_owned());
            cut.extend(chunks(&group[area..], &[4, 4]));
        } else {
            let ways: &[&[usize]] = if singles {
                &[&[4, 3, 4], &[3, 4, 4], &[3, 3, 5], &[5, 6], &[2; 9], &[3, 2, 2, 2, 2], &[1; 18], &[4, 7], &[3; 6]]
            } else {
                &[&[4, 3, 4], &[3, 4, 4], &[3, 3, 5], &[5, 6], &[18], &[18], &[3, 8]]
            };
            cut.extend(chunks(&group, rng.one(ways)));
        }
    }
    cut
}

fn chunks(digits: &str, lengths: &[usize]) -> Vec<String> {
    let (mut rest, mut chunks) = (digits, Vec::new());
    for length in lengths {
        let (chunk, after) = rest.split_at((*length).min(rest.len()));
        if !chunk.is_empty() {
            chunks.push(chunk.to_owned());
        }
        rest = after;
    }
    if !rest.is_empty() {
        chunks.push(rest.to_owned());
    }
    chunks
}

/// Two to four pieces, the first long enough to look like the beginning of a number.
fn in_pieces(rng: &mut Rng, digits: &str) -> Vec<String> {
    let lengths: &[&[usize]] = &[&[3, 8], &[5, 6], &[4, 3, 4], &[3, 4, 4], &[3, 3, 3, 2], &[7, 4], &[4, 4, 4], &[6, 6]];
    chunks(digits, rng.one(lengths))
}

/// The zeros of scripts that have ten digits in a row.
const ZEROS: &[char] = &['०', '০', '๐', '໐', '௦', '០', '᠐', '༠', '၀', '૦', '꩐', '߀'];
const MATHS: &[char] = &['𝟎', '𝟘', '𝟢', '𝟬', '𝟶', '🯰'];
const CIRCLED: &[&str] = &["⓪①②③④⑤⑥⑦⑧⑨", "⓿❶❷❸❹❺❻❼❽❾", "⓪➀➁➂➃➄➅➆➇➈", "⓪⓵⓶⓷⓸⓹⓺⓻⓼⓽"];
const SUPERSCRIPT: &[&str] = &["⁰¹²³⁴⁵⁶⁷⁸⁹", "₀₁₂₃₄₅₆₇₈₉"];
/// Several pictures of each digit; where there is none, a keycap.
const PICTURES: &[&[&str]] = &[
    &["⭕", "🅾️", "0️⃣"],
    &["🥇", "☝️", "🕐", "1️⃣", "⚀"],
    &["🥈", "✌️", "🕑", "⚁", "Ⅱ"],
    &["🥉", "🕒", "⚂", "Ⅲ"],
    &["🕓", "⚃", "Ⅳ", "🍀"],
    &["🖐️", "✋", "🕔", "⚄", "Ⅴ"],
    &["🕕", "⚅", "Ⅵ"],
    &["🕖", "Ⅶ", "7️⃣"],
    &["🎱", "🕗", "Ⅷ"],
    &["🕘", "Ⅸ", "9️⃣"],
];
const LETTERS: &[&[&str]] = &[&["O", "o"], &["I", "l", "i"], &["Z"], &["E"], &["A"], &["S", "s"], &["G", "b"], &["T"], &["B"], &["g", "q"]];
const LOOK_ALIKES: &[&[&str]] = &[
    &["О", "о", "Ο", "ο", "Օ", "〇"],
    &["І", "Ӏ", "Ι", "і"],
    &["2"],
    &["З", "з", "Ʒ"],
    &["Ч", "ч"],
    &["Ѕ", "ѕ"],
    &["б", "6"],
    &["7"],
    &["В", "8"],
    &["9"],
];

pub(crate) const ARABIC: &[&[&str]] = &[
    &["صفر", "زيرو", "صفرر"],
    &["واحد", "واحدة", "واحدد"],
    &["اتنين", "اثنين", "إتنين", "إثنان", "أتنين"],
    &["تلاتة", "ثلاثة", "تلاته", "تلات"],
    &["اربعة", "أربعة", "اربعه", "أربع"],
    &["خمسة", "خمسه", "خمس", "خمسـة"],
    &["ستة", "سته", "ستّة"],
    &["سبعة", "سبعه", "سبع"],
    &["تمانية", "تمنية", "ثمانية", "تمانيه", "ثماني"],
    &["تسعة", "تسعه", "تسع"],
];
pub(crate) const FRANCO: &[&[&str]] = &[
    &["sefr", "zero", "sifr", "zeero", "safr"],
    &["wa7ed", "wahed", "wa7d", "wahid", "wa7id"],
    &["etnen", "etneen", "itnein", "2etnein", "tnen", "ethneen"],
    &["talata", "tlata", "talatah", "thalatha", "tlateh"],
    &["arba3a", "arb3a", "2arba3a", "arbaa", "arba3ah"],
    &["5amsa", "khamsa", "5amsah", "7amsa", "khamseh"],
    &["setta", "sitta", "seta", "settah", "sita"],
    &["sab3a", "sab3ah", "saba3a", "sabaa", "sab3eh"],
    &["tamanya", "tmanya", "tamania", "tamanyah", "tamaniya", "tmnya"],
    &["tes3a", "tis3a", "tes3ah", "tesaa", "tess3a"],
];
pub(crate) const ENGLISH: &[&[&str]] = &[
    &["zero", "oh", "nil", "Zero", "o"],
    &["one", "One", "wan"],
    &["two", "TWO", "tow"],
    &["three", "thre", "tree"],
    &["four", "for", "fore"],
    &["five", "fife", "fiv"],
    &["six", "siks", "Six"],
    &["seven", "sevn", "sefen"],
    &["eight", "eigth", "ate"],
    &["nine", "nein", "nain"],
];

/// The digits of each group under a trick of glyphs.
fn written(rng: &mut Rng, trick: &str, groups: &[String]) -> Vec<String> {
    let letters_at = if rng.chance(50) { 1 } else { 2 };
    // Of look-alikes some digits stay what they are: a reader needs a hold.
    let mut turned = 0;
    groups
        .iter()
        .map(|group| {
            let compound = match trick {
                "compounds.arabic" => Some(0),
                "compounds.franco" => Some(1),
                "compounds.english" => Some(2),
                _ => None,
            };
            if let Some(language) = compound {
                return spoken(rng, group, language);
            }
            let digit_of = |c: char| c.to_digit(10).map(|digit| digit as usize);
            let shifted = |zero: char, digit: usize| {
                char::from_u32(u32::from(zero) + u32::try_from(digit).expect("a digit")).expect("a digit").to_string()
            };
            let list = |from: &str, digit: usize| from.chars().nth(digit).expect("ten of them").to_string();
            let language = match trick {
                "words.arabic" => 0,
                "words.franco" => 1,
                "words.english" => 2,
                _ => rng.below(3),
            };
            if trick == "words.half" && rng.chance(50) {
                return group.clone();
            }
            let words = [ARABIC, FRANCO, ENGLISH];
            if trick == "words.double" {
                return doubled(rng, group, language);
            }
            let zero = rng.one(ZEROS);
            let maths = rng.one(MATHS);
            let circled = rng.one(CIRCLED);
            let superscript = rng.one(SUPERSCRIPT);
            let mut out: Vec<String> = Vec::new();
            for (at, c) in group.chars().enumerate() {
                let Some(digit) = digit_of(c) else {
                    let plus = if trick.starts_with("words") { [" زائد ", " plus ", " + "][rng.below(3)] } else { "+" };
                    out.push(if c == '+' {
                        plus.to_owned()
                    } else if trick.starts_with("words") {
                        String::new()
                    } else {
                        c.to_string()
                    });
                    continue;
                };
                let plain = c.to_string();
                out.push(match trick {
                    "glyph.eastern" => shifted('٠', digit),
                    "glyph.persian" => shifted('۰', digit),
                    "glyph.fullwidth" => shifted('０', digit),
                    "glyph.scripts" => shifted(zero, digit),
                    "glyph.maths" => shifted(maths, digit),
                    "glyph.circled" => list(circled, digit),
                    "glyph.superscript" => list(superscript, digit),
                    "glyph.keycap" => format!("{digit}\u{fe0f}\u{20e3}"),
                    "glyph.mixed" => match rng.below(4) {
                        0 => shifted('٠', digit),
                        1 => shifted('０', digit),
                        2 => shifted(rng.one(ZEROS), digit),
                        _ => plain,
                    },
                    "glyph.pictograph" if rng.chance(60) => rng.one(PICTURES[digit]).to_owned(),
                    // Two counts side by side could be one.
                    "glyph.counted" if (2..=6).contains(&digit) && rng.chance(60) && out.last().is_none_or(|last| last.is_ascii()) => {
                        rng.one(&["🍎", "⭐", "❤️", "🌹"]).repeat(digit)
                    }
                    "glyph.letters" if (at + letters_at).is_multiple_of(2) && turned < 6 => {
                        turned += 1;
                        rng.one(LETTERS[digit]).to_owned()
                    }
                    "glyph.arabic_letters" => match digit {
                        1 if rng.chance(70) => "ا".to_owned(),
                        5 if rng.chance(70) => "ه".to_owned(),
                        _ => shifted('٠', digit),
                    },
                    "glyph.look_alike" if (at + letters_at).is_multiple_of(2) => rng.one(LOOK_ALIKES[digit]).to_owned(),
                    "words.arabic" | "words.franco" | "words.english" | "words.mixed" | "words.half" => {
                        let language = if trick == "words.mixed" { rng.below(3) } else { language };
                        format!(" {} ", words[language][digit][0])
                    }
                    "words.typos" => format!(" {} ", rng.one(words[language][digit])),
                    "words.glued" => words[language][digit][0].to_owned(),
                    _ => plain,
                });
            }
            out.concat().split_whitespace().collect::<Vec<_>>().join(" ")
        })
        .collect()
}

/// What a group that is said begins with, and its digits.
fn begun(group: &str) -> (Vec<String>, Vec<usize>) {
    let plus = group.starts_with('+').then(|| "plus".to_owned());
    (plus.into_iter().collect(), group.chars().filter_map(|c| c.to_digit(10)).map(|digit| digit as usize).collect())
}

/// "Double five", "three zeros", a word for every other digit.
fn doubled(rng: &mut Rng, group: &str, language: usize) -> String {
    let words = [ARABIC, FRANCO, ENGLISH][language];
    let (mut out, digits) = begun(group);
    let mut rest = digits.as_slice();
    while let Some((first, _)) = rest.split_first() {
        let times = rest.iter().take_while(|digit| *digit == first).count().min(3);
        let word = words[*first][0];
        out.push(match (times, language) {
            (1, _) => word.to_owned(),
            (2, 0) => format!("{} {word}", rng.one(&["دبل", "دوبل"])),
            (2, 1) => format!("{} {word}", rng.one(&["double", "dabl", "dobl"])),
            (2, _) => format!("double {word}"),
            (_, 0) => format!("تريبل {word}"),
            _ => format!("triple {word}"),
        });
        rest = rest.split_at(times).1;
    }
    out.join(" ")
}

const TENS: [[&str; 10]; 3] = [
    ["", "", "عشرين", "تلاتين", "اربعين", "خمسين", "ستين", "سبعين", "تمانين", "تسعين"],
    ["", "", "3eshreen", "talateen", "arbe3een", "5amseen", "setteen", "sab3een", "tamaneen", "tes3een"],
    ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"],
];
const TEENS: [[&str; 10]; 3] = [
    ["عشرة", "حداشر", "اتناشر", "تلتاشر", "اربعتاشر", "خمستاشر", "ستاشر", "سبعتاشر", "تمنتاشر", "تسعتاشر"],
    [
        "3ashara",
        "7edashar",
        "etnashar",
        "talatashar",
        "arba3tashar",
        "5amastashar",
        "settashar",
        "saba3tashar",
        "tamantashar",
        "tes3tashar",
    ],
    ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"],
];
const HUNDREDS: [&str; 10] = ["", "مية", "ميتين", "تلتمية", "ربعمية", "خمسمية", "ستمية", "سبعمية", "تمنمية", "تسعمية"];

/// A group said in twos and threes: zeros one by one, then what is left as tens or hundreds.
fn spoken(rng: &mut Rng, group: &str, language: usize) -> String {
    let words = [ARABIC, FRANCO, ENGLISH][language];
    let (mut out, digits) = begun(group);
    let mut rest = digits.as_slice();
    loop {
        rest = match rest {
            [] => break,
            [hundreds @ 1..=9, tens, ones, after @ ..] if language == 0 && rng.chance(20) => {
                let below = two(words, *tens, *ones, language);
                out.push(if below.is_empty() { HUNDREDS[*hundreds].to_owned() } else { format!("{} و{below}", HUNDREDS[*hundreds]) });
                after
            }
            // "Twenty" and a digit would be another number.
            [2..=9, 0, ..] if language == 2 => {
                let (digit, after) = rest.split_first().expect("two at least");
                out.push(words[*digit][0].to_owned());
                after
            }
            [tens @ 1..=9, ones, after @ ..] => {
                out.push(two(words, *tens, *ones, language));
                after
            }
            [digit, after @ ..] => {
                out.push(words[*digit][0].to_owned());
                after
            }
        };
    }
    out.join(if language == 0 { "، " } else { " " })
}

/// A number below a hundred in words; nothing for none.
fn two(words: &[&[&str]], tens: usize, ones: usize, language: usize) -> String {
    match (tens, ones, language) {
        (0, 0, _) => String::new(),
        (0, ones, _) => words[ones][0].to_owned(),
        (1, ones, language) => TEENS[language][ones].to_owned(),
        (tens, 0, language) => TENS[language][tens].to_owned(),
        (tens, ones, 0) => format!("{} و{}", words[ones][0], TENS[0][tens]),
        (tens, ones, 1) => format!("{} w {}", words[ones][0], TENS[1][tens]),
        (tens, ones, _) => format!("{} {}", TENS[2][tens], words[ones][0]),
    }
}

/// Groups with a separator between them.
fn joined(rng: &mut Rng, sep: &str, groups: &[String]) -> String {
    let emoji = rng.one(&["🌟", "💬", "🙂", "🔥", "➡️", "👉🏽"]);
    let emoji = if rng.chance(30) { format!(" {emoji} ") } else { emoji.to_owned() };
    let mark = match sep {
        "sep.dash" => rng.one(&["-", " - ", "–", "—", "--"]),
        "sep.dot" => rng.one(&[".", "..", " . ", "...", "·", "•"]),
        "sep.slash" => rng.one(&["/", " / ", "\\", "|", " | "]),
        "sep.star" => rng.one(&["*", "**", "#", "~", "=", "^"]),
        "sep.underscore" => rng.one(&["_", "__", " _ "]),
        "sep.emoji" => emoji.as_str(),
        "sep.newline" => rng.one(&["\n", "\n\n", " \n"]),
        "sep.joining_word" => {
            rng.one(&[" وبعدين ", " then ", " ba3den ", " و ", " w ", " شرطة ", " dash ", " بعدها ", " comma ", " فاصلة "])
        }
        "sep.zero_width" => rng.one(&["\u{200b}", "\u{200e}", "\u{2060}", "\u{feff}", "\u{200d}", "ـ"]),
        "sep.many" => rng.one(&[" -- ", ",,, ", " ... ", " *-* ", " >> ", "; ", " :) "]),
        _ => " ",
    };
    match sep {
        "sep.brackets" => {
            let (open, close) = rng.one(&[("(", ")"), ("[", "]"), ("{", "}"), ("<", ">"), ("\"", "\"")]);
            groups.iter().map(|group| format!("{open}{group}{close}")).collect::<Vec<_>>().join(if rng.chance(50) { "" } else { " " })
        }
        "sep.zero_width" => groups
            .iter()
            .flat_map(|group| group.chars())
            .flat_map(|c| c.to_string().chars().chain(mark.chars()).collect::<Vec<_>>())
            .collect(),
        "sep.decoy_word" => {
            let decoys = &["ya", "يا باشا", "sir", "يا ريس", "ok", "تمام", "basha", "please", "w el 7aga", "كده"];
            let mut out = String::new();
            for (at, group) in groups.iter().enumerate() {
                if at > 0 {
                    let decoy = if group.len() > 1 { rng.one(decoys) } else { "" };
                    out.extend([" ", decoy, " "]);
                }
                out.push_str(group);
            }
            out
        }
        _ => groups.join(mark),
    }
}
