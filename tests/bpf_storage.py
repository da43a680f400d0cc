# Stores something of a TCP connection in two BPF maps and of a UDP socket in one, tells both ports and the ids of the
# maps, and waits until standard input ends (include/uapi/linux/{bpf,btf}.h).
import ctypes
import os
import socket
import struct
import sys

BTF_LOAD, MAP_CREATE, MAP_UPDATE_ELEM, OBJ_GET_INFO_BY_FD = 18, 0, 2, 15
SK_STORAGE, NO_PREALLOC = 24, 1
SYS_BPF = 321 if os.uname().machine == 'x86_64' else 280
libc = ctypes.CDLL(None, use_errno=True)
def bpf(command, attr):
    buffer = ctypes.create_string_buffer(attr, max(len(attr), 128))
    got = libc.syscall(SYS_BPF, command, buffer, len(buffer))
    if got < 0:
        sys.exit(f'bpf({command}): {os.strerror(ctypes.get_errno())}')
    return got
def address(data):
    kept.append(ctypes.create_string_buffer(data, len(data)))
    return ctypes.addressof(kept[-1])
kept = []
def integer(name, size):
    return struct.pack('=IIII', name, 1 << 24, size, size * 8)
strings = b'\0key\0value\0'
types = integer(1, 4) + integer(5, 16)
btf = struct.pack('=HBBIIIII', 0xeb9f, 1, 0, 24, 0, len(types), len(types), len(strings)) + types + strings
btf = bpf(BTF_LOAD, struct.pack('=QQIII', address(btf), 0, len(btf), 0, 0))
def create():
    return bpf(MAP_CREATE, struct.pack('=IIIIIII16sIIII', SK_STORAGE, 4, 16, 0, NO_PREALLOC, 0, 0, b'lsock', 0, btf, 1, 2))
def number(map):
    info = ctypes.create_string_buffer(8)
    bpf(OBJ_GET_INFO_BY_FD, struct.pack('=IIQ', map, 8, ctypes.addressof(info)))
    return struct.unpack('=II', info.raw)[1]
def store(map, held):
    bpf(MAP_UPDATE_ELEM, struct.pack('=IIQQQ', map, 0, address(struct.pack('=i', held.fileno())), address(bytes(16)), 0))
maps = [create(), create()]
listener = socket.create_server(('127.0.0.1', 0))
client = socket.create_connection(listener.getsockname())
server, _ = listener.accept()
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(('127.0.0.1', 0))
for map in maps:
    store(map, client)
store(maps[0], udp)
print(client.getsockname()[1], udp.getsockname()[1], *[number(map) for map in maps], flush=True)
sys.stdin.read()
