//! Files and folders for one user alone, and who else may open those that are there.

use std::fs::File;
use std::io;
use std::os::windows::io::{AsHandle as _, AsRawHandle as _, FromRawHandle as _, OwnedHandle};
use std::path::Path;
use std::ptr::{null, null_mut};

use windows_sys::Win32::Foundation::{GENERIC_READ, GENERIC_WRITE, HANDLE, INVALID_HANDLE_VALUE, LocalFree};
use windows_sys::Win32::Security::Authorization::{
    ConvertSecurityDescriptorToStringSecurityDescriptorW, ConvertSidToStringSidW,
    ConvertStringSecurityDescriptorToSecurityDescriptorW, GetSecurityInfo, SDDL_REVISION_1, SE_FILE_OBJECT,
};
use windows_sys::Win32::Security::{
    DACL_SECURITY_INFORMATION, GetTokenInformation, OWNER_SECURITY_INFORMATION, PROTECTED_DACL_SECURITY_INFORMATION,
    PSECURITY_DESCRIPTOR, SECURITY_ATTRIBUTES, SetKernelObjectSecurity, TOKEN_QUERY, TOKEN_USER, TokenUser,
};
use windows_sys::Win32::Storage::FileSystem::{
    CREATE_ALWAYS, CREATE_NEW, CreateDirectoryW, CreateFileW, FILE_ATTRIBUTE_NORMAL, FILE_FLAG_BACKUP_SEMANTICS,
    FILE_SHARE_DELETE, FILE_SHARE_READ, FILE_SHARE_WRITE, FILE_TYPE_DISK, GetFileType, OPEN_ALWAYS, OPEN_EXISTING,
    READ_CONTROL, WRITE_DAC,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

use crate::descriptor::{self, Descriptor};
use crate::wide;

/// What others may do with a file while it is open here, as `std` opens files.
const SHARE: u32 = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;

/// Memory that Windows has allocated for us.
struct Local<T>(*mut T);

impl<T> Drop for Local<T> {
    #[expect(unsafe_code, reason = "LocalFree is a C function")]
    fn drop(&mut self) {
        // SAFETY: whoever made this got the address from a function that says to free it so, and nobody else has it.
        unsafe { LocalFree(self.0.cast()) };
    }
}

impl Local<u16> {
    /// A text that ends with a zero.
    #[expect(unsafe_code, reason = "the text is where a C function has put it")]
    fn text(&self) -> String {
        let mut units = Vec::new();
        loop {
            // SAFETY: it is a text that ends with a zero, and none has been passed.
            match unsafe { self.0.wrapping_add(units.len()).read() } {
                0 => return String::from_utf16_lossy(&units),
                unit => units.push(unit),
            }
        }
    }
}

/// The account that this process runs as, as a security identifier: `S-1-5-21-…`.
///
/// # Errors
/// The system does not tell.
#[expect(unsafe_code, reason = "accounts are asked for by C functions")]
pub fn user() -> io::Result<String> {
    let mut token: HANDLE = null_mut();
    // SAFETY: it has no preconditions, and what it gives need not be closed.
    let own = unsafe { GetCurrentProcess() };
    // SAFETY: it writes a handle to where one lies.
    if unsafe { OpenProcessToken(own, TOKEN_QUERY, &raw mut token) } == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it was opened just now, and nobody else has it.
    let _token = unsafe { OwnedHandle::from_raw_handle(token) };
    // An account's number has at most 68 bytes. Of a type that is aligned as the structure is.
    let mut answer = [0_u64; 32];
    let (mut length, room) = (0, u32::try_from(size_of_val(&answer)).unwrap_or(u32::MAX));
    // SAFETY: it writes at most `room` bytes, which `answer` has.
    if unsafe { GetTokenInformation(token, TokenUser, answer.as_mut_ptr().cast(), room, &raw mut length) } == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it has written the structure, whose pointer leads into `answer`.
    let sid = unsafe { answer.as_ptr().cast::<TOKEN_USER>().read() }.User.Sid;
    let mut text = null_mut();
    // SAFETY: the account's number is a valid one, and `text` has room for an address.
    if unsafe { ConvertSidToStringSidW(sid, &raw mut text) } == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Local(text).text())
}

impl Descriptor {
    /// Who owns an open file or folder, and who may do what with it.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn of(file: &File) -> io::Result<Self> {
        Self::parse(&text_of(file)?, &as_written(&user()?)?).map_err(io::Error::other)
    }
}

