#!/usr/bin/env python3
"""Many times the same, and all at once: does anything stay, or grow?

    tests/fault/soak.py [--parts cycles,execs,idle,races] [--cycles N] [--execs N] [--idle N] [--races N]

cycles  run and delete, 1,000 times
execs   500 in one container
idle    1,000 containers that wait, at the same time, then deleted
races   two verbs at once on one container, 100 times each pair

Before and after each part the host must be the same (world.py). Memory: of `cycles`, what the kernel holds for
itself (SUnreclaim, Percpu, PageTables and KernelStack of /proc/meminfo) after each quarter: others on the machine
move it too, so the quarter that grew least counts; of `execs`, the container's own memory group, kernel memory
included, from the first tenth on. Exits with 1 if anything is left, hangs, dies of a signal, or grows.
"""
import argparse
import os
import subprocess
import sys
import time

import world

# More than this for each run or exec is a leak: a page and some.
GROWTH_KIB = 6
LIMIT = 120
PAIRS = [("start", "kill"), ("start", "delete"), ("kill", "delete"), ("delete", "delete")]


class Soak:
    def __init__(self):
        self.id = "rfs-" + os.environ["SOAK_MARK"]
        self.bad = 0
        self.ran = []
        world.bundle("/tmp/wait", ["sleep", "100000"])
        world.bundle("/tmp/ends", ["true"])
        self.must("run", "-b", "/tmp/ends", self.id)
        self.must("delete", "--force", self.id)
        self.before = world.snapshot(self.id)

    def must(self, *words):
        rc = world.rf(*words, limit=LIMIT)
        if rc != 0:
            raise RuntimeError(f"{' '.join(words)}: {'hangs: ' + world.waiting() if rc is None else rc}, {world.said()}")

    def up(self, name):
        self.must("create", "-b", "/tmp/wait", name)
        self.must("start", name)

    def wrong(self, text):
        self.bad += 1
        print(f"wrong: {text}", flush=True)

    def done(self, what, n, begin, more=""):
        differ = world.settled(self.before, self.id, 10)
        if differ:
            self.wrong(f"{what}: {', '.join(differ[:8])}")
            world.sweep(self.id)
        print(f"{what:16} {n:5} times  {len(differ):3} left  {time.monotonic() - begin:5.0f} s  {more}", flush=True)
        self.ran.append(f"{what}: {n}")

    def grown(self, what, each):
        if each > GROWTH_KIB:
            self.wrong(f"{what}: {each:.1f} KiB more each time")
        return f"{each:.2f} KiB more each time"

    def cycles(self, n):
        begin = time.monotonic()
        held = [kernel_kib()]
        for i in range(n):
            self.must("run", "-b", "/tmp/ends", self.id)
            self.must("delete", "--force", self.id)
            if (i + 1) % max(n // 4, 1) == 0:
                held.append(kernel_kib())
        least = min(b - a for a, b in zip(held, held[1:])) / max(n // 4, 1)
        self.done("run, delete", n, begin, self.grown("run, delete", least))

    def execs(self, n):
        begin = time.monotonic()
        self.up(self.id)
        first = 0
        for i in range(n):
            self.must("exec", self.id, "true")
            if i == n // 10:
                first = group_kib(self.id)
        each = (group_kib(self.id) - first) / n
        self.must("delete", "--force", self.id)
        self.done("exec", n, begin, self.grown("exec", each))

    def idle(self, n):
        room = min(int(text("/proc/sys/kernel/pid_max")) // 8, memory("MemAvailable") // 2048)
        if n > room:
            print(f"idle: {room} instead of {n}, which is what this machine has pids and memory for")
            n = room
        begin = time.monotonic()
        free = memory("MemAvailable")
        for i in range(n):
            self.up(f"{self.id}-{i}")
        each = (free - memory("MemAvailable")) / n
        for i in range(n):
            if i % 50 == 0 and '"running"' not in self.state(i):
                self.wrong(f"idle: container {i} isn't running")
        for i in range(n):
            self.must("delete", "--force", f"{self.id}-{i}")
        # Others on the machine take and give too.
        self.done("idle at once", n, begin, f"the host's free memory fell by {each:.0f} KiB for each" if each > 0 else "")

    def state(self, i):
        self.must("state", f"{self.id}-{i}")
        return text(world.OUT)

    def races(self, n):
        for pair in PAIRS:
            begin = time.monotonic()
            for _ in range(n):
                self.race(pair)
            self.done(" | ".join(pair), n, begin)

    def race(self, pair):
        words = {"start": ("start", self.id), "kill": ("kill", self.id, "KILL"),
                 "delete": ("delete", "--force", self.id)}
        self.must("create", "-b", "/tmp/wait", self.id)
        if "start" not in pair:
            self.must("start", self.id)
        for verb, rc in zip(pair, world.ends(*(world.begin(*words[v]) for v in pair), limit=LIMIT)):
            if rc is None:
                self.wrong(f"{' | '.join(pair)}: {verb} hangs: {world.waiting()}")
            elif rc > 128 or (verb == "delete" and rc):
                self.wrong(f"{' | '.join(pair)}: {verb} gave {rc}: {world.said()}")
        rc = world.rf("delete", "--force", self.id)
        if rc != 0:
            self.wrong(f"{' | '.join(pair)}: the delete afterwards gave {rc}: {world.said()}")
            world.sweep(self.id)


def text(path):
    with open(path) as f:
        return f.read()


def memory(name):
    return int(next(line.split()[1] for line in text("/proc/meminfo").split("\n") if line.startswith(name + ":")))


def kernel_kib():
    # What was freed a moment ago is given back in batches.
    time.sleep(0.2)
    return sum(memory(name) for name in ("SUnreclaim", "Percpu", "PageTables", "KernelStack"))


def group_kib(mark):
    for g in world.groups(mark):
        for name in ("memory.current", "memory.usage_in_bytes"):
            if os.path.exists(f"{g}/{name}"):
                return int(text(f"{g}/{name}")) // 1024
    return 0


def inside(*counts):
    world.enter()
    s = Soak()
    try:
        for word in counts:
            part, n = word.split("=")
            getattr(s, part)(int(n))
    finally:
        world.sweep(s.id)
    os.makedirs(world.RESULTS, exist_ok=True)
    with open(world.RESULTS + "/soak", "w") as f:
        print(s.bad, ", ".join(s.ran), file=f)
    sys.exit(s.bad > 0)


def main():
    p = argparse.ArgumentParser(description="many times the same, and all at once")
    parts = {"cycles": 1000, "execs": 500, "idle": 1000, "races": 100}
    p.add_argument("--parts", default=",".join(parts))
    for name, n in parts.items():
        p.add_argument("--" + name, type=int, default=n)
    a = p.parse_args()
    chosen = [f"{name}={getattr(a, name)}" for name in parts if name in a.parts.replace(",", " ").split()]
    if not chosen:
        p.error(f"--parts: some of {' '.join(parts)}")
    env = dict(os.environ, SOAK_MARK=str(os.getpid()), RINGFENCE=world.RINGFENCE)
    sys.exit(subprocess.run(world.inside(os.path.realpath(__file__), *chosen), env=env, check=False).returncode)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        inside(*sys.argv[2:])
    else:
        main()
