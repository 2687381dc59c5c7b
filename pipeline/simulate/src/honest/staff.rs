//! Who works here: their teams, shifts and desks, and what they call their deeds.

use std::borrow::Cow;

use crate::clock::{DAY, HOUR, MINUTE, cairo_hour, cairo_weekday};
use crate::honest::day_number;
use crate::payload::{AdminAction, Location};
use crate::places::city_at;
use crate::random::Random;
use crate::wire::Outbox;

/// What a team may do, and in which tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Team {
    Support,
    Finance,
    Safety,
    Ops,
    Platform,
}

/// One of the staff.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    pub(crate) id: Cow<'static, str>,
    pub(crate) team: Team,
    /// When the shift begins, hour of Cairo, and how long it is.
    from: i64,
    hours: i64,
    /// Days off, 0 is Sunday.
    off: [i64; 2],
    /// The line at home, where some of them work on some days.
    home: Cow<'static, str>,
    /// Days of ten at home.
    home_days: u64,
}

/// The office's line.
pub(crate) const OFFICE: &str = "198.19.0.250";

const fn post(id: &'static str, team: Team, (from, hours): (i64, i64), off: [i64; 2], home: &'static str, home_days: u64) -> Post {
    Post { id: Cow::Borrowed(id), team, from, hours, off, home: Cow::Borrowed(home), home_days }
}

/// Everybody on the staff.
pub(crate) static ROSTER: [Post; 21] = [
    post("a_support_1", Team::Support, (8, 8), [5, 6], "198.19.1.1", 2),
    post("a_support_2", Team::Support, (8, 8), [0, 1], "198.19.1.2", 0),
    post("a_support_3", Team::Support, (9, 8), [5, 6], "198.19.1.3", 4),
    post("a_support_4", Team::Support, (14, 8), [4, 5], "198.19.1.4", 0),
    post("a_support_5", Team::Support, (16, 8), [0, 1], "198.19.1.5", 2),
    post("a_support_6", Team::Support, (16, 8), [2, 3], "198.19.1.6", 0),
    post("a_support_7", Team::Support, (0, 8), [5, 6], "198.19.1.7", 9),
    post("a_support_8", Team::Support, (0, 8), [1, 2], "198.19.1.8", 9),
    post("a_finance_1", Team::Finance, (9, 8), [5, 6], "198.19.1.11", 1),
    post("a_finance_2", Team::Finance, (9, 8), [5, 6], "198.19.1.12", 0),
    post("a_finance_3", Team::Finance, (10, 8), [4, 5], "198.19.1.13", 3),
    post("a_safety_1", Team::Safety, (8, 8), [5, 6], "198.19.1.21", 1),
    post("a_safety_2", Team::Safety, (16, 8), [0, 1], "198.19.1.22", 3),
    post("a_safety_3", Team::Safety, (0, 8), [2, 3], "198.19.1.23", 9),
    post("a_safety_4", Team::Safety, (10, 8), [1, 2], "198.19.1.24", 2),
    post("a_safety_5", Team::Safety, (18, 8), [3, 4], "198.19.1.25", 5),
    post("a_ops_1", Team::Ops, (9, 8), [5, 6], "198.19.1.31", 2),
    post("a_ops_2", Team::Ops, (9, 8), [4, 5], "198.19.1.32", 0),
    post("a_ops_3", Team::Ops, (12, 8), [1, 2], "198.19.1.33", 3),
    post("a_platform_1", Team::Platform, (10, 8), [5, 6], "198.19.1.41", 5),
    post("a_platform_2", Team::Platform, (11, 8), [5, 6], "198.19.1.42", 5),
];

impl Post {
    /// One more of the team, whose shift begins at that hour of Cairo and is eight hours long.
    pub(crate) fn hired(team: Team, from: i64, off: [i64; 2], random: &mut Random) -> Self {
        let word = match team {
            Team::Support => "a_support_",
            Team::Finance => "a_finance_",
            Team::Safety => "a_safety_",
            Team::Ops => "a_ops_",
            Team::Platform => "a_platform_",
        };
        let home = format!("198.19.2.{}", random.between(1, 254));
        Self { id: Cow::Owned(random.id(word)), team, from, hours: 8, off, home: Cow::Owned(home), home_days: random.below(4) }
    }

    /// Whether they are at work.
    pub(crate) fn at_work(&self, at: i64) -> bool {
        let since = (cairo_hour(at) - self.from).rem_euclid(24);
        let day = cairo_weekday(at - since * HOUR);
        since < self.hours && !self.off.contains(&day)
    }

