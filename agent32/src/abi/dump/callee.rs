//! The function in machine code, for each ABI.

use std::mem::offset_of;

use super::{DUMP, Dump};

/// The function.
#[cfg(target_arch = "x86")]
#[unsafe(naked)]
pub(in super::super) unsafe extern "C" fn callee() {
    std::arch::naked_asm!(
        // eax = &DUMP, wherever the program was loaded
        "call 2f",
        "3:",
        ".long {dump} - 3b",
        "2:",
        "pop eax",
        "add eax, dword ptr [eax]",
        "mov dword ptr [eax + {sp}], esp",
        "mov dword ptr [eax + {general}], ecx",
        "mov dword ptr [eax + {general} + 8], edx",
        "push esi",
        "push edi",
        "lea esi, [esp + 12]",
        "lea edi, [eax + {stack}]",
        "mov ecx, dword ptr [eax + {wanted}]",
        "shr ecx, 2",
        "rep movsd",
        "pop edi",
        "pop esi",
        "pop dword ptr [eax + {return_address}]",
        "add esp, dword ptr [eax + {remove}]",
        "mov ecx, eax",
        "cmp dword ptr [ecx + {kind}], 1",
        "jb 4f",
        "je 3f",
        "fld qword ptr [ecx + {vector_result}]",
        "jmp 4f",
        "3:",
        "fld dword ptr [ecx + {vector_result}]",
        "4:",
        "mov eax, dword ptr [ecx + {general_result}]",
        "mov edx, dword ptr [ecx + {general_result} + 4]",
        "jmp dword ptr [ecx + {return_address}]",
        dump = sym DUMP,
        sp = const offset_of!(Dump, sp),
        general = const offset_of!(Dump, general),
        stack = const offset_of!(Dump, stack),
        wanted = const offset_of!(Dump, wanted),
        remove = const offset_of!(Dump, remove),
        return_address = const offset_of!(Dump, return_address),
        kind = const offset_of!(Dump, kind),
        general_result = const offset_of!(Dump, general_result),
        vector_result = const offset_of!(Dump, vector_result),
    )
}

/// Both 64-bit ABIs: the registers that one of them uses and the other does not are written down all the same.
#[cfg(target_arch = "x86_64")]
macro_rules! callee_x86_64 {
    ($first:literal, $second:literal, $third:literal, $fourth:literal, $fifth:literal, $sixth:literal) => {
        /// The function.
                #[unsafe(naked)]
        pub(in super::super) unsafe extern "C" fn callee() {
            std::arch::naked_asm!(
                "lea r11, [rip + {dump}]",
                "mov qword ptr [r11 + {sp}], rsp",
                "mov qword ptr [r11 + {al}], rax",
                concat!("mov qword ptr [r11 + {general}], ", $first),
                concat!("mov qword ptr [r11 + {general} + 8], ", $second),
                concat!("mov qword ptr [r11 + {general} + 16], ", $third),
                concat!("mov qword ptr [r11 + {general} + 24], ", $fourth),
                concat!("mov qword ptr [r11 + {general} + 32], ", $fifth),
                concat!("mov qword ptr [r11 + {general} + 40], ", $sixth),
                "movsd qword ptr [r11 + {vector}], xmm0",
                "movsd qword ptr [r11 + {vector} + 8], xmm1",
                "movsd qword ptr [r11 + {vector} + 16], xmm2",
                "movsd qword ptr [r11 + {vector} + 24], xmm3",
                "movsd qword ptr [r11 + {vector} + 32], xmm4",
                "movsd qword ptr [r11 + {vector} + 40], xmm5",
                "movsd qword ptr [r11 + {vector} + 48], xmm6",
                "movsd qword ptr [r11 + {vector} + 56], xmm7",
                "push rsi",
                "push rdi",
                "lea rsi, [rsp + 24]",
                "lea rdi, [r11 + {stack}]",
                "mov rcx, qword ptr [r11 + {wanted}]",
                "shr rcx, 3",
                "rep movsq",
                "pop rdi",
                "pop rsi",
                "mov rax, qword ptr [r11 + {general_result}]",
                "mov rdx, qword ptr [r11 + {general_result} + 8]",
                "movsd xmm0, qword ptr [r11 + {vector_result}]",
                "movsd xmm1, qword ptr [r11 + {vector_result} + 8]",
                "ret",
                dump = sym DUMP,
                sp = const offset_of!(Dump, sp),
                al = const offset_of!(Dump, al),
                general = const offset_of!(Dump, general),
                vector = const offset_of!(Dump, vector),
                stack = const offset_of!(Dump, stack),
                wanted = const offset_of!(Dump, wanted),
                general_result = const offset_of!(Dump, general_result),
                vector_result = const offset_of!(Dump, vector_result),
            )
        }
    };
}

#[cfg(all(target_arch = "x86_64", not(windows)))]
callee_x86_64!("rdi", "rsi", "rdx", "rcx", "r8", "r9");
#[cfg(all(target_arch = "x86_64", windows))]
callee_x86_64!("rcx", "rdx", "r8", "r9", "r10", "rbx");
