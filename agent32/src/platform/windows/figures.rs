//! What Windows says of this process. Nothing here asks the loader, whose lock a library may hold that is being loaded.

use std::ptr::without_provenance;

use windows_sys::Win32::Foundation::{CloseHandle, INVALID_HANDLE_VALUE};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, TH32CS_SNAPTHREAD, THREADENTRY32, Thread32First, Thread32Next,
};
use windows_sys::Win32::System::Memory::{
    MEM_FREE, MEM_RESERVE, MEMORY_BASIC_INFORMATION, PAGE_NOACCESS, VirtualQuery,
};
use windows_sys::Win32::System::SystemInformation::{GetSystemInfo, SYSTEM_INFO};
use windows_sys::Win32::System::Threading::{
    GR_GDIOBJECTS, GR_USEROBJECTS, GetCurrentProcess, GetCurrentProcessId, GetProcessHandleCount,
};

use super::observation;
use crate::platform::Figures;

/// Looks at this process.
pub fn figures() -> Figures {
    let space = if cfg!(target_pointer_width = "32") { Some(space()) } else { None };
    Figures {
        address_space_bytes: space.map(|(taken, _)| taken),
        largest_free_bytes: space.map(|(_, largest)| largest),
        handles: handles(),
        threads: threads(),
        gdi_objects: observation::gui_resources(GR_GDIOBJECTS),
        user_objects: observation::gui_resources(GR_USEROBJECTS),
    }
}

/// The bytes that are taken, and the largest block that is free.
#[expect(unsafe_code, reason = "the address space is described by C functions")]
fn space() -> (u64, u64) {
    let mut system = SYSTEM_INFO::default();
    // SAFETY: fills in `system`.
    unsafe { GetSystemInfo(&raw mut system) };
    let end = system.lpMaximumApplicationAddress.addr();
    let mut at = system.lpMinimumApplicationAddress.addr();
    let (mut taken, mut largest) = (0, 0);
    while at < end {
        let mut block = MEMORY_BASIC_INFORMATION::default();
        let size = size_of::<MEMORY_BASIC_INFORMATION>();
        // SAFETY: `block` has the size that is passed; the address is looked at, and nothing behind it.
        let filled = unsafe { VirtualQuery(without_provenance(at), &raw mut block, size) };
        let next = block.BaseAddress.addr().saturating_add(block.RegionSize);
        if filled == 0 || next <= at {
            break;
        }
        let bytes = (next - at) as u64;
        match (block.State, block.Protect) {
            (MEM_FREE, _) => largest = largest.max(bytes),
            // Wine says so of what lies outside of the areas that it has reserved for itself (ntdll/unix/virtual.c,
            // "pretend that space outside of a reserved area is allocated"). On Windows what is only reserved has no protection.
            (MEM_RESERVE, PAGE_NOACCESS) => {}
            _ => taken += bytes,
        }
        at = next;
    }
    (taken, largest)
}

#[expect(unsafe_code, reason = "the count comes from a C function")]
fn handles() -> Option<u64> {
    let mut count = 0;
    // SAFETY: a pseudo handle that needs no closing.
    let own = unsafe { GetCurrentProcess() };
    // SAFETY: fills in `count`.
    let known = unsafe { GetProcessHandleCount(own, &raw mut count) };
    // Every process has some; Wine does not count them.
    (known != 0 && count != 0).then_some(count.into())
}

/// Counts this process's among all threads: the system has no shorter way that is documented.
#[expect(unsafe_code, reason = "the threads are listed by C functions")]
fn threads() -> Option<u64> {
    // SAFETY: takes a picture of all threads of the system.
    let snapshot = unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0) };
    if snapshot == INVALID_HANDLE_VALUE {
        return None;
    }
    // SAFETY: takes nothing, cannot fail.
    let own = unsafe { GetCurrentProcessId() };
    let mut entry = THREADENTRY32 { dwSize: u32::try_from(size_of::<THREADENTRY32>()).ok()?, ..Default::default() };
    let mut count = 0;
    // SAFETY: the snapshot is open, and `entry` says its own size.
    let mut more = unsafe { Thread32First(snapshot, &raw mut entry) };
    while more != 0 {
        count += u64::from(entry.th32OwnerProcessID == own);
        // SAFETY: as above.
        more = unsafe { Thread32Next(snapshot, &raw mut entry) };
    }
    // SAFETY: it was opened above and is closed once.
    unsafe { CloseHandle(snapshot) };
    (count > 0).then_some(count)
}
