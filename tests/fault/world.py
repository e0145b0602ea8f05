"""A world of its own for what counts the host: mount, process and network namespaces, an empty /run and /tmp.

Whatever is in it afterwards was left by the runtime: others of this machine can't be seen, and what would
stay for ever ends with the world's first process, which is the script that entered it. Control groups
have no such namespace here (the runtime shall see the host's); ours are known by the container's id.
"""
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
RINGFENCE = os.path.realpath(os.environ.get("RINGFENCE", TOP + "/ringfence"))
# Its monitor doesn't enter the guest (mk/bench.mk); the kernel that such a one would have.
NO_ENTRY = TOP + "/build/bench/no-entry"
KERNEL = TOP + "/build/guest/vmlinux"
# For `make figures`.
RESULTS = TOP + "/build/results"
STATE = "/run/rf"
HOME = "/run/world"
PROGRAM = HOME + "/ringfence"
OUT = HOME + "/out"
CLONE_NEWNS, MS_REC, MS_PRIVATE, MS_BIND, MS_MOVE = 0x20000, 0x4000, 1 << 18, 0x1000, 0x2000
libc = ctypes.CDLL(None, use_errno=True)


def inside(script, *words):
    """The command that runs a script as a new world's first process."""
    return ["unshare", "--mount", "--pid", "--net", "--propagation", "private", "--fork", "--mount-proc",
            "--kill-child", sys.executable, "-B", script, "--inside", *words]


def mount(source, target, kind, flags=0):
    if libc.mount(source.encode(), target.encode(), kind.encode() if kind else None, flags, None) < 0:
        raise OSError(ctypes.get_errno(), "mount " + target)


def enter():
    """In the new namespaces: empty places, with our programs in them. Relative paths are of no use any more."""
    # The sources may lie in what the empty places cover.
    keep = {name: open(path, "rb").read() for name, path in
            (("ringfence", RINGFENCE), ("strike", TOP + "/build/helpers/strike"),
             ("busybox", shutil.which("busybox"))) if os.path.exists(path or "")}
    for place in ("/run", "/tmp"):
        mount("world", place, "tmpfs")
    os.makedirs(HOME)
    for name, content in keep.items():
        with open(HOME + "/" + name, "wb") as f:
            f.write(content)
        os.chmod(HOME + "/" + name, 0o755)
    open(OUT, "w").close()
    os.chdir("/")


def reap():
    """We are the parent of whatever lost its own."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def end_all():
    """Every process of this world but us."""
    for _ in range(100):
        try:
            os.kill(-1, signal.SIGKILL)
        except ProcessLookupError:
            return
        reap()
        time.sleep(0.01)


def begin(*words, also=()):
    """A verb, begun. What it says goes to OUT."""
    with open(OUT, "w") as out:
        return subprocess.Popen([*also, PROGRAM, "--root", STATE, *words], stdin=subprocess.DEVNULL, stdout=out,
                                stderr=out)


def ends(*begun, limit=30):
    """The exit statuses of what was begun; None: it took longer than the limit. All others are reaped meanwhile,
    as a host's first process does: a pid namespace ends no sooner than its last process is."""
    left = {p.pid: p for p in begun}
    end = time.monotonic() + limit
    while left and time.monotonic() < end:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid in left:
            left.pop(pid).returncode = os.waitstatus_to_exitcode(status)
        elif pid == 0:
            time.sleep(0.001)
    reap()
    return [None if p.pid in left else p.returncode if p.returncode >= 0 else 128 - p.returncode for p in begun]


def rf(*words, limit=30, also=()):
    """A verb's exit status, or None."""
    return ends(begin(*words, also=also), limit=limit)[0]


def said():
    with open(OUT, errors="replace") as f:
        return " / ".join(f.read().split("\n")[:4]).strip(" /")


