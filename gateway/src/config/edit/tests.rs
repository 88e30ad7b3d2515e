//! What a configuration is after a library was added, to the byte.

use super::*;

const BEFORE: &str = "# mine\nlisten = \"127.0.0.1:0\"   # here\n\n[auth]\nmode = \"off\"\n\n[library.old]\nfile   = \"old.so\"  # aligned\n\n# the end\n";

fn folder(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().canonicalize().unwrap().join("bridge32.toml");
    std::fs::write(&file, text).unwrap();
    std::fs::create_dir(file.with_file_name("lib")).unwrap();
    for other in ["lib/new.so", "new.h", "other.h"] {
        std::fs::write(file.with_file_name(other), "").unwrap();
    }
    (folder, file)
}

fn added(name: &str, directory: &Path) -> Added {
    Added {
        name: name.to_owned(),
        file: directory.join("lib/new.so"),
        headers: vec![directory.join("new.h")],
        encoding: None,
        definitions: Vec::new(),
    }
}

#[test]
fn the_rest_of_the_file_stays_as_it_is() {
    let (_folder, file) = folder(BEFORE);
    let new = added("new", file.parent().unwrap());
    let edited = with_library(&file, &new).unwrap();
    let table = "[library.new]\nfile = \"lib/new.so\"\nheader = \"new.h\"\n";
    assert_eq!(edited.table, table);
    assert_eq!(edited.text, format!("{BEFORE}\n{table}"));
    replace(&file, &edited, &new).unwrap();
    let config = super::super::load(&file, []).unwrap().config;
    assert_eq!(config.libraries.keys().collect::<Vec<_>>(), ["new", "old"]);
    assert_eq!(config.libraries["new"].headers, [file.with_file_name("new.h")]);
}

#[test]
fn line_ends_and_marks_of_editors_stay_as_they_are() {
    let table = "\r\n[library.new]\r\nfile = \"lib/new.so\"\r\nheader = \"new.h\"\r\n";
    let windows = format!("\u{feff}{}", BEFORE.replace('\n', "\r\n"));
    let cut = windows.trim_end().to_owned();
    for (before, after) in [(windows.clone(), format!("{windows}{table}")), (cut.clone(), format!("{cut}\r\n{table}"))]
    {
        let (_folder, file) = folder(&before);
        add(&file, &added("new", file.parent().unwrap())).unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), after.as_bytes());
    }
    let inline = "\u{feff}# mine\r\nauth.mode = 'off'\r\nlibrary = { a = { file = 'a.so' } } # here\r\n# end\r\n";
    let (_folder, file) = folder(inline);
    add(&file, &added("new", file.parent().unwrap())).unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let rest = text.replace(" , new = { file = \"lib/new.so\", header = \"new.h\" }", "");
    assert_eq!(rest, inline, "{text}");
}

#[test]
fn what_was_edited_meanwhile_stays_and_a_name_that_was_taken_meanwhile_is_refused() {
    let (_folder, file) = folder(BEFORE);
    let new = added("new", file.parent().unwrap());
    with_library(&file, &new).unwrap();
    let edited = format!("{BEFORE}\n[library.other]\nfile = 'other.so'\n");
    std::fs::write(&file, &edited).unwrap();
    add(&file, &new).unwrap();
    let after = std::fs::read_to_string(&file).unwrap();
    assert!(after.starts_with(&edited), "{after}");
    let error = add(&file, &new).unwrap_err().to_string();
    assert!(error.contains("there is a library `new` already"), "{error}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), after);
}

#[test]
fn tables_may_be_written_in_any_way() {
    for text in [
        "auth.mode = 'off'\n",
        "auth.mode='off'\nlibrary = { a = { file = 'a.so' } }\n",
        "auth.mode='off'\n[library]\na.file = 'a.so'\n",
        "auth.mode='off'\nlibrary.a.file = 'a.so'\n",
        "[library]\n[library.a]\nfile = 'a.so'\n[auth]\nmode = 'off'",
    ] {
        let (_folder, file) = folder(text);
        let new = added("new", file.parent().unwrap());
        let edited = with_library(&file, &new).unwrap();
        replace(&file, &edited, &new).unwrap_or_else(|error| panic!("{text}: {error}\n{}", edited.text));
    }
    let (_folder, file) = folder("library = 5\n");
    assert!(
        with_library(&file, &added("new", Path::new("/"))).unwrap_err().to_string().contains("`library` is no table")
    );
}

#[test]
fn everything_that_is_said_of_a_library_is_written() {
    let (_folder, file) = folder(BEFORE);
    let mut all = added("new", file.parent().unwrap());
    all.headers.push(file.with_file_name("other.h"));
    all.encoding = Some("gbk".to_owned());
    all.definitions = vec![("UNICODE".to_owned(), "1".to_owned())];
    let edited = with_library(&file, &all).unwrap();
    for line in ["header = [\"new.h\", \"other.h\"]", "encoding = \"gbk\"", "definitions = { UNICODE = \"1\" }"] {
        assert!(edited.table.contains(line), "no {line} in {}", edited.table);
    }
    replace(&file, &edited, &all).unwrap();
}

#[test]
fn what_would_not_load_changes_nothing() {
    let (_folder, file) = folder(BEFORE);
    let edited = Edited { text: format!("{BEFORE}\n[library.new]\nfil = 1\n"), table: String::new() };
    let new = added("new", file.parent().unwrap());
    let error = replace(&file, &edited, &new).unwrap_err().to_string();
    assert!(
        error.contains("nothing was changed") && error.contains("bridge32.toml:13") && !error.contains(".bridge32-"),
        "{error}"
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), BEFORE);
    assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 4);
    let table = "\n[library.new]\nfile = 'lib/new.so'\nheader = 'other.h'\n";
    let error = replace(&file, &Edited { text: format!("{BEFORE}{table}"), table: String::new() }, &new).unwrap_err();
    assert!(error.to_string().contains("other.h, which is not "), "{error}");
}

