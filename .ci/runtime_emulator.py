"""Runs what `sam build` made under the runtime interface emulator that the SAM CLI bundles:
.ci/runtime_emulator.py <folder of sam build> <folder for what it writes>

No containers: each function is a process of this machine, behind an emulator of its own. First, how long from the start of
both to the first answer. Then a local stack calls them (`--lambda`), and the main job goes through all of them until each
has answered 1,000 times; what it then holds of the memory is shown, and may not be more than the goal.
"""

import concurrent.futures
import http.client
import http.server
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import threading
import time

from server import LOCAL, free_port, variables, signed, wait_for

ROUNDS = 7
INVOCATIONS = 1_000
MOST_MEMORY_MB = 64
# By their binaries, with the logical ids by which the local stack calls them.
FUNCTIONS = {name: f"{name.capitalize()}Function" for name in
             ("webhook", "rest", "websocket", "processor", "broadcaster", "dialpad", "migrator")}

built, work = map(pathlib.Path, sys.argv[1:3])
problems = []


def emulator():
    import samcli

    machine = {"x86_64": "x86_64", "aarch64": "arm64"}[platform.machine()]
    return pathlib.Path(samcli.__file__).parent / f"local/rapid/aws-lambda-rie-{machine}"


class Function:
    """A built function behind its emulator, which runs one invocation at a time."""

    def __init__(self, name, environment):
        self.name, self.answered, self.turn = name, 0, threading.Lock()
        self.port = free_port()
        self.log = open(work / f"{name}.log", "a")
        bootstrap = built / FUNCTIONS[name] / "bootstrap"
        self.process = subprocess.Popen(
            [emulator(), "--runtime-interface-emulator-address", f"127.0.0.1:{self.port}", "--runtime-api-address",
             f"127.0.0.1:{free_port()}", bootstrap.resolve()],
            env={"PATH": os.environ["PATH"], "AWS_LAMBDA_FUNCTION_NAME": name, "AWS_LAMBDA_FUNCTION_TIMEOUT": "60",
                 "AWS_LAMBDA_LOG_FORMAT": "JSON", **environment},
            stdout=self.log, stderr=self.log, start_new_session=True)

    def invoke(self, event):
        with self.turn:
            connection = self.connect()
            connection.request("POST", "/2015-03-31/functions/function/invocations", body=event)
            text = connection.getresponse().read()
            connection.close()
            self.answered += 1
            if b'"errorType"' in text[:200]:
                problems.append(f"{self.name}: {text.decode(errors='replace')[:300]}")
            return text

    def connect(self):
        """To the emulator, which takes a moment to listen."""
        until = time.monotonic() + 30
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=70)
            try:
                connection.connect()
                return connection
            except ConnectionRefusedError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.0005)

    def memory(self):
        """Megabytes that the function itself holds now, and the most it ever held."""
        children = pathlib.Path(f"/proc/{self.process.pid}").glob("task/*/children")
        pids = [pid for file in children for pid in file.read_text().split()]
        status = pathlib.Path(f"/proc/{pids[0]}/status").read_text()
        return [int(re.search(rf"^{name}:\s+(\d+) kB", status, flags=re.M)[1]) / 1000 for name in ("VmRSS", "VmHWM")]

    def end(self):
        os.killpg(self.process.pid, 9)
        self.process.wait()
        self.log.close()


