//! The memory of one call: everything that the function gets a pointer to lies here, and is gone afterwards.
//!
//! Blocks have addresses that do not change until [`Arena::clear`]. Behind each lie guard bytes: a library that writes past
//! the end of a buffer changes them, and [`Arena::overrun`] tells which. Nothing in this file dereferences an address: the
//! library writes through them while it runs, when no reference into the arena is held, and the bytes are read back as
//! an ordinary slice afterwards.
//!
//! A large buffer may be the memory of a file instead ([`super::shared`]): a chunk of its own, with the same guard behind it.

use memmap2::MmapMut;

/// The alignment of every block: enough for any C object of the supported ABIs.
pub const ALIGNMENT: usize = 16;

/// Bytes of guard behind every block.
pub const GUARD_BYTES: usize = 64;

/// What they hold: neither a NUL, which would end a string, nor anything that libraries fill memory with.
const GUARD: u8 = 0xA7;

/// The first chunk's size, kept from call to call, so that an ordinary call allocates nothing.
const CHUNK: usize = 16 * 1024;

/// Room behind the last guard of a chunk, for a library that writes far past the end.
const MARGIN: usize = 4 * 1024;

/// How many bytes behind a block belong to its chunk, at least.
pub const BEHIND: usize = GUARD_BYTES + MARGIN;

/// There is not enough memory for the arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{bytes} bytes could not be allocated")]
pub struct OutOfMemory {
    /// How many were asked for.
    pub bytes: usize,
}

/// A block of the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    chunk: usize,
    offset: usize,
    length: usize,
}

impl Block {
    /// Its bytes, without the guard.
    pub const fn length(self) -> usize {
        self.length
    }
}

/// Memory that blocks lie in. It does not move.
#[derive(Debug)]
enum Chunk {
    /// Never resized.
    Own(Vec<u8>),
    /// A file's, for one block.
    File(MmapMut),
}

impl std::ops::Deref for Chunk {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Own(memory) => memory,
            Self::File(memory) => memory,
        }
    }
}

impl std::ops::DerefMut for Chunk {
    fn deref_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Own(memory) => memory,
            Self::File(memory) => memory,
        }
    }
}

/// A bump allocator with stable addresses.
#[derive(Debug, Default)]
pub struct Arena {
    /// Blocks are taken from the last one only.
    chunks: Vec<Chunk>,
    used: usize,
    /// Every block, in the order of allocation: within a chunk, by address.
    blocks: Vec<Block>,
}

impl Arena {
    /// A block of `length` zeros.
    ///
    /// # Errors
    /// When the process has no room for it: a 32-bit process soon has not.
    pub fn allocate(&mut self, length: usize) -> Result<Block, OutOfMemory> {
        let error = OutOfMemory { bytes: length };
        if let Some(block) = self.take(length) {
            return Ok(block);
        }
        let wanted = length.checked_add(ALIGNMENT + BEHIND).ok_or(error)?.max(CHUNK);
        let mut chunk = Vec::new();
        chunk.try_reserve_exact(wanted).map_err(|_| error)?;
        chunk.resize(wanted, 0);
        self.chunks.push(Chunk::Own(chunk));
        self.used = 0;
        self.take(length).ok_or(error)
    }

    /// A block that is the memory of a file but for the last [`BEHIND`] bytes, which are its guard's. What is in it stays.
    pub fn adopt(&mut self, memory: MmapMut) -> Block {
        let (chunk, length) = (self.chunks.len(), memory.len() - BEHIND);
        let mut memory = Chunk::File(memory);
        memory[length..length + GUARD_BYTES].fill(GUARD);
        // Nothing else goes there.
        self.used = memory.len();
        self.chunks.push(memory);
        let block = Block { chunk, offset: 0, length };
        self.blocks.push(block);
        block
    }

    /// A block with these bytes.
    ///
    /// # Errors
    /// As [`Arena::allocate`].
    pub fn store(&mut self, bytes: &[u8]) -> Result<Block, OutOfMemory> {
        let block = self.allocate(bytes.len())?;
        self.bytes_mut(block).copy_from_slice(bytes);
        Ok(block)
    }

    /// A block's bytes.
    pub fn bytes(&self, block: Block) -> &[u8] {
        &self.chunks[block.chunk][block.offset..block.offset + block.length]
    }

    /// A block's bytes, to write.
    pub fn bytes_mut(&mut self, block: Block) -> &mut [u8] {
        &mut self.chunks[block.chunk][block.offset..block.offset + block.length]
    }

    /// Where a block lies, for the library.
    pub fn address(&mut self, block: Block) -> usize {
        // As a mutable pointer, because the library may write through it.
        self.bytes_mut(block).as_mut_ptr().expose_provenance()
    }

    /// The addresses of all of it: from each first to just behind the last.
    pub fn ranges(&self) -> impl Iterator<Item = std::ops::Range<usize>> {
        self.chunks.iter().map(|chunk| {
            let start = chunk.as_ptr().addr();
            start..start + chunk.len()
        })
    }

    /// The block that `address` points into, and how far. The end of a block belongs to it, too: C counts up to there.
    pub fn find(&self, address: usize) -> Option<(Block, usize)> {
        for (index, chunk) in self.chunks.iter().enumerate() {
            let Some(offset) = address.checked_sub(chunk.as_ptr().addr()).filter(|offset| *offset < chunk.len()) else {
                continue;
            };
            let after = self.blocks.partition_point(|block| (block.chunk, block.offset) <= (index, offset));
            let block = self.blocks[..after].last().filter(|block| block.chunk == index)?;
            return Some((*block, offset - block.offset)).filter(|(block, inside)| *inside <= block.length);
        }
        None
    }

