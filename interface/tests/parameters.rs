//! What each way of declaring a parameter or a function means, and why some cannot be passed.

use bridge32_interface::{Header, Options, Source, prototype, prototype_after, read};
use bridge32_protocol::interface::{
    Convention, Direction, Encoding, Expression, Extent, Function, Integer, Scalar, Type, Unit, Width,
};
use bridge32_protocol::target::Target;

fn header(text: &str) -> Header {
    read(&[Source { name: "a.h", text: text.as_bytes() }], &Options::new(Target::Win32))
}

fn only(text: &str) -> Function {
    let header = header(text);
    assert_eq!(header.diagnostics, [], "{text}");
    header.interface.functions.into_iter().next().expect("it declares a function")
}

/// Direction, and how much lies behind the first parameter of `void f(…)`.
fn first(parameters: &str) -> (Direction, Extent) {
    let function = only(&format!("void f({parameters});"));
    assert_eq!(function.unsupported, None, "{parameters}");
    let parameter = &function.parameters[0];
    let Type::Pointer(pointer) = &parameter.ty else { panic!("{parameters} is a pointer") };
    (parameter.direction, pointer.extent.clone())
}

fn capacity(extent: &Extent) -> (Expression, Unit) {
    match extent {
        Extent::Elements { capacity, .. } | Extent::TextBuffer { capacity, .. } => {
            (capacity.count.clone(), capacity.unit)
        }
        other => panic!("{other:?} has no capacity"),
    }
}

fn unsupported(declaration: &str) -> String {
    header(declaration).interface.functions[0].unsupported.clone().unwrap_or_else(|| panic!("{declaration} is refused"))
}

#[test]
fn scalars_have_the_widths_of_c() {
    for (spelling, width, signed) in [
        ("char", Width::W8, true),
        ("unsigned char", Width::W8, false),
        ("short int", Width::W16, true),
        ("unsigned", Width::W32, false),
        ("long unsigned int", Width::Long, false),
        ("long long", Width::W64, true),
        ("unsigned __int64", Width::W64, false),
        ("DWORD", Width::W32, false),
        ("LONG", Width::W32, true),
        ("size_t", Width::Pointer, false),
        ("LPARAM", Width::Pointer, true),
        ("wchar_t", Width::Wchar, false),
        ("int64_t", Width::W64, true),
    ] {
        let function = only(&format!("{spelling} f({spelling} a);"));
        let expected = Type::Scalar(Scalar::Integer(Integer { width, signed }));
        assert_eq!((&function.result, &function.parameters[0].ty), (&expected, &expected), "{spelling}");
    }
    let truth = |width| Type::Scalar(Scalar::Boolean(width));
    assert_eq!(only("BOOL f(bool a);").result, truth(Width::W32));
    assert_eq!(only("typedef int BOOL; _Bool f(BOOL a);").parameters[0].ty, truth(Width::W32));
    assert_eq!(only("float f(double a);").result, Type::Scalar(Scalar::Float));
    assert_eq!(
        only("typedef enum tag { A } kind; void f(enum tag a);").parameters[0].ty,
        Type::Scalar(Scalar::Enumeration("kind".to_owned()))
    );
}

#[test]
fn without_annotations_const_is_in_and_the_rest_in_out() {
    assert_eq!(first("const int *a"), (Direction::In, Extent::One));
    assert_eq!(first("int *a"), (Direction::InOut, Extent::One));
    assert_eq!(first("const char *a"), (Direction::In, Extent::Text(Encoding::Utf8)));
    assert_eq!(first("const wchar_t *a"), (Direction::In, Extent::Text(Encoding::Wide)));
    assert_eq!(first("LPCWSTR a"), (Direction::In, Extent::Text(Encoding::Utf16)));
    assert_eq!(first("LPCTSTR a"), (Direction::In, Extent::Text(Encoding::Utf8)));
    assert_eq!(first("char const a[]"), (Direction::In, Extent::Text(Encoding::Utf8)));
}

