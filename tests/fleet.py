#!/usr/bin/env python3
"""Runs the recipes of examples/fleet/README.md: ssh and Ansible with DuckDB, rsyslog, and the queries for
ClickHouse (chdb).

    sudo apt-get install openssh-server rsyslog
    python3 -m venv /tmp/fleet && /tmp/fleet/bin/pip install ansible-core duckdb chdb
    sudo PATH=/tmp/fleet/bin:$PATH python3 tests/fleet.py target/debug/lsock

The hosts are this machine: an sshd on loopback, and Ansible's local connection. Not a part of `cargo test`.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import chdb.session
import duckdb

HERE = os.path.dirname(os.path.abspath(__file__))
OPTIONS = ["-tapi", "--stamp"]


def run(*words, **more):
    return subprocess.run(words, stdout=subprocess.PIPE, check=True, text=True, **more).stdout


def sshd(folder):
    for name in ("host", "key"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", name, cwd=folder)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    os.makedirs("/run/sshd", exist_ok=True)
    server = [f"-oAuthorizedKeysFile={folder}/key.pub", "-oListenAddress=127.0.0.1", "-oStrictModes=no", "-oUsePAM=no"]
    server = subprocess.Popen(["/usr/sbin/sshd", "-De", "-f/dev/null", "-p", port, "-h", f"{folder}/host", "-oPidFile=none", *server],
                              stderr=subprocess.DEVNULL)
    client = ["ssh", "-F/dev/null", "-q", "-i", f"{folder}/key", "-p", port, "-oStrictHostKeyChecking=no",
              "-oUserKnownHostsFile=/dev/null", "127.0.0.1"]
    for _ in range(100):
        if subprocess.run([*client, "true"], check=False).returncode == 0:
            return server, client
        time.sleep(0.1)
    sys.exit("sshd does not answer")


def count_in_duckdb(lsock, port):
    """What load.sql finds of a listener."""
    statement = run(lsock, *OPTIONS, "--schema", "duckdb").rstrip(";\n")
    return duckdb.sql(f"SELECT count(*) FROM ({statement}) WHERE state = 'LISTEN' AND local_port = {port}").fetchall()[0][0]


def shipped(lsock):
    """What rsyslog sends on of the changes that are written while it follows their file."""
    with open(os.path.join(HERE, "..", "examples", "fleet", "rsyslog.conf"), encoding="utf-8") as text:
        conf = text.read()
    collector = socket.create_server(("127.0.0.1", 0))
    port = str(collector.getsockname()[1])
    rows = os.path.abspath("changes.ndjson")
    for was, put in [("/var/log/lsock.ndjson", rows), ('target="collector"', 'target="127.0.0.1"'), ('"5140"', f'"{port}"'),
                     ("global(", f'global(workDirectory="{os.getcwd()}" ')]:
        assert was in conf, was
        conf = conf.replace(was, put)
    with open("rsyslog.conf", "w", encoding="utf-8") as out:
        out.write(conf)
    with open(rows, "wb") as out:
        server = subprocess.Popen(["/usr/sbin/rsyslogd", "-n", "-f", "rsyslog.conf", "-i", os.path.abspath("rsyslog.pid")])
        try:
            subprocess.run(["timeout", "5", lsock, "-tapc", "1", "--stamp", "--format", "ndjson"], stdout=out, check=False)
            written = open(rows, "rb").read()
            sent = b""
            collector.settimeout(20)
            connection, _ = collector.accept()
            connection.settimeout(20)
            while len(sent) < len(written):
                sent += connection.recv(1 << 16)
        finally:
            server.terminate()
            server.wait()
    assert sent == written and written.count(b"\n") > 2, (len(sent), len(written))
    return written.count(b"\n")


def main():
    lsock = os.path.abspath(sys.argv[1])
    folder = tempfile.mkdtemp()
    os.chdir(folder)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    left = [socket.create_connection(listener.getsockname()) for _ in range(3)]
    held = [listener.accept()[0] for _ in left]
    left.pop().close()

    server, client = sshd(folder)
    try:
        with open("lsock.ndjson", "w", encoding="utf-8") as out:
            for _ in ("web1", "web2"):
                subprocess.run([*client, lsock, *OPTIONS, "--format", "ndjson"], stdout=out, check=True)
    finally:
        server.terminate()
        server.wait()
    assert count_in_duckdb(lsock, port) == 2
    print("ssh and DuckDB: the listener of both hosts")

    os.remove("lsock.ndjson")
    ansible = ["ansible", "all", "-i", "web1,web2,", "-c", "local", "-e", f"ansible_python_interpreter={sys.executable}"]
    list_all = f"{lsock} {' '.join(OPTIONS)} --format ndjson --output {folder}/rows.ndjson"
    run(*ansible, "-m", "command", "-a", list_all)
    run(*ansible, "-m", "fetch", "-a", f"src={folder}/rows.ndjson dest={folder}/rows")
    rows = [os.path.join(of, name) for of, _, names in os.walk("rows") for name in names]
    assert len(rows) == 2, rows
    with open("lsock.ndjson", "w", encoding="utf-8") as out:
        for name in rows:
            with open(name, encoding="utf-8") as text:
                shutil.copyfileobj(text, out)
    assert count_in_duckdb(lsock, port) == 2
    print("Ansible and DuckDB: the listener of both hosts")

    print(f"rsyslog: {shipped(lsock)} changes, byte for byte")

    session = chdb.session.Session()
    session.query("CREATE DATABASE d")
    session.query("USE d")
    statement = run(lsock, *OPTIONS, "--schema", "clickhouse")
    session.query(statement)
    insert = " ".join(line[2:].strip() for line in statement.splitlines() if line.startswith("--"))
    into, form = insert.rsplit(" FORMAT ", 1)
    table, settings = into.split(" SETTINGS ")
    session.query(f"{table} FROM INFILE 'lsock.ndjson' SETTINGS {settings} FORMAT {form}")
    with open(os.path.join(HERE, "..", "examples", "fleet", "clickhouse.sql"), encoding="utf-8") as text:
        queries = text.read().split(";")[:-1]
    reached, leaking, peers = ([line.split("\t") for line in session.query(query, "TSV").bytes().decode().splitlines()] for query in queries)
    session.close()
    assert str(port) not in [row[0] for row in reached], reached
    assert [str(os.getpid()), "2"] in [row[2:] for row in leaking], leaking
    at_listener = [row for row in peers if row[:2] == ["127.0.0.1", str(port)]]
    assert [row[2] for row in at_listener] == ["4"] and float(at_listener[0][4]) > 0, peers
    print(f"ClickHouse: {len(queries)} queries, {len(held)} connections")


main()
