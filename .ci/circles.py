"""Which modules of a crate know each other in a circle.

A module and those below it are one to those beside it. Below it they may know each other, but for `lib.rs`: it names all
of them, so none names what stands in it. What a module hands on with `use` counts for the one that it comes from.
"""

import re
from collections import defaultdict

USE = re.compile(r"^[ \t]*(?:pub(?:\([^)]*\))? )?use ([^;]+);", re.M)
PATH = re.compile(r"(?<![\w:])(?:crate|super|self)(?:::\w+)+")


def circles(texts):
    """What is wrong with a crate, given the texts of its files by their paths below `src`."""
    crate = Crate({module(path): text for path, text in texts.items()})
    arrows, wrong = crate.arrows()
    for own, others in sorted(arrows.items()):
        for other, reasons in sorted(others.items()):
            if own in reached(arrows, other):
                wrong += [f"{reason}, and is known there" for reason in sorted(reasons)]
    return wrong


def module(path):
    parts = path.with_suffix("").parts
    return parts[:-1] if parts[-1] in ("lib", "mod") else parts


class Crate:
    def __init__(self, texts):
        self.texts = texts
        self.named = defaultdict(set)
        self.imported = defaultdict(dict)
        for own, text in texts.items():
            for path, other in (leaf for tree in USE.findall(text) for leaf in leaves(tree)):
                path = self.whole(own, path)
                if path:
                    self.named[own].add(path)
                    self.imported[own][other or path[-1]] = path
            for path in PATH.findall(USE.sub("", text)):
                self.named[own].add(self.whole(own, path.split("::")))

    def whole(self, own, path):
        """The path from the crate on; nothing where it leads out of the crate."""
        if path[0] not in ("crate", "self", "super") and own + tuple(path[:1]) not in self.texts:
            return None
        base = () if path[0] == "crate" else own[: len(own) - path.count("super")]
        return base + tuple(step for step in path if step not in ("crate", "self", "super"))

    def home(self, path):
        """The module that a path leads to, past those that only hand on."""
        length = next(length for length in range(len(path), -1, -1) if path[:length] in self.texts)
        found, rest = path[:length], path[length:]
        handed_on = self.imported[found].get(rest[0]) if rest else None
        return self.home(handed_on + rest[1:]) if handed_on and handed_on != path else found

    def arrows(self):
        """From each module to those beside it, with who names what; and who names what stands in `lib.rs`."""
        arrows, wrong = defaultdict(lambda: defaultdict(set)), []
        for own, paths in sorted(self.named.items()):
            for path in sorted(paths):
                home = self.home(path)
                names = f"{'::'.join(own)} names {'::'.join(path)}"
                depth = next((at for at, (mine, its) in enumerate(zip(own, home)) if mine != its), None)
                if depth is not None:
                    arrows[own[: depth + 1]][home[: depth + 1]].add(names)
                elif own and not home:
                    wrong.append(f"{names}, which stands in lib.rs")
        return arrows, wrong


def leaves(tree):
    """`a::{b, c::{self, d as e}}` as a::b, a::c::self and a::c::d, each with its new name, if it has one."""
    found = re.fullmatch(r"((?:\w+::)*)\{(.*)\}", tree.strip(), re.S)
    if not found:
        path, _, other = tree.strip().partition(" as ")
        return [(path.split("::"), other)]
    head, depth, items = found[1].split("::")[:-1], 0, [""]
    for letter in found[2]:
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            items.append("")
        else:
            items[-1] += letter
    return [(head + path, other) for item in items if item.strip() for path, other in leaves(item)]


def reached(arrows, own):
    found, left = set(), [own]
    while left:
        new = set(arrows.get(left.pop(), ())) - found
        found |= new
        left += new
    return found
