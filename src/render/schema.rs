//! `--schema`: statements that load rows with the right types, generated from the table of fields.

use super::format::{flat, grouped};
use super::{Envelope, Field, Format, Layout, Repetition, SCHEMA};
use crate::fields::Shape;

/// The engine that loads the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// JSON Schema of all documents.
    Json,
    /// A query of `DuckDB`.
    Duckdb,
    /// A table of `ClickHouse`.
    Clickhouse,
    /// A schema of Apache Arrow, in Python.
    Arrow,
}

/// The type of a column.
enum Type {
    Time,
    Of(Shape),
    /// A list; true if it may be empty as well as null, which differ.
    List(Box<Self>, bool),
    Struct(Vec<(String, Self)>),
}

impl Type {
    fn of(field: Field, parts: &[Field]) -> Self {
        let list = |of, is_told| Self::List(Box::new(of), is_told);
        let members = || {
            let parts = parts.iter();
            let parts = parts.map(|part| (part.key().to_owned(), Self::of(*part, &[])));
            Self::Struct(parts.collect())
        };
        match field.shape() {
            Shape::Texts => list(Self::Of(Shape::Text), false),
            Shape::Numbers => list(Self::Of(Shape::Number), field == Field::PendingPeers),
            // `process_status` says why there are none.
            Shape::Objects => list(members(), field == Field::PeerProcesses),
            Shape::Object => members(),
            other => Self::Of(other),
        }
    }

    /// The type of a CSV field: lists are text there.
    fn of_cell(field: Field) -> Self {
        let is_list = field
            .structure()
            .is_some_and(|of| of.shape() == Shape::Objects);
        Self::Of(match field.shape() {
            _ if is_list => Shape::Text,
            // Digits without quotes.
            Shape::Wide | Shape::Number => Shape::Number,
            Shape::Flag => Shape::Flag,
            _ => Shape::Text,
        })
    }

    fn write(&self, engine: Engine) -> String {
        let members = |members: &[(String, Self)], between: &str| {
            let members = members.iter().map(|(name, of)| {
                let (name, of) = (engine.name(name), of.write(engine));
                format!("{name}{between}{of}")
            });
            members.collect::<Vec<_>>()
        };
        match (self, engine) {
            (Self::List(of, _), Engine::Duckdb | Engine::Json) => format!("{}[]", of.write(engine)),
            (Self::List(of, _), Engine::Arrow) => format!("pa.list_({})", of.write(engine)),
            (Self::List(of, is_told), Engine::Clickhouse) => {
                let of = match of.as_ref() {
                    Self::Of(Shape::Number) => "UInt64".to_owned(),
                    Self::Of(_) => "String".to_owned(),
                    other => other.write(engine),
                };
                // An array cannot be null.
                let [before, behind] = if *is_told {
                    ["Variant(", ")"]
                } else {
                    ["", ""]
                };
                format!("{before}Array({of}){behind}")
            }
            (Self::Struct(parts), Engine::Duckdb | Engine::Json) => {
                format!("STRUCT({})", members(parts, " ").join(", "))
            }
            (Self::Struct(parts), Engine::Clickhouse) => {
                format!("Tuple({})", members(parts, " ").join(", "))
            }
            (Self::Struct(parts), Engine::Arrow) => {
                let parts = members(parts, ", ").into_iter();
                let parts = parts.map(|part| format!("({part})"));
                format!("pa.struct([{}])", parts.collect::<Vec<_>>().join(", "))
            }
            (Self::Time, _) => engine.pick([
                "TIMESTAMPTZ",
                "DateTime64(6, 'UTC')",
                "pa.timestamp('us', tz='UTC')",
            ]),
            (Self::Of(Shape::Number), _) => {
                engine.pick(["UBIGINT", "Nullable(UInt64)", "pa.uint64()"])
            }
            // Strings of digits in JSON, to be loaded as numbers.
            (Self::Of(Shape::Wide), _) => {
                engine.pick(["UBIGINT", "Nullable(UInt64)", "pa.string()"])
            }
            (Self::Of(Shape::Flag), _) => engine.pick(["BOOLEAN", "Nullable(Bool)", "pa.bool_()"]),
            (Self::Of(_), _) => engine.pick(["VARCHAR", "Nullable(String)", "pa.string()"]),
        }
    }
}

impl Engine {
    /// All engines, in the order of the help.
    pub const ALL: [Self; 4] = [Self::Json, Self::Duckdb, Self::Clickhouse, Self::Arrow];

