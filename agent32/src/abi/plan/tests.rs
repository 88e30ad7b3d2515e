//! What no compiler on the test machine can say: Visual C++'s rules (as clang's `X86_32ABIInfo` has them), `x86_64`
//! Windows on other systems, and what is refused. The rest is compared with the compilers themselves and with libffi.

use super::*;
use bridge32_protocol::interface::{Array, Field, Integer, Interface, Structure, StructureKind, Width};
use bridge32_protocol::wire::Dialect;

const INT: Type = Type::Scalar(Scalar::Integer(Integer { width: Width::W32, signed: true }));
const BYTE: Type = Type::Scalar(Scalar::Integer(Integer { width: Width::W8, signed: false }));
const LONG_LONG: Type = Type::Scalar(Scalar::Integer(Integer { width: Width::W64, signed: true }));
const FLOAT: Type = Type::Scalar(Scalar::Float);
const DOUBLE: Type = Type::Scalar(Scalar::Double);

fn structure(name: &str) -> Type {
    Type::Structure(name.into())
}

/// `one` (a float), `small` (2 bytes), `two` (8), `three` (3 chars), `large` (24), `aligned` (32, to 32).
fn layouts(target: Target, dialect: Dialect) -> Layouts {
    let of = |types: &[Type], align| {
        let field = |ty: &Type| Field {
            name: "x".into(),
            ty: ty.clone(),
            bits: None,
            align: None,
            sensitive: false,
            description: String::new(),
        };
        let fields = types.iter().map(field).collect();
        let kind = StructureKind::Struct;
        Structure { kind, fields, pack: None, packed: false, align, description: String::new() }
    };
    let structures = [
        ("one", of(&[FLOAT], None)),
        ("small", of(&[BYTE, BYTE], None)),
        ("two", of(&[INT, INT], None)),
        ("three", of(&[BYTE, BYTE, BYTE], None)),
        ("large", of(&[DOUBLE, DOUBLE, DOUBLE], None)),
        ("aligned", of(&[INT], Some(32))),
    ];
    let structures = structures.into_iter().map(|(name, structure)| (name.to_owned(), structure)).collect();
    Layouts::new(&Interface { structures, ..Interface::default() }, target, dialect)
}

fn plan(parameters: &[Type], result: &Type, convention: Convention, layouts: &Layouts) -> Result<Plan, String> {
    let types: Vec<&Type> = parameters.iter().collect();
    Plan::new(&types, types.len(), false, result, convention, layouts)
}

/// Where each piece goes: `g0` a general register, `v0` a vector register, a number its place on the stack.
fn places(plan: &Plan) -> String {
    let place = |(from, to): (&Source, Destination)| {
        let to = match to {
            Destination::General(index) => format!("g{index}"),
            Destination::Vector(index) => format!("v{index}"),
            Destination::Stack(offset) => offset.to_string(),
        };
        match from {
            Source::Result => format!("result:{to}"),
            Source::Address(_) => format!("&{to}"),
            _ => to,
        }
    };
    plan.moves().map(place).collect::<Vec<_>>().join(" ")
}

fn visual_c(parameters: &[Type], result: &Type, convention: Convention) -> (String, usize) {
    let plan = plan(parameters, result, convention, &layouts(Target::Win32, Dialect::Microsoft)).unwrap();
    (places(&plan), plan.removed_bytes())
}

fn mingw(parameters: &[Type], result: &Type, convention: Convention) -> (String, usize) {
    let plan = plan(parameters, result, convention, &layouts(Target::Win32, Dialect::Gnu)).unwrap();
    (places(&plan), plan.removed_bytes())
}

