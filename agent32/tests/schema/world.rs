//! A library with every kind of type, its schemas, and the marshaller: nothing is called.
#![expect(unsafe_code, reason = "answers are read back, as after a call")]

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use agent32::callbacks::Callbacks;
use agent32::handles::{Handles, Origin};
use agent32::layout::HOST;
use agent32::marshal::arena::Arena;
use agent32::marshal::decode::{self, Pointee, Prepared, Slots};
use agent32::marshal::text::Codec;
use agent32::marshal::{Environment, Home, encode};
use bridge32_interface::schema::{Schemas, json_schema, schemas};
use bridge32_interface::{Header, Options, Source, read};
use bridge32_protocol::interface::{Direction, Interface, Parameter, Type};
use bridge32_protocol::wire::Dialect;
use jsonschema::Validator;
use serde_json::{Map, Value, json};

/// Every kind of type, in every direction. In the functions whose name begins with Plain nothing is an address.
const HEADER: &str = include_str!("../../../fuzz/src/marshal.h");

/// What does not change: made once, because compiling schemas takes its time.
struct Described {
    header: Header,
    schemas: Schemas,
    validators: Vec<(Validator, Validator)>,
}

static DESCRIBED: LazyLock<Described> = LazyLock::new(|| {
    let header = read(&[Source { name: "marshal.h", text: HEADER.as_bytes() }], &Options::new(HOST));
    let schemas = schemas(&header.interface, HOST, "test", &mut str::to_owned);
    let components: Map<String, Value> =
        schemas.components.iter().chain(&schemas.shared).map(|(name, it)| (name.clone(), json_schema(it))).collect();
    let compile = |schema: Value| {
        let root = json!({"allOf": [json_schema(&schema)], "components": {"schemas": components}});
        jsonschema::validator_for(&root).unwrap_or_else(|error| panic!("{error}: {schema}"))
    };
    let answer = |result: &Value, outputs: &Value| json!({"required": ["result", "outputs"], "properties": {"result": result, "outputs": outputs}});
    let validators = schemas
        .functions
        .values()
        .map(|it| (compile(it.arguments.schema.clone()), compile(answer(&it.result.schema, &it.outputs.schema))))
        .collect();
    Described { header, schemas, validators }
});

pub(crate) struct World {
    home: Arc<Home>,
    handles: Arc<Handles>,
    callbacks: Arc<Callbacks>,
    token: String,
}

impl World {
    /// How many functions the header has.
    pub(crate) const COUNT: usize = 13;

    pub(crate) fn new() -> Self {
        Self::of(DESCRIBED.header.interface.clone())
    }

    /// One with another interface.
    pub(crate) fn of(interface: Interface) -> Self {
        let handles = Arc::new(Handles::new("test", 1));
        // Nothing is called, and nobody looks behind this address.
        let origin = Origin { kind: "void", function: "Make", freed_by: None, session: None };
        let token = handles.issue(0x1000_1000, origin).expect("there is room");
        let callbacks = Callbacks::new(Arc::clone(&handles));
        let home = Arc::new(Home::new(interface, HOST, Dialect::Gnu));
        Self { home, handles, callbacks, token }
    }

    pub(crate) fn count(&self) -> usize {
        assert_eq!(DESCRIBED.schemas.functions.len(), self.home.interface.functions.len());
        assert_eq!(DESCRIBED.schemas.functions.len(), Self::COUNT);
        Self::COUNT
    }

    pub(crate) fn name(&self, index: usize) -> &str {
        &self.home.interface.functions[index].name
    }

    pub(crate) fn index(&self, name: &str) -> usize {
        self.home.interface.functions.iter().position(|function| function.name == name).expect("the header has it")
    }

