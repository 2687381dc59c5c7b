//! What clients and taskers write: Egyptian Arabic, Franco and English, assembled from parts. Full of numbers that are no
//! contact (prices, dates, floors, sizes, orders, hotlines), and of people who refuse to deal outside. Once a booking is
//! agreed some give a phone number, as they may.

use std::ops::RangeInclusive;

use crate::clock::{DAY, MINUTE, SECOND, cairo_date};
use crate::honest::booking::Deal;
use crate::payload::Chat;
use crate::people::{Language, Person};
use crate::random::Random;
use crate::wire::Outbox;

/// A conversation of two people.
#[derive(Debug)]
pub(crate) struct Talk<'a> {
    pub(crate) client: &'a Person,
    pub(crate) tasker: &'a Person,
    pub(crate) conversation: &'a str,
    pub(crate) booking: Option<&'a str>,
    pub(crate) status: &'static str,
    price: i64,
}

impl<'a> Talk<'a> {
    pub(crate) fn new(deal: &'a Deal<'_>, status: &'static str) -> Self {
        Self {
            client: deal.client,
            tasker: deal.tasker,
            conversation: &deal.conversation,
            booking: (status != "none").then_some(deal.booking.as_str()),
            status,
            price: deal.price,
        }
    }

    /// That many messages by turns; tells when the last was written.
    pub(crate) fn exchange(&mut self, from: i64, messages: RangeInclusive<i64>, random: &mut Random, out: &mut Outbox) -> i64 {
        let mut at = from;
        for turn in 0..random.between(*messages.start(), *messages.end()) {
            let by_client = turn % 2 == 0;
            if random.chance(0.03) {
                self.send(by_client, String::new(), Some(*random.pick(&["image", "voice"])), at, out);
            } else {
                let language = if by_client { self.client.language } else { self.tasker.language };
                let text = text(language, self.status, self.price, at, random, self.tasker);
                self.send(by_client, text, None, at, out);
            }
            at += random.between(6 * SECOND, 4 * MINUTE);
        }
        at
    }

    /// One message.
    pub(crate) fn send(&self, by_client: bool, text: String, media: Option<&'static str>, at: i64, out: &mut Outbox) {
        let (sender, recipient) = if by_client { (self.client, self.tasker) } else { (self.tasker, self.client) };
        let message = Chat {
            conversation_id: self.conversation,
            sender_id: &sender.id,
            recipient_id: &recipient.id,
            text,
            booking_id: self.booking,
            booking_status: Some(self.status),
            media,
        };
        out.send("chat.message", at, Some(sender.subject()), &message);
    }
}

/// Questions that come to nothing.
pub(crate) fn enquiry(client: &Person, tasker: &Person, random: &mut Random, at: i64, out: &mut Outbox) {
    let deal = Deal::new(client, tasker, random);
    Talk::new(&deal, "none").exchange(at, 2..=7, random, out);
}

/// What somebody writes at that stage.
fn text(language: Language, status: &str, price: i64, at: i64, random: &mut Random, tasker: &Person) -> String {
    if status == "confirmed" && random.chance(0.03) {
        // Allowed once both have agreed.
        let local: String = tasker.phone.chars().skip(2).collect();
        return match language {
            Language::Arabic => format!("لو تهت كلمني على {local}"),
            Language::Franco => format!("law toht kalemny 3ala {local}"),
            Language::English => format!("call me on {local} if you get lost"),
        };
    }
    if status == "completed" {
        let thanks: &[&str] = match language {
            Language::Arabic => &["تسلم ايدك", "شكرا جدا الشغل ممتاز", "ربنا يبارك فيك", "تمام يا هندسة، قيمتك ٥ نجوم"],
            Language::Franco => &["teslam edak", "shokran gedan el sho8l momtaz", "rabena ykremak", "tamam ya handasa"],
            Language::English => &["thanks, great work", "all good, 5 stars from me", "receipt received, thank you", "works perfectly now"],
        };
        return (*random.pick(thanks)).to_owned();
    }
    match language {
        Language::Arabic => arabic(price, at, random),
        Language::Franco => franco(price, at, random),
        Language::English => english(price, at, random),
    }
}

/// A number in Arabic-Indic digits.
pub(crate) fn arabic_digits(number: &str) -> String {
    const DIGITS: [char; 10] = ['٠', '١', '٢', '٣', '٤', '٥', '٦', '٧', '٨', '٩'];
    let digit = |c: char| c.to_digit(10).and_then(|value| DIGITS.get(usize::try_from(value).unwrap_or_default())).copied();
    number.chars().map(|c| digit(c).unwrap_or(c)).collect()
}