#[test]
fn visual_c_lets_only_words_use_up_the_registers_of_fastcall() {
    let parameters = [LONG_LONG, INT, structure("small"), FLOAT, INT, INT];
    let fastcall = |of: fn(&[Type], &Type, Convention) -> _| of(&parameters, &INT, Convention::Fastcall);
    assert_eq!(fastcall(visual_c), ("0 g0 8 12 g1 16".into(), 20));
    assert_eq!(fastcall(mingw), ("0 8 12 16 20 24".into(), 28));
    let parameters = [structure("small"), INT, INT];
    let fastcall = |of: fn(&[Type], &Type, Convention) -> _| of(&parameters, &INT, Convention::Fastcall);
    assert_eq!(fastcall(visual_c), ("0 g0 g1".into(), 4));
    assert_eq!(fastcall(mingw), ("0 g1 4".into(), 8));
}

#[test]
fn visual_c_keeps_this_in_ecx_when_a_structure_is_returned() {
    let parameters = [INT, INT];
    let large = structure("large");
    assert_eq!(visual_c(&parameters, &large, Convention::Thiscall), ("result:0 g0 4".into(), 8));
    assert_eq!(mingw(&parameters, &large, Convention::Thiscall), ("result:g0 0 4".into(), 8));
    assert_eq!(visual_c(&parameters, &large, Convention::Fastcall), ("result:g0 g1 0".into(), 4));
}

#[test]
fn visual_c_returns_structures_by_their_size_and_mingw_by_their_machine_mode() {
    let home = |name: &str, target, dialect| {
        plan(&[], &structure(name), Convention::Cdecl, &layouts(target, dialect)).unwrap().home()
    };
    assert_eq!(home("one", Target::Win32, Dialect::Microsoft), one(Register::General(0)));
    assert_eq!(home("one", Target::Win32, Dialect::Gnu), one(Register::Vector(0)));
    assert_eq!(home("one", Target::Linux32, Dialect::Gnu), Home::Memory);
    assert_eq!(home("one", Target::Win64, Dialect::Gnu), one(Register::General(0)));
    assert_eq!(home("one", Target::Linux64, Dialect::Gnu), one(Register::Vector(0)));
    assert_eq!(home("two", Target::Win32, Dialect::Microsoft), one(Register::General(0)));
    assert_eq!(home("three", Target::Win32, Dialect::Microsoft), Home::Memory);
}

#[test]
fn an_elf_cdecl_function_removes_the_address_for_its_structure_and_a_windows_one_does_not() {
    let removed = |target, convention| {
        plan(&[INT], &structure("large"), convention, &layouts(target, Dialect::Gnu)).unwrap().removed_bytes()
    };
    assert_eq!(removed(Target::Linux32, Convention::Cdecl), 4);
    assert_eq!(removed(Target::Win32, Convention::Cdecl), 0);
    assert_eq!(removed(Target::Win32, Convention::Stdcall), 8);
    assert_eq!(removed(Target::Linux64, Convention::Stdcall), 0);
}

#[test]
fn windows_64_counts_positions_and_passes_structures_of_odd_sizes_by_address() {
    let layouts = layouts(Target::Win64, Dialect::Microsoft);
    let parameters = [BYTE, DOUBLE, structure("three"), structure("two"), structure("large"), FLOAT];
    let plan = plan(&parameters, &INT, Convention::Fastcall, &layouts).unwrap();
    assert_eq!(places(&plan), "g0 v1 &g2 g3 &32 40");
    assert_eq!((plan.stack_bytes(), plan.removed_bytes()), (48, 0));
    assert!([2, 4].iter().all(|index| plan.slots()[*index].start.is_multiple_of(16)), "{:?}", plan.slots());
}

#[test]
fn a_variadic_function_is_cdecl_whatever_is_declared_and_gets_promoted_values() {
    let layouts = layouts(Target::Win32, Dialect::Microsoft);
    let types = [&INT, &FLOAT, &BYTE];
    let plan = Plan::new(&types, 1, true, &INT, Convention::Stdcall, &layouts).unwrap();
    assert_eq!((places(&plan), plan.stack_bytes(), plan.removed_bytes()), ("0 4 12".into(), 16, 0));
    let mut block = vec![0; plan.slots_bytes()];
    block[plan.slots()[0].clone()].copy_from_slice(&(-1i32).to_le_bytes());
    block[plan.slots()[1].clone()].copy_from_slice(&0.5f32.to_le_bytes());
    block[plan.slots()[2].start] = 255;
    let mut frame = Frame::default();
    plan.place(&block, 0, 0, &mut frame);
    let double = 0.5f64.to_bits();
    assert_eq!(frame.stack(), [double << 32 | 0xffff_ffff, 255 << 32 | double >> 32]);
}

