"""Whoever has the token hands in a specification once, and looks at it, follows it, cancels it; nobody else does."""

from __future__ import annotations

import base64
import errno
import json
import re
from collections.abc import Mapping

import pytest

from agent.orders.queue import Queue
from agent.service.app import Service
from tests.agent.service.conftest import DECIDED, ROWS, TOKEN, Client

CSV = b"a,b,y\n" + b"".join(b"%d,%d,%s\n" % (n, n * n % 7, b"yes" if n % 2 else b"no") for n in range(80))


def sent(name: str, content: bytes) -> dict[str, str]:
    """A data file as it is sent."""
    return {"name": name, "base64": base64.b64encode(content).decode()}


def test_what_is_accepted_is_queued_and_listed(client: Client) -> None:
    """With its events by number, and its place in the answer."""
    answer = client.order(DECIDED)
    design = answer.json
    assert (answer.status, design["state"], design["name"]) == (202, "queued", "small")
    assert answer.headers["location"] == f"/designs/{design['id']}"
    assert client.ask(answer.headers["location"]).json == design
    other = client.order(DECIDED).json
    assert [each["id"] for each in client.ask("/designs").json["designs"]] == [other["id"], design["id"]]
    part = client.ask("/designs?limit=1").json
    assert ([each["id"] for each in part["designs"]], part["before"]) == ([other["id"]], 2)
    rest = client.ask("/designs?limit=1&before=2").json
    assert ([each["id"] for each in rest["designs"]], rest["before"]) == ([design["id"]], None)


def test_a_data_file_is_kept_as_it_was_sent(client: Client, service: Service) -> None:
    """Beside its specification, once both were read."""
    design = client.order(ROWS, data=sent("rows.csv", CSV)).json
    folder = service.place.folder(design["id"])
    assert (folder / "rows.csv").read_bytes() == CSV
    assert (folder / "specification.yaml").read_text() == ROWS
    assert [each.name for each in service.place.designs.iterdir()] == [design["id"]]


@pytest.mark.parametrize(
    ("specification", "data", "says"),
    [
        ("", None, "at least 1 character"),
        ("{", None, "not valid YAML"),
        ("[1]", None, "expected a mapping"),
        (DECIDED.replace("30 k", "30 kB"), None, "parameters: 'kB' does not fit"),
        (DECIDED + "target: edge-tpu\n", None, "unknown 'edge-tpu'"),
        (DECIDED.replace("c8n1r8", "c0"), None, "c0"),
        (DECIDED + "constraints: /etc/rules.yaml\n", None, "a service takes shipped ones alone"),
        (DECIDED + "search: {audits: ../suite.yaml}\n", None, "a service takes shipped ones alone"),
        (DECIDED, sent("rows.csv", CSV), "there is no task that needs it"),
        (ROWS, None, "name the data file that comes with the request"),
        (ROWS.replace("path: rows.csv", "path: /etc/passwd"), sent("rows.csv", CSV), "name the data file"),
        (ROWS.replace("path: rows.csv", "path: ../token"), sent("rows.csv", CSV), "name the data file"),
        (ROWS.replace("source: csv", "source: folder"), sent("rows.csv", CSV), "send one .npz file instead"),
        (ROWS.replace("source: csv", "source: npz"), sent("rows.csv", CSV), "does not end as files of source npz do"),
        (ROWS.replace("csv", "npz"), sent("rows.npz", CSV), "rows.npz"),
        (ROWS.replace("csv", "npz"), sent("rows.npz", b"PK\x03\x04" + bytes(90)), "rows.npz"),
        (ROWS.replace("csv", "parquet"), sent("rows.parquet", CSV), "rows.parquet"),
        (ROWS.replace("csv", "ts"), sent("rows.ts", CSV), "rows.ts"),
        (ROWS, sent("rows.csv", CSV[:30]), "rows"),
        (ROWS, sent("rows.csv", b"\xff\xfe\x00"), "rows.csv"),
        (ROWS, sent("rows.csv", b""), "the file is empty"),
        (ROWS, {"name": "rows.csv", "base64": "x,y!"}, "is not base64"),
        (ROWS, {"name": "../rows.csv", "base64": "eA=="}, "match pattern"),
        (ROWS.replace("path: rows.csv", "path: rows.csv, memory: 2 GiB"), sent("rows.csv", CSV), "at most 1 GiB"),
    ],
)
def test_what_cannot_be_used_is_refused_whole(
    specification: str, data: dict[str, str] | None, says: str, client: Client, service: Service
) -> None:
    """By a problem document that says what is wrong and names no folder of the machine; nothing is kept or queued."""
    answer = client.order(specification, **({} if data is None else {"data": data}))
    told = answer.json
    assert (answer.status, answer.headers["content-type"]) == (422, "application/problem+json")
    assert says in json.dumps(told, ensure_ascii=False)
    assert str(service.place.root) not in answer.body.decode()
    assert list(service.place.designs.iterdir()) == []
    assert client.ask("/designs").json["designs"] == []


