//! The stack on which handlers run when a thread has used up its own.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::{NonNull, null_mut};

/// What the handlers and the loader below them need, with room to spare (Rust's own alternate stack has 8 KiB).
const STACK_BYTES: usize = 64 << 10;

thread_local! {
    static STACK: Cell<Option<Stack>> = const { Cell::new(None) };
}

/// Gives this thread an alternate stack until it ends. Without memory for one, a stack overflow just ends the process.
pub(in crate::crash) fn prepare_thread() {
    if let Some(stack) = Stack::new() {
        stack.install();
        // On a thread that is ending it is dropped at once.
        let _ = STACK.try_with(|own| drop(own.replace(Some(stack))));
    }
}

/// Memory for a stack.
struct Stack(NonNull<c_void>);

impl Stack {
    #[expect(unsafe_code, reason = "mmap is a C function")]
    fn new() -> Option<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK;
        // SAFETY: new memory at a place that the kernel chooses.
        let memory = unsafe { libc::mmap(null_mut(), STACK_BYTES, protection, flags, -1, 0) };
        if memory == libc::MAP_FAILED { None } else { NonNull::new(memory).map(Self) }
    }

    #[expect(unsafe_code, reason = "sigaltstack is a C function")]
    fn install(&self) {
        let stack = libc::stack_t { ss_sp: self.0.as_ptr(), ss_flags: 0, ss_size: STACK_BYTES };
        // SAFETY: the memory is `STACK_BYTES` long, is used for nothing else, and is unmapped by `drop` only, which
        // takes it away from the thread first.
        unsafe { libc::sigaltstack(&raw const stack, null_mut()) };
    }
}

impl Drop for Stack {
    #[expect(unsafe_code, reason = "sigaltstack and munmap are C functions")]
    fn drop(&mut self) {
        // SAFETY: a structure of integers and a pointer that may be null.
        let mut current: libc::stack_t = unsafe { std::mem::zeroed() };
        // SAFETY: only asks for this thread's alternate stack.
        unsafe { libc::sigaltstack(std::ptr::null(), &raw mut current) };
        if current.ss_sp == self.0.as_ptr() {
            let none = libc::stack_t { ss_sp: null_mut(), ss_flags: libc::SS_DISABLE, ss_size: STACK_BYTES };
            // SAFETY: this runs on the thread's own stack, so the alternate one is not in use.
            unsafe { libc::sigaltstack(&raw const none, null_mut()) };
        }
        // SAFETY: mapped by `new` with this length, and from the statement above on nobody's stack.
        unsafe { libc::munmap(self.0.as_ptr(), STACK_BYTES) };
    }
}
