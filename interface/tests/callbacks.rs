//! Functions that the library calls, and functions that take any number of arguments.

mod common;

use bridge32_protocol::interface::{Convention, Direction, Encoding, Expression, Extent, Scalar, Type, Unit, Width};
use common::{callback, first, handle, header, interface, only, pointer, unsupported};

#[test]
fn however_a_function_is_passed_it_is_a_callback() {
    for (before, parameter) in [
        ("", "int (*g)(int a, void *b)"),
        ("", "int g(int a, void *b)"),
        ("typedef int (*cb)(int a, void *b);", "cb g"),
        ("typedef int fn(int a, void *b);", "fn *g"),
        ("typedef int fn(int a, void *b);", "fn g"),
        ("typedef int fn(int a, void *b); typedef fn *cb;", "const cb g"),
    ] {
        let parameter = first(before, parameter);
        let signature = callback(&parameter.ty);
        let names: Vec<_> = signature.parameters.iter().map(|parameter| &*parameter.name).collect();
        assert_eq!((names, parameter.direction), (vec!["a", "b"], Direction::In), "{before}");
        assert!(parameter.optional, "a null pointer is no callback");
        assert_eq!(signature.convention, None);
    }
}

#[test]
fn the_convention_of_a_callback_is_its_own() {
    for (text, of_function, of_callback) in [
        ("typedef BOOL (CALLBACK *CB)(int); void f(CB cb);", None, Some(Convention::Stdcall)),
        ("typedef BOOL CALLBACK FN(int); void __cdecl f(FN *cb);", Some(Convention::Cdecl), Some(Convention::Stdcall)),
        ("void WINAPI f(int (*cb)(int));", Some(Convention::Stdcall), None),
        ("void f(int (__fastcall *cb)(int), int a);", None, Some(Convention::Fastcall)),
        ("void f(int (*cb)(int) __attribute__((stdcall)));", None, Some(Convention::Stdcall)),
        ("typedef int (*CB)(int) __attribute__((stdcall)); void f(CB cb);", None, Some(Convention::Stdcall)),
        ("void f(WNDENUMPROC cb);", None, Some(Convention::Stdcall)),
    ] {
        let function = only(text);
        assert_eq!(function.convention, of_function, "{text}");
        assert_eq!(callback(&function.parameters[0].ty).convention, of_callback, "{text}");
    }
}

#[test]
fn what_a_callback_is_given_goes_in() {
    let text = "struct point { int x; }; struct opaque; void f(int (*cb)(const int *a, int *b, const struct point *c, \
                struct point *d, char *e, const wchar_t *g, void *h, struct opaque *i, unsigned char *j, char **k, \
                struct point by_value, HANDLE l, int (*nested)(int), BSTR text, struct opaque **m));";
    let function = only(text);
    let signature = callback(&function.parameters[0].ty);
    assert!(signature.parameters.iter().all(|parameter| parameter.direction == Direction::In));
    let ty = |name: &str| &signature.parameters.iter().find(|parameter| parameter.name == name).expect(name).ty;
    for name in ["a", "b", "c", "d"] {
        assert_eq!(pointer(ty(name)).extent, Extent::One, "{name}");
    }
    assert_eq!(pointer(ty("g")).extent, Extent::Text(Encoding::Wide));
    for (name, kind) in [
        ("e", "char*"),
        ("h", "void"),
        ("i", "opaque"),
        ("j", "void"),
        ("k", "char*"),
        ("nested", "function"),
        ("m", "opaque*"),
    ] {
        assert_eq!(handle(ty(name)), (kind, false), "{name}");
    }
    assert_eq!(ty("by_value"), &Type::Structure("point".to_owned()));
    assert_eq!((handle(ty("l")), &pointer(ty("text")).extent), (("HANDLE", true), &Extent::Bstr));
    let assumptions = header(text).assumptions;
    let assumed: Vec<_> = assumptions.iter().filter(|assumed| assumed.text.contains("how much")).collect();
    assert_eq!(assumed.len(), 3, "j, k and m: {assumed:?}");
}

#[test]
fn annotations_and_comments_speak_inside_of_callbacks() {
    let text = "/** @param data the bytes @length size @param list @length n */\n\
                typedef int (*cb)(const unsigned char *data, int size, int n, char **list, \
                _In_reads_bytes_(size) const void *more, _Out_ int *answer, int *rest /**< @length n */);\nvoid f(cb cb);";
    let function = only(text);
    let parameters = &callback(&function.parameters[0].ty).parameters;
    let capacity = |index: usize| match &pointer(&parameters[index].ty).extent {
        Extent::Elements { capacity, .. } => (capacity.count.clone(), capacity.unit),
        other => panic!("{other:?}"),
    };
    assert_eq!(parameters[0].description, "the bytes");
    assert_eq!(capacity(0), (Expression::Parameter(1), Unit::Elements));
    assert_eq!(capacity(3), (Expression::Parameter(2), Unit::Elements));
    assert_eq!(pointer(&pointer(&parameters[3].ty).to).extent, Extent::Text(Encoding::Utf8));
    assert_eq!(capacity(4), (Expression::Parameter(1), Unit::Bytes));
    assert_eq!((parameters[5].direction, &pointer(&parameters[5].ty).extent), (Direction::Out, &Extent::One));
    assert_eq!(capacity(6), (Expression::Parameter(2), Unit::Elements));
}

