//! Structures, unions, and what says where their members lie.

mod common;

use bridge32_protocol::interface::{
    Encoding, Expression, Extent, Integer, Scalar, StructureKind, Type, Unit, Variable, Width,
};
use bridge32_protocol::target::Target;
use common::{callback, first, handle, header, header_for, interface, only, pointer, structure, unsupported};

fn int() -> Type {
    Type::Scalar(Scalar::Integer(Integer { width: Width::W32, signed: true }))
}

/// Number of elements, type of the elements, encoding of the text.
fn array(ty: &Type) -> (u32, &Type, Option<&Encoding>) {
    let Type::Array(array) = ty else { panic!("{ty:?} is an array") };
    (array.count, &array.of, array.text.as_ref())
}

#[test]
fn a_structure_is_known_by_its_typedef_or_its_tag() {
    for (text, name) in [
        ("struct point { int x, y; }; void f(struct point p);", "point"),
        ("typedef struct { int x, y; } point; void f(point p);", "point"),
        ("typedef struct tagPOINT_ { int x, y; } point, *ppoint; void f(ppoint p);", "point"),
        ("struct tag { int x, y; }; void f(const struct tag *p); typedef struct tag point;", "point"),
        ("typedef struct { int x, y; } *ppoint; void f(ppoint p);", "ppoint"),
        ("void f(struct point *p); struct point { int x, y; };", "point"),
        ("struct a { struct { int x, y; } point; }; void f(struct a *p);", "a.point"),
        ("struct a { union { struct { int x, y; }; int z; }; }; void f(struct a *p);", "a.0.0"),
    ] {
        let found = structure(text, name);
        assert_eq!(found.kind, StructureKind::Struct);
        let fields: Vec<_> = found.fields.iter().map(|field| (&*field.name, &field.ty)).collect();
        assert_eq!(fields, [("x", &int()), ("y", &int())], "{text}");
    }
}

#[test]
fn names_never_mean_two_structures() {
    let text = "struct a { int x; }; typedef struct b { char y; } a; void f(struct a *p, a *q);";
    let interface = interface(text);
    let names: Vec<_> = interface.functions[0].parameters.iter().map(|p| pointer(&p.ty).to.clone()).collect();
    assert_ne!(names[0], names[1]);
    assert_eq!(interface.structures.len(), 2);
}

#[test]
fn only_what_functions_need_is_listed() {
    let text = "struct a { int x; }; struct b { struct a *a; const struct c *c; }; struct c { int z; }; \
                struct unused { int x; }; void f(struct b *b);";
    let names: Vec<_> = interface(text).structures.into_keys().collect();
    assert_eq!(names, ["b", "c"], "a is only handled");
}

#[test]
fn members_nest_and_unions_lie_over_each_other() {
    let text = "typedef struct { union { int i; float f; }; struct { char c; } in; struct { int k; } many[2][3]; } s; \
                void f(s *p);";
    let interface = interface(text);
    let s = &interface.structures["s"];
    let names: Vec<_> = s.fields.iter().map(|field| &*field.name).collect();
    assert_eq!(names, ["", "in", "many"]);
    assert_eq!(s.fields[0].ty, Type::Structure("s.0".to_owned()));
    assert_eq!(interface.structures["s.0"].kind, StructureKind::Union);
    let (count, row, _) = array(&s.fields[2].ty);
    assert_eq!((count, array(row).0, array(row).1), (2, 3, &Type::Structure("s.many".to_owned())));
}

#[test]
fn arrays_of_plain_characters_are_text() {
    let text = "#define SIZE 16\n/** @encoding gbk */\nstruct s { char a[SIZE]; unsigned char b[4]; signed char c[4]; \
                BYTE d[4]; wchar_t e[4]; WCHAR f[4]; char g[2][8]; TCHAR h[4]; };\nvoid f(struct s *p);";
    let s = structure(text, "s");
    let text = |index: usize| array(&s.fields[index].ty).2;
    let gbk = Encoding::CodePage("gbk".to_owned());
    assert_eq!((array(&s.fields[0].ty).0, text(0)), (16, Some(&gbk)));
    assert_eq!([text(1), text(2), text(3)], [None; 3]);
    assert_eq!([text(4), text(5), text(7)], [Some(&Encoding::Wide), Some(&Encoding::Utf16), Some(&gbk)]);
    let (count, row, none) = array(&s.fields[6].ty);
    assert_eq!((count, none, array(row).0, array(row).2), (2, None, 8, Some(&gbk)));
}

