//! SQLite, unchanged, for i386 ELF and i386 Windows: rows through a callback, statements and connections as handles.

use bridge32_tests::{Bridge, TARGETS_32, Value, fixture, json};

const OK: i64 = 0;
const ROW: i64 = 100;
const DONE: i64 = 101;

fn sqlite() -> Bridge {
    Bridge::start(|config| {
        for target in TARGETS_32 {
            config.library(target.name(), fixture::foreign("sqlite3", target)).header(fixture::header("sqlite3"));
        }
    })
}

/// One of the two libraries, with a connection to a database in memory.
struct Connection<'a> {
    bridge: &'a Bridge,
    library: &'static str,
    db: Value,
}

impl<'a> Connection<'a> {
    fn open(bridge: &'a Bridge, library: &'static str) -> Self {
        let body = bridge.call(library, "sqlite3_open", json!({"filename": ":memory:"})).ok();
        assert_eq!(body["result"], OK, "{library}: {body}");
        let db = body["outputs"]["db"].clone();
        assert!(db.is_string(), "a handle on {library}: {body}");
        Self { bridge, library, db }
    }

    fn call(&self, function: &str, arguments: Value) -> Value {
        self.bridge.call(self.library, function, arguments).ok()
    }

    fn run(&self, sql: &str) {
        let body = self.call("sqlite3_exec", json!({"db": self.db, "sql": sql, "callback": null}));
        assert_eq!((&body["result"], &body["outputs"]["message"]), (&json!(OK), &Value::Null), "{sql}: {body}");
    }

    /// Every row as the callback gets it.
    fn rows(&self, sql: &str) -> Vec<Value> {
        let callback = json!({"returns": 0, "record": true});
        let body = self.call("sqlite3_exec", json!({"db": self.db, "sql": sql, "callback": callback}));
        assert_eq!(body["result"], OK, "{sql}: {body}");
        let invocations = &body["outputs"]["callback"]["invocations"];
        let invocations = invocations.as_array().unwrap_or_else(|| panic!("no invocations: {body}"));
        assert_eq!(body["outputs"]["callback"]["count"], invocations.len(), "{body}");
        invocations.iter().map(|invocation| invocation["args"].clone()).collect()
    }

    fn prepare(&self, sql: &str) -> Value {
        let body = self.call("sqlite3_prepare_v2", json!({"db": self.db, "sql": sql, "size": -1}));
        assert_eq!(body["result"], OK, "{sql}: {body}");
        body["outputs"]["statement"].clone()
    }

    fn result(&self, function: &str, arguments: Value) -> Value {
        self.call(function, arguments)["result"].clone()
    }

    fn close(self) {
        assert_eq!(self.result("sqlite3_close", json!({"db": self.db})), OK, "{}", self.library);
    }
}

/// The way of a client through all of SQLite that the header declares.
#[test]
fn a_database_is_opened_filled_asked_and_closed() {
    let bridge = sqlite();
    for target in TARGETS_32 {
        let version = bridge.call(target.name(), "sqlite3_libversion", json!({})).result();
        assert!(version.as_str().unwrap().starts_with("3."), "{target}: {version}");
        let connection = Connection::open(&bridge, target.name());
        connection.run("create table parts (id integer primary key, name text, price real)");
        connection.run("insert into parts values (1, 'Schraube', 0.25), (2, '螺母', null)");
        assert_eq!(connection.result("sqlite3_changes", json!({"db": connection.db})), 2, "{target}");

        let rows = connection.rows("select id, name, price from parts order by id");
        let names = json!(["id", "name", "price"]);
        let row = |values| json!({"context": null, "count": 3, "values": values, "names": names});
        assert_eq!(rows, [row(json!(["1", "Schraube", "0.25"])), row(json!(["2", "螺母", null]))], "{target}");

        let statement = connection.prepare("insert into parts values (?1, ?2, 9007199254740993)");
        let bind = |function, more: Value| {
            let mut arguments = json!({"statement": statement});
            arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            assert_eq!(connection.result(function, arguments), OK, "{function} on {target}");
        };
        bind("sqlite3_bind_int64", json!({"index": 1, "value": 9_000_000_000_i64}));
        let text = json!({"index": 2, "text": "Mutter", "size": -1, "destructor": "SQLITE_TRANSIENT"});
        bind("sqlite3_bind_text", text);
        assert_eq!(connection.result("sqlite3_step", json!({"statement": statement})), DONE, "{target}");
        assert_eq!(connection.result("sqlite3_finalize", json!({"statement": statement})), OK, "{target}");
        let row = connection.result("sqlite3_last_insert_rowid", json!({"db": connection.db}));
        assert_eq!(row, 9_000_000_000_i64, "{target}");

        let statement = connection.prepare("select id, name, price, null from parts where id > 2");
        assert_eq!(connection.result("sqlite3_step", json!({"statement": statement})), ROW, "{target}");
        assert_eq!(connection.result("sqlite3_column_count", json!({"statement": statement})), 4, "{target}");
        let column = |function, index| connection.result(function, json!({"statement": statement, "column": index}));
        assert_eq!(column("sqlite3_column_int64", 0), 9_000_000_000_i64, "{target}");
        assert_eq!(column("sqlite3_column_int", 0), 410_065_408, "the low half on {target}");
        assert_eq!(column("sqlite3_column_text", 1), "Mutter", "{target}");
        assert_eq!(column("sqlite3_column_name", 1), "name", "{target}");
        assert_eq!(column("sqlite3_column_double", 2), 9_007_199_254_740_992_f64, "{target}");
        assert_eq!((column("sqlite3_column_type", 3), column("sqlite3_column_text", 3)), (json!(5), Value::Null));
        assert_eq!(connection.result("sqlite3_step", json!({"statement": statement})), DONE, "{target}");
        assert_eq!(connection.result("sqlite3_finalize", json!({"statement": statement})), OK, "{target}");
        connection.close();
    }
}

