//! Layouts against the C compilers themselves: random structures, compiled for every target, must have the size, the
//! alignment, the offsets and the bits that [`Layouts`] computes.
//!
//! Nothing is run: a table of `sizeof`, `_Alignof` and `offsetof`, and for each bit-field an instance with all its bits
//! set, are read from the data of the object file. MinGW's `-mms-bitfields` stands in for Visual C++.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::process::Command;

use agent32::layout::{BitPlace, Layouts, StructureLayout};
use bridge32_protocol::interface::{
    Array, Encoding, Extent, Field, Integer, Interface, Pointer, Scalar, Signature, Structure, StructureKind, Type,
    Width,
};
use bridge32_protocol::target::Target;
use bridge32_protocol::wire::Dialect;
use object::{Object as _, ObjectSection as _, ObjectSymbol as _};

/// Structures for each target.
const STRUCTURES: usize = 1000;

#[test]
#[cfg_attr(windows, ignore = "it asks the compilers of a Linux machine, which Wine cannot start")]
fn layouts_are_those_of_gcc_for_i386_elf() {
    compare(Target::Linux32, &["gcc", "-m32"], 1);
}

#[test]
#[cfg_attr(windows, ignore = "it asks the compilers of a Linux machine, which Wine cannot start")]
fn layouts_are_those_of_gcc_for_x86_64_elf() {
    compare(Target::Linux64, &["gcc", "-m64"], 2);
}

#[test]
#[cfg_attr(windows, ignore = "it asks the compilers of a Linux machine, which Wine cannot start")]
fn layouts_are_those_of_mingw_for_i386_windows() {
    compare(Target::Win32, &["i686-w64-mingw32-gcc", "-mms-bitfields"], 3);
}

#[test]
#[cfg_attr(windows, ignore = "it asks the compilers of a Linux machine, which Wine cannot start")]
fn layouts_are_those_of_mingw_for_x86_64_windows() {
    compare(Target::Win64, &["x86_64-w64-mingw32-gcc", "-mms-bitfields"], 4);
}

fn compare(target: Target, compiler: &[&str], seed: u64) {
    let source = Source::random(seed);
    let object = compile(compiler, &source.c());
    let object = Data::of(object::File::parse(object.as_slice()).unwrap());
    let layouts = Layouts::new(&source.interface(), target, Dialect::Gnu);
    let mut table = object
        .at("table", source.table_entries() * 8)
        .chunks_exact(8)
        .map(|entry| u64::from_le_bytes(entry.try_into().unwrap()));
    let mut wrong = Wrong::default();
    for (index, described) in source.structures.iter().enumerate() {
        let size = usize::try_from(table.next().unwrap()).unwrap();
        let mut expected = vec![("size".to_owned(), size as u64), ("alignment".to_owned(), table.next().unwrap())];
        for member in described.members.iter().filter(|member| member.has_offset()) {
            expected.push((member.name.clone(), table.next().unwrap()));
        }
        let bits: Vec<(String, Vec<u8>)> = described
            .bit_fields()
            .map(|member| (member.name.clone(), object.at(&format!("s{index}_{}", member.name), size).to_vec()))
            .collect();
        match layouts.structure(&format!("s{index}")) {
            Ok(layout) if described.told(layout) == expected && described.bits(layout) == bits => {}
            // The only reason to refuse one of these.
            Err(reason) if reason.contains("packing spreads") => {}
            other => wrong.note(described, index, || {
                let computed = other.map(|layout| (described.told(layout), described.bits(layout)));
                format!("  compiler: {expected:?} {bits:02x?}\n  computed: {computed:02x?}")
            }),
        }
    }
    wrong.assert_none(&format!("seed {seed}, {target}"));
}

/// The structures that differ.
#[derive(Default)]
struct Wrong {
    names: BTreeSet<String>,
    texts: Vec<String>,
}

impl Wrong {
    fn note(&mut self, described: &Described, index: usize, text: impl FnOnce() -> String) {
        // What has a wrong one inside would only repeat it.
        if !described.members.iter().any(|member| self.names.contains(&member.spelling)) {
            self.texts.push(described.c(index) + &text());
        }
        self.names.insert(format!("t{index}"));
    }

