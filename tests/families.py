"""The scene of tests/families_in_kernel.sh: sockets of SCTP, vsock, TIPC, XDP and SMC, each in the states that loopback
allows, and of families that have no dump. Says which it could not make, then "ready", and sleeps."""
import ctypes, os, socket, struct, sys, time
libc = ctypes.CDLL(None, use_errno=True)
keep = []
def say(*a, **how): print(*a, flush=True, **how)
def attempt(name, f):
    try: f(); say("made", name)
    except OSError as e: say("cannot make", name, e)
SCTP = 132
def sctp():
    def listener(kind, fam, addr):
        s = socket.socket(fam, kind, SCTP); s.bind(addr); s.listen(5); keep.append(s); return s
    L = listener(socket.SOCK_STREAM, socket.AF_INET, ("127.0.0.1", 7001))
    c = socket.socket(socket.AF_INET, socket.SOCK_STREAM, SCTP); c.connect(("127.0.0.1", 7001)); a, _ = L.accept(); keep.extend([c, a])
    c2 = socket.socket(socket.AF_INET, socket.SOCK_STREAM, SCTP); c2.connect(("127.0.0.1", 7001)); keep.append(c2)  # not accepted
    M = listener(socket.SOCK_SEQPACKET, socket.AF_INET, ("0.0.0.0", 7002))
    m = socket.socket(socket.AF_INET, socket.SOCK_SEQPACKET, SCTP); m.sendto(b"hello", ("127.0.0.1", 7002)); m.setblocking(False)
    try: m.sendto(b"again", ("127.0.0.2", 7002))
    except OSError as e: say("connecting", e)
    keep.append(m)
    L6 = listener(socket.SOCK_STREAM, socket.AF_INET6, ("::", 7003))
    c6 = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, SCTP); c6.connect(("::1", 7003)); a6, _ = L6.accept(); keep.extend([c6, a6])
    c46 = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, SCTP); c46.connect(("::ffff:127.0.0.1", 7003)); a46, _ = L6.accept(); keep.extend([c46, a46])
    b = socket.socket(socket.AF_INET, socket.SOCK_STREAM, SCTP); b.bind(("127.0.0.1", 7004)); keep.append(b)
    bm = socket.socket(socket.AF_INET, socket.SOCK_SEQPACKET, SCTP); bm.bind(("127.0.0.1", 7005)); keep.append(bm)
    n = socket.socket(socket.AF_INET, socket.SOCK_STREAM, SCTP); n.setblocking(False)
    try: n.connect(("10.255.0.1", 7009))
    except OSError as e: say("connecting", e)
    keep.append(n)
    # multi-homed: 127.0.0.3 and 127.0.0.4
    w = socket.socket(socket.AF_INET, socket.SOCK_STREAM, SCTP); w.bind(("127.0.0.3", 7006))
    extra = struct.pack("=HH4s8x", socket.AF_INET, socket.htons(7006), socket.inet_aton("127.0.0.4"))
    try: w.setsockopt(SCTP, 100, extra)  # SCTP_SOCKOPT_BINDX_ADD
    except OSError as e: say("bindx", e)
    w.listen(5); keep.append(w)
    cw = socket.socket(socket.AF_INET, socket.SOCK_STREAM, SCTP); cw.connect(("127.0.0.3", 7006)); aw, _ = w.accept(); keep.extend([cw, aw])
    aw.send(b"unread bytes")
def bound():
    """SCTP sockets that are bound to one address each: what ss 6.1 shows of others is not where they are."""
    def made(kind, ip, port, to=None):
        s = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, kind, SCTP); s.bind((ip, port)); keep.append(s)
        s.connect((ip, to)) if to else s.listen(5)
        return s
    l = made(socket.SOCK_STREAM, "127.0.0.1", 7101)
    for _ in range(2): made(socket.SOCK_STREAM, "127.0.0.1", 0, 7101)
    keep.append(l.accept()[0])
    made(socket.SOCK_SEQPACKET, "127.0.0.1", 7102)
    n = socket.socket(socket.AF_INET, socket.SOCK_SEQPACKET, SCTP); n.bind(("127.0.0.1", 7103)); n.sendto(b"hello", ("127.0.0.1", 7102)); keep.append(n)
    made(socket.SOCK_STREAM, "::1", 7104); made(socket.SOCK_STREAM, "::1", 7105, 7104)
