"""What the catalogue says of one code, for programs and for people."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProblemCode:
    """A code with its status, its titles, what it means, and what whoever meets it does."""

    code: str
    status: int
    title_en: str
    title_ms: str
    meaning: str
    remedy: str