    /// Its name for `--schema`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Duckdb => "duckdb",
            Self::Clickhouse => "clickhouse",
            Self::Arrow => "arrow",
        }
    }

    fn pick(self, [duckdb, clickhouse, arrow]: [&str; 3]) -> String {
        let word = match self {
            Self::Json | Self::Duckdb => duckdb,
            Self::Clickhouse => clickhouse,
            Self::Arrow => arrow,
        };
        word.to_owned()
    }

    /// Quotes a name: some are words of SQL.
    fn name(self, name: &str) -> String {
        match self {
            Self::Json | Self::Duckdb => format!("\"{name}\""),
            Self::Clickhouse => format!("`{name}`"),
            Self::Arrow => format!("'{name}'"),
        }
    }

    /// The statement for the rows of a listing, in [`Format::Csv`] or else NDJSON.
    pub fn schema(self, format: Format, layout: &Layout, envelope: &Envelope) -> String {
        if self == Self::Json {
            return SCHEMA.to_owned();
        }
        let is_csv = matches!(format, Format::Csv | Format::CsvSafe);
        let columns = columns(is_csv, layout, envelope);
        let columns = columns.iter().map(|(name, of)| {
            let (name, of) = (self.name(name), of.write(self));
            match self {
                Self::Json | Self::Duckdb => format!("  {name}: '{of}'"),
                Self::Clickhouse => format!("  {name} {of}"),
                Self::Arrow => format!("  ({name}, {of})"),
            }
        });
        let columns = columns.collect::<Vec<_>>().join(",\n");
        let has_header = layout.header.is_shown();
        match (self, is_csv) {
            (Self::Clickhouse, _) => {
                let format = match (is_csv, has_header) {
                    (false, _) => "JSONEachRow",
                    (true, true) => "CSVWithNames",
                    (true, false) => "CSV",
                };
                format!(
                    "-- INSERT INTO lsock SETTINGS date_time_input_format = 'best_effort',\n\
                     --   input_format_null_as_default = 1, input_format_csv_empty_as_default = 1,\n\
                     --   input_format_skip_unknown_fields = 0 FORMAT {format}\n\
                     CREATE TABLE IF NOT EXISTS lsock (\n{columns}\n) ENGINE = MergeTree ORDER BY tuple();\n"
                )
            }
            (Self::Arrow, false) => format!(
                "import pyarrow as pa\nimport pyarrow.json\n\nschema = pa.schema([\n{columns}\n])\n\
                 options = pa.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior='error')\n\
                 lsock = pa.json.read_json('lsock.ndjson', parse_options=options)\n"
            ),
            (Self::Arrow, true) => {
                let names = if has_header { "[]" } else { "schema.names" };
                format!(
                    "import pyarrow as pa\nimport pyarrow.csv\n\nschema = pa.schema([\n{columns}\n])\n\
                     types = pa.csv.ConvertOptions(column_types=schema, null_values=[''], strings_can_be_null=True)\n\
                     names = pa.csv.ReadOptions(column_names={names})\n\
                     lsock = pa.csv.read_csv('lsock.csv', read_options=names, convert_options=types)\n"
                )
            }
            (Self::Json | Self::Duckdb, false) => format!(
                "SELECT * FROM read_json('lsock.ndjson', format = 'newline_delimited', columns = {{\n{columns}\n}});\n"
            ),
            (Self::Json | Self::Duckdb, true) => format!(
                "SELECT * FROM read_csv('lsock.csv', header = {has_header}, auto_detect = false,\n  \
                 delim = ',', quote = '\"', escape = '\"', columns = {{\n{columns}\n}});\n"
            ),
        }
    }
}

/// Names and types of the columns, in order.
fn columns(is_csv: bool, layout: &Layout, envelope: &Envelope) -> Vec<(String, Type)> {
    let tells_changes = !is_csv && envelope.repetition != Repetition::Single;
    let mut leading = envelope.leading(false);
    if tells_changes {
        leading.extend([("change", None), ("old_state", None)]);
    }
    let leading = leading.into_iter().map(|(name, _)| {
        let of = match name {
            "time" => Type::Time,
            _ => Type::Of(Shape::Text),
        };
        (name.to_owned(), of)
    });
    let fields: Vec<(String, Type)> = if is_csv {
        let cells = flat(&layout.columns).into_iter();
        cells
            .map(|field| (field.csv_header(), Type::of_cell(field)))
            .collect()
    } else {
        let members = grouped(&layout.columns).into_iter();
        members
            .map(|(field, parts)| (field.key().to_owned(), Type::of(field, &parts)))
            .collect()
    };
    leading.chain(fields).collect()
}
