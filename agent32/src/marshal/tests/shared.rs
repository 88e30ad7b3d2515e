//! Buffers whose memory is a file's.

use std::fs;
use std::path::Path;

use bridge32_protocol::wire::{Buffer, Digest, FaultCode, LARGEST_INLINE};

use super::{World, world};

const COPY: &str =
    "int Copy(_Out_writes_bytes_(n) void *dest, _In_reads_bytes_(n) const void *src, unsigned n, const char *name);";
const HALF: &str = "int Half(_Out_writes_bytes_to_(n, *written) void *dest, unsigned n, _Out_ unsigned *written);";
const CHANGE: &str = "void Change(_Inout_updates_bytes_(n) void *data, unsigned n);";
const MOST: u64 = 1 << 20;
const LARGE: usize = LARGEST_INLINE + 1;

/// A buffer with a file in which `content` is.
fn buffer(folder: &Path, parameter: &str, content: Option<&[u8]>, answered: bool) -> Buffer {
    let file = folder.join(parameter);
    fs::write(&file, content.unwrap_or_default()).unwrap();
    let given = content.map(|content| content.len() as u64);
    let file = file.to_str().unwrap().to_owned();
    Buffer { parameter: parameter.to_owned(), file, given, answered, most: MOST }
}

/// What stands among the outputs.
fn digest(answer: &str, name: &str) -> Digest {
    let answer: serde_json::Value = serde_json::from_str(&format!("{{{answer}}}")).unwrap();
    Digest::read(&answer["outputs"][name].to_string()).unwrap_or_else(|| panic!("{answer}"))
}

fn refused(world: &World, args: &str, buffers: &[Buffer]) -> (FaultCode, String, String) {
    let fault = world.played_with_buffers(args, buffers, |_, _| {}, 0).unwrap_err();
    assert!(!fault.ran, "{}", fault.detail);
    (fault.code, fault.pointer.unwrap_or_default(), fault.detail)
}

