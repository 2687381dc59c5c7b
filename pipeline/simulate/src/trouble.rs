//! What campaigns bring into the life of others: owners who are shut out of their accounts, payments through a provider that is down.

use std::collections::BTreeMap;

use crate::campaign::CAST;
use crate::clock::{HOUR, MINUTE};
use crate::people::Person;
use crate::random::Random;

/// What is known of campaigns that have begun. What a campaign of a later day will bring is not known to stories that began before it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Troubles {
    /// By person's number: when the account was closed to its owner, and when support gives it back.
    shut_out: BTreeMap<u64, (i64, i64)>,
    outages: Vec<Outage>,
}

/// A provider fails.
#[derive(Clone, Debug)]
pub(crate) struct Outage {
    pub(crate) provider: &'static str,
    pub(crate) from: i64,
    pub(crate) until: i64,
    /// Share of the payments that fail, 0 to 1.
    pub(crate) share: f64,
}

impl Troubles {
    /// Somebody else has changed what opens the account: sessions are closed, and the password or the number is another. Support
    /// gives it back (assumption: after three hours to a day and a half).
    pub(crate) fn shut_out(&mut self, owner: &Person, at: i64) {
        if owner.number < CAST {
            let again = at + Random::of(0, &owner.id, at.unsigned_abs(), 0).between(3 * HOUR, 36 * HOUR);
            self.shut_out.insert(owner.number, (at, again));
        }
    }

    /// Whether the account is closed to its owner.
    pub(crate) fn is_shut_out(&self, owner: &Person, at: i64) -> bool {
        self.shut_out.get(&owner.number).is_some_and(|(from, until)| (*from..*until).contains(&at))
    }

    /// When the owner gets the account back.
    pub(crate) fn back(&self, owner: &Person) -> Option<i64> {
        self.shut_out.get(&owner.number).map(|(_, until)| *until)
    }

    pub(crate) fn outage(&mut self, outage: Outage) {
        self.outages.push(outage);
    }

    /// When each try of a payment fails that is first made at `at`, and when one goes through: people and services wait three times as long after each.
    pub(crate) fn tries(&self, provider: Option<&str>, payment: &str, at: i64) -> (Vec<i64>, i64) {
        let random = &mut Random::of(0, payment, 1, 0);
        let (mut failed, mut at, mut wait) = (Vec::new(), at, MINUTE);
        while self.fails(provider, at, random) {
            failed.push(at);
            at += random.between(wait / 2, wait * 3 / 2);
            wait *= 3;
        }
        (failed, at)
    }

    fn fails(&self, provider: Option<&str>, at: i64, random: &mut Random) -> bool {
        let down = |outage: &&Outage| provider == Some(outage.provider) && (outage.from..outage.until).contains(&at);
        self.outages.iter().find(down).is_some_and(|outage| random.chance(outage.share))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payment_goes_through_when_the_provider_is_back() {
        let mut troubles = Troubles::default();
        assert_eq!(troubles.tries(Some("wallet_eg"), "p_1", 0), (Vec::new(), 0));
        troubles.outage(Outage { provider: "wallet_eg", from: 0, until: HOUR, share: 1.0 });
        let (failed, at) = troubles.tries(Some("wallet_eg"), "p_1", 0);
        assert!(failed.len() > 2 && failed.iter().all(|at| *at < HOUR) && (HOUR..4 * HOUR).contains(&at), "{failed:?} {at}");
        assert_eq!(troubles.tries(Some("card_eg"), "p_1", 0), (Vec::new(), 0), "another provider");
        assert_eq!(troubles.tries(None, "p_1", 0), (Vec::new(), 0), "cash");
        assert_eq!(troubles.tries(Some("wallet_eg"), "p_1", HOUR), (Vec::new(), HOUR), "afterwards");
    }
}
