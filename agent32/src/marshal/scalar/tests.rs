//! Scalars between JSON and their bits.

use super::*;
use bridge32_protocol::interface::{Enumeration, Interface, Width};
use bridge32_protocol::target::Target;
use proptest::prelude::*;

fn interface() -> Interface {
    let mut interface = Interface::default();
    let enumerators = vec![("RED".to_owned(), 0), ("BLUE".to_owned(), -2), ("ALL".to_owned(), 0xFFFF_FFFF)];
    interface.enumerations.insert("color".into(), Enumeration { enumerators });
    interface.constants.insert("LEVEL_BEST".into(), 9);
    interface
}

fn decoded(json: &str, scalar: &Scalar) -> Result<Bits, String> {
    let interface = interface();
    let raw = RawValue::from_string(json.into()).unwrap();
    let decoded = decode(&raw, scalar, Context { interface: &interface, target: Target::Linux32 });
    decoded.map_err(|wrong| wrong.fault(&raw, &At::ROOT).detail)
}

fn encoded(bits: Bits, scalar: &Scalar) -> String {
    let mut json = Vec::new();
    encode(bits, scalar, Context { interface: &interface(), target: Target::Linux32 }, &mut json);
    String::from_utf8(json).unwrap()
}

const fn integer(width: Width, signed: bool) -> Scalar {
    Scalar::Integer(Integer { width, signed })
}

#[test]
fn integers_are_checked_against_their_range_and_never_truncated() {
    for (width, signed, least, most) in [
        (Width::W8, true, "-128", "127"),
        (Width::W8, false, "0", "255"),
        (Width::W16, true, "-32768", "32767"),
        (Width::Long, false, "0", "4294967295"),
        (Width::W32, true, "-2147483648", "2147483647"),
        (Width::W64, true, "-9223372036854775808", "9223372036854775807"),
        (Width::W64, false, "0", "18446744073709551615"),
    ] {
        let scalar = integer(width, signed);
        for edge in [least, most] {
            assert_eq!(encoded(decoded(edge, &scalar).unwrap(), &scalar), edge);
        }
        let (below, above): (i128, i128) = (least.parse::<i128>().unwrap() - 1, most.parse::<i128>().unwrap() + 1);
        for outside in [below.to_string(), above.to_string(), format!("1{}", "0".repeat(60)), "1e300".into()] {
            assert!(decoded(&outside, &scalar).unwrap_err().contains("out of range"), "{outside} {scalar:?}");
        }
    }
}

#[test]
fn where_clients_round_large_numbers_64_bits_are_answered_as_text_and_nothing_else_is() {
    let interface = Interface { int64: Int64::String, ..Interface::default() };
    let answered = |bits: u64, scalar: &Scalar, target: Target| {
        let mut json = Vec::new();
        encode(Bits(bits), scalar, Context { interface: &interface, target }, &mut json);
        String::from_utf8(json).unwrap()
    };
    let (int, wide, size) = (Width::W32, Width::W64, Width::Pointer);
    assert_eq!(answered(u64::MAX, &integer(wide, false), Target::Win32), "\"18446744073709551615\"");
    assert_eq!(answered(u64::MAX, &integer(wide, true), Target::Win32), "\"-1\"");
    assert_eq!(answered(5, &integer(int, true), Target::Win32), "5");
    assert_eq!(answered(5, &integer(size, false), Target::Win32), "5");
    assert_eq!(answered(5, &integer(size, false), Target::Linux64), "\"5\"");
}

#[test]
fn an_integer_takes_whole_numbers_and_named_constants_only() {
    let int = integer(Width::W32, true);
    assert_eq!(decoded("\"LEVEL_BEST\"", &int), Ok(Bits(9)));
    assert_eq!(decoded("5.0", &int), Ok(Bits(5)));
    assert_eq!(decoded("-2e3", &int), Ok(Bits((-2000i64).cast_unsigned())));
    for wrong in ["1.5", "\"5\"", "null", "true", "[1]", "{}", "\"x\"", "-1.5e-7"] {
        decoded(wrong, &int).unwrap_err();
    }
    assert_eq!(decoded("\"5\"", &integer(Width::W64, true)), Ok(Bits(5)));
    let wide = integer(Width::W64, false);
    for (json, number) in [
        ("9007199254740993.0", 9_007_199_254_740_993),
        ("12345678901234567e1", 123_456_789_012_345_670),
        ("18446744073709551615.0", u64::MAX),
        ("1500e-2", 15),
        ("0.0e999999999999999999999", 0),
        ("-0.0", 0),
    ] {
        assert_eq!(decoded(json, &wide), Ok(Bits(number)), "{json}");
    }
    for wrong in ["1.00000000000000001", "1e-400", "15e-1", "1e-999999999999999999999"] {
        assert!(decoded(wrong, &wide).unwrap_err().contains("not an integer"), "{wrong}");
    }
}

#[test]
fn floats_take_the_three_names_that_json_lacks() {
    for name in ["\"NaN\"", "\"Infinity\"", "\"-Infinity\"", "0.1", "-1e-300", "5"] {
        let bits = decoded(name, &Scalar::Double).unwrap();
        let again = encoded(bits, &Scalar::Double);
        assert!(again == name || again.parse::<f64>().unwrap().to_bits() == bits.0, "{name} {again}");
    }
    assert!(decoded("1e39", &Scalar::Float).unwrap_err().contains("out of range"));
    assert!(decoded("1e999", &Scalar::Double).unwrap_err().contains("out of range"));
    assert_eq!(encoded(decoded("0.1", &Scalar::Float).unwrap(), &Scalar::Float), "0.1");
    decoded("\"nan\"", &Scalar::Double).unwrap_err();
}

#[test]
fn enumerators_go_by_name_or_number_and_come_back_by_name() {
    let color = Scalar::Enumeration("color".into());
    let blue = decoded("\"BLUE\"", &color).unwrap();
    assert_eq!(encoded(blue, &color), "\"BLUE\"");
    assert_eq!(encoded(decoded("77", &color).unwrap(), &color), "77");
    assert!(decoded("\"GREEN\"", &color).unwrap_err().contains("RED, BLUE"));
    let all = decoded("\"ALL\"", &color).unwrap();
    assert_eq!((all, encoded(all, &color)), (Bits(u64::MAX), "\"ALL\"".to_owned()));
}

#[test]
fn results_ignore_what_the_callee_left_beyond_their_width() {
    assert_eq!(Bits::extend(0xdead_beef_ffff_ff80, 1, &integer(Width::W8, true)), Bits((-128i64).cast_unsigned()));
    assert_eq!(Bits::extend(0xdead_beef_ffff_ff80, 1, &integer(Width::W8, false)), Bits(0x80));
    assert_eq!(Bits::extend(0xdead_beef_ffff_ff00, 1, &Scalar::Boolean(Width::W8)), Bits(0));
}

proptest! {
    #[test]
    fn every_double_comes_back_with_the_same_bits(number in any::<f64>().prop_filter("finite", |n| n.is_finite())) {
        let json = encoded(Bits(number.to_bits()), &Scalar::Double);
        prop_assert_eq!(decoded(&json, &Scalar::Double), Ok(Bits(number.to_bits())));
    }
}
