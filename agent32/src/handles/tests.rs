//! Tokens, what they stand for, and when they end.

use super::*;

const DB: Origin<'static> = Origin { kind: "sqlite3", function: "open", freed_by: Some("close") };

#[test]
fn one_pointer_has_one_token_until_it_is_released() {
    let handles = Handles::new("db", 3);
    let token = handles.issue(0x1000, DB).unwrap();
    assert!(token.starts_with("db.g3.1."), "{token}");
    assert_eq!(handles.issue(0x1000, DB).unwrap(), token);
    let resolved = handles.resolve(&token, "sqlite3").unwrap();
    assert_eq!((resolved.address, resolved.size), (0x1000, None));
    handles.retire(resolved.number, "sqlite3_close");
    assert_eq!(
        handles.resolve(&token, "sqlite3"),
        Err(HandleError::ended(&token, Some("it has been closed by `sqlite3_close`")))
    );
    assert_ne!(handles.issue(0x1000, DB).unwrap(), token);
}

#[test]
fn what_is_stale_foreign_forged_or_of_another_kind_is_told_apart() {
    let handles = Handles::new("db", 3);
    let token = handles.issue(0x1000, DB).unwrap();
    let resolve = |token: &str| handles.resolve(token, "sqlite3").unwrap_err();
    assert!(matches!(handles.resolve(&token, "sqlite3_stmt"), Err(HandleError::WrongKind { .. })));
    assert!(matches!(resolve(&token.replace(".g3.", ".g2.")), HandleError::Stale { .. }));
    assert!(matches!(resolve(&token.replace("db.", "a.b.")), HandleError::Foreign { library, .. } if library == "a.b"));
    for forged in [
        token.replace(".g3.", ".g4."),
        token.replace(".1.", ".2."),
        format!("{token}0"),
        token.replace('.', ""),
        String::new(),
        "db.g3.1.".to_owned(),
        "....".to_owned(),
    ] {
        assert!(matches!(resolve(&forged), HandleError::Unknown(_)), "{forged}");
    }
    assert_eq!(handles.resolve(&token, "void").unwrap().address, 0x1000);
}

#[test]
fn a_block_of_memory_is_read_written_and_gone() {
    let handles = Handles::new("db", 1);
    let token = handles.allocate(8, b"abc").unwrap();
    let (bytes, number) = handles.with_memory(&token, |bytes| bytes.to_vec()).unwrap();
    assert_eq!(bytes, b"abc\0\0\0\0\0");
    assert_eq!(handles.resolve(&token, "anything").unwrap().size, Some(8));
    assert!(!handles.take_overrun(number));
    assert_eq!(handles.list()[0].size, Some(8));
    handles.retire(number, "free");
    assert!(matches!(handles.with_memory(&token, |_| ()), Err(HandleError::Stale { .. })));
    assert!(handles.list().is_empty());
    let again = handles.allocate(8, b"abc").unwrap();
    let resolved = handles.resolve(&again, "void").unwrap();
    let void = Origin { kind: "void", function: "memset", freed_by: None };
    assert_eq!(handles.issue(resolved.address, void).unwrap(), again, "a library returns what it was given");
    let inside = handles.issue(resolved.address + 3, void).unwrap();
    handles.retire(resolved.number, "free");
    assert_eq!(
        handles.resolve(&inside, "void"),
        Err(HandleError::ended(&inside, Some("it has been closed by `free`")))
    );
    let pointer = handles.issue(0x1000, DB).unwrap();
    assert!(matches!(handles.with_memory(&pointer, |_| ()), Err(HandleError::NotMemory(_))));
    assert!(handles.allocate(usize::MAX - 10, &[]).is_err());
}

#[test]
fn a_write_past_a_block_is_told_once() {
    let handles = Handles::new("db", 1);
    let token = handles.allocate(8, &[]).unwrap();
    let number = handles.resolve(&token, "void").unwrap().number;
    {
        let mut table = handles.lock();
        let memory = table.live.get_mut(&number).unwrap().memory.as_mut().unwrap();
        memory.guard_mut()[0] = 0;
    }
    assert!(handles.take_overrun(number));
    assert!(!handles.take_overrun(number));
}

#[test]
fn a_pointer_into_the_memory_of_a_call_ends_with_the_call() {
    let handles = Handles::new("db", 1);
    let (inside, outside) = (handles.issue(0x1010, DB).unwrap(), handles.issue(0x2000, DB).unwrap());
    handles.end_of_call([0x1000..0x2000, 0..0].into_iter());
    let error = handles.resolve(&inside, "void").unwrap_err();
    assert!(error.to_string().contains("memory of a call"), "{error}");
    handles.resolve(&outside, "void").unwrap();
}
