//! The windows of this process, seen from a thread of its own.
//!
//! The library's thread may hang, and it may hold the loader's lock, as `DllMain` does: so the functions of user32.dll are looked
//! up, and the observer's thread is started, before a library is loaded; and a window is asked for its text with a time limit.

use std::ffi::{CStr, c_void};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bridge32_protocol::wire::{Observation, SeenWindow};
use tokio::sync::oneshot;
use windows_sys::Win32::Foundation::{HWND, LPARAM, TRUE};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, GetCurrentProcessId};
use windows_sys::core::BOOL;

use super::system_symbol;

/// How long one window may take to tell its text.
const PATIENCE_MS: u32 = 200;

/// How long the observer may take in all.
const PATIENCE: Duration = Duration::from_secs(3);

/// So many windows, and texts in each, are told of.
const MAX_SEEN: usize = 32;

/// Units that a text may have; what is longer is cut off.
const TEXT_UNITS: usize = 1024;

/// winuser.h
const WM_GETTEXT: u32 = 0x000d;
const SMTO_ABORTIFHUNG: u32 = 2;

type Visit = unsafe extern "system" fn(HWND, LPARAM) -> BOOL;
type EnumWindows = unsafe extern "system" fn(Visit, LPARAM) -> BOOL;
type EnumChildWindows = unsafe extern "system" fn(HWND, Visit, LPARAM) -> BOOL;
type ProcessOf = unsafe extern "system" fn(HWND, *mut u32) -> u32;
type IsVisible = unsafe extern "system" fn(HWND) -> BOOL;
type Send = unsafe extern "system" fn(HWND, u32, usize, LPARAM, u32, u32, *mut usize) -> isize;
type GuiResources = unsafe extern "system" fn(*mut c_void, u32) -> u32;

/// Functions of user32.dll, as winuser.h declares them. The agent does not link with it: many libraries have no use for it.
#[derive(Clone, Copy)]
struct User {
    enum_windows: EnumWindows,
    enum_child_windows: EnumChildWindows,
    process_of: ProcessOf,
    is_visible: IsVisible,
    send: Send,
    gui_resources: GuiResources,
    /// This is Wine, which counts no GUI resources.
    wine: bool,
}

static USER: OnceLock<Option<User>> = OnceLock::new();

/// Where to ask the observer.
static OBSERVER: OnceLock<Mutex<Sender<Question>>> = OnceLock::new();

/// Who wants to know what is seen.
type Question = oneshot::Sender<Observation>;

/// To be called before a library is loaded, on the thread that does so.
pub fn prepare_observation() {
    let Some(user) = *USER.get_or_init(User::find) else { return };
    OBSERVER.get_or_init(|| {
        let (questions, asked) = channel();
        let (started, ready) = channel();
        let thread = std::thread::Builder::new().name("observer".to_owned());
        let work = move || {
            let _ = started.send(());
            observe_when_asked(user, &asked);
        };
        if thread.spawn(work).is_ok() {
            // A thread that starts later would wait for the loader, as this one is about to hold its lock.
            let _ = ready.recv();
        }
        Mutex::new(questions)
    });
}

/// The windows that this process shows. Takes a few seconds at most. No thread is started for it: one that starts waits for
/// the loader.
pub async fn observe() -> Observation {
    let Some(observer) = OBSERVER.get() else { return Observation::default() };
    let (answer, answered) = oneshot::channel();
    // A panic ends the process; and an observer that is gone drops `answer`.
    let asked = observer.lock().unwrap_or_else(PoisonError::into_inner).send(answer);
    if asked.is_ok()
        && let Ok(Ok(seen)) = tokio::time::timeout(PATIENCE, answered).await
    {
        return seen;
    }
    Observation {
        windows: Vec::new(),
        notes: vec!["the windows of the process could not be looked at within 3 s".to_owned()],
    }
}

/// `GetGuiResources` of this process, once user32.dll is known; `None` under Wine, which does not count.
#[expect(unsafe_code, reason = "the count comes from a C function")]
pub(super) fn gui_resources(which: u32) -> Option<u64> {
    let user = USER.get().copied().flatten().filter(|user| !user.wine)?;
    // SAFETY: a pseudo handle that needs no closing.
    let own = unsafe { GetCurrentProcess() };
    // SAFETY: counts for a process that is open.
    Some(unsafe { (user.gui_resources)(own, which) }.into())
}