#[test]
fn a_length_inside_of_a_callback_is_not_the_functions() {
    let function = only("void f(void (*cb)(_In_reads_(n) const int *a, int n), _Out_ int *n);");
    assert_eq!(pointer(&function.parameters[1].ty).extent, Extent::One);
    assert_eq!(callback(&function.parameters[0].ty).parameters.len(), 2);
}

#[test]
fn characters_that_may_be_a_buffer_are_no_string() {
    for (ty, kind) in [("char *", "char*"), ("wchar_t *", "wchar_t*"), ("WCHAR *", "WCHAR*"), ("PCHAR ", "char*")] {
        for text in [
            format!("void f(size_t (*cb)({ty}ptr, size_t size, size_t n, void *context));"),
            format!("/** @encoding gbk */ void f(size_t (*cb)({ty}ptr, size_t size));"),
            format!("typedef struct {{ size_t (*cb)({ty}ptr, size_t size); }} s; void f(const s *s);"),
        ] {
            let header = header(&text);
            assert_eq!(header.diagnostics, [], "{text}");
            let function = &header.interface.functions[0];
            let signature = match header.interface.structures.get("s") {
                Some(structure) => callback(&structure.fields[0].ty),
                None => callback(&function.parameters[0].ty),
            };
            assert_eq!(handle(&signature.parameters[0].ty), (kind, false), "{text}");
        }
        let header = header(&format!("void f(int (*cb)({ty}ptr, int n));"));
        let said = |wanted: &str| header.assumptions.iter().any(|assumed| assumed.text.contains(wanted));
        assert!(said("“ptr”: a handle") && !said("string, because"), "{:?}", header.assumptions);
    }
}

#[test]
fn characters_that_are_said_to_be_a_string_are_one() {
    for (parameter, wanted) in [
        ("const char *text", Encoding::Utf8),
        ("_In_z_ char *text", Encoding::Utf8),
        ("_In_ char *text", Encoding::Utf8),
        ("LPSTR text", Encoding::Utf8),
        ("const PSTR text", Encoding::Utf8),
        ("LPWSTR text", Encoding::Utf16),
        ("char *text /**< it @encoding gbk */", Encoding::CodePage("gbk".to_owned())),
    ] {
        let parameter = first("", &format!("void (*cb)({parameter})"));
        assert_eq!(pointer(&callback(&parameter.ty).parameters[0].ty).extent, Extent::Text(wanted), "{parameter:?}");
    }
    for (parameter, why) in [("const char *text", "const characters"), ("LPWSTR text", "the name of its type")] {
        let header = header(&format!("void f(void (*cb)({parameter}));"));
        let said = header.assumptions.iter().any(|assumed| assumed.text.contains(why));
        assert!(said, "{parameter}: {:?}", header.assumptions);
    }
    let counted = first("", "void (*cb)(_In_reads_(n) char *text, int n)");
    assert!(matches!(pointer(&callback(&counted.ty).parameters[0].ty).extent, Extent::TextBuffer { .. }));
}

#[test]
fn the_comment_of_a_function_is_not_its_callbacks() {
    let text = "/** @param a of f @length n @frees put @encoding gbk */\n\
                char *f(void (*cb)(int *a, int m, char *text), int *a, int n);";
    let function = only(text);
    assert_eq!(callback(&function.parameters[0].ty).parameters[0].description, "");
    assert_eq!(pointer(&callback(&function.parameters[0].ty).parameters[0].ty).extent, Extent::One);
    assert_eq!(pointer(&function.result).freed_by.as_deref(), Some("put"));
}

#[test]
fn callbacks_answer_numbers_and_handles() {
    let result = |ty: &str| callback(&first("struct opaque;", &format!("{ty} (*cb)(void)")).ty).result.clone();
    assert_eq!(result("void"), Type::Void);
    assert_eq!(result("BOOL"), Type::Scalar(Scalar::Boolean(Width::W32)));
    assert_eq!(handle(&result("void *")), ("void", false));
    assert_eq!(handle(&result("struct opaque *")), ("opaque", false));
    assert_eq!(handle(&result("HANDLE")), ("HANDLE", true));
    for refused in ["char *", "RECT"] {
        assert!(unsupported(&format!("void f({refused} (*cb)(void));")).contains("number or a handle"), "{refused}");
    }
}

