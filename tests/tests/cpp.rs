//! `cpp_lib32` of msl-loadlib, as ELF and as DLL: every function of its documentation, structures by value among them.

use bridge32_tests::{Bridge, TARGETS_32, Value, fixture, json};

/// As the documentation of msl-loadlib shows its C++ code, and `distance`, which is exported under its C++ name only.
const HEADER: &str = "
    typedef struct { double x; double y; } Point;
    typedef struct { Point points[4]; } FourPoints;
    typedef struct { int n; _Field_size_(n) Point *points; } NPoints;

    int add(int a, int b);
    float subtract(float a, float b);
    double add_or_subtract(double a, double b, bool do_addition);
    void scalar_multiply(double a, _In_reads_(n) const double *xin, int n, _Out_writes_(n) double *xout);
    void reverse_string_v1(_In_z_ const char *original, int n, _Out_writes_(n) char *reversed);
    /** @return the text backwards, without a NUL @length n */
    char *reverse_string_v2(_In_z_ const char *original, int n);
    double distance_4_points(FourPoints p);
    double distance_n_points(NPoints p);
    /** @export _Z8distance5PointS_ */
    double distance(Point a, Point b);
";

fn cpp() -> Bridge {
    Bridge::start(|config| {
        for target in TARGETS_32 {
            config.library(target.name(), fixture::foreign("cpp_lib32", target)).declares(HEADER);
        }
    })
}

#[test]
fn numbers_are_added_and_subtracted() {
    let bridge = cpp();
    for target in TARGETS_32 {
        let result = |function, arguments| bridge.call(target.name(), function, arguments).result();
        assert_eq!(result("add", json!({"a": 1, "b": -2_147_483_648_i64})), -2_147_483_647, "{target}");
        assert_eq!(result("subtract", json!({"a": 3.5, "b": 0.25})), 3.25, "{target}");
        assert_eq!(result("add_or_subtract", json!({"a": 1e300, "b": 1, "do_addition": true})), 1e300, "{target}");
        assert_eq!(result("add_or_subtract", json!({"a": 1.5, "b": 1, "do_addition": false})), 0.5, "{target}");
    }
}

#[test]
fn an_array_is_multiplied() {
    let bridge = cpp();
    for target in TARGETS_32 {
        let xin: Vec<f64> = (0..500).map(|index| f64::from(index) * 0.125).collect();
        let doubled: Vec<f64> = xin.iter().map(|value| value * -2.0).collect();
        let answer = bridge.call(target.name(), "scalar_multiply", json!({"a": -2, "xin": xin}));
        assert_eq!(answer.output("xout"), json!(doubled), "{target}");
    }
}

#[test]
fn strings_are_reversed_in_our_memory_and_in_the_librarys() {
    let bridge = cpp();
    for target in TARGETS_32 {
        let arguments = json!({"original": "hello world!", "n": 12});
        let answer = bridge.call(target.name(), "reverse_string_v1", arguments.clone());
        assert_eq!(answer.output("reversed"), "!dlrow olleh", "{target}");
        assert_eq!(bridge.call(target.name(), "reverse_string_v2", arguments).result(), "!dlrow olleh", "{target}");
        let short = json!({"original": "hello", "n": 2});
        assert_eq!(bridge.call(target.name(), "reverse_string_v2", short).result(), "eh", "{target}");
    }
}

#[test]
fn four_points_go_by_value() {
    let bridge = cpp();
    let square = [(0, 0), (0, 1), (1, 1), (1, 0)].map(|(x, y)| json!({"x": x, "y": y}));
    for target in TARGETS_32 {
        let call = |points: &[Value]| bridge.call(target.name(), "distance_4_points", json!({"p": {"points": points}}));
        assert_eq!(call(&square).result(), 4.0, "{target}");
        let open = call(&square[..3]).result().as_f64().unwrap();
        assert!((open - 2.0 - 2_f64.sqrt()).abs() < 1e-9, "what is left out is zero, as in C, on {target}: {open}");
        call(&[&square[..], &square[..1]].concat()).mismatch("/p/points");
        let mut wrong = square.clone();
        wrong[2] = json!({"x": 1, "y": "far"});
        call(&wrong).mismatch("/p/points/2/y");
    }
}

#[test]
fn the_circumference_of_a_circle_is_estimated_from_points_behind_a_pointer() {
    let bridge = cpp();
    for target in TARGETS_32 {
        let circle = |n: u32| -> Vec<Value> {
            let angle = |index: u32| f64::from(index) * std::f64::consts::TAU / f64::from(n);
            (0..n).map(|index| json!({"x": angle(index).cos() * 0.5, "y": angle(index).sin() * 0.5})).collect()
        };
        let call = |points: Value| bridge.call(target.name(), "distance_n_points", json!({"p": points}));
        for n in [2_u32, 3, 1000] {
            let length = call(json!({"n": n, "points": circle(n)})).result().as_f64().unwrap();
            let exact = f64::from(n) * (std::f64::consts::PI / f64::from(n)).sin();
            assert!((length - exact).abs() < 1e-9, "{n} points on {target}: {length} {exact}");
        }
        assert_eq!(call(json!({"n": 1, "points": circle(1)})).result(), 0.0, "{target}");
        assert_eq!(call(json!({"points": circle(4)})).status, 200, "the number is inferred on {target}");
        call(json!({"n": 5, "points": circle(4)})).mismatch_within("/p");
    }
}

#[test]
fn a_mangled_export_is_called_by_the_name_that_the_header_gives() {
    let bridge = cpp();
    for target in TARGETS_32 {
        let arguments = json!({"a": {"x": 1, "y": 1}, "b": {"x": 4, "y": 5}});
        assert_eq!(bridge.call(target.name(), "distance", arguments).result(), 5.0, "{target}");
    }
}
