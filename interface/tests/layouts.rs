//! What attributes and enumerations say of sizes and layouts: taken over where the interface has words for it, and refused
//! everywhere else.

mod common;

use bridge32_protocol::interface::{Integer, Scalar, Type, Width};
use bridge32_protocol::target::Target;
use common::{header, header_for, interface, only, pointer, structure, unsupported};

fn integer(width: Width, signed: bool) -> Type {
    Type::Scalar(Scalar::Integer(Integer { width, signed }))
}

/// What the parameter of the only function is on a target.
fn on(target: Target, text: &str) -> (Type, Option<String>) {
    let header = header_for(text, target);
    assert_eq!(header.diagnostics, [], "{text}");
    let mut functions = header.interface.functions;
    (functions[0].parameters.remove(0).ty, functions.remove(0).unsupported)
}

#[test]
fn enumerations_of_another_type_are_integers_with_names() {
    for (ty, wanted) in [
        ("uint8_t", integer(Width::W8, false)),
        ("unsigned char", integer(Width::W8, false)),
        ("BYTE", integer(Width::W8, false)),
        ("const short", integer(Width::W16, true)),
        ("unsigned long long", integer(Width::W64, false)),
        ("int", Type::Scalar(Scalar::Enumeration("e".into()))),
        ("unsigned", Type::Scalar(Scalar::Enumeration("e".into()))),
    ] {
        for text in [
            format!("enum e : {ty} {{ A, B = 7 }};\nvoid f(enum e a);"),
            format!("typedef enum : {ty} {{ A, B = 7 }} e;\nvoid f(e a);"),
            format!("typedef enum tag : {ty} {{ A, B = 7 }} e;\nvoid f(enum tag a);"),
            format!("enum e : {ty} {{ A, B = 7 }};\nenum e : {ty};\nvoid f(enum e a);"),
        ] {
            let interface = interface(&text);
            assert_eq!(interface.functions[0].parameters[0].ty, wanted, "{text}");
            assert_eq!(interface.constants["B"], 7, "{text}");
        }
    }
    let forward = only("enum e : uint16_t;\nvoid f(enum e *a);");
    assert_eq!(pointer(&forward.parameters[0].ty).to, integer(Width::W16, false));
    let sized = structure("enum e : uint8_t { A };\nstruct s { enum e a; enum e b : 3; };\nvoid f(struct s *p);", "s");
    assert_eq!((&sized.fields[0].ty, sized.fields[1].bits), (&integer(Width::W8, false), Some(3)));
    let of = structure("enum e : uint8_t { A };\nstruct s { char a[sizeof(enum e)]; };\nvoid f(struct s *p);", "s");
    assert!(matches!(&of.fields[0].ty, Type::Array(array) if array.count == 1));
}

#[test]
fn enumerations_of_a_type_that_nobody_declared_are_refused() {
    let reason = unsupported("enum e : acme_t { A };\nvoid f(enum e a);");
    assert!(reason.contains("acme_t, which is not declared here"), "{reason}");
}

#[test]
fn packed_enumerations_are_as_small_as_their_values() {
    for (values, wanted) in [
        ("A, B = 255", integer(Width::W8, false)),
        ("A = -1, B = 127", integer(Width::W8, true)),
        ("A = -1, B = 200", integer(Width::W16, true)),
        ("A = 0x100", integer(Width::W16, false)),
        ("A = 0x10000", Type::Scalar(Scalar::Enumeration("e".into()))),
    ] {
        for text in [
            format!("enum __attribute__((packed)) e {{ {values} }};\nvoid f(enum e a);"),
            format!("enum e {{ {values} }} __attribute__((__packed__));\nvoid f(enum e a);"),
            format!("enum [[gnu::packed]] e {{ {values} }};\nvoid f(enum e a);"),
            format!("typedef enum {{ {values} }} __attribute__((packed)) e;\nvoid f(e a);"),
        ] {
            assert_eq!(only(&text).parameters[0].ty, wanted, "{text}");
        }
    }
    for text in ["typedef enum { A } e __attribute__((packed));", "typedef __attribute__((packed)) enum { A } e;"] {
        let header = header(&format!("{text}\nvoid f(e a);"));
        assert!(header.diagnostics[0].message.contains("was ignored"), "{:?}", header.diagnostics);
        let ty = &header.interface.functions[0].parameters[0].ty;
        assert_eq!(*ty, Type::Scalar(Scalar::Enumeration("e".into())), "compilers ignore it, too");
    }
}

