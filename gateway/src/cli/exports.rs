//! `bridge32 exports`: lists what a library file exports, without running it.

use std::path::PathBuf;

use bridge32_image::{Export, ExportKind};
use clap::Args;

use super::{Failed, headers, note, print};

/// List what a library file exports, without running it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bridge32 exports vendor.dll
  bridge32 exports vendor.dll --filter init
  bridge32 exports libz.so.1 --json | jq -r '.exports[].name'")]
pub(super) struct Exports {
    /// The library file: PE (.dll) or ELF (.so)
    file: PathBuf,
    /// Print everything that is known as JSON
    #[arg(long)]
    json: bool,
    /// Only names that contain this, in upper or lower case
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
}

impl Exports {
    pub(super) fn run(self) -> Result<(), Failed> {
        let mut image = headers::library(&self.file)?;
        let total = image.exports.len();
        if let Some(filter) = &self.filter {
            let filter = filter.to_lowercase();
            let has = |name: &Option<String>| name.as_ref().is_some_and(|name| name.to_lowercase().contains(&filter));
            image.exports.retain(|export| has(&export.name) || has(&export.demangled));
        }
        if self.json {
            print(serde_json::to_string_pretty(&image).map_err(Failed::problem)?);
            return Ok(());
        }
        for line in table(&image.sorted_exports()) {
            print(line);
        }
        let runtime = image.runtime().map_or("no runtime can load it".to_owned(), |name| format!("runtime {name}"));
        note(format_args!(
            "{} of {total} exports · {} for {} · {runtime}",
            image.exports.len(),
            image.format,
            image.architecture
        ));
        for warning in &image.warnings {
            note(format_args!("warning: {warning}"));
        }
        Ok(())
    }
}

/// Columns as wide as they need to be; the last one ends where it ends.
fn table(exports: &[&Export]) -> Vec<String> {
    let header = ["ORDINAL", "KIND", "ADDRESS", "NAME", "MEANING"].map(str::to_owned);
    let rows: Vec<[String; 5]> = std::iter::once(header).chain(exports.iter().map(|export| row(export))).collect();
    let mut widths = [0; 5];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &[String; 5]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

fn row(export: &Export) -> [String; 5] {
    let kind = match export.kind {
        ExportKind::Function => "function",
        ExportKind::Data => "data",
        ExportKind::Forwarder => "forwarder",
    };
    let decoration = export.decoration.as_ref().map(|decoration| {
        let convention = format!("{:?}", decoration.convention).to_lowercase();
        match decoration.argument_bytes {
            Some(bytes) => format!("{} ({convention}, {bytes} bytes of arguments)", decoration.bare),
            None => format!("{} ({convention})", decoration.bare),
        }
    });
    let forwarder = export.forwarder.as_ref().map(|forwarder| format!("-> {forwarder}"));
    let version = export.version.as_ref().map(|version| format!("version {version}"));
    let meaning: Vec<String> =
        [forwarder, export.demangled.clone(), decoration, version].into_iter().flatten().collect();
    [
        export.ordinal.map(|ordinal| ordinal.to_string()).unwrap_or_default(),
        kind.to_owned(),
        export.address.map(|address| format!("{address:#x}")).unwrap_or_default(),
        export.name.clone().unwrap_or_else(|| "(by ordinal only)".to_owned()),
        meaning.join("; "),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_what_a_name_means() {
        let export = |name: Option<&str>, ordinal| Export {
            name: name.map(str::to_owned),
            ordinal: Some(ordinal),
            kind: ExportKind::Function,
            address: Some(0x1000),
            forwarder: None,
            decoration: name.and_then(bridge32_image::Decoration::parse_certain),
            demangled: None,
            version: None,
            hidden: false,
        };
        let lines = table(&[&export(Some("_Add@8"), 1), &export(None, 12)]);
        assert_eq!(lines[0], "ORDINAL  KIND      ADDRESS  NAME               MEANING");
        assert_eq!(lines[1], "1        function  0x1000   _Add@8             Add (stdcall, 8 bytes of arguments)");
        assert_eq!(lines[2], "12       function  0x1000   (by ordinal only)");
    }
}
