//! The names of Windows' error numbers that one meets most often. The system has texts for them, but no names.

/// `GetLastError` (Microsoft, "System Error Codes"; winerror.h).
const WIN32: &[(u32, &str)] = &[
    (1, "ERROR_INVALID_FUNCTION"),
    (2, "ERROR_FILE_NOT_FOUND"),
    (3, "ERROR_PATH_NOT_FOUND"),
    (4, "ERROR_TOO_MANY_OPEN_FILES"),
    (5, "ERROR_ACCESS_DENIED"),
    (6, "ERROR_INVALID_HANDLE"),
    (8, "ERROR_NOT_ENOUGH_MEMORY"),
    (11, "ERROR_BAD_FORMAT"),
    (12, "ERROR_INVALID_ACCESS"),
    (13, "ERROR_INVALID_DATA"),
    (14, "ERROR_OUTOFMEMORY"),
    (15, "ERROR_INVALID_DRIVE"),
    (18, "ERROR_NO_MORE_FILES"),
    (19, "ERROR_WRITE_PROTECT"),
    (21, "ERROR_NOT_READY"),
    (22, "ERROR_BAD_COMMAND"),
    (23, "ERROR_CRC"),
    (24, "ERROR_BAD_LENGTH"),
    (25, "ERROR_SEEK"),
    (29, "ERROR_WRITE_FAULT"),
    (30, "ERROR_READ_FAULT"),
    (31, "ERROR_GEN_FAILURE"),
    (32, "ERROR_SHARING_VIOLATION"),
    (33, "ERROR_LOCK_VIOLATION"),
    (38, "ERROR_HANDLE_EOF"),
    (39, "ERROR_HANDLE_DISK_FULL"),
    (50, "ERROR_NOT_SUPPORTED"),
    (53, "ERROR_BAD_NETPATH"),
    (55, "ERROR_DEV_NOT_EXIST"),
    (65, "ERROR_NETWORK_ACCESS_DENIED"),
    (67, "ERROR_BAD_NET_NAME"),
    (80, "ERROR_FILE_EXISTS"),
    (82, "ERROR_CANNOT_MAKE"),
    (87, "ERROR_INVALID_PARAMETER"),
    (109, "ERROR_BROKEN_PIPE"),
    (110, "ERROR_OPEN_FAILED"),
    (111, "ERROR_BUFFER_OVERFLOW"),
    (112, "ERROR_DISK_FULL"),
    (120, "ERROR_CALL_NOT_IMPLEMENTED"),
    (121, "ERROR_SEM_TIMEOUT"),
    (122, "ERROR_INSUFFICIENT_BUFFER"),
    (123, "ERROR_INVALID_NAME"),
    (124, "ERROR_INVALID_LEVEL"),
    (126, "ERROR_MOD_NOT_FOUND"),
    (127, "ERROR_PROC_NOT_FOUND"),
    (131, "ERROR_NEGATIVE_SEEK"),
    (145, "ERROR_DIR_NOT_EMPTY"),
    (160, "ERROR_BAD_ARGUMENTS"),
    (161, "ERROR_BAD_PATHNAME"),
    (170, "ERROR_BUSY"),
    (182, "ERROR_INVALID_ORDINAL"),
    (183, "ERROR_ALREADY_EXISTS"),
    (193, "ERROR_BAD_EXE_FORMAT"),
    (203, "ERROR_ENVVAR_NOT_FOUND"),
    (206, "ERROR_FILENAME_EXCED_RANGE"),
    (230, "ERROR_BAD_PIPE"),
    (231, "ERROR_PIPE_BUSY"),
    (232, "ERROR_NO_DATA"),
    (233, "ERROR_PIPE_NOT_CONNECTED"),
    (234, "ERROR_MORE_DATA"),
    (259, "ERROR_NO_MORE_ITEMS"),
    (267, "ERROR_DIRECTORY"),
    (298, "ERROR_TOO_MANY_POSTS"),
    (487, "ERROR_INVALID_ADDRESS"),
    (534, "ERROR_ARITHMETIC_OVERFLOW"),
    (535, "ERROR_PIPE_CONNECTED"),
    (536, "ERROR_PIPE_LISTENING"),
    (995, "ERROR_OPERATION_ABORTED"),
    (996, "ERROR_IO_INCOMPLETE"),
    (997, "ERROR_IO_PENDING"),
    (998, "ERROR_NOACCESS"),
    (1001, "ERROR_STACK_OVERFLOW"),
    (1004, "ERROR_INVALID_FLAGS"),
    (1008, "ERROR_NO_TOKEN"),
    (1056, "ERROR_SERVICE_ALREADY_RUNNING"),
    (1060, "ERROR_SERVICE_DOES_NOT_EXIST"),
    (1062, "ERROR_SERVICE_NOT_ACTIVE"),
    (1113, "ERROR_NO_UNICODE_TRANSLATION"),
    (1114, "ERROR_DLL_INIT_FAILED"),
    (1117, "ERROR_IO_DEVICE"),
    (1150, "ERROR_OLD_WIN_VERSION"),
    (1157, "ERROR_DLL_NOT_FOUND"),
    (1167, "ERROR_DEVICE_NOT_CONNECTED"),
    (1168, "ERROR_NOT_FOUND"),
    (1200, "ERROR_BAD_DEVICE"),
    (1223, "ERROR_CANCELLED"),
    (1225, "ERROR_CONNECTION_REFUSED"),
    (1231, "ERROR_NETWORK_UNREACHABLE"),
    (1314, "ERROR_PRIVILEGE_NOT_HELD"),
    (1326, "ERROR_LOGON_FAILURE"),
    (1400, "ERROR_INVALID_WINDOW_HANDLE"),
    (1407, "ERROR_CANNOT_FIND_WND_CLASS"),
    (1411, "ERROR_CLASS_DOES_NOT_EXIST"),
    (1421, "ERROR_CONTROL_ID_NOT_FOUND"),
    (1450, "ERROR_NO_SYSTEM_RESOURCES"),
    (1455, "ERROR_COMMITMENT_LIMIT"),
    (1460, "ERROR_TIMEOUT"),
    (1784, "ERROR_INVALID_USER_BUFFER"),
    (1812, "ERROR_RESOURCE_DATA_NOT_FOUND"),
    (1813, "ERROR_RESOURCE_TYPE_NOT_FOUND"),
    (1814, "ERROR_RESOURCE_NAME_NOT_FOUND"),
];