    /// When their first shift from then on begins.
    pub(crate) fn begins(&self, from: i64) -> i64 {
        let mut at = from + (HOUR - from.rem_euclid(HOUR)) % HOUR;
        for _ in 0..240 {
            if self.at_work(at) && !self.at_work(at - MINUTE) {
                break;
            }
            at += HOUR;
        }
        at
    }

    /// Where they work on that day.
    pub(crate) fn ip(&self, at: i64) -> &str {
        let day = Random::of(0, &self.id, day_number(at - self.from * HOUR), 0).below(10);
        if day < self.home_days { &self.home } else { OFFICE }
    }

    /// The line at home.
    pub(crate) fn home(&self) -> &str {
        &self.home
    }

    /// An instant of their shift on that day; None on a day off.
    pub(crate) fn today(&self, random: &mut Random, day_start: i64) -> Option<i64> {
        let slots: Vec<i64> = (0..48).map(|slot| day_start + slot * HOUR / 2).filter(|at| self.at_work(*at)).collect();
        (!slots.is_empty()).then(|| *random.pick(&slots) + random.between(0, HOUR / 2 - 1))
    }

    /// An instant of their first shift from that day on.
    pub(crate) fn instant(&self, random: &mut Random, day_start: i64) -> i64 {
        (0..7).find_map(|day| self.today(random, day_start + day * DAY)).unwrap_or(day_start)
    }

    /// What they do at `at`, with the second factor and from where they work. Half of the tools say where that is.
    pub(crate) fn action<'a>(&'a self, action: &'a str, target: &'a str, at: i64) -> AdminAction<'a> {
        let centre = city_at(0).centre;
        let console = usize::try_from(Random::of(0, &self.id, 0, 1).below(3)).unwrap_or_default();
        let word = WORDS.iter().find(|words| words.first() == Some(&action)).and_then(|words| words.get(console));
        let action = word.copied().unwrap_or(action);
        let located = matches!(self.team, Team::Finance | Team::Platform | Team::Ops);
        let location = Location { lat: centre.lat, lon: centre.lon, accuracy_km: Some(10), source: Some("geoip") };
        AdminAction {
            actor_id: &self.id,
            action,
            target,
            ip: self.ip(at),
            mfa: true,
            location: located.then_some(location),
            ..AdminAction::default()
        }
    }
}

/// What the same deed is called in the three consoles that the house has had.
const WORDS: [[&str; 3]; 17] = [
    ["user_view", "UserProfile.open", "users.read"],
    ["user_search", "UserProfile.search", "users.list"],
    ["bookings_list", "Bookings.search", "bookings.list"],
    ["chat_read", "Conversation.open", "messages.read"],
    ["address_reveal", "Address.unmask", "users.pii.read"],
    ["location_view", "Map.open", "positions.read"],
    ["goodwill_credit", "Wallet.credit", "issue_voucher"],
    ["account_unlock", "Account.unlock", "reset_access"],
    ["phone_change", "User.updatePhone", "edit_phone"],
    ["payout_account_change", "PayoutMethod.update", "change_bank_details"],
    ["payout_details_view", "PayoutMethod.open", "bank_details.read"],
    ["payouts.batch.approve", "PayoutBatch.approve", "approve_payouts"],
    ["refund_approve", "Refund.approve", "approve_refund"],
    ["ledger.adjust", "Ledger.correct", "manual_posting"],
    ["report.export", "Export CSV", "download_report"],
    ["iam.role.grant", "UserRole.add", "grantRole"],
    ["iam.role.revoke", "UserRole.remove", "revokeRole"],
];

/// Writes it.
pub(crate) fn send(action: &AdminAction<'_>, at: i64, out: &mut Outbox) {
    out.send("admin.action", at, Some(format!("admin:{}", action.actor_id)), action);
}

/// A ticket's number.
pub(crate) fn ticket(random: &mut Random) -> String {
    format!("T-{}", random.between(10_000, 99_999))
}

/// Somebody of the team who is at work, or who is called when nobody is.
pub(crate) fn on_duty(team: Team, at: i64, random: &mut Random) -> &'static Post {
    let all: Vec<&'static Post> = ROSTER.iter().filter(|post| post.team == team).collect();
    let here: Vec<&'static Post> = all.iter().copied().filter(|post| post.at_work(at)).collect();
    // The week's turn.
    let turn = usize::try_from(day_number(at) / 7).unwrap_or_default() % all.len().max(1);
    if here.is_empty() { all.get(turn).copied().unwrap_or(&ROSTER[0]) } else { random.pick::<&'static Post>(&here) }
}

/// Another one of the team, as a second pair of eyes.
pub(crate) fn colleague(of: &Post, team: Team, random: &mut Random) -> &'static Post {
    let others: Vec<&'static Post> = ROSTER.iter().filter(|post| post.team == team && post.id != of.id).collect();
    random.pick::<&'static Post>(&others)
}