def processes():
    """(pid, name) of all others."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as f:
                words = f.read()
        except OSError:
            continue
        if int(pid) != os.getpid() and words[words.rindex(")") + 2] not in "ZX":
            yield int(pid), words[words.index("(") + 1:words.rindex(")")]


def waiting():
    """Where the others wait, for the report of a hang."""
    lines = []
    for pid, name in processes():
        try:
            with open(f"/proc/{pid}/syscall") as f:
                call = f.read().split()[0]
            with open(f"/proc/{pid}/wchan") as f:
                call += " " + f.read()
        except OSError:
            call = "?"
        lines.append(f"{pid} {name} in {call}")
    return "; ".join(lines)


def groups(mark):
    for top, dirs, _ in os.walk("/sys/fs/cgroup"):
        for d in dirs:
            if mark in d:
                yield os.path.join(top, d)


def snapshot(mark):
    """Everything of the host that a container could change and leave behind, as a set of lines. `mark` is in
    the name of each of our control groups."""
    lines = set()
    with open("/proc/self/mountinfo") as f:
        for line in f:
            # Mounts whose ids alone differ are the same mounts.
            w = line.split()
            lines.add("mount " + " ".join(w[2:5]))
    for g in groups(mark):
        lines.add("cgroup " + g)
    for pid, name in processes():
        lines.add(f"process {name}")
        try:
            for ns in os.listdir(f"/proc/{pid}/ns"):
                lines.add("namespace " + os.readlink(f"/proc/{pid}/ns/{ns}"))
        except OSError:
            pass
    with open("/proc/net/dev") as f:
        for line in f.readlines()[2:]:
            lines.add("link " + line.split(":")[0].strip())
    for place in ("/run", "/tmp"):
        for top, dirs, files in os.walk(place):
            # Names with a dot in front are caches; what is in them has a name that can't change.
            lines.update(f"file {top}/{n}" for n in dirs + files if not n.startswith("."))
    for name in ("kernel/hostname", "kernel/shmmax", "net/ipv4/ip_forward"):
        with open("/proc/sys/" + name) as f:
            lines.add(f"sysctl {name} {f.read().strip()}")
    return lines


def settled(before, mark, limit=3.0):
    """What differs from an earlier snapshot, once all that is ending has ended."""
    end = time.monotonic() + limit
    while True:
        reap()
        now = snapshot(mark)
        # The state root and its caches may be gone, which is the sweep's doing, and so may a mount whose
        # place others removed: that ends it here too.
        lost = (x for x in before - now if not x.startswith("file " + STATE) and
                not (x.startswith("mount ") and not os.path.exists(x.split()[3])))
        differ = sorted("+" + x for x in now - before) + sorted("-" + x for x in lost)
        if not differ or time.monotonic() > end:
            return differ
        time.sleep(0.005)


def sweep(mark):
    """By hand, so that what one strike left isn't blamed on the next."""
    # v1's freezer holds back SIGKILL, and with it the end of this world.
    for g in groups(mark):
        try:
            with open(g + "/freezer.state", "r+") as f:
                f.write("THAWED")
        except OSError:
            pass
    end_all()
    for g in sorted(groups(mark), key=len, reverse=True):
        try:
            os.rmdir(g)
        except OSError:
            pass
    shutil.rmtree(STATE, ignore_errors=True)


def bundle(path, args, rich=False):
    """busybox as a root file system. rich: what a create can have to do, for more calls of it."""
    for d in ("bin", "proc", "sys", "dev", "etc", "tmp", "mnt"):
        os.makedirs(f"{path}/rootfs/{d}")
    shutil.copy(HOME + "/busybox", path + "/rootfs/bin/")
    for name in ("sh", "true", "sleep"):
        os.symlink("busybox", f"{path}/rootfs/bin/{name}")
    if rf("spec", "-b", path) != 0:
        raise RuntimeError("spec: " + said())
    with open(path + "/config.json") as f:
        config = json.load(f)
    config["process"].update(terminal=False, args=args)
    if rich:
        enrich(config)
    with open(path + "/config.json", "w") as f:
        json.dump(config, f)


def enrich(config):
    hook = [{"path": HOME + "/busybox", "args": ["true"]}]
    inner = [{"path": "/bin/true"}]
    linux = config["linux"]
    linux["namespaces"].append({"type": "user"})
    linux["uidMappings"] = linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    linux["resources"] = {"memory": {"limit": 64 << 20}, "pids": {"limit": 64}, "cpu": {"shares": 512},
                          "devices": [{"allow": False, "access": "rwm"}]}
    linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW",
                        "syscalls": [{"names": ["keyctl", "reboot"], "action": "SCMP_ACT_ERRNO"}]}
    config["mounts"].append({"destination": "/mnt", "type": "bind", "source": "/run/world", "options": ["rbind", "ro"]})
    config["hooks"] = {"prestart": hook, "createRuntime": hook, "createContainer": hook, "startContainer": inner,
                       "poststart": hook, "poststop": hook}
