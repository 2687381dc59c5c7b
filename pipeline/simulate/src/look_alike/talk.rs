//! Words that look like leaks, floods and offers and are talk.
#![allow(clippy::unnecessary_wraps, reason = "a stage may be None")]

use crate::clock::{HOUR, MINUTE, SECOND};
use crate::honest::booking::Deal;
use crate::honest::chat::Talk;
use crate::look_alike::jobs::{seen, two};
use crate::look_alike::{Often, Tale};
use crate::scene::{Cast, Scene};
use crate::wire::Outbox;

pub(super) const TALES: &[Tale] = &[
    // One conversation of 300.
    Tale { word: "chatty", doc: "Two people write more than anybody has to.", often: Often::PerThousand(0.35), stage: chatty },
    // One of 300 too: a sentence a word, as many write.
    Tale {
        word: "word_by_word",
        doc: "Somebody is upset, and sends each word by itself.",
        often: Often::PerThousand(0.35),
        stage: word_by_word,
    },
    Tale {
        word: "numbers_in_chat",
        doc: "Prices, meters, orders and a refusal to meet outside.",
        often: Often::PerThousand(0.6),
        stage: numbers,
    },
    // Once both have agreed it is allowed, and a busy tasker does it all day.
    Tale {
        word: "phone_confirmed",
        doc: "A busy tasker gives the number once each job is agreed.",
        often: Often::PerThousand(0.15),
        stage: confirmed,
    },
    Tale {
        word: "same_greeting",
        doc: "A tasker answers all who ask with the same words.",
        often: Often::PerThousand(0.15),
        stage: greeting,
    },
    Tale { word: "running_late", doc: "A tasker tells all clients of the day the same.", often: Often::PerThousand(0.06), stage: late },
    Tale {
        word: "asked_for_number",
        doc: "Clients ask for the number, and the tasker says no.",
        often: Often::PerThousand(0.25),
        stage: refused,
    },
];

fn chatty(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (client, tasker) = two(scene)?;
    let random = &mut scene.random;
    let deal = Deal::new(client, tasker, random);
    deal.event("booking.created", scene.start, "client", None, out);
    deal.event("booking.accepted", scene.start + 5 * MINUTE, "tasker", None, out);
    let talk = Talk::new(&deal, "confirmed");
    let mut at = scene.start + 6 * MINUTE;
    for turn in 0..random.between(50, 130) {
        let words = ["تمام", "وبعدين؟", "ههههه", "طب والمطبخ؟", "ok", "ماشي", "ana 3ayez a3raf", "والسيراميك لونه ايه", "صح", "لا لا"];
        talk.send(turn % 2 == 0 || random.chance(0.3), (*random.pick(&words)).to_owned(), None, at, out);
        at += random.between(8, 70) * SECOND;
    }
    seen(client, vec![format!("user:{}", tasker.id), format!("conversation:{}", deal.conversation)])
}

fn word_by_word(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (client, tasker) = two(scene)?;
    let random = &mut scene.random;
    let deal = Deal::new(client, tasker, random);
    let talk = Talk::new(&deal, "completed");
    let mut at = scene.start;
    for word in "انا نسيت المفتاح عندك في العربية ومش عارف ادخل البيت ارجوك رد عليا بسرعة لو سمحت ضروري جدا".split(' ')
    {
        talk.send(true, word.to_owned(), None, at, out);
        at += random.between(1_500, 7_000);
    }
    seen(client, vec![format!("conversation:{}", deal.conversation)])
}

fn numbers(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (client, tasker) = two(scene)?;
    let random = &mut scene.random;
    let deal = Deal::new(client, tasker, random);
    let talk = Talk::new(&deal, "pending");
    deal.event("booking.created", scene.start, "client", None, out);
    let mut at = scene.start + MINUTE;
    let lines = [
        format!("رقم العداد {:011} والقراية {}", random.between(10_000_000_000, 39_999_999_999), random.between(1_000, 99_999)),
        format!("order {} paid {} + {} = {}", random.between(100_000_000, 999_999_999), 1_250, 750, 2_000),
        format!("model 01{:09}", random.between(300_000_000, 999_999_999)),
        "لا مش هينفع برا، كله من الابلكيشن".to_owned(),
        format!("{} {} {} {} سم", random.between(40, 90), random.between(40, 90), random.between(100, 220), random.between(40, 90)),
        format!("الحساب {} والباقي {}", random.between(1_000, 1_999), random.between(100, 900)),
    ];
    for (turn, text) in lines.into_iter().enumerate() {
        talk.send(turn % 2 == 0, text, None, at, out);
        at += random.between(10, 90) * SECOND;
    }
    seen(tasker, vec![format!("user:{}", client.id)])
}

