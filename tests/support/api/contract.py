"""Every answer that any test gets is held against the document: status, type, and shape.

A rig's client calls `keeps_its_word` with each answer. An answer of a status that its operation
doesn't tell, of a media type that isn't told for it, or in JSON that has a member too many or too
few, fails the test that got it, whatever that test is about.
"""

import copy
import json
import re
from functools import cache
from typing import Any

import httpx

from api.http.openapi import format_document
from tests.support.encoding.json_schema import found, holds

NOT_DESCRIBED = re.compile(r"/|/docs|/P/[^/]*")
"""Pages, and the offer as a QR in capitals spells it."""


@cache
def document() -> dict[str, Any]:
    """Give the document with every answer closed: a member that isn't told may not be there."""
    whole = json.loads(format_document())
    for name, schema in whole["components"]["schemas"].items():
        if name not in ("Problem", "EarlyProblem") and "properties" in schema:
            schema.setdefault("additionalProperties", False)
    return copy.deepcopy(whole)


@cache
def paths() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    """List the paths, those with more spelt-out segments first."""
    told = sorted(document()["paths"].items(), key=lambda item: item[0].count("{"))
    return [(re.compile(re.sub(r"{\w+}", "[^/]+", path)), methods) for path, methods in told]


def operation_of(method: str, path: str) -> dict[str, Any] | None:
    """Find what the document says of a request; None for what is not described."""
    for pattern, methods in paths():
        if pattern.fullmatch(path):
            told = methods.get(method.lower())
            return dict(told) if told else None
    return None


async def keeps_its_word(response: httpx.Response) -> None:
    """Hold an answer against the document."""
    request = response.request
    operation = operation_of(request.method, request.url.path)
    if request.method == "HEAD":
        return  # As GET, and without the body that tells.
    if operation is None or NOT_DESCRIBED.fullmatch(request.url.path):
        assert operation is not None or response.status_code in (200, 404, 405), response
        return
    where = f"{operation['operationId']} answered {response.status_code}"
    answer = operation["responses"].get(str(response.status_code))
    assert answer is not None, f"{where}, which the document doesn't tell: {operation['responses']}"
    answer = found(answer["$ref"], document()) if "$ref" in answer else answer
    media = response.headers.get("content-type", "").partition(";")[0]
    if not media or media == "text/event-stream":
        return
    content = answer.get("content", {})
    assert media in content, f"{where} in {media}, not in {', '.join(content)}"
    if media.endswith("json"):
        body = json.loads(await response.aread())
        assert holds(content[media]["schema"], body, document()), (
            f"{where} in another shape: {body}"
        )
