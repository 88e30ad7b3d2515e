use super::*;
use bridge32_protocol::interface::{Array, Field, Integer, StructureKind, Width};

fn integer(width: Width) -> Scalar {
    Scalar::Integer(Integer { width, signed: true })
}

fn member(name: &str, ty: Type) -> Field {
    Field { name: name.into(), ty, bits: None, align: None, sensitive: false, description: String::new() }
}

fn number(width: Width) -> Type {
    Type::Scalar(integer(width))
}

fn array(of: Type, count: u32) -> Type {
    Type::Array(Box::new(Array { of, count, text: None }))
}

fn structure(fields: Vec<Field>) -> Structure {
    let kind = StructureKind::Struct;
    Structure { kind, fields, pack: None, packed: false, align: None, description: String::new() }
}

fn layouts(structures: Vec<(&str, Structure)>, target: Target, dialect: Dialect) -> Layouts {
    let structures = structures.into_iter().map(|(name, structure)| (name.to_owned(), structure)).collect();
    Layouts::new(&Interface { structures, ..Interface::default() }, target, dialect)
}

/// Why a structure is refused.
fn refusal(structures: Vec<(&str, Structure)>, name: &str) -> String {
    layouts(structures, Target::Linux32, Dialect::Gnu).structure(name).unwrap_err()
}

#[test]
fn long_pointers_and_wide_characters_follow_the_target() {
    let sizes = |width| Target::ALL.map(|target| scalar_bytes(&integer(width), target));
    // linux32, win32, linux64, win64
    assert_eq!(sizes(Width::Long), [4, 4, 8, 4]);
    assert_eq!(sizes(Width::Pointer), [4, 4, 8, 8]);
    assert_eq!(sizes(Width::Wchar), [4, 2, 4, 2]);
    assert_eq!(sizes(Width::W64), [8, 8, 8, 8]);
}

#[test]
fn this_program_knows_its_own_width() {
    assert_eq!(usize::from(HOST.pointer_bytes()), size_of::<usize>());
}

#[test]
fn scalars_of_8_bytes_in_structures_align_to_4_on_i386_elf_only() {
    let fields = vec![member("c", number(Width::W8)), member("d", Type::Scalar(Scalar::Double))];
    let laid = |target| {
        let layouts = layouts(vec![("s", structure(fields.clone()))], target, Dialect::Gnu);
        let layout = layouts.structure("s").unwrap().clone();
        (layout.size, layout.align, layout.places[1].offset)
    };
    assert_eq!(Target::ALL.map(laid), [(12, 4, 4), (16, 8, 8), (16, 8, 8), (16, 8, 8)]);
}

#[test]
fn void_counts_in_bytes_behind_pointers_and_has_no_size_elsewhere() {
    let layouts = layouts(vec![], Target::Linux32, Dialect::Gnu);
    assert_eq!(layouts.element_bytes(&Type::Void), Some(1));
    assert_eq!(layouts.of(&Type::Void), Err("`void` has no size".into()));
    assert_eq!(layouts.element_bytes(&Type::Unsupported { spelling: "long double".into() }), None);
}

#[test]
fn a_structure_that_contains_itself_is_refused_and_its_neighbours_are_not() {
    let own = structure(vec![member("next", array(Type::Structure("a".into()), 1))]);
    assert_eq!(refusal(vec![("a", own)], "a"), "the structure `a`: `next`: the structure `a` contains itself");
    let ring = |to: &str| structure(vec![member("other", Type::Structure(to.into()))]);
    let good = structure(vec![member("x", number(Width::W32))]);
    let layouts = layouts(vec![("a", ring("b")), ("b", ring("a")), ("c", good)], Target::Linux32, Dialect::Gnu);
    assert!(layouts.structure("a").is_err() && layouts.structure("b").is_err());
    assert_eq!(layouts.structure("c").unwrap().size, 4);
}

