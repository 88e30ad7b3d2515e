//! Tokens, what they stand for, and when they end.

use super::*;

const DB: Origin<'static> = Origin { kind: "sqlite3", function: "open", freed_by: Some("close"), session: None };

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
    for other in [".g2.", ".g4."] {
        assert!(matches!(resolve(&token.replace(".g3.", other)), HandleError::Stale { .. }), "{other}");
    }
    assert!(matches!(resolve(&token.replace("db.", "a.b.")), HandleError::Foreign { library, .. } if library == "a.b"));
    for forged in [
        token.replace(".g3.", ".g-3."),
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
    let token = handles.allocate(8, b"abc", None).unwrap();
    let block = handles.block(&token).unwrap();
    assert_eq!(block.read(0..8).unwrap(), b"abc\0\0\0\0\0");
    assert_eq!(handles.resolve(&token, "anything").unwrap().size, Some(8));
    assert!(!block.take_overrun());
    assert_eq!(handles.list()[0].size, Some(8));
    handles.retire(block.number, "free");
    assert!(matches!(handles.block(&token), Err(HandleError::Stale { .. })));
    assert!(handles.list().is_empty());
    let again = handles.allocate(8, b"abc", None).unwrap();
    let resolved = handles.resolve(&again, "void").unwrap();
    let void = Origin { kind: "void", function: "memset", freed_by: None, session: None };
    assert_eq!(handles.issue(resolved.address, void).unwrap(), again, "a library returns what it was given");
    let inside = handles.issue(resolved.address + 3, void).unwrap();
    handles.retire(resolved.number, "free");
    assert_eq!(
        handles.resolve(&inside, "void"),
        Err(HandleError::ended(&inside, Some("it has been closed by `free`")))
    );
    let pointer = handles.issue(0x1000, DB).unwrap();
    assert!(matches!(handles.block(&pointer), Err(HandleError::NotMemory(_))));
    assert!(handles.allocate(usize::MAX - 10, &[], None).is_err());
}

#[test]
fn a_block_that_another_lane_frees_stays_for_whoever_works_with_it() {
    let handles = Handles::new("db", 1);
    let token = handles.allocate(8, b"abc", None).unwrap();
    let block = handles.block(&token).unwrap();
    handles.retire(block.number, "DELETE");
    assert!(handles.block(&token).is_err() && handles.list().is_empty());
    block.write(0, b"x").unwrap();
    assert_eq!(block.read(0..3).unwrap(), b"xbc");
}

#[test]
fn a_session_owns_what_was_given_out_to_it_alone() {
    let handles = Handles::new("db", 1);
    let (ours, theirs) = (Some(Uuid::from_u128(1)), Some(Uuid::from_u128(2)));
    let given = |address, session| handles.issue(address, Origin { session, ..DB }).unwrap();
    let first = given(0x1000, ours);
    let block = handles.allocate(8, &[], ours).unwrap();
    let last = given(0x2000, ours);
    // The same pointer once more is still theirs alone; to somebody else it is nobody's, whoever got it first.
    given(0x1000, ours);
    for (one, other) in [(ours, theirs), (ours, None), (None, ours)] {
        let shared = given(0x3000, one);
        assert_eq!(given(0x3000, other), shared);
        given(0x3000, ours);
        assert_eq!(handles.of_session(Uuid::from_u128(2)), []);
        handles.retire(handles.resolve(&shared, "void").unwrap().number, "close");
    }
    let owned = handles.of_session(Uuid::from_u128(1));
    let told: Vec<_> = owned.iter().map(|owned| (&owned.token, owned.is_block)).collect();
    assert_eq!(told, [(&last, false), (&block, true), (&first, false)], "the newest first");
    assert_eq!((owned[0].kind.as_str(), owned[0].freed_by.as_deref()), ("sqlite3", Some("close")));
    handles.disown(owned[0].number);
    assert!(handles.is_live(owned[0].number));
    handles.retire(owned[2].number, "close");
    assert!(!handles.is_live(owned[2].number));
    assert_eq!(handles.of_session(Uuid::from_u128(1)).len(), 1);
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
