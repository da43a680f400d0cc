//! Words that mean nothing, values that are none, options that contradict.

use super::assert_refused;

#[test]
fn what_loads_rows_is_of_rows_for_programs() {
    assert_refused(&[
        (
            "order of groups by what they have not",
            &["--by", "process", "--sort", "-inode"],
            "--sort: \"inode\" is not a column of groups",
            "",
        ),
        (
            "groups of counts",
            &["-s", "--by", "process"],
            "-s cannot be combined with --by",
            "",
        ),
        (
            "metrics of a listing",
            &["-t", "--format", "openmetrics"],
            "--format openmetrics needs -s",
            "",
        ),
        (
            "a drawing of a listing",
            &["-t", "--format", "svg"],
            "--format svg needs -s: it draws the counts",
            "",
        ),
        (
            "a value of an option that has none",
            &["-s", "--brief=1"],
            "invalid value \"1\": --brief takes no value",
            "",
        ),
        (
            "a drawing without TCP",
            &["-su", "--format", "svg"],
            "--format svg draws the states of TCP: add -t",
            "",
        ),
        (
            "a page of a listing",
            &["-t", "--format", "html"],
            "--format html needs -s, or -E --by pair",
            "",
        ),
        (
            "drawings one after another",
            &["-s", "-c", "--format", "svg"],
            "-c cannot be combined with --format svg",
            "",
        ),
        (
            "metrics again and again",
            &["-s", "-c", "--format", "prometheus"],
            "-c cannot be combined with --format prometheus",
            "",
        ),
        (
            "changes to a file",
            &["-c", "--output", "x"],
            "-c cannot be combined with --output",
            "",
        ),
        (
            "schema of an unknown engine",
            &["--schema", "sqlite"],
            "invalid value 'sqlite'",
            "clickhouse",
        ),
        (
            "schema of text",
            &["--schema", "duckdb", "--format", "plain"],
            "--schema needs",
            "--format ndjson or csv",
        ),
        (
            "schema of counts",
            &["-s", "--schema", "duckdb"],
            "-s cannot be combined with --schema",
            "",
        ),
        (
            "stamp in text",
            &["--stamp", "--format", "table"],
            "--stamp needs",
            "--format ndjson or csv",
        ),
    ]);
}

#[test]
fn unknown_word_is_a_usage_error() {
    assert_refused(&[
        (
            "flag",
            &["--nope"],
            "unexpected argument '--nope'; all options: lsock --help",
            "",
        ),
        ("letter", &["-G"], "unexpected argument '-G'", "--help"),
        (
            "slip",
            &["--sumary"],
            "unexpected argument '--sumary'; did you mean --summary?",
            "",
        ),
        (
            "letter among others",
            &["-taY"],
            "unexpected argument '-Y'",
            "",
        ),
        (
            "format",
            &["--format", "xml"],
            "invalid value 'xml'",
            "plain, json",
        ),
        (
            "family",
            &["--family", "foo"],
            "invalid value 'foo'",
            "inet6",
        ),
        (
            "family in a list",
            &["-A", "tcp,foo"],
            "invalid value 'foo'",
            "udplite",
        ),
        ("empty family", &["-A", ""], "", "--family"),
        (
            "color",
            &["--color", "blue"],
            "invalid value 'blue'",
            "always",
        ),
        (
            "source",
            &["--source", "foo"],
            "invalid value 'foo'",
            "procfs",
        ),
        (
            "shell",
            &["--completions", "tcsh"],
            "invalid value 'tcsh'",
            "zsh",
        ),
        (
            "state to explain",
            &["--explain", "foo"],
            "unknown state \"foo\"; the states are: all, closed, bound, listen",
            "process-abort, unknown\n",
        ),
        (
            "slip in a state to explain",
            &["--explain", "CLSE_WAIT"],
            "unknown state \"CLSE_WAIT\"; did you mean close-wait? the states are: all",
            "",
        ),
        (
            "control byte in a state to explain",
            &["--explain", "\u{1b}c"],
            "unknown state \"\\x1bc\"",
            "the states are",
        ),
        (
            "word that is no filter",
            &["established"],
            "filter: expected a field, found \"established\"",
            "\n  ^",
        ),
        (
            "netstat's -r with a value",
            &["-r", "8.8.8.8"],
            "filter: expected a field, found \"8.8.8.8\"",
            "",
        ),
    ]);
}