#[test]
fn enumerators_beyond_32_bits_make_a_larger_type_where_compilers_agree() {
    for (values, wanted) in [
        ("A = 0x100000000", integer(Width::W64, false)),
        ("A = -1, B = 0xFFFFFFFF", integer(Width::W64, true)),
        ("A = 0xFFFFFFFF", Type::Scalar(Scalar::Enumeration("e".into()))),
        ("A = -2147483647 - 1, B = 2147483647", Type::Scalar(Scalar::Enumeration("e".into()))),
    ] {
        let text = format!("enum e {{ {values} }};\nvoid f(enum e a);");
        assert_eq!(on(Target::Linux32, &text), (wanted.clone(), None), "{text}");
        let (_, refused) = on(Target::Win32, &text);
        let wide = matches!(wanted, Type::Scalar(Scalar::Integer(_)));
        assert_eq!(refused.is_some_and(|reason| reason.contains("do not fit 32 bits")), wide, "{text}");
    }
    for values in ["A = 0xFFFFFFFFFFFFFFFF", "A = 0x7FFFFFFFFFFFFFFF, B"] {
        let header = header_for(&format!("enum e {{ {values} }};\nvoid f(enum e a);"), Target::Linux32);
        assert!(header.diagnostics[0].message.contains("too big"), "{:?}", header.diagnostics);
        assert!(header.interface.functions[0].unsupported.as_ref().is_some_and(|reason| reason.contains("too big")));
    }
}

#[test]
fn modes_of_integers_are_widths() {
    for (mode, wanted) in [
        ("QI", Width::W8),
        ("__HI__", Width::W16),
        ("SI", Width::W32),
        ("__DI__", Width::W64),
        ("__word__", Width::Pointer),
    ] {
        for text in [
            format!("typedef int t __attribute__((__mode__({mode})));"),
            format!("typedef int __attribute__((mode({mode}))) t;"),
            format!("typedef __attribute__((mode({mode}))) int t;"),
        ] {
            let function = only(&format!("{text}\nvoid f(t a);"));
            assert_eq!(function.parameters[0].ty, integer(wanted, true), "{text}");
        }
    }
}

#[test]
fn types_that_attributes_change_are_refused_with_the_reason() {
    for (text, wanted) in [
        ("typedef float t __attribute__((mode(XF)));\nvoid f(t a);", "mode(XF)"),
        ("typedef double t __attribute__((mode(SI)));\nvoid f(t *a);", "mode(SI)"),
        ("typedef float t __attribute__((vector_size(16)));\nvoid f(t a);", "vector_size(16)"),
        ("typedef float t __attribute__((ext_vector_type(4)));\nt f(void);", "ext_vector_type(4)"),
        (
            "typedef float v4 __attribute__((vector_size(16)));\nstruct s { v4 a; };\nvoid f(struct s *p);",
            "vector_size",
        ),
        ("void f(int a, int b __attribute__((mode(DI))));", "“b”"),
        ("__attribute__((vector_size(16))) int f(void);", "the result"),
        ("int f(void (*cb)(int __attribute__((vector_size(8))) a));", "“cb”"),
        ("typedef int t __attribute__((aligned(8)));\nvoid f(t a);", "alignment of its own"),
        ("typedef int __attribute__((aligned(8))) t;\nstruct s { char c; t a; };\nvoid f(struct s *p);", "alignment"),
        ("typedef struct { char c; } t __attribute__((aligned(8)));\nvoid f(t *a);", "alignment of its own"),
        ("enum __attribute__((aligned(8))) e { A };\nvoid f(enum e a);", "alignment of its own"),
        ("struct s { int a; int b __attribute__((mode(DI))); };\nvoid f(struct s *p);", "mode(DI)"),
        ("struct __attribute__((gcc_struct)) s { int a : 3; };\nvoid f(struct s *p);", "gcc_struct"),
        ("typedef struct { int a; } __attribute__((gcc_struct)) s;\nvoid f(s *p);", "gcc_struct"),
        (
            "struct s { int a; } __attribute__((scalar_storage_order(\"big-endian\")));\nvoid f(struct s *p);",
            "big-endian",
        ),
        (
            "typedef union { int *a; float *b; } u __attribute__((transparent_union));\nvoid f(u a);",
            "transparent_union",
        ),
        ("void f(void * __ptr64 a);", "__ptr64"),
    ] {
        let reason = unsupported(text);
        assert!(reason.contains(wanted), "{text}: {reason}");
    }
    let header = header("extern int v __attribute__((vector_size(16)));\nextern int w;");
    let reasons: Vec<_> = header.interface.variables.iter().map(|variable| variable.unsupported.is_some()).collect();
    assert_eq!(reasons, [true, false]);
}

