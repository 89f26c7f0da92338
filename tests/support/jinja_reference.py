"""What chat templates write under transformers' rules, written independently of runtime/templates: reads a
file with a JSON object per line (program, variables, now) and prints {"text": ...} or {"error": ...} for each."""

import datetime
import json
import sys

from jinja2 import TemplateError, nodes
from jinja2.ext import Extension
from jinja2.sandbox import ImmutableSandboxedEnvironment


class Generation(Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("same"), [], [], body, lineno=line)

    def same(self, caller):
        return caller()


def refuse(message):
    raise TemplateError(message)


def dumps(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
                      sort_keys=sort_keys)


for line in open(sys.argv[1], encoding="utf-8"):
    case = json.loads(line)
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, "jinja2.ext.loopcontrols"])
    environment.filters["tojson"] = dumps
    environment.globals["raise_exception"] = refuse
    environment.globals["strftime_now"] = datetime.datetime.fromisoformat(case["now"]).strftime
    try:
        answer = {"text": environment.from_string(case["program"]).render(**case["variables"])}
    except Exception as error:
        answer = {"error": str(error)}
    print(json.dumps(answer))
