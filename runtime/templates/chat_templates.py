"""Runs chat templates (Jinja programs from model files) for FlowSpec, under transformers' rules.

A server for one client at a time: python3 -I -S -B chat_templates.py MEMORY_BYTES OUTPUT_BYTES MILLISECONDS
Requests come on standard input and answers go to standard output, each a JSON object with its size in bytes
before it (four bytes, the most significant first). The first answer comes unasked: {"ready": version} or an
error. What a request has is said at `answer`. An answer is {"text": ..., "literal": [[begin, end], ...]}, with
the ranges (bytes) in which control tokens are text, or {"error": kind, "message": ...}.

The programs are not trusted. They run in Jinja's sandbox, and this process can do nothing but compute: see
confinement.py. A program that takes too long ends the process; whoever started it starts another."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.abspath(__file__))]


def add_package_folders():
    """Where jinja2 is, without the hooks of `site` that run at every start of Python."""
    import site

    version = "python{}.{}".format(*sys.version_info[:2])
    environment = os.path.dirname(os.path.dirname(sys.executable))
    if os.path.isfile(os.path.join(environment, "pyvenv.cfg")):
        sys.path.append(os.path.join(environment, "lib", version, "site-packages"))
    sys.path += site.getsitepackages()


def send(answer):
    data = json.dumps(answer, ensure_ascii=False).encode()
    data = len(data).to_bytes(4, "big") + data
    while data:
        data = data[os.write(1, data):]


import json  # noqa: E402

try:
    add_package_folders()
    import jinja2
except ImportError as error:
    send({"error": "no jinja2", "message": str(error)})
    sys.exit(1)

# What Jinja and Python import on first use; later they cannot.
import codecs  # noqa: E402
import datetime  # noqa: E402
import gc  # noqa: E402
import linecache  # noqa: E402, F401
import pprint  # noqa: E402, F401
import signal  # noqa: E402
import textwrap  # noqa: E402, F401
import time  # noqa: E402
import traceback  # noqa: E402, F401
import unicodedata  # noqa: E402, F401
from collections import OrderedDict  # noqa: E402

import jinja2.constants  # noqa: E402, F401
import jinja2.debug  # noqa: E402, F401
from jinja2 import nodes  # noqa: E402
from jinja2.ext import Extension  # noqa: E402
from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: E402

import provenance  # noqa: E402
from confinement import confine  # noqa: E402

MOST_PROGRAMS = 8
LONGEST_MESSAGE = 1000


class Refused(jinja2.TemplateError):
    """The program has called raise_exception."""


class TooLong(Exception):
    pass


class Generation(Extension):
    """{% generation %}: what the model writes, for training; here it is written as if it stood alone."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.CallBlock(self.call_method("_written"), [], [], body).set_lineno(line)

    def _written(self, caller):
        return caller()


def raise_exception(message):
    raise Refused(message)


