//! The entries of one table, which a snapshot may share while it is written.
//!
//! As long as nobody else reads them they are one hash table. Once shared they do not change any more: what changes is
//! copied into a table beside them, entry by entry, so that taking a snapshot holds up no batch. The first change after
//! the snapshot is gone brings the two together again. None of this shows: not in what is found, nor in what is counted.

use std::sync::Arc;

use hashbrown::HashTable;

/// What has a key.
pub(crate) trait Entry: Clone {
    /// A hash already.
    fn key(&self) -> u64;
}

/// See the module's header.
pub(crate) struct Entries<E> {
    base: Base<E>,
    /// Entries changed or added since the base is shared.
    beside: HashTable<E>,
    /// Entries of the base that have one beside it.
    hidden: usize,
}

enum Base<E> {
    Own(HashTable<E>),
    Shared(Arc<HashTable<E>>),
}

impl<E: Entry> Entries<E> {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { base: Base::Own(HashTable::with_capacity(capacity)), beside: HashTable::new(), hidden: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.base().len() + self.beside.len() - self.hidden
    }

    /// How many there may be before memory is taken for more.
    pub(crate) fn capacity(&self) -> usize {
        self.base().capacity() + self.beside.capacity()
    }

    #[inline]
    pub(crate) fn find(&self, key: u64) -> Option<&E> {
        match &self.base {
            Base::Own(own) => find(own, key),
            Base::Shared(shared) => find(&self.beside, key).or_else(|| find(shared, key)),
        }
    }

    #[inline]
    pub(crate) fn find_mut(&mut self, key: u64) -> Option<&mut E> {
        self.settle();
        match &mut self.base {
            Base::Own(own) => own.find_mut(key, |entry| entry.key() == key),
            Base::Shared(shared) => {
                if find(&self.beside, key).is_none() {
                    let copy = find(shared, key)?.clone();
                    self.beside.insert_unique(key, copy, E::key);
                    self.hidden += 1;
                }
                self.beside.find_mut(key, |entry| entry.key() == key)
            }
        }
    }

    /// Adds an entry whose key is not there.
    #[inline]
    pub(crate) fn insert(&mut self, entry: E) {
        self.settle();
        let table = match &mut self.base {
            Base::Own(own) => own,
            Base::Shared(_) => &mut self.beside,
        };
        table.insert_unique(entry.key(), entry, E::key);
    }

    /// All entries, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &E> {
        let hides = |entry: &&E| self.beside.is_empty() || find(&self.beside, entry.key()).is_none();
        self.base().iter().filter(hides).chain(&self.beside)
    }

    /// Those of `places` places of the table from `from` on, in no order, and where to go on; 0 where that was the last part.
    /// An entry that stays is in one part or another, though the table may grow in between; one that is new may be in none.
    pub(crate) fn part(&self, from: usize, places: usize) -> (Vec<&E>, usize) {
        let (base, first) = (self.base(), self.base().num_buckets());
        let (end, all) = (from.saturating_add(places), self.places());
        let newest = |index: usize| {
            if index < first {
                let entry = base.get_bucket(index)?;
                return Some(find(&self.beside, entry.key()).unwrap_or(entry));
            }
            self.beside.get_bucket(index - first).filter(|entry| find(base, entry.key()).is_none())
        };
        ((from..end.min(all)).filter_map(newest).collect(), if end < all { end } else { 0 })
    }

    /// How many places there are, taken or not.
    pub(crate) fn places(&self) -> usize {
        self.base().num_buckets() + self.beside.num_buckets()
    }

    /// One hash table of its own, copied if need be: for what goes through all entries.
    pub(crate) fn own(&mut self) -> &mut HashTable<E> {
        self.settle();
        if let Base::Shared(shared) = &self.base {
            let copy = HashTable::clone(shared);
            self.take_in(copy);
        }
        match &mut self.base {
            Base::Own(own) => own,
            Base::Shared(_) => unreachable!("it was just made its own"),
        }
    }

    /// The same entries for a snapshot; they do not change with these.
    pub(crate) fn share(&mut self) -> Self {
        self.settle();
        let shared = match std::mem::replace(&mut self.base, Base::Own(HashTable::new())) {
            Base::Own(own) => Arc::new(own),
            Base::Shared(shared) => shared,
        };
        self.base = Base::Shared(Arc::clone(&shared));
        Self { base: Base::Shared(shared), beside: self.beside.clone(), hidden: self.hidden }
    }

    fn base(&self) -> &HashTable<E> {
        match &self.base {
            Base::Own(own) => own,
            Base::Shared(shared) => shared,
        }
    }

    /// Brings both tables together if nobody else reads the base any more.
    #[inline]
    fn settle(&mut self) {
        if let Base::Shared(shared) = &mut self.base
            && let Some(table) = Arc::get_mut(shared)
        {
            let table = std::mem::take(table);
            self.take_in(table);
        }
    }

    #[cold]
    fn take_in(&mut self, mut table: HashTable<E>) {
        for entry in std::mem::take(&mut self.beside) {
            let key = entry.key();
            match table.find_mut(key, |other| other.key() == key) {
                Some(old) => *old = entry,
                None => drop(table.insert_unique(key, entry, E::key)),
            }
        }
        (self.base, self.hidden) = (Base::Own(table), 0);
    }
}

#[inline]
fn find<E: Entry>(table: &HashTable<E>, key: u64) -> Option<&E> {
    table.find(key, |entry| entry.key() == key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    impl Entry for (u64, u32) {
        fn key(&self) -> u64 {
            self.0
        }
    }

    /// What is shared, and what it held then.
    type Held = (Entries<(u64, u32)>, BTreeMap<u64, u32>);

    fn all(entries: &Entries<(u64, u32)>) -> BTreeMap<u64, u32> {
        let all: BTreeMap<u64, u32> = entries.iter().copied().collect();
        assert_eq!((all.len(), entries.iter().count()), (entries.len(), entries.len()), "each once");
        let (mut parts, mut from) = (Vec::new(), 0);
        loop {
            let (part, next) = entries.part(from, 3);
            parts.extend(part.into_iter().copied());
            from = next;
            if from == 0 {
                break;
            }
        }
        assert_eq!((parts.len(), &parts.into_iter().collect::<BTreeMap<_, _>>()), (all.len(), &all), "and in one part each");
        all
    }

    proptest! {
        /// Whatever is shared when, and however long: a map; and what is shared stays as it was.
        #[test]
        fn it_is_a_map_and_what_is_shared_does_not_change(steps in proptest::collection::vec((0_u8..12, 0_u64..30), 1..300)) {
            let mut entries = Entries::with_capacity(0);
            let mut model: BTreeMap<u64, u32> = BTreeMap::new();
            let mut held: Vec<Held> = Vec::new();
            for (what, key) in steps {
                match what {
                    0 => held.push((entries.share(), model.clone())),
                    1 => held.clear(),
                    2 => { held.pop(); }
                    3 => {
                        entries.own().retain(|entry| entry.0 != key);
                        model.remove(&key);
                    }
                    _ => {
                        prop_assert_eq!(entries.find(key).map(|entry| entry.1), model.get(&key).copied());
                        match entries.find_mut(key) {
                            Some(entry) => entry.1 += 1,
                            None => entries.insert((key, 0)),
                        }
                        model.entry(key).and_modify(|times| *times += 1).or_insert(0);
                    }
                }
                prop_assert_eq!(all(&entries), model.clone());
                for (shared, then) in &held {
                    prop_assert_eq!(&all(shared), then);
                }
            }
        }
    }
}
