"""The ways in: activation, password, wallet; staying in: refresh; and out.

What a stranger sees is the same whether a login, a code or a wallet is unknown, wrong or over, and
it takes as long. A try is counted before it is judged, in a transaction of its own, so that tries
in several workers share one count.
"""

import unicodedata
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from api.db.session import in_transaction
from api.errors import ApiFault, Forbidden, Locked, Unauthorized, Unavailable
from api.people.challenges import (
    CHALLENGE_MS,
    NONCE_BYTES,
    KeyChallenge,
    ProofPurpose,
    WalletProof,
    draw_nonce,
    is_ours,
    proven_address,
)
from api.people.means import Means
from api.people.misses import PASSWORD_RULE
from api.people.model import (
    Credentials,
    LoginMethod,
    NoticeKind,
    User,
    UserState,
)
from api.people.notice_store import add_notice
from api.people.refreshing import (
    RefreshVerdict,
    first_token,
    judge,
    read_token,
    successor,
    token_digest,
)
from api.people.session_store import (
    begin_session,
    count_try,
    end_session,
    forgive_try,
    lock_session,
    rotate_session,
    spend_nonce,
)
from api.people.user_store import (
    find_credentials,
    find_user,
    login_index,
)
from api.people.wallet_store import user_of_address
from api.vault.blind import Purpose

WRONG: Final = "this login is not known, or the password is another"
CODE_REFUSED: Final = "this code is not known, was used, or is over: ask your union's office"
STRANGE_DEVICE: Final = "-"


@dataclass(frozen=True, slots=True, repr=False)
class LoggedIn:
    """Who is in, and the two tokens: one for requests, one for the cookie."""

    user: User
    access_token: str
    refresh_token: str


