//! `enter` for `x86_64` Windows (Microsoft, "x64 calling convention").

use std::mem::offset_of;

use super::{Registers, SLACK};

/// `x86_64` Windows: `frame` comes in rcx and is kept in rbx; rsi and rdi are the callee's to save there. The stack area
/// begins with the shadow space (see `Frame`).
///
/// # Safety
/// `frame` must be filled in as [`super::call`] does.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn enter(frame: *mut Registers) {
    std::arch::naked_asm!(
        "push rbp",
        "mov rbp, rsp",
        "push rbx",
        "push rsi",
        "push rdi",
        "sub rsp, 8",
        "fnstcw word ptr [rbp - 32]",
        "stmxcsr dword ptr [rbp - 28]",
        "mov rbx, rcx",
        "mov rcx, qword ptr [rbx + {stack_bytes}]",
        "lea rdx, [rsp - {slack}]",
        "sub rdx, rcx",
        "and rdx, -16",
        // Windows grows a stack page by page, as each is touched
        "mov rax, rsp",
        "5:",
        "sub rax, 4096",
        "cmp rax, rdx",
        "jbe 6f",
        "test qword ptr [rax], rax",
        "jmp 5b",
        "6:",
        "mov rsp, rdx",
        "cld",
        "mov rsi, qword ptr [rbx + {stack}]",
        "mov rdi, rsp",
        "shr rcx, 3",
        "rep movsq",
        "movsd xmm0, qword ptr [rbx + {vector}]",
        "movsd xmm1, qword ptr [rbx + {vector} + 8]",
        "movsd xmm2, qword ptr [rbx + {vector} + 16]",
        "movsd xmm3, qword ptr [rbx + {vector} + 24]",
        "mov rcx, qword ptr [rbx + {general}]",
        "mov rdx, qword ptr [rbx + {general} + 8]",
        "mov r8, qword ptr [rbx + {general} + 16]",
        "mov r9, qword ptr [rbx + {general} + 24]",
        "mov qword ptr [rbx + {sp_before}], rsp",
        "call qword ptr [rbx + {function}]",
        "mov qword ptr [rbx + {sp_after}], rsp",
        "mov qword ptr [rbx + {general_result}], rax",
        "mov qword ptr [rbx + {general_result} + 8], rdx",
        "movsd qword ptr [rbx + {vector_result}], xmm0",
        "movsd qword ptr [rbx + {vector_result} + 8], xmm1",
        "fninit",
        "fldcw word ptr [rbp - 32]",
        "ldmxcsr dword ptr [rbp - 28]",
        "cld",
        "lea rsp, [rbp - 24]",
        "pop rdi",
        "pop rsi",
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
        general_result = const offset_of!(Registers, general_result),
        vector_result = const offset_of!(Registers, vector_result),
    )
}
