//! What comments and annotations say of ownership, names and blocks of memory.

mod common;

use bridge32_protocol::interface::{Comparison, Encoding, ExportName, Extent, Release};
use common::{handle, header, only, pointer};

#[test]
fn who_frees_a_result_is_kept_with_it() {
    for comment in [
        "/** @frees put */",
        "/** @frees return put */",
        "/** Gets. @frees put. */",
        "/**\n * Gets.\n * @return a text @frees put\n */",
    ] {
        let text = format!("{comment}\nchar *f(int a);");
        assert_eq!(pointer(&only(&text).result).freed_by.as_deref(), Some("put"), "{comment}");
        assert!(header(&text).assumptions.iter().all(|assumed| !assumed.text.contains("keeps the string")));
    }
    let function = only("/** @param a a number\n * @frees put */\nstruct opaque *f(int a);");
    assert_eq!(pointer(&function.result).freed_by.as_deref(), Some("put"));
}

#[test]
fn a_misspelt_tag_is_told() {
    for (wrong, meant) in [("@lenght v n", "@length"), ("@encodng gbk", "@encoding"), ("@release v", "@releases")] {
        let header = header(&format!("/** {wrong} */\nint f(const int *v, int n);"));
        let told = header.diagnostics.iter().any(|one| one.message.contains(&format!("“{meant}”")));
        assert!(told, "{wrong}: {:?}", header.diagnostics);
    }
    assert_eq!(header("/** The @handler and @frame of it. @author me */\nint f(int a);").diagnostics, []);
}

#[test]
fn who_frees_an_output_is_kept_with_what_is_given() {
    for comment in ["/** @param[out] text it @frees put */", "/** @frees text put */"] {
        let function = only(&format!("{comment}\nint f(char **text, int a);"));
        let outer = pointer(&function.parameters[0].ty);
        assert_eq!(outer.freed_by, None);
        assert_eq!(pointer(&outer.to).freed_by.as_deref(), Some("put"), "{comment}");
    }
    let function = only("int f(HANDLE *handle /**< @frees CloseHandle */, int a);");
    assert_eq!(pointer(&pointer(&function.parameters[0].ty).to).freed_by.as_deref(), Some("CloseHandle"));
}

#[test]
fn what_is_freed_without_a_pointer_is_told() {
    for text in ["/** @frees put */ int f(int a);", "/** @frees */ char *f(void);"] {
        let header = header(text);
        assert!(header.diagnostics[0].message.contains("@frees"), "{:?}", header.diagnostics);
    }
}

#[test]
fn released_parameters_are_handles() {
    let when = |comparison, value| Some(Release::When { comparison, value });
    for (text, expected) in [
        ("/** @releases db */ int f(struct db *db);", Some(Release::Always)),
        ("/** @releases db if return == 0 */ int f(struct db *db);", when(Comparison::Equal, 0)),
        ("/** @releases db if return>=-1. */ int f(struct db *db);", when(Comparison::GreaterOrEqual, -1)),
        ("#define OK 7\n/** @releases db if return != OK */ int f(struct db *db);", when(Comparison::NotEqual, 7)),
        ("/** @param db it @releases */ int f(struct db *db);", Some(Release::Always)),
        ("int f(_Frees_ptr_ struct db *db);", Some(Release::Always)),
        ("int f(_Frees_ptr_opt_ struct db *db);", Some(Release::Always)),
        ("int f(_Post_ptr_invalid_ void *db);", Some(Release::Always)),
        ("int f(_In_ _Post_invalid_ HANDLE db);", Some(Release::Always)),
        ("typedef struct db { int x; } db; void f(_Post_invalid_ db *db);", Some(Release::Always)),
        ("void f(_Frees_ptr_ char *db);", Some(Release::Always)),
        ("int f(struct db *db);", None),
    ] {
        let function = only(text);
        assert_eq!(function.parameters[0].releases, expected, "{text}");
        handle(&function.parameters[0].ty);
    }
}