    /// Fails with the shortest of them.
    fn assert_none(mut self, what: &str) {
        self.texts.sort_by_key(String::len);
        let shown = self.texts.iter().take(5).fold(String::new(), |shown, text| shown + text + "\n\n");
        assert!(self.names.is_empty(), "{what}: {} of {STRUCTURES} structures differ:\n{shown}", self.names.len());
    }
}

/// Compiles C text to an object file. A compiler that is missing fails the test.
fn compile(compiler: &[&str], text: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let (source, object) = (folder.path().join("structures.c"), folder.path().join("structures.o"));
    std::fs::write(&source, text).unwrap();
    let output = Command::new(compiler[0])
        .args(&compiler[1..])
        .args(["-std=gnu11", "-w", "-c", "-o"])
        .arg(&object)
        .arg(&source)
        .output()
        .unwrap_or_else(|error| panic!("the C compiler {} is needed: {error}", compiler[0]));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read(object).unwrap()
}

/// The data of an object file.
struct Data<'a> {
    file: object::File<'a>,
    symbols: BTreeMap<String, (object::SectionIndex, u64)>,
}

impl<'a> Data<'a> {
    fn of(file: object::File<'a>) -> Self {
        // i386 Windows puts an underscore before every name.
        let name = |symbol: &object::Symbol<'_, '_>| Some(symbol.name().ok()?.trim_start_matches('_').to_owned());
        let symbols = file
            .symbols()
            .filter_map(|symbol| Some((name(&symbol)?, (symbol.section_index()?, symbol.address()))))
            .collect();
        Self { file, symbols }
    }

    /// The bytes at a symbol.
    fn at(&self, name: &str, bytes: usize) -> &'a [u8] {
        let (section, address) = self.symbols[name];
        let section = self.file.section_by_index(section).unwrap();
        let start = usize::try_from(address - section.address()).unwrap();
        &section.data().unwrap()[start..start + bytes]
    }
}

/// Random structures, each of which may have the earlier ones as members.
struct Source {
    structures: Vec<Described>,
}

struct Described {
    union: bool,
    pack: Option<u32>,
    packed: bool,
    align: Option<u32>,
    members: Vec<Member>,
}

/// A member, in C and in the model.
struct Member {
    name: String,
    ty: Type,
    spelling: String,
    count: Option<u32>,
    bits: Option<u32>,
    align: Option<u32>,
}

impl Source {
    fn random(seed: u64) -> Self {
        let mut random = Random(seed);
        let structures = (0..STRUCTURES).map(|index| Described::random(&mut random, index)).collect();
        Self { structures }
    }

    fn interface(&self) -> Interface {
        let structures = self.structures.iter().enumerate();
        Interface {
            structures: structures.map(|(index, described)| (format!("s{index}"), described.model())).collect(),
            ..Interface::default()
        }
    }

    fn table_entries(&self) -> usize {
        let offsets = |described: &Described| described.members.iter().filter(|member| member.has_offset()).count();
        self.structures.iter().map(|described| 2 + offsets(described)).sum()
    }

    fn c(&self) -> String {
        let mut text = String::from("enum e { E_A, E_B };\n");
        let mut table = String::from("const unsigned long long table[] = {\n");
        for (index, described) in self.structures.iter().enumerate() {
            text.push_str(&described.c(index));
            let kind = described.keyword();
            writeln!(text, "typedef {kind} s{index} t{index};").unwrap();
            write!(table, "sizeof({kind} s{index}), _Alignof({kind} s{index}), ").unwrap();
            for member in described.members.iter().filter(|member| member.has_offset()) {
                write!(table, "__builtin_offsetof({kind} s{index}, {}), ", member.name).unwrap();
            }
            for member in described.bit_fields() {
                let name = &member.name;
                writeln!(text, "const {kind} s{index} s{index}_{name} = {{ .{name} = -1 }};").unwrap();
            }
        }
        text + &table + "};\n"
    }
}

