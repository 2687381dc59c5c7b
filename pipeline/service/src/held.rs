//! A mutex, opened.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a mutex holds, whoever panicked while he held it: the values here are whole at any time.
pub(crate) fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
