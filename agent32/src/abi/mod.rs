//! How a C function is called: which convention a declaration means, where each argument goes, and the machine code
//! that performs the call.

pub mod convention;
pub mod frame;
pub mod plan;
pub mod thunk;
pub mod trampoline;

#[cfg(test)]
mod agreement;
#[cfg(test)]
#[cfg(unix)]
mod compilers;
#[cfg(test)]
mod dump;
#[cfg(test)]
mod random;
