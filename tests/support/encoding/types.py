"""Every type that has an encoding, and everything that reads text or bytes: found in the code.

Nobody keeps a list: a type that is added is in it. What is found: each msgspec struct of the
packages, each type that a call of `decode` or a `Decoder` names, and each public function named
`parse_...`, `decode_...` or `read...` that takes text or bytes.
"""

import ast
import builtins
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from functools import cache
from types import ModuleType

import msgspec

PACKAGES = ("ledger", "consensus", "node", "iot_minting", "api")
READER_NAMES = ("parse_", "decode_", "read_")
NOT_ENCODED = {
    "api.signing.process.config.SignerConfig": "a form for TOML, which holds paths",
    "iot_minting.attestor.judging.Judgement": "from a process to its own child, by keys in bytes",
    "node.config.NodeConfig": "a form for TOML, which holds paths",
    "node.pricefeed.config.FeederConfig": "a form for TOML, which holds paths",
}
_IN_JSON = re.compile(r"api\.(\w+\.)+schemas\.|api\.http\.")
"""Bodies of the payments service: JSON alone, which `api.http.bodies` reads."""
_DECODING = {"decode", "_decode", "Decoder"}


@cache
def modules() -> tuple[ModuleType, ...]:
    """Import every module of the packages, but those that run on import."""
    return tuple(module for package in PACKAGES for module in _modules(package))


def _modules(package: str) -> Iterator[ModuleType]:
    root = importlib.import_module(package)
    yield root
    for found in pkgutil.walk_packages(root.__path__, f"{package}."):
        if not found.name.endswith("__main__") and ".migrations" not in found.name:
            yield importlib.import_module(found.name)


@cache
def encoded_types() -> dict[str, object]:
    """List every type that may be decoded, by a name that is its own."""
    modules()
    structs = {f"{kind.__module__}.{kind.__qualname__}": kind for kind in _structs(msgspec.Struct)}
    structs = {name: kind for name, kind in structs.items() if name not in NOT_ENCODED}
    structs = {name: kind for name, kind in structs.items() if not _IN_JSON.match(name)}
    named = {f"{where}: {text}": kind for where, text, kind in _decoded()}
    others = {name: kind for name, kind in named.items() if not _is_struct(kind)}
    return dict(sorted({**structs, **others}.items()))


def _is_struct(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _structs(kind: type) -> Iterator[type]:
    for below in kind.__subclasses__():
        if below.__module__.partition(".")[0] in PACKAGES:
            yield below
        yield from _structs(below)


def _decoded() -> Iterator[tuple[str, str, object]]:
    """Find what calls of decoders name: where, how it is written, and what it is."""
    for module in modules():
        for call in ast.walk(ast.parse(inspect.getsource(module))):
            if not isinstance(call, ast.Call) or not _decodes(call.func):
                continue
            for node in _type_arguments(call):
                text = ast.unparse(node)
                root = text.replace("[", " ").replace(".", " ").split()[0]
                if isinstance(vars(module).get(root), dict):
                    # One of a table of types, by what is known only then.
                    yield from (
                        (module.__name__, f"{root}: {name}", kind)
                        for name, kind in vars(module)[root].items()
                    )
                elif hasattr(module, root) or hasattr(builtins, root):
                    # Else it is a parameter: what is passed for it, is found where it is passed.
                    kind = eval(text, vars(module))  # The packages' own source.
                    yield module.__name__, text, kind


def _decodes(called: ast.expr) -> bool:
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    return name in _DECODING


def _type_arguments(call: ast.Call) -> Iterator[ast.expr]:
    """Give what stands where a type does: `type=...`, a Decoder's first, a decode's second."""
    yield from (word.value for word in call.keywords if word.arg == "type")
    name = call.func.attr if isinstance(call.func, ast.Attribute) else call.func.id
    place = 0 if name == "Decoder" else 1
    if len(call.args) > place and not isinstance(call.args[place], ast.Constant):
        yield call.args[place]


@cache
def readers() -> dict[str, Callable]:
    """List every public function that makes something of text or bytes, by its full name."""
    found = {}
    for module in modules():
        for name, one in vars(module).items():
            if inspect.isfunction(one) and one.__module__ == module.__name__ and _reads(name, one):
                found[f"{module.__name__}.{name}"] = one
    return found


def _reads(name: str, function: Callable) -> bool:
    parameters = list(inspect.signature(function).parameters.values())
    named = name == "read" or name.startswith(READER_NAMES)
    return named and bool(parameters) and parameters[0].annotation in (str, bytes, str | bytes)