#[test]
fn bit_fields_have_widths_and_need_no_names() {
    let text = "enum e { A }; struct s { unsigned a : 3, b : 5; int : 0; DWORD : 4; unsigned int c : 1; BOOL d : 1; \
                enum e k : 2; const unsigned : 2; unsigned DWORD : 3; int p, : 2, q : 2; };\nvoid f(struct s *p);";
    let s = structure(text, "s");
    let fields: Vec<_> = s.fields.iter().map(|field| (&*field.name, field.bits)).collect();
    assert_eq!(
        fields,
        [
            ("a", Some(3)),
            ("b", Some(5)),
            ("", Some(0)),
            ("", Some(4)),
            ("c", Some(1)),
            ("d", Some(1)),
            ("k", Some(2)),
            ("", Some(2)),
            ("DWORD", Some(3)),
            ("p", None),
            ("", Some(2)),
            ("q", Some(2)),
        ]
    );
}

#[test]
fn pragma_pack_holds_from_its_place_on() {
    let text = "#define PACK 2\nstruct a { char c; int i; };\n#pragma pack(push, 1)\nstruct b { char c; struct { int i; } n; };\n\
                #pragma pack(PACK)\nstruct c { char c; };\n#pragma pack(pop)\n__pragma(pack(4)) struct d { char c; };\n\
                _Pragma(\"pack()\") struct e { char c; };\nvoid f(struct a *, struct b *, struct c *, struct d *, struct e *);";
    let structures = interface(text).structures;
    let packs: Vec<_> = structures.iter().map(|(name, found)| (&**name, found.pack)).collect();
    assert_eq!(packs, [("a", None), ("b", Some(1)), ("b.n", Some(1)), ("c", Some(2)), ("d", Some(4)), ("e", None)]);
}

#[test]
fn a_pack_that_is_never_popped_is_told_and_holds() {
    let header =
        header("#pragma pack(push, 1)\nstruct s { char c; int i; };\nvoid f(struct s *p);\n#pragma pack(pop, x)");
    assert_eq!(header.interface.structures["s"].pack, Some(1));
    let told: Vec<_> = header.diagnostics.iter().map(|told| told.line).collect();
    assert_eq!(told, [1, 4], "{:?}", header.diagnostics);
}

#[test]
fn attributes_say_how_structures_and_members_are_aligned() {
    let text = "struct __attribute__((packed)) a { char c; int i; };\nstruct b { char c; } __attribute__((__packed__, aligned(4)));\n\
                typedef __declspec(align(8)) struct c { char x; int y; } c;\nstruct d { char a; _Alignas(8) char b; \
                char e __attribute__((aligned(2 * 2))), g; __declspec(align(16)) int h; } ;\n\
                struct __declspec(align(32)) e { char c; };\nstruct __attribute__((aligned)) g { char c; };\n\
                void f(struct a *, struct b *, c *, struct d *, struct e *, struct g *);";
    let structures = interface(text).structures;
    let of = |name: &str| (structures[name].packed, structures[name].align);
    assert_eq!([of("a"), of("b"), of("c")], [(true, None), (true, Some(4)), (false, Some(8))]);
    assert_eq!([of("d"), of("e"), of("g")], [(false, None), (false, Some(32)), (false, Some(16))]);
    let aligns: Vec<_> = structures["d"].fields.iter().map(|field| (&*field.name, field.align)).collect();
    assert_eq!(aligns, [("a", None), ("b", Some(8)), ("e", Some(4)), ("g", None), ("h", Some(16))]);
    assert!(structures["c"].fields.iter().all(|field| field.align.is_none()));
}

#[test]
fn attributes_behind_the_name_of_a_typedef_are_told() {
    let header = header("typedef struct { char c; int i; } s __attribute__((packed));\nvoid f(s *p);");
    assert!(!header.interface.structures["s"].packed, "compilers ignore it, too");
    assert!(header.diagnostics[0].message.contains("behind its }"), "{:?}", header.diagnostics);
}

