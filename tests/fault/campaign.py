#!/usr/bin/env python3
"""The fault campaign: a verb is killed, or the kernel refuses it something, at each system call of its way.

    tests/fault/campaign.py [--verbs LIST] [--faults LIST] [--config LIST] [--step N | --sample N] [--seed N]
                            [--seconds N] [--jobs N] [--point PROCESS:CALL:N]

For each verb the calls of the runtime's process and of the container's are learnt from a trace. Then, for
each of them and each fault: what the verb needs is made, the fault strikes there, `delete --force` follows,
and the host must be what it was before. A verb, or the delete, that doesn't end counts as hung.

--step takes each Nth point, --sample N of them by dice; --seed repeats the dice. --point takes one alone. After
--seconds for a verb and fault the rest is left out (three are struck at least).
--config: plain (as `spec` writes it), rich (user namespace, limits, filter, hooks at each place), or microvm: create and
run of a machine whose monitor KVM doesn't let enter the guest, so that each fails by itself at the latest there.
Prints a table; exits with 1 if anything was left or hung. See docs/testing.md.
"""
import argparse
import concurrent.futures
import json
import os
import random
import re
import subprocess
import sys
import time

import world

VERBS = ["create", "start", "exec", "kill", "delete", "run", "update", "pause", "resume"]
FAULTS = ["KILL", "ENOMEM", "ENOSPC", "EIO", "EMFILE", "EINTR", "EAGAIN"]
CONFIGS = ["plain", "rich", "microvm"]
# What a machine without a guest comes to.
OF_MACHINES = ["create", "run"]
NO_GUEST = "running a processor failed"
COLUMNS = ["points", "failed", "went on", "unmet", "left", "hung"]
# A busy machine makes a strike wait; what hangs waits for ever.
LIMIT = 30
# A verb that hangs at so many points will at the next ones too.
ENOUGH = 6
# Where an error is no event: they don't return.
ENDS = ("exit", "exit_group", "rt_sigreturn")

STRIKE = world.HOME + "/strike"
TRACE = world.HOME + "/trace"
STRUCK = world.HOME + "/struck"


class Campaign:
    """One verb, one fault, one configuration."""

    def __init__(self, verb, fault, config):
        self.verb, self.fault, self.config = verb, fault, config
        self.machine = config == "microvm"
        self.id = f"rff-{os.environ['FAULT_MARK']}"
        self.counts = dict.fromkeys(COLUMNS, 0)
        self.troubles = []
        world.bundle("/tmp/wait", ["sleep", "1000"], config == "rich")
        world.bundle("/tmp/ends", ["true"], config == "rich")
        self.words = {
            "create": ["create", "-b", "/tmp/wait", self.id],
            "run": ["run", "-b", "/tmp/ends", self.id],
            "start": ["start", self.id],
            "exec": ["exec", self.id, "true"],
            "kill": ["kill", self.id, "KILL"],
            "delete": ["delete", "--force", self.id],
            "update": ["update", "--memory", "50000000", "--pids-limit", "40", "--cpu-share", "300", self.id],
            "pause": ["pause", self.id],
            "resume": ["resume", self.id],
        }
        self.must(*self.words["run"])
        self.remove()
        if self.machine:
            self.words[verb].insert(1, "--isolation=microvm")
            # The place of templates comes with the first machine, and stays.
            world.rf(*self.words[verb])
            self.remove()
        # Not compared: files of ours that come and go.
        open(STRUCK, "w").close()
        open(TRACE, "w").close()
        self.before = world.snapshot(self.id)

    def must(self, *words):
        rc = world.rf(*words)
        if rc != 0:
            raise RuntimeError(f"{words[0]}: {'hangs: ' + world.waiting() if rc is None else rc}, {world.said()}")

    def remove(self):
        return world.rf("delete", "--force", self.id, limit=LIMIT)

    def prepare(self):
        """What has to be there before the verb; who is its other side, if that runs already."""
        if self.verb in ("create", "run"):
            return []
        self.must(*self.words["create"])
        if self.verb == "start":
            with open(f"{world.STATE}/{self.id}/state.json") as f:
                return ["-p", str(json.load(f)["pid"])]
        self.must(*self.words["start"])
        if self.verb == "resume":
            self.must(*self.words["pause"])
        return []

    def learn(self):
        rc = world.rf(*self.words[self.verb], also=[STRIKE, *self.prepare(), "-l", TRACE])
        if rc is None or (rc != 0) != self.machine:
            raise RuntimeError(f"{self.verb} without a fault: {rc}, {world.said()}")
        if not self.machine or self.verb != "create":
            self.remove()
        differ = world.settled(self.before, self.id)
        if differ:
            raise RuntimeError(f"{self.verb} without a fault left {differ}")
        with open(TRACE) as f:
            points = [":".join(line.split()) for line in f]
        return [p for p in points if self.fault == "KILL" or p.split(":")[1] not in ENDS]

    def trouble(self, column, point, what):
        self.counts[column] += 1
        text = f"{column}: {self.verb} {self.config} {self.fault} at {point}: {what}"
        self.troubles.append(text)
        print(text, file=sys.stderr, flush=True)
        world.sweep(self.id)

    def strike(self, point):
        other = self.prepare()
        os.unlink(STRUCK)
        rc = world.rf(*self.words[self.verb], limit=LIMIT,
                      also=[STRIKE, *other, "-s", STRUCK, "-i", f"{point}:{self.fault}"])
        met, words = os.path.exists(STRUCK), world.said()
        open(STRUCK, "w").close()
        if rc is None:
            return self.trouble("hung", point, world.waiting() + (f" ({words})" if words else ""))
        # A failed create takes back itself what it made. (Killed, it can't; nor a run struck while it does, nor a
        # machine's create, which fails without us, too.)
        if rc and self.fault != "KILL" and self.verb == "create" and NO_GUEST not in words:
            differ = world.settled(self.before, self.id)
            if differ:
                return self.trouble("left", point, f"without a delete: {', '.join(differ[:6])} ({rc}: {words})")
        gone = self.remove()
        if gone is None:
            return self.trouble("hung", point, f"delete --force: {world.waiting()}")
        if gone != 0:
            return self.trouble("left", point, f"delete --force gave {gone}: {world.said()} (the verb {rc}: {words})")
        differ = world.settled(self.before, self.id)
        if differ:
            return self.trouble("left", point, f"{', '.join(differ[:6])} (the verb {rc}: {words})")
        self.counts["failed" if rc else "went on"] += met
        # Two processes that race don't always make the same calls.
        self.counts["unmet"] += not met
        return None

    def strike_all(self, points, seconds):
        shown = begin = time.monotonic()
        for n, point in enumerate(points):
            if seconds and n > 2 and time.monotonic() > begin + seconds:
                break
            self.counts["points"] += 1
            self.strike(point)
            if self.counts["hung"] >= ENOUGH:
                self.troubles.append(f"given up: {self.verb} {self.config} {self.fault} after {n + 1} of {len(points)}")
                break
            if time.monotonic() > shown + 10:
                shown = time.monotonic()
                print(f"{self.verb} {self.config} {self.fault}: {n + 1} of {len(points)}", file=sys.stderr, flush=True)


