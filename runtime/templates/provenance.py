"""Tells the control tokens that a chat template writes from those that people write into a conversation.

The text of a control token in a message must stay text, wherever the template puts the message, and the
tokens that the template itself writes must be tokens. The rendered text alone does not say which is which.

So a template is rendered twice: as it is, and with stand-ins. In the second one, control tokens (and what
may become part of one) are spelled with private characters, one for one, in the constants of the *program*
and in the special tokens that it is given; messages stay as they are. Lengths, white space, and what the
program asks of the messages (`split`, `trim`, `in`, `startswith`, slices, `tojson`) stay the same, so that
the second text with the characters put back is the first one. Then exactly the stand-ins were written by the
program, and everything else is literal. Marking what is trusted rather than what is not makes this safe:
what loses its mark on the way becomes text, never a token.

Constants that are only compared or searched for keep their letters. Where a program does otherwise (it puts a
token into a variable and looks for that in a message that has it), the two texts differ. Then what people
wrote gets the stand-ins; and if the program looks for them there too, every control token whose text, or a
part of it at the edge of a string, is in what people wrote becomes text, whoever wrote it."""

import random
import re

from jinja2 import nodes

# Methods whose arguments are searched for in a text, and of which only the first one is.
SEARCHING = frozenset(
    "split rsplit startswith endswith strip lstrip rstrip removeprefix removesuffix find rfind index rindex"
    " count partition rpartition".split())
SEARCHING_FIRST = frozenset(("replace", "get"))
SELECTING_FILTERS = frozenset(("select", "reject", "selectattr", "rejectattr", "map", "attr", "groupby"))
# Names between two halves of a token, as in '<|' + role + '|>', which are not free text.
KNOWN_ROLES = frozenset(("system", "user", "assistant", "tool", "developer", "model"))
# The private planes 15 and 16, without the two characters at the end of each that are none.
PRIVATE = ((0xF0000, 0xFFFFD), (0x100000, 0x10FFFD))
NEVER = re.compile(r"(?!)")


def has_marks(text):
    """Letters alone are no part of a control token that anyone writes by halves."""
    return any(not c.isalnum() and not c.isspace() for c in text)


class ControlTokens:
    """The texts of a model's control tokens, and their stand-ins."""

    def __init__(self, texts, avoided):
        """The stand-ins are none of the characters of `avoided`."""
        self.texts = sorted({text for text in texts if text}, key=len, reverse=True)
        alphabet = sorted(set("".join(self.texts)))
        free = self._free_characters(len(alphabet), set(avoided))
        self.stand_ins = dict(zip(map(ord, alphabet), free))
        self.originals = {ord(free): original for original, free in zip(alphabet, free)}
        self.pattern = re.compile("(?=(" + "|".join(map(re.escape, self.texts)) + "))") \
            if self.texts else NEVER
        self.run = re.compile("[" + "".join(map(re.escape, free)) + "]+") if free else NEVER
        self.beginnings = self._parts(lambda text, size: text[:size])
        self.endings = self._parts(lambda text, size: text[-size:])
        self.longest = len(self.texts[0]) if self.texts else 0

    @staticmethod
    def _free_characters(count, avoided):
        # Not to be guessed, so that nobody can write them on purpose.
        first, last = random.choice(PRIVATE)
        code = random.randint(first, last)
        free = []
        for _ in range(last - first):
            if len(free) == count:
                break
            if chr(code) not in avoided:
                free.append(chr(code))
            code = code + 1 if code < last else first
        return free

    def _parts(self, part):
        return {part(text, size) for text in self.texts for size in range(1, len(text))
                if has_marks(part(text, size))}

    def marked(self, text):
        """The text with stand-ins for the control tokens in it, and for halves of them at its ends."""
        covered = set()
        for found in self.pattern.finditer(text):
            covered.update(range(found.start(1), found.end(1)))
        sizes = range(min(len(text), self.longest - 1), 0, -1)
        begin = next((size for size in sizes if text[:size] in self.endings), 0)
        end = next((size for size in sizes if text[-size:] in self.beginnings), 0)
        covered.update(range(begin))
        covered.update(range(len(text) - end, len(text)))
        if len(text) < self.longest and has_marks(text) and any(text in token for token in self.texts):
            covered.update(range(len(text)))
        if not covered:
            return text
        return "".join(self.stand_ins[ord(c)] if at in covered else c for at, c in enumerate(text))

    def unmarked(self, text):
        return text.translate(self.originals)

    def runs(self, marked_text):
        """Where the stand-ins are: [begin, end] in characters, in order."""
        return [list(found.span()) for found in self.run.finditer(marked_text)]

    def occurrences(self, text):
        return [(found.group(1), found.start(1), found.end(1)) for found in self.pattern.finditer(text)]


