//! What only the library looks behind, pointers to pointers, and what comes back.

mod common;

use bridge32_protocol::interface::{Direction, Encoding, Expression, Extent, Type, Unit};
use common::{first, handle, header, interface, only, pointer, unsupported};

/// The direction of the first parameter, and what the pointer points to.
fn through(before: &str, parameters: &str) -> (Direction, Type, Extent) {
    let parameter = first(before, parameters);
    let outer = pointer(&parameter.ty);
    (parameter.direction, outer.to.clone(), outer.extent.clone())
}

#[test]
fn opaque_pointers_are_handles_of_their_kind() {
    for (before, parameter, kind, system) in [
        ("typedef struct sqlite3 sqlite3;", "sqlite3 *db", "sqlite3", false),
        ("typedef struct tagCARD CARD;", "const CARD *card", "CARD", false),
        ("struct card;", "struct card *card", "card", false),
        ("typedef struct gate *gate_t;", "gate_t gate", "gate", false),
        ("", "void *data", "void", false),
        ("", "const void *data", "void", false),
        ("", "_Out_ void *data", "void", false),
        ("", "FILE *file", "FILE", false),
        ("", "HANDLE file", "HANDLE", true),
        ("", "HWND window", "HWND", true),
        ("typedef void *HANDLE;", "HANDLE file", "HANDLE", true),
        ("DECLARE_HANDLE(HWND);", "HWND window", "HWND", true),
        ("DECLARE_HANDLE(HCARD);", "HCARD card", "HCARD__", false),
        ("", "PSID sid", "PSID", false),
    ] {
        let parameter = first(before, parameter);
        assert_eq!(handle(&parameter.ty), (kind, system), "{before}");
        assert_eq!(parameter.direction, Direction::In);
    }
}

#[test]
fn handles_of_the_system_and_blocks_may_be_null_unless_annotated() {
    for (parameter, optional) in [
        ("HANDLE a", true),
        ("_In_ HANDLE a", false),
        ("_In_opt_ HANDLE a", true),
        ("void *a", true),
        ("_In_ void *a", false),
        ("struct opaque *a", false),
        ("_In_opt_ struct opaque *a", true),
    ] {
        assert_eq!(first("struct opaque;", parameter).optional, optional, "{parameter}");
    }
}

#[test]
fn pointers_to_structures_go_both_ways_and_constant_ones_in() {
    let before = "typedef struct { int x; } P;";
    let structure = Type::Structure("P".to_owned());
    assert_eq!(through(before, "const P *p"), (Direction::In, structure.clone(), Extent::One));
    assert_eq!(through(before, "P *p"), (Direction::InOut, structure.clone(), Extent::One));
    assert_eq!(through(before, "_Out_ P *p"), (Direction::Out, structure.clone(), Extent::One));
    let (direction, to, extent) = through(before, "_In_reads_(n) const P *p, int n");
    assert_eq!((direction, to), (Direction::In, structure.clone()));
    assert!(matches!(extent, Extent::Elements { .. }));
    let (direction, to, extent) = through(before, "P p[4]");
    assert_eq!((direction, to), (Direction::InOut, structure.clone()));
    assert!(matches!(extent, Extent::Elements { .. }));
    assert_eq!(first(before, "P p").ty, structure);
    let assumed = header(&format!("{before} void f(P *p);")).assumptions;
    assert!(assumed.iter().any(|assumption| assumption.text.contains("in-out")), "{assumed:?}");
}

#[test]
fn pointers_to_pointers_give_back_what_the_inner_one_is() {
    let before = "typedef struct sqlite3 sqlite3; typedef struct { int x; } P;";
    for (parameter, direction) in [
        ("char **a", Direction::InOut),
        ("const char **a", Direction::InOut),
        ("_Outptr_ char **a", Direction::Out),
        ("_Out_ char **a", Direction::Out),
        ("_Outptr_result_z_ unsigned char **a", Direction::Out),
        ("const char *const *a", Direction::In),
        ("LPSTR *a", Direction::InOut),
    ] {
        let (found, to, extent) = through(before, parameter);
        assert_eq!((found, extent), (direction, Extent::One), "{parameter}");
        assert_eq!(pointer(&to).extent, Extent::Text(Encoding::Utf8), "{parameter}");
    }
    for (parameter, kind, system) in [
        ("sqlite3 **a", "sqlite3", false),
        ("_COM_Outptr_ sqlite3 **a", "sqlite3", false),
        ("P **a", "P", false),
        ("void **a", "void", false),
        ("int **a", "void", false),
        ("HANDLE *a", "HANDLE", true),
        ("PHANDLE a", "HANDLE", true),
        ("HKEY *a", "HKEY", true),
        ("char ***a", "char*", false),
        ("sqlite3 ***a", "sqlite3*", false),
    ] {
        let (_, to, extent) = through(before, parameter);
        assert_eq!((handle(&to), extent), ((kind, system), Extent::One), "{parameter}");
    }
    let (_, to, _) = through(before, "const P **a");
    assert_eq!((&pointer(&to).extent, &pointer(&to).to), (&Extent::One, &Type::Structure("P".to_owned())));
    let (direction, to, _) = through(before, "_Out_ BSTR *a");
    assert_eq!((direction, &pointer(&to).extent), (Direction::Out, &Extent::Bstr));
    assert!(first(before, "_Outptr_opt_ sqlite3 **a").optional);
    assert!(!first(before, "_Outptr_result_maybenull_ sqlite3 **a").optional);
}