def to_json(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    """Jinja's own filter escapes HTML, which models have not seen."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
                      sort_keys=sort_keys)


def make_environment():
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, "jinja2.ext.loopcontrols"])
    environment.filters["tojson"] = to_json
    environment.globals["raise_exception"] = raise_exception
    return environment


class Program:
    """A chat template, compiled as it is and with stand-ins (see provenance.py)."""

    def __init__(self, environment, text, control_tokens, avoided=""):
        self.plain = environment.from_string(text)
        self.tokens = provenance.ControlTokens(control_tokens, text + avoided)
        parsed = environment.parse(text)
        provenance.mark_constants(parsed, self.tokens)
        self.marked = environment.from_string(parsed)


class Programs:
    """The programs that were used last."""

    def __init__(self):
        self.environment = make_environment()
        self.programs = OrderedDict()

    def get(self, text, control_tokens):
        key = (text, *control_tokens)
        if key not in self.programs:
            self.programs[key] = Program(self.environment, text, control_tokens)
            if len(self.programs) > MOST_PROGRAMS:
                self.programs.popitem(last=False)
        self.programs.move_to_end(key)
        return self.programs[key]


def write(template, variables, most_bytes):
    parts = []
    left = most_bytes
    for part in template.generate(variables):
        left -= len(part)
        if left < 0:
            raise TooLong
        parts.append(part)
    return "".join(parts)


def without_end(text, messages):
    """The text up to the end of the last message, which the model is to continue."""
    content = messages[-1]["content"]
    if isinstance(content, list):
        content = next(part["text"] for part in reversed(content) if "text" in part)
    at = text.rfind(content.strip())
    if at < 0:
        raise Refused("the template does not write the last message as it is, so that it cannot be continued")
    # White space at the end stays if the template leaves it.
    kept = len(content.lstrip())
    if text[at:at + kept] != content.lstrip():
        kept = len(content.strip())
    return text[:at + kept]


def render(program, special, data, most_bytes):
    """The text of a conversation, and the ranges of it (in characters) where control tokens are text."""
    text = write(program.plain, {**special, **data}, most_bytes)
    tokens = program.tokens

    def agreed(template, variables):
        """The text with stand-ins, if it is the same text but for them."""
        try:
            marked = write(template, variables, most_bytes)
        except (jinja2.TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            return None
        return marked if tokens.unmarked(marked) == text else None

    marked_special = {name: tokens.marked(value) for name, value in special.items()}
    marked = agreed(program.marked, {**marked_special, **data})
    if marked is not None:
        roles = {message.get("role") for message in data["messages"] if isinstance(message, dict)}
        roles = {role for role in roles if isinstance(role, str)} & provenance.KNOWN_ROLES
        runs = provenance.join_over_roles(text, tokens.runs(marked), tokens, roles | {"assistant"})
        return text, provenance.outside(runs, len(text))
    marked = agreed(program.plain, {**special, **provenance.marked_data(data, tokens)})
    if marked is not None:
        return text, tokens.runs(marked)
    return text, provenance.suspected(text, tokens, data)


def answer(request, programs, most_bytes):
    """What a request has: `program`, `control_tokens` (a list of texts), `special` (bos_token, ...: texts);
    `messages`, `tools`, `documents`, `extra`: JSON as text, which may be absent; `add_generation_prompt`,
    `continue_final_message`: flags; `now`: the moment that strftime_now tells, in ISO 8601."""
    def given(name):
        return json.loads(request[name]) if request.get(name) else None

    data = {"messages": given("messages"), "tools": given("tools"), "documents": given("documents"),
            "add_generation_prompt": bool(request.get("add_generation_prompt"))}
    if not isinstance(data["messages"], list):
        raise Refused("the messages are no list")
    data.update(given("extra") or {})
    now = datetime.datetime.fromisoformat(request["now"])
    programs.environment.globals["strftime_now"] = now.strftime
    special, control_tokens = request["special"], request["control_tokens"]
    program = programs.get(request["program"], control_tokens)
    text, literal = render(program, special, data, most_bytes)
    if not program.tokens.originals.keys().isdisjoint(map(ord, set(text))):
        # Somebody writes the very characters that stand for others: once with others, then.
        program = Program(programs.environment, request["program"], control_tokens, text)
        text, literal = render(program, special, data, most_bytes)
    if request.get("continue_final_message"):
        text = without_end(text, data["messages"])
        literal = [[begin, min(end, len(text))] for begin, end in literal if begin < len(text)]
    return {"text": text, "literal": provenance.byte_ranges(text, literal)}


def failure(error):
    """The answer for an exception."""
    if isinstance(error, jinja2.TemplateSyntaxError):
        kind, message = "program", f"{error.message} (line {error.lineno})"
    elif isinstance(error, Refused):
        kind, message = "refused", str(error)
    elif isinstance(error, MemoryError):
        kind, message = "memory", ""
    elif isinstance(error, RecursionError):
        kind, message = "depth", ""
    elif isinstance(error, TooLong):
        kind, message = "output", ""
    else:
        kind, message = "failed", f"{type(error).__name__}: {error}"
    # A text may hold half a character, which UTF-8 has not.
    message = message[:LONGEST_MESSAGE].encode(errors="replace").decode()
    return {"error": kind, "message": message}


def receive(size):
    data = bytearray()
    while len(data) < size:
        part = os.read(0, min(size - len(data), 1 << 20))
        if not part:
            sys.exit(0)  # the client has gone
        data += part
    return bytes(data)


def main():
    memory_bytes, most_bytes, milliseconds = map(int, sys.argv[1:4])
    programs = Programs()
    # A first rendering, for what is prepared on first use.
    warm = Program(programs.environment,
                   "{% for m in messages %}{{ m | tojson }}{{ '<s>\\n\u3000' ~ m['role'] }}{% endfor %}", ["<s>"])
    render(warm, {}, {"messages": [{"role": "user"}]}, most_bytes)
    for codec in ("ascii", "latin-1", "utf-8", "unicode-escape"):
        codecs.lookup(codec)
    time.tzset()
    gc.freeze()
    confinement = confine(memory_bytes)
    send({"ready": jinja2.__version__, "confinement": confinement})
    while True:
        request = receive(int.from_bytes(receive(4), "big"))
        # Ends this process, whatever the program does, and even if nobody waits for it any more.
        signal.setitimer(signal.ITIMER_REAL, milliseconds / 1000)
        try:
            result = answer(json.loads(request), programs, most_bytes)
            del request
            send(result)
        except Exception as error:  # whatever a program may do wrong
            result = failure(error)
            send(result)
            if result["error"] == "memory":
                sys.exit(1)
        signal.setitimer(signal.ITIMER_REAL, 0)


main()
