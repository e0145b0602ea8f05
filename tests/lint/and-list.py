#!/usr/bin/env python3
"""Finds, in the bodies of bats tests, a statement `A && B`: where A fails, bash's errexit doesn't
see it, and the test goes on.

    and-list.py FILE…        lines "FILE:LINE: statement"
"""
import re
import sys


def statements(lines):
    """The body's statements as (line number, text), text between quotes blanked.

    Enough of the shell's grammar for what tests are written in: quotes, $(…), (…) and {…},
    continued lines. Here-documents are skipped."""
    text, start, depth, quote, here = "", 0, 0, "", None
    for number, line in lines:
        if here:
            if line.strip() == here:
                here = None
            continue
        m = re.search(r"<<-?'?([A-Z]+)'?", line) if not quote else None
        if not text:
            start = number
        i = 0
        while i < len(line):
            c = line[i]
            if quote == "'":
                quote = "" if c == "'" else quote
                i += 1
                continue
            if c == "\\":
                i += 2
                continue
            if quote == '"':
                if line.startswith("$(", i):
                    # As deep as it goes; what is in it is no statement of ours.
                    d, i = 1, i + 2
                    while i < len(line) and d:
                        d += {"(": 1, ")": -1}.get(line[i], 0)
                        i += 1
                    continue
                quote = "" if c == '"' else quote
                i += 1
                continue
            if c in "'\"":
                quote = c
            elif c in "({":
                depth += 1
            elif c in ")}":
                depth -= 1
            elif c == "#" and (i == 0 or line[i - 1] in " \t;"):
                break
            elif depth == 0:
                text += c
            i += 1
        here = m.group(1) if m else None
        if quote or depth > 0 or text.rstrip().endswith(("&&", "||", "|", "\\")):
            text += " "
            continue
        yield start, text.strip()
        text = ""


def findings(path):
    body = None
    for number, line in enumerate(open(path, encoding="utf-8"), 1):
        line = line.rstrip("\n")
        if line.startswith("@test ") and line.endswith("{"):
            body = []
        elif line == "}" and body is not None:
            for at, text in statements(body):
                for part in re.split(r";(?!;)", re.sub(r"\[\[.*?\]\]", "", text)):
                    part = re.sub(r"^\s*(then|do|else)\b", "", part)
                    if "&&" in part and "||" not in part and not re.match(r"\s*(if|while|until|elif|for)\b", part):
                        yield at, text
                        break
            body = None
        elif body is not None:
            body.append((number, line))


bad = False
for name in sys.argv[1:]:
    for at, text in findings(name):
        bad = True
        print(f"{name}:{at}: {text}")
sys.exit(bad)
