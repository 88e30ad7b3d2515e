//! The `BSTR`s that are allocated for a call: freed when it is over, or when it is not made.

use crate::platform;

/// `BSTR`s of the bridge's own.
#[derive(Debug, Default)]
pub struct Bstrs(Vec<usize>);

impl Bstrs {
    /// Takes one that [`platform::bstr::allocate`] has made, and whose address the library will not free.
    pub(super) fn own(&mut self, address: usize) {
        self.0.push(address);
    }

    /// Whether there are none.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Drop for Bstrs {
    #[expect(unsafe_code, reason = "SysFreeString takes what SysAllocString gave")]
    fn drop(&mut self) {
        for address in self.0.drain(..) {
            // SAFETY: `own` was given it by whoever allocated it, and it is freed here only; the call is over.
            unsafe { platform::bstr::free(address) };
        }
    }
}
