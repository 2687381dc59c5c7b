//! Words: a way around the marketplace before anything is agreed, floods, offers to strangers.
#![allow(clippy::unnecessary_wraps, reason = "a stage may be None")]

use crate::clock::{DAY, HOUR, MINUTE, SECOND};
use crate::honest::booking::Deal;
use crate::honest::chat::{Talk, arabic_digits};
use crate::people::{Person, Role};
use crate::random::Random;
use crate::scenario::{Level, Scenario};
use crate::scene::{Cast, Scene};
use crate::wire::Outbox;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        word: "contact_leak",
        doc: "A tasker gives clients a way around the marketplace, before the booking is agreed.",
        span_ms: [3 * HOUR, 4 * HOUR, 7 * HOUR],
        stage: leak,
    },
    Scenario {
        word: "repeated_leaker",
        doc: "A tasker gives client after client a way around the marketplace, for days.",
        span_ms: [15 * HOUR, 34 * HOUR, 6 * DAY],
        stage: leaker,
    },
    Scenario { word: "chat_flood", doc: "Somebody is buried in messages.", span_ms: [HOUR, 2 * HOUR, 6 * HOUR], stage: flood },
    Scenario { word: "chat_spam", doc: "The same offer goes to strangers.", span_ms: [3 * HOUR, 11 * HOUR, 6 * DAY], stage: spam },
];

/// Number words, 0 to 9.
const ARABIC: [&str; 10] = ["صفر", "واحد", "اتنين", "تلاتة", "اربعة", "خمسة", "ستة", "سبعة", "تمانية", "تسعة"];
const FRANCO: [&str; 10] = ["zero", "wa7ed", "etneen", "talata", "arba3a", "5amsa", "setta", "sab3a", "tamanya", "tes3a"];
const ENGLISH: [&str; 10] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

/// He keeps the marketplace's share. Blatant: the number in digits, to one after another. Moderate: as words, in Arabic digits,
/// spaced, dotted or split over messages. Careful: no number at all, or one that looks like something else.
fn leak(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (clients, apart) = match level {
        Level::Blatant => (scene.param("clients", 4, 9), scene.param("minutes apart", 3, 14)),
        Level::Moderate => (scene.param("clients", 5, 11), scene.param("minutes apart", 8, 20)),
        Level::Careful => (scene.param("clients", 5, 9), scene.param("minutes apart", 25, 45)),
    };
    let times = (0..clients).map(|turn| scene.start + (turn * apart + turn % 3) * MINUTE).collect();
    leaks(scene, level, times, out)
}

/// The same for a living: client after client. Blatant: two dozen in a day. Moderate: one or two dozen in a working day, disguised,
/// between jobs without a word of it. Careful: two or three a day for days, hints most of them.
fn leaker(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let times = match level {
        Level::Blatant => {
            let (clients, apart) = (scene.param("clients", 12, 28), scene.param("minutes apart", 12, 30));
            (0..clients).map(|turn| scene.start + turn * apart * MINUTE).collect()
        }
        Level::Moderate => {
            let clients = scene.param("clients", 9, 18);
            scene.spread(clients, 1)
        }
        Level::Careful => {
            let (clients, days) = (scene.param("clients", 7, 14), scene.param("days", 3, 4));
            scene.spread(clients, days)
        }
    };
    leaks(scene, level, times, out)
}

/// One tasker shows a way out at each of these times, to another client each.
fn leaks(scene: &mut Scene<'_>, level: Level, times: Vec<i64>, out: &mut Outbox) -> Option<Cast> {
    let tasker = scene.hire(Role::Tasker);
    let local: String = tasker.phone.chars().skip(2).collect();
    let mut also = vec![format!("phone:{}", tasker.phone)];
    for (client, at) in (0..).zip(times) {
        let other = scene.somebody(&scene.population.clients)?;
        let random = &mut scene.random;
        let deal = Deal::new(other, &tasker, random);
        let status = *random.pick(&["none", "pending"]);
        let mut talk = Talk::new(&deal, status);
        // Small talk first, which is no part of it.
        let story = out.story.take();
        if status == "pending" {
            deal.event("booking.created", at, "client", None, out);
        }
        let mut said = talk.exchange(at + 20 * SECOND, 1..=2, random, out);
        out.story = story;
        let messages = match level {
            Level::Blatant => vec![plain(&local, &tasker.phone, random)],
            Level::Moderate => disguised(&local, client, random),
            Level::Careful => hint(&local, &tasker.id, client, random),
        };
        for text in messages {
            talk.send(false, text, None, said, out);
            said += random.between(7 * SECOND, 30 * SECOND);
        }
        also.push(format!("conversation:{}", deal.conversation));
    }
    Some(Cast { entity: format!("user:{}", tasker.id), also })
}

