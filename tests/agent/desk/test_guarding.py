"""Who may ask the desk: whoever has the key, under its own name, from its own pages; and what its pages may load."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from agent.desk.guarding import Access
from tests.agent.desk.conftest import Visitor, decisions, events_of

OWN = "127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:{port}"}, 200),
        ({"Host": "LOCALHOST:{port}"}, 200),
        ({"Host": "127.0.0.1"}, 400),
        ({"Host": "127.0.0.1:1"}, 400),
        ({"Host": "evil.example:{port}"}, 400),
        ({"Host": "127.0.0.1.evil.example:{port}"}, 400),
        ({"Host": None}, 400),
        ({"Cookie": None}, 403),
        ({"Cookie": "selfnas-desk-{port}=guess"}, 403),
        ({"Cookie": "selfnas-desk-1={key}"}, 403),
        ({"Cookie": "other=1; selfnas-desk-{port}={key}"}, 200),
    ],
)
def test_pages_are_for_those_with_the_key_under_the_own_name(
    headers: Mapping[str, str | None], status: int, visitor: Visitor
) -> None:
    """Neither a guess nor another desk's cookie serves, nor a name that leads here."""
    given = {name: value and value.format(port=visitor.port, key=visitor.access.key) for name, value in headers.items()}
    answer = visitor.ask("/", headers=given)
    assert answer.status == status
    assert ("await a decision" in answer.text) == (status == 200)


@pytest.mark.parametrize(
    "origin", [None, "null", "http://evil.example", "http://127.0.0.1:1", "https://127.0.0.1:{port}"]
)
def test_a_decision_from_another_origin_is_refused(origin: str | None, visitor: Visitor, home: Path) -> None:
    """Even with cookie and token."""
    before, one = decisions(home), events_of(home, standing="admitted")[0]
    form = visitor.form(one, "approve")
    answer = visitor.ask("/decide", form=form, headers={"Origin": origin and origin.format(port=visitor.port)})
    assert answer.status == 403
    assert decisions(home) == before


def test_no_address_decides(visitor: Visitor, home: Path) -> None:
    """A link or a picture with all fields in its address changes nothing; nor does JSON, nor a body without end."""
    before, one = decisions(home), events_of(home, standing="admitted")[0]
    form = visitor.form(one, "approve")
    query = "&".join(f"{name}={value}" for name, value in form)
    assert visitor.ask(f"/decide?{query}").status == 405
    for kind in ("application/json", "text/plain", "multipart/form-data; boundary=x"):
        assert visitor.ask("/decide", form=form, headers={"Content-Type": kind}).status == 400
    assert visitor.ask("/decide", form=[*form, ("reason", "x" * (1 << 20))]).status == 400
    assert decisions(home) == before


def test_the_printed_address_opens_the_desk_and_the_key_leaves_it(visitor: Visitor) -> None:
    """The cookie is for this desk alone, and no script reads it; a wrong key gives none."""
    answer = visitor.ask(f"/?stage=all&key={visitor.access.key}", headers={"Cookie": None})
    assert (answer.status, answer.headers["location"]) == (303, "/?stage=all")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{visitor.access.cookie}={visitor.access.key};")
    assert {"httponly", "samesite=strict"} <= set(cookie.lower().split("; "))
    wrong = visitor.ask("/?key=guess", headers={"Cookie": None})
    assert (wrong.status, "set-cookie" in wrong.headers) == (403, False)
    for path in ("//evil.example/", "/\\evil.example"):
        led = visitor.ask(f"{path}?key={visitor.access.key}", headers={"Cookie": None}).headers.get("location", "/")
        assert re.match(r"/(?![/\\])", led)


def test_every_answer_forbids_what_pages_do_not_need(visitor: Visitor, home: Path) -> None:
    """Pages, files, refusals: nothing from elsewhere, nothing inline, no frame around it, nothing kept."""
    one = events_of(home, standing="admitted")[0]
    for path in ("/", f"/item/{one}", "/static/desk.js", "/no-such-page", f"/item/{one}/picture/cell.png"):
        headers = visitor.ask(path).headers
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy.pop("default-src") == policy.pop("base-uri") == policy.pop("frame-ancestors") == "'none'"
        assert set(policy.values()) == {"'self'"}
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
    for path in ("/", f"/item/{one}"):
        page = visitor.ask(path).text
        assert not re.search(r"<script(?![^>]*src=\"/static/)|style=|\son\w+=|javascript:|https?://", page)


@pytest.mark.parametrize("name", ["../app.py", "..%2fapp.py", "desk.py", "%2e%2e/app.py", ".css"])
def test_only_files_of_the_desk_are_handed_out(name: str, visitor: Visitor) -> None:
    """A style sheet, a script, an icon; no source, nothing above."""
    assert visitor.ask(f"/static/{name}").status == 404
    assert visitor.ask("/static/desk.css").status == 200


@pytest.mark.parametrize("name", ["../../../ledger.db", "..%2f..%2f..%2fledger.db", "example.npy", "no.png"])
def test_only_pictures_of_a_finalist_are_handed_out(name: str, visitor: Visitor, home: Path) -> None:
    """Whatever else lies in the home."""
    assert visitor.ask(f"/item/{events_of(home, standing='admitted')[0]}/picture/{name}").status == 404


def test_names_that_people_type_may_stand_behind_a_proxy_that_encrypts() -> None:
    """With or without the port, as pages of http or https; those of this machine itself as http with the port alone."""
    access = Access(port=5000, names=["Desk.example", "::2"])
    assert {"desk.example:5000", "desk.example", "[::2]:5000", "127.0.0.1:5000"} <= access.hosts
    assert "127.0.0.1" not in access.hosts
    for origin, host, own in (
        ("https://desk.example", "desk.example", True),
        ("http://desk.example:5000", "desk.example:5000", True),
        ("http://127.0.0.1:5000", "127.0.0.1:5000", True),
        ("https://127.0.0.1:5000", "127.0.0.1:5000", False),
        ("https://evil.example", "desk.example", False),
        ("null", "desk.example", False),
        ("", "desk.example", False),
    ):
        assert access.is_own_origin(origin, host) == own


def test_each_start_has_a_key_of_its_own() -> None:
    """Long enough that nobody guesses it, and not that of the forms."""
    one, other = Access(port=80), Access(port=80)
    assert one.key != other.key
    assert len(one.key) >= 32
    assert one.token != other.token
    assert one.token != one.key