#[test]
fn a_callback_can_end_the_search() {
    let bridge = sqlite();
    for target in TARGETS_32 {
        let connection = Connection::open(&bridge, target.name());
        let sql = "with recursive n(i) as (select 1 union all select i + 1 from n limit 1000) select i from n";
        assert_eq!(connection.rows(sql).len(), 1000, "{target}");
        let callback = json!({"returns": 0, "stop_after": 3, "stop_returns": 1, "record": true});
        let body = connection.call("sqlite3_exec", json!({"db": connection.db, "sql": sql, "callback": callback}));
        assert_eq!(body["result"], 4, "SQLITE_ABORT on {target}: {body}");
        assert_eq!(body["outputs"]["callback"]["count"], 3, "{target}: {body}");
        assert_eq!(body["outputs"]["message"], "query aborted", "{target}: {body}");
        connection.close();
    }
}

#[test]
fn an_error_message_is_read_and_then_freed_as_the_header_says() {
    let bridge = sqlite();
    for target in TARGETS_32 {
        let connection = Connection::open(&bridge, target.name());
        for _ in 0..100 {
            let arguments = json!({"db": connection.db, "sql": "select * from nowhere", "callback": null});
            let body = connection.call("sqlite3_exec", arguments);
            assert_eq!(body["result"], 1, "SQLITE_ERROR on {target}: {body}");
            assert_eq!(body["outputs"]["message"], "no such table: nowhere", "{target}: {body}");
        }
        assert_eq!(
            connection.result("sqlite3_errmsg", json!({"db": connection.db})),
            "no such table: nowhere",
            "{target}"
        );
        connection.close();
    }
}

#[test]
fn a_closed_connection_is_stale_and_one_that_could_not_be_closed_is_not() {
    let bridge = sqlite();
    for target in TARGETS_32 {
        let connection = Connection::open(&bridge, target.name());
        let statement = connection.prepare("select 1");
        let (db, library) = (connection.db.clone(), connection.library);
        assert_eq!(connection.result("sqlite3_close", json!({"db": db})), 5, "SQLITE_BUSY on {target}");
        assert_eq!(connection.result("sqlite3_finalize", json!({"statement": statement})), OK, "{target}");
        let again = bridge.call(library, "sqlite3_step", json!({"statement": statement})).refused(410, "stale_handle");
        assert_eq!((&again["pointer"], &again["execution"]), (&json!("/statement"), &json!("not_run")), "{target}");
        connection.close();
        for function in ["sqlite3_errmsg", "sqlite3_close", "sqlite3_changes"] {
            let problem = bridge.call(library, function, json!({"db": db})).refused(410, "stale_handle");
            assert!(problem["detail"].as_str().unwrap().contains("sqlite3_close"), "who closed it: {problem}");
        }
    }
}

#[test]
fn a_handle_of_another_kind_is_refused() {
    let bridge = sqlite();
    for target in TARGETS_32 {
        let connection = Connection::open(&bridge, target.name());
        let statement = connection.prepare("select 1");
        let detail = bridge.call(connection.library, "sqlite3_errmsg", json!({"db": statement})).mismatch("/db");
        assert!(detail.contains("sqlite3_stmt"), "{target}: {detail}");
        bridge.call(connection.library, "sqlite3_step", json!({"statement": connection.db})).mismatch("/statement");
        for nonsense in [json!(null), json!(5), json!({}), json!({"$handle": 1}), json!([])] {
            bridge.call(connection.library, "sqlite3_errmsg", json!({"db": nonsense})).mismatch_within("/db");
        }
        let spelled = json!({"db": {"$handle": connection.db}});
        assert_eq!(bridge.call(connection.library, "sqlite3_changes", spelled).result(), 0, "{target}");
        assert_eq!(connection.result("sqlite3_finalize", json!({"statement": statement})), OK, "{target}");
        connection.close();
    }
}

