//! Writes calls that nobody has made, as the writer does, so that what questions cost can be measured.

use std::path::Path;

use super::Record;
use super::store::{Store, StoreError};
use crate::config::HistoryConfig;

/// One transaction has so many.
const BATCH: usize = 4096;

/// Writes calls behind those that are there; `progress` is told how many are written.
///
/// # Errors
/// The store cannot be opened or written.
pub async fn fill(
    data_dir: &Path,
    config: &HistoryConfig,
    mut calls: impl Iterator<Item = Record>,
    mut progress: impl FnMut(usize),
) -> Result<(), StoreError> {
    let mut store = Store::open(data_dir, config).await?;
    let mut written = 0;
    loop {
        let mut batch: Vec<Record> = calls.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            store.gather_statistics().await?;
            return store.close(true).await;
        }
        store.insert(&mut batch, None).await?;
        written += batch.len();
        progress(written);
    }
}
