"""The OpenAPI document of an attestor, made from its routes.

`python -m iot_minting.attestor.openapi > docs/spec/attestor.openapi.json` writes it anew; a test
compares.
"""

import json
import sys

from iot_minting.attestor.app import describe_app


def format_document() -> str:
    """Write the document as its file."""
    return json.dumps(describe_app().openapi(), indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(format_document())