#[test]
fn unknown_field_is_a_usage_error_that_lists_the_fields() {
    const LIST: &str = "the fields are: protocol, family, type, state";
    assert_refused(&[
        (
            "column",
            &["--columns", "foo"],
            "unknown field \"foo\"",
            LIST,
        ),
        (
            "second column",
            &["--columns", "state,foo"],
            "unknown field \"foo\"",
            LIST,
        ),
        (
            "column twice",
            &["--columns", "state,uid,STATE"],
            "field \"state\" is given twice",
            "",
        ),
        ("no column", &["--columns", ""], "unknown field \"\"", LIST),
        (
            "empty column",
            &["--columns", "state,,uid"],
            "unknown field \"\"",
            LIST,
        ),
        (
            "blank",
            &["--columns", "state, uid"],
            "unknown field \" uid\"",
            LIST,
        ),
        (
            "control byte",
            &["--columns", "\u{1b}c"],
            "unknown field \"\\x1bc\"",
            LIST,
        ),
        (
            "sort key",
            &["--sort", "foo"],
            "unknown field \"foo\"",
            LIST,
        ),
        (
            "descending sort key",
            &["--sort", "-foo"],
            "unknown field \"foo\"",
            LIST,
        ),
        (
            "two signs",
            &["--sort", "--uid"],
            "unknown field \"-uid\"",
            LIST,
        ),
    ]);
}

#[test]
fn field_without_an_order_is_no_sort_key() {
    assert_refused(&[
        (
            "tcp_info",
            &["--sort", "tcp_info"],
            "\"tcp_info\"",
            "many values",
        ),
        (
            "memory",
            &["--sort", "-memory"],
            "\"memory\"",
            "many values",
        ),
    ]);
}

#[test]
fn options_of_other_tools_are_answered_with_what_to_write() {
    assert_refused(&[
        (
            "ss, packet filters",
            &["-0b"],
            "unexpected argument '-b': ",
            "called ss",
        ),
        ("ss, DCCP", &["-d"], "unexpected argument '-d': ", "ss -d"),
        (
            "ss, bound",
            &["-B"],
            "unexpected argument '-B': ",
            "state bound",
        ),
        (
            "ss, tos",
            &["--tos"],
            "unexpected argument '--tos': ",
            "--columns tos,tclass,class_id",
        ),
        (
            "ss, options",
            &["--inet-sockopt"],
            "unexpected argument '--inet-sockopt': ",
            "--columns socket_options",
        ),
        (
            "netstat, wide",
            &["-tW"],
            "unexpected argument '-W': ",
            "leave it out",
        ),
        (
            "lsof, port",
            &["-i:80"],
            "unexpected argument '-:': ",
            "lsock -ap :80",
        ),
        (
            "lsof, protocol",
            &["-iTCP"],
            "unexpected argument '-C': ",
            "lsock -t",
        ),
        ("lsof, numbers", &["-P"], "unexpected argument '-P': ", "-n"),
    ]);
}

#[test]
fn filter_file_that_cannot_be_read_is_named() {
    assert_refused(&[
        (
            "missing",
            &["-F", "/nowhere"],
            "cannot read /nowhere",
            "no such file",
        ),
        (
            "endless",
            &["--filter", "/dev/zero"],
            "cannot read /dev/zero",
            "longer than 1 MiB",
        ),
        (
            "directory",
            &["-F", "/"],
            "cannot read /:",
            "is a directory",
        ),
    ]);
}

#[test]
fn list_that_leaves_out_all_it_names_is_refused() {
    let said = "-A excludes everything that it lists";
    assert_refused(&[
        ("protocol", &["-A", "tcp,!tcp"], "", said),
        ("types", &["-A", "packet,!p_raw,!p_dgr"], "", said),
        ("all", &["-A", "all,!all"], "", said),
    ]);
}

