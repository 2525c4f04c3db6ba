"""What schemathesis is told of the payments service beside its document: who it may be, and limits.

It is loaded by `SCHEMATHESIS_HOOKS`, in schemathesis' own process. Each operation is called as
somebody whom the access table admits, so that its work is reached and not its door alone. What
would take the testers' own credentials away is aimed at a stranger instead.
"""

import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import schemathesis
from ulid import ULID

from api.access.roles import Role
from api.access.rules import Access
from api.access.table import TABLE

PROTECTED = {
    "revokeApiKey": "keyId",
    "rotateApiKey": "keyId",
    "changeUser": "userId",
    "suspendUser": "userId",
    "rebindWallet": "userId",
    "reinviteUser": "userId",
    "lockTerminal": "terminalId",
    "revokeTerminal": "terminalId",
    "changeProduct": "productId",
}
"""Operations that could end a tester's own work, and the name of what they are aimed at."""
KEY = re.compile("[!-~]{1,255}")
ROLES = {
    Role.MANAGER: "manager",
    Role.UNION_OFFICER: "officer",
    Role.CASHIER: "cashier",
    Role.STUDENT: "student",
}


@cache
def http() -> httpx.Client:
    return httpx.Client(base_url=os.environ["STRANGERS_URL"], trust_env=False, timeout=30)


@cache
def demo() -> Any:
    return json.loads((Path(os.environ["STRANGERS_HOME"]) / "demo.json").read_text())


@cache
def token(login: str) -> str:
    """Log somebody of the development network in, once: the run is shorter than a token's life."""
    (union,) = http().get("/api/v1/unions").json()["data"]
    (person,) = (each for each in demo()["people"] if each["loginName"] == login)
    body = {"unionId": union["id"], "loginName": login, "password": person["password"]}
    answer = http().post("/api/v1/auth/login", json=body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["accessToken"])


def as_person(login: str, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(login)}", **more}


@cache
def api_key() -> str:
    """Make a key that may do all that a key may."""
    scopes = sorted({row.scope for row in TABLE.values() if row.scope})
    headers = as_person("manager", **{"Idempotency-Key": str(ULID())})
    body = {"name": "strangers", "scopes": scopes}
    answer = http().post("/api/v1/api-keys", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["secret"])


@cache
def protected() -> frozenset[str]:
    """List what must outlive the run: people, till, keys and products that are there before it."""
    api_key()
    found = {demo()["till"]["terminalId"], *products()}
    for path, login in (("/api/v1/users", "officer"), ("/api/v1/api-keys", "manager")):
        listed = http().get(f"{path}?limit=200", headers=as_person(login)).json()["data"]
        found |= {each["id"] for each in listed}
    return frozenset(found)


@cache
def products() -> list[str]:
    return [each["id"] for each in http().get("/api/v1/products").json()["data"]]


def credential_for(row: Access) -> str:
    """Give a credential that a row admits; empty where none is needed, or none is at hand."""
    if row.anyone or row.board:
        return ""
    if row.scope or row.any_key:
        return api_key()
    login = next((name for role, name in ROLES.items() if role in row.roles), "")
    return token(login or "student") if login or row.people else ""


@schemathesis.auth(refresh_interval=None)
class Admitted:
    """Calls each operation as somebody whom its row admits."""

    def get(self, case: Any, context: Any) -> str:
        return credential_for(TABLE[case.operation.method.upper(), case.operation.path])

    def set(self, case: Any, data: str, context: Any) -> None:
        if data:
            case.headers["Authorization"] = f"Bearer {data}"


def _anew(headers: Any) -> None:
    """Ask anew each time: what a key that was used before answers, other tests hold.

    A wrong key stays one: HTTP takes blanks from both ends, and what is left may be right.
    """
    key = headers.get("Idempotency-Key") if headers else None
    if isinstance(key, str) and KEY.fullmatch(key):
        headers["Idempotency-Key"] = str(ULID())
    elif isinstance(key, str) and KEY.fullmatch(key.strip()):
        headers["Idempotency-Key"] = "with a blank"


def _what_is_sold(body: Any) -> None:
    """Order what is sold, so that orders come to be."""
    items = body.get("items") if isinstance(body, dict) else None
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict) and isinstance(item.get("productId"), str):
            item["productId"] = products()[len(item["productId"]) % len(products())]


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Make a request one that reaches its work, and aim what would end ours at nobody."""
    _anew(case.headers)
    _what_is_sold(case.body)
    name = PROTECTED.get(case.operation.definition.raw["operationId"], "")
    if case.path_parameters and case.path_parameters.get(name) in protected():
        case.path_parameters[name] = str(ULID())