    /// How many blocks there are.
    pub const fn count(&self) -> usize {
        self.blocks.len()
    }

    /// The number of the first block whose guard the library has written to: 0 is the one that was allocated first.
    pub fn overrun(&self) -> Option<usize> {
        let whole = [GUARD; GUARD_BYTES];
        self.blocks.iter().position(|block| {
            let end = block.offset + block.length;
            self.chunks[block.chunk][end..end + GUARD_BYTES] != whole
        })
    }

    /// Forgets all blocks, and returns what a large call took.
    pub fn clear(&mut self) {
        let keep =
            self.chunks.first().is_some_and(|chunk| matches!(chunk, Chunk::Own(memory) if memory.len() == CHUNK));
        self.chunks.truncate(usize::from(keep));
        self.used = 0;
        self.blocks.clear();
    }

    fn take(&mut self, length: usize) -> Option<Block> {
        let index = self.chunks.len().checked_sub(1)?;
        let chunk = &mut self.chunks[index];
        let base = chunk.as_ptr().addr();
        let offset = (base + self.used).next_multiple_of(ALIGNMENT) - base;
        let end = offset.checked_add(length)?;
        let guarded = end.checked_add(GUARD_BYTES)?;
        if guarded.checked_add(MARGIN)? > chunk.len() {
            return None;
        }
        // An earlier call may have left something here.
        chunk[offset..end].fill(0);
        chunk[end..guarded].fill(GUARD);
        self.used = guarded;
        let block = Block { chunk: index, offset, length };
        self.blocks.push(block);
        Some(block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_aligned_apart_and_keep_their_addresses() {
        let mut arena = Arena::default();
        let blocks: Vec<Block> = (0..2000).map(|n| arena.allocate(n % 97).unwrap()).collect();
        let addresses: Vec<usize> = blocks.iter().map(|block| arena.address(*block)).collect();
        arena.allocate(CHUNK * 3).unwrap();
        for (block, address) in blocks.iter().zip(&addresses) {
            assert_eq!(arena.address(*block), *address);
            assert_eq!(address % ALIGNMENT, 0);
            assert_eq!(arena.find(*address), Some((*block, 0)));
            assert_eq!(arena.find(address + block.length), Some((*block, block.length)));
            assert_eq!(arena.find(address + block.length + 1), None);
        }
        let mut ranges: Vec<_> =
            blocks.iter().zip(addresses).map(|(block, start)| (start, start + block.length)).collect();
        ranges.sort_unstable();
        assert!(ranges.windows(2).all(|pair| pair[0].1 + GUARD_BYTES <= pair[1].0));
        assert_eq!(arena.find(8), None);
        assert_eq!(arena.overrun(), None);
    }

    #[test]
    fn a_write_past_the_end_is_noticed_and_hits_no_other_block() {
        let mut arena = Arena::default();
        let first = arena.store(&[1; 24]).unwrap();
        let second = arena.store(&[2; 24]).unwrap();
        for past in [0, 1, GUARD_BYTES - 1] {
            let end = first.offset + first.length + past;
            arena.chunks[first.chunk][end] = 0;
            assert_eq!(arena.overrun(), Some(0), "{past} bytes past the end");
            arena.chunks[first.chunk][end] = GUARD;
        }
        assert_eq!(arena.bytes(second), [2; 24]);
    }

    #[test]
    fn memory_of_an_earlier_call_is_not_seen_again() {
        let mut arena = Arena::default();
        arena.store(&[7; 64]).unwrap();
        arena.clear();
        let block = arena.allocate(64).unwrap();
        assert_eq!(arena.bytes(block), [0; 64]);
    }

    #[test]
    fn the_memory_of_a_file_is_one_block_with_a_guard_and_goes_with_the_call() {
        let mut arena = Arena::default();
        let before = arena.store(&[1; 24]).unwrap();
        let mut memory = MmapMut::map_anon(100 + BEHIND).unwrap();
        memory[..3].copy_from_slice(b"abc");
        let block = arena.adopt(memory);
        let after = arena.store(&[2; 24]).unwrap();
        assert_eq!((block.length(), &arena.bytes(block)[..4]), (100, &b"abc\0"[..]));
        let address = arena.address(block);
        assert_eq!((address % ALIGNMENT, arena.find(address + 100)), (0, Some((block, 100))));
        assert_eq!((arena.find(address + 101), arena.overrun()), (None, None));
        arena.chunks[block.chunk][100] = 0;
        assert_eq!(arena.overrun(), Some(1));
        assert_eq!((arena.bytes(before), arena.bytes(after)), (&[1; 24][..], &[2; 24][..]));
        arena.clear();
        assert_eq!((arena.count(), arena.chunks.len()), (0, 1));
        arena.adopt(MmapMut::map_anon(CHUNK).unwrap());
        arena.clear();
        assert!(arena.chunks.iter().all(|chunk| matches!(chunk, Chunk::Own(_))), "a file is kept by no call");
    }

    #[test]
    fn an_impossible_size_is_an_error() {
        assert_eq!(Arena::default().allocate(usize::MAX / 2), Err(OutOfMemory { bytes: usize::MAX / 2 }));
    }
}