#[test]
fn members_have_descriptions_and_lengths() {
    let text = "/** A list.\n * More. */\ntypedef struct {\n  /** How many. */\n  int n; int m; ///< unused\n  \
                int *values; ///< the values @length n\n  /** Names. @encoding gbk */ char *name;\n  \
                _Field_size_bytes_(m * 2) BYTE *data;\n  _Field_size_(n) const struct p *points;\n  \
                _Field_z_ const char *text;\n int *counted; ///< @length *n2\n int *n2;\n} list;\nstruct p { int x; };\n\
                void f(const list *p);";
    let list = structure(text, "list");
    assert_eq!(list.description, "A list. More.");
    let described: Vec<_> = list.fields[..4].iter().map(|field| &*field.description).collect();
    assert_eq!(described, ["How many.", "unused", "the values", "Names."]);
    let capacity = |index: usize| match &pointer(&list.fields[index].ty).extent {
        Extent::Elements { capacity, .. } => (capacity.count.clone(), capacity.unit),
        other => panic!("{other:?}"),
    };
    assert_eq!(capacity(2), (Expression::Parameter(0), Unit::Elements));
    assert_eq!(pointer(&list.fields[3].ty).extent, Extent::Text(Encoding::CodePage("gbk".to_owned())));
    assert_eq!(capacity(4).1, Unit::Bytes);
    assert_eq!(capacity(5), (Expression::Parameter(0), Unit::Elements));
    assert_eq!(pointer(&list.fields[5].ty).to, Type::Structure("p".to_owned()));
    assert_eq!(pointer(&list.fields[6].ty).extent, Extent::Text(Encoding::Utf8));
    assert_eq!(capacity(7).0, Expression::Pointee(8));
}

#[test]
fn a_length_in_a_structure_speaks_of_its_members() {
    let header = header("struct s { int n; int *a; ///< @length count\n};\nvoid f(struct s *p, int count);");
    assert!(header.diagnostics[0].message.contains("neither a member of the structure"), "{:?}", header.diagnostics);
    assert_eq!(handle(&header.interface.structures["s"].fields[1].ty), ("void", false));
}

#[test]
fn pointers_in_structures_are_text_handles_or_one_constant() {
    let text = "struct other { int x; }; struct opaque; struct node { struct node *next; const struct node *first; \
                const struct other *one; struct other *many; struct opaque *hidden; char *name; const wchar_t *wide; \
                unsigned char *bytes; int *numbers; const int *number; void *data; HANDLE file; BSTR text; char **list; \
                int (*compare)(const void *, const void *); void (*log)(const char *, ...); };\nvoid f(struct node *p);";
    let node = structure(text, "node");
    let field = |name: &str| &node.fields.iter().find(|field| field.name == name).expect(name).ty;
    for (name, kind) in [
        ("next", "node"),
        ("many", "other"),
        ("hidden", "opaque"),
        ("bytes", "void"),
        ("numbers", "void"),
        ("data", "void"),
        ("list", "char*"),
        ("log", "function"),
    ] {
        assert_eq!(handle(field(name)), (kind, false), "{name}");
    }
    assert_eq!(handle(field("file")), ("HANDLE", true));
    for name in ["first", "one", "number"] {
        assert_eq!(pointer(field(name)).extent, Extent::One, "{name}");
    }
    assert_eq!(pointer(field("name")).extent, Extent::Text(Encoding::Utf8));
    assert_eq!(pointer(field("wide")).extent, Extent::Text(Encoding::Wide));
    assert_eq!(pointer(field("text")).extent, Extent::Bstr);
    assert_eq!(callback(field("compare")).parameters.len(), 2);
}

#[test]
fn what_has_no_layout_is_refused_with_the_reason() {
    for (members, wanted) in [
        ("long double a;", "long double"),
        ("acme_t a;", "acme_t"),
        ("struct s a;", "contains itself"),
        ("struct t a;", "no members"),
        ("int n; char text[];", "no fixed size"),
        ("int n; char text[0];", "no fixed size"),
        ("int a[]; int n;", "has no size"),
        ("int a[N];", "the size of its array “a”"),
        ("int a[-1];", "-1 is no size"),
        ("int a : 33;", "33 bits"),
        ("int a : 0;", "0 bits"),
        ("float a : 3;", "no integer"),
        ("int a; int a;", "two of its members"),
        ("char a; int b __attribute__((packed));", "alone is packed"),
        ("_Alignas(3) char a;", "no power of two"),
        ("va_list a;", "va_list"),
        ("", "no members"),
    ] {
        let text = format!("void f(struct s *p); struct s {{ {members} }};");
        let reason = unsupported(&text);
        assert!(reason.contains(wanted) && reason.contains("@handle p"), "{members}: {reason}");
        let by_bytes = format!("void f(_Inout_updates_bytes_(8) struct s *p); struct s {{ {members} }};");
        assert_eq!(header(&by_bytes).interface.functions[0].unsupported, None, "its bytes can be passed");
    }
}

