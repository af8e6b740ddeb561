"""From what a page shows to its HTML; every text is escaped by the template engine."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, fields
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.responses import HTMLResponse, Response

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["PLACES", "Pages", "address_part", "static_file"]

# The pages that the header leads to, with their names there.
PLACES = (("/", "Queue"), ("/live", "Live"), ("/trials", "Trials"), ("/compare", "Lives"), ("/play", "Rules"))
_KINDS = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


@functools.cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("agent.desk", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """Renders the pages of one desk.

    Attributes:
        home: as the person named it.
        token: what each form must hold.
    """

    home: str
    token: str

    def page(
        self,
        name: str,
        *,
        here: str = "",
        notices: Sequence[str] = (),
        problem: str = "",
        status: int = 200,
        **shown: object,
    ) -> Response:
        """A page.

        Args:
            name: of its template.
            here: the place in the header that it is.
            notices: sentences above it, of what went well.
            problem: a sentence above it, of what did not.
            status: of the answer.
            shown: what the template shows.
        """
        text = (
            _environment()
            .get_template(f"{name}.html.j2")
            .render(
                home=self.home, token=self.token, places=PLACES, here=here, notices=notices, problem=problem, **shown
            )
        )
        return HTMLResponse(text, status)

    def part(self, name: str, **shown: object) -> str:
        """The HTML of a part of a page that changes while the page is open."""
        return _environment().get_template(f"{name}.html.j2").render(**shown)

    def message(self, title: str, *told: str, status: int = 200) -> Response:
        """A page of nothing but sentences."""
        return self.page("message", status=status, title=title, told=told)


@functools.cache
def _static(name: str) -> tuple[bytes, str] | None:
    kind = _KINDS.get(name.rpartition(".")[2])
    file = resources.files("agent.desk") / "static" / name
    return (file.read_bytes(), kind) if kind and file.is_file() else None


def static_file(name: str) -> Response:
    """A style sheet, a script or a picture of the desk's own."""
    found = _static(name) if name.replace(".", "").isalnum() else None
    if found is None:
        return Response("there is no such file\n", 404, media_type="text/plain")
    return Response(found[0], media_type=found[1])


def address_part(chosen: Any, **changes: str | bool | int) -> str:
    """The query of an address that says what was chosen, without what is usual.

    Args:
        chosen: a frozen dataclass whose defaults are what is usual.
        changes: of its fields.
    """
    usual = type(chosen)()
    named = {each.name: changes.get(each.name, getattr(chosen, each.name)) for each in fields(chosen)}
    return urlencode(
        {name: "1" if value is True else value for name, value in named.items() if value != getattr(usual, name)}
    )