#[test]
fn annotations_say_direction_and_length() {
    let parameter = |index| (Expression::Parameter(index), Unit::Elements);
    let bytes = |index| (Expression::Parameter(index), Unit::Bytes);
    for (parameters, direction, expected) in [
        ("_In_reads_(n) const int *a, int n", Direction::In, parameter(1)),
        ("_In_reads_bytes_(n) const void *a, int n", Direction::In, bytes(1)),
        ("_Out_writes_(n) int *a, int n", Direction::Out, parameter(1)),
        ("_Out_writes_bytes_opt_(n) BYTE *a, int n", Direction::Out, bytes(1)),
        ("_Inout_updates_(n) double *a, int n", Direction::InOut, parameter(1)),
        ("_Out_writes_z_(n) char *a, int n", Direction::Out, parameter(1)),
        ("_In_reads_(n) const char *a, int n", Direction::In, parameter(1)),
        ("__in_ecount(n) const int *a, int n", Direction::In, parameter(1)),
        ("__out_bcount(n) void *a, int n", Direction::Out, bytes(1)),
        ("_Out_cap_(n) wchar_t *a, int n", Direction::Out, parameter(1)),
        ("_Out_writes_(*n) int *a, _Inout_ int *n", Direction::Out, (Expression::Pointee(1), Unit::Elements)),
        ("_Out_writes_(16) int *a", Direction::Out, (Expression::Constant(16), Unit::Elements)),
        ("_Out_writes_(sizeof(int) * MAX_PATH) int *a", Direction::Out, (Expression::Constant(1040), Unit::Elements)),
        ("int a[4]", Direction::InOut, (Expression::Constant(4), Unit::Elements)),
        ("_Out_ int a[2 + 2]", Direction::Out, (Expression::Constant(4), Unit::Elements)),
        ("char a[64]", Direction::InOut, (Expression::Constant(64), Unit::Elements)),
        ("const char a[4]", Direction::In, (Expression::Constant(4), Unit::Elements)),
        ("_In_z_ const wchar_t a[2]", Direction::In, (Expression::Constant(2), Unit::Elements)),
    ] {
        let (found, extent) = first(parameters);
        assert_eq!((found, capacity(&extent)), (direction, expected), "{parameters}");
    }
    let (_, extent) = first("_Out_writes_((rows + 1) * 4 / 2 - (int)rows) int *a, int rows");
    insta::assert_yaml_snapshot!("expression", capacity(&extent).0);
}

#[test]
fn legacy_words_are_annotations_in_parameter_lists_only() {
    assert_eq!(first("IN int *a").0, Direction::In);
    assert_eq!(first("OUT int *a").0, Direction::Out);
    assert_eq!(first("IN OUT int *a").0, Direction::InOut);
    assert!(only("void f(IN int *a OPTIONAL);").parameters[0].optional);
    assert_eq!(only("#define IN\n#define OUT\nvoid f(OUT int *a);").parameters[0].direction, Direction::Out);
    assert_eq!(only("enum d { IN, OUT = 5 }; void f(int IN, int OUT);").parameters[1].name, "OUT");
}

#[test]
fn characters_counted_in_bytes_are_data() {
    assert!(matches!(first("_In_reads_bytes_(n) const char *a, int n").1, Extent::Elements { .. }));
    assert!(matches!(first("_Out_writes_(n) char *a, int n").1, Extent::TextBuffer { .. }));
    assert!(matches!(first("_Out_writes_bytes_(n) wchar_t *a, int n").1, Extent::TextBuffer { .. }));
}

#[test]
fn how_much_of_a_text_buffer_is_valid_is_kept() {
    let written = |parameters: &str| match first(parameters).1 {
        Extent::TextBuffer { written, .. } => written.map(|length| (length.count, length.unit)),
        other => panic!("{other:?} is a text buffer"),
    };
    let behind = Some((Expression::Pointee(1), Unit::Elements));
    assert_eq!(written("_Inout_updates_to_(cap, *n) char *buf, _Inout_ int *n, int cap"), behind);
    assert_eq!(written("_Out_writes_to_(cap, *n) char *buf, _Out_ int *n, int cap"), behind);
    assert_eq!(written("_Out_writes_to_(*n, *n) wchar_t *buf, _Inout_ int *n"), behind);
    assert_eq!(
        written("_Out_writes_bytes_to_(cap, *n) wchar_t *buf, _Out_ int *n, int cap"),
        Some((Expression::Pointee(1), Unit::Bytes))
    );
    assert_eq!(written("_Out_writes_(cap) char *buf, int cap"), None);
    let tagged = only("/** @length buf cap, return */ int f(char *buf, int cap);");
    let Type::Pointer(pointer) = &tagged.parameters[0].ty else { panic!("it is a pointer") };
    let Extent::TextBuffer { written: Some(written), .. } = &pointer.extent else { panic!("{pointer:?}") };
    assert_eq!(written.count, Expression::Result);
}