def vsock():
    V = socket.AF_VSOCK
    l = socket.socket(V, socket.SOCK_STREAM); l.bind((socket.VMADDR_CID_ANY, 5001)); l.listen(7); keep.append(l)
    c = socket.socket(V, socket.SOCK_STREAM); c.connect((1, 5001)); a, _ = l.accept(); keep.extend([c, a])
    c2 = socket.socket(V, socket.SOCK_STREAM); c2.connect((1, 5001)); a2, _ = l.accept(); c2.shutdown(socket.SHUT_WR); keep.extend([c2, a2])
    b = socket.socket(V, socket.SOCK_STREAM); b.bind((1, 5002)); keep.append(b)
    keep.append(socket.socket(V, socket.SOCK_STREAM))
    attempt("vsock seqpacket", lambda: seq(V))
def seq(V):
    q = socket.socket(V, socket.SOCK_SEQPACKET); q.bind((1, 5003)); q.listen(1); keep.append(q)
    qc = socket.socket(V, socket.SOCK_SEQPACKET); qc.connect((1, 5003)); keep.append(qc)
def tipc():
    T = socket.AF_TIPC
    l = socket.socket(T, socket.SOCK_STREAM); l.bind((socket.TIPC_ADDR_NAMESEQ, 18888, 7, 7, socket.TIPC_NODE_SCOPE)); l.listen(3); keep.append(l)
    import threading
    def pair():
        made = []; t = threading.Thread(target=lambda: made.append(l.accept()[0])); t.start()
        c = socket.socket(T, socket.SOCK_STREAM); c.connect((socket.TIPC_ADDR_NAME, 18888, 7, 0)); t.join(); return c, made[0]
    c, a = pair(); keep.extend([c, a])
    a.send(b"unread")
    r = socket.socket(T, socket.SOCK_RDM); r.bind((socket.TIPC_ADDR_NAMESEQ, 18889, 1, 9, socket.TIPC_NODE_SCOPE)); keep.append(r)
    keep.append(socket.socket(T, socket.SOCK_SEQPACKET)); keep.append(socket.socket(T, socket.SOCK_DGRAM))
    s2, a2 = pair(); s2.close(); keep.append(a2)
def xdp():
    SOL_XDP = 283
    s = socket.socket(44, socket.SOCK_RAW); fd = s.fileno()
    size, frame = 4096 * 16, 4096
    libc.mmap.restype = ctypes.c_void_p
    area = libc.mmap(None, ctypes.c_size_t(size), 3, 0x22, -1, 0)
    reg = struct.pack("=QQIIII", area, size, frame, 0, 0, 0)
    s.setsockopt(SOL_XDP, 4, reg[:24] + reg[24:32])  # XDP_UMEM_REG
    for opt, n in ((5, 16), (6, 16), (2, 8), (3, 32)):  # fill, completion, rx, tx
        s.setsockopt(SOL_XDP, opt, struct.pack("=I", n))
    addr = struct.pack("=HHIII", 44, 2, socket.if_nametoindex("lo"), 0, 0)  # XDP_COPY
    if libc.bind(fd, addr, len(addr)): raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    keep.append(s); keep.append(socket.socket(44, socket.SOCK_RAW))
def smc():
    S = 43
    libc_bind = lambda s, a: None
    def sa(ip, port): return struct.pack("=HH4s8x", socket.AF_INET, socket.htons(port), socket.inet_aton(ip))
    def sa6(ip, port): return struct.pack("=HHI16sI", socket.AF_INET6, socket.htons(port), 0, socket.inet_pton(socket.AF_INET6, ip), 0)
    def call(f, s, a):
        if f(s, a, len(a)): raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    for proto, any_, one, port, mk in ((0, "0.0.0.0", "127.0.0.1", 7101, sa), (1, "::", "::1", 7102, sa6)):
        l = libc.socket(S, 1, proto)
        if l < 0: raise OSError(ctypes.get_errno(), "socket")
        call(libc.bind, l, mk(any_, port)); libc.listen(l, 9)
        c = libc.socket(S, 1, proto); call(libc.connect, c, mk(one, port)); a = libc.accept(l, None, None)
        say("smc", proto, l, c, a)
    libc.socket(S, 1, 0)
    b = libc.socket(S, 1, 0); call(libc.bind, b, sa("127.0.0.1", 7103))
    c2 = libc.socket(S, 1, 0); call(libc.connect, c2, sa("127.0.0.1", 7101)); libc.shutdown(c2, 1)
    # IPPROTO_SMC (6.11)
    i = libc.socket(socket.AF_INET, 1, 256)
    say("IPPROTO_SMC", i, os.strerror(ctypes.get_errno()))
    if i >= 0:
        call(libc.bind, i, sa("127.0.0.1", 7104)); libc.listen(i, 4)
        j = libc.socket(socket.AF_INET, 1, 256); call(libc.connect, j, sa("127.0.0.1", 7104))
