//! Tests that JSON parses and follows the schema.

use jsonschema::Validator;
use serde_json::Value;

use super::golden::compare_text;
use super::{ALL, envelope, layout, render, scene};
use crate::fields::Shape;
use crate::model::{Family, OwnedRow, Protocol, Row, Socket};
use crate::render::{Engine, Envelope, Field, Format, Repetition, SCHEMA, Stamp};
use crate::text;

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

fn document() -> Value {
    let text = render(Format::Json, layout(Format::Json, &ALL), &scene::rows());
    serde_json::from_str(&text).unwrap()
}

fn validator() -> Validator {
    validator_of("")
}

/// The validator of one definition of the schema, or of all of it.
pub(super) fn validator_of(definition: &str) -> Validator {
    let mut schema = schema();
    if !definition.is_empty() {
        let definitions = schema["$defs"].clone();
        schema = definitions[definition].clone();
        schema["$defs"] = definitions;
    }
    jsonschema::draft202012::new(&schema).unwrap()
}

#[test]
fn the_schema_is_one_and_the_document_follows_it() {
    assert!(jsonschema::draft202012::meta::is_valid(&schema()));
    let document = document();
    let errors: Vec<_> = validator()
        .iter_errors(&document)
        .map(|error| format!("{} {error}", error.instance_path()))
        .collect();
    assert_eq!(errors, Vec::<String>::new());
}

#[test]
fn an_empty_listing_follows_the_schema() {
    let text = render(Format::Json, layout(Format::Json, &[]), &[]);
    assert!(text.contains("\"sockets\":[],"), "{text}");
    assert!(validator().is_valid(&serde_json::from_str(&text).unwrap()));
}

fn remove(object: &mut Value, key: &str) {
    assert!(object.as_object_mut().unwrap().remove(key).is_some());
}

#[test]
fn the_schema_rejects_what_is_broken() {
    let breakages: [fn(&mut Value); 8] = [
        |d| d["sockets"][0]["extra"] = Value::Null,
        |d| d["sockets"][0]["state"] = "ESTAB".into(),
        |d| d["sockets"][0]["cookie"] = 6_699.into(),
        |d| d["sockets"][0]["recv_queue"] = "0".into(),
        |d| remove(&mut d["sockets"][0], "mark"),
        |d| remove(&mut d["sockets"][1]["tcp_info"], "rtt"),
        |d| remove(d, "summary"),
        |d| d["version"] = 1.into(),
    ];
    let validator = validator();
    for (number, breakage) in breakages.into_iter().enumerate() {
        let mut document = document();
        breakage(&mut document);
        assert!(!validator.is_valid(&document), "breakage {number}");
    }
}

#[test]
fn the_schema_names_every_field_of_the_vocabulary_in_its_order() {
    let schema = schema();
    let required = |path: &str| -> Vec<String> {
        let list = schema.pointer(path).unwrap()["required"]
            .as_array()
            .unwrap();
        list.iter()
            .map(|name| name.as_str().unwrap().to_owned())
            .collect()
    };
    let socket = "/$defs/socket";
    assert_eq!(required(socket), Field::VOCABULARY.map(Field::own_name));
    let properties = "/$defs/socket/properties";
    for structure in [
        Field::Timer,
        Field::TcpInfo,
        Field::MptcpInfo,
        Field::SctpInfo,
        Field::XdpInfo,
        Field::TipcInfo,
        Field::SmcInfo,
        Field::Memory,
    ] {
        let parts = structure.parts().into_iter().map(Field::key);
        let named = required(&format!("{properties}/{}", structure.own_name()));
        assert_eq!(named, parts.collect::<Vec<_>>());
    }
}

#[test]
fn the_schema_names_every_word_of_a_field() {
    let schema = schema();
    let flags = [Field::V6Only, Field::AtPath];
    for flag in flags {
        let flag = format!("/$defs/socket/properties/{}/type", flag.name());
        let types = serde_json::json!(["boolean", "null"]);
        assert_eq!(schema.pointer(&flag), Some(&types));
    }
    let has_words = |field: &Field| !field.words().is_empty() && !flags.contains(field);
    for field in Field::comparable().filter(has_words) {
        let name = match field {
            Field::TimerKind => "timer/properties/kind".to_owned(),
            field => field.name(),
        };
        let property = format!("/$defs/socket/properties/{name}/enum");
        let words = schema.pointer(&property).unwrap().as_array().unwrap();
        let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
        let told = match field {
            Field::ProcessStatus => [field.words(), &["not_searched"]].concat(),
            _ => field.words().to_vec(),
        };
        assert_eq!(words, told, "{name}");
    }
}

#[test]
fn the_schema_has_the_types_of_the_table_of_fields() {
    let schema = schema();
    let resolved = |mut of: Value| {
        while let Some(to) = of["$ref"].as_str() {
            of = schema.pointer(&to[1..]).unwrap().clone();
        }
        of
    };
    let type_of = |place: &str| {
        let of = resolved(schema.pointer(place).cloned().unwrap());
        let words = of["enum"].as_array();
        let is_text = words.is_some_and(|words| words[0].is_string());
        let told = if is_text {
            &Value::from("string")
        } else {
            &of["type"]
        };
        let told = told.as_array().map_or(told, |told| &told[0]);
        let items = resolved(of["items"].clone());
        let items = items["type"].as_str().unwrap_or_default().to_owned();
        (told.as_str().unwrap().to_owned(), items)
    };
    let expected = |shape| match shape {
        Shape::Number => ("integer", ""),
        Shape::Wide | Shape::Text => ("string", ""),
        Shape::Flag => ("boolean", ""),
        Shape::Texts => ("array", "string"),
        Shape::Numbers => ("array", "integer"),
        Shape::Object => ("object", ""),
        Shape::Objects => ("array", "object"),
    };
    for field in Field::VOCABULARY {
        let place = format!("/$defs/socket/properties/{}", field.name());
        let (told, items) = type_of(&place);
        assert_eq!((&*told, &*items), expected(field.shape()), "{place}");
        for part in field.parts() {
            let place = match field.shape() {
                Shape::Objects => format!("/$defs/process/properties/{}", part.key()),
                _ => format!("{place}/properties/{}", part.key()),
            };
            let (told, items) = type_of(&place);
            assert_eq!((&*told, &*items), expected(part.shape()), "{place}");
        }
    }
}

