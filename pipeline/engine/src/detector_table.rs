//! A detector's states, its type behind a table that does not show it.

use rasid_detectors::detector::{Detector, DetectorParams, DetectorVisitor};
use rasid_detectors::event::Event;
use rasid_detectors::signal::Signal;
use serde::{Deserialize, Serialize};

use crate::keyed_state::{Keyed, Table};

/// A detector's states.
pub(crate) trait DetectorTable: Send + Sync {
    fn observe(&mut self, key: u64, event: &Event<'_>, clock_ms: i64) -> Option<Signal>;
    fn prefetch(&self, key: u64);
    fn bytes(&self) -> usize;
    fn evicted(&self) -> u64;
    fn set_share(&mut self, share: usize, clock_ms: i64);
    fn set_lateness(&mut self, lateness_ms: i64, clock_ms: i64);
    fn save(&self, out: Vec<u8>) -> Vec<u8>;
    fn load<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], postcard::Error>;
    fn share(&mut self) -> Box<dyn DetectorTable>;
}

/// An empty table of the detector with those parameters.
pub(crate) fn new_detector_table(params: &DetectorParams, lateness_ms: i64, share: usize) -> Box<dyn DetectorTable> {
    params.accept(New { lateness_ms, share })
}

/// A detector's state.
#[derive(Serialize, Deserialize)]
#[serde(transparent, bound = "")]
struct Remembered<D: Detector>(D::State);

impl<D: Detector> Default for Remembered<D> {
    fn default() -> Self {
        Self(D::State::default())
    }
}

impl<D: Detector> Clone for Remembered<D> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<D: Detector> Keyed for Remembered<D> {
    fn cells(&self) -> usize {
        D::heap_bytes(&self.0).div_ceil(16)
    }
}

struct Typed<D: Detector> {
    params: D::Params,
    table: Table<Remembered<D>>,
}

impl<D: Detector> DetectorTable for Typed<D> {
    fn observe(&mut self, key: u64, event: &Event<'_>, clock_ms: i64) -> Option<Signal> {
        let params = &self.params;
        self.table.update(key, clock_ms, |remembered| D::observe(params, event, &mut remembered.0))
    }

    fn prefetch(&self, key: u64) {
        self.table.prefetch(key);
    }

    fn bytes(&self) -> usize {
        self.table.bytes()
    }

    fn evicted(&self) -> u64 {
        self.table.evicted()
    }

    fn set_share(&mut self, share: usize, clock_ms: i64) {
        self.table.set_share(share, clock_ms);
    }

    fn set_lateness(&mut self, lateness_ms: i64, clock_ms: i64) {
        self.table.set_ttl(ttl_ms::<D>(&self.params, lateness_ms), clock_ms);
    }

    fn save(&self, out: Vec<u8>) -> Vec<u8> {
        self.table.save(out)
    }

    fn load<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], postcard::Error> {
        self.table.load(bytes)
    }

    fn share(&mut self) -> Box<dyn DetectorTable> {
        Box::new(Self { params: self.params.clone(), table: self.table.share() })
    }
}

struct New {
    lateness_ms: i64,
    share: usize,
}

impl DetectorVisitor for New {
    type Output = Box<dyn DetectorTable>;

    fn visit<D: Detector>(self, params: &D::Params) -> Self::Output {
        let ttl_ms = ttl_ms::<D>(params, self.lateness_ms);
        Box::new(Typed::<D> { params: params.clone(), table: Table::new(ttl_ms, self.share) })
    }
}

fn ttl_ms<D: Detector>(params: &D::Params, lateness_ms: i64) -> i64 {
    D::ttl_ms(params).saturating_add(lateness_ms)
}
