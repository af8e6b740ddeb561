"""The OpenAPI document of the service, and a page that shows it without loading anything from elsewhere."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from importlib import metadata, resources
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from agent.orders.order import MOST_TEXT
from agent.service.models import Event, ProblemDocument

__all__ = ["document", "page", "style_sheet"]

_ABOUT = """\
Specifications are answered by searched, certified and audited networks. Each design is a life of its own, whose ledger
can be verified.

A request needs `Authorization: Bearer TOKEN`; the token is in the file that `selfnas serve` names. A data file has at
most {data:,} bytes, a specification {text:,} characters, and {open:,} designs may be open. Every refusal is a problem
document (RFC 9457)."""


def document(app: FastAPI, *, data: int, most: int) -> dict[str, Any]:
    """The OpenAPI document of an application, with all schemas that its answers refer to.

    Args:
        app: the application.
        data: bytes of a data file.
        most: designs that may be open.
    """
    try:
        version = metadata.version("selfnas")
    except metadata.PackageNotFoundError:
        version = "0"
    told = get_openapi(
        title=app.title, version=version, routes=app.routes,
        description=_ABOUT.format(data=data, text=MOST_TEXT, open=most),
    )  # fmt: skip
    parts = told.setdefault("components", {})
    for model in (ProblemDocument, Event):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        parts["schemas"] |= {**schema.pop("$defs", {}), model.__name__: schema}
    parts["schemas"] = dict(sorted(parts["schemas"].items()))
    parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    told["security"] = [{"token": []}]
    for item in told["paths"].values():
        for operation in item.values():  # an answer that is no JSON has no JSON beside it
            for each in operation.get("parameters", ()):
                each["schema"] = _sent(each["schema"])
            for answer in operation["responses"].values():
                if len(answer.get("content", {})) > 1:
                    answer["content"] = {kind: held for kind, held in answer["content"].items() if held.get("schema")}
    return told


def _sent(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a parameter that may be left out, and is no word `null` then."""
    kinds = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    return {**{key: held for key, held in schema.items() if key != "anyOf"}, **kinds[0]} if kinds else schema


def page(told: Mapping[str, Any]) -> str:
    """The HTML page of an OpenAPI document."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("agent.service", "pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    schemas = told["components"]["schemas"]
    return environment.get_template("service.html.j2").render(
        info=told["info"],
        operations=[_operation(told, path, method) for path, item in told["paths"].items() for method in item],
        schemas=[
            {"name": name, "about": schemas[name].get("description", ""), "fields": list(_fields(schemas[name]))}
            for name in schemas
        ],
    )


@functools.cache
def style_sheet() -> bytes:
    """Of the page."""
    return (resources.files("agent.service") / "static" / "service.css").read_bytes()


def _operation(told: Mapping[str, Any], path: str, method: str) -> dict[str, Any]:
    """What the page shows of an operation."""
    held = told["paths"][path][method]
    body = held.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    return {
        "id": held["operationId"],
        "method": method.upper(),
        "path": path,
        "summary": held["summary"],
        "about": held.get("description", "").split("\n\n"),
        "parameters": [
            {"name": each["name"], "where": each["in"], "type": _type(each["schema"]),
             "about": each.get("description", "")} for each in held.get("parameters", ())
        ],
        "body": _type(body) if body else "",
        "answers": [
            {"status": status, "about": each["description"],
             "kinds": [(kind, _type(one.get("schema", {}))) for kind, one in each.get("content", {}).items()]}
            for status, each in sorted(held["responses"].items())
        ],
        "example": _example(told, path, method, held, body),
    }  # fmt: skip


def _example(told: Mapping[str, Any], path: str, method: str, held: Mapping[str, Any], body: Mapping[str, Any]) -> str:
    """How it is called from a shell."""
    lines = ['curl -H "Authorization: Bearer $(cat TOKEN)"']
    for each in held.get("parameters", ()):
        example = next(iter(each.get("examples") or each["schema"].get("examples") or ()), "")
        if each["in"] == "path":
            path = path.replace("{" + each["name"] + "}", str(example))
        elif example and each["in"] == "header":
            lines.append(f"-H '{each['name']}: {example}'")
    if method != "get":
        lines[0] += f" -X {method.upper()}"
    if body:
        example = told["components"]["schemas"][body["$ref"].rpartition("/")[2]]["examples"][0]
        lines += ["-H 'Content-Type: application/json'", f"--data '{json.dumps(example, indent=1)}'"]
    kinds = held["responses"].get("200", {}).get("content", {})
    lines.append(
        ("-N " if "text/event-stream" in kinds else "-O -J " if "application/zip" in kinds else "")
        + f"http://127.0.0.1:8000{path}"
    )
    return " \\\n  ".join(lines)


def _fields(schema: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for name, each in schema.get("properties", {}).items():
        needed = "" if name in schema.get("required", ()) else "may be left out"
        yield {"name": name, "type": _type(each), "about": each.get("description", ""), "needed": needed}


def _type(schema: Mapping[str, Any]) -> str:
    """A schema in a word or two."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    limits = [f"{sign} {schema[key]:,}" for key, sign in (("minimum", ">="), ("maximum", "<=")) if key in schema]
    return " ".join([str(schema.get("type", "anything")), *limits])
