#!/bin/bash
# DuckDB 2.0.1 (PyPI), read_csv: identifiers in bare hexadecimal become numbers where all of a file happen to fit.
#
# A column whose values look like `31e1` and `92e48` is of type DOUBLE: e is taken as an exponent, and 31e1 is 310.
# With one value like `3f1a` among them the column is text and all values are right, so the same program reads one
# file right and another wrong. Fields in quotes are no help. `columns` or `types` with VARCHAR is.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check duckdb==2.0.1
cat > "$dir/run.py" <<'END'
import duckdb, sys
base = sys.argv[1]
for name, values in [("numbers.csv", ["31e1", "92e48"]), ("text.csv", ["31e1", "92e48", "3f1a"])]:
    path = f"{base}/{name}"
    with open(path, "w") as file:
        file.write("id\n" + "".join(f'"{value}"\n' for value in values))
    column = duckdb.sql(f"select typeof(id), id from read_csv('{path}') limit 1").fetchall()[0]
    print(name, *column)
path = f"{base}/numbers.csv"
print("types", *duckdb.sql(f"select typeof(id), id from read_csv('{path}', types={{'id': 'VARCHAR'}}) limit 1").fetchall()[0])
END
seen=$("$dir/venv/bin/python" "$dir/run.py" "$dir")
echo "$seen"
[ "$seen" = $'numbers.csv DOUBLE 310.0\ntext.csv VARCHAR 31e1\ntypes VARCHAR 31e1' ] || { echo "this has changed"; exit 1; }