fn confirmed(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (_, tasker) = two(scene)?;
    let local: String = tasker.phone.chars().skip(2).collect();
    let mut at = scene.start;
    for _ in 0..scene.random.between(5, 9) {
        let client = scene.neighbour(&scene.population.clients, tasker.city)?;
        let random = &mut scene.random;
        let deal = Deal::new(client, tasker, random);
        deal.event("booking.created", at, "client", None, out);
        deal.event("booking.accepted", at + 5 * MINUTE, "tasker", None, out);
        if deal.method != "cash" {
            deal.paid().authorize(at + 6 * MINUTE, random, out);
        }
        let talk = Talk::new(&deal, "confirmed");
        talk.send(false, format!("رقمي {local} لو العنوان صعب"), None, at + 8 * MINUTE, out);
        deal.event("booking.started", at + 30 * MINUTE, "tasker", None, out);
        let done = at + random.between(55, 75) * MINUTE;
        deal.event("booking.completed", done, "tasker", Some(deal.proof(random)), out);
        deal.paid().settle(done + 2 * MINUTE, random, out);
        at = done + 15 * MINUTE;
    }
    seen(tasker, Vec::new())
}

fn greeting(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (_, tasker) = two(scene)?;
    let text = *scene.random.pick(&[
        "السلام عليكم، معاك الفني، متاح النهارده من ٢ لـ ٨، المعاينة مجانا",
        "Hello, I am available today, please send a photo of the problem here",
        "ahlan, ana mawgood el naharda, eb3at soora hena",
    ]);
    let mut at = scene.start;
    for _ in 0..scene.random.between(8, 16) {
        let client = scene.neighbour(&scene.population.clients, tasker.city)?;
        let random = &mut scene.random;
        let deal = Deal::new(client, tasker, random);
        let mut talk = Talk::new(&deal, "none");
        let said = talk.exchange(at, 1..=1, random, out); // the client writes first
        talk.send(false, text.to_owned(), None, said.max(at) + random.between(20, 200) * SECOND, out);
        at += random.between(5, 40) * MINUTE;
    }
    seen(tasker, Vec::new())
}

fn late(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (_, tasker) = two(scene)?;
    let told = scene.start + HOUR;
    for turn in 0..scene.random.between(4, 7) {
        let client = scene.neighbour(&scene.population.clients, tasker.city)?;
        let random = &mut scene.random;
        let deal = Deal::new(client, tasker, random);
        let at = scene.start + turn * 6 * MINUTE;
        deal.event("booking.created", at, "client", None, out);
        deal.event("booking.accepted", at + 4 * MINUTE, "tasker", None, out);
        Talk::new(&deal, "confirmed").send(
            false,
            "الطريق واقف، هتأخر ساعة على كل المواعيد، معلش".to_owned(),
            None,
            told + turn * 9 * SECOND,
            out,
        );
    }
    seen(tasker, Vec::new())
}

fn refused(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (client, tasker) = two(scene)?;
    let random = &mut scene.random;
    let deal = Deal::new(client, tasker, random);
    let talk = Talk::new(&deal, "pending");
    deal.event("booking.created", scene.start, "client", None, out);
    let (ask, no) = *random.pick(&[
        ("ممكن رقم حضرتك على الواتس؟", "لا معلش ممنوع، الكلام هنا بس"),
        ("can I have your number?", "sorry, no numbers before the booking, it is the rule"),
        ("momken rakam el whatsapp?", "la2 mamnoo3, khalina hena 3al app"),
    ]);
    talk.send(true, ask.to_owned(), None, scene.start + MINUTE, out);
    talk.send(false, no.to_owned(), None, scene.start + 3 * MINUTE, out);
    seen(tasker, vec![format!("user:{}", client.id)])
}
