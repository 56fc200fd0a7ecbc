"""A server of its own for a check: `local`, freshly started, stopped at the end whatever happens; and how it is asked."""

import base64
import contextlib
import hashlib
import hmac
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

PATIENCE_SECONDS = 300


ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARIES = ROOT / "target" / "debug"
LOCAL = str(BINARIES / "local")


def build():
    """Builds everything with the features of the whole workspace, as the tests do: most of it is there already."""
    subprocess.run(["cargo", "build", "--locked", "--quiet", "--workspace", "--bins"], cwd=ROOT, check=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, condition):
    """Waits until something holds, and gives it."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not (result := condition()):
        if time.monotonic() > until:
            raise SystemExit(f"waited in vain for {what}")
        time.sleep(0.1)
    return result


def signed(payload, secret):
    """A delivery as Dialpad signs it."""
    encode = lambda raw: base64.urlsafe_b64encode(raw).rstrip(b"=")
    text = encode(b'{"alg":"HS256","typ":"JWT"}') + b"." + encode(json.dumps(payload).encode())
    return (text + b"." + encode(hmac.new(secret.encode(), text, hashlib.sha256).digest())).decode()


@contextlib.contextmanager
def running(*arguments, secret=None):
    """Starts `local` on free ports with data of its own; gives its URL and the lines it announced itself with."""
    port, data = free_port(), tempfile.mkdtemp(prefix="cti-")
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    environment["INTERNAL_API_SECRET"] = secret or ""
    # Postgres may run as another user, who must get to its folder.
    os.chmod(data, 0o711)
    command = [LOCAL, "--bin-dir", str(BINARIES), "--data", data, "--port", str(port), "--aws-port", str(free_port())]
    command += arguments
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    lines = []
    try:
        # Ending it ends the reading, too.
        timer = threading.Timer(PATIENCE_SECONDS, process.terminate)
        timer.start()
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            if "simulate" in line:
                break
        timer.cancel()
        if "simulate" not in (lines or [""])[-1]:
            raise SystemExit("local does not start")
        yield f"http://localhost:{port}", lines
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        shutil.rmtree(data, ignore_errors=True)


def variables(text):
    """The environment in a file that `local` wrote for functions that run elsewhere."""
    lines = dict(line.split("=", 1) for line in text.splitlines())
    return {name: value.strip('"') for name, value in lines.items()}


def ask(url, method="GET", headers=None, body=None):
    """One request with a JSON body, and the JSON of its answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json", **(headers or {})}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise SystemExit(f"{method} {url}: {error.code} {error.read().decode(errors='replace')}") from error


def simulate(url, scenario, app, *arguments):
    """Delivers what Dialpad would to an app, and waits for the frames."""
    command = [LOCAL, "simulate", scenario, "--url", url, "--app-id", app["app_id"], "--api-key", app["api_key"]]
    command += ["--webhook-secret", app["webhook_secret"], *arguments]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