#[test]
fn comments_say_direction_and_length_too() {
    let function = only(
        "/** Gets. @param[out] a text, @length n\n@param[in,out] b numbers\n@length 2 * n\n@length c n + 1 */\n\
         void f(char *a, int *b, unsigned char *c, int n);",
    );
    assert_eq!(function.unsupported, None);
    let directions: Vec<_> = function.parameters.iter().map(|parameter| parameter.direction).collect();
    assert_eq!(directions, [Direction::Out, Direction::InOut, Direction::InOut, Direction::In]);
    let extent = |index: usize| match &function.parameters[index].ty {
        Type::Pointer(pointer) => capacity(&pointer.extent).0,
        other => panic!("{other:?} is a pointer"),
    };
    assert_eq!(extent(0), Expression::Parameter(3));
    assert!(matches!(extent(1), Expression::Multiply(..)));
    assert!(matches!(extent(2), Expression::Add(..)));
    assert_eq!(function.parameters[1].description, "numbers");
}

#[test]
fn conventions_may_stand_anywhere() {
    for (text, expected) in [
        ("int __stdcall f(int a);", Some(Convention::Stdcall)),
        ("__cdecl int f(int a);", Some(Convention::Cdecl)),
        ("int (WINAPI f)(int a);", Some(Convention::Stdcall)),
        ("__attribute__((stdcall)) int f(int a);", Some(Convention::Stdcall)),
        ("int f(int a) __attribute__((__stdcall__, nothrow));", Some(Convention::Stdcall)),
        ("STDAPI_(DWORD) f(int a);", Some(Convention::Stdcall)),
        ("[[nodiscard]] int __stdcall f(int a);", Some(Convention::Stdcall)),
        ("#define WINAPI\nint WINAPI f(int a);", None),
        ("int f(void);", None),
    ] {
        assert_eq!(only(text).convention, expected, "{text}");
    }
    for (keyword, convention) in [("__fastcall", Convention::Fastcall), ("__thiscall", Convention::Thiscall)] {
        let function = only(&format!("int {keyword} f(int a);"));
        assert_eq!((function.convention, function.unsupported), (Some(convention), None));
    }
    for keyword in ["__vectorcall", "__attribute__((regparm(3)))"] {
        let declaration = format!("int {keyword} f(int a);");
        assert!(unsupported(&declaration).contains("convention"), "{keyword}");
        let wide = read(&[Source { name: "a.h", text: declaration.as_bytes() }], &Options::new(Target::Win64));
        assert_eq!(wide.interface.functions[0].unsupported, None, "64-bit Windows ignores the keyword");
    }
    assert_eq!(only("void f(void (CALLBACK *g)(int));").convention, None, "that is the callback's");
}

#[test]
fn a_convention_is_that_of_the_function_that_it_stands_with() {
    // As i686-w64-mingw32-gcc decorates the names.
    for (text, name, expected) in [
        ("void (WINAPI *f(void))(int);", "f", None),
        ("void (__stdcall *f(void (__stdcall *h)(int)))(int);", "f", None),
        ("void (*f(void))(int __stdcall g(int));", "f", None),
        ("struct s { void (WINAPI *m)(int); } *f(int a);", "f", None),
        ("void WINAPI (*f(int a))(int);", "f", Some(Convention::Stdcall)),
        ("__attribute__((stdcall)) void (*f(int a))(int);", "f", Some(Convention::Stdcall)),
        ("void (*f(int a))(int) __attribute__((stdcall));", "f", Some(Convention::Stdcall)),
        ("void * WINAPI f(int a);", "f", Some(Convention::Stdcall)),
        ("void WINAPI *f(int a);", "f", Some(Convention::Stdcall)),
        ("int f(int a), __stdcall g(int a);", "f", None),
        ("int f(int a), __stdcall g(int a);", "g", Some(Convention::Stdcall)),
        ("int __stdcall f(int a), g(int a);", "g", Some(Convention::Stdcall)),
    ] {
        let interface = header(text).interface;
        let function = interface.functions.iter().find(|function| function.name == name).expect("it is declared");
        assert_eq!(function.convention, expected, "{name} in {text}");
    }
    let callback = |text: &str| match &only(text).parameters[0].ty {
        Type::Callback(signature) => signature.convention,
        other => panic!("{other:?} is a callback"),
    };
    for text in [
        "void f(void (WINAPI *g)(int));",
        "void f(WINAPI void (*g)(int));",
        "void f(void (*g)(int) __attribute__((stdcall)));",
        "typedef WINAPI void (*t)(int); void f(t g);",
        "typedef void (* WINAPI t)(int); void f(t g);",
        "typedef void WINAPI t(int); void f(t *g);",
    ] {
        assert_eq!(callback(text), Some(Convention::Stdcall), "{text}");
    }
    let reason = unsupported("void (* WINAPI f(int a))(int);");
    assert!(reason.contains("__stdcall behind the `*`"), "{reason}");
}