#[test]
fn arrays_of_pointers_and_arrays_have_their_length() {
    let (direction, to, extent) = through("", "_In_reads_(n) char **argv, int n");
    assert_eq!((direction, &pointer(&to).extent), (Direction::In, &Extent::Text(Encoding::Utf8)));
    assert!(matches!(extent, Extent::Elements { .. }));
    let (_, to, extent) = through("", "int m[3][4]");
    let Type::Array(row) = to else { panic!("{to:?} is an array") };
    let Extent::Elements { capacity, .. } = extent else { panic!("{extent:?} has a length") };
    assert_eq!((row.count, capacity.count), (4, Expression::Constant(3)));
    let (_, to, extent) = through("", "char (*name)[16]");
    let Type::Array(name) = to else { panic!("{to:?} is an array") };
    assert_eq!((name.count, name.text, extent), (16, Some(Encoding::Utf8), Extent::One));
    assert!(unsupported("void f(int m[][4]);").contains("@handle m"));
    assert_eq!(through("", "const int m[3][4]").0, Direction::In);
}

#[test]
fn the_library_can_hand_out_a_counted_block() {
    for (parameters, unit) in [
        ("_Outptr_result_buffer_(*n) int **a, _Out_ int *n", Unit::Elements),
        ("_Outptr_result_bytebuffer_(*n) BYTE **a, _Out_ DWORD *n", Unit::Bytes),
        ("_Outptr_result_bytebuffer_(*n) void **a, _Out_ DWORD *n", Unit::Bytes),
        ("_Outptr_result_buffer_to_(8, *n) int **a, _Out_ int *n", Unit::Elements),
        ("__deref_out_ecount(*n) int **a, _Out_ int *n", Unit::Elements),
    ] {
        let (direction, to, extent) = through("", parameters);
        assert_eq!((direction, extent), (Direction::Out, Extent::One), "{parameters}");
        let Extent::Elements { capacity, .. } = &pointer(&to).extent else { panic!("{to:?} has a length") };
        assert_eq!((&capacity.count, capacity.unit), (&Expression::Pointee(1), unit), "{parameters}");
    }
}

#[test]
fn results_are_text_constant_structures_or_handles() {
    let before = "typedef struct sqlite3 sqlite3; typedef struct { int x; } P;";
    let result = |declaration: &str| only(&format!("{before} {declaration}")).result;
    for (declaration, kind, system) in [
        ("sqlite3 *f(void);", "sqlite3", false),
        ("P *f(void);", "P", false),
        ("void *f(void);", "void", false),
        ("int *f(void);", "void", false),
        ("const unsigned char *f(void);", "void", false),
        ("char **f(void);", "char*", false),
        ("HWND f(void);", "HWND", true),
        ("FILE *f(void);", "FILE", false),
    ] {
        assert_eq!(handle(&result(declaration)), (kind, system), "{declaration}");
    }
    assert_eq!(pointer(&result("char *f(void);")).extent, Extent::Text(Encoding::Utf8));
    assert_eq!(pointer(&result("const wchar_t *f(void);")).extent, Extent::Text(Encoding::Wide));
    assert_eq!(pointer(&result("_Ret_z_ const unsigned char *f(void);")).extent, Extent::Text(Encoding::Utf8));
    let constant = result("const P *f(void);");
    assert_eq!((&pointer(&constant).to, &pointer(&constant).extent), (&Type::Structure("P".to_owned()), &Extent::One));
    assert_eq!(pointer(&result("BSTR f(void);")).extent, Extent::Bstr);
    assert_eq!(result("P f(P p);"), Type::Structure("P".to_owned()));
    for declaration in [
        "_Ret_writes_(n) int *f(int n);",
        "_Ret_writes_bytes_(*n) void *f(_Out_ int *n);",
        "/** @length return n */ const BYTE *f(int n);",
        "/** @return the bytes @length n */ const BYTE *f(int n);",
        "/** @length *n */ const BYTE *f(_Out_ int *n);",
    ] {
        let ty = result(declaration.replace("@length *n", "@length return *n").as_str());
        assert!(matches!(pointer(&ty).extent, Extent::Elements { .. }), "{declaration}: {ty:?}");
    }
}