#[test]
fn unknown_empty_and_huge_structures_are_refused() {
    assert_eq!(refusal(vec![], "gone"), "the members of the structure `gone` are not known");
    assert_eq!(refusal(vec![("e", structure(vec![]))], "e"), "the structure `e`: it has no members");
    let nothing = structure(vec![member("a", array(number(Width::W32), 0))]);
    assert_eq!(refusal(vec![("e", nothing)], "e"), "the structure `e`: it has no members that take room");
    let huge = structure(vec![member("a", array(array(number(Width::W64), u32::MAX), u32::MAX))]);
    assert!(refusal(vec![("h", huge)], "h").contains("too large"));
    let half = || member("half", array(number(Width::W8), 40 << 20));
    assert!(refusal(vec![("h", structure(vec![half(), half()]))], "h").contains("larger than 64 MiB"));
}

#[test]
fn a_ladder_of_structures_too_deep_for_any_compiler_is_refused() {
    let names: Vec<String> = (0..5000).map(|n| format!("s{n:04}")).collect();
    let rung = |n: usize| match names.get(n + 1) {
        Some(next) => structure(vec![member("inner", Type::Structure(next.clone()))]),
        None => structure(vec![member("x", number(Width::W8))]),
    };
    let ladder = names.iter().enumerate().map(|(n, name)| (name.as_str(), rung(n))).collect();
    assert!(refusal(ladder, "s0000").contains("nested more than 100 deep"));
}

#[test]
fn impossible_bit_fields_and_alignments_are_refused() {
    let bits = |ty, width, name: &str| Field { bits: Some(width), ..member(name, ty) };
    let why = |field| refusal(vec![("s", structure(vec![field]))], "s");
    assert!(why(bits(number(Width::W8), 9, "b")).contains("wider than its type"));
    assert!(why(bits(number(Width::W8), u32::MAX, "b")).contains("wider than its type"));
    assert!(why(bits(number(Width::W8), 0, "b")).contains("has no name"));
    assert!(why(bits(Type::Scalar(Scalar::Float), 3, "b")).contains("only an integer"));
    let asked = |align| why(Field { align: Some(align), ..member("x", number(Width::W8)) });
    assert!(asked(3).contains("3 is no alignment"));
    assert!(asked(0).contains("0 is no alignment"));
    assert!(asked(1 << 30).contains("no alignment"));
    let packed = structure(vec![bits(number(Width::W8), 5, "a"), bits(number(Width::W64), 64, "b")]);
    let packed = Structure { packed: true, ..packed };
    assert!(refusal(vec![("s", packed)], "s").contains("spreads its 64 bits over 9 bytes"));
}

#[test]
fn visual_c_lets_an_alignment_that_was_asked_for_beat_pack() {
    let aligned = Structure { align: Some(16), ..structure(vec![member("x", number(Width::W8))]) };
    let fields = vec![member("c", number(Width::W8)), member("inner", Type::Structure("aligned".into()))];
    let outer = Structure { pack: Some(1), ..structure(fields) };
    let size = |dialect| {
        let structures = vec![("aligned", aligned.clone()), ("outer", outer.clone())];
        layouts(structures, Target::Win32, dialect).structure("outer").unwrap().size
    };
    assert_eq!((size(Dialect::Gnu), size(Dialect::Microsoft)), (17, 32));
}

#[test]
fn a_bit_field_is_read_and_written_without_its_neighbours() {
    let place = BitPlace { shift: 3, width: 7, unit: 2 };
    let mut bytes = [0xff, 0xff];
    place.store(&mut bytes, 0b010_1010);
    assert_eq!((place.load(&bytes), bytes), (0b010_1010, [0x57, 0xfd]));
    let widest = BitPlace { shift: 0, width: 64, unit: 8 };
    let mut bytes = [0; 8];
    widest.store(&mut bytes, u64::MAX - 1);
    assert_eq!(widest.load(&bytes), u64::MAX - 1);
}
