"""Who stands behind an admitted call, for routes of people and tills."""

import re
from typing import Final

from api.access.principals import Person, Terminal
from api.access.roles import Role
from api.errors import NotFound
from api.http.routes import ApiCall
from api.people.desks import Desks
from api.people.means import Actor

_ULID: Final = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}", re.ASCII)


def id_of(call: ApiCall, name: str) -> str:
    """Read an id of the path, in either case; raise `NotFound` for what can't be one."""
    text = call.path[name].upper()
    if _ULID.fullmatch(text) is None:
        raise NotFound("there is no such thing: an id has 26 letters and digits")
    return text


def desks_of(call: ApiCall) -> Desks:
    """Give the desks of the service."""
    return call.service.desks


def person_of(call: ApiCall) -> Person:
    """Give the person that the table has admitted."""
    assert isinstance(call.principal, Person), "the row admits people alone"
    return call.principal


def till_of(call: ApiCall) -> Terminal:
    """Give the till that the table has admitted."""
    assert isinstance(call.principal, Terminal), "the row admits tills alone"
    return call.principal


def actor_of(call: ApiCall, union_id: str = "") -> Actor:
    """Give who acts, in their own union; an admin may act in another one that they name."""
    person = person_of(call)
    wanted = union_id or person.union_id
    if wanted != person.union_id and Role.ADMIN not in person.roles:
        raise NotFound("there is no such union for you")
    return Actor(wanted, person.user_id, person.session_id)


def shop_of(call: ApiCall) -> str:
    """Give the shop whose matters a manager sees; empty for an office, which sees all of them."""
    roles = person_of(call).roles
    if {Role.UNION_OFFICER, Role.ADMIN} & roles.keys():
        return ""
    return roles[Role.MANAGER]