def inside(verb, fault, config, step, sample, seed, seconds, point):
    """As a world's first process. Prints counts and troubles as JSON."""
    world.enter()
    c = Campaign(verb, fault, config)
    try:
        points = [point] if point else c.learn()
        if int(sample):
            dice = random.Random(f"{seed} {verb} {fault} {config}")
            points = dice.sample(points, min(int(sample), len(points)))
        c.strike_all(points[int(seed) % int(step)::int(step)], int(seconds))
    finally:
        world.sweep(c.id)
    print(json.dumps([c.counts, c.troubles]))


def one(pair, a):
    """A world for one verb and fault."""
    program = world.NO_ENTRY if pair[-1] == "microvm" else world.RINGFENCE
    env = dict(os.environ, FAULT_MARK=f"{os.getpid()}-{'-'.join(pair)}".lower(), RINGFENCE=program,
               RINGFENCE_KERNEL=world.KERNEL)
    p = subprocess.run(world.inside(os.path.realpath(__file__), *pair, str(a.step), str(a.sample), str(a.seed),
                                    str(a.seconds), a.point or ""), env=env, stdout=subprocess.PIPE, text=True, check=False)
    try:
        return json.loads(p.stdout)
    except ValueError:
        return dict.fromkeys(COLUMNS, 0), [f"broken: {' '.join(pair)}: the campaign ended with {p.returncode}"]


def table(results, seed):
    print(f"seed {seed}")
    print(f"{'verb':8} {'config':7} {'fault':7}" + "".join(f"{c:>9}" for c in COLUMNS))
    total = dict.fromkeys(COLUMNS, 0)
    for (verb, fault, config), (counts, _) in results:
        print(f"{verb:8} {config:7} {fault:7}" + "".join(f"{counts[c]:9}" for c in COLUMNS))
        for c in COLUMNS:
            total[c] += counts[c]
    print(f"{'all':24}" + "".join(f"{total[c]:9}" for c in COLUMNS))
    for _, (_, troubles) in results:
        for t in troubles:
            print(t)
    return total


def kept(a, total):
    """For `make figures`: what was struck in whole, and what came of it."""
    os.makedirs(world.RESULTS, exist_ok=True)
    with open(world.RESULTS + "/fault", "w") as f:
        print(total["points"], total["left"], total["hung"], len(a.verbs), len(a.faults), len(a.config), file=f)


def words(choices):
    def split(text):
        chosen = [w for w in re.split("[ ,]+", text.strip()) if w]
        for w in chosen:
            if w not in choices:
                raise argparse.ArgumentTypeError(f"{w} is none of {' '.join(choices)}")
        return chosen or choices

    return split


def main():
    p = argparse.ArgumentParser(description="strikes at the system calls of each verb")
    p.add_argument("--verbs", type=words(VERBS), default=VERBS)
    p.add_argument("--faults", type=words([*FAULTS, "EPERM"]), default=FAULTS)
    p.add_argument("--config", type=words(CONFIGS), default=CONFIGS[:1])
    p.add_argument("--step", type=int, default=1)
    p.add_argument("--sample", type=int, default=0)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--seconds", type=int, default=0)
    p.add_argument("--jobs", type=int, default=1)
    p.add_argument("--point")
    a = p.parse_args()
    pairs = [(v, f, c) for v in a.verbs for c in a.config for f in a.faults if c != "microvm" or v in OF_MACHINES]

    def run(pair):
        begin = time.monotonic()
        result = one(pair, a)
        print(f"{' '.join(pair)}: " + ", ".join(f"{n} {c}" for c, n in result[0].items()) +
              f" ({time.monotonic() - begin:.0f} s)", file=sys.stderr, flush=True)
        return pair, result

    with concurrent.futures.ThreadPoolExecutor(a.jobs) as pool:
        results = list(pool.map(run, pairs))
    total = table(results, a.seed)
    if a.step == 1 and not a.sample and not a.seconds and not a.point:
        kept(a, total)
    if total["left"] or total["hung"] or any(troubles for _, (_, troubles) in results) or not total["points"]:
        sys.exit(1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        inside(*sys.argv[2:])
    else:
        main()