#[test]
fn a_result_that_counts_can_be_a_length() {
    let function = only("int f(_Out_writes_to_(n, return) char *a, _Out_writes_to_(n, return + 1) int *b, int n);");
    let Extent::Elements { written: Some(written), .. } = &pointer(&function.parameters[1].ty).extent else {
        panic!("{function:?}")
    };
    assert_eq!(written.count, Expression::Add(Box::new(Expression::Result), Box::new(Expression::Constant(1))));
    let tagged = only("/** @param[out] a @length n, return */ int f(int *a, int n);");
    let Extent::Elements { capacity, written: Some(written) } = &pointer(&tagged.parameters[0].ty).extent else {
        panic!("{tagged:?}")
    };
    assert_eq!((&capacity.count, &written.count), (&Expression::Parameter(1), &Expression::Result));
    let header = header("void f(_Out_writes_to_(n, return) int *a, int n);");
    assert!(header.assumptions.iter().any(|assumed| assumed.text.contains("no number")), "{:?}", header.assumptions);
}

#[test]
fn a_pointer_to_a_number_may_stand_for_the_number() {
    let text = "void f(_Inout_updates_(n) int *a, int *n);";
    let Extent::Elements { capacity, .. } = pointer(&only(text).parameters[0].ty).extent.clone() else { panic!() };
    assert_eq!(capacity.count, Expression::Pointee(1));
    assert!(header(text).assumptions.iter().any(|assumed| assumed.text.contains("`*n`")));
}

#[test]
fn an_hresult_is_told_apart() {
    assert!(only("HRESULT f(void);").hresult);
    assert!(only("STDAPI f(void);").hresult);
    assert!(only("typedef long HRESULT; HRESULT __stdcall f(void);").hresult);
    assert!(!only("LONG f(HRESULT a);").hresult);
}

#[test]
fn a_structure_that_the_library_makes_is_a_handle_as_a_parameter_too() {
    let text = "typedef struct gzFile_s { unsigned have; unsigned char *next; long pos; } *gzFile;\n\
                gzFile gzopen(const char *path, const char *mode);\n\
                int gzputs(gzFile file, const char *s);\n\
                int gzbuffer(gzFile file, unsigned size);\n\
                int gzcount(const struct gzFile_s *file);\n\
                int gzset(_In_ const struct gzFile_s *file);";
    let header = header(text);
    assert_eq!(header.diagnostics, []);
    let parameter = |name: &str| {
        let function = header.interface.functions.iter().find(|function| function.name == name).expect("it is there");
        assert_eq!(function.unsupported, None);
        function.parameters[0].ty.clone()
    };
    for name in ["gzputs", "gzbuffer", "gzcount"] {
        assert_eq!(handle(&parameter(name)), ("gzFile_s", false), "{name}");
        let assumed = header.assumptions.iter().find(|assumed| assumed.function == name);
        assert!(assumed.is_some_and(|assumed| assumed.text.contains("“gzopen” gives one out")), "{assumed:?}");
    }
    assert_eq!(pointer(&parameter("gzset")).extent, Extent::One, "it is said to be a value");
}

#[test]
fn a_structure_that_comes_back_as_it_was_given_is_a_value() {
    let vector = "typedef struct { float x, y; } Vector;";
    let sum = first(vector, "Vector *sum, const Vector *a); Vector *add(Vector *sum, const Vector *a");
    assert_eq!(pointer(&sum.ty).extent, Extent::One);
    // What is given out through a parameter is only then no value when it may be changed: options are `const`.
    let made =
        "typedef struct { int flags; } info; int lookup(const info *hints, info **result); void release(info *i);";
    let functions = interface(made).functions;
    assert_eq!(pointer(&functions[0].parameters[0].ty).extent, Extent::One);
    assert_eq!(handle(&functions[1].parameters[0].ty).0, "info");
}