#[test]
fn a_flexible_structure_comes_back_as_a_handle() {
    let function = only("struct s { int n; int a[]; }; const struct s *f(struct s **list);");
    assert_eq!(handle(&function.result), ("s", false));
    assert_eq!(handle(&pointer(&function.parameters[0].ty).to), ("s", false));
}

#[test]
fn tagged_members_without_names_are_members_on_windows_only() {
    let text = "struct s { struct in { int x; }; int y; }; void f(struct s *p);";
    for (target, members) in [(Target::Win32, 2), (Target::Linux32, 1)] {
        assert_eq!(header_for(text, target).interface.structures["s"].fields.len(), members, "{target}");
    }
}

#[test]
fn macros_that_nobody_defines_are_ignored_in_structures_too() {
    let header = header(
        "typedef struct { ACME_CONST char *name; int ACME_FAR *n; struct { ACME_X unsigned a : 2; unsigned : 3; } in; \
         enum { ONE, TWO = 2 } kind;; acme_t *other; unsigned ACME; } s;\nvoid f(s *p);",
    );
    let names: Vec<_> = header.interface.structures["s"].fields.iter().map(|field| &*field.name).collect();
    assert_eq!(names, ["name", "n", "in", "kind", "other", "ACME"]);
    assert_eq!(header.interface.structures["s.in"].fields.len(), 2);
    assert_eq!(header.diagnostics.len(), 3, "{:?}", header.diagnostics);
}

#[test]
fn equal_definitions_fold_and_others_are_told() {
    assert_eq!(header("struct s { int a; }; struct s { int a; }; void f(struct s *p);").diagnostics, []);
    let different = header("struct s { int a; };\nstruct s { char a; };\nvoid f(struct s *p);");
    assert_eq!(different.diagnostics.len(), 1);
    assert_eq!(different.interface.structures["s"].fields[0].ty, int());
}

#[test]
fn structures_of_windows_are_known_and_a_header_has_the_last_word() {
    for name in ["SYSTEMTIME", "OSVERSIONINFOEXW", "WIN32_FIND_DATAA", "OVERLAPPED", "DCB", "LARGE_INTEGER", "GUID"] {
        let interface = interface(&format!("void f(LP{name} p);").replace("LPLARGE", "PLARGE"));
        assert!(interface.structures.contains_key(name), "{name}");
        assert_eq!(interface.functions[0].unsupported, None);
    }
    let time = structure("void f(LPSYSTEMTIME p);", "SYSTEMTIME");
    assert_eq!((time.fields.len(), &*time.fields[0].name), (8, "wYear"));
    for text in [
        "typedef struct _SYSTEMTIME { int mine; } SYSTEMTIME; void f(SYSTEMTIME *p);",
        "typedef struct { int mine; } SYSTEMTIME, *LPSYSTEMTIME; void f(LPSYSTEMTIME p);",
        "typedef struct _SYSTEMTIME { int mine; } SYSTEMTIME; void f(LPSYSTEMTIME p);",
    ] {
        assert_eq!(&*structure(text, "SYSTEMTIME").fields[0].name, "mine", "{text}");
    }
    assert_eq!(interface("int f(int SYSTEMTIME, int POINT);").structures.len(), 0);
    let wide = interface("#define UNICODE\nvoid f(LPWIN32_FIND_DATA p);");
    assert!(wide.structures.contains_key("WIN32_FIND_DATAW"));
    assert_eq!(handle(&first("", "LPCRITICAL_SECTION p").ty), ("CRITICAL_SECTION", false));
}

