#!/bin/sh
# Runs a program that cargo built. An ordinary user's tests of sockets run in a user and a network namespace
# of their own, where they may do most of what root may; everything else runs as it is.
case $1 in
*/deps/integration-* | */deps/alloc-*)
  if [ "$(id -u)" != 0 ]; then
    # More users than one where the system has some to give.
    for users in --map-auto --; do
      if unshare --user --map-root-user --net "$users" true 2>/dev/null; then
        exec unshare --user --map-root-user --net "$users" \
          sh -c 'ip link set lo up; exec "$@"' sh "$@"
      fi
    done
  fi
  ;;
esac
exec "$@"
