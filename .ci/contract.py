"""Schemathesis against the local server: whatever fits the OpenAPI document is sent, and much that does not.

It must find nothing: no 500, no status that is not documented, no answer off its schema, nothing wrong that is taken,
nothing right that is refused. The seed is fixed, so that a run can be repeated.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

import server

SECRET = "contract-operator-secret"
SEED = "20260528"

# Two apps: one is asked for with its key, the other is what operators work on, so that no key dies under the run.
CONFIG = """
# Which texts are numbers that can be dialled is known to a library and said by no pattern; who is mapped is what was done
# before; and a user dials five times a minute.
[[operations]]
include-operation-id = "request_call"
checks.positive_data_acceptance.enabled = false

[auth.openapi.app_key]
api_key = "{key}"

[auth.openapi.operator]
bearer = "{secret}"

[parameters]
"path.app_id" = "{app_id}"
"""


# Thousands of requests within a minute are no client's.
UNLIMITED = ("--parameter", "ApiRequestsPerMinute=0", "--parameter", "InternalRequestsPerMinute=0")

# What `simulate` plays into both of them, so that there is something to list, show, change and delete.
CALLS = "18"


def main(arguments):
    schemathesis = pathlib.Path(sys.executable).with_name("schemathesis")
    server.build()
    with server.running(*UNLIMITED, secret=SECRET) as (url, _), tempfile.TemporaryDirectory() as folder:
        operator = {"authorization": f"Bearer {SECRET}"}
        apps = []
        for name in ("asked", "worked on"):
            app = server.ask(f"{url}/internal/apps", "POST", operator, {"name": name, "default_region": "US"})
            server.simulate(url, "mixed", app, "--calls", CALLS)
            mapping = {"dialpad_user_id": "5600000000000001", "crm_user_id": "user_abc"}
            server.ask(f"{url}/internal/apps/{app['app_id']}/users/map", "POST", operator, mapping)
            apps.append(app)
        config = pathlib.Path(folder, "schemathesis.toml")
        config.write_text(CONFIG.format(key=apps[0]["api_key"], secret=SECRET, app_id=apps[1]["app_id"]))
        command = [str(schemathesis), "--config-file", str(config), "run", f"{url}/openapi.json", "--url", url]
        # All checks are on unless the configuration says otherwise; on the command line they would be on in any case.
        command += ["--seed", SEED, "--max-examples", "20", "--workers", "1", "--no-color"]
        command += ["--phases", "examples,coverage,fuzzing,stateful", "--continue-on-failure"]
        command += ["--generation-database", "none", *arguments]
        environment = {**os.environ, "SCHEMATHESIS_HOOKS": "contract_hooks", "PYTHONPATH": str(server.ROOT / ".ci")}
        return subprocess.run(command, cwd=folder, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