/// A client is made to read: for spite, or so that the app is unusable until they pay. Blatant: a machine, every second or so.
/// Moderate: by hand and by paste, an hour. Careful: some accounts in turn, each slow enough, for hours.
fn flood(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let target = scene.somebody(&scene.population.clients)?;
    let (count, seconds, senders) = match level {
        Level::Blatant => (scene.param("messages", 120, 500), scene.param("half seconds apart", 1, 6), 1),
        Level::Moderate => (scene.param("messages", 60, 160), scene.param("half seconds apart", 16, 44), 1),
        Level::Careful => (scene.param("messages", 120, 300), scene.param("half seconds apart", 40, 110), scene.param("senders", 2, 5)),
    };
    let people: Vec<Person> = (0..senders).map(|_| scene.hire(Role::Tasker)).collect();
    let random = &mut scene.random;
    let deals: Vec<Deal<'_>> = people.iter().map(|person| Deal::new(target, person, random)).collect();
    let mut at = scene.start;
    for turn in 0..count {
        let deal = deals.get(usize::try_from(turn).unwrap_or_default() % deals.len())?;
        let text = match random.below(5) {
            0 => "رد".to_owned(),
            1 => "رد عليا".to_owned(),
            2 => format!("?? {turn}"),
            3 => "فين الفلوس".to_owned(),
            _ => "رررررد يا محترم".to_owned(),
        };
        Talk::new(deal, "none").send(false, text, None, at, out);
        at += seconds * SECOND / 2 * random.between(70, 130) / 100;
    }
    let mut also: Vec<String> = people.iter().map(|person| format!("user:{}", person.id)).collect();
    also.extend(deals.iter().map(|deal| format!("conversation:{}", deal.conversation)));
    also.push(format!("user:{}", target.id));
    Some(Cast { entity: format!("user:{}", people.first()?.id), also })
}

/// The same offer to people who never asked: an investment, cheap work outside, a page where a card is asked for. Blatant: dozens in
/// an hour. Moderate: with a name and a number changed, over hours. Careful: some accounts, a handful a day each, other words.
fn spam(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (senders, times) = match level {
        Level::Blatant => {
            let (count, apart) = (scene.param("strangers", 25, 90), scene.param("seconds apart", 10, 80));
            (1, (0..count).map(|turn| scene.start + turn * apart * SECOND).collect())
        }
        Level::Moderate => {
            let (count, apart) = (scene.param("strangers", 14, 34), scene.param("minutes apart", 5, 18));
            (1, (0..count).map(|turn| scene.start + turn * apart * MINUTE).collect::<Vec<_>>())
        }
        Level::Careful => {
            let (count, days) = (scene.param("strangers", 18, 40), scene.param("days", 2, 4));
            (scene.param("senders", 2, 4), scene.spread(count, days))
        }
    };
    let people: Vec<Person> = (0..senders).map(|_| scene.hire(Role::Tasker)).collect();
    let page = scene.random.id("offers-").to_lowercase();
    let mut conversations = Vec::new();
    for (turn, at) in times.into_iter().enumerate() {
        let client = scene.somebody(&scene.population.clients)?;
        let sender = people.get(turn % people.len())?;
        let random = &mut scene.random;
        let deal = Deal::new(client, sender, random);
        let text = match level {
            Level::Blatant => format!("عرض خاص! استثمر ٥٠٠ جنيه واكسب ٥٠٠٠ في الاسبوع: {page}.example/win"),
            Level::Moderate => {
                let (name, pounds) = (random.pick(&["ا. محمد", "مدام", "باشا", "هندسة"]), random.between(3, 9) * 100);
                format!("اهلا {name}، خصم {pounds} جنيه النهارده بس، سجل الكارت هنا {page}.example/{}", random.between(1, 99))
            }
            Level::Careful => {
                let lead = random.pick(&["اهلا بحضرتك", "مساء الخير", "hello", "salam", "صباح الخير يا فندم"]);
                let offer =
                    random.pick(&["عندنا شغل تنضيف بنص السعر", "cleaning half price", "nos el se3r el osbo3 da", "عرض الشتا للتكييف"]);
                format!("{lead}، {offer}، الصفحة {page} . example")
            }
        };
        Talk::new(&deal, "none").send(false, text, None, at, out);
        conversations.push(format!("conversation:{}", deal.conversation));
    }
    let mut also: Vec<String> = people.iter().map(|person| format!("user:{}", person.id)).collect();
    also.append(&mut conversations);
    Some(Cast { entity: format!("user:{}", people.first()?.id), also })
}