def mark_constants(node, tokens, searched=False):
    """Puts stand-ins into the constants of a parsed template, except into those that are `searched` for."""
    if isinstance(node, nodes.Const):
        if isinstance(node.value, str) and not searched:
            node.value = tokens.marked(node.value)
        return
    if isinstance(node, nodes.TemplateData):
        node.data = tokens.marked(node.data)
        return
    for child, is_searched in children_of(node):
        mark_constants(child, tokens, searched or is_searched)


def children_of(node):
    """The nodes inside a node, each with whether it is only compared with something, or looked for in it."""
    if isinstance(node, (nodes.Compare, nodes.Test)):
        return [(child, True) for child in node.iter_child_nodes()]
    if isinstance(node, nodes.Getitem):
        return [(node.node, False), (node.arg, True)]
    if isinstance(node, nodes.Pair):
        return [(node.key, True), (node.value, False)]
    if isinstance(node, (nodes.If, nodes.CondExpr)):
        return [(child, child is node.test) for child in node.iter_child_nodes()]
    name, count = None, 0
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr):
        name = node.node.attr
        count = len(node.args) if name in SEARCHING else 1 if name in SEARCHING_FIRST else 0
    elif isinstance(node, nodes.Filter):
        name = node.name
        count = len(node.args) if name in SELECTING_FILTERS else 1 if name == "replace" else 0
    searched = {id(argument) for argument in node.args[:count]} if count else ()
    return [(child, id(child) in searched) for child in node.iter_child_nodes()]


def marked_data(value, tokens, key=None):
    """A message, tool, ... whose strings have stand-ins; its role and its keys stay."""
    if isinstance(value, str):
        return value if key == "role" else tokens.marked(value)
    if isinstance(value, list):
        return [marked_data(item, tokens) for item in value]
    if isinstance(value, dict):
        return {name: marked_data(item, tokens, name) for name, item in value.items()}
    return value


def strings_in(value, key=None):
    if isinstance(value, str):
        if key != "role":
            yield value
    elif isinstance(value, list):
        for item in value:
            yield from strings_in(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield name
            yield from strings_in(item, name)


def join_over_roles(text, runs, tokens, roles):
    """'<|', 'user' and '|>' are one run if they are a token together, and the role is one."""
    joined = []
    for run in runs:
        gap = text[joined[-1][1]:run[0]] if joined else ""
        if gap and gap in roles:
            whole = text[joined[-1][0]:run[1]]
            gap_begin = joined[-1][1] - joined[-1][0]
            if any(begin < gap_begin and gap_begin + len(gap) < end
                   for _, begin, end in tokens.occurrences(whole)):
                joined[-1][1] = run[1]
                continue
        joined.append(list(run))
    return joined


def outside(runs, size):
    """The ranges between the runs."""
    ranges = []
    begin = 0
    for run in [*runs, [size, size]]:
        if begin < run[0]:
            ranges.append([begin, run[0]])
        begin = run[1]
    return ranges


def suspected(text, tokens, data):
    """Where the text has a control token that people wrote as well, or a part of which they wrote."""
    written = list(strings_in(data))

    def is_written(token):
        parts = range(1, len(token))
        return any(token in string or
                   any(has_marks(token[:size]) and string.endswith(token[:size]) or
                       has_marks(token[size:]) and string.startswith(token[size:]) for size in parts)
                   for string in written)

    verdicts = {}
    ranges = []
    for token, begin, end in tokens.occurrences(text):
        if token not in verdicts:
            verdicts[token] = is_written(token)
        if verdicts[token]:
            ranges.append([begin, end])
    return ranges


def byte_ranges(text, ranges):
    """The same ranges in bytes of UTF-8."""
    at, byte = 0, 0
    result = []
    for begin, end in ranges:
        byte += len(text[at:begin].encode())
        first = byte
        byte += len(text[begin:end].encode())
        result.append([first, byte])
        at = end
    return result
