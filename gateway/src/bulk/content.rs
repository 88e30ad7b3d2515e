//! What an answer has for its body: texts and files, read while they are sent.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read as _};
use std::sync::Arc;

use bridge32_signature::{BodyDigest, Digested};
use bytes::Bytes;
use futures_util::{Stream, TryStreamExt as _, stream};
use tokio::task::JoinHandle;

use super::{PIECE_BYTES, TempFile};

/// A part of a body.
#[derive(Clone, Debug)]
pub enum Piece {
    /// Bytes.
    Bytes(Bytes),
    /// So many bytes of a file.
    File(Arc<TempFile>, u64),
}

/// A body.
#[derive(Clone, Debug)]
pub struct Content(Arc<[Piece]>);

impl Content {
    /// One of these pieces.
    pub fn new(pieces: Vec<Piece>) -> Self {
        Self(pieces.into())
    }

    /// How many bytes it has.
    pub fn bytes(&self) -> u64 {
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Bytes(bytes) => bytes.len() as u64,
                Piece::File(_, bytes) => *bytes,
            })
            .sum()
    }

    /// Its bytes. The files stay until all is sent, or nobody wants it any more.
    pub fn stream(&self) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
        let reading = Reading { pieces: self.0.iter().cloned().collect(), current: None };
        stream::unfold(reading, |mut reading| async { Some((reading.next().await?, reading)) })
    }

    /// The digest of all of it, which is read once more for that.
    ///
    /// # Errors
    /// A file cannot be read.
    pub async fn digest(&self) -> io::Result<Digested> {
        let hash = |mut digest: BodyDigest, piece: Bytes| async move {
            digest.update(&piece);
            Ok(digest)
        };
        Ok(self.stream().try_fold(BodyDigest::default(), hash).await?.finish())
    }
}

struct Reading {
    pieces: VecDeque<Piece>,
    current: Option<Reader>,
}

impl Reading {
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        loop {
            if let Some(reader) = &mut self.current {
                match reader.next().await {
                    None => self.current = None,
                    piece => return piece,
                }
            }
            match self.pieces.pop_front()? {
                Piece::Bytes(bytes) => return Some(Ok(bytes)),
                Piece::File(file, bytes) => self.current = Some(Reader::open(file, bytes)),
            }
        }
    }
}

/// Reads a file, a piece ahead of whoever sends it.
struct Reader {
    job: Option<JoinHandle<io::Result<Read>>>,
    _held: Arc<TempFile>,
}

impl Reader {
    fn open(file: Arc<TempFile>, bytes: u64) -> Self {
        let path = file.path().to_owned();
        let job = (bytes > 0).then(|| ahead(move || File::open(path), bytes));
        Self { job, _held: file }
    }

    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        match self.job.take()?.await.map_err(io::Error::other).flatten() {
            Ok((piece, file, left)) => {
                self.job = (left > 0).then(|| ahead(move || Ok(file), left));
                Some(Ok(piece))
            }
            Err(error) => Some(Err(error)),
        }
    }
}

/// A piece of a file, the file, and how much is left of it.
type Read = (Bytes, File, u64);

/// Has the next piece of a file read elsewhere. Its memory is of this thread, to which it comes back: each of many others would keep some.
fn ahead(file: impl FnOnce() -> io::Result<File> + Send + 'static, left: u64) -> JoinHandle<io::Result<Read>> {
    let mut piece = Vec::with_capacity(PIECE_BYTES);
    tokio::task::spawn_blocking(move || {
        let (mut file, wanted) = (file()?, left.min(PIECE_BYTES as u64));
        let read = (&mut file).take(wanted).read_to_end(&mut piece)?;
        if read as u64 != wanted {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok((piece.into(), file, left - wanted))
    })
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::io::Write as _;

    use super::super::folder::tests::{files, folder};
    use super::*;

    async fn all(content: &Content) -> io::Result<Vec<u8>> {
        content.stream().try_fold(Vec::new(), |all, piece| async move { Ok([all, piece.to_vec()].concat()) }).await
    }

    #[tokio::test]
    async fn texts_and_files_follow_each_other_and_files_go_when_they_are_sent() {
        let place = tempfile::tempdir().unwrap();
        let folder = folder(place.path());
        let bytes: Vec<u8> = (0..=250).cycle().take(PIECE_BYTES * 2 + 5).collect();
        let (mut file, temporary) = folder.create().unwrap();
        file.write_all(&bytes).unwrap();
        let (_, empty) = folder.create().unwrap();
        let text = |text: &'static str| Piece::Bytes(Bytes::from_static(text.as_bytes()));
        let most = bytes.len() as u64 - 1;
        let content =
            Content::new(vec![text("a"), Piece::File(temporary, most), text("b"), Piece::File(empty, 0), text("c")]);
        let expected = [b"a", &bytes[..bytes.len() - 1], b"bc"].concat();
        assert_eq!(content.bytes(), expected.len() as u64);
        assert!(all(&content).await.unwrap() == expected);
        let mut digest = BodyDigest::default();
        digest.update(&expected);
        assert_eq!(content.digest().await.unwrap(), digest.finish());
        drop(content);
        while files(place.path()) > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn a_file_that_is_too_short_breaks_the_answer_off() {
        let place = tempfile::tempdir().unwrap();
        let (_, temporary) = folder(place.path()).create().unwrap();
        let error = all(&Content::new(vec![Piece::File(temporary, 1)])).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