def test_a_problem_has_its_line_and_column(client: Client) -> None:
    """Of the specification."""
    (fault,) = client.order(DECIDED.replace("30 k", "30 kB")).json["problems"]
    assert (fault["place"], fault["line"], fault["column"]) == ("specification", 6, 11)


@pytest.mark.parametrize(
    "body",
    [
        b"{", b'"x"', b"[" * 5000, b"[" * 100_000, b'{"specification": ' + b"9" * 5000 + b"}",
        b'{"specification": "\\ud800"}', b'{"specification": NaN}', b"\xff", b"",
    ],
)  # fmt: skip
def test_a_body_that_is_no_order_is_refused(body: bytes, client: Client) -> None:
    """Whatever it is."""
    answer = client.ask("/designs", method="POST", body=body)
    assert answer.status in (400, 422)
    assert answer.json["status"] == answer.status


def test_the_same_request_with_the_same_key_is_accepted_once(client: Client, service: Service) -> None:
    """Another one with that key is not."""
    one, again, other = client.order(DECIDED, key="k"), client.order(DECIDED, key="k"), client.order(ROWS, key="k")
    assert (one.status, again.status, one.json["id"]) == (202, 202, again.json["id"])
    assert client.order(DECIDED.replace("30", "31"), key="k").status == 409
    assert other.status in (409, 422)
    assert len(list(service.place.designs.iterdir())) == 1


def test_no_more_than_so_many_are_open(client: Client, service: Service) -> None:
    """What is turned away leaves nothing; what was cancelled makes room."""
    designs = [client.order(DECIDED).json["id"] for _ in range(5)]
    answer = client.order(DECIDED)
    assert (answer.status, "5 designs are open" in answer.json["detail"]) == (429, True)
    assert int(answer.headers["retry-after"]) > 0
    assert {each.name for each in service.place.designs.iterdir()} == set(designs)
    assert client.ask(f"/designs/{designs[2]}", method="DELETE").json["state"] == "cancelled"
    assert client.order(DECIDED).status == 202


def test_a_design_is_cancelled_once_and_stays(client: Client) -> None:
    """One that did not begin has no file."""
    at = client.order(DECIDED).headers["location"]
    first, second = client.ask(at, method="DELETE"), client.ask(at, method="DELETE")
    assert (first.json["state"], first.json) == ("cancelled", second.json)
    for part in ("bundle", "certificate"):
        answer = client.ask(f"{at}/{part}")
        assert (answer.status, answer.json["detail"]) == (409, "the design ended without a file")


def test_events_go_on_after_the_last_that_is_known(client: Client) -> None:
    """By the address, or by the header that browsers send."""
    at = client.order(DECIDED).headers["location"]
    client.ask(at, method="DELETE")
    whole = client.ask(f"{at}/events")
    assert whole.headers["content-type"].startswith("text/event-stream")
    assert re.findall(rb"id: (\d+)\nevent: (\w+)\ndata: \{", whole.body) == [(b"1", b"accepted"), (b"2", b"ended")]
    rest = whole.body[whole.body.index(b"id: 2") :]
    assert client.ask(f"{at}/events?after=1").body == rest
    assert client.ask(f"{at}/events", headers={"Last-Event-ID": "1"}).body == rest
    assert client.ask(f"{at}/events?after=2").body == b""
    assert client.ask(f"{at}/events?after=-1").status == 422