    /// A token that is good for every kind of handle.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    pub(crate) fn schema(index: usize) -> &'static Value {
        &DESCRIBED.schemas.functions[&index].arguments.schema
    }

    pub(crate) fn component(reference: &str) -> &'static Value {
        let name = reference.trim_start_matches("#/components/schemas/");
        DESCRIBED
            .schemas
            .components
            .get(name)
            .or_else(|| DESCRIBED.schemas.shared.get(name))
            .expect("it leads somewhere")
    }

    /// The example of a function's arguments, with tokens that there are.
    pub(crate) fn example(&self, index: usize) -> Option<Value> {
        let example = DESCRIBED.schemas.functions[&index].arguments.example.as_ref()?.to_string();
        serde_json::from_str(&example.replace("test.g1.1.2f9c04b7a1d8", &self.token)).ok()
    }

    pub(crate) fn fits(index: usize, arguments: &Value) -> bool {
        DESCRIBED.validators[index].0.is_valid(arguments)
    }

    /// What is wrong with an answer.
    pub(crate) fn unfit(index: usize, answer: &Value) -> Option<String> {
        DESCRIBED.validators[index].1.validate(answer).err().map(|error| error.to_string())
    }

    /// Whether the marshaller takes arguments; if not, why.
    pub(crate) fn marshal(&self, index: usize, arguments: &Value) -> Result<(), String> {
        self.with(index, arguments, |_, _, _| ())
    }

    /// What would be answered if the library left `byte` everywhere, as far as that is no address.
    pub(crate) fn answer(&self, index: usize, arguments: &Value, byte: u8) -> Result<Value, String> {
        let function = &self.home.interface.functions[index];
        self.with(index, arguments, |prepared, environment, arena| {
            if function.name.starts_with("Plain") {
                for (parameter, pointee) in prepared.parameters.iter().zip(&prepared.pointees) {
                    if let (Pointee::Block(block), Direction::Out | Direction::InOut) = (pointee, parameter.direction) {
                        arena.bytes_mut(*block).fill(byte);
                    }
                }
            }
            let size = if function.result == Type::Void { 0 } else { self.size(&function.result) };
            let result = u64::from(byte).to_le_bytes();
            let mut json = b"{".to_vec();
            // SAFETY: results are numbers, and every address in the outputs is one that the arguments were given or null: a
            // Plain function has none, and the others' memory is as the marshaller has left it.
            let told = unsafe { encode::outcome(&result[..size], function, prepared, environment, arena, &mut json) };
            told.1.map_err(|fault| fault.detail)?;
            json.push(b'}');
            serde_json::from_slice(&json).map_err(|error| error.to_string())
        })?
    }

    fn with<T>(
        &self,
        index: usize,
        arguments: &Value,
        then: impl FnOnce(&Prepared<'_>, Environment<'_>, &mut Arena) -> T,
    ) -> Result<T, String> {
        let function = &self.home.interface.functions[index];
        let codec = Codec { target: HOST, ansi: "windows-1252", lossy: function.lossy };
        let environment = Environment::of(&self.home, codec, &self.handles, &function.name);
        let mut arena = Arena::default();
        let text = arguments.to_string();
        let given = decode::split(&text, function, false).map_err(|fault| fault.detail)?;
        let (ranges, bytes) = self.slots(&given.parameters);
        let slots = Slots { ranges: &ranges, bytes };
        let prepared = decode::arguments(given, slots, environment, &self.callbacks, &mut arena);
        prepared.map(|prepared| then(&prepared, environment, &mut arena)).map_err(|fault| fault.detail)
    }

    /// Slots as a plan would give them.
    fn slots(&self, parameters: &[Parameter]) -> (Vec<Range<usize>>, usize) {
        let mut next = 0;
        let range = |parameter: &Parameter| {
            let (start, size) = (next, self.size(&parameter.ty));
            next += size.next_multiple_of(16);
            start..start + size
        };
        (parameters.iter().map(range).collect(), next)
    }

    fn size(&self, ty: &Type) -> usize {
        self.home.layouts.of(ty).expect("a type that can be passed").size
    }
}
