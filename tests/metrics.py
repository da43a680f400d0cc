#!/usr/bin/env python3
"""Checks what `lsock -s --format openmetrics` writes with the parsers of those who read it.

    sudo apt-get install prometheus prometheus-node-exporter
    python3 -m venv /tmp/metrics && /tmp/metrics/bin/pip install prometheus_client
    sudo /tmp/metrics/bin/python tests/metrics.py target/debug/lsock

promtool checks metrics, the alert rules and the queries of the dashboard; a node_exporter reads a file of
`--output`, and is scraped. Not a part of `cargo test`.
"""

import ctypes
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

NAME = b'a"b\\c\nd'
HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLES = os.path.join(HERE, "..", "examples", "prometheus")


def run(*words, text=None):
    return subprocess.run(words, input=text, stdout=subprocess.PIPE, check=True, text=True).stdout


def samples(families):
    return {(s.name, *sorted(s.labels.items())): s.value for family in families for s in family.samples}


def main():
    lsock = os.path.abspath(sys.argv[1])
    ctypes.CDLL(None).prctl(15, NAME, 0, 0, 0)
    listener = socket.create_server(("127.0.0.1", 0), backlog=3, reuse_port=True)
    port = listener.getsockname()[1]
    shared = socket.socket()
    shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    shared.bind(listener.getsockname())
    shared.listen(4)
    held = [socket.create_connection(("127.0.0.1", port)) for _ in range(2)]
    told = run(lsock, "-sA", "all", "--format", "openmetrics")
    both = samples(openmetrics(told))
    assert both.keys() == samples(prometheus(told)).keys()
    assert told.endswith("\n# EOF\n") and len(both) == sum(not line.startswith("#") for line in told.splitlines())
    labels = {"address": "127.0.0.1", "port": str(port), "process": r'a"b\\c\x0ad', "protocol": "tcp"}
    queue = tuple(sorted(labels.items()))
    assert both[("lsock_listen_queue_length", *queue)] == len(held), sorted(both)
    assert both[("lsock_listen_queue_limit", *queue)] == 3 + 4
    print(f"{len(both)} series, read by prometheus_client as OpenMetrics and as Prometheus")

    run("promtool", "check", "metrics", text=told)
    run("promtool", "check", "metrics", text=run(lsock, "-s", "--format", "prometheus"))
    os.chdir(EXAMPLES)
    run("promtool", "check", "rules", "lsock.rules.yml")
    run("promtool", "test", "rules", "lsock.rules.test.yml")
    with open("lsock.dashboard.json", encoding="utf-8") as text:
        panels = json.load(text)["panels"]
    queries = [target["expr"].replace("$instance", ".*") for panel in panels for target in panel["targets"]]
    rules = [{"record": "a:b", "expr": query, "labels": {"of": str(place)}} for place, query in enumerate(queries)]
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as dashboard:
        json.dump({"groups": [{"name": "dashboard", "rules": rules}]}, dashboard)
        dashboard.flush()
        run("promtool", "check", "rules", dashboard.name)
    names = {line.split()[2] for line in told.splitlines() if line.startswith("# TYPE")}
    with open("lsock.rules.yml", encoding="utf-8") as text:
        queries.append("".join(line for line in text if "expr" in line or line.startswith("          ")))
    for query in queries:
        used = {word for word in query.replace("(", " ").replace("{", " ").split() if word.startswith("lsock_")}
        assert used <= names, used - names
    print("promtool: metrics, rules and the queries of the dashboard")

    directory = tempfile.mkdtemp()
    run(lsock, "-s", "--format", "prometheus", "--output", os.path.join(directory, "lsock.prom"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    exporter = subprocess.Popen(
        ["prometheus-node-exporter", "--collector.disable-defaults", "--collector.textfile",
         f"--collector.textfile.directory={directory}", f"--web.listen-address={address}"],
        stderr=subprocess.PIPE,
    )
    try:
        for _ in range(100):
            try:
                page = urllib.request.urlopen(f"http://{address}/metrics", timeout=5).read().decode()
                break
            except OSError:
                time.sleep(0.1)
        scraped = samples(prometheus(page))
        assert scraped[("node_textfile_scrape_error",)] == 0, exporter.stderr
        assert scraped[("lsock_listen_queue_length", *queue)] == len(held)
        assert scraped[("lsock_complete",)] in (0, 1)
    finally:
        exporter.terminate()
        exporter.wait()
    print("node_exporter: scraped from the file")


main()