#[test]
fn what_loads_rows_is_made_of_the_table_of_fields() {
    let mut layout = layout(Format::Ndjson, &[]);
    layout.columns = vec![
        Field::State,
        Field::Cookie,
        Field::V6Only,
        Field::LocalAddresses,
        Field::Timer,
        Field::PendingPeers,
        Field::Pid,
        Field::Fd,
        Field::PeerProcesses,
    ];
    let mut told = String::new();
    let envelopes = [Repetition::Single, Repetition::First].map(|repetition| Envelope {
        repetition,
        stamp: Some(Stamp::default()),
        ..envelope()
    });
    for engine in [Engine::Duckdb, Engine::Clickhouse, Engine::Arrow] {
        for format in [Format::Ndjson, Format::Csv] {
            for envelope in &envelopes {
                told.push_str(&engine.schema(format, &layout, envelope));
            }
        }
    }
    compare_text("schemas.txt", &told);
}

#[test]
fn a_number_of_64_bits_is_text() {
    let mut socket = Socket::new(Protocol::Tcp, Family::Inet);
    socket.cookie = Some(u64::MAX);
    let mut layout = layout(Format::Ndjson, &[]);
    layout.columns = vec![Field::Cookie];
    let row = OwnedRow::keep(&Row::bare(&socket));
    let text = render(Format::Ndjson, layout, &[row]);
    assert_eq!(text, "{\"cookie\":\"18446744073709551615\"}\n");
}

#[test]
fn keys_come_in_the_order_of_the_vocabulary_whatever_the_protocol() {
    let text = render(Format::Ndjson, layout(Format::Ndjson, &[]), &scene::rows());
    assert_eq!(text.lines().count(), scene::rows().len());
    for line in text.lines() {
        let places =
            Field::VOCABULARY.map(|column| line.find(&format!("\"{}\":", column.own_name())));
        assert!(places.is_sorted() && places[0] == Some(1), "{line}");
        let object: Value = serde_json::from_str(line).unwrap();
        assert_eq!(object.as_object().unwrap().len(), Field::VOCABULARY.len());
    }
}

#[test]
fn the_document_is_whole_only_with_its_summary() {
    let rows = scene::rows();
    let text = render(Format::Json, layout(Format::Json, &[]), &rows[3..6]);
    assert!(text.ends_with("}\n"));
    for end in 0..text.trim_end().len() {
        let Some(cut) = text.get(..end) else { continue };
        assert!(serde_json::from_str::<Value>(cut).is_err());
    }
}

#[test]
fn values_have_their_types() {
    let sockets = &document()["sockets"];
    assert_eq!(sockets[0]["cookie"], "6699");
    assert_eq!(sockets[0]["local_port"], 80);
    assert_eq!(sockets[0]["peer_port"], Value::Null);
    assert_eq!(sockets[0]["processes"][1]["fds"], Value::from(vec![6]));
    assert_eq!(sockets[1]["processes"], Value::Array(Vec::new()));
    assert_eq!(sockets[1]["timer"]["expires_ms"], 7_140_000);
    assert_eq!(sockets[1]["memory"]["sndbuf"], Value::Null);
    assert_eq!(sockets[1]["memory"]["rmem_alloc"], 0);
    assert_eq!(sockets[2]["local_address"], "::ffff:10.0.0.1");
    assert_eq!(sockets[2]["tcp_info"]["bytes_acked"], Value::Null);
    assert_eq!(sockets[2]["processes"], Value::Null);
    assert_eq!(sockets[8]["state"], "UNKNOWN(14)");
    assert_eq!(document()["host"], "frodo \"the\" host");
}

#[test]
fn hostile_names_come_back_byte_for_byte() {
    let document = document();
    let name = |pointer: &str| {
        document
            .pointer(pointer)
            .unwrap()
            .as_str()
            .unwrap()
            .to_owned()
    };
    let process = name("/sockets/0/processes/2/name");
    assert_eq!(text::unescape(&process), scene::HOSTILE);
    let unix = name("/sockets/15/local_address");
    assert_eq!(text::unescape(&unix), scene::HOSTILE);
    assert_eq!(name("/sockets/14/local_address"), "@/tmp/.X11-unix/X0");
    assert_eq!(name("/sockets/14/peer_address"), "\\x40not abstract");
}

#[test]
fn chosen_columns_are_the_only_keys_in_their_order() {
    let mut layout = layout(Format::Ndjson, &[]);
    layout.columns = vec![Field::State, Field::Local, Field::Uid, Field::Peer];
    let text = render(Format::Ndjson, layout, &scene::rows());
    let first = text.lines().next().unwrap();
    assert_eq!(
        first,
        r#"{"state":"LISTEN","local":"0.0.0.0:http","uid":0,"peer":"0.0.0.0:*"}"#
    );
}