/// An account as it stands in descriptors: some have two letters there, such as `LA`, the administrator that every machine has.
fn as_written(account: &str) -> io::Result<String> {
    let owner = parsed(&format!("O:{account}"))?;
    let text = text_of_parsed(&owner, OWNER_SECURITY_INFORMATION)?;
    Ok(text.strip_prefix("O:").unwrap_or(&text).to_owned())
}

/// The descriptor of an open file or folder, as text.
#[expect(unsafe_code, reason = "security descriptors are asked for by C functions")]
fn text_of(file: &File) -> io::Result<String> {
    let what = OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;
    let mut found: PSECURITY_DESCRIPTOR = null_mut();
    let (handle, nothing) = (file.as_raw_handle(), null_mut());
    // SAFETY: the file is open; what is asked for has a place, and the rest is not asked for.
    let code = unsafe {
        GetSecurityInfo(handle, SE_FILE_OBJECT, what, null_mut(), null_mut(), null_mut(), nothing, &raw mut found)
    };
    if code != 0 {
        return Err(io::Error::from_raw_os_error(code.cast_signed()));
    }
    text_of_parsed(&Local(found), what)
}

/// What a descriptor of the system says of that.
#[expect(unsafe_code, reason = "security descriptors are read by C functions")]
fn text_of_parsed(descriptor: &Local<core::ffi::c_void>, what: u32) -> io::Result<String> {
    let (descriptor, mut text) = (descriptor.0, null_mut());
    // SAFETY: the descriptor is one that the system has made, and `text` has room for an address.
    let made = unsafe {
        ConvertSecurityDescriptorToStringSecurityDescriptorW(
            descriptor,
            SDDL_REVISION_1,
            what,
            &raw mut text,
            null_mut(),
        )
    };
    if made == 0 { Err(io::Error::last_os_error()) } else { Ok(Local(text).text()) }
}

/// A descriptor as the system's functions take it.
#[expect(unsafe_code, reason = "security descriptors are made by C functions")]
fn parsed(text: &str) -> io::Result<Local<core::ffi::c_void>> {
    let text = wide::text(text);
    let mut made: PSECURITY_DESCRIPTOR = null_mut();
    // SAFETY: the text ends with a zero, and `made` has room for an address.
    let done = unsafe {
        ConvertStringSecurityDescriptorToSecurityDescriptorW(text.as_ptr(), SDDL_REVISION_1, &raw mut made, null_mut())
    };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(Local(made)) }
}

fn attributes(descriptor: &Local<core::ffi::c_void>) -> SECURITY_ATTRIBUTES {
    SECURITY_ATTRIBUTES {
        nLength: u32::try_from(size_of::<SECURITY_ATTRIBUTES>()).unwrap_or_default(),
        lpSecurityDescriptor: descriptor.0,
        bInheritHandle: 0,
    }
}

/// What becomes of a file that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// There must be none.
    New,
    /// It is emptied.
    Anew,
    /// It stays as it is.
    Keep,
}

/// Opens a file to read and write it; one that is not there is made, for this user alone.
///
/// # Errors
/// It cannot be opened.
pub fn create(file: &Path, disposition: Disposition) -> io::Result<File> {
    let descriptor = parsed(&descriptor::of_file(&user()?))?;
    let (how, more) = match disposition {
        // It may get another list before it takes another file's place.
        Disposition::New => (CREATE_NEW, READ_CONTROL | WRITE_DAC),
        Disposition::Anew => (CREATE_ALWAYS, 0),
        Disposition::Keep => (OPEN_ALWAYS, 0),
    };
    open(file, GENERIC_READ | GENERIC_WRITE | more, Some(&descriptor), how, FILE_ATTRIBUTE_NORMAL)
}