#[test]
fn what_was_typed_reaches_no_terminal_raw() {
    assert_refused(&[
        (
            "option",
            &["--x\r\ny"],
            "unexpected argument '--x\\x0d\\x0ay'",
            "",
        ),
        (
            "value",
            &["--format", "a\u{1b}[31m\u{202e}"],
            "invalid value 'a\\x1b[31m\\xe2\\x80\\xae'",
            "",
        ),
        (
            "C1",
            &["--color", "\u{9b}1m"],
            "invalid value '\\xc2\\x9b1m'",
            "",
        ),
    ]);
}

#[test]
fn value_that_is_no_number_is_a_usage_error() {
    assert_refused(&[
        (
            "below zero",
            &["--limit", "-1"],
            "invalid value '-1' for '--limit <N>': it is not a number of rows (expected 10)",
            "",
        ),
        (
            "below zero, joined",
            &["--limit=-1"],
            "invalid value '-1'",
            "--limit",
        ),
        ("word", &["--limit", "x"], "invalid value 'x'", "--limit"),
        (
            "fraction",
            &["--limit", "1.5"],
            "invalid value '1.5'",
            "--limit",
        ),
        ("empty", &["--limit", ""], "", "--limit"),
        (
            "beyond 64 bits",
            &["--limit", "18446744073709551616"],
            "invalid value '18446744073709551616'",
            "too large",
        ),
    ]);
}

#[test]
fn option_without_its_value_is_a_usage_error() {
    assert_refused(&[
        (
            "columns",
            &["--columns"],
            "a value is required",
            "--columns",
        ),
        ("sort", &["--sort"], "a value is required", "--sort"),
        ("family", &["-A"], "a value is required", "--family"),
        (
            "explain",
            &["--explain"],
            "a value is required",
            "--explain",
        ),
        ("replay", &["--replay"], "a value is required", "--replay"),
        ("record", &["-D"], "a value is required", "--record"),
    ]);
}

#[test]
fn options_that_contradict_are_a_usage_error() {
    assert_refused(&[
        (
            "two formats",
            &["--json", "--format", "csv"],
            "the argument '--json'",
            "cannot be used",
        ),
        (
            "explanation in JSON",
            &["--explain", "listen", "--json"],
            "the argument '--explain <STATE>' cannot be used",
            "",
        ),
        (
            "explanation and a filter",
            &["--explain", "fin", "wait"],
            "the argument '--explain <STATE>' cannot be used",
            "",
        ),
        (
            "netlink from files",
            &["--source", "netlink", "--proc-root", "/proc"],
            "--source netlink",
            "--proc-root",
        ),
        (
            "netlink from a recording",
            &["--source", "netlink", "--replay", "x"],
            "--source netlink",
            "--replay",
        ),
        (
            "files from a recording",
            &["--source", "procfs", "--replay", "x"],
            "--source procfs",
            "--replay",
        ),
        (
            "two origins",
            &["--proc-root", "/proc", "--replay", "x"],
            "the argument",
            "--replay",
        ),
        (
            "recording of a recording",
            &["--replay", "x", "--record", "y"],
            "the argument",
            "cannot be used",
        ),
        (
            "processes of a recording",
            &["--replay", "x", "-p"],
            "a recording has no processes",
            "--replay",
        ),
        (
            "processes of a recording, as a column",
            &["--replay", "x", "--columns", "processes"],
            "a recording has no processes",
            "--replay",
        ),
        (
            "processes of a recording, as an order",
            &["--replay", "x", "--sort", "process_status"],
            "a recording has no processes",
            "--replay",
        ),
    ]);
}