#[test]
#[cfg_attr(feature = "windows-gateway", ignore = "it is about an ELF library and a DLL")]
fn a_handle_of_another_library_is_refused() {
    let bridge = sqlite();
    let connections = TARGETS_32.map(|target| Connection::open(&bridge, target.name()));
    let pairs = connections.iter().flat_map(|one| connections.iter().map(move |other| (one.library, other)));
    for (library, Connection { db: foreign, .. }) in pairs.filter(|(library, other)| *library != other.library) {
        let answer = bridge.call(library, "sqlite3_errmsg", json!({"db": foreign}));
        assert!([410, 422].contains(&answer.status), "{}", answer.text);
        assert_eq!(bridge.call(library, "sqlite3_libversion_number", json!({})).status, 200);
    }
    connections.into_iter().for_each(Connection::close);
}

#[test]
fn live_handles_are_listed_with_what_closes_them() {
    let bridge = sqlite();
    for target in TARGETS_32 {
        let list = || bridge.client().get(&format!("/v1/agents/{target}/handles")).ok()["handles"].clone();
        assert_eq!(list(), json!([]), "{target}");
        let connection = Connection::open(&bridge, target.name());
        let statement = connection.prepare("select 1");
        let listed = list();
        let [db, second] = &listed.as_array().unwrap()[..] else { panic!("two handles: {listed}") };
        assert_eq!((&db["handle"], &db["kind"]), (&connection.db, &json!("sqlite3")), "{target}");
        assert_eq!((&db["origin"], &db["freed_by"]), (&json!("sqlite3_open"), &json!("sqlite3_close")), "{target}");
        assert_eq!((&second["handle"], &second["kind"]), (&statement, &json!("sqlite3_stmt")), "{target}");
        assert!(!listed.to_string().contains("0x"), "no addresses: {listed}");
        assert_eq!(connection.result("sqlite3_finalize", json!({"statement": statement})), OK, "{target}");
        connection.close();
        assert_eq!(list(), json!([]), "{target}");
    }
}

#[test]
fn one_request_opens_works_and_closes() {
    let bridge = sqlite();
    let db = json!({"$ref": "0.outputs.db"});
    for target in TARGETS_32 {
        let exec = |sql| ("sqlite3_exec", json!({"db": db, "sql": sql, "callback": {"returns": 0, "record": true}}));
        let calls = [
            ("sqlite3_open", json!({"filename": ":memory:"})),
            exec("create table t (a); insert into t values (1), (2)"),
            exec("select sum(a) as total from t"),
            ("sqlite3_close", json!({"db": db})),
            ("sqlite3_changes", json!({"db": db})),
        ];
        let outcomes = bridge.batch(target.name(), true, &calls);
        assert!(outcomes[..4].iter().all(|outcome| outcome["result"] == OK), "{target}: {outcomes:?}");
        let args = &outcomes[2]["outputs"]["callback"]["invocations"][0]["args"];
        assert_eq!((&args["values"], &args["names"]), (&json!(["3"]), &json!(["total"])), "{target}: {args}");
        assert_eq!(outcomes[4]["code"], "stale_handle", "{target}: {}", outcomes[4]);
    }
}

#[test]
fn a_database_in_a_file_is_the_same_for_both() {
    let bridge = sqlite();
    let file = bridge.config().folder().join("both.db");
    let names = [file.to_str().unwrap().to_owned(), bridge32_tests::windows_path(&file)];
    for (target, name) in TARGETS_32.into_iter().zip(names) {
        let body = bridge.call(target.name(), "sqlite3_open", json!({"filename": name})).ok();
        assert_eq!(body["result"], OK, "{target}: {body}");
        let connection = Connection { bridge: &bridge, library: target.name(), db: body["outputs"]["db"].clone() };
        connection.run("create table if not exists visits (who text)");
        connection.run(&format!("insert into visits values ('{target}')"));
        let seen = connection.rows("select group_concat(who) from visits");
        let expected = if target == TARGETS_32[0] { "linux32" } else { "linux32,win32" };
        assert_eq!(seen[0]["values"], json!([expected]), "{target}");
        connection.close();
    }
}