impl Described {
    fn random(random: &mut Random, earlier: usize) -> Self {
        let union = random.one_in(6);
        let many_bits = random.one_in(2);
        let members = (0..=random.below(7)).map(|index| Member::random(random, index, earlier, many_bits)).collect();
        let mut described = Self { union, pack: None, packed: false, align: None, members };
        match random.below(8) {
            0 | 1 => described.pack = Some(1 << random.below(5)),
            2 => described.packed = true,
            3 => described.align = Some(1 << random.below(6)),
            _ => {}
        }
        let takes_room = |member: &Member| member.bits != Some(0) && member.count != Some(0);
        if !described.members.iter().any(takes_room) {
            described.members.push(Member::scalar("int", Width::W32, true, "last"));
        }
        described
    }

    const fn keyword(&self) -> &'static str {
        if self.union { "union" } else { "struct" }
    }

    fn bit_fields(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.bits.is_some() && !member.name.is_empty())
    }

    fn c(&self, index: usize) -> String {
        let mut text = self.pack.map_or(String::new(), |pack| format!("#pragma pack(push, {pack})\n"));
        text.push_str(self.keyword());
        if self.packed {
            text.push_str(" __attribute__((packed))");
        }
        if let Some(align) = self.align {
            write!(text, " __attribute__((aligned({align})))").unwrap();
        }
        writeln!(text, " s{index} {{").unwrap();
        for member in &self.members {
            text.push_str(&member.c());
        }
        text.push_str("};\n");
        if self.pack.is_some() {
            text.push_str("#pragma pack(pop)\n");
        }
        text
    }

    fn model(&self) -> Structure {
        Structure {
            kind: if self.union { StructureKind::Union } else { StructureKind::Struct },
            fields: self.members.iter().map(Member::model).collect(),
            pack: self.pack,
            packed: self.packed,
            align: self.align,
            description: String::new(),
        }
    }

    /// What the compiler's table says of it, as computed.
    fn told(&self, layout: &StructureLayout) -> Vec<(String, u64)> {
        let mut told = vec![("size".to_owned(), layout.size as u64), ("alignment".to_owned(), layout.align as u64)];
        for (member, place) in self.members.iter().zip(&layout.places) {
            if member.has_offset() {
                told.push((member.name.clone(), place.offset as u64));
            }
        }
        told
    }

    /// For each bit-field, an instance with all its bits set, as computed.
    fn bits(&self, layout: &StructureLayout) -> Vec<(String, Vec<u8>)> {
        let bit_fields = self.members.iter().zip(&layout.places).filter(|(member, _)| !member.name.is_empty());
        let instance = |place: BitPlace, offset: usize| {
            let mut bytes = vec![0; layout.size];
            place.store(&mut bytes[offset..offset + place.unit], u64::MAX);
            assert_eq!(place.load(&bytes[offset..offset + place.unit]), u64::MAX >> (64 - place.width));
            bytes
        };
        bit_fields
            .filter_map(|(member, place)| Some((member.name.clone(), instance(place.bits?, place.offset))))
            .collect()
    }
}

impl Member {
    fn random(random: &mut Random, index: u64, earlier: usize, many_bits: bool) -> Self {
        let name = format!("m{index}");
        if random.one_in(if many_bits { 2 } else { 8 }) {
            return Self::bit_field(random, &name);
        }
        let mut member = match random.below(8) {
            0 if earlier > 0 => Self::structure(random, earlier, &name),
            1 => Self::pointer(&name),
            2 => Self::other("float", Type::Scalar(Scalar::Float), &name),
            3 => Self::other("double", Type::Scalar(Scalar::Double), &name),
            4 => Self::other("enum e", Type::Scalar(Scalar::Enumeration("e".into())), &name),
            _ => Self::integer(random, &name),
        };
        if random.one_in(5) {
            let count = u32::try_from(random.below(5)).unwrap();
            member.count = Some(count);
            member.ty = Type::Array(Box::new(Array { of: member.ty, count, text: None }));
        }
        member.align = random.one_in(12).then(|| 1 << random.below(5));
        member
    }