/// `HRESULT`s (winerror.h), with what to say where the system has no text. The last four wrap numbers of [`WIN32`] and are
/// better known by these names.
const HRESULTS: &[(u32, &str, &str)] = &[
    (0, "S_OK", "Success"),
    (1, "S_FALSE", "Success, with the answer \"no\""),
    (0x8000_000A, "E_PENDING", "The data necessary to complete this operation is not yet available"),
    (0x8000_FFFF, "E_UNEXPECTED", "Catastrophic failure"),
    (0x8000_4001, "E_NOTIMPL", "Not implemented"),
    (0x8000_4002, "E_NOINTERFACE", "No such interface supported"),
    (0x8000_4003, "E_POINTER", "Invalid pointer"),
    (0x8000_4004, "E_ABORT", "Operation aborted"),
    (0x8000_4005, "E_FAIL", "Unspecified error"),
    (0x8001_0106, "RPC_E_CHANGED_MODE", "Cannot change thread mode after it is set"),
    (0x8001_010E, "RPC_E_WRONG_THREAD", "The application called an interface that was marshalled for another thread"),
    (0x8002_0003, "DISP_E_MEMBERNOTFOUND", "Member not found"),
    (0x8002_0005, "DISP_E_TYPEMISMATCH", "Type mismatch"),
    (0x8002_0006, "DISP_E_UNKNOWNNAME", "Unknown name"),
    (0x8002_0009, "DISP_E_EXCEPTION", "Exception occurred"),
    (0x8002_000A, "DISP_E_OVERFLOW", "Out of present range"),
    (0x8002_000B, "DISP_E_BADINDEX", "Invalid index"),
    (0x8002_000E, "DISP_E_BADPARAMCOUNT", "Invalid number of parameters"),
    (0x8002_8019, "TYPE_E_UNSUPFORMAT", "Old format or invalid type library"),
    (0x8003_0002, "STG_E_FILENOTFOUND", "The file could not be found"),
    (0x8004_0110, "CLASS_E_NOAGGREGATION", "Class does not support aggregation"),
    (0x8004_0111, "CLASS_E_CLASSNOTAVAILABLE", "ClassFactory cannot supply requested class"),
    (0x8004_0154, "REGDB_E_CLASSNOTREG", "Class not registered"),
    (0x8004_01F0, "CO_E_NOTINITIALIZED", "CoInitialize has not been called"),
    (0x8004_01F3, "CO_E_CLASSSTRING", "Invalid class string"),
    (0x8007_0005, "E_ACCESSDENIED", "General access denied error"),
    (0x8007_0006, "E_HANDLE", "The handle is invalid"),
    (0x8007_000E, "E_OUTOFMEMORY", "Not enough memory"),
    (0x8007_0057, "E_INVALIDARG", "One or more arguments are invalid"),
];

/// The name of a number of `GetLastError`.
pub(super) fn win32(number: u32) -> Option<&'static str> {
    WIN32.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
}

/// The name of an `HRESULT`, and what it means.
pub(super) fn hresult(bits: u32) -> Option<(&'static str, &'static str)> {
    HRESULTS.iter().find(|(known, ..)| *known == bits).map(|(_, name, text)| (*name, *text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_in_order_and_have_no_number_twice() {
        assert!(WIN32.is_sorted_by(|(left, _), (right, _)| left < right));
        let mut numbers: Vec<u32> = HRESULTS.iter().map(|(number, ..)| *number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), HRESULTS.len());
    }
}