#[test]
fn events_refuse_what_is_not_theirs() {
    assert_refused(&[
        ("UDP", &["-E", "-u"], "-u cannot be combined with -E", "TCP"),
        (
            "a filter of UDP",
            &["-E", "protocol = udp"],
            "-E shows TCP and MPTCP only: select at least one of them",
            "",
        ),
        (
            "a family of UDP",
            &["-E", "-A", "udp"],
            "-E shows TCP and MPTCP only: select at least one of them",
            "",
        ),
        (
            "summary",
            &["-Es"],
            "-s cannot be combined with -E",
            "listings",
        ),
        (
            "columns",
            &["-E", "--columns", "uid,recv_queue"],
            "events do not include recv_queue; they include",
            "containers",
        ),
        (
            "recording",
            &["-E", "--replay", "x"],
            "--replay cannot be combined with -E",
            "",
        ),
        (
            "queues",
            &["-E", "recv_queue > 0"],
            "filter: events do not include recv_queue; they include",
            "processes",
        ),
        (
            "tcp_info",
            &["-E", "rtt > 1ms"],
            "filter: events do not include tcp_info",
            "",
        ),
        (
            "connections in CSV",
            &["-E", "--by", "connection", "--format", "csv"],
            "--by connection writes lines of many steps",
            "ndjson",
        ),
        (
            "pairs in CSV",
            &["-E", "--by", "pair", "--format", "csv-safe"],
            "--by pair writes exchanges of many steps, which csv cannot hold",
            "ndjson",
        ),
        (
            "a page of single steps",
            &["-E", "--format", "html"],
            "--format html draws connections: add --by pair to -E",
            "",
        ),
        (
            "steps to a file",
            &["-E", "--output", "x"],
            "-E cannot be combined with --output, except with --format html",
            "",
        ),
        (
            "order",
            &["-E", "--sort", "state"],
            "--sort cannot be combined with -E",
            "",
        ),
        (
            "grouping",
            &["-E", "--by", "host"],
            "--by: \"host\" does not group events",
            "connection or pair",
        ),
        (
            "grouping of a listing",
            &["--by", "connection"],
            "--by connection groups the events of -E: add -E",
            "",
        ),
    ]);
}

#[test]
fn repeating_refuses_what_is_no_time() {
    let number = "is not an interval (expected 0.5, 2 or 1m)";
    assert_refused(&[
        ("zero", &["-c", "0"], "-c: \"0\" is too short", ""),
        ("zero, joined", &["-c0"], "-c: \"0\" is too short", ""),
        (
            "less than a microsecond",
            &["-tc", "0.0000001"],
            "-c: \"0.0000001\" is too short",
            "",
        ),
        ("below zero", &["-c", "-1"], "-c: \"-1\"", number),
        ("below zero, joined", &["-c=-1"], "-c: \"-1\"", number),
        ("below zero, glued", &["-tc-1"], "-c: \"-1\"", number),
        (
            "below zero, long",
            &["--continuous=-0.5"],
            "-c: \"-0.5\"",
            number,
        ),
        (
            "beyond all time",
            &["-c", "99999999999999999999"],
            "-c: \"99999999999999999999\"",
            number,
        ),
        ("exponent", &["-c", "1e9"], "-c: \"1e9\"", number),
        ("two points", &["-tc", "1.2.3"], "-c: \"1.2.3\"", number),
        ("no digit", &["-c", "."], "-c: \".\"", number),
        ("empty", &["-c="], "-c: \"\"", number),
        ("unit", &["-c", "3k"], "-c: \"3k\"", number),
        ("digits and letters", &["-c4t"], "-c: \"4t\"", number),
        (
            "an address, which begins no filter",
            &["-c", "10.0.0.1"],
            "-c: \"10.0.0.1\"",
            number,
        ),
        ("not a number", &["-c=nan"], "-c: \"nan\"", number),
        ("control byte", &["-c=\u{1b}c"], "-c: \"\\x1bc\"", number),
        (
            "a word, which is a filter",
            &["-c", "soon"],
            "filter: unknown field \"soon\"",
            "",
        ),
    ]);
}

#[test]
fn repeating_refuses_what_does_not_go_with_it() {
    assert_refused(&[
        ("events", &["-cE"], "-E cannot be combined with -c", ""),
        (
            "what is replayed",
            &["-c", "--replay", "x"],
            "--replay cannot be combined with -c",
            "never changes",
        ),
        (
            "what is recorded",
            &["-c", "-D", "x"],
            "-D cannot be combined with -c",
            "",
        ),
        (
            "changes, some left out",
            &["-c", "--format", "ndjson", "--limit", "3"],
            "--limit cannot be combined with -c in ndjson",
            "lost",
        ),
        (
            "explanation",
            &["-c", "--explain", "listen"],
            "the argument '--explain <STATE>' cannot be used",
            "",
        ),
        (
            "a filter that is wrong",
            &["-c", "2", "sport", ">=", ")"],
            "filter: expected a port after \">=\"",
            "^",
        ),
    ]);
}
