"""Starts `sam local start-api` with the function that does nothing, and the bench's row `edge` beside it:
.ci/sam_speed.py <folder for what it writes> [more of the bench's arguments]

Needs a container engine (.ci/containers), and `local` and `hello` built for release.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import urllib.request

from server import free_port

TEMPLATE = {
    "Transform": "AWS::Serverless-2016-10-31",
    "Resources": {
        "HelloFunction": {
            "Type": "AWS::Serverless::Function",
            "Properties": {
                "CodeUri": "hello", "Handler": "bootstrap", "Runtime": "provided.al2023", "Architectures": ["x86_64"],
                "MemorySize": 512, "Timeout": 10,
                "Events": {"Hello": {"Type": "HttpApi", "Properties": {"Method": "GET", "Path": "/hello"}}},
            },
        },
    },
}

work = pathlib.Path(sys.argv[1])
release = pathlib.Path("target/release").resolve()
(work / "hello").mkdir()
shutil.copy(release / "hello", work / "hello/bootstrap")
(work / "hello.json").write_text(json.dumps(TEMPLATE))
port = free_port()
with open(work / "start-api.log", "w") as log:
    sam = subprocess.Popen(
        ["sam", "local", "start-api", "-t", work / "hello.json", "-p", str(port), "--skip-pull-image", "--warm-containers",
         "EAGER"], stdout=log, stderr=log, start_new_session=True)
try:
    until = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/hello", timeout=30) as answer:
                assert answer.read() == b"hello"
                break
        except OSError:
            if time.monotonic() > until:
                raise SystemExit((work / "start-api.log").read_text()[-2000:])
            time.sleep(0.2)
    bench = [release / "local", "bench", "edge", "--sam-local", f"http://127.0.0.1:{port}", *sys.argv[2:]]
    sys.exit(subprocess.run(bench).returncode)
finally:
    os.kill(sam.pid, 15)
    sam.wait(timeout=60)
