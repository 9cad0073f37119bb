"""Tries from inside of a pod what no pod may. Each line that it prints is an attempt and what came of it: "kept out" or "GOT IN".

The environment says what to look for: DATA (the data folder on the host), LOOPBACK (a port that listens on the host's loopback alone), API (the
port of the API there), MARKER (what answers there, an abstract socket of the host's, and an argument of a process of another pod), the addresses
OTHER, OTHER6, GATEWAY and HOST.
"""

import ctypes
import errno
import glob
import os
import signal
import socket
import struct
import subprocess
import time

libc = ctypes.CDLL(None, use_errno=True)
DATA, MARKER = os.environ["DATA"], os.environ["MARKER"]
ATTEMPTS = []


def attempt(function):
    ATTEMPTS.append(function)


class KeptOut(Exception):
    pass


def refused(result):
    """The outcome of a system call that must fail."""
    if result == -1:
        raise KeptOut(os.strerror(ctypes.get_errno()))
    return f"it returned {result}"


def run(*command):
    """A program that must fail."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        raise KeptOut("no such program")
    if done.returncode:
        raise KeptOut(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"status {done.returncode}")
    return done.stdout.strip() or "it succeeded"


def readable(paths):
    found = []
    for path in paths:
        try:
            if os.path.isdir(path):
                if os.listdir(path):
                    found.append(path)
            else:
                with open(path, "rb") as file:
                    if file.read(1):
                        found.append(path)
        except OSError:
            pass
    if found:
        return f"readable: {found}"
    raise KeptOut("nothing")


# Files of the host.


@attempt
def the_data_folder():
    names = ["", "/headcount.db", "/token", "/kubeconfig", "/ca.key", "/tls.key", "/pods", "/lock"]
    return readable([DATA + name for name in names])


@attempt
def the_data_folder_by_any_name():
    seen = []
    for top, folders, files in os.walk("/"):
        folders[:] = [name for name in folders if os.path.join(top, name) not in ("/proc", "/sys", "/usr", "/dev")]
        seen += [os.path.join(top, name) for name in files if name in ("headcount.db", "kubeconfig", "test-kubeconfig")]
    if seen:
        return str(seen)
    raise KeptOut("nothing")


@attempt
def folders_of_the_hosts_people():
    return readable(["/root", "/home", "/mnt", "/media", "/srv", "/boot", "/opt", "/host", "/folder", "/program"])


@attempt
def secrets_in_etc():
    return readable(["/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/etc/ssh", "/etc/machine-id", "/etc/ssl/private", "/etc/krb5.keytab"])


@attempt
def the_hosts_own_hosts_and_resolver():
    text = open("/etc/resolv.conf").read() + open("/etc/hostname").read()
    if "10.96.0.10" in text and "attacker" in text:
        raise KeptOut("they are the pod's")
    return text


@attempt
def var():
    found = [path for path in glob.glob("/var/**", recursive=True) if os.path.isfile(path)]
    if found:
        return str(found[:5])
    raise KeptOut("empty")


@attempt
def descriptors_left_open():
    left = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            left[name] = os.readlink("/proc/self/fd/" + name)
        except OSError:
            pass
    strange = {name: to for name, to in left.items() if int(name) > 2 and not to.startswith("/proc/")}
    if strange:
        return str(strange)
    raise KeptOut("none")


@attempt
def sockets_of_the_engine():
    lines = open("/proc/net/unix").read().splitlines()[1:]
    names = [line.split()[7] for line in lines if len(line.split()) > 7]
    if names:
        return str(names)
    raise KeptOut("no Unix socket has a name here")


@attempt
def mounts_of_the_engine():
    mounts = open("/proc/self/mounts").read().splitlines()
    outside = [line for line in mounts if line.split()[1].startswith(("/host", "/folder", "/program", "/root"))]
    if outside:
        return outside[0]
    raise KeptOut("only what is mapped in")


@attempt
def dot_dot_of_the_root():
    for _ in range(8):
        os.chdir("..")
    there = sorted(os.listdir("."))
    os.chdir("/")
    if there == sorted(os.listdir("/")):
        raise KeptOut("the root is the root")
    return str(there)


@attempt
def chroot_and_climb():
    os.makedirs("/tmp/jail", exist_ok=True)
    outside = os.open("/", os.O_RDONLY)
    child = os.fork()
    if child == 0:
        try:
            os.chroot("/tmp/jail")
            os.fchdir(outside)
            for _ in range(64):
                os.chdir("..")
            os.chroot(".")
            os._exit(0 if os.path.exists("/host") or os.path.exists(DATA) else 1)
        except OSError:
            os._exit(1)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        raise KeptOut("it stays inside")
    return "it got out"


@attempt
def file_handles():
    # What a container's root could once open on the host's file system by number (open_by_handle_at(2)).
    handle = struct.pack("<IiQ", 8, 1, 2)
    root = os.open("/usr", os.O_RDONLY)
    return refused(libc.open_by_handle_at(root, handle, os.O_RDONLY))


@attempt
def write_to_programs():
    got = []
    for path in ("/usr/bin/written", "/bin/written", "/lib/written", "/etc/ssl/certs/written", "/sys/written", "/dev/pts/written"):
        try:
            open(path, "w").close()
            got.append(path)
        except OSError:
            pass
    if got:
        return str(got)
    raise KeptOut("read-only")


@attempt
def hard_link_to_a_program():
    os.link("/usr/bin/env", "/tmp/linked")
    return "linked"


@attempt
def remount_writable():
    return refused(libc.mount(None, b"/usr", None, 32 | 4096, None))


@attempt
def mount_over():
    return refused(libc.mount(b"none", b"/mnt", b"tmpfs", 0, None))


@attempt
def mount_proc_anew():
    return refused(libc.mount(b"proc", b"/mnt", b"proc", 0, None))


@attempt
def unmount_what_hides():
    return refused(libc.umount2(b"/proc/sys", 2))


@attempt
def pivot_root():
    return refused(libc.syscall(155, b"/tmp", b"/tmp"))


@attempt
def open_a_tree():
    return refused(libc.syscall(428, -100, b"/usr", 1))


@attempt
def block_devices():
    os.mknod("/tmp/disk", 0o60600, os.makedev(254, 0))
    return "made"


@attempt
def memory_devices():
    return readable(["/dev/mem", "/dev/kmem", "/dev/port", "/dev/kmsg", "/dev/vda", "/dev/sda", "/dev/fuse", "/dev/kvm", "/dev/net", "/proc/kcore"])


# Rights.


@attempt
def another_user_namespace():
    return refused(libc.unshare(0x10000000))


@attempt
def another_network_namespace():
    return refused(libc.unshare(0x40000000))


@attempt
def a_user_namespace_by_program():
    return run("unshare", "-Urm", "true")


@attempt
def join_the_namespaces_of_others():
    got = []
    for kind in ("net", "mnt", "pid", "user", "ipc", "uts"):
        for process in glob.glob("/proc/[0-9]*"):
            try:
                namespace = os.open(f"{process}/ns/{kind}", os.O_RDONLY)
            except OSError:
                continue
            if libc.setns(namespace, 0) == 0:
                got.append(f"{process}/ns/{kind}")
            os.close(namespace)
    if got:
        return str(got)
    raise KeptOut("refused")


@attempt
def namespaces_above():
    namespace = os.open("/proc/self/ns/user", os.O_RDONLY)
    # NS_GET_PARENT
    return refused(libc.ioctl(namespace, 0xB702))


@attempt
def programs_that_become_root():
    try:
        return run("su", "-c", "cat /etc/shadow")
    except KeptOut:
        pass
    status = open("/proc/self/status").read()
    if "NoNewPrivs:\t1" not in status:
        return "new rights are possible"
    raise KeptOut("no new privileges")


@attempt
def capabilities():
    status = open("/proc/self/status").read()
    bounding = next(line for line in status.splitlines() if line.startswith("CapBnd"))
    number = int(bounding.split()[1], 16)
    # CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_MODULE, CAP_SYS_RAWIO, CAP_SYS_PTRACE, CAP_SYS_ADMIN, CAP_SYS_BOOT, CAP_SYS_TIME, CAP_MKNOD, CAP_BPF
    for capability in (12, 13, 16, 17, 19, 21, 22, 25, 27, 39):
        if number & (1 << capability):
            return f"capability {capability} can be had"
    raise KeptOut("none of power")


@attempt
def kernel_settings():
    got = []
    for path in ("/proc/sys/kernel/hostname", "/proc/sys/net/ipv4/ip_forward", "/proc/sys/user/max_user_namespaces",
                 "/proc/sys/kernel/core_pattern", "/proc/sys/vm/overcommit_memory", "/proc/sysrq-trigger", "/proc/self/oom_score_adj"):
        try:
            with open(path, "w") as file:
                file.write("-999" if "oom" in path else "1")
            got.append(path)
        except OSError:
            pass
    if got:
        return str(got)
    raise KeptOut("read-only")


@attempt
def the_clock_and_the_hosts_name():
    if libc.sethostname(b"pwned", 5) == 0:
        return "host name set"
    return refused(libc.settimeofday(struct.pack("qq", 0, 0), None))


@attempt
def core_dumps():
    import resource
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (1 << 20, 1 << 20))
    except ValueError as why:
        raise KeptOut(why)
    return "allowed"


# Other processes.


@attempt
def processes_of_others():
    for path in glob.glob("/proc/[0-9]*/cmdline") + glob.glob("/proc/[0-9]*/environ"):
        try:
            if MARKER.encode() in open(path, "rb").read() and path.split("/")[2] != str(os.getpid()):
                return path
        except OSError:
            pass
    raise KeptOut("not seen")


@attempt
def the_first_process_is_the_engines():
    name = open("/proc/1/comm").read().strip()
    if name in ("python3", "sh"):
        raise KeptOut(f"it is {name}")
    return name


@attempt
def signal_everybody():
    # The kernel spares the first process of the namespace, which is this one.
    try:
        os.kill(-1, signal.SIGCONT)
    except ProcessLookupError:
        raise KeptOut("nobody else")
    return "somebody was there"


@attempt
def trace_by_number():
    for number in range(2, 400):
        if libc.ptrace(16, number, None, None) == 0:
            return f"process {number}"
    raise KeptOut("nobody to trace")


@attempt
def shared_memory_of_others():
    lines = [open(f"/proc/sysvipc/{kind}").read().splitlines()[1:] for kind in ("shm", "sem", "msg")]
    if any(lines):
        return str(lines)
    raise KeptOut("none")


# Networks.


def dial(address, port, family=socket.AF_INET):
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(5)
        client.connect((address, port))
        # Through the way out of the cluster, a refusal comes after the connection.
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer = client.recv(64)
        if not answer:
            raise KeptOut("it was closed at once")
        return f"{address}:{port} answers {answer}"


def dial_all(addresses, port):
    reasons = set()
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            return dial(address, port, family)
        except TimeoutError:
            reasons.add("no answer")
        except (OSError, KeptOut) as error:
            reasons.add(os.strerror(error.errno) if getattr(error, "errno", None) else str(error))
    raise KeptOut(", ".join(sorted(reasons)))


LOOPBACKS = ["127.0.0.1", "127.0.0.2", "0.0.0.0", "0.0.0.1", "::1", "::", "::ffff:127.0.0.1", "::ffff:0.0.0.0", os.environ["GATEWAY"]]
LOOPBACKS += os.environ["HOST"].split()


@attempt
def what_listens_on_the_hosts_loopback():
    return dial_all(LOOPBACKS, int(os.environ["LOOPBACK"]))


@attempt
def the_api_where_the_host_has_it():
    return dial_all(LOOPBACKS, int(os.environ["API"]))


@attempt
def the_api_without_a_token():
    import http.client
    import ssl
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    client = http.client.HTTPSConnection("10.96.0.1", 443, context=context, timeout=5)
    for path in ("/api/v1/secrets", "/api/v1/namespaces/default/pods/other/exec?command=id", "/metrics"):
        client.request("GET", path)
        answer = client.getresponse()
        answer.read()
        if answer.status not in (401, 403):
            return f"{path}: {answer.status}"
    raise KeptOut("401")


@attempt
def raw_sockets():
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    return "made"


@attempt
def packet_sockets():
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(3))
    return "made"


@attempt
def the_address_of_another_pod():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.IPPROTO_IP, 15, 1)  # IP_FREEBIND
        sender.bind((os.environ["OTHER"], 7777))
        sender.sendto(b"forged", (os.environ["OTHER"], 9))
    return "sent"


@attempt
def the_address_of_another_pod_by_version_6():
    # Version 6 lets it be sent. Whether it arrives, the other pod says.
    for source in (os.environ["OTHER6"][:-1] + "e", "2001:db8::1", "fd00:96::a", "fe80::99%eth0"):
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
            sender.setsockopt(socket.IPPROTO_IPV6, 78, 1)  # IPV6_FREEBIND
            try:
                sender.bind(socket.getaddrinfo(source, 7777)[0][4])
                sender.sendto(b"forged", (os.environ["OTHER6"], 9999))
            except OSError:
                pass
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"true", (os.environ["OTHER6"], 9999))
    raise KeptOut("it is for the other pod to say")


@attempt
def a_transparent_socket():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.IPPROTO_IP, 19, 1)  # IP_TRANSPARENT
    return "made"


@attempt
def routes_and_links():
    for command in (("ip", "link", "set", "eth0", "down"), ("ip", "address", "add", os.environ["OTHER"], "dev", "eth0"),
                    ("ip", "route", "add", "1.2.3.0/24", "dev", "eth0"), ("ip", "link", "add", "x", "type", "dummy"),
                    ("ip", "neighbour", "replace", os.environ["GATEWAY"], "lladdr", "02:00:00:00:00:01", "dev", "eth0")):
        try:
            run(*command)
            return " ".join(command)
        except KeptOut:
            pass
    raise KeptOut("not permitted")


@attempt
def rules_of_its_own_network():
    return run("nft", "add", "table", "inet", "x")


@attempt
def abstract_sockets_of_the_host():
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect("\0" + MARKER)
    return "connected"


@attempt
def all_kinds_of_sockets_that_reach_the_host():
    got = []
    for name, family, kind, protocol in (("vsock", 40, socket.SOCK_STREAM, 0), ("audit", 16, socket.SOCK_RAW, 9),
                                         ("kobject", 16, socket.SOCK_RAW, 15), ("bluetooth", 31, socket.SOCK_RAW, 1)):
        try:
            with socket.socket(family, kind, protocol) as made:
                if name == "vsock":
                    made.settimeout(2)
                    made.connect((2, 1))
                elif family == 16:
                    made.settimeout(0.2)
                    made.bind((0, 1))
                    made.recv(1)
                got.append(name)
        except OSError:
            pass
    if got:
        return str(got)
    raise KeptOut("none")


# The kernel.


@attempt
def programs_for_the_kernel():
    # bpf(2): BPF_PROG_LOAD without a program is an invalid one where it is allowed at all.
    result = libc.syscall(321, 5, ctypes.create_string_buffer(128), 128)
    if ctypes.get_errno() == errno.EPERM:
        raise KeptOut("not permitted")
    return f"bpf: {result} {os.strerror(ctypes.get_errno())}"


@attempt
def modules():
    return refused(libc.syscall(313, 0, b"", 0))


@attempt
def restart_the_machine():
    return refused(libc.reboot(0x89ABCDEF))


@attempt
def swap_off():
    return refused(libc.swapoff(b"/dev/null"))


# What is allowed must be found allowed, or nothing is proved.
print("reached", dial(os.environ["OTHER"], 9998), flush=True)
for function in ATTEMPTS:
    try:
        outcome = f"GOT IN: {function()}"
    except KeptOut as why:
        outcome = f"kept out: {why}"
    except OSError as why:
        outcome = f"kept out: {why.strerror or why}"
    except Exception as why:
        outcome = f"BROKEN: {type(why).__name__}: {why}"
    print(f"{function.__name__}: {outcome}", flush=True)
print("done", flush=True)
time.sleep(3600)
