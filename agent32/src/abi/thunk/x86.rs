//! `enter` for i386: cdecl, stdcall, fastcall and thiscall differ only in the registers and in who removes the arguments.

use std::mem::offset_of;

use super::{Registers, SLACK};

/// i386: see the stack drawn at the head of this file. ebx holds `frame` throughout.
///
/// # Safety
/// `frame` must be filled in as [`super::call`] does.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn enter(frame: *mut Registers) {
    std::arch::naked_asm!(
        "push ebp",
        "mov ebp, esp",
        "push ebx",
        "push esi",
        "push edi",
        "sub esp, 8",
        "fnstcw word ptr [ebp - 16]",
        "stmxcsr dword ptr [ebp - 20]",
        "mov ebx, dword ptr [ebp + 8]",
        // esp = (ebp - 20 - slack - stack_bytes), rounded down to 16
        "lea edx, [ebp - 20 - {slack}]",
        "sub edx, dword ptr [ebx + {stack_bytes}]",
        "and edx, -16",
        // Windows grows a stack page by page, as each is touched
        "mov eax, esp",
        "5:",
        "sub eax, 4096",
        "cmp eax, edx",
        "jbe 6f",
        "test dword ptr [eax], eax",
        "jmp 5b",
        "6:",
        "mov esp, edx",
        // the arguments from esp on …
        "cld",
        "mov esi, dword ptr [ebx + {stack}]",
        "mov edi, esp",
        "mov ecx, dword ptr [ebx + {stack_bytes}]",
        "shr ecx, 2",
        "rep movsd",
        // … and zeros from their end up to the saved MXCSR
        "lea ecx, [ebp - 20]",
        "sub ecx, edi",
        "shr ecx, 2",
        "xor eax, eax",
        "rep stosd",
        "mov dword ptr [ebx + {sp_before}], esp",
        "mov ecx, dword ptr [ebx + {general}]",
        "mov edx, dword ptr [ebx + {general} + 8]",
        "call dword ptr [ebx + {function}]",
        "mov dword ptr [ebx + {sp_after}], esp",
        "lea esp, [ebp - 20]",
        "mov dword ptr [ebx + {general_result}], eax",
        "mov dword ptr [ebx + {general_result} + 4], edx",
        // a floating-point result must be popped, and only if there is one
        "cmp dword ptr [ebx + {result_kind}], 1",
        "jb 4f",
        "je 3f",
        "fstp qword ptr [ebx + {vector_result}]",
        "jmp 4f",
        "3:",
        "fstp dword ptr [ebx + {vector_result}]",
        "4:",
        // an x87 stack that the callee left unbalanced would turn a later call's result into NaN
        "fninit",
        "fldcw word ptr [ebp - 16]",
        "ldmxcsr dword ptr [ebp - 20]",
        "cld",
        "lea esp, [ebp - 12]",
        "pop edi",
        "pop esi",
        "pop ebx",
        "pop ebp",
        "ret",
        slack = const SLACK,
        function = const offset_of!(Registers, function),
        stack = const offset_of!(Registers, stack),
        stack_bytes = const offset_of!(Registers, stack_bytes),
        result_kind = const offset_of!(Registers, result_kind),
        sp_before = const offset_of!(Registers, sp_before),
        sp_after = const offset_of!(Registers, sp_after),
        general = const offset_of!(Registers, general),
        general_result = const offset_of!(Registers, general_result),
        vector_result = const offset_of!(Registers, vector_result),
    )
}
