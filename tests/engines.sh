#!/bin/bash
# What lsock says of containers of the engines that are installed here, beside what these say themselves. Not a part
# of CI: it needs root and, from Debian, any of podman, runc, docker.io, containerd, and busybox-static.
#     cargo build && tests/engines.sh target/debug/lsock
# Each engine runs one container with the network of the host and one with its own, with all files below a directory
# that goes away at the end. Nothing is pulled. Last comes a listing of all of them.
set -u
lsock=$(realpath "${1:?which lsock}")
work=$(mktemp -d)
chmod 755 "$work"
failed=0 engines=0
cleanup=()
trap 'for one in "${cleanup[@]}"; do eval "$one"; done >/dev/null 2>&1; umount "$work"/docker-run/netns/* 2>/dev/null; rm -rf --one-file-system "$work"' EXIT

root=$work/root
mkdir -p "$root"/{bin,proc,dev,sys,etc,tmp,run,var}
cp "$(command -v busybox)" "$root/bin/busybox"
ln -s busybox "$root/bin/httpd"
port=20100

# check ENGINE EXPECTED PORT WHERE...: container and image of the listener at a port, as root and as nobody.
check() {
    local engine=$1 expected=$2 port=$3 told
    shift 3
    for attempt in 1 2 3 4 5 6 7 8 9 10; do
        told=$("$lsock" "$@" -tlnH --columns container,image,runtime "sport = $port" 2>/dev/null | tr -s ' ' | sed 's/ $//')
        [ -n "$told" ] && break
        sleep 0.3
    done
    if [ "$told" = "$expected" ]; then
        echo "ok      $engine: $told"
    else
        echo "NOT OK  $engine: \"$told\", not \"$expected\""
        failed=1
    fi
}

# As nobody no file of docker can be read, but the command line of podman's conmon.
as_nobody() {
    local engine=$1 expected=$2 port=$3 told
    cp "$lsock" "$work/lsock" && chmod 755 "$work/lsock"
    told=$(setpriv --reuid=65534 --regid=65534 --clear-groups "$work/lsock" -tlnH --columns made_in "sport = $port" 2>/dev/null | tr -d ' ')
    case $told in
        $expected) echo "ok      $engine as nobody: made in $told" ;;
        *) echo "NOT OK  $engine as nobody: made in \"$told\", not \"$expected\""; failed=1 ;;
    esac
}

if command -v podman >/dev/null; then
    engines=$((engines + 1))
    pod=(podman --root "$work/podman" --runroot "$work/podman-run" --cgroup-manager cgroupfs --storage-driver vfs
        --runtime "$(command -v runc)" --events-backend none)
    tar -C "$root" -c . | "${pod[@]}" import -q - bb >/dev/null
    cleanup+=("timeout 60 ${pod[*]} rm -fa -t 0")
    for network in host none; do
        port=$((port + 1))
        "${pod[@]}" run -d --name "pod-$network" --network $network --ulimit nofile=1024:1024 \
            --ulimit nproc=1024:1024 bb /bin/httpd -f -p $port >/dev/null || failed=1
        named=$("${pod[@]}" ps --format '{{.Names}} {{.Image}}' --filter "name=pod-$network")
        where=(-N "pod-$network")
        [ $network = host ] && where=()
        check "podman, network $network" "$named podman" $port "${where[@]}"
        [ $network = host ] && as_nobody podman "pod-host" $port
    done
fi

if command -v dockerd >/dev/null; then
    engines=$((engines + 1))
    dockerd --data-root "$work/docker" --exec-root "$work/docker-run" -p "$work/docker.pid" -H "unix://$work/docker.sock" \
        --storage-driver vfs --iptables=false --ip6tables=false --bridge=none --ip-forward=false --ip-masq=false \
        >"$work/dockerd.log" 2>&1 &
    dockerd=$!
    client=(docker -H "unix://$work/docker.sock")
    for second in $(seq 20); do "${client[@]}" info >/dev/null 2>&1 && break; sleep 1; done
    cleanup+=("timeout 60 ${client[*]} rm -f docker-host docker-none" "kill $dockerd; wait $dockerd")
    tar -C "$root" -c . | "${client[@]}" import - bb:1 >/dev/null
    for network in host none; do
        port=$((port + 1))
        "${client[@]}" run -d --name "docker-$network" --network $network bb:1 /bin/httpd -f -p $port \
            >/dev/null || failed=1
        named=$("${client[@]}" ps --format '{{.Names}} {{.Image}}' --filter "name=docker-$network")
        where=(-N "docker-$network")
        [ $network = host ] && where=()
        check "docker, network $network" "$named docker" $port "${where[@]}"
        id=$("${client[@]}" ps -q --filter "name=docker-$network")
        [ $network = host ] && as_nobody docker "$id" $port
    done
fi

if command -v runc >/dev/null; then
    engines=$((engines + 1))
    for network in host own; do
        port=$((port + 1)) id=lsock-runc-$network-$$
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
        where=(-N "$id")
        [ $network = host ] && where=()
        runc list -q | grep -qx "$id" || failed=1
        check "runc, network $network" "$id - runc" $port "${where[@]}"
    done
fi

if command -v ctr >/dev/null && command -v containerd >/dev/null && ! [ -S /run/containerd/containerd.sock ]; then
    engines=$((engines + 1))
    mkdir -p "$work/containerd"
    printf 'version = 2\nroot = "%s/containerd/root"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n' "$work" \
        >"$work/containerd/config.toml"
    containerd -c "$work/containerd/config.toml" >"$work/containerd.log" 2>&1 &
    containerd=$!
    for second in $(seq 20); do ctr version >/dev/null 2>&1 && break; sleep 0.5; done
    id=lsock-ctr-$$
    port=$((port + 1))
    ctr run -d --net-host --rootfs "$root" "$id" /bin/httpd -f -p $port || failed=1
    cleanup+=("ctr task kill -s KILL $id; sleep 1; ctr task rm -f $id; ctr container rm $id" "kill $containerd; wait $containerd")
    ctr container ls -q | grep -qx "$id" || failed=1
    check "containerd, network host" "$id - containerd" $port
fi

"$lsock" -N all -tln --columns netns,local,process,container,image,runtime "sport >= 20101 and sport <= $port"
[ $engines -gt 0 ] || { echo "no engine is installed here"; exit 1; }
exit $failed
