//! Day keys as what seals snapshots.

use super::{SealError, Sealer};
use crate::seal::{Day, Keyring, Kind, Nonce};

impl Sealer for Keyring {
    fn seal(&self, day: i64, kind: u8, number: u64, aad: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut buffer = plain.to_vec();
        Self::seal(self, day_of(day)?, Nonce::new(Kind::Snapshot, number, u16::from(kind)), aad, &mut buffer)?;
        Ok(buffer)
    }

    fn open(&self, day: i64, kind: u8, number: u64, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut buffer = sealed.to_vec();
        Self::unseal(self, day_of(day)?, Nonce::new(Kind::Snapshot, number, u16::from(kind)), aad, &mut buffer)?;
        Ok(buffer)
    }
}

fn day_of(day: i64) -> Result<Day, SealError> {
    Ok(Day(i32::try_from(day)?))
}
