//! Generators accept the demo's document, and what they generate compiles.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use bridge32_tests::json;

use crate::documents::Document;
use crate::tools::{checked, checkout, kit, succeed, tool};

/// Imports a package and all that lies in it: folder, package.
const IMPORT_ALL: &str = "\
import importlib, pkgutil, sys
sys.path.insert(0, sys.argv[1])
package = importlib.import_module(sys.argv[2])
names = [module.name for module in pkgutil.walk_packages(package.__path__, sys.argv[2] + '.')]
for name in names: importlib.import_module(name)
print(len(names), 'modules')
";

/// Runs openapi-generator, into a folder beside the document.
fn openapi_generator(document: &Document, generator: &str, options: &[&str]) -> PathBuf {
    let folder = document.folder().join(generator);
    let mut command = tool("openapi-generator-cli");
    command.args(["generate", "--generator-name", generator, "--input-spec"]).arg(document.path());
    succeed(command.arg("--output").arg(&folder).args(options));
    folder
}

fn import_all(folder: &Path, package: &str) {
    let modules =
        succeed(tool("python").args(["-W", "error::SyntaxWarning", "-c", IMPORT_ALL]).arg(folder).arg(package));
    assert!(modules.split(' ').next().unwrap().parse::<u32>().unwrap() > 20, "{modules}");
}

/// All files of a kind below a folder.
fn files(folder: &Path, suffix: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, suffix));
        } else if path.extension().is_some_and(|extension| extension == suffix) {
            found.push(path);
        }
    }
    found
}

/// Compiles all TypeScript below a folder.
fn tsc(folder: &Path) {
    let options = json!({
        "compilerOptions": {
            "strict": true, "noEmit": true, "target": "es2022", "module": "nodenext",
            "lib": ["es2022", "dom", "dom.iterable"], "types": [],
        },
        "include": ["**/*.ts"],
    });
    std::fs::write(folder.join("tsconfig.json"), options.to_string()).unwrap();
    succeed(tool("tsc").arg("--project").arg(folder));
}

#[test]
fn openapi_generators_python_client_can_be_imported() {
    let start = Instant::now();
    let document = Document::of_the_demo();
    let folder = openapi_generator(&document, "python", &[]);
    import_all(&folder, "openapi_client");
    checked("openapi-generator python, imported", start);
}

#[test]
fn openapi_generators_typescript_client_compiles() {
    let start = Instant::now();
    let document = Document::of_the_demo();
    // Without ".js" in imports Node.js' own modules would not find each other.
    tsc(&openapi_generator(&document, "typescript-fetch", &["--additional-properties", "importFileExtension=.js"]));
    checked("openapi-generator typescript-fetch, compiled by tsc --strict", start);
}

#[test]
fn openapi_generators_java_client_compiles() {
    let start = Instant::now();
    let document = Document::of_the_demo();
    let options = ["--library", "native", "--additional-properties", "useJakartaEe=true,openApiNullable=false"];
    let folder = openapi_generator(&document, "java", &options);
    // The generator itself carries Jackson, which its clients use.
    let packages = kit("python").join("lib");
    let jar =
        files(&packages, "jar").into_iter().find(|jar| jar.ends_with("openapi_generator_cli/openapi-generator.jar"));
    let class_path = format!("{}:/usr/share/java/jakarta-annotation-api.jar", jar.unwrap().display());
    let mut javac = tool("javac");
    javac.args(["-proc:none", "-nowarn", "-d"]).arg(folder.join("classes")).args(["-classpath", &class_path]);
    succeed(javac.args(files(&folder.join("src/main"), "java")));
    checked("openapi-generator java, compiled by javac", start);
}

#[test]
fn openapi_generators_go_client_compiles() {
    let start = Instant::now();
    let document = Document::of_the_demo();
    // Without the prefix two libraries could not have enumerators of the same name.
    let folder =
        openapi_generator(&document, "go", &["--additional-properties", "withGoMod=false,enumClassPrefix=true"]);
    // Its tests import a module that only a proxy has; what the client itself may import is a Debian package.
    std::fs::remove_dir_all(folder.join("test")).unwrap();
    let path = document.folder().join("gopath");
    let place = path.join("src/bridge32client");
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    std::fs::rename(folder, &place).unwrap();
    let mut go = tool("go");
    go.args(["vet", "."]).current_dir(&place).env("GO111MODULE", "off");
    succeed(go.env("GOPATH", format!("{}:/usr/share/gocode", path.display())));
    checked("openapi-generator go, compiled and vetted", start);
}

#[test]
fn openapi_python_client_makes_a_client_that_can_be_imported() {
    let start = Instant::now();
    let document = Document::of_the_demo();
    let folder = document.folder().join("bridge32_client");
    // A header is no media type that it knows: the text is sent as it is.
    let options = document.folder().join("options.yaml");
    std::fs::write(&options, "content_type_overrides: {text/x-c: application/octet-stream}\n").unwrap();
    let mut command = tool("openapi-python-client");
    command.args(["generate", "--meta", "none", "--fail-on-warning", "--config"]).arg(options);
    command.arg("--path").arg(document.path());
    succeed(command.arg("--output-path").arg(&folder));
    import_all(document.folder(), "bridge32_client");
    checked("openapi-python-client, imported", start);
}

#[test]
fn openapi_typescripts_types_compile() {
    let start = Instant::now();
    let document = Document::of_the_demo();
    let folder = document.folder().join("types");
    succeed(tool("openapi-typescript").arg(document.path()).arg("--output").arg(folder.join("bridge32.ts")));
    tsc(&folder);
    checked("openapi-typescript, compiled by tsc --strict", start);
}

#[test]
fn progenitors_client_compiles() {
    let start = Instant::now();
    let document = Document::of_the_demo();
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--locked", "--manifest-path"]).arg(checkout("tests/strangers/rust/Cargo.toml"));
    cargo.arg("--target-dir").arg(kit("rust").join("target")).env("BRIDGE32_DOCUMENT", document.path());
    succeed(&mut cargo);
    checked("progenitor, compiled by cargo", start);
}
