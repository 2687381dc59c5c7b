//! Why campaigns are missed: a sentence for each kind that the rules do not always see.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use rasid_simulate::Level;

use crate::tally::{Share, Tally};

/// Weeks from which a kind that was always caught is no luck.
const WEEKS: u64 = 20;

/// By kind. What is missed has its sentence, and what twenty weeks never missed has none: the page and a test ask for both.
const WHY: &[(&str, &str)] = &[
    (
        "rented_account",
        "The careful tenant pays the rent in cash: neither payout account nor number changes, and a new device on a new line is also a phone that was bought in the week of a move. account.rented_device sees him once he sends others under a second name.",
    ),
    (
        "chat_flood",
        "Some tens of messages in hours, to one person who does not answer, are no more than a quarrel; below chat.flood and chat.flood_at_one only their words would tell.",
    ),
    ("chat_spam", "The same words to seven people or fewer are what a tasker tells his clients of the day."),
    ("device_farm", "Four or five accounts on a device are a family's tablet (account.device_farm counts from six)."),
    (
        "mass_registration",
        "A device for each account and an address for each few of them, days apart, are strangers who register: only what they do afterwards together shows them (account.linked_accounts, the promotion rules).",
    ),
    ("promo_farm", "A device and a line for each account leave the promotion alone in common, as with all who take it."),
    ("referral_farm", "Few friends, each with a device and a line, are friends: account.referral_farm counts from four a week."),
    (
        "provider_outage",
        "A quarter of the payments that fail for hours, of one provider among several, lie within what banks refuse on a bad evening.",
    ),
    ("webhook_stale", "A message of under a day from the provider's own network is one that was resent after a fault."),
    (
        "gps_spoof",
        "A false track that keeps to the road's speed, with places as a receiver gives them, differs from a true one in nothing that one event after the other shows.",
    ),
    ("admin_bulk_read", "Some tens of records a day, under tickets and in working hours, are work."),
    (
        "admin_new_place",
        "Two deeds and few looks from a network of the same country may be the line at home: admin.new_network wants three.",
    ),
    ("admin_no_reason", "Three deeds of a week without a ticket, among many with one, are forgotten ones."),
    (
        "admin_payout_change",
        "Three customers of a week with invented tickets look like three who asked; the money's own rules see the payout where the change is told as a credential's.",
    ),
    (
        "admin_refund_favourites",
        "Refunds to a few clients that come to under 3,000 EGP, or among as many to others, are a desk's ordinary week.",
    ),
    (
        "completion_without_photo",
        "Half of the jobs without a photo are what clients who want none leave; the rule wants more than every second one.",
    ),
    ("far_completion", "One far job among several is a forgotten tap on the way home, and a claimed radius takes off as much."),
    (
        "instant_completion",
        "Jobs that are left open for a quarter of an hour, or two dear ones and three others of a week, or more that lasted beside them, differ from short jobs in nothing.",
    ),
    ("route_altered", "One changed plan, or three that lead to the address, are traffic."),
    (
        "credential_stuffing",
        "An address and a device for each account, and so slow that the refusals are a small part of the platform's own, leave the login that fits: it looks like a new phone.",
    ),
    ("password_spraying", "As with stuffed credentials: spread over addresses and days, the refusals drown in the platform's own."),
    ("chargebacks", "One chargeback for each account, device and card is a lone one; only what the payers have in common would tell."),
    ("missing_posting", "What is booked within its settlement time, or for another payment of the same booking, is booked."),
    ("mule_mirror", "Money that rests for days, of two payers or fewer, is a tasker's who is paid weekly."),
    (
        "payout_above_earnings",
        "The first payout of an account is not measured against earnings that may lie before the stream, where its balance is not told.",
    ),
    ("payout_above_kyc", "Payouts just under the level's limit, a week apart, stay within it."),
    ("payout_velocity", "Up to six payouts a day of what was earned are asked for by people who live from day to day."),
    (
        "refund_inside_lane",
        "A refund under the words of an outage or a lost parcel, while there is one, is what the lane is for; the agent's share of it shows after several.",
    ),
    ("refund_pair", "Two refunds a month of one pair, or 1,000 EGP in all, are a tasker who came again for nothing."),
    ("unpaid_start", "Two jobs of a week that are not paid half a day later are a card that ran out."),
    (
        "unsigned_cash",
        "Three or four receipts of a week without a good signature, of clients who are old and come once, or among three good ones each, are an old app's.",
    ),
    ("wallet_drain", "A thief on the victim's own device or line, who waits before the payout, is the victim to all that events show."),
    ("review_coercion", "Who is coerced and reports nothing gives five stars; only words in chat, or reports of others, tell."),
    ("review_reciprocal", "Two accounts that praise each other once have worked for each other."),
    ("device_cloned", "A copy on the victim's line, without another fingerprint, that waits a day, is the victim's phone."),
    (
        "takeover_new_device",
        "A code that was read out, a carrier's line in the victim's city and hours of waiting make a new phone; the payout goes where payouts of new phones go, and its rules stop counting after an hour.",
    ),
    ("takeover_payout", "From the victim's city, with a payout a day after the change, he is an owner with a new wallet."),
];

