//! The registers and the stack area of one call, as the thunk loads them. What goes where is the [`super::plan`]'s.

/// The most bytes of stack arguments. Structures by value may be large; a library's stack has megabytes.
pub const MAX_STACK_BYTES: usize = 64 << 10;

/// The arguments of one call, placed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// General registers in the order in which the ABI hands them out: rdi rsi rdx rcx r8 r9, on Windows rcx rdx r8 r9, on
    /// i386 ecx edx.
    pub general: [u64; 6],
    /// Bits of the vector registers in order; none on i386.
    pub vector: [u64; 8],
    /// Vector registers that carry arguments; variadic functions are told.
    pub vectors: u8,
    /// The stack area as memory, lowest address first, 8 bytes an entry.
    stack: Vec<u64>,
    stack_bytes: usize,
}

impl Frame {
    /// Forgets what was placed before, and makes room for `stack_bytes` of zeros.
    pub fn clear(&mut self, stack_bytes: usize, vectors: u8) {
        self.general = [0; 6];
        self.vector = [0; 8];
        self.vectors = vectors;
        self.stack.clear();
        self.stack.resize(stack_bytes.div_ceil(8), 0);
        self.stack_bytes = stack_bytes;
    }

    /// Writes into the stack area, at a multiple of 4 where nothing has been written since it was cleared.
    ///
    /// # Panics
    /// If that is outside the area.
    pub fn write(&mut self, offset: usize, bytes: &[u8]) {
        for (index, word) in bytes.chunks(4).enumerate() {
            let at = offset + index * 4;
            let word = word.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
            self.stack[at / 8] |= word << (at % 8 * 8);
        }
    }

    /// The stack area.
    pub fn stack(&self) -> &[u64] {
        &self.stack
    }

    /// Bytes of the stack area that are in use: all of it, but for half of the last entry.
    pub const fn stack_bytes(&self) -> usize {
        self.stack_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_any_length_lie_side_by_side() {
        let mut frame = Frame::default();
        frame.clear(20, 0);
        frame.write(4, &[1, 2, 3, 4, 5, 6, 7, 8]);
        frame.write(12, &[9]);
        frame.write(16, &[10, 11, 12]);
        assert_eq!(frame.stack(), [0x0403_0201_0000_0000, 0x0000_0009_0807_0605, 0x000c_0b0a]);
        frame.clear(4, 0);
        assert_eq!((frame.stack(), frame.stack_bytes()), ([0].as_slice(), 4));
    }
}