#[test]
fn integers_are_extended_to_words_by_their_sign() {
    let short = |signed| Type::Scalar(Scalar::Integer(Integer { width: Width::W16, signed }));
    for (target, general) in [(Target::Linux64, [u64::MAX, 0xffff]), (Target::Win64, [u64::MAX, 0xffff])] {
        let layouts = layouts(target, Dialect::Gnu);
        let plan = plan(&[short(true), short(false)], &Type::Void, Convention::Cdecl, &layouts).unwrap();
        let mut frame = Frame::default();
        plan.place(&vec![0xff; plan.slots_bytes()], 0, 0, &mut frame);
        assert_eq!(frame.general[..2], general);
    }
    let layouts = layouts(Target::Linux32, Dialect::Gnu);
    let plan = plan(&[short(true), short(false)], &Type::Void, Convention::Cdecl, &layouts).unwrap();
    let mut frame = Frame::default();
    plan.place(&vec![0xff; plan.slots_bytes()], 0, 0, &mut frame);
    assert_eq!(frame.stack(), [0x0000_ffff_ffff_ffff]);
}

#[test]
fn what_cannot_be_passed_is_refused_with_its_place() {
    let layouts = layouts(Target::Linux64, Dialect::Gnu);
    let why = |ty: Type| plan(&[INT, ty], &INT, Convention::Cdecl, &layouts).unwrap_err();
    assert_eq!(why(Type::Void), "argument 2: `void` has no size");
    assert!(why(structure("gone")).contains("`gone` are not known"));
    assert!(why(Type::Array(Box::new(Array { of: INT, count: 2, text: None }))).contains("an array cannot be passed"));
    assert!(why(structure("aligned")).contains("its alignment to 32 bytes cannot be kept"));
    let large = vec![structure("large"); 3000];
    assert!(plan(&large, &INT, Convention::Cdecl, &layouts).unwrap_err().contains("more than 65536 bytes"));
    let many = vec![BYTE; 9000];
    assert!(plan(&many, &INT, Convention::Cdecl, &layouts).unwrap_err().contains("more than 65536 bytes"));
    let result = plan(&[], &Type::Unsupported { spelling: "long double".into() }, Convention::Cdecl, &layouts);
    assert_eq!(result.unwrap_err(), "the result: the size of `long double` is not known");
}

#[test]
fn a_mismatch_says_what_the_function_looks_like() {
    let layouts = layouts(Target::Win32, Dialect::Microsoft);
    let told = |parameters: &[Type], convention, removed| {
        plan(parameters, &INT, convention, &layouts).unwrap().mismatch("f", removed).detail
    };
    let three = [INT, INT, INT];
    assert!(told(&three, Convention::Stdcall, 0).contains("it looks like a __cdecl function"));
    assert!(told(&three, Convention::Cdecl, 12).contains("it looks like a __stdcall function."));
    assert!(told(&three, Convention::Cdecl, 4).contains("it looks like a __fastcall function."));
    assert!(told(&three, Convention::Fastcall, 8).contains("it looks like a __thiscall function."));
    assert!(
        told(&three, Convention::Stdcall, 20)
            .contains("a __stdcall function that takes 20 bytes of arguments (5 words)")
    );
    assert!(told(&three, Convention::Stdcall, -4).contains("corrupted its stack"));
    let structure = plan(&three, &structure("large"), Convention::Cdecl, &self::layouts(Target::Linux32, Dialect::Gnu));
    let detail = structure.unwrap().mismatch("f", 0).detail;
    assert!(detail.contains("the address for its result among them"), "{detail}");
    assert!(detail.contains("returns no structure, or returns it in registers"), "{detail}");
}
