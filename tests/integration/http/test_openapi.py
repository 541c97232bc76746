"""What is answered is what the OpenAPI document says: asked by schemathesis, of the running server.

On a real registry. Each request is one that the document allows, or one that it does not.
"""

import asyncio
import subprocess
import sys
from pathlib import Path

from tests.support.controlled import DOCUMENT, Controlled
from xds.http.manage import OPENAPI_PATH

PROGRAM = Path(sys.executable).with_name("schemathesis")
EXAMPLES = 4
SECONDS = 120.0

CONFIG = """
# What makes sense and is refused all the same (an endpoint given twice, a cursor of another list) no schema can say.
checks.positive_data_acceptance.enabled = false
# RFC 6585, 3: the answer to a change without If-Match.
checks.missing_required_header.expected-statuses = [400, 428]
"""


async def test_the_document_is_served_as_it_is(operated: Controlled) -> None:
    assert await operated.get(OPENAPI_PATH) == DOCUMENT


async def test_no_request_breaks_it_and_every_answer_conforms(operated: Controlled, tmp_path: Path) -> None:
    config = tmp_path / "schemathesis.toml"
    config.write_text(CONFIG)
    options = ["--phases", "coverage,fuzzing", "--max-examples", str(EXAMPLES), "--generation-deterministic"]
    running = await asyncio.create_subprocess_exec(
        PROGRAM,
        *("--config-file", str(config), "run", f"{operated.http}{OPENAPI_PATH}", "--no-color", *options),
        *("--header", f"Authorization: Bearer {operated.token}"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=tmp_path,
    )
    async with asyncio.timeout(SECONDS):
        out, _ = await running.communicate()
    assert running.returncode == 0, out.decode()
    assert f"{sum(len(path) for path in DOCUMENT['paths'].values())} selected" in out.decode()
