#!/bin/bash
# iproute2 6.1.0: `ss -f netlink` says `kernel` of a program's socket that joined a group before it had a port ID.
#
# Port ID 0 is that of the kernel's own sockets, and of every socket that was not bound yet. A socket can be in a group
# without a port ID, and is listed for it. ss takes the number alone for the kernel; the groups, which the kernel's own
# sockets are never in, would tell. Needs root, and Debian 12, whose package it takes.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq iproute2=6.1.0-3 2>/dev/null
dpkg -x iproute2_6.1.0-3_*.deb .
cat > join.py <<'END'
import socket, subprocess, sys
ss = sys.argv[1]
print(subprocess.run([ss, "-V"], capture_output=True, text=True).stdout.strip())
def rows():
    out = subprocess.run([ss, "-H", "-f", "netlink"], capture_output=True, text=True).stdout
    return sum(line.split()[2] == "rtnl:kernel" for line in out.splitlines())
SOL_NETLINK, ADD_MEMBERSHIP, RTNLGRP_LINK = 270, 1, 1
print("without a program:", rows())
of_program = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
of_program.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, RTNLGRP_LINK)
print("a program in a group:", rows())
of_program.bind((0, 0))
print("the same with a port ID:", rows())
END
unshare --net python3 join.py "$dir/bin/ss" | tee seen
diff - seen <<'END'
ss utility, iproute2-6.1.0
without a program: 1
a program in a group: 2
the same with a port ID: 1
END