#[test]
fn a_variadic_function_is_cdecl_whatever_is_declared() {
    for keyword in ["WINAPI", "__stdcall", "__fastcall", "__cdecl"] {
        let header = header(&format!("int {keyword} f(const char *format, ...);"));
        assert_eq!(header.interface.functions[0].convention, Some(Convention::Cdecl), "{keyword}");
        let expected = format!("cdecl, as every function with `...`: `{keyword}`");
        assert!(header.statements.iter().any(|said| said.text == expected), "{keyword}: {:?}", header.statements);
    }
}

#[test]
fn what_cannot_be_passed_yet_says_what_to_do() {
    for (declaration, wanted) in [
        ("void f(char *text);", "_Out_writes_(n)"),
        ("void f(char *text);", "@handle text"),
        ("void f(int numbers[]);", "_In_reads_(n)"),
        ("void f(BYTE *p);", "@handle p"),
        ("struct s; void f(struct s value);", "members are not declared"),
        ("struct s; struct s f(void);", "the result is a structure"),
        ("struct s { long double a; }; void f(struct s *p);", "long double"),
        ("struct s { int n; int a[]; }; void f(struct s *p);", "no fixed size"),
        ("int f(void (*log)(const char *, ...));", "variable number"),
        ("int f(const char *(*name)(int));", "something else than a number"),
        ("int f(void (__vectorcall *g)(int));", "__vectorcall"),
        ("void f(long double x);", "long double"),
        ("void f(__int128 x);", "__int128"),
        ("void f(acme_t value);", "acme_t"),
        ("acme_t *f(void);", "acme_t"),
        ("void f(acme_t *value);", "acme_t"),
        ("void f(enum acme *value);", "enum acme, which is not declared here"),
        ("void f(enum acme value);", "enum acme, which is not declared here"),
        ("enum acme f(void);", "enum acme, which is not declared here"),
        ("struct s { enum acme kind; }; void f(struct s *value);", "enum acme"),
        ("void f(va_list list);", "va_list"),
    ] {
        let reason = unsupported(declaration);
        assert!(reason.contains(wanted), "{declaration}: {reason}");
    }
}

#[test]
fn lengths_must_resolve() {
    for (parameters, wanted) in [
        ("_Out_writes_(m) int *a, int n", "“m” is neither a parameter"),
        ("_Out_writes_(return) int *a", "not there before the call"),
        ("_Out_writes_(n) int *a, void *n", "“n” is not a number"),
        ("_Out_writes_(*n) int *a, int n", "does not point to a number"),
        ("_Out_writes_(*n) int *a, _Out_ int *n", "must be `_Inout_`"),
        ("_Out_writes_(s->n) int *a, struct s *s", "reaches into a structure"),
        ("_Out_writes_(strlen(n)) int *a, const char *n", "strlen"),
        ("_Out_writes_() int *a", "ends too early"),
        ("_In_reads_to_ptr_(end) const int *a, const int *end", "does not count"),
    ] {
        let header = header(&format!("void f({parameters});"));
        assert!(header.diagnostics[0].message.contains(wanted), "{parameters}: {:?}", header.diagnostics);
        assert!(header.interface.functions[0].unsupported.is_some(), "{parameters}");
    }
}

#[test]
fn unnamed_parameters_get_names_and_equal_names_are_told() {
    let names =
        |text: &str| header(text).interface.functions[0].parameters.iter().map(|p| p.name.clone()).collect::<Vec<_>>();
    assert_eq!(names("void f(int, const char *, int c);"), ["arg0", "arg1", "c"]);
    assert_eq!(names("void f(int arg1, int);"), ["arg1", "arg1_"]);
    assert_eq!(names("void f(void);"), [] as [String; 0]);
    assert_eq!(names("void f(VOID);"), [] as [String; 0]);
    let twice = header("void f(int a, int a);");
    assert!(twice.diagnostics[0].message.contains("two parameters"));
    assert_eq!(twice.diagnostics[0].column, 19);
}

