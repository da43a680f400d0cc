#!/bin/bash
# Lists sockets of SCTP, vsock, TIPC, XDP and SMC under another kernel, compares with its ss and netstat, and records them:
# tests/fixtures/families/*.bin are such recordings.
# usage: tests/families_in_kernel.sh BOOT KERNEL [DIRECTORY FOR THE RECORDINGS]
# BOOT as in tests/in_kernel.sh.
set -euo pipefail
boot=$1 kernel=$2 out=${3:-$(mktemp -d)}
cd "$(dirname "$(readlink -f "$0")")/.."
[ -n "${LSOCK:-}" ] || cargo build -q --release --locked
share=$(mktemp -d)
trap 'rm -rf "$share"' EXIT
strip -o "$share/lsock" "${LSOCK:-target/release/lsock}"
cat > "$share/script" <<'END'
cp /host/lsock /tmp/lsock
ln -s lsock /tmp/netstat
ln -s lsock /tmp/ss
for one in sctp vsock tipc smc; do
    # Nothing is loaded for a list, and there is none.
    /tmp/lsock -A $one -a || echo "WRONG: $one without its module: $?"
done
lsmod | grep -E '^(sctp|vsock|tipc|smc) ' && echo "WRONG: a module was loaded"
modprobe -a sctp vsock vsock_loopback tipc smc af_alg can_raw af_key 2>/dev/null
python3 /host/families.py > /tmp/scene & scene=$!
for _ in $(seq 90); do grep -q ready /tmp/scene && break; sleep 1; done
cat /tmp/scene
python3 /host/families.py compare || echo "WRONG: ss lists others"
unshare -n sh -c 'ip link set lo up; exec python3 /host/families.py bound' > /tmp/bound & bound=$!
for _ in $(seq 60); do grep -q ready /tmp/bound && break; sleep 1; done
python3 /host/families.py as_ss $bound || echo "WRONG: ss prints something else"
kill $bound
for one in sctp vsock tipc xdp smc; do
    /tmp/lsock -A $one -aimn --source netlink -D /host/out/$one.bin > /dev/null 2>&1 || echo "none of $one"
    /tmp/lsock -A $one -anpe
done
# The TCP connections below those of AF_SMC belong to the process that has the latter: two that were accepted, both ends,
# and the opening ends of two that were not.
/tmp/lsock -tnp --columns local,peer,process_status,pid 'sport = 7101,7102 or dport = 7101,7102' | tee /tmp/told
! grep -q 'made smc' /tmp/scene || [ "$(grep -c "found *$scene\$" /tmp/told)" -ge 5 ] || echo "WRONG: owners below SMC"
# Each of their states is explained, and the command that is given there lists it.
for one in sctp vsock tipc smc; do
    for state in $(/tmp/lsock -A $one -aH --columns state | sort -u); do
        /tmp/lsock --explain $state > /tmp/told || echo "WRONG: --explain $state"
        list=$(sed -n 's/^ *lsock \(.*\)/\1/p' /tmp/told | head -n 1)
        echo "$one: $state: lsock $list"
        /tmp/lsock $list -A $one 2>&1 | grep -q "^$one .*$state" || echo "WRONG: lsock $list lists no $one in $state"
    done
done
# Families without a list.
/tmp/lsock -p pid = $scene 2>&1 | tee /tmp/told
for one in ALG KEY CAN_RAW; do grep -q "1 $one socket of process $scene is in no table" /tmp/told || echo "WRONG: $one"; done
kill $scene
echo "Linux $(uname -r) is up for $(cut -d' ' -f1 /proc/uptime) s"
END
"$boot" "$kernel" "$share/script" "$out" "$share/lsock" tests/families.py || true
cat "$out/log"
grep -q 'is up for' "$out/log" && ! grep -q WRONG "$out/log"