#[test]
fn exported_data_is_listed_with_its_type() {
    let text = "/** How many. */\nextern int counter;\nextern const char *const names[2]; ///< the names\n\
                struct point { int x; };\nextern const struct point origin;\n__declspec(dllimport) double ratio;\n\
                extern const char version[];\nextern const char build[12];\nint tentative;\nstatic int hidden;\n\
                extern int (*hook)(int);\nACME_API extern long flag;\nextern int counter;\ntypedef int t;\n\
                extern acme_t strange;\nextern int a, *b;\nextern struct { int x; } pose;\n";
    let interface = header(text).interface;
    let names: Vec<_> = interface.variables.iter().map(|variable| &*variable.name).collect();
    assert_eq!(
        names,
        ["counter", "names", "origin", "ratio", "version", "build", "hook", "flag", "strange", "a", "b", "pose"]
    );
    let of = |name: &str| -> &Variable {
        interface.variables.iter().find(|variable| variable.name == name).expect("it is there")
    };
    assert_eq!((&*of("counter").description, of("counter").line, of("counter").constant), ("How many.", 2, false));
    assert_eq!(&*of("names").description, "the names");
    assert!(of("names").constant && of("origin").constant && of("build").constant);
    assert_eq!(of("origin").ty, Type::Structure("point".to_owned()));
    assert!(interface.structures.contains_key("point"));
    assert_eq!(array(&of("build").ty).2, Some(&Encoding::Utf8));
    assert!(of("version").unsupported.as_ref().is_some_and(|reason| reason.contains("between []")));
    assert!(of("strange").unsupported.as_ref().is_some_and(|reason| reason.contains("acme_t")));
    assert_eq!(handle(&of("hook").ty), ("function", false));
    assert_eq!(of("pose").ty, Type::Structure("pose".to_owned()));
    assert_eq!(of("flag").declaration, "extern long flag");
}

#[test]
fn structures_before_a_prototype_are_its_own() {
    let options = bridge32_interface::Options::new(Target::Win32);
    let text = "typedef struct { int x, y; } P; int __stdcall f(P p, const P *q)";
    let interface = bridge32_interface::prototype(text, &options).expect("it is a prototype");
    assert_eq!(interface.structures.len(), 1);
    assert_eq!(interface.functions[0].parameters[0].ty, Type::Structure("P".to_owned()));
}

#[test]
fn hostile_structures_end_soon() {
    let many = (0..10_000).map(|n| format!("int f{n}; ///< x\n")).collect::<Vec<_>>().concat();
    let chain = (1..5000).map(|n| format!("struct s{n} {{ struct s{} a, b; }};\n", n - 1)).collect::<Vec<_>>().concat();
    let backwards =
        (0..5000).map(|n| format!("struct s{n} {{ struct s{} a; }};\n", n + 1)).collect::<Vec<_>>().concat();
    let texts = [
        format!("struct s {{ {many} }}; void f(struct s *p);"),
        format!("struct s0 {{ int x; }};\n{chain} void f(struct s4999 *p);"),
        format!("{backwards} void f(struct s0 *p);"),
        format!("{}int x;{} void f(int a);", "struct { ".repeat(90), " };".repeat(90)),
        format!("{}int x;{} void f(int a);", "struct { ".repeat(5000), " };".repeat(5000)),
        "struct a { struct b b; }; struct b { struct a a; }; void f(struct a *p);".to_owned(),
        format!("struct s {{ int x{}; }}; void f(struct s *p);", "[99999]".repeat(60)),
        format!("struct s {{ {} }}; void f(struct s *p);", "int : 3; ".repeat(9000)),
        format!("{}struct s {{ int x; }}; void f(struct s *p);", "#pragma pack(push, 1)\n".repeat(20_000)),
        format!("{}struct s {{ int x; }}; void f(struct s *p);", "#pragma pack(pop)\n".repeat(20_000)),
        format!("struct s {{ {} }}; void f(struct s *p);", "_Field_size_(n) int *p; ".repeat(5000)),
        format!("struct s {{ {} }}; void f(struct s *p);", "int (CALLBACK *p)(int);".repeat(3000)),
        "#pragma pack(".to_owned(),
        "struct s { int x".to_owned(),
    ];
    for text in texts {
        let start = std::time::Instant::now();
        let header = header(&text);
        let took = start.elapsed();
        assert!(took < std::time::Duration::from_secs(10), "{took:?} for {}", &text[..60.min(text.len())]);
        for structure in header.interface.structures.values() {
            assert!(serde_depth(structure) < 100);
        }
    }
}

/// How deeply a structure's members are nested in JSON.
fn serde_depth(structure: &bridge32_protocol::interface::Structure) -> usize {
    fn of(ty: &Type) -> usize {
        match ty {
            Type::Array(array) => 2 + of(&array.of),
            Type::Pointer(pointer) => 2 + of(&pointer.to),
            _ => 3,
        }
    }
    structure.fields.iter().map(|field| of(&field.ty)).max().unwrap_or_default()
}