def ends(command):
    """What a program lists, as (is a connection, port, port of the peer), sorted."""
    import subprocess
    lines = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()[1:]
    words = [line.replace("`- ", "assoc-").split() for line in lines if not line.startswith((" ", "\t"))]
    port = lambda end: end.rsplit(":", 1)[-1].lstrip("q").replace("-", "*")
    columns = []
    for row in words:
        # ss -S and --tipc have no column of the family; of unset XDP sockets no port.
        name = row[0] if row[0] in ("sctp", "vsock", "tipc", "xdp") or row[0].startswith("v_") or row[0] == "???" else None
        rest = row[1:] if name else row
        if rest[0] in ("endpoint", "association", "stream", "dgram", "seqpacket", "rdm", "raw"):
            is_connection, rest = rest[0] == "association", rest[1:]
        else:
            is_connection = rest[0].startswith("assoc-")
        columns.append((is_connection, port(rest[3]), port(rest[4])))
    return sorted(columns)
def compare():
    """Fails if lsock and ss do not list the same."""
    differs = False
    for option in ("-S", "--vsock", "--tipc", "--xdp"):
        # Columns that both have.
        own = ends(["/tmp/lsock", "-an", option, "--columns", "protocol,type,state,recv_queue,send_queue,local,peer"])
        theirs = ends(["ss", "-an", option])
        if own != theirs:
            differs = True
            say("differs:", option, "lsock", own, "ss", theirs)
        else:
            say("the same:", option, len(own))
    for options in ("-Sn", "-Sln", "-San", "-Sane", "-Sanp", "-Sano"):
        own, theirs = netstat("/tmp/netstat", options), netstat("netstat", options)
        same = own == theirs and (len(own) > 3 or "l" in options)
        differs = differs or not same
        say("the same: netstat" if same else "differs: netstat", options, len(own))
        if not same: say("lsock", *own, "netstat", *theirs, sep="\n")
    sys.exit(differs)
def netstat(program, options):
    """Its lines, sorted, the further ones of a socket behind its first one. An association has its own state here, and
    that of its socket there."""
    import re, subprocess
    text = subprocess.run([program, options], capture_output=True, text=True).stdout
    socket = r"\d+ +\d+ \S+:\d+ +\S+:\d+ +"
    return sorted(re.sub("^(sctp +" + socket + ")[A-Z_]+ *", r"\1", line) for line in text.replace("\n   ", "|").splitlines())
SS = """-San|-Sanp|-Sanpe|-Sanm|-Sani|-Sanmi|-Sano|-SaneO|-SaniO|-Slan|-Sln|-S|-Sn|-San state connected|-San state listening
-San sport = 7101|-San dport = 7101|-A sctp -an|-SanH|-SanT|-San4|-San6|-Stan|-A inet -an|-Sa|-San exclude established
-San --cgroup|-San --inet-sockopt|--vsock -an|--vsock -anpe|--vsock -ln|--vsock -anmio|--tipc -anpe|--tipc -an --tipcinfo
--tipc -anpeO --tipcinfo|--tipc -n|--xdp -anp|--xdp -anpem|--xdp -anoi|-f xdp -an|-f tipc -an|--vsock -anH"""
def as_ss(pid):
    """Fails if under the name ss it does not print what ss prints; of SCTP in the namespace of this process."""
    import re, subprocess
    differs = 0
    runs = SS.replace("\n", "|").split("|")
    for words in runs:
        where = [] if any(family in words for family in ("vsock", "tipc", "xdp")) else ["nsenter", "-t", pid, "-n"]
        said = [subprocess.run(where + [program] + words.split(), capture_output=True, text=True).stdout for program in ("ss", "/tmp/ss")]
        # A timer runs, and nobody sets the queues of an endpoint that does not listen.
        queues = re.compile(r"^((?:sctp +)?(?:ESTAB|UNCONN) +)\d+ +\d+ +", re.M)
        theirs, own = [queues.sub(r"\1", re.sub(r"(T3_RTX,)\w*", r"\1", text)) for text in said]
        if theirs != own or len(own) < 50:
            differs += 1; say("differs: ss", words, theirs, own, sep="\n")
    say("the same: ss", len(runs) - differs, "of", len(runs))
    sys.exit(differs > 0)
def held():
    for name, fam, kind, proto in (("alg", 38, socket.SOCK_SEQPACKET, 0), ("key", 15, socket.SOCK_RAW, 2), ("can", 29, socket.SOCK_RAW, 1), ("bluetooth", 31, socket.SOCK_RAW, 1)):
        attempt(name, lambda: keep.append(socket.socket(fam, kind, proto)))
if __name__ == "__main__":
    if sys.argv[1:] == ["compare"]: compare()
    if sys.argv[1:2] == ["as_ss"]: as_ss(sys.argv[2])
    for name in sys.argv[1:] or ["sctp", "vsock", "tipc", "xdp", "smc", "held"]: attempt(name, globals()[name])
    say("ready"); time.sleep(300)
