//! `enter` for `x86_64` everywhere but on Windows (x86-64 psABI §3.2).

use std::mem::offset_of;

use super::{Registers, SLACK};

/// `x86_64` System V: `frame` comes in rdi and is kept in rbx. al tells variadic functions how many vector registers
/// carry arguments.
///
/// # Safety
/// `frame` must be filled in as [`super::call`] does.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn enter(frame: *mut Registers) {
    std::arch::naked_asm!(
        "push rbp",
        "mov rbp, rsp",
        "push rbx",
        "sub rsp, 8",
        "fnstcw word ptr [rbp - 16]",
        "stmxcsr dword ptr [rbp - 12]",
        "mov rbx, rdi",
        "mov rcx, qword ptr [rbx + {stack_bytes}]",
        "sub rsp, {slack}",
        "sub rsp, rcx",
        "and rsp, -16",
        "cld",
        "mov rsi, qword ptr [rbx + {stack}]",
        "mov rdi, rsp",
        "shr rcx, 3",
        "rep movsq",
        "movsd xmm0, qword ptr [rbx + {vector}]",
        "movsd xmm1, qword ptr [rbx + {vector} + 8]",
        "movsd xmm2, qword ptr [rbx + {vector} + 16]",
        "movsd xmm3, qword ptr [rbx + {vector} + 24]",
        "movsd xmm4, qword ptr [rbx + {vector} + 32]",
        "movsd xmm5, qword ptr [rbx + {vector} + 40]",
        "movsd xmm6, qword ptr [rbx + {vector} + 48]",
        "movsd xmm7, qword ptr [rbx + {vector} + 56]",
        "mov rdi, qword ptr [rbx + {general}]",
        "mov rsi, qword ptr [rbx + {general} + 8]",
        "mov rdx, qword ptr [rbx + {general} + 16]",
        "mov rcx, qword ptr [rbx + {general} + 24]",
        "mov r8, qword ptr [rbx + {general} + 32]",
        "mov r9, qword ptr [rbx + {general} + 40]",
        "mov eax, dword ptr [rbx + {vectors}]",
        "mov qword ptr [rbx + {sp_before}], rsp",
        "call qword ptr [rbx + {function}]",
        "mov qword ptr [rbx + {sp_after}], rsp",
        "mov qword ptr [rbx + {general_result}], rax",
        "mov qword ptr [rbx + {general_result} + 8], rdx",
        "movsd qword ptr [rbx + {vector_result}], xmm0",
        "movsd qword ptr [rbx + {vector_result} + 8], xmm1",
        "fninit",
        "fldcw word ptr [rbp - 16]",
        "ldmxcsr dword ptr [rbp - 12]",
        "cld",
        "lea rsp, [rbp - 8]",
        "pop rbx",
        "pop rbp",
        "ret",
        slack = const SLACK,
        function = const offset_of!(Registers, function),
        stack = const offset_of!(Registers, stack),
        stack_bytes = const offset_of!(Registers, stack_bytes),
        sp_before = const offset_of!(Registers, sp_before),
        sp_after = const offset_of!(Registers, sp_after),
        general = const offset_of!(Registers, general),
        vector = const offset_of!(Registers, vector),
        vectors = const offset_of!(Registers, vectors),
        general_result = const offset_of!(Registers, general_result),
        vector_result = const offset_of!(Registers, vector_result),
    )
}
