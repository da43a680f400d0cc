#!/usr/bin/env python3
"""Checks what `lsock -s --format openmetrics` writes with the parsers of those who read it.

    sudo apt-get install prometheus prometheus-node-exporter
    python3 -m venv /tmp/metrics && /tmp/metrics/bin/pip install prometheus_client grafana-foundation-sdk
    sudo /tmp/metrics/bin/python tests/metrics.py target/debug/lsock

promtool checks metrics and the alert rules; Grafana's library reads the dashboard, and a Prometheus with these metrics
of now and of five minutes ago answers each of its queries; a node_exporter reads a file of `--output`, and is scraped.
Not a part of `cargo test`.
"""

import ctypes
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

NAME = b'a"b\\c\nd'
HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLES = os.path.join(HERE, "..", "examples", "prometheus")


def run(*words, text=None, cwd=None):
    return subprocess.run(words, input=text, stdout=subprocess.PIPE, check=True, text=True, cwd=cwd).stdout


def samples(families):
    return {(s.name, *sorted(s.labels.items())): s.value for family in families for s in family.samples}


def has(whole, part):
    """Is everything of a document in another one?"""
    if isinstance(part, dict):
        return all(key in whole and has(whole[key], value) for key, value in part.items())
    if isinstance(part, list):
        return len(whole) == len(part) and all(map(has, whole, part))
    return whole == part


def answer(url):
    for _ in range(100):
        try:
            return urllib.request.urlopen(url, timeout=5).read().decode()
        except OSError:
            time.sleep(0.1)
    sys.exit(f"{url} does not answer")


def free():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


def unanswered(page, queries):
    """The queries for which a Prometheus with these metrics, of now and of five minutes ago, has no series."""
    directory, address, now = tempfile.mkdtemp(), free(), int(time.time())
    with open(os.path.join(directory, "page"), "w", encoding="utf-8") as out:
        for line in page.splitlines():
            lines = [line] if line.startswith("#") else [f"{line} {now - 300}", f"{line} {now}"]
            print(*lines, sep="\n", file=out)
    run("promtool", "tsdb", "create-blocks-from", "openmetrics", "page", "data", cwd=directory)
    with open(os.path.join(directory, "none.yml"), "w", encoding="utf-8"):
        server = subprocess.Popen(
            ["prometheus", "--config.file=none.yml", "--storage.tsdb.path=data", f"--web.listen-address={address}"],
            cwd=directory, stderr=subprocess.DEVNULL)
    try:
        answer(f"http://{address}/-/ready")
        ask = f"http://{address}/api/v1/query?time={now}&query="
        return [one for one in queries if not json.loads(answer(ask + urllib.parse.quote(one)))["data"]["result"]]
    finally:
        server.terminate()
        server.wait()


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
    # A finding: an accept queue that is full.
    full = socket.create_server(("127.0.0.1", 0), backlog=0)
    waiting = socket.create_connection(full.getsockname())
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
        dashboard = json.load(text)
    panels = dashboard["panels"]
    assert has(json.loads(JSONEncoder().encode(Dashboard.from_json(dashboard))), dashboard)
    queries = [target["expr"].replace("$instance", ".*") for panel in panels for target in panel["targets"]]
    assert not unanswered(told, queries), unanswered(told, queries)
    waiting.close()
    names = {line.split()[2] for line in told.splitlines() if line.startswith("# TYPE")}
    with open("lsock.rules.yml", encoding="utf-8") as text:
        queries.append("".join(line for line in text if "expr" in line or line.startswith("          ")))
    for query in queries:
        used = {word for word in query.replace("(", " ").replace("{", " ").split() if word.startswith("lsock_")}
        assert used <= names, used - names
    print(f"promtool: metrics and rules; Grafana's library: the dashboard; Prometheus: its {len(panels)} panels")

    directory = tempfile.mkdtemp()
    run(lsock, "-s", "--format", "prometheus", "--output", os.path.join(directory, "lsock.prom"))
    address = free()
    exporter = subprocess.Popen(
        ["prometheus-node-exporter", "--collector.disable-defaults", "--collector.textfile",
         f"--collector.textfile.directory={directory}", f"--web.listen-address={address}"],
        stderr=subprocess.PIPE,
    )
    try:
        scraped = samples(prometheus(answer(f"http://{address}/metrics")))
        assert scraped[("node_textfile_scrape_error",)] == 0, exporter.stderr
        assert scraped[("lsock_listen_queue_length", *queue)] == len(held)
        assert scraped[("lsock_complete",)] in (0, 1)
    finally:
        exporter.terminate()
        exporter.wait()
    print("node_exporter: scraped from the file")


main()
