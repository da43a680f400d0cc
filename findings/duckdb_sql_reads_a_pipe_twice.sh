#!/bin/bash
# DuckDB 2.0.1 (PyPI): sql() over a pipe gives no rows and no error, execute() gives all of them.
#
# `duckdb.sql("… from read_json('/dev/stdin')").fetchall()` is empty, with read_csv too, although the columns are given and
# nothing is left to guess. It looks as if making the relation reads the pipe, so that fetching finds its end.
# `duckdb.execute` of the same query reads it once, and a file may be read twice.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check duckdb==2.0.1
count() {
    "$dir/venv/bin/python" -c '
import duckdb, sys
way, table = sys.argv[1:]
print(way, table[:9], *getattr(duckdb, way)(f"select count(*) from {table}").fetchall()[0])' "$@"
}
printf '{"id":1}\n{"id":2}\n{"id":3}\n' > "$dir/rows.ndjson"
printf 'id\n1\n2\n3\n' > "$dir/rows.csv"
json="read_json('/dev/stdin', columns={'id': 'BIGINT'})" csv="read_csv('/dev/stdin', columns={'id': 'BIGINT'})"
seen=$(
    for way in sql execute; do
        cat "$dir/rows.ndjson" | count $way "$json"
        cat "$dir/rows.csv" | count $way "$csv"
    done
)
echo "$seen"
[ "$seen" = $'sql read_json 0\nsql read_csv( 0\nexecute read_json 3\nexecute read_csv( 3' ] || { echo "this has changed"; exit 1; }
