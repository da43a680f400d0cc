#!/usr/bin/env python3
"""Loads real listings with DuckDB, ClickHouse (chdb) and Arrow, by what `lsock --schema` prints, and compares
every value with what the listing has.

    python3 -m venv /tmp/engines && /tmp/engines/bin/pip install duckdb chdb pyarrow
    sudo /tmp/engines/bin/python tests/load_rows.py target/debug/lsock

The first 50,000 rows are UDP sockets, which have few fields; the others come last. Not a part of `cargo test`:
the engines are 300 MB.
"""

import collections
import csv
import datetime
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile

import chdb.session
import duckdb
import pyarrow.csv
import pyarrow.json

ROWS = 50_000
DETAILS = ["-n", "-e", "-o", "-i", "-m", "-pp", "-T", "--stamp"]
# What ClickHouse cannot have null: `process_status` tells of processes, the others are never empty.
NEVER_NULL = {"processes", "local_addresses", "peer_addresses", "tids"}


def sockets():
    """Many sockets with few fields, and a few with many."""
    held = []
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 100
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    for begin in range(0, ROWS, most - 100):
        held.append(in_child(range(begin, min(begin + most - 100, ROWS))))
    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listener.getsockname())
    accepted = listener.accept()[0]
    client.sendall(b"unread")
    held += [listener, client, accepted, *socket.socketpair()]
    at_path = socket.socket(socket.AF_UNIX)
    at_path.bind(os.path.join(tempfile.mkdtemp(), 'a "b", c;\ttwo\n'))
    at_path.listen()
    waiting = socket.socket(socket.AF_UNIX)
    waiting.connect(at_path.getsockname())
    return [*held, at_path, waiting]


def in_child(numbers):
    """Binds sockets in a child, which ends with this process."""
    ready, own = socket.socketpair()
    if os.fork() == 0:
        ready.close()
        held = []
        for number in numbers:
            one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            one.bind((f"127.1.{number // 10_000}.1", 20_000 + number % 10_000))
            held.append(one)
        own.send(b"!")
        own.recv(1)
        os._exit(0)
    own.close()
    if ready.recv(1) != b"!":
        sys.exit("cannot bind the sockets")
    return ready


def listings(lsock, words):
    """The rows of UDP, then those of every other protocol."""
    plain = [lsock, "-ua4", *DETAILS, *words]
    every = [lsock, "-a", "-A", "all", *DETAILS, *words, "not protocol = udp"]
    if "csv" in words:
        every.append("-H")
    return b"".join(subprocess.run(line, stdout=subprocess.PIPE, check=True).stdout for line in (plain, every))


def schema(lsock, engine, words):
    line = [lsock, "--schema", engine, *DETAILS, *words]
    return subprocess.run(line, stdout=subprocess.PIPE, check=True, text=True).stdout


def plain(value, name="", is_clickhouse=False):
    """A value as all of them have it: numbers as text, times as one text."""
    if isinstance(value, dict):
        parts = {key: plain(part, key, is_clickhouse) for key, part in value.items()}
        # A tuple of ClickHouse is never null.
        is_null = name and is_clickhouse and all(part in (None, []) for part in parts.values())
        return None if is_null else parts
    if isinstance(value, list):
        return None if is_clickhouse and not value and name in NEVER_NULL else [plain(part, "", is_clickhouse) for part in value]
    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=None).isoformat()[:19]
    if name == "time" and value is not None:
        return value.replace(" ", "T")[:19]
    if isinstance(value, bool) or value is None:
        return value
    return str(value)


def counted(rows, is_clickhouse=False):
    return collections.Counter(
        json.dumps({key: plain(value, key, is_clickhouse) for key, value in row.items()}, sort_keys=True) for row in rows
    )


def compare(what, expected, found, is_clickhouse=False):
    expected, found = (counted(rows, is_clickhouse) for rows in (expected, found))
    lost, other = expected - found, found - expected
    print(f"{what}: {found.total()} rows, {lost.total()} of {expected.total()} differ")
    if lost or other:
        for row, told in zip(list(lost)[:1], list(other)[:1]):
            row, told = json.loads(row), json.loads(told)
            keys = sorted(set(row) | set(told))
            print(*(f"  {key}: {row.get(key)!r} {told.get(key)!r}" for key in keys if row.get(key) != told.get(key)), sep="\n")
    return not lost and not other and found.total() >= ROWS


def rows_of_duckdb(statement):
    relation = duckdb.sql(statement.rstrip(";\n"))
    return [dict(zip(relation.columns, row)) for row in relation.fetchall()]


def rows_of_clickhouse(statement, file):
    session = chdb.session.Session()
    session.query("CREATE DATABASE d")
    session.query("USE d")
    session.query(statement)
    insert = " ".join(line[2:].strip() for line in statement.splitlines() if line.startswith("--"))
    # A client has the rows on its standard input.
    into, form = insert.rsplit(" FORMAT ", 1)
    table, settings = into.split(" SETTINGS ")
    session.query(f"{table} FROM INFILE '{file}' SETTINGS {settings} FORMAT {form}")
    told = "SELECT * FROM lsock SETTINGS output_format_json_quote_64bit_integers = 0 FORMAT JSONEachRow"
    text = session.query(told).bytes().decode()
    session.close()
    return [json.loads(line) for line in text.splitlines()]


def rows_of_arrow(statement):
    told = {}
    exec(statement, told)
    return told["lsock"].to_pylist()


def main():
    lsock = os.path.abspath(sys.argv[1])
    held = sockets()
    os.chdir(tempfile.mkdtemp())
    with open("lsock.ndjson", "wb") as out:
        out.write(listings(lsock, ["--format", "ndjson"]))
    with open("lsock.csv", "wb") as out:
        out.write(listings(lsock, ["--format", "csv"]))
    with open("lsock.ndjson", encoding="utf-8") as text:
        objects = [json.loads(line) for line in text]
    with open("lsock.csv", encoding="utf-8", newline="") as text:
        records = [{key: value or None for key, value in row.items()} for row in csv.DictReader(text)]
    flags = {"true": True, "false": False}
    records = [{key: flags.get(value, value) for key, value in row.items()} for row in records]
    first, last = objects[0], objects[ROWS:]
    rare = [key for key in first if first[key] is None and any(row[key] is not None for row in last)]
    print(f"{len(objects)} rows; null at first and not at the end: {', '.join(rare)}")
    ok = len(rare) > 3 and len(objects) > ROWS and len(held) > 7
    for words, rows, file in (([], objects, "lsock.ndjson"), (["--format", "csv"], records, "lsock.csv")):
        is_json = not words
        ok &= compare(f"duckdb {file}", rows, rows_of_duckdb(schema(lsock, "duckdb", words)))
        ok &= compare(f"arrow {file}", rows, rows_of_arrow(schema(lsock, "arrow", words)))
        found = rows_of_clickhouse(schema(lsock, "clickhouse", words), file)
        ok &= compare(f"clickhouse {file}", rows, found, is_json)
    sys.exit(0 if ok else 1)


main()