impl User {
    #[expect(unsafe_code, reason = "the loader's addresses become functions")]
    fn find() -> Option<Self> {
        let find = |name: &CStr| system_symbol("user32.dll", name);
        let (windows, children) = (find(c"EnumWindows")?, find(c"EnumChildWindows")?);
        let (process_of, is_visible) = (find(c"GetWindowThreadProcessId")?, find(c"IsWindowVisible")?);
        let (send, resources) = (find(c"SendMessageTimeoutW")?, find(c"GetGuiResources")?);
        Some(Self {
            // SAFETY: user32.dll has the function with this signature, and stays loaded.
            enum_windows: unsafe { std::mem::transmute::<*const c_void, EnumWindows>(windows) },
            // SAFETY: as above.
            enum_child_windows: unsafe { std::mem::transmute::<*const c_void, EnumChildWindows>(children) },
            // SAFETY: as above.
            process_of: unsafe { std::mem::transmute::<*const c_void, ProcessOf>(process_of) },
            // SAFETY: as above.
            is_visible: unsafe { std::mem::transmute::<*const c_void, IsVisible>(is_visible) },
            // SAFETY: as above.
            send: unsafe { std::mem::transmute::<*const c_void, Send>(send) },
            // SAFETY: as above.
            gui_resources: unsafe { std::mem::transmute::<*const c_void, GuiResources>(resources) },
            wine: system_symbol("ntdll.dll", c"wine_get_version").is_some(),
        })
    }

    /// The windows that this process shows.
    #[expect(unsafe_code, reason = "windows are listed by a C function")]
    fn windows(&self) -> Vec<HWND> {
        // SAFETY: takes nothing, cannot fail.
        let own = unsafe { GetCurrentProcessId() };
        let mut all: Vec<HWND> = Vec::new();
        // SAFETY: `collect` takes the vector, which lives until this returns.
        unsafe { (self.enum_windows)(collect, (&raw mut all).expose_provenance().cast_signed()) };
        all.retain(|window| {
            let mut process = 0;
            // SAFETY: a window that is gone by now is an error that changes nothing.
            unsafe { (self.process_of)(*window, &raw mut process) };
            // SAFETY: as above.
            process == own && unsafe { (self.is_visible)(*window) } != 0
        });
        all
    }

    /// The windows in a window.
    #[expect(unsafe_code, reason = "windows are listed by a C function")]
    fn children(&self, window: HWND) -> Vec<HWND> {
        let mut all: Vec<HWND> = Vec::new();
        // SAFETY: `collect` takes the vector, which lives until this returns.
        unsafe { (self.enum_child_windows)(window, collect, (&raw mut all).expose_provenance().cast_signed()) };
        all
    }

    /// What stands in a window; empty where it does not answer in time.
    #[expect(unsafe_code, reason = "a window is asked by a C function")]
    fn text(&self, window: HWND) -> String {
        let mut text = [0_u16; TEXT_UNITS];
        let to = text.as_mut_ptr().expose_provenance().cast_signed();
        let mut units = 0;
        // SAFETY: the buffer's length is passed with it. The system copies the text between threads by itself, and when the
        // time is over it does not write any more.
        let answered =
            unsafe { (self.send)(window, WM_GETTEXT, TEXT_UNITS, to, SMTO_ABORTIFHUNG, PATIENCE_MS, &raw mut units) };
        if answered == 0 {
            return String::new();
        }
        let text = String::from_utf16_lossy(&text[..units.min(TEXT_UNITS)]);
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn look(&self) -> Observation {
        let seen = |window: HWND| {
            let texts = self.children(window).into_iter().map(|child| self.text(child));
            let texts = texts.filter(|text| !text.is_empty()).take(MAX_SEEN).collect();
            SeenWindow { title: self.text(window), texts }
        };
        Observation { windows: self.windows().into_iter().take(MAX_SEEN).map(seen).collect(), notes: Vec::new() }
    }
}

/// Adds a window to the vector that `all` leads to.
#[expect(unsafe_code, reason = "the system calls it with what it was given")]
unsafe extern "system" fn collect(window: HWND, all: LPARAM) -> BOOL {
    let all = std::ptr::with_exposed_provenance_mut::<Vec<HWND>>(all.cast_unsigned());
    // SAFETY: it is the vector of whoever lists windows right now, on this thread, and nobody else uses it meanwhile.
    unsafe { &mut *all }.push(window);
    TRUE
}

fn observe_when_asked(user: User, asked: &Receiver<Question>) {
    while let Ok(answer) = asked.recv() {
        // Whoever asked may have lost patience.
        let _ = answer.send(user.look());
    }
}
