"""Reading a network that somebody exported with torch.export, without running or unpickling anything of theirs.

A `.pt2` file is a zip of JSON and raw weights, but torch's reader also evaluates expressions, guards and pickles it
finds in one. So the file is judged first: only known members, only ATen operators, only arithmetic on sizes; what
remains is handed to torch with sample inputs, guards and metadata left out.
"""

from __future__ import annotations

import io
import json
import logging
import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from selfnas.errors import InputError, Problem, cause

__all__ = ["load_exported"]

_MAX_BYTES = 2**28  # unpacked; it is held thrice, so that reading stays under 1 GB
_MAX_JSON = 2**23  # of all graph descriptions together: Python holds some thirty bytes for each of theirs
_FACTS: Final = "/extra/selfnas.json"  # what our own files say of themselves
_DROPPED: Final = ("/data/sample_inputs/", "/extra/")
_MEMBERS = re.compile(
    r"[^/]+/(models/model\.json|data/weights/(weight_\d+|model_weights_config\.json)"
    r"|data/constants/(tensor_\d+|model_constants_config\.json)|data/sample_inputs/model\.pt"
    r"|extra/[A-Za-z0-9_.-]{1,64}|archive_format|archive_version|byteorder|\.data/version|\.data/serialization_id"
    r"|\.format_version)"
)
_OPERATOR = re.compile(
    r"torch\.ops\.aten\.(?!from_file)[a-z0-9_]+(\.[A-Za-z0-9_]+)?|_operator\.(getitem|add|sub|mul|floordiv|mod|ge|le|eq)"
)
_EXPRESSION = re.compile(
    r"(Symbol|Integer|Add|Mul|Pow|Max|Min|Mod|PythonMod|FloorDiv|CleanDiv|positive|nonnegative|integer|True|False"
    r"|'[su]\d+'|[su]\d+|\d+|[(),+\-*/= ])+"
)
_LONGEST = 1000  # characters of an expression; torch writes tens
_TREE_TYPES = {"builtins.tuple", "builtins.list", "builtins.dict"}
_REFUSED_KINDS = {"as_custom_obj", "as_operator", "as_graph", "as_opaque_obj", "as_string_to_argument"}


def load_exported(path: Path) -> nn.Module:
    """The network in a `.pt2` file written by `torch.export.save`.

    Raises:
        InputError: missing, not such a file, or one that holds more than a plain network: pickled objects, custom
            operators, compiled code, higher-order operators.
    """
    try:
        clean = io.BytesIO(_cleaned(path))
        with warnings.catch_warnings(), _quiet("torch.export"):
            warnings.simplefilter("ignore")
            network: nn.Module = torch.export.load(clean).module(check_guards=False)
        return network
    except InputError:
        raise
    except OSError as error:
        raise InputError([Problem(f"cannot be read: {cause(error)}", str(path))]) from error
    except Exception as error:
        first = (str(error).splitlines() or [""])[0][:200]
        raise InputError(
            [Problem(f"torch cannot load it as an exported network: {type(error).__name__}: {first}", str(path))]
        ) from error


@contextmanager
def _quiet(logger: str) -> Iterator[None]:
    """Torch logs a traceback of what it also raises; one message is enough."""
    log = logging.getLogger(logger)
    log.disabled, before = True, log.disabled
    try:
        yield
    finally:
        log.disabled = before


def _cleaned(path: Path) -> bytes:
    """The archive rewritten with nothing in it that torch would evaluate or unpickle."""
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            if sum(info.file_size for info in infos) > _MAX_BYTES or len({i.filename for i in infos}) < len(infos):
                raise InputError([Problem(f"larger than {_MAX_BYTES:,} bytes, or a member appears twice", str(path))])
            if sum(info.file_size for info in infos if info.filename.endswith(".json")) > _MAX_JSON:
                raise InputError([Problem(f"its graph descriptions are larger than {_MAX_JSON:,} bytes", str(path))])
            contents = {info.filename: archive.read(info) for info in infos}
    except zipfile.BadZipFile as error:
        raise InputError([Problem(f"not a .pt2 file: {error}", str(path))]) from error
    problems = []
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w", zipfile.ZIP_STORED) as archive:
        for name, content in contents.items():
            if name.endswith(_FACTS) and b'"predicted"' in content:
                problems.append("it takes raw examples: `selfnas motifs export --bare` writes the network alone")
            if not _MEMBERS.fullmatch(name):
                problems.append(f"unexpected member {name!r}")
            elif any(part in name for part in _DROPPED):
                content = b""
            elif name.endswith(".json"):
                tree = json.loads(content)
                problems.extend(f"{name}: {complaint}" for complaint in _complaints(tree))
                _blank(tree)
                content = json.dumps(tree).encode()
            archive.writestr(name, content)
    if problems:
        raise InputError([Problem(f"more than a plain network: {problem}", str(path)) for problem in problems[:10]])
    return result.getvalue()


def _blank(tree: Any) -> None:
    """Empty what the network does not need: guards are Python source to compile, metadata names things to import."""
    for value in tree if isinstance(tree, list) else tree.values() if isinstance(tree, dict) else ():
        _blank(value)
    if isinstance(tree, dict):
        if "guards_code" in tree:
            tree["guards_code"] = []
        if "target" in tree and "metadata" in tree:
            tree["metadata"] = {}


def _is_bounded(expression: str) -> bool:
    """Whether an expression is arithmetic on sizes of sizes that is small: no tower of powers."""
    if len(expression) > _LONGEST or not _EXPRESSION.fullmatch(expression):
        return False
    powers = expression.count("Pow") + expression.count("**")
    return powers <= 1 and all(len(digits) <= (2 if powers else 15) for digits in re.findall(r"\d+", expression))


def _complaints(tree: Any) -> Iterator[str]:
    """What torch would have to evaluate, import or unpickle."""
    if isinstance(tree, list):
        for item in tree:
            yield from _complaints(item)
    if not isinstance(tree, dict):
        return
    for key, value in tree.items():
        if key == "expr_str" and not _is_bounded(str(value)):
            yield f"expression {str(value)[:60]!r}"
        elif key == "target" and isinstance(value, str) and not _OPERATOR.fullmatch(value):
            yield f"operator {value[:60]!r}"
        elif key == "use_pickle" and value is not False:
            yield "pickled tensor"
        elif key in _REFUSED_KINDS and value is not None:
            yield f"argument of kind {key!r}"
        elif key in ("in_spec", "out_spec"):
            for kind in re.findall(r'"type"\s*:\s*"([^"]*)"', str(value).replace('\\"', '"')):
                if kind not in _TREE_TYPES:
                    yield f"container of type {kind[:60]!r}"
        else:
            yield from _complaints(value)
