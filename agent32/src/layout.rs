//! Sizes of C types under the target's ABI. Pure: never the host's `size_of`, so that the 64-bit tests check the
//! layouts of 32-bit targets too.

use bridge32_protocol::interface::{Encoding, Scalar, Type};
use bridge32_protocol::target::Target;

/// What this program was compiled for.
pub const HOST: Target = if cfg!(windows) {
    if cfg!(target_pointer_width = "32") { Target::Win32 } else { Target::Win64 }
} else if cfg!(target_pointer_width = "32") {
    Target::Linux32
} else {
    Target::Linux64
};

/// Bytes of a scalar.
pub fn scalar_bytes(scalar: &Scalar, target: Target) -> usize {
    match scalar {
        Scalar::Integer(integer) => integer.width.bytes(target).into(),
        Scalar::Boolean(width) => width.bytes(target).into(),
        Scalar::Float | Scalar::Enumeration(_) => 4,
        Scalar::Double => 8,
    }
}

/// Bytes of one element behind a pointer. `void` counts in bytes, as SAL and everybody's `memcpy` do.
/// `None` for a type that has no size.
pub fn element_bytes(ty: &Type, target: Target) -> Option<usize> {
    match ty {
        Type::Void => Some(1),
        Type::Scalar(scalar) => Some(scalar_bytes(scalar, target)),
        Type::Pointer(_) | Type::Callback(_) => Some(target.pointer_bytes().into()),
        Type::Structure(_) | Type::Array(_) | Type::Unsupported { .. } => None,
    }
}

/// Bytes of one unit of text: of the NUL that ends it.
pub const fn text_unit_bytes(encoding: &Encoding, target: Target) -> usize {
    match encoding {
        Encoding::Utf8 | Encoding::CodePage(_) | Encoding::Ansi => 1,
        Encoding::Utf16 => 2,
        Encoding::Wide => target.wchar_bytes() as usize,
    }
}

/// Bytes that a value of this type takes on the stack of an i386 call: whole words of 4.
pub fn i386_stack_bytes(ty: &Type, target: Target) -> u32 {
    match ty {
        Type::Void => 0,
        Type::Scalar(scalar) if scalar_bytes(scalar, target) == 8 => 8,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bridge32_protocol::interface::{Integer, Width};

    fn integer(width: Width) -> Scalar {
        Scalar::Integer(Integer { width, signed: true })
    }

    #[test]
    fn long_pointers_and_wide_characters_follow_the_target() {
        let sizes = |width| Target::ALL.map(|target| scalar_bytes(&integer(width), target));
        // linux32, win32, linux64, win64
        assert_eq!(sizes(Width::Long), [4, 4, 8, 4]);
        assert_eq!(sizes(Width::Pointer), [4, 4, 8, 8]);
        assert_eq!(sizes(Width::Wchar), [4, 2, 4, 2]);
        assert_eq!(sizes(Width::W64), [8, 8, 8, 8]);
    }

    #[test]
    fn this_program_knows_its_own_width() {
        assert_eq!(usize::from(HOST.pointer_bytes()), size_of::<usize>());
    }
}