class LoginDesk:
    """Lets people in and out."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def hashed(self, use: str, user_id: str, secret: str) -> str | None:
        """Hash a new password or PIN; None for none."""
        return await self._means.hasher.hash(use, user_id, normal(secret)) if secret else None

    async def by_password(
        self, union_id: str, login_name: str, password: str, device: str
    ) -> LoggedIn:
        """Let in who knows the password of a login; raise `Unauthorized` or `Locked`.

        Tries are counted by login and by whether the device is known: a stranger who guesses
        shuts strangers out, not the owner's own browser.
        """
        means = self._means
        index = login_index(means.vault, union_id, login_name) or b""
        subject = f"password:{index.hex()}:{device or STRANGE_DEVICE}"
        await self.take_try(union_id, subject)

        async def find(connection: AsyncConnection) -> Credentials | None:
            return await find_credentials(connection, union_id, "login_index", index)

        found = await in_transaction(means.engine, find)
        stored, user_id = (found.password_hash, found.user_id) if found else (None, "")
        right = await means.hasher.matches(stored, "password", user_id, normal(password))
        if not right or found is None:
            raise Unauthorized(WRONG, code="LOGIN_REFUSED")

        async def enter(connection: AsyncConnection) -> LoggedIn:
            await forgive_try(connection, union_id, subject)
            return await self.let_in(connection, union_id, user_id, LoginMethod.PASSWORD)

        return await in_transaction(means.engine, enter)

    async def take_try(self, union_id: str, subject: str) -> None:
        """Count a try; raise `Locked` if there were too many."""
        means = self._means
        waits = await in_transaction(
            means.engine,
            lambda c: count_try(c, union_id, subject, PASSWORD_RULE, means.now_ms()),
        )
        if waits != 0:
            raise locked(waits, "login")

    def challenge(self, union_id: str) -> KeyChallenge:
        """Give what a linked wallet signs to log in."""
        expires_ms = self._means.now_ms() + CHALLENGE_MS
        nonce = draw_nonce(self._means.session_key, ProofPurpose.LOGIN, union_id, expires_ms)
        return self._asked(nonce, expires_ms)

    def _asked(self, nonce: bytes, expires_ms: int) -> KeyChallenge:
        return KeyChallenge(
            purpose=ProofPurpose.LOGIN,
            chain_id=known_chain(self._means),
            host=self._means.host,
            nonce=nonce,
            expires_ms=expires_ms,
        )

    async def by_wallet(
        self, union_id: str, nonce: bytes, expires_ms: int, proof: WalletProof
    ) -> LoggedIn:
        """Let in the owner of a linked wallet; raise `Unauthorized`."""
        means = self._means
        good = len(nonce) == NONCE_BYTES and is_ours(
            means.session_key, ProofPurpose.LOGIN, union_id, nonce, expires_ms, means.now_ms()
        )
        address = proven_address(proof, self._asked(nonce, expires_ms).message()) if good else None
        if address is None:
            raise Unauthorized("the proof is not good", code="PROOF_REFUSED")
        index = means.vault.index(Purpose.ADDRESS, address)

        async def enter(connection: AsyncConnection) -> LoggedIn:
            user_id = await user_of_address(connection, union_id, index)
            if user_id is None or not await spend_nonce(connection, union_id, nonce, expires_ms):
                raise Unauthorized("the proof is not good", code="PROOF_REFUSED")
            return await self.let_in(connection, union_id, user_id, LoginMethod.WALLET)

        return await in_transaction(means.engine, enter)

    async def let_in(
        self, connection: AsyncConnection, union_id: str, user_id: str, method: LoginMethod
    ) -> LoggedIn:
        """Begin a session; raise `Forbidden` for who is suspended, now that they have shown who
        they are."""
        user = await find_user(connection, self._means.vault, union_id, user_id)
        assert user is not None, "credentials lead to a user"
        check_active(user.state)
        session_id = str(ULID())
        token = first_token(self._means.session_key, union_id, session_id)
        now_ms = self._means.now_ms()
        digest = token_digest(token)
        await begin_session(connection, union_id, session_id, user_id, method, digest, now_ms)
        return self._logged_in(user, session_id, token)

    def _logged_in(self, user: User, session_id: str, refresh_token: str) -> LoggedIn:
        access = self._means.tokens.for_person(
            user.union_id, user.id, session_id, user.token_version
        )
        return LoggedIn(user, access, refresh_token)

    async def refresh(self, token: str) -> LoggedIn:
        """Give new tokens for a refresh token; a copy that comes back ends its session."""
        told = await in_transaction(self._means.engine, lambda c: self._refreshed(c, token))
        if isinstance(told, ApiFault):  # What ended the session must be committed.
            raise told
        return told

    async def _refreshed(self, connection: AsyncConnection, token: str) -> LoggedIn | ApiFault:
        means, now_ms = self._means, self._means.now_ms()
        over = Unauthorized("log in again", code="SESSION_OVER")
        read = read_token(means.session_key, token)
        session = read and await lock_session(connection, read.union_id, read.session_id)
        if not session:
            return over
        verdict = judge(session.family, token_digest(token), now_ms)
        if verdict is RefreshVerdict.REUSED:
            at = (session.union_id, session.id)
            await end_session(connection, *at, "reused", now_ms)
            await add_notice(
                connection,
                session.union_id,
                session.user_id,
                NoticeKind.SESSION_REUSED,
                session.id,
                now_ms,
            )
        if verdict in (RefreshVerdict.REUSED, RefreshVerdict.OVER):
            return over
        user = await find_user(connection, means.vault, session.union_id, session.user_id)
        if user is None or user.state is not UserState.ACTIVE:
            return over
        following = successor(means.session_key, token)
        if verdict is RefreshVerdict.ROTATE:
            await rotate_session(connection, session, token_digest(following), now_ms)
        return self._logged_in(user, session.id, following)

    async def logout(self, token: str) -> None:
        """End the session of a refresh token; one that is none of ours ends nothing."""
        read = read_token(self._means.session_key, token)
        if read is None:
            return
        now_ms = self._means.now_ms()

        async def end(connection: AsyncConnection) -> None:
            await end_session(connection, read.union_id, read.session_id, "logout", now_ms)

        await in_transaction(self._means.engine, end)


def normal(secret: str) -> str:
    """Bring what different keyboards write for the same password to one form."""
    return unicodedata.normalize("NFKC", secret)


def check_active(state: UserState) -> None:
    """Raise `Forbidden` unless a person is active."""
    if state is not UserState.ACTIVE:
        raise Forbidden("this account is suspended: ask your office", code="ACCOUNT_SUSPENDED")


def known_chain(means: Means) -> bytes:
    """Give the chain's id; raise `Unavailable` before a node has told it."""
    chain_id = means.chain_id()
    if not chain_id:
        raise Unavailable("no node has answered yet", retry_after_s=1)
    return chain_id


def locked(wait_ms: int | None, what: str) -> Locked:
    """Say how long somebody is shut out, or that a person must let them in."""
    if wait_ms is None:
        return Locked(
            f"there were too many wrong tries for this {what} today", code="BLOCKED_UNTIL_HELPED"
        )
    return Locked(
        f"there were too many wrong tries for this {what}", retry_after_s=-(-wait_ms // 1_000)
    )