/// The sentence about a kind.
pub(crate) fn of(kind: &str) -> Option<&'static str> {
    WHY.iter().find(|(of, _)| *of == kind).map(|(_, why)| *why)
}

/// What was missed of a kind: by level, how many of how many.
pub(crate) fn missed(tally: &Tally) -> Vec<(&'static str, Vec<(Level, Share)>)> {
    let mut all: Vec<(&'static str, Vec<(Level, Share)>)> = Vec::new();
    for ((_, kind, level), cell) in &tally.cells {
        let (hits, of) = (cell.tuned.hits + cell.untuned.hits, cell.tuned.of + cell.untuned.of);
        if hits < of {
            let missed = (*level, Share { hits: of - hits, of });
            match all.last_mut().filter(|(last, _)| last == kind) {
                Some((_, levels)) => levels.push(missed),
                None => all.push((kind, vec![missed])),
            }
        }
    }
    all
}

/// That each kind that was missed in so many weeks has its sentence; of enough weeks, that no other has one.
///
/// # Errors
/// Names those of which one is missing, and those that have one too many.
pub(crate) fn complete<'a>(missed: impl IntoIterator<Item = &'a str>, weeks: u64) -> Result<()> {
    let missed: BTreeSet<&str> = missed.into_iter().collect();
    let explained: BTreeSet<&str> = WHY.iter().map(|(kind, _)| *kind).collect();
    let list = |kinds: Vec<&&str>| kinds.into_iter().copied().collect::<Vec<_>>().join(", ");
    let (without, beside) = (list(missed.difference(&explained).collect()), list(explained.difference(&missed).collect()));
    ensure!(without.is_empty(), "why.rs does not say why these are missed: {without}");
    ensure!(beside.is_empty() || weeks < WEEKS, "why.rs says why these are missed, and they are not: {beside}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// Kinds of the page's table of campaigns of which one or more were missed.
    fn missed_of_page(page: &str) -> Vec<&str> {
        let (_, table) = page.split_once("### Campaigns\n").expect("the page has its campaigns");
        let (table, _) = table.split_once("\n### ").expect("and more after them");
        let rows = table.lines().map(|line| line.split(" | ").collect::<Vec<&str>>());
        let missed = |cell: &&str| {
            let halves = cell.split(", ").filter_map(|half| half.split_once('/'));
            halves.into_iter().any(|(hits, of)| hits.parse::<u64>().expect("a number") < of.parse::<u64>().expect("a number"))
        };
        let cells = rows.filter(|row| row.len() == 6 && row.get(1..4).is_some_and(|cells| cells.iter().any(missed)));
        cells.filter_map(|row| row.first().map(|kind| kind.trim_start_matches("| "))).collect()
    }

    #[test]
    fn each_miss_on_the_page_is_explained_and_nothing_else() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/detection-quality.md");
        let page = fs::read_to_string(page).expect("the page is there");
        let missed = missed_of_page(&page);
        let (_, made) = page.split_once("## The shipped rules\n").expect("the page has them");
        let weeks = made.split_whitespace().next().and_then(|weeks| weeks.parse().ok()).expect("the page says of how many weeks it is");
        complete(missed.iter().copied(), weeks).expect("complete");
        for kind in missed {
            assert!(page.contains(of(kind).expect("a sentence")), "the page is older than what is said of {kind}");
        }
    }

    #[test]
    fn a_row_with_a_miss_in_either_half_is_found() {
        let page = "### Campaigns\n\n| a | 1/1, 2/2 | 1/1, 1/1 | 3/3, 3/3 | 1 h | x |\n| b | 1/1, 1/2 | 1/1, 1/1 | 1/1, 1/1 | 1 h | x |\n\
                    | c | 1/1, 1/1 | 1/1, 1/1 | 0/1, 1/1 | 1 h | x |\n\n### Rules\n";
        assert_eq!(missed_of_page(page), ["b", "c"]);
        complete(["no such kind"], 1).expect_err("it has no sentence");
        complete([], WEEKS).expect_err("those that have one were not missed");
        complete([], WEEKS - 1).expect("that may be luck");
    }
}