fn arabic(price: i64, at: i64, random: &mut Random) -> String {
    let pounds = price / 100;
    let (year, month, day) = cairo_date(at + random.between(1, 6) * DAY);
    let (building, floor, flat, hour) = (random.between(1, 140), random.between(1, 11), random.between(1, 40), random.between(1, 11));
    let area = *random.pick(&["المعادي", "الدقي", "سموحة", "مدينة نصر", "حي الجامعة", "فيصل", "المهندسين"]);
    let job = *random.pick(&["السباكة", "الكهربا", "التكييف", "النقاشة", "نقل العفش", "تنضيف الشقة", "تركيب المطبخ"]);
    match random.below(19) {
        0 => format!("السلام عليكم، محتاج حد ل{job} في {area}"),
        1 => format!("عمارة {building} الدور {floor} شقة {flat} شارع {} {area}", random.between(2, 90)),
        2 => format!("التكلفة {pounds} جنيه شامل الخامات"),
        3 => format!(
            "السعر {} جنيه والباقي {} عند التسليم",
            arabic_digits(&(pounds / 2).to_string()),
            arabic_digits(&(pounds - pounds / 2).to_string())
        ),
        4 => format!("ينفع يوم {day}/{month}/{year} الساعة {hour} ونص؟"),
        5 => format!("تمام هكون عندك {hour}:{:02} ان شاء الله", random.between(0, 3) * 15),
        6 => format!("رقم الطلب KH-{year}-{:06}", random.between(1, 999_999)),
        7 => "مينفعش برا الابلكيشن، خلينا هنا احسن".to_owned(),
        8 => "معلش ممنوع ادي رقمي قبل الحجز".to_owned(),
        9 => format!(
            "الاوضة {}.{} متر في {}.{} والارتفاع 2.85",
            random.between(3, 5),
            random.between(0, 90),
            random.between(2, 4),
            random.between(0, 90)
        ),
        10 => "كلمت الخط الساخن 19000 ومحدش رد".to_owned(),
        11 => format!("محتاج {} متر سلك و {} مفتاح و {} لمبة", random.between(5, 100), random.between(2, 12), random.between(2, 20)),
        12 => "فين العنوان بالظبط؟".to_owned(),
        13 => "ممكن تبعت صورة للعطل هنا".to_owned(),
        14 => format!("بالف ومتين غالي، خليها {}", arabic_digits(&(pounds * 8 / 10).to_string())),
        15 => format!("قراية العداد {:05} والشحن {} جنيه", random.between(1_000, 99_999), random.between(50, 400)),
        16 => "تلاتة اوض وصالة وحمامين".to_owned(),
        17 => format!("الموديل {}{:04} ضمان {} سنين", random.pick(&["LG-", "TR-", "ZX"]), random.between(100, 9_999), random.between(1, 5)),
        _ => (*random.pick(&["تمام", "ماشي يا باشا", "حاضر", "مستنيك", "هشوف وارد عليك", "في الطريق"])).to_owned(),
    }
}

fn franco(price: i64, at: i64, random: &mut Random) -> String {
    let pounds = price / 100;
    let (_, month, day) = cairo_date(at + random.between(1, 6) * DAY);
    let hour = random.between(1, 11);
    match random.below(13) {
        0 => "salam, m7tag 7ad lel sebaka fel ma3adi".to_owned(),
        1 => format!("el se3r {pounds} geneh kolo"),
        2 => format!("3omaret {} el dor {} sha2a {}", random.between(1, 140), random.between(1, 11), random.between(1, 40)),
        3 => format!("yenfa3 yom {day}/{month} el sa3a {hour}?"),
        4 => "la2 msh hayenfa3 bara el app, khalina hena".to_owned(),
        5 => "7ader ya basha haro7 el sob7".to_owned(),
        6 => format!("order raqam {:08}", random.between(1_000_000, 99_999_999)),
        7 => format!("3ayez {} metr w {} mofta7", random.between(5, 60), random.between(2, 9)),
        8 => "5alas ana gay aho, 5 d2ayeq".to_owned(),
        9 => format!("talata owad w arba3 shababeek b {} geneh", pounds * 9 / 10),
        10 => "momken soret el 3otl hena law sama7t".to_owned(),
        11 => format!("hagy {hour} w nos"),
        _ => (*random.pick(&["tamam", "mashy", "ok ya basha", "3la rasy", "ana fel tare2"])).to_owned(),
    }
}

fn english(price: i64, at: i64, random: &mut Random) -> String {
    let pounds = price / 100;
    let (year, month, day) = cairo_date(at + random.between(1, 6) * DAY);
    match random.below(13) {
        0 => "Hi, are you free to fix an AC this week?".to_owned(),
        1 => format!("The quote is {},{:03} EGP including paint", random.between(1, 4), random.between(0, 9) * 100),
        2 => format!("Can you come {year}-{month:02}-{day:02} at {}:00?", random.between(9, 20)),
        3 => format!("Building {}, floor {}, flat {}", random.between(1, 140), random.between(1, 11), random.between(1, 40)),
        4 => "Sorry, I keep everything inside the app".to_owned(),
        5 => format!("order #{:012} was delivered today", random.between(1_000_000, 999_999_999)),
        6 => format!("tracking EG{:011}", random.between(10_000_000, 99_999_999_999)),
        7 => format!("{} pieces @ {} each", random.between(2, 9), random.between(50, 400)),
        8 => format!("rated 5/5, {} reviews, 98% completion, {} jobs", random.between(20, 300), random.between(30, 500)),
        9 => "please use the in-app call, I am at the gate".to_owned(),
        10 => format!("it is {pounds} EGP, cash or card both fine"),
        11 => format!("the socket is 220 V, cable {} x 2.5 mm", random.between(2, 5)),
        _ => (*random.pick(&["ok", "great", "on my way", "see you then", "sure"])).to_owned(),
    }
}