#[test]
fn callbacks_that_cannot_be_are_refused_with_the_reason() {
    for (parameters, wanted) in [
        ("void (*cb)(int, ...)", "variable number"),
        ("void (__vectorcall *cb)(int)", "__vectorcall"),
        ("void (*cb)(long double)", "long double"),
        ("void (*cb)(acme_t)", "acme_t"),
        ("void (*cb)(int a, int a)", "two of its parameters"),
        ("void (*cb)(va_list)", "va_list"),
    ] {
        let reason = unsupported(&format!("void f({parameters});"));
        assert!(reason.contains(wanted) && reason.contains("“cb”"), "{parameters}: {reason}");
    }
}

#[test]
fn callbacks_of_windows_are_known() {
    for (name, parameters) in [
        ("WNDENUMPROC", 2),
        ("LOCALE_ENUMPROCW", 1),
        ("LOCALE_ENUMPROCA", 1),
        ("TIMERPROC", 4),
        ("LPTHREAD_START_ROUTINE", 1),
        ("HOOKPROC", 3),
        ("MONITORENUMPROC", 4),
        ("ENUMRESNAMEPROCW", 4),
        ("PHANDLER_ROUTINE", 1),
        ("LPPROGRESS_ROUTINE", 9),
        ("ENUMRESNAMEPROC", 4),
    ] {
        let parameter = first("", &format!("{name} cb"));
        let signature = callback(&parameter.ty);
        assert_eq!(signature.convention, Some(Convention::Stdcall), "{name}");
        assert_eq!(signature.parameters.len(), parameters, "{name}");
    }
    let locale = first("", "LOCALE_ENUMPROCW cb");
    let text = &callback(&locale.ty).parameters[0];
    assert_eq!((&*text.name, &pointer(&text.ty).extent), ("lpLocaleString", &Extent::Text(Encoding::Utf16)));
    let own = first("typedef void (*TIMERPROC)(int);", "TIMERPROC cb");
    assert_eq!(callback(&own.ty).parameters.len(), 1, "the header has the last word");
}

#[test]
fn functions_declared_by_a_typedef_are_functions() {
    let interface = interface("typedef int (WINAPI fn)(int a, const char *b);\nfn first, second;");
    let names: Vec<_> = interface.functions.iter().map(|function| &*function.name).collect();
    assert_eq!(names, ["first", "second"]);
    assert_eq!(interface.functions[1].convention, Some(Convention::Stdcall));
    assert_eq!(interface.functions[1].parameters[1].name, "b");
}

#[test]
fn functions_that_return_functions_give_a_handle() {
    assert_eq!(handle(&only("void (*f(int a))(int);").result), ("function", false));
    assert_eq!(handle(&only("FARPROC WINAPI f(HMODULE module, LPCSTR name);").result), ("function", false));
    assert_eq!(handle(&pointer(&first("", "void (**out)(int)").ty).to), ("function", false));
}

#[test]
fn more_arguments_may_follow() {
    let function = only("int printf(const char *format, ...);");
    assert!(function.variadic && function.parameters.len() == 1);
    assert!(unsupported("int vprintf(const char *format, va_list list);").contains("va_list"));
}

#[test]
fn unknown_conventions_in_callbacks_are_seen_through() {
    let header =
        header("typedef int (VENDOR_CALL *cb)(int a);\nvoid f(cb cb);\nvoid g(void (VENDOR_CALL *)(acme_t *));");
    assert_eq!(header.interface.functions.len(), 2);
    assert_eq!(callback(&header.interface.functions[0].parameters[0].ty).parameters.len(), 1);
    assert!(header.diagnostics[0].message.contains("VENDOR_CALL"), "{:?}", header.diagnostics);
}

#[test]
fn hostile_callbacks_end_soon() {
    let typedefs = |line: &dyn Fn(usize) -> String| (1..3000).map(line).collect::<Vec<_>>().concat();
    let texts = [
        format!("void f({}int{});", "void (*a)(".repeat(45), ")".repeat(45)),
        format!("void f({}int{});", "void (*a)(".repeat(5000), ")".repeat(5000)),
        format!("typedef int T0; {}", typedefs(&|n| format!("typedef void (*T{n})(T{0}, T{0}, T{0});", n - 1))),
        format!("typedef int T0; {}", typedefs(&|n| format!("typedef T{} (*T{n})(void);", n - 1))),
        format!("int {}f{};", "(*".repeat(40), ")(int)".repeat(40)),
        "typedef void (*cb)(int, int); void f(cb a);".repeat(3000),
        format!("struct s {{ {} }}; void f(struct s *p);", "void (*a)(struct s *, struct s);".repeat(3000)),
    ];
    for text in texts {
        let start = std::time::Instant::now();
        header(&text);
        let took = start.elapsed();
        assert!(took < std::time::Duration::from_secs(10), "{took:?} for {}", &text[..60.min(text.len())]);
    }
}
