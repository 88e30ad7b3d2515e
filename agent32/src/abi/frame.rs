//! Where each argument of a call goes: registers and stack, per ABI. Pure, so that every ABI is tested on the host.
//!
//! ```text
//! i386        everything on the stack, in words of 4 bytes, the first argument at the lowest address;
//!             64-bit integers and doubles take two words, aligned to 4      (System V ABI i386 supplement 4, §2.2.3)
//! SystemV64   integers in rdi rsi rdx rcx r8 r9, floating point in xmm0-7, the rest on the stack (x86-64 psABI §3.2.3)
//! Windows64   the first four in rcx rdx r8 r9 or xmm0-3 by position; behind 32 bytes of shadow space, the rest on
//!             the stack                                                      (Microsoft, "x64 calling convention")
//! ```

use bridge32_protocol::target::Target;

/// The most bytes of stack arguments. Structures by value may be large; a library's stack is 8 MiB.
pub const MAX_STACK_BYTES: usize = 64 << 10;

/// How arguments travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abi {
    /// 32-bit x86, cdecl and stdcall alike (they differ in who removes the arguments).
    I386,
    /// 64-bit x86 everywhere but on Windows.
    SystemV64,
    /// 64-bit x86 on Windows.
    Windows64,
}

impl Abi {
    /// The ABI of a target.
    pub const fn of(target: Target) -> Self {
        match target {
            Target::Linux32 | Target::Win32 => Self::I386,
            Target::Linux64 => Self::SystemV64,
            Target::Win64 => Self::Windows64,
        }
    }
}

/// An argument as a machine value. Integers come extended to 64 bits as their signedness demands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// An integer of at most the width of a general register, or an address.
    Word(u64),
    /// An integer of 64 bits.
    Wide(u64),
    /// `float`.
    Float(f32),
    /// `double`.
    Double(f64),
}

/// There are more arguments than the thunk has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the arguments take more than {MAX_STACK_BYTES} bytes of stack")]
pub struct TooManyArguments;

/// The arguments of one call, placed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frame {
    /// General registers in the ABI's order; none on i386.
    pub general: [u64; 6],
    /// Bits of the vector registers in order; none on i386.
    pub vector: [u64; 8],
    /// Vector registers that carry arguments; variadic functions are told.
    pub vectors: u8,
    /// The stack area as memory, lowest address first, 8 bytes an entry.
    pub stack: Vec<u64>,
    /// Bytes of `stack` that are in use.
    pub stack_bytes: usize,
}

impl Frame {
    /// Places `values` in order, forgetting what was placed before.
    ///
    /// # Errors
    /// When they do not fit into [`MAX_STACK_BYTES`].
    pub fn place(&mut self, values: &[Value], abi: Abi) -> Result<(), TooManyArguments> {
        self.general = [0; 6];
        self.vector = [0; 8];
        self.vectors = 8;
        self.stack.clear();
        self.stack_bytes = 0;
        match abi {
            Abi::I386 => self.place_i386(values),
            Abi::SystemV64 => self.place_system_v(values),
            Abi::Windows64 => self.place_windows(values),
        }
        if self.stack_bytes > MAX_STACK_BYTES { Err(TooManyArguments) } else { Ok(()) }
    }

    /// Forgets what was placed before, and makes room for `stack_bytes` of zeros.
    pub fn clear(&mut self, stack_bytes: usize, vectors: u8) {
        self.general = [0; 6];
        self.vector = [0; 8];
        self.vectors = vectors;
        self.stack.clear();
        self.stack.resize(stack_bytes.div_ceil(8), 0);
        self.stack_bytes = stack_bytes;
    }

    /// Writes into the stack area, which was zero there, at a multiple of 4.
    pub fn write(&mut self, offset: usize, bytes: &[u8]) {
        for (index, word) in bytes.chunks(4).enumerate() {
            let at = offset + index * 4;
            let word = word.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
            self.stack[at / 8] |= word << (at % 8 * 8);
        }
    }

    fn place_i386(&mut self, values: &[Value]) {
        for value in values {
            match *value {
                Value::Word(bits) => self.push_word(low(bits)),
                Value::Float(number) => self.push_word(number.to_bits()),
                Value::Wide(bits) => self.push_two_words(bits),
                Value::Double(number) => self.push_two_words(number.to_bits()),
            }
        }
    }