#[test]
fn attributes_that_change_nothing_on_the_target_are_no_matter() {
    for (target, text) in [
        (Target::Win32, "struct __attribute__((ms_struct)) s { int a : 3; };\nvoid f(struct s *p);"),
        (Target::Linux32, "struct __attribute__((gcc_struct)) s { int a : 3; };\nvoid f(struct s *p);"),
        (
            Target::Linux32,
            "struct s { int a; } __attribute__((scalar_storage_order(\"little-endian\")));\nvoid f(struct s *p);",
        ),
        (Target::Win64, "void f(void * __ptr64 a);"),
        (Target::Win32, "void f(void * __ptr32 a);"),
        (Target::Linux32, "void f(int a __attribute__((unused)), int b) __attribute__((access(read_only, 1), cold));"),
        (Target::Linux32, "int f(const char *mode) __attribute__((format(printf, 1, 0)));"),
    ] {
        assert_eq!(on(target, text).1, None, "{text}");
    }
}

#[test]
fn pragmas_change_the_structures_behind_them() {
    let order = |behind: &str| format!("#pragma scalar_storage_order big-endian\n{behind}\nvoid f(struct s *p);");
    let reason = unsupported(&order("struct s { int a; };"));
    assert!(reason.contains("scalar_storage_order(big-endian)"), "{reason}");
    only(&order("#pragma scalar_storage_order default\nstruct s { int a; };"));
    let text = "#pragma ms_struct on\nstruct s { int a : 3; };\n#pragma ms_struct off\nvoid f(struct s *p);";
    assert_eq!(on(Target::Win32, text).1, None);
    assert!(on(Target::Linux32, text).1.is_some_and(|reason| reason.contains("ms_struct(on)")));
}

#[test]
fn alignments_before_a_structure_are_those_of_the_typedef() {
    let reason = unsupported("typedef __attribute__((aligned(8))) struct { char c; } s;\nvoid f(s *p);");
    assert!(reason.contains("alignment of its own"), "{reason}");
    let plain = structure("__attribute__((aligned(8))) struct s { char c; };\nvoid f(struct s *p);", "s");
    assert_eq!(plain.align, None, "compilers ignore it, too");
    let member = "struct s { __attribute__((aligned(8))) struct { char c; } m; };\nvoid f(struct s *p);";
    assert_eq!(structure(member, "s").fields[0].align, Some(8));
    let declspec = structure("typedef __declspec(align(8)) struct { char c; } s;\nvoid f(s *p);", "s");
    assert_eq!(declspec.align, Some(8));
}

#[test]
fn attributes_before_a_structure_do_not_pack_it() {
    let text = "typedef __attribute__((packed)) struct { char c; int i; } s;\nvoid f(s *p);";
    assert!(!header(text).interface.structures["s"].packed, "compilers ignore it, too");
    assert!(structure("struct [[gnu::packed]] s { char c; int i; };\nvoid f(struct s *p);", "s").packed);
    assert_eq!(structure("struct [[gnu::aligned(8)]] s { char c; };\nvoid f(struct s *p);", "s").align, Some(8));
}
