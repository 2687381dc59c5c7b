//! A tasker shows clients a way around the marketplace before anything is agreed.

use crate::Level;
use crate::campaign::{Cast, Scene};
use crate::clock::{MINUTE, SECOND};
use crate::honest::booking::Deal;
use crate::honest::chat::{Talk, arabic_digits};
use crate::people::Role;
use crate::random::Random;
use crate::wire::Outbox;

/// Number words, 0 to 9.
const ARABIC: [&str; 10] = ["صفر", "واحد", "اتنين", "تلاتة", "اربعة", "خمسة", "ستة", "سبعة", "تمانية", "تسعة"];
const FRANCO: [&str; 10] = ["zero", "wa7ed", "etneen", "talata", "arba3a", "5amsa", "setta", "sab3a", "tamanya", "tes3a"];
const ENGLISH: [&str; 10] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

/// Blatant: the number in digits, to six clients. Moderate: as words, in Arabic digits, spaced, dotted or split over messages,
/// to eight. Careful: no number at all, or one that looks like something else, to six.
pub(super) fn leak(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let tasker = scene.hire(Role::Tasker);
    let (clients, apart) = match scene.level {
        Level::Blatant => (6, (5, 12)),
        Level::Moderate => (8, (12, 19)),
        Level::Careful => (6, (30, 45)),
    };
    let local: String = tasker.phone.chars().skip(2).collect();
    let mut at = scene.start;
    for client in 0..clients {
        let other = scene.somebody(&scene.population.clients)?;
        let random = &mut scene.random;
        let deal = Deal::new(other, &tasker, random);
        let status = *random.pick(&["none", "pending"]);
        let mut talk = Talk::new(&deal, status);
        // Small talk first, which is no part of it.
        out.campaign = None;
        if status == "pending" {
            deal.event("booking.created", at, "client", None, out);
        }
        let mut said = talk.exchange(at + 20 * SECOND, 1..=2, random, out);
        out.campaign = Some(scene.number);
        let messages = match scene.level {
            Level::Blatant => vec![plain(&local, &tasker.phone, random)],
            Level::Moderate => disguised(&local, client, random),
            Level::Careful => hint(&local, &tasker.id, client, random),
        };
        for text in messages {
            talk.send(false, text, None, said, out);
            said += random.between(7 * SECOND, 30 * SECOND);
        }
        at += random.between(apart.0, apart.1) * MINUTE;
    }
    Some(Cast { entity: format!("user:{}", tasker.id), also: vec![format!("phone:{}", tasker.phone)] })
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
