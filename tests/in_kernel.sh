#!/bin/bash
# Runs tests under another kernel, in a virtual machine: those of events, if no other arguments are given.
# usage: tests/in_kernel.sh [--before COMMAND] BOOT KERNEL [ARGUMENTS OF THE TEST PROGRAM...]
# BOOT is a program that boots KERNEL: `BOOT KERNEL SCRIPT OUTDIR FILES...` runs SCRIPT there as root, with FILES in
# /host, and brings its output back as OUTDIR/log, that of the kernel as OUTDIR/console. COMMAND is run there first: with
#   'echo confidentiality > /sys/kernel/security/lockdown' or 'sysctl kernel.unprivileged_bpf_disabled=0'
# it is a kernel that allows less, or more.
set -euo pipefail
before=
[ "$1" != --before ] || { before=$2; shift 2; }
boot=$1 kernel=$2
shift 2
cd "$(dirname "$(readlink -f "$0")")/.."
cargo build -q --release --locked
tests=$(cargo test -q --locked --test integration --no-run --message-format json |
    sed -n 's/.*"executable":"\([^"]*integration[^"]*\)".*/\1/p' | tail -n 1)
share=$(mktemp -d)
trap 'rm -rf "$share"' EXIT
# Without what debuggers need they fit into a small machine.
strip -o "$share/lsock" target/release/lsock
strip -o "$share/integration" "$tests"
chmod 755 "$share"/*
cat > "$share/script" <<END
modprobe -a inet_diag tcp_diag mptcp_diag sch_tbf 2>/dev/null
# The tests run the program where it was built for them.
mkdir -p "$PWD/target/debug" "$PWD/tests" && cd "$PWD"
cp /host/lsock target/debug/lsock
cp -r /host/fixtures tests/
cp /host/integration /tmp/integration
mount -t securityfs securityfs /sys/kernel/security 2>/dev/null
{ ${before:-true}; } || exit
echo "Linux \$(uname -r), locked down: \$(cat /sys/kernel/security/lockdown)"
# What keeps it from recording there, if anything does.
target/debug/lsock -Ep --wait 0 2>&1
ulimit -n 65536
/tmp/integration --test-threads=2 ${*:-events:: --skip many} 2>&1
# It has outlived them.
echo "Linux \$(uname -r) is up for \$(cut -d' ' -f1 /proc/uptime) s"
END
"$boot" "$kernel" "$share/script" "$share/out" "$share/lsock" "$share/integration" tests/fixtures || true
cat "$share/out/log"
grep -q 'is up for' "$share/out/log" || { tail -n 50 "$share/out/console" && exit 1; }
grep -q '^test result: ok' "$share/out/log"
