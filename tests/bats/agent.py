#!/usr/bin/python3
"""Talks to the agent of a micro-VM (docs/design/03-microvm.md) over a unix socket.

  agent.py SOCKET call VERB [KEY=VALUE…]   one request; prints what stands under "ok"
  agent.py SOCKET up ID [KEY=VALUE…]       create and start
  agent.py SOCKET run ID [KEY=VALUE…]      create, streams, start, wait, delete: prints both outputs
  agent.py SOCKET exec ID [KEY=VALUE…]     the same for one more process
  agent.py SOCKET out ID FD [PROCESS]      what comes from one stream, until its end
  agent.py SOCKET taste ID FD BYTES        the first bytes of it
  agent.py SOCKET glance ID SECONDS [KEY=VALUE…]  waits for the end, and leaves before it
  agent.py SOCKET many N ID [KEY=VALUE…]   run, N times; prints each different output once
  agent.py SOCKET follow ID INTERVAL_NS    prints events until the container ends
  agent.py SOCKET crowd ID N               N at once follow events, a request goes through, all leave
  agent.py SOCKET refusals                 lines of standard input: words, a tab, a request whose
                                           refusal has the words
  agent.py SOCKET raw HEX                  sends bytes, prints what comes back

A VALUE is JSON where it can be, @FILE the text of a file, else a string. Standard input goes to the
process; without any, it has none. The exit code is the process's, 128 more than a signal's number,
or 99 for the agent's refusal.
"""
import json
import os
import socket
import struct
import sys
import threading
import time

REFUSED = 99


class Refused(Exception):
    pass


def connect(path):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(50)
    s.connect(path)
    return s


def take(s, n):
    data = b''
    while len(data) < n:
        more = s.recv(n - len(data))
        if not more:
            raise EOFError('the agent closed the connection')
        data += more
    return data


def recv(s):
    return json.loads(take(s, struct.unpack('<I', take(s, 4))[0]))


def ask(path, verb, **members):
    """The connection after a request that was granted, and the answer."""
    s = connect(path)
    data = json.dumps(dict(members, verb=verb)).encode()
    s.sendall(struct.pack('<I', len(data)) + data)
    answer = recv(s)
    if 'error' in answer:
        raise Refused('%(kind)s %(code)d: %(where)s: %(text)s' % answer['error'])
    return s, answer['ok']


def call(path, verb, **members):
    s, ok = ask(path, verb, **members)
    s.close()
    return ok


def read_all(s):
    data = b''
    while True:
        more = s.recv(65536)
        if not more:
            s.close()
            return data
        data += more


def feed(s, data):
    try:
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the process has ended


def attach(path, ident, process, terminal, data):
    """Threads that hold the process's output in the end."""
    results = {}

    def reader(fd, s):
        results[fd] = read_all(s)

    threads = []
    for fd in ([0] if terminal else [0, 1, 2]):
        s, _ = ask(path, 'io', id=ident, process=process, fd=fd)
        if fd == 0:
            threads.append(threading.Thread(target=feed, args=(s, data)))
        if fd or terminal:
            threads.append(threading.Thread(target=reader, args=(fd, s)))
    for t in threads:
        t.start()
    return threads, results


def code(status):
    return 128 + (status & 127) if status & 127 else status >> 8


def finish(path, ident, process, streams):
    threads, results = streams
    s, ok = ask(path, 'wait', id=ident, process=process)
    s.close()
    for t in threads:
        t.join()
    return code(ok['status']), results


def run(path, ident, data=b'', **members):
    call(path, 'create', id=ident, **members)
    streams = attach(path, ident, 'init', members.get('terminal'), data)
    call(path, 'start', id=ident)
    result = finish(path, ident, 'init', streams)
    call(path, 'delete', id=ident)
    return result


def execute(path, ident, data=b'', **members):
    token = call(path, 'exec', id=ident, **members)['process']
    return finish(path, ident, token, attach(path, ident, token, members.get('terminal'), data))


def show(results):
    for fd in (0, 1):
        sys.stdout.buffer.write(results.get(fd, b''))
    sys.stdout.flush()
    sys.stderr.buffer.write(results.get(2, b''))


def value(word):
    if word.startswith('@'):
        with open(word[1:], encoding='utf-8') as f:
            return f.read()
    try:
        return json.loads(word)
    except ValueError:
        return word