#[test]
fn releases_that_make_no_sense_are_told() {
    for text in [
        "/** @releases count */ void f(struct db *db, int count);",
        "/** @releases db when done */ void f(struct db *db);",
        "/** @releases db if return == MAYBE */ int f(struct db *db);",
        "/** @releases db if return */ int f(struct db *db);",
        "/** @releases db if return == 0 */ void f(struct db *db);",
    ] {
        let header = header(text);
        assert!(header.diagnostics.iter().any(|told| told.message.contains("@releases")), "{text}");
        assert_eq!(header.interface.functions[0].parameters[0].releases, None, "{text}");
    }
}

#[test]
fn anything_can_be_a_block_of_memory() {
    for text in [
        "/** @handle buf */ void f(BYTE *buf, int n);",
        "/** @param buf the block @handle kept by the library */ void f(char *buf, int n);",
        "/**\n * @param buf the block\n * @handle buf\n */ void f(int *buf, int n);",
        "/** @handle */ void f(BYTE *buf, int n);",
        "void f(BYTE *buf /**< @handle the block */, int n);",
        "typedef struct { int x; } P; /** @handle buf */ void f(P *buf);",
    ] {
        let function = only(text);
        assert_eq!(handle(&function.parameters[0].ty), ("void", false), "{text}");
    }
    let described = only("/** @param buf the block @handle kept by the library */ void f(char *buf, int n);");
    assert_eq!(described.parameters[0].description, "the block kept by the library");
    for comment in ["@handle return", "@return the text @handle"] {
        assert_eq!(handle(&only(&format!("/** {comment} */ char *f(void);")).result), ("void", false), "{comment}");
    }
    assert!(header("/** @handle n */ void f(BYTE *buf, int n);").diagnostics[0].message.contains("names no pointer"));
}

#[test]
fn exports_can_have_other_names() {
    assert_eq!(only("/** @export ?f@@YAHH@Z */ int f(int a);").export, Some(ExportName::Name("?f@@YAHH@Z".to_owned())));
    assert_eq!(only("/** Does. @ordinal 5 */ int f(int a);").export, Some(ExportName::Ordinal(5)));
    let function = only("/** Does. @export _f, @lossy it. @idempotent */ int f(int a);");
    assert_eq!(function.export, Some(ExportName::Name("_f".to_owned())));
    assert!(function.lossy && function.idempotent);
    assert!(header("/** @ordinal five */ int f(void);").diagnostics[0].message.contains("five"));
}

#[test]
fn encodings_can_be_ansi_and_make_text_of_bytes() {
    let function = only("/** @encoding ansi */ int f(const char *a);");
    assert_eq!(pointer(&function.parameters[0].ty).extent, Extent::Text(Encoding::Ansi));
    let function =
        only("/** @param a it @encoding utf-8\n * @return it @encoding utf-8 */ const BYTE *f(const BYTE *a);");
    assert_eq!(pointer(&function.parameters[0].ty).extent, Extent::Text(Encoding::Utf8));
    assert_eq!(pointer(&function.result).extent, Extent::Text(Encoding::Utf8));
    let function = only("/** @encoding return gbk */ const char *f(const char *a);");
    assert_eq!(pointer(&function.result).extent, Extent::Text(Encoding::CodePage("gbk".to_owned())));
    assert_eq!(pointer(&function.parameters[0].ty).extent, Extent::Text(Encoding::Utf8));
}

#[test]
fn comments_in_the_parameter_list_are_taken() {
    let function = only(
        "/** Adds. */\nint f(int a, /**< the one @encoding gbk */ int b /**< the other */, /** the third */ int c,\n  \
         int d, ///< the fourth\n  char *e ///< the fifth @length d\n);",
    );
    let described: Vec<_> = function.parameters.iter().map(|parameter| &*parameter.description).collect();
    assert_eq!(described, ["the one", "the other", "the third", "the fourth", "the fifth"]);
    assert!(matches!(pointer(&function.parameters[4].ty).extent, Extent::TextBuffer { .. }));
    assert_eq!(function.description, "Adds.");
}