#[test]
fn a_path_outside_is_written_as_it_was_given() {
    let (_folder, file) = folder(BEFORE);
    let (lib, inside) = (file.with_file_name("lib"), file.with_file_name("lib/new.so"));
    let at = |directory: &Path| for_file(&inside, &[directory.to_owned()]);
    assert_eq!(at(file.parent().unwrap()), "lib/new.so");
    assert_eq!(at(Path::new("/")), inside.strip_prefix("/").unwrap().display().to_string());
    assert_eq!(for_file(&file, &[lib]), file.display().to_string());
    let way = relative(Path::new("/srv/vendor/a.so"), Path::new("/srv/bridge"));
    assert_eq!(way, Some(PathBuf::from("../vendor/a.so")));
}

#[cfg(unix)]
#[test]
fn links_among_the_folders_lead_to_the_file_that_was_given() {
    use std::os::unix::fs::symlink;
    let (_folder, real) = folder(BEFORE);
    let data = real.parent().unwrap();
    let home = tempfile::tempdir().unwrap();
    let home = home.path().canonicalize().unwrap();
    // `cfg/..` is not the folder that `cfg` is in.
    symlink(data, home.join("cfg")).unwrap();
    std::fs::create_dir(home.join("lib")).unwrap();
    std::fs::write(home.join("lib/v.dll"), "").unwrap();
    let here = std::env::current_dir().unwrap();
    let from_here = relative(&home, &here).unwrap();
    for (file, library, header) in [
        (home.join("cfg/bridge32.toml"), home.join("cfg/lib/new.so"), home.join("cfg/new.h")),
        (home.join("cfg/bridge32.toml"), from_here.join("lib/v.dll"), from_here.join("cfg/new.h")),
        (real.clone(), from_here.join("lib/v.dll"), home.join("cfg/lib/../new.h")),
    ] {
        std::fs::write(&real, BEFORE).unwrap();
        let new = Added { file: library.clone(), headers: vec![header], ..added("new", data) };
        let edited = with_library(&file, &new).unwrap();
        replace(&file, &edited, &new).unwrap_or_else(|error| panic!("{error}: {}", edited.table));
        let config = super::super::load(&file, []).unwrap().config;
        let LibraryFile::Host(written) = &config.libraries["new"].file else { panic!("{config:?}") };
        assert!(is_same(written, &library), "{} is not {}", written.display(), library.display());
        assert!(edited.table.contains("header = \"new.h\""), "{}", edited.table);
    }
}

#[cfg(unix)]
#[test]
fn a_configuration_that_is_a_link_names_files_that_are_the_same_from_both_folders() {
    let (_folder, real) = folder(BEFORE);
    let home = tempfile::tempdir().unwrap();
    let link = home.path().canonicalize().unwrap().join("bridge32.toml");
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let new = added("new", real.parent().unwrap());
    let edited = with_library(&link, &new).unwrap();
    replace(&link, &edited, &new).unwrap();
    assert!(link.is_symlink() && edited.table.contains(&new.headers[0].display().to_string()), "{}", edited.table);
}

#[cfg(unix)]
#[test]
fn the_mode_of_the_file_is_kept() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, file) = folder(BEFORE);
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
    let new = added("new", file.parent().unwrap());
    replace(&file, &with_library(&file, &new).unwrap(), &new).unwrap();
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
}