def many(path, n, ident, members):
    seen = {}
    for _ in range(n):
        status, results = run(path, ident, **members)
        key = (status, results[1], results[2])
        seen[key] = seen.get(key, 0) + 1
    for (status, out, err), times in seen.items():
        print(times, status, len(out), len(err), out[-16:].decode().strip())
    return 0


def raw(path, data):
    s = connect(path)
    feed(s, data)
    try:
        answer = read_all(s)
    except ConnectionResetError:
        answer = b''
    print(answer[4:].decode())
    return 0


def glance(path, ident, seconds, members):
    s = connect(path)
    data = json.dumps(dict(members, verb='wait', id=ident)).encode()
    s.sendall(struct.pack('<I', len(data)) + data)
    time.sleep(seconds)
    s.close()
    return 0


def refusals(path, lines):
    failed = 0
    for line in lines.decode().splitlines():
        words, request = line.split('\t')
        s = connect(path)
        s.sendall(struct.pack('<I', len(request)) + request.encode())
        answer = json.dumps(recv(s))
        s.close()
        if not answer.startswith('{"error"') or words not in answer:
            print('%s\n  wanted: %s\n  got: %s' % (request, words, answer))
            failed += 1
    return failed


def follow(path, ident, interval):
    s, _ = ask(path, 'events', id=ident, interval_ns=interval)
    try:
        while True:
            print(json.dumps(recv(s)), flush=True)
    except EOFError:
        return 0


def torn(path, ident):
    """Let go of by a checkpoint, torn off by a restore, attached anew: what goes through."""
    inp = connect(path)
    request = json.dumps({'verb': 'io', 'id': ident, 'process': 'init', 'fd': 0}).encode()
    inp.sendall(struct.pack('<I', len(request)) + request + b'one\n')
    out, _ = ask(path, 'io', id=ident, process='init', fd=1)
    said = take(out, 8)
    call(path, 'pause', id=ident)
    call(path, 'detach', id=ident)
    rest = read_all(out)
    inp.close()  # with the answer in it unread: the agent finds a reset, not an end
    call(path, 'resume', id=ident)
    out, _ = ask(path, 'io', id=ident, process='init', fd=1)
    inp, _ = ask(path, 'io', id=ident, process='init', fd=0)
    feed(inp, b'two\n')
    print(said, rest, read_all(out))
    return 0


def crowd(path, ident, n):
    followers = [ask(path, 'events', id=ident, interval_ns=10**18) for _ in range(n)]
    call(path, 'ping')
    return len(followers) - n


def main(path, what, *words):
    plain = [w for w in words if '=' not in w.split('"')[0]]
    members = {k: value(v) for k, v in (w.split('=', 1) for w in words if w not in plain)}
    data = b'' if os.isatty(0) else sys.stdin.buffer.read()
    if what == 'call':
        print(json.dumps(call(path, plain[0], **members)))
    elif what == 'up':
        call(path, 'create', id=plain[0], **members)
        call(path, 'start', id=plain[0])
    elif what in ('run', 'exec'):
        status, results = (run if what == 'run' else execute)(path, plain[0], data, **members)
        show(results)
        return status
    elif what == 'out':
        s, _ = ask(path, 'io', id=plain[0], fd=int(plain[1]), process=(plain + ['init'])[2])
        feed(s, data) if plain[1] == '0' else None
        sys.stdout.buffer.write(read_all(s))
    elif what == 'taste':
        s, _ = ask(path, 'io', id=plain[0], fd=int(plain[1]))
        sys.stdout.buffer.write(take(s, int(plain[2])))
    elif what == 'many':
        return many(path, int(plain[0]), plain[1], members)
    elif what == 'refusals':
        return refusals(path, data)
    elif what == 'follow':
        return follow(path, plain[0], int(plain[1]))
    elif what == 'torn':
        return torn(path, plain[0])
    elif what == 'crowd':
        return crowd(path, plain[0], int(plain[1]))
    elif what == 'glance':
        return glance(path, plain[0], float(plain[1]), members)
    elif what == 'raw':
        return raw(path, bytes.fromhex(plain[0]))
    return 0


if __name__ == '__main__':
    try:
        sys.exit(main(*sys.argv[1:]))
    except Refused as e:
        print(e)
        sys.exit(REFUSED)