    fn place_system_v(&mut self, values: &[Value]) {
        let (mut general, mut vector) = (0, 0);
        for value in values {
            let (bits, floating) = register_bits(*value);
            let (registers, next) =
                if floating { (&mut self.vector[..], &mut vector) } else { (&mut self.general[..], &mut general) };
            if let Some(register) = registers.get_mut(*next) {
                *register = bits;
                *next += 1;
            } else {
                self.push_eightbyte(bits);
            }
        }
    }

    fn place_windows(&mut self, values: &[Value]) {
        // The shadow space belongs to the callee; it lies below the stack arguments.
        self.stack.extend([0; 4]);
        self.stack_bytes = 32;
        for (position, value) in values.iter().enumerate() {
            let (bits, floating) = register_bits(*value);
            match (position, floating) {
                (0..4, true) => self.vector[position] = bits,
                (0..4, false) => self.general[position] = bits,
                _ => self.push_eightbyte(bits),
            }
        }
    }

    fn push_word(&mut self, word: u32) {
        if self.stack_bytes.is_multiple_of(8) {
            self.stack.push(word.into());
        } else if let Some(last) = self.stack.last_mut() {
            *last |= u64::from(word) << 32;
        }
        self.stack_bytes += 4;
    }

    fn push_two_words(&mut self, bits: u64) {
        self.push_word(low(bits));
        self.push_word(low(bits >> 32));
    }

    fn push_eightbyte(&mut self, bits: u64) {
        self.stack.push(bits);
        self.stack_bytes += 8;
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is what is asked for")]
const fn low(bits: u64) -> u32 {
    bits as u32
}

/// A value's bits in a 64-bit register, and whether it is a vector register.
fn register_bits(value: Value) -> (u64, bool) {
    match value {
        Value::Word(bits) | Value::Wide(bits) => (bits, false),
        Value::Float(number) => (number.to_bits().into(), true),
        Value::Double(number) => (number.to_bits(), true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(values: &[Value], abi: Abi) -> Frame {
        let mut frame = Frame::default();
        frame.place(values, abi).unwrap();
        frame
    }

    #[test]
    fn i386_packs_words_in_order_and_splits_wide_values_low_word_first() {
        let frame = placed(&[Value::Word(u64::MAX), Value::Wide(0x1111_2222_3333_4444), Value::Float(1.0)], Abi::I386);
        assert_eq!(frame.stack_bytes, 16);
        assert_eq!(frame.stack, [0x3333_4444_ffff_ffff, 0x3f80_0000_1111_2222]);
        assert_eq!((frame.general, frame.vector), ([0; 6], [0; 8]));
    }

    #[test]
    fn system_v_counts_integer_and_vector_registers_apart() {
        let mut values = vec![Value::Double(0.5)];
        values.extend((1..=8).map(Value::Word));
        let frame = placed(&values, Abi::SystemV64);
        assert_eq!(frame.general, [1, 2, 3, 4, 5, 6]);
        assert_eq!(frame.vector[0], 0.5f64.to_bits());
        assert_eq!((frame.stack.as_slice(), frame.stack_bytes), ([7, 8].as_slice(), 16));
    }

    #[test]
    fn windows_chooses_the_register_by_position_and_keeps_shadow_space() {
        let values = [Value::Word(1), Value::Double(2.0), Value::Word(3), Value::Float(4.0), Value::Word(5)];
        let frame = placed(&values, Abi::Windows64);
        assert_eq!(frame.general, [1, 0, 3, 0, 0, 0]);
        assert_eq!(frame.vector[..4], [0, 2.0f64.to_bits(), 0, 4.0f32.to_bits().into()]);
        assert_eq!((frame.stack.as_slice(), frame.stack_bytes), ([0, 0, 0, 0, 5].as_slice(), 40));
    }

    #[test]
    fn more_arguments_than_the_thunk_has_room_for_are_refused() {
        let mut frame = Frame::default();
        assert_eq!(frame.place(&[Value::Word(0); 16385], Abi::I386), Err(TooManyArguments));
        assert_eq!(frame.place(&[Value::Word(0); 16384], Abi::I386), Ok(()));
    }
}