#[test]
fn equal_declarations_fold_and_others_are_told() {
    assert_eq!(header("int f(int a);\nint f(int);\nint f(int b);").interface.functions.len(), 1);
    assert_eq!(header("int f(int a);\nint f(int);").diagnostics, []);
    let different = header("int f(int a);\nint f(long a);");
    assert_eq!(different.interface.functions.len(), 1);
    assert!(different.diagnostics[0].message.contains("line 1"));
    assert_eq!(different.diagnostics[0].line, 2);
}

#[test]
fn a_prototype_may_lack_its_semicolon() {
    let options = Options::new(Target::Win32);
    for text in ["int __stdcall f(int a)", "int __stdcall f(int a);", " int __stdcall f ( int a ) ; // add"] {
        let interface = prototype(text, &options).expect("it is a prototype");
        assert_eq!(interface.functions[0].convention, Some(Convention::Stdcall));
    }
    for text in ["", "int", "int f(int a); int g(void)", "int f(int", "typedef int a", "f", "💥", "int f(int a) {"] {
        let diagnostics = prototype(text, &options).expect_err(text);
        assert!(!diagnostics.is_empty(), "{text}");
    }
}

#[test]
fn a_diagnostic_reads_like_a_compilers() {
    let header = header("\nvoid f(_Out_writes_(m) int *a);");
    assert_eq!(
        header.diagnostics[0].to_string(),
        "a.h:2:21: error: the length of the parameter “a” is not understood: “m” is neither a parameter of the \
         function nor a known constant\n  2 | void f(_Out_writes_(m) int *a);\n    |                     ^"
    );
}

#[test]
fn bytes_of_unknown_number_are_refused_with_the_remedy() {
    for declaration in ["void f(BYTE *a, int n);", "void f(const unsigned char *a);", "void f(OUT uint8_t *a);"] {
        let reason = only(declaration).unsupported.unwrap();
        assert!(reason.contains("_In_reads_bytes_(n)") && reason.contains("`@length n`"), "{reason}");
    }
    assert_eq!(only("void f(_Out_ BYTE *status);").unsupported, None);
    assert_eq!(only("void f(short *a, bool *b);").unsupported, None);
}

#[test]
fn a_pointer_before_a_count_is_an_array_of_so_many() {
    let header = header(
        "typedef struct { int x, y; } Point; int sum(const int *values, int count); void move(Point *points, unsigned nPoints); \
         int level(int *value, int mode);",
    );
    let extent = |name: &str| {
        let function = header.interface.functions.iter().find(|function| function.name == name).unwrap();
        let Type::Pointer(pointer) = &function.parameters[0].ty else { panic!("{name} takes a pointer") };
        pointer.extent.clone()
    };
    assert!(matches!(extent("sum"), Extent::Elements { .. }) && matches!(extent("move"), Extent::Elements { .. }));
    assert_eq!(extent("level"), Extent::One);
    let assumed =
        |function: &str| header.assumptions.iter().any(|one| one.function == function && one.text.contains("an array"));
    assert!(assumed("sum") && assumed("move") && !assumed("level"));
}

#[test]
fn a_number_that_may_be_one_of_bytes_is_no_count() {
    for declaration in [
        "int f(const int *values, unsigned size);",
        "int f(DWORD *ids, DWORD cb);",
        "int f(HMODULE *modules, DWORD cbModules);",
        "int f(double *values, size_t num_bytes);",
    ] {
        let reason = unsupported(declaration);
        assert!(reason.contains("how many bytes they have: write `_In_reads_("), "{declaration}: {reason}");
    }
    for stated in [
        "_In_reads_(size) const int *values, unsigned size",
        "_In_reads_bytes_(size) const int *values, unsigned size",
        "bool *flags, unsigned size",
        "const int *values, unsigned length",
    ] {
        assert!(matches!(first(stated).1, Extent::Elements { .. }), "{stated}");
    }
    assert_eq!(first("_In_ const int *value, unsigned size").1, Extent::One);
    assert_eq!(first("void **block, size_t size").1, Extent::One);
}

