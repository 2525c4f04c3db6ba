"""What libp2p imports and nothing here uses: it can be named, and a call is a plain refusal."""

import subprocess
import sys

import pytest

from node.shell.p2p.absent import ABSENT, Absent


def test_a_stand_in_can_be_named_as_deep_as_an_annotation_goes():
    assert isinstance(Absent("curves").point.Point, Absent)


def test_what_is_called_is_refused_as_a_key_that_is_no_point():
    with pytest.raises(ValueError, match=r"curves\.PublicKey is not served"):
        Absent("curves").PublicKey(b"\x02" + bytes(32))


def test_python_s_own_questions_get_a_plain_no():
    assert not hasattr(Absent("curves"), "__path__")


def test_libp2p_is_whole_without_the_libraries_that_stand_absent():
    """In a fresh interpreter, whatever this one has loaded; real ones would not be stood in for."""
    program = (
        "import sys; import node.shell.p2p.libp2p_transport;"
        "from libp2p.crypto.serialization import deserialize_public_key;"
        f"print([type(sys.modules[name]).__name__ for name in {ABSENT!r}])"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == str(["Absent"] * len(ABSENT))