def test_an_open_design_can_be_looked_at_without_waiting(client: Client) -> None:
    """Its events so far."""
    at = client.order(DECIDED).headers["location"]
    assert client.ask(f"{at}/events?wait=false").body.count(b"id: ") == 1
    assert client.ask(f"{at}/bundle").json["detail"] == "the design has not ended yet"


@pytest.mark.parametrize("path", ["", "/events", "/bundle", "/certificate"])
def test_a_design_that_is_not_there(path: str, client: Client) -> None:
    """By an id that could be one, and by one that could not."""
    assert client.ask(f"/designs/{'0' * 32}{path}").status == 404
    assert client.ask(f"/designs/..%2f..{path}").status in (404, 422)
    assert client.ask(f"/designs/token{path}").status == 422


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Authorization": None}, 401),
        ({"Authorization": "Bearer guess"}, 401),
        ({"Authorization": f"Basic {TOKEN}"}, 401),
        ({"Authorization": f"bearer {TOKEN}"}, 200),
        ({"Host": "evil.example"}, 421),
        ({"Host": None}, 400),
        ({"Host": "designs.example"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:{port}"}, 200),
        ({"Transfer-Encoding": "chunked"}, 411),
        ({"Content-Length": "99999999"}, 413),
    ],
)
def test_who_is_answered(headers: Mapping[str, str | None], status: int, client: Client) -> None:
    """Programs with the token, under a name of the service, and no page of another origin."""
    given = {name: value and value.format(port=client.port) for name, value in headers.items()}
    answer = client.ask("/designs", headers=given)
    assert answer.status == status
    if status not in (200, 400):  # what has no host does not reach the service
        assert answer.json["status"] == status


def test_a_body_is_not_read_that_is_too_large(client: Client) -> None:
    """Nor one that does not say how large it is."""
    answer = client.order(ROWS, data=sent("rows.csv", bytes(300_000)))
    assert (answer.status, "4,000" in answer.json["detail"]) == (413, True)
    answer = client.ask("/designs", method="POST", headers={"Content-Length": None})
    assert answer.status == 411


def test_a_full_disk_is_said_and_leaves_nothing(
    client: Client, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a folder nor a row; with room the same request is accepted."""

    def full(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("agent.orders.accepting.content_digest", full)
        answer = client.order(DECIDED, key="k")
        assert (answer.status, "disk takes no more" in answer.json["detail"]) == (507, True)
    with monkeypatch.context() as patch:
        patch.setattr(Queue, "add", full)
        assert client.order(DECIDED, key="k").status == 507
    assert list(service.place.designs.iterdir()) == []
    assert client.ask("/designs").json["designs"] == []
    assert client.order(DECIDED, key="k").status == 202


def test_the_page_shows_every_address_and_loads_nothing(client: Client) -> None:
    """To anybody under the right name: each operation, an example of each, every schema; no token in it."""
    page = client.ask("/", headers={"Authorization": None})
    text = page.body.decode()
    told = client.ask("/openapi.json", headers={"Authorization": None}).json
    assert told["openapi"].startswith("3.1")
    for path, item in told["paths"].items():
        assert path in text
        assert all(f'id="{operation["operationId"]}"' in text for operation in item.values())
    assert text.count("curl -H") == 7
    assert all(f'id="schema-{name}"' in text for name in told["components"]["schemas"])
    assert not re.search(r"<script|style=|src=|https?://(?!127\.0\.0\.1)", text)
    assert TOKEN not in text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert client.ask("/static/service.css", headers={"Authorization": None}).status == 200


def test_every_answer_of_the_document_has_a_schema_that_is_there(client: Client) -> None:
    """References lead to schemas of the document, and the example of an order is accepted."""
    told = client.ask("/openapi.json").json
    for name in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(told)):
        assert name in told["components"]["schemas"]
    example = told["components"]["schemas"]["Order"]["examples"][0]
    assert client.ask("/designs", method="POST", body=example).status == 202


def test_another_method_is_told_which_there_are(client: Client) -> None:
    """All of the address."""
    answer = client.ask("/designs", method="PUT")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, POST")