fn plain(local: &str, phone: &str, random: &mut Random) -> String {
    match random.below(5) {
        0 => format!("كلمني على {local} وهعملك خصم"),
        1 => format!("my number is {local}, cheaper in cash"),
        2 => format!("kalemny 3ala {local} arkhas"),
        3 => format!("whatsapp {phone}"),
        _ => format!("رقمي {local} نتفق برا"),
    }
}

/// The number, so that a pattern of digits does not see it.
fn disguised(local: &str, turn: i64, random: &mut Random) -> Vec<String> {
    let words = |table: &[&str; 10], between: &str| {
        let digits = local.chars().filter_map(|c| c.to_digit(10)).filter_map(|digit| table.get(usize::try_from(digit).unwrap_or_default()));
        digits.copied().collect::<Vec<_>>().join(between)
    };
    let grouped = |sizes: &[usize], between: &&str| {
        let mut digits = local.chars();
        sizes.iter().map(|size| digits.by_ref().take(*size).collect::<String>()).collect::<Vec<_>>().join(*between)
    };
    match turn % 8 {
        0 => vec![format!("رقمي {}", arabic_digits(local))],
        1 => vec![format!("رقمي {}", words(&ARABIC, " "))],
        2 => vec![format!("call me {}", words(&ENGLISH, " "))],
        3 => vec![format!("rakamy {}", words(&FRANCO, " "))],
        4 => vec![format!("كلمني {}", grouped(&[1; 11], random.pick(&[" ", "-", ".", " . "])))],
        5 => grouped(&[4, 3, 4], &"/").split('/').map(str::to_owned).collect(),
        6 => vec![format!("whatsapp {}", grouped(&[3, 4, 4], random.pick(&[" / ", "__", " * "])))],
        _ => vec![format!("نكمل برا الابلكيشن؟ {}", arabic_digits(&grouped(&[4, 3, 4], &" ")))],
    }
}

/// A way out without a number, or with one in the clothes of something else.
fn hint(local: &str, id: &str, turn: i64, random: &mut Random) -> Vec<String> {
    let handle: String = id.chars().skip(2).take(6).collect();
    let half: String = local.chars().take(6).collect();
    let rest: String = local.chars().skip(6).collect();
    match turn % 6 {
        0 => vec!["هتلاقيني على الازرق بنفس الاسم".to_owned()],
        1 => vec!["الرقم في صورة البروفايل، شوفها كويس".to_owned()],
        2 => vec![format!("الحساب {half} جنيه"), (*random.pick(&["تمام؟", "ok?"])).to_owned(), format!("والباقي {rest}")],
        3 => vec![format!("search fix.{handle} where people post photos")],
        4 => vec!["بلاش هنا عشان العمولة، انت فاهم، نتقابل قدام الصيدلية اللي جنبك".to_owned()],
        _ => vec!["el app da byakhod nos el floos, es2al 3aleya fel ma7al w nzabat sawa".to_owned()],
    }
}