#[test]
fn structures_are_an_array_only_before_what_is_plainly_their_number() {
    let extents = |text: &str| -> Vec<Extent> {
        let functions = header(text).interface.functions;
        let extent = |function: &Function| match &function.parameters[0].ty {
            Type::Pointer(pointer) => pointer.extent.clone(),
            other => panic!("{other:?} is a pointer"),
        };
        functions.iter().map(extent).collect()
    };
    let array =
        |text: &str| matches!(extents(&format!("typedef struct {{ int x; }} S; {text}"))[0], Extent::Elements { .. });
    for text in ["int f(const S *s, int n);", "int f(S *items, unsigned nItems);", "int f(S *s, int cElements);"] {
        assert!(array(text), "{text}");
    }
    for text in [
        "int f(S *s, unsigned size);",
        "unsigned long f(S *stream, unsigned long sourceLen);",
        "int f(S *stream, int good_length, int max_lazy);",
        "int f(S *info, DWORD cbSize);",
        "int f(S *image, int num_passes); int g(S *image);",
    ] {
        assert!(!array(text), "{text}");
    }
    assert!(array("int f(S *points, int nPoints); double g(const S *a, const S *b);"), "it has their name");
}

#[test]
fn a_prototype_may_use_what_headers_declare() {
    let header = Source {
        name: "vendor.h",
        text:
            b"#define CALL __stdcall\ntypedef struct { int x, y; } point; enum color { RED = 3 }; enum size { BIG };\n\
                int area(int a, int b); extern int counter; struct broken { int x int y; };",
    };
    let options = Options::new(Target::Win32);
    let read = prototype_after(&[header], "int CALL area(const point *p, enum color c)", &options);
    let interface = read.expect("it is good");
    let names: Vec<_> = interface.functions.iter().map(|function| (&*function.name, &function.unsupported)).collect();
    assert_eq!(names, [("area", &None)], "the header's own is another one");
    assert_eq!(interface.functions[0].convention, Some(Convention::Stdcall));
    assert!(interface.structures.contains_key("point") && interface.variables.is_empty());
    assert_eq!((interface.constants["RED"], interface.constants["BIG"]), (3, 0));
    assert_eq!(interface.enumerations.keys().collect::<Vec<_>>(), ["color"], "those that it needs");

    let wrong = prototype_after(&[header], "int f(point p", &options).expect_err("it is not closed");
    assert!(wrong.iter().all(|told| told.file == "prototype"), "{wrong:?}");
    // What a header leaves open does not spoil what is good by itself.
    let open = Source { name: "open.h", text: b"struct s { int x;" };
    assert_eq!(prototype_after(&[open], "int f(int a)", &options).expect("it is good").functions.len(), 1);
}

#[test]
fn the_sizes_of_files_are_those_that_the_definitions_say() {
    let width = |ty: &str, target: Target, definitions: &[(&str, &str)]| {
        let mut options = Options::new(target);
        options.definitions =
            definitions.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let text = format!("void f({ty} a);");
        let function = read(&[Source { name: "a.h", text: text.as_bytes() }], &options).interface.functions.remove(0);
        match &function.parameters[0].ty {
            Type::Scalar(Scalar::Integer(integer)) => Some(integer.width.bytes(target)),
            _ => function.unsupported.map_or_else(|| panic!("{ty} is a number"), |_| None),
        }
    };
    let (files, times) = (("_FILE_OFFSET_BITS", "64"), ("_TIME_BITS", "64"));
    // As gcc -m32 measures them.
    for name in ["off_t", "ino_t", "blkcnt_t", "fsblkcnt_t", "fsfilcnt_t", "rlim_t"] {
        assert_eq!(width(name, Target::Linux32, &[]), Some(4), "{name}");
        assert_eq!(width(name, Target::Linux32, &[files]), Some(8), "{name}");
        assert_eq!(width(name, Target::Linux64, &[]), Some(8), "{name}");
    }
    assert_eq!(width("time_t", Target::Linux32, &[files]), Some(4));
    assert_eq!(width("time_t", Target::Linux32, &[files, times]), Some(8));
    assert_eq!(width("clock_t", Target::Linux32, &[files, times]), Some(4));
    assert_eq!(width("off_t", Target::Win32, &[]), Some(4));
    assert_eq!(width("off_t", Target::Win32, &[files]), None, "compilers of Windows disagree");
}