#[test]
fn a_function_works_in_the_file_that_it_fills_in_and_on_a_copy_of_the_one_that_it_reads() {
    let folder = tempfile::tempdir().unwrap();
    let (given, world) = (vec![7; LARGE], world(COPY));
    let src = buffer(folder.path(), "src", Some(&given), false);
    let dest = buffer(folder.path(), "dest", None, true);
    let library = |index, memory: &mut [u8]| match index {
        0 => {
            assert_eq!(memory, vec![0; LARGE]);
            memory.fill(9);
        }
        1 => {
            assert_eq!(memory, given);
            memory.fill(1);
        }
        2 => assert_eq!(memory, u32::try_from(LARGE).unwrap().to_le_bytes(), "it is taken from the file"),
        _ => {}
    };
    let answer = world.played_with_buffers(r#"{"name":"x"}"#, &[src.clone(), dest.clone()], library, 0).unwrap();
    assert_eq!(digest(&answer, "dest").bytes, LARGE as u64);
    assert!(fs::read(&dest.file).unwrap()[..LARGE] == vec![9; LARGE]);
    assert!(fs::read(&src.file).unwrap()[..LARGE] == given, "what it wrote there was its own");
    // A process that comes after one that has crashed finds what that has left.
    let again = world.played_with_buffers(r#"{"name":"x"}"#, &[src, dest], library, 0).unwrap();
    assert_eq!(again, answer);
}

#[test]
fn an_output_is_as_long_as_the_function_says_and_a_small_one_is_answered_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(HALF);
    let library = |index, memory: &mut [u8]| match index {
        0 => memory.fill(b'x'),
        2 => memory.copy_from_slice(&5_u32.to_le_bytes()),
        _ => {}
    };
    let dest = buffer(folder.path(), "dest", None, true);
    let answer =
        world.played_with_buffers(&format!(r#"{{"n":{LARGE}}}"#), std::slice::from_ref(&dest), library, 0).unwrap();
    let expected = Digest {
        bytes: 5,
        // printf xxxxx | sha256sum
        sha256: "eaf16bc07968e013f3f94ab1342472434a39fc3475f11cf341a6c3965974f8e9".to_owned(),
    };
    assert_eq!(digest(&answer, "dest"), expected);
    let answer = world.played_with_buffers(&format!(r#"{{"n":{LARGEST_INLINE}}}"#), &[dest], library, 0).unwrap();
    assert_eq!(answer, r#""result":0,"outputs":{"dest":"eHh4eHg=","written":5}"#);
}

#[test]
fn what_goes_in_and_out_is_changed_in_place_or_answered_as_json() {
    let folder = tempfile::tempdir().unwrap();
    let (given, world) = (vec![7; LARGE], world(CHANGE));
    let library = |index, memory: &mut [u8]| {
        if index == 0 {
            assert_eq!(&memory[..LARGE], given);
            for byte in memory.iter_mut() {
                *byte += 1;
            }
        }
    };
    let data = buffer(folder.path(), "data", Some(&given), true);
    let answer = world.played_with_buffers("{}", std::slice::from_ref(&data), library, 0).unwrap();
    assert_eq!(digest(&answer, "data").bytes, LARGE as u64);
    assert!(fs::read(&data.file).unwrap()[..LARGE] == vec![8; LARGE]);
    let data = buffer(folder.path(), "data", Some(&given), false);
    let answer = world.played_with_buffers("{}", std::slice::from_ref(&data), library, 0).unwrap();
    assert!(answer.len() > LARGE && fs::read(&data.file).unwrap()[..LARGE] == given);
    // More room than there are bytes: zeros behind them.
    let data = buffer(folder.path(), "data", Some(&given), true);
    let look = |index, memory: &mut [u8]| {
        if index == 0 {
            assert_eq!((memory.len(), &memory[LARGE..]), (LARGE + 10, &[0; 10][..]));
        }
    };
    world.played_with_buffers(&format!(r#"{{"n":{}}}"#, LARGE + 10), &[data], look, 0).unwrap();
    // Given in JSON, and answered through the file.
    let data = buffer(folder.path(), "data", None, true);
    let args = format!(r#"{{"data":"AQID","n":{LARGE}}}"#);
    let look = |index, memory: &mut [u8]| {
        if index == 0 {
            assert_eq!(memory[..4], [1, 2, 3, 0]);
        }
    };
    let answer = world.played_with_buffers(&args, &[data], look, 0).unwrap();
    assert_eq!(digest(&answer, "data").bytes, LARGE as u64);
}

#[test]
fn what_does_not_fit_is_refused_as_in_json() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(COPY);
    let given = vec![7; LARGE];
    let of = |parameter: &str| buffer(folder.path(), parameter, Some(&given), false);
    let short = refused(&world, &format!(r#"{{"name":"x","n":{}}}"#, LARGE + 1), &[of("src")]);
    assert_eq!((short.0, short.1.as_str()), (FaultCode::ArgumentMismatch, "/src"));
    assert!(short.2.contains("reads more"), "{}", short.2);
    for wrong in ["name", "n", "other"] {
        let (code, pointer, detail) = refused(&world, r#"{"name":"x"}"#, &[of(wrong)]);
        assert_eq!((code, pointer), (FaultCode::ArgumentMismatch, format!("/{wrong}")));
        assert!(detail.contains("no buffer of bytes"), "{detail}");
    }
    let twice = refused(&world, r#"{"name":"x","src":"AQID"}"#, &[of("src")]);
    assert!(twice.1 == "/src" && twice.2.contains("given twice"), "{}", twice.2);
    let twice = refused(&world, r#"{"name":"x"}"#, &[of("src"), of("src")]);
    assert!(twice.2.contains("given twice"), "{}", twice.2);
    let large = refused(&world, r#"{"name":"x"}"#, &[Buffer { most: 10, ..of("src") }]);
    assert!(large.1 == "/src" && large.2.contains("may have 10. `bulk_limit`"), "{}", large.2);
    let gone = Buffer { file: folder.path().join("gone").to_str().unwrap().to_owned(), ..of("src") };
    let (code, _, detail) = refused(&world, r#"{"name":"x"}"#, &[gone]);
    assert!(code == FaultCode::BufferUnavailable && detail.contains("bulk_dir"), "{detail}");
    let out = buffer(folder.path(), "dest", None, true);
    let (_, pointer, detail) = refused(&world, &format!(r#"{{"name":"x","src":"AQID","n":{}}}"#, MOST + 1), &[out]);
    assert!(pointer == "/n" && detail.contains("`bulk_limit`"), "{pointer}: {detail}");
}
