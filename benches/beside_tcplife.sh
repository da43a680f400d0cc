#!/bin/bash
# Processor time for each connection of `lsock -E --by connection`, of `lsock -E` and of tcplife (Debian: libbpf-tools), which
# watch the same connections over loopback. As root; in namespaces of its own.
# usage: benches/beside_tcplife.sh LSOCK [CONNECTIONS]
set -euo pipefail
lsock=$(readlink -f "$1") count=${2:-20000}
for tool in tcplife python3 unshare; do
    command -v "$tool" > /dev/null || { echo "skipped: $tool is missing"; exit 0; }
done
exec unshare -m -n bash -s "$lsock" "$count" <<'END'
set -euo pipefail
mount -t tracefs none /sys/kernel/tracing
ip link set lo up
sysctl -qw net.ipv4.tcp_tw_reuse=0 net.ipv4.tcp_max_tw_buckets=1000000
python3 - "$1" "$2" <<'PYTHON'
import signal, socket, subprocess, sys, time

lsock, count = sys.argv[1], int(sys.argv[2])
steps = [lsock, "-E", "-n", "--format", "ndjson"]
commands = {"tcplife": ["tcplife", "-T"], "lsock -E --by connection": steps + ["--by", "connection"], "lsock -E": steps}
running = {name: subprocess.Popen(command, stdout=subprocess.DEVNULL) for name, command in commands.items()}
time.sleep(4)  # tcplife loads its programs

def spent(process):
    with open(f"/proc/{process.pid}/schedstat") as file:
        return int(file.read().split()[0])

before = {name: spent(process) for name, process in running.items()}
listener = socket.create_server(("127.0.0.1", 0), backlog=64)
for _ in range(count):
    client = socket.create_connection(listener.getsockname())
    server, _ = listener.accept()
    client.shutdown(socket.SHUT_WR)
    server.recv(1)
    server.close()
    client.recv(1)
    client.close()
time.sleep(1)
for name, process in running.items():
    print(f"{name:25} {(spent(process) - before[name]) / count / 1000:6.2f} us a connection")
    process.send_signal(signal.SIGINT)
PYTHON
END