class Invoke(http.server.BaseHTTPRequestHandler):
    """The Lambda Invoke API, for the local stack."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        name = self.path.split("/")[-2].removesuffix("Function").lower()
        event = self.rfile.read(int(self.headers.get("content-length", 0)))
        text = self.server.functions[name].invoke(event)
        self.send_response(200)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


def request(url, method, path, headers=None, body=None):
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    connection.request(method, path, body=body, headers=headers or {})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    if not 200 <= answer.status < 300:
        problems.append(f"{method} {path}: {answer.status} {text[:300]}")
    return json.loads(text or "null")


def events(app):
    """For each function an event that it answers well, again and again."""
    http_event = {"version": "2.0", "routeKey": "$default", "rawPath": "/", "rawQueryString": "", "headers": {},
                  "isBase64Encoded": False, "requestContext": {"http": {"method": "GET", "path": "/"}, "requestId": "r"}}
    hook = f"/webhooks/dialpad/{app['app_id']}"
    ping = {"headers": {}, "isBase64Encoded": False, "body": '{"action":"ping"}', "requestContext": {
        "routeKey": "$default", "connectionId": "c", "eventType": "MESSAGE", "connectedAt": 1, "requestTimeEpoch": 1,
        "stage": "ws", "apiId": "a", "requestId": "r", "domainName": "d", "messageDirection": "IN"}}
    chosen = {
        "webhook": http_event | {"rawPath": hook, "headers": {"content-type": "application/jwt"},
                                 "body": signed({"call_id": 1, "state": "ringing", "event_timestamp": 1},
                                                app["webhook_secret"]),
                                 "requestContext": {"http": {"method": "POST", "path": hook}, "requestId": "r"}},
        "rest": http_event, "websocket": ping, "processor": {"action": "sweep"}, "broadcaster": {"Records": []},
        "dialpad": {"app_id": app["app_id"], "action": "authorize", "redirect_uri": "http://localhost/", "state": "s"},
        "migrator": {"action": "verify"},
    }
    return {name: json.dumps(event).encode() for name, event in chosen.items()}


def cold(environment, app):
    print(f"from the start of emulator and function to the first answer, {ROUNDS} rounds")
    for name, event in events(app).items():
        times = []
        for _ in range(ROUNDS):
            started = time.monotonic()
            function = Function(name, environment)
            try:
                function.invoke(event)
                times.append((time.monotonic() - started) * 1000)
            finally:
                function.end()
        print(f"  {name:12} {statistics.median(times):6.1f} ms ({min(times):.1f}-{max(times):.1f})", flush=True)


def warm(url, app, functions):
    """The main job, until it is enough; then, for the functions that it needs less often, more of the same events."""
    ringing = {"state": "ringing", "direction": "inbound", "external_number": "+14155550123", "target": {"id": 7, "type": "user"}}

    def deliver(number):
        now = int(time.time() * 1000)
        payload = ringing | {"call_id": number, "event_timestamp": now, "date_started": now}
        headers = {"content-type": "application/jwt"}
        request(url, "POST", f"/webhooks/dialpad/{app['app_id']}", headers, signed(payload, app["webhook_secret"]))

    def read(_):
        request(url, "GET", "/api/calls?limit=50", {"x-app-api-key": app["api_key"]})

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for what in (deliver, read):
            list(pool.map(what, range(1, INVOCATIONS + 1)))
    traffic = {name: function.answered for name, function in functions.items()}
    for name, event in events(app).items():
        while functions[name].answered < INVOCATIONS:
            functions[name].invoke(event)
    print(f"memory after at least {INVOCATIONS} invocations")
    for name, function in functions.items():
        now, most = function.memory()
        print(f"  {name:12} {now:5.1f} MB, at most {most:.1f} MB ({function.answered} invocations, "
              f"{traffic[name]} of them of the main job)")
        if most > MOST_MEMORY_MB:
            problems.append(f"{name}: {most:.1f} MB")


def main():
    data, server = work / "data", http.server.ThreadingHTTPServer(("127.0.0.1", 0), Invoke)
    log, functions = open(work / "local.log", "w"), {}
    local = subprocess.Popen(
        [LOCAL, "serve", "--ephemeral", "--lambda", f"http://127.0.0.1:{server.server_port}", "--data", data],
        stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
    tail = None
    try:
        file, announced = data / "functions.env", work / "local.log"
        environment = variables(wait_for("the functions' environment", lambda: file.exists() and file.read_text()))
        functions |= {name: Function(name, environment) for name in FUNCTIONS}
        server.functions = functions
        threading.Thread(target=server.serve_forever, daemon=True).start()
        addresses = wait_for("the local stack", lambda: next(
            (json.loads(line) for line in announced.read_text().splitlines() if line.startswith('{"component":"Local"')), None))
        url = addresses["edge"]
        app = request(url, "POST", "/internal/apps", {"content-type": "application/json"}, '{"name":"emulated"}')
        cold(environment, app)
        walk = subprocess.run([LOCAL, "simulate", "inbound-answered", "--url", url], capture_output=True, text=True, timeout=300)
        frames = {json.loads(line)["event"] for line in walk.stdout.splitlines() if line.startswith("{")}
        print(f"a call, from delivery to frames: {', '.join(sorted(frames))}")
        if len(frames) < 5:
            problems.append(f"the main job: {walk.stdout}{walk.stderr}")
        frames_log = open(work / "tail.log", "w")
        tail = subprocess.Popen([LOCAL, "tail", "--url", url, "--api-key", app["api_key"]], stdout=frames_log, stderr=frames_log)
        warm(url, app, functions)
    finally:
        if tail:
            tail.terminate()
        local.terminate()
        local.wait(timeout=60)
        for function in functions.values():
            function.end()


main()
for problem in problems[:20]:
    print(f"  FAILED  {problem}")
sys.exit(f"{len(problems)} problems" if problems else 0)
