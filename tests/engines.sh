#!/bin/bash
# What lsock says of containers of the engines that are installed here, beside what these say themselves. Not a part
# of CI: it needs root and, from Debian, busybox-static and any of: podman (with runc, netavark, catatonit;
# slirp4netns and uidmap for containers without root), runc, docker.io, containerd, systemd-container.
#     cargo build && tests/engines.sh target/debug/lsock
# Everything happens in a network and a mount namespace of the script's own, with a /run of its own and all files below a
# directory that goes away at the end. Nothing is pulled. Last comes a listing of all of them.
set -u
lsock=$(realpath "${1:?which lsock}")
if [ "${LSOCK_ENGINES:-}" != inside ]; then
    LSOCK_ENGINES=inside exec unshare --net --mount --propagation private "$0" "$lsock"
fi
work=$(mktemp -d)
chmod 755 "$work"
failed=0 engines=0
cleanup=()
cgroups() { find /sys/fs/cgroup -type d -regex '.*/\(libpod_parent\|docker\|default\|payload\|supervisor\)\(/.*\)?' | sort; }
before=$(cgroups)
finish() {
    local one
    for one in "${cleanup[@]}"; do eval "$one"; done >/dev/null 2>&1
    sleep 1
    # Engines leave cgroups behind.
    cgroups | comm -13 <(echo "$before") - | sort -r | while read -r one; do rmdir "$one"; done 2>/dev/null
    umount "$work"/docker-run/netns/* "$work/dev" 2>/dev/null
    rm -rf --one-file-system "$work"
}
trap finish EXIT
ip link set lo up
sysctl -qw net.ipv4.ip_forward=1
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/netns /run/lock /run/systemd/nspawn
cp "$lsock" "$work/lsock"
lsock=$work/lsock

root=$work/root
mkdir -p "$root"/{bin,proc,dev,sys,etc,tmp,run,var}
cp "$(command -v busybox)" "$root/bin/busybox"
ln -s busybox "$root/bin/httpd"
columns=container,pod,image,runtime

# check WHAT EXPECTED FILTER WORDS...: the columns of the listeners that a filter finds, each once.
check() {
    local what=$1 expected=$2 filter=$3 told
    shift 3
    for attempt in 1 2 3 4 5 6 7 8 9 10; do
        told=$("$@" "$lsock" ${where:+-N "$where"} -tlnH --format plain --columns "$columns" "$filter" 2>/dev/null |
            tr -s ' ' | sed 's/ $//' | sort -u)
        [ "$told" = "$expected" ] && break
        sleep 0.3
    done
    if [ -n "$expected" ] && [ "$told" = "$expected" ]; then
        echo "ok      $what: $told"
    else
        echo "NOT OK  $what: \"$told\", not \"$expected\""
        failed=1
    fi
}
nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)

# podman_names WHO PORT PREFIX PODMAN...: containers of every kind of network, with published ports, in pods of both kinds.
podman_names() {
    local who=$1 port=$2 of=$3
    shift 3
    local pod=("$@" --storage-driver vfs --cgroup-manager cgroupfs --events-backend none --runtime "$(command -v runc)")
    tar -C "$root" -c . | "${pod[@]}" import -q - bb >/dev/null || { failed=1; return; }
    cleanup+=("timeout 60 ${pod[*]} pod rm -fa -t 0" "timeout 60 ${pod[*]} rm -fa -t 0")
    "${pod[@]}" run -d --name "$of-own" --network none bb /bin/httpd -f -p $((port + 1)) >/dev/null || failed=1
    "${pod[@]}" run -d --name "$of-host" --network host bb /bin/httpd -f -p $((port + 2)) >/dev/null || failed=1
    "${pod[@]}" run -d --name "$of-published" -p $((port + 3)):80 bb /bin/httpd -f -p 80 >/dev/null || failed=1
    "${pod[@]}" pod create --name "$of-shop" -p $((port + 4)):90 >/dev/null || failed=1
    "${pod[@]}" run -d --name "$of-in-shop" --pod "$of-shop" bb /bin/httpd -f -p 90 >/dev/null || failed=1
    "${pod[@]}" pod create --name "$of-bare" --infra=false >/dev/null || failed=1
    "${pod[@]}" run -d --name "$of-in-bare" --pod "$of-bare" --network host bb /bin/httpd -f -p $((port + 5)) >/dev/null || failed=1
    named() {
        "${pod[@]}" ps --pod --format '{{.Names}} {{.PodName}} {{.Image}} podman' --filter "name=^$1\$" |
            awk '{ print $1, (NF > 3 ? $2 : "-"), $(NF - 1), $NF }'
    }
    local infra
    infra=$("${pod[@]}" ps --pod --format '{{.Names}}' --filter name=-infra)
    where=$of-own check "podman of $who, own network" "$(named "$of-own")" "sport = $((port + 1))"
    where= check "podman of $who, network of the host" "$(named "$of-host")" "sport = $((port + 2))"
    where=$of-published check "podman of $who, behind the port" "$(named "$of-published")" "sport = 80"
    where= check "podman of $who, published port" "$(named "$of-published")" "sport = $((port + 3))"
    where=$of-in-shop check "podman of $who, in a pod" "$(named "$of-in-shop")" "sport = 90"
    # conmon of the pod's first container holds its port, of a user's pod rootlessport, which serves all in it.
    case $who in
        root) where= check "podman of $who, port of a pod" "$(named "$infra")" "sport = $((port + 4))" ;;
        *) columns=pod where= check "podman of $who, port of a pod" "$of-shop" "sport = $((port + 4))" ;;
    esac
    where= check "podman of $who, in a pod without a first container" "$(named "$of-in-bare")" "sport = $((port + 5))"
    if [ "$who" = root ]; then
        columns=made_in where= check "podman of $who, asked by nobody" "$of-host" "sport = $((port + 2))" "${nobody[@]}"
    else
        where= check "podman of $who, asked by $who" "$(named "$of-published")" "sport = $((port + 3))" "${as_user[@]}"
    fi
}

if command -v podman >/dev/null && command -v runc >/dev/null; then
    engines=$((engines + 1))
    # Without CAP_SYS_RESOURCE no limit can be raised.
    printf '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n' >"$work/containers.conf"
    export CONTAINERS_CONF=$work/containers.conf
    podman_names root 20100 r podman --root "$work/podman" --runroot "$work/podman-run" --network-backend netavark
    if command -v slirp4netns >/dev/null && command -v newuidmap >/dev/null; then
        user=lsock-$$
        useradd -M -d "$work/home" -s /bin/sh "$user"
        mkdir -p "$work/home" "$work/user" "$work/dev"
        chown "$user" "$work/home" "$work/user"
        # Without root podman needs a tun device that everybody may open.
        mount -t tmpfs tmpfs "$work/dev"
        mknod -m 666 "$work/dev/tun" c 10 200
        mount --bind "$work/dev/tun" /dev/net/tun
        as_user=(setpriv --reuid="$(id -u "$user")" --regid="$(id -g "$user")" --init-groups env HOME="$work/home"
            XDG_RUNTIME_DIR="$work/user")
        cd "$work"
        podman_names "a user" 20200 u "${as_user[@]}" podman --log-level error
        # The process that keeps the user's namespaces stays.
        cleanup+=("kill -KILL \$(pgrep -u $user); sleep 1; userdel -f $user")
    fi
fi

if command -v dockerd >/dev/null; then
    engines=$((engines + 1))
    dockerd --data-root "$work/docker" --exec-root "$work/docker-run" -p "$work/docker.pid" -H "unix://$work/docker.sock" \
        --storage-driver vfs --ip6tables=false >"$work/dockerd.log" 2>&1 &
    dockerd=$!
    client=("$(ls /usr/bin/docker 2>/dev/null || command -v docker)" -H "unix://$work/docker.sock")
    for second in $(seq 20); do "${client[@]}" info >/dev/null 2>&1 && break; sleep 1; done
    cleanup+=("timeout 60 ${client[*]} rm -f d-own d-host d-port d-beside" "kill $dockerd; wait $dockerd")
    tar -C "$root" -c . | "${client[@]}" import - bb:1 >/dev/null
    run=("${client[@]}" run -d --name)
    "${run[@]}" d-own --network none bb:1 /bin/httpd -f -p 20301 >/dev/null || failed=1
    "${run[@]}" d-host --network host bb:1 /bin/httpd -f -p 20302 >/dev/null || failed=1
    "${run[@]}" d-port -p 20303:80 bb:1 /bin/httpd -f -p 80 >/dev/null || failed=1
    "${run[@]}" d-beside --network container:d-port bb:1 /bin/httpd -f -p 81 >/dev/null || failed=1
    named() { "${client[@]}" ps --format '{{.Names}} - {{.Image}} docker' --filter "name=^$1\$"; }
    where=d-own check "docker, own network" "$(named d-own)" "sport = 20301"
    where= check "docker, network of the host" "$(named d-host)" "sport = 20302"
    where=d-port check "docker, behind the port" "$(named d-port)" "sport = 80"
    where=d-port check "docker, network of another container" "$(named d-beside)" "sport = 81"
    where= check "docker, published port of both families" "$(named d-port)" "sport = 20303"
    id=$("${client[@]}" ps -q --filter name=^d-host\$)
    columns=made_in where= check "docker, asked by nobody" "$id" "sport = 20302" "${nobody[@]}"
fi

if command -v runc >/dev/null; then
    engines=$((engines + 1))
    for network in host own; do
        id=lsock-runc-$network-$$
        [ $network = host ] && port=20401 where= || { port=20402 where=$id; }
        mkdir -p "$work/$id"
        (cd "$work/$id" && runc spec)
        python3 - "$work/$id/config.json" "$root" $port $network <<'PY'
import json, sys
path, root, port, network = sys.argv[1:]
spec = json.load(open(path))
spec["root"] = {"path": root, "readonly": True}
process = spec["process"]
process["terminal"] = False
process["args"] = ["/bin/httpd", "-f", "-p", port]
process.pop("rlimits", None)
if network == "host":
    kinds = spec["linux"]["namespaces"]
    spec["linux"]["namespaces"] = [kind for kind in kinds if kind["type"] != "network"]
    spec["mounts"] = [mount for mount in spec["mounts"] if mount["type"] != "sysfs"]
json.dump(spec, open(path, "w"))
PY
        (cd "$work/$id" && runc run -d "$id" </dev/null >/dev/null 2>"$work/$id.log") || failed=1
        cleanup+=("runc delete -f $id")
        runc list -q | grep -qx "$id" || failed=1
        check "runc, network $network" "$id - - runc" "sport = $port"
    done
fi

if command -v ctr >/dev/null && command -v containerd >/dev/null; then
    engines=$((engines + 1))
    printf 'version = 2\nroot = "%s/containerd"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n' "$work" \
        >"$work/containerd.toml"
    containerd -c "$work/containerd.toml" >"$work/containerd.log" 2>&1 &
    containerd=$!
    for second in $(seq 20); do ctr version >/dev/null 2>&1 && break; sleep 0.5; done
    id=lsock-ctr-$$
    ctr run -d --net-host --rootfs "$root" "$id" /bin/httpd -f -p 20501 || failed=1
    cleanup+=("ctr task kill -s KILL $id; sleep 1; ctr task rm -f $id; ctr container rm $id" "kill $containerd; wait $containerd")
    ctr container ls -q | grep -qx "$id" || failed=1
    where= check "containerd, network of the host" "$id - - containerd" "sport = 20501"
fi

# A systemd with the programs of this machine: a socket unit whose service python is, and a service.
if command -v systemd-nspawn >/dev/null && [ -x /usr/lib/systemd/systemd ]; then
    engines=$((engines + 1))
    box=$work/box units=$work/box/etc/systemd/system
    mkdir -p "$box"/{usr,var,run,tmp,root,proc,sys,dev} "$units"
    for link in bin sbin lib lib64; do ln -s usr/$link "$box/$link"; done
    echo 'root:x:0:0::/root:/bin/sh' >"$box/etc/passwd"
    echo ID=box >"$box/etc/os-release"
    printf '[Socket]\nListenStream=20601\n' >"$units/web.socket"
    printf '[Service]\nExecStart=/usr/bin/busybox sleep 600\n' >"$units/web.service"
    printf '[Service]\nExecStart=/usr/bin/busybox httpd -f -p 20602\n' >"$units/plain.service"
    printf '[Unit]\nRequires=basic.target\nWants=web.socket plain.service\n' >"$units/default.target"
    systemd-nspawn --keep-unit --register=no -q -D "$box" --bind-ro=/usr:/usr -M box -b --console=pipe \
        </dev/null >"$work/nspawn.log" 2>&1 &
    nspawn=$!
    cleanup+=("kill $nspawn; wait $nspawn")
    columns=container,runtime,unit,container_unit
    where= check "nspawn, a service" "box nspawn - plain.service" "sport = 20602"
    where= check "nspawn, a socket unit that waits" "box nspawn - init.scope" "sport = 20601"
    (exec 3<>/dev/tcp/127.0.0.1/20601)
    where= check "nspawn, the service behind a socket unit" "box nspawn - init.scope,web.service" "sport = 20601"
fi

"$lsock" -N all -tln --columns netns,local,process,container,pod,image,runtime "sport < 100 or sport > 20100" 2>/dev/null
[ $engines -gt 0 ] || { echo "no engine is installed here"; exit 1; }
exit $failed