    fn bit_field(random: &mut Random, name: &str) -> Self {
        let mut member = match random.below(10) {
            0 => Self::other("_Bool", Type::Scalar(Scalar::Boolean(Width::W8)), name),
            1 => Self::other("enum e", Type::Scalar(Scalar::Enumeration("e".into())), name),
            2 => Self::other("BOOL", Type::Scalar(Scalar::Boolean(Width::W32)), name),
            _ => Self::integer(random, name),
        };
        let widest = match member.spelling.as_str() {
            "_Bool" => 1,
            spelling if spelling.contains("char") => 8,
            spelling if spelling.contains("short") || spelling.contains("WCHAR") => 16,
            spelling if spelling.contains("long long") => 64,
            _ => 32,
        };
        let narrow = if random.one_in(2) { widest.min(8) } else { widest };
        member.bits = Some(u32::try_from(random.below(narrow) + 1).unwrap());
        if member.spelling == "BOOL" {
            member.spelling = "int".into();
        }
        match random.below(16) {
            0 => member.bits = Some(0),
            1 => {}
            2 => {
                member.align = Some(1 << random.below(5));
                return member;
            }
            _ => return member,
        }
        Self { name: String::new(), ..member }
    }

    fn integer(random: &mut Random, name: &str) -> Self {
        const TYPES: &[(&str, Width, bool)] = &[
            ("signed char", Width::W8, true),
            ("unsigned char", Width::W8, false),
            ("short", Width::W16, true),
            ("unsigned short", Width::W16, false),
            ("int", Width::W32, true),
            ("unsigned", Width::W32, false),
            ("long long", Width::W64, true),
            ("unsigned long long", Width::W64, false),
            ("long", Width::Long, true),
            ("__SIZE_TYPE__", Width::Pointer, false),
            ("__WCHAR_TYPE__", Width::Wchar, false),
        ];
        let (spelling, width, signed) = TYPES[usize::try_from(random.below(TYPES.len() as u64)).unwrap()];
        Self::scalar(spelling, width, signed, name)
    }

    fn scalar(spelling: &str, width: Width, signed: bool, name: &str) -> Self {
        Self::other(spelling, Type::Scalar(Scalar::Integer(Integer { width, signed })), name)
    }

    fn pointer(name: &str) -> Self {
        let parameters = Vec::new();
        let signature = Signature { convention: None, parameters, result: Type::Void };
        let text = Pointer { to: Type::Void, constant: true, extent: Extent::Text(Encoding::Utf8), freed_by: None };
        let ty = if name.ends_with('1') { Type::Callback(Box::new(signature)) } else { Type::Pointer(Box::new(text)) };
        Self::other("void *", ty, name)
    }

    fn structure(random: &mut Random, earlier: usize, name: &str) -> Self {
        let index = random.below(earlier as u64);
        Self::other(&format!("t{index}"), Type::Structure(format!("s{index}")), name)
    }

    fn other(spelling: &str, ty: Type, name: &str) -> Self {
        Self { name: name.to_owned(), ty, spelling: spelling.to_owned(), count: None, bits: None, align: None }
    }

    const fn has_offset(&self) -> bool {
        self.bits.is_none()
    }

    fn c(&self) -> String {
        let mut text = format!("  {} {}", self.spelling, self.name);
        if let Some(count) = self.count {
            write!(text, "[{count}]").unwrap();
        }
        if let Some(bits) = self.bits {
            write!(text, " : {bits}").unwrap();
        }
        if let Some(align) = self.align {
            write!(text, " __attribute__((aligned({align})))").unwrap();
        }
        text + ";\n"
    }

    fn model(&self) -> Field {
        Field {
            name: self.name.clone(),
            ty: self.ty.clone(),
            bits: self.bits,
            align: self.align,
            sensitive: false,
            description: String::new(),
        }
    }
}

/// Steele, Lea and Flood's `SplitMix64`: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % limit
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }
}