/// Makes a folder for this user alone.
///
/// # Errors
/// It cannot be made, or is there.
#[expect(unsafe_code, reason = "folders with a descriptor are made by a C function")]
pub fn create_folder(folder: &Path) -> io::Result<()> {
    let descriptor = parsed(&descriptor::of_folder(&user()?))?;
    let (path, attributes) = (wide::path(folder)?, attributes(&descriptor));
    // SAFETY: the path ends with a zero, and the attributes are whole and live until it returns.
    if unsafe { CreateDirectoryW(path.as_ptr(), &raw const attributes) } == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Closes a file that is there to all but this user, the system and the administrators.
///
/// # Errors
/// It is somebody else's.
pub fn close_to_others(file: &Path) -> io::Result<()> {
    let opened = open(file, READ_CONTROL | WRITE_DAC, None, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS)?;
    set(&opened, &descriptor::of_file(&user()?))
}

/// Gives a file that [`create`] has made anew the access list of another.
///
/// # Errors
/// It is somebody else's.
pub fn copy(from: &File, to: &File) -> io::Result<()> {
    set(to, &text_of(from)?)
}

#[expect(unsafe_code, reason = "security descriptors are set by a C function")]
fn set(file: &File, descriptor: &str) -> io::Result<()> {
    let descriptor = parsed(descriptor)?;
    let what = DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION;
    // SAFETY: the file is open, and the descriptor lives until this returns.
    if unsafe { SetKernelObjectSecurity(file.as_raw_handle(), what, descriptor.0) } == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// What standard error is written to, if it is a file on a disk.
#[expect(unsafe_code, reason = "the kind of a handle is asked for by a C function")]
pub fn standard_error() -> Option<File> {
    let handle = io::stderr().as_handle().try_clone_to_owned().ok()?;
    // SAFETY: the handle is open.
    (unsafe { GetFileType(handle.as_raw_handle()) } == FILE_TYPE_DISK).then(|| handle.into())
}

/// Opens a folder, to ask who may do what with it.
///
/// # Errors
/// It is not there, or closed to us.
pub fn open_folder(folder: &Path) -> io::Result<File> {
    open(folder, READ_CONTROL, None, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS)
}

#[expect(unsafe_code, reason = "files with a descriptor are made by a C function")]
fn open(
    file: &Path,
    access: u32,
    descriptor: Option<&Local<core::ffi::c_void>>,
    how: u32,
    flags: u32,
) -> io::Result<File> {
    let (path, attributes) = (wide::path(file)?, descriptor.map(attributes));
    let attributes = attributes.as_ref().map_or(null(), std::ptr::from_ref);
    // SAFETY: the path ends with a zero, and the attributes are whole and live until it returns.
    let handle = unsafe { CreateFileW(path.as_ptr(), access, SHARE, attributes, how, flags, null_mut()) };
    if handle == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it was opened just now, and nobody else has it.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) }.into())
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;
    use crate::descriptor::{READ, WRITE};

    fn others(file: &File) -> Vec<String> {
        Descriptor::of(file).unwrap().others_with(READ | WRITE)
    }

    #[test]
    fn a_user_is_a_security_identifier_that_stands_in_descriptors() {
        let user = user().unwrap();
        assert!(user.starts_with("S-1-"));
        assert!(!as_written(&user).unwrap().contains(':'));
    }

    #[test]
    fn what_is_made_is_for_this_user_alone_and_can_be_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner folder 内");
        create_folder(&inner).unwrap();
        assert_eq!(create_folder(&inner).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(others(&open_folder(&inner).unwrap()), [""; 0]);
        let path = inner.join("file");
        let mut file = create(&path, Disposition::Anew).unwrap();
        file.write_all(b"secret").unwrap();
        assert_eq!(others(&file), [""; 0]);
        let mut text = String::new();
        create(&path, Disposition::Keep).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "secret");
        assert_eq!(create(&path, Disposition::Anew).unwrap().metadata().unwrap().len(), 0);
    }

    #[test]
    fn a_file_that_is_there_can_be_closed_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "text").unwrap();
        close_to_others(&path).unwrap();
        let opened = File::open(&path).unwrap();
        assert_eq!(others(&opened), [""; 0], "{}", text_of(&opened).unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "text");
    }

    #[test]
    fn a_file_gets_the_list_of_the_one_whose_place_it_takes() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("old"), "").unwrap();
        let old = File::open(folder.path().join("old")).unwrap();
        let new = create(&folder.path().join("new"), Disposition::New).unwrap();
        assert_ne!(text_of(&old).unwrap(), text_of(&new).unwrap());
        copy(&old, &new).unwrap();
        assert_eq!(text_of(&old).unwrap(), text_of(&new).unwrap());
        let error = create(&folder.path().join("new"), Disposition::New).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn a_path_may_be_longer_than_windows_takes_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        let long = folder.path().join("x".repeat(120)).join("y".repeat(120));
        std::fs::create_dir_all(&long).unwrap();
        create(&long.join("file"), Disposition::New).unwrap();
        create_folder(&long.join("folder")).unwrap();
        assert!(long.join("file").exists() && long.join("folder").exists());
    }
}
