//! The crate from outside: real libraries, files built for odd cases, hostile bytes.

#[cfg(test)]
mod dependencies;
#[cfg(test)]
mod diagnosis;
#[cfg(test)]
mod elf_images;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod pe_images;
#[cfg(test)]
mod real_files;
#[cfg(test)]
mod support;
