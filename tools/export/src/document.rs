//! `SCHEMA.md`: the schema for people, printed from the schema for programs.

use crate::cell::{Column, Kind};
use crate::schema::TABLES;
use std::fmt::Write;

/// The whole text.
pub fn document() -> String {
    let mut out = String::from(HEAD);
    for table in &TABLES {
        // Writing to a string cannot fail.
        let _ = write!(
            out,
            "\n## `{}`\n\n{}\n\n| column | type | unit | meaning |\n|---|---|---|---|\n",
            table.name, table.doc
        );
        for column in table.columns() {
            let optional = if column.is_nullable { ", optional" } else { "" };
            let _ = writeln!(
                out,
                "| `{}` | {}{optional} | {} | {}{} |",
                column.name,
                kind_name(column.kind),
                column.unit,
                column.doc,
                words(column)
            );
        }
    }
    out
}

const HEAD: &str = "\
# Tables of an exported journal

`smc journal export JOURNAL OUT --csv` or `--parquet` writes a directory with one file a table; tables without rows have
none. Printed from `src/schema.rs` by a test; `SMC_GOLDEN_WRITE=1 cargo test -p smc-export` writes this file anew.

Every record of the journal is one row of one table. `seq` numbers them over all tables, so that `ORDER BY seq` over any
of them is the order in which things happened. An export that leaves nothing out also has `segments`, and `smc journal
restore OUT JOURNAL` makes the same journal of it.

| type | CSV | Parquet |
|---|---|---|
| small, count | digits | UINT_32, UINT_64 |
| code, signed | digits, with a minus | INT32, INT64 |
| decimal | decimal text without superfluous zeros | DECIMAL(19, 8) |
| time | nanoseconds since 1970-01-01T00:00Z | TIMESTAMP(NANOS, UTC); beyond the year 2262 it wraps to before 1970 |
| flag | `true`, `false` | BOOLEAN |
| word | the word | STRING |
| text | the text | STRING |
| bytes | hexadecimal | BYTE_ARRAY |

Optional columns are empty in CSV and null in Parquet where they do not apply; an empty text is `\"\"` in CSV. CSV
follows RFC 4180 with line feeds. A text that a spreadsheet would take for a formula (it begins with `=`, `+`, `-`, `@`, a
tab or a carriage return), or that begins with an apostrophe, has an apostrophe in front in CSV; `restore` takes it away.
";

const fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Small => "small",
        Kind::Count => "count",
        Kind::Code => "code",
        Kind::Signed => "signed",
        Kind::Decimal => "decimal",
        Kind::Time => "time",
        Kind::Flag => "flag",
        Kind::Word => "word",
        Kind::Text => "text",
        Kind::Bytes => "bytes",
    }
}

fn words(column: &Column) -> String {
    match column.words {
        [] => String::new(),
        words => format!(" One of `{}`.", words.join("`, `")),
    }
}
