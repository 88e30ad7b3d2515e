//! Bytes that come in pieces go into a file, unless they are few: read and hashed on the way, and written while the next ones come.

use std::fs::File;
use std::io::{self, Write as _};
use std::sync::Arc;

use bridge32_protocol::wire::{Digest, LARGEST_INLINE};
use bridge32_signature::{BodyDigest, Digested};
use bytes::Bytes;
use tokio::task::JoinHandle;

use super::{Folder, PIECE_BYTES, TempFile, Value, hexadecimal};

/// Takes bytes. Dropped before its end, it leaves nothing.
#[derive(Debug)]
pub(super) struct Spool {
    folder: Arc<Folder>,
    /// What is not written yet.
    waiting: Vec<Bytes>,
    waiting_bytes: usize,
    sink: Sink,
}

/// Where they go.
#[derive(Debug)]
enum Sink {
    /// There are few so far.
    None(Box<BodyDigest>),
    Writing(JoinHandle<io::Result<Written>>),
    /// Somebody has given up.
    Lost,
}

#[derive(Debug)]
struct Written {
    file: File,
    temporary: Arc<TempFile>,
    digest: BodyDigest,
}

impl Written {
    fn write(mut self, pieces: &[Bytes]) -> io::Result<Self> {
        for piece in pieces {
            self.digest.update(piece);
            self.file.write_all(piece)?;
        }
        Ok(self)
    }
}

impl Spool {
    pub(super) fn new(folder: &Arc<Folder>, digest: BodyDigest) -> Self {
        Self { folder: Arc::clone(folder), waiting: Vec::new(), waiting_bytes: 0, sink: Sink::None(Box::new(digest)) }
    }

    /// Takes the next piece, when those before it are written.
    pub(super) async fn push(&mut self, piece: Bytes) -> io::Result<()> {
        self.waiting_bytes += piece.len();
        self.waiting.push(piece);
        if self.waiting_bytes < PIECE_BYTES { Ok(()) } else { self.write().await }
    }

    /// There is no more.
    pub(super) async fn finish(mut self) -> io::Result<(Value, Digested)> {
        if let Sink::None(digest) = &mut self.sink
            && self.waiting_bytes <= LARGEST_INLINE
        {
            let mut digest = *std::mem::take(digest);
            let bytes = self.waiting.concat();
            digest.update(&bytes);
            return Ok((Value::Inline(bytes.into()), digest.finish()));
        }
        self.write().await?;
        let Written { temporary, digest, .. } = self.written().await?;
        let digested = digest.finish();
        let digest = Digest { bytes: digested.bytes, sha256: hexadecimal(&digested.sha256) };
        Ok((Value::File(temporary, digest), digested))
    }

    /// Has what waits written.
    async fn write(&mut self) -> io::Result<()> {
        let written = self.written().await?;
        let pieces = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        self.sink = Sink::Writing(tokio::task::spawn_blocking(move || written.write(&pieces)));
        Ok(())
    }

    /// The file, once what was to be written is; the first time a new one.
    async fn written(&mut self) -> io::Result<Written> {
        match std::mem::replace(&mut self.sink, Sink::Lost) {
            Sink::Writing(job) => job.await.map_err(io::Error::other)?,
            Sink::None(digest) => {
                let folder = Arc::clone(&self.folder);
                let created = tokio::task::spawn_blocking(move || folder.create());
                let (file, temporary) = created.await.map_err(io::Error::other)??;
                Ok(Written { file, temporary, digest: *digest })
            }
            Sink::Lost => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::super::folder::tests::{files, folder};
    use super::*;

    async fn spooled(folder: &Arc<Folder>, pieces: &[Bytes]) -> (Value, Digested) {
        let mut spool = Spool::new(folder, BodyDigest::default());
        for piece in pieces {
            spool.push(piece.clone()).await.unwrap();
        }
        spool.finish().await.unwrap()
    }

    #[tokio::test]
    async fn few_bytes_stay_in_memory_and_many_are_in_a_file() {
        let place = tempfile::tempdir().unwrap();
        let folder = folder(place.path());
        for (piece, count) in [(0, 0), (1, 3), (LARGEST_INLINE, 1), (LARGEST_INLINE, 2), (PIECE_BYTES / 2 + 1, 5)] {
            let pieces: Vec<Bytes> = (0..count).map(|n| vec![n; piece].into()).collect();
            let all = pieces.concat();
            let (value, digested) = spooled(&folder, &pieces).await;
            assert_eq!(digested, {
                let mut one = BodyDigest::default();
                one.update(&all);
                one.finish()
            });
            match value {
                Value::Inline(bytes) => assert!(bytes == all && all.len() <= LARGEST_INLINE),
                Value::File(file, digest) => {
                    assert!(std::fs::read(file.path()).unwrap() == all && all.len() > LARGEST_INLINE);
                    assert_eq!((digest.bytes, digest.sha256), (all.len() as u64, hexadecimal(&digested.sha256)));
                }
            }
        }
    }

    #[tokio::test]
    async fn who_gives_up_leaves_no_file() {
        let place = tempfile::tempdir().unwrap();
        let folder = folder(place.path());
        let mut spool = Spool::new(&folder, BodyDigest::default());
        for _ in 0..3 {
            spool.push(vec![1; PIECE_BYTES].into()).await.unwrap();
        }
        assert_eq!(files(place.path()), 1);
        drop(spool);
        while files(place.path()) > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}
