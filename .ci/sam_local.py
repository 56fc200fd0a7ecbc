"""Tries in containers what `sam build` made: .ci/sam_local.py <folder of sam build> <folder for what it writes>

Needs a container engine (.ci/containers). One local stack has its functions behind `sam local start-lambda`; the walk of
the main job goes through it. `sam local start-api` has the same functions, database and queues, and must answer the same
requests as the local stack's edge does. Then `sam local invoke` runs each function once.
"""

import asyncio
import http.client
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import threading

from server import free_port, variables, signed, wait_for

BUILT = pathlib.Path(sys.argv[1])
# How a container calls this machine, and who listens there for it: nothing of the local stack leaves loopback.
HOST = "host.docker.internal"
# What is another with every answer.
VOLATILE = re.compile(r'("(?:request_id|latency_ms|id|created_at|oldest_pending_seconds)":)("[^"]*"|[\d.]+)')
COMPARED = ["content-type", "cache-control", "allow", "www-authenticate", "access-control-allow-origin"]

work = pathlib.Path(sys.argv[2])
processes = []
problems = []


def start(command, name):
    log = open(work / f"{name}.log", "w")
    processes.append(subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True))


def listens(port):
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def forward(address, ports):
    """Passes connections of containers on to loopback."""

    async def pipe(reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def connected(port, reader, writer):
        other_reader, other_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pipe(reader, other_writer), pipe(other_reader, writer), return_exceptions=True)

    async def serve():
        for port in ports:
            await asyncio.start_server(lambda r, w, port=port: connected(port, r, w), address, port)
        await asyncio.Event().wait()

    threading.Thread(target=lambda: asyncio.run(serve()), daemon=True).start()


def request(port, method, path, headers=None, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    body = body.encode() if isinstance(body, str) else body
    connection.request(method, path, body=body, headers=headers or {})
    answer = connection.getresponse()
    text = answer.read().decode()
    # An answer without a body and without a type gets one from each, and not the same.
    named = COMPARED if text else COMPARED[1:]
    kept = {name: answer.getheader(name) for name in named if answer.getheader(name)}
    return answer.status, kept, text


def check(what, holds, shown=""):
    print(f"  {'ok' if holds else 'FAILED'}  {what}")
    if not holds:
        problems.append(what)
        print(f"    {shown}")


def requests(app):
    key = {"x-app-api-key": app["api_key"]}
    to_json = {"content-type": "application/json"}
    call = {"call_id": 1, "state": "ringing", "event_timestamp": 1, "date_started": 1, "direction": "inbound"}
    hook = f"/webhooks/dialpad/{app['app_id']}"
    return [
        ("GET", "/", {}, None),
        ("HEAD", "/", {}, None),
        ("GET", "/health", {}, None),
        ("GET", "/api/calls", {}, None),
        ("GET", "/api/calls?limit=2&status=ended&status=missed", key, None),
        ("GET", "/api/calls?limit=many", key, None),
        ("GET", "/api/calls/no%20such%20call", key, None),
        ("GET", "/api/lookup?number=%2B1%20415%20555%200150", key, None),
        ("PUT", "/api/calls", key, None),
        ("OPTIONS", "/api/calls", {"origin": "https://crm.example", "access-control-request-method": "GET"}, None),
        ("GET", "/nothing/here", {}, None),
        ("POST", "/internal/apps", to_json, "{"),
        ("POST", "/internal/apps", to_json, '{"name":""}'),
        ("POST", f"/internal/apps/{app['app_id']}/users/map", to_json, '{"dialpad_user_id":"7","crm_user_id":"ü"}'),
        ("GET", f"/internal/apps/{app['app_id']}/users/mappings/crm/%C3%BC", {}, None),
        ("POST", hook, {"content-type": "application/jwt"}, signed(call, app["webhook_secret"])),
        ("POST", hook, {"content-type": "application/json"}, signed(call, app["webhook_secret"])),
        ("POST", hook, {}, signed(call, "wrong")),
    ]


def invoke(function, event, environment, template):
    command = ["sam", "local", "invoke", function, "-t", template, "--env-vars", environment, "-e", "-"]
    command += ["--skip-pull-image", "--add-host", f"{HOST}:host-gateway", "--parameter-overrides", "Architecture=x86_64"]
    answer = subprocess.run(command, input=json.dumps(event), capture_output=True, text=True)
    lines = [line for line in answer.stdout.splitlines() if line.startswith(("{", "[", "null"))]
    return json.loads(lines[-1]) if lines else {"stderr": answer.stderr[-500:]}


def main():
    lambda_port, api_port = free_port(), free_port()
    data = work / "data"
    announced = work / "local.log"
    start(["target/debug/local", "serve", "--ephemeral", "--lambda", f"http://127.0.0.1:{lambda_port}",
           "--data", str(data)], "local")
    file = data / "functions.env"
    read = variables(wait_for("the functions' environment", lambda: file.exists() and file.read_text()))
    ports = {int(port) for value in read.values() for port in re.findall(r"127\.0\.0\.1:(\d+)", value)}
    forward(bridge(), ports)

    # SAM passes on only variables that the template declares, and this one is for the local stack alone.
    template = BUILT / "local.yaml"
    text = (BUILT / "template.yaml").read_text()
    declared = 'Globals:\n  Function:\n    Environment: { Variables: { AWS_ENDPOINT_URL: "" } }\n'
    assert "Globals:\n  Function:\n" in text
    template.write_text(text.replace("Globals:\n  Function:\n", declared, 1))
    environment = work / "environment.json"
    reachable = {name: value.replace("127.0.0.1", HOST) if not name.startswith("PUBLIC_") else value
                 for name, value in read.items()}
    environment.write_text(json.dumps({"Parameters": reachable}))
    common = ["-t", str(template), "--env-vars", str(environment), "--skip-pull-image", "--warm-containers", "LAZY",
              "--add-host", f"{HOST}:host-gateway", "--parameter-overrides", "Architecture=x86_64"]
    start(["sam", "local", "start-lambda", "-p", str(lambda_port), *common], "start-lambda")
    start(["sam", "local", "start-api", "-p", str(api_port), *common], "start-api")
    addresses = wait_for("the local stack", lambda: next(
        (json.loads(line) for line in announced.read_text().splitlines() if line.startswith('{"component":"Local"')), None))
    edge = addresses["edge"]
    edge_port = int(edge.rsplit(":", 1)[1])
    wait_for("sam local start-api", lambda: listens(api_port))

    print("the walk of the main job, behind sam local start-lambda")
    wait_for("the first answer", lambda: request(edge_port, "GET", "/")[0] == 200)
    walk = subprocess.run(["target/debug/local", "simulate", "inbound-answered", "--url", edge],
                          capture_output=True, text=True, timeout=300)
    events = [json.loads(line)["event"] for line in walk.stdout.splitlines() if line.startswith("{")]
    expected = ["call.ring", "call.started", "call.held", "call.resumed", "call.ended"]
    check("a call, from delivery to frames", sorted(set(events)) == sorted(expected), walk.stdout + walk.stderr)

    print("the same answers from sam local start-api and from the local edge")
    app = json.loads(request(edge_port, "POST", "/internal/apps", {"content-type": "application/json"},
                             '{"name":"compared"}')[2])
    # The first time it would be new to one of them.
    request(edge_port, *next(asked for asked in requests(app) if asked[1].endswith("/users/map")))
    for method, path, headers, body in requests(app):
        answers = [request(port, method, path, headers, body) for port in (edge_port, api_port)]
        edge_answer, sam_answer = [(status, kept, VOLATILE.sub(r"\1…", text)) for status, kept, text in answers]
        check(f"{method} {path.replace(app['app_id'], '{app_id}')}: {edge_answer[0]}", edge_answer == sam_answer,
              f"edge {edge_answer}\n    sam  {sam_answer}")

    print("sam local invoke on each function")
    http_event = {"version": "2.0", "routeKey": "ANY /", "rawPath": "/", "rawQueryString": "", "headers": {},
                  "isBase64Encoded": False, "requestContext": {"http": {"method": "GET", "path": "/"}, "requestId": "r"}}
    hook = "/webhooks/dialpad/00000000-0000-0000-0000-000000000000"
    hook_event = http_event | {"rawPath": hook, "body": "x", "requestContext": {
        "http": {"method": "POST", "path": hook}, "requestId": "r"}}
    connect = {"headers": {}, "isBase64Encoded": False, "requestContext": {
        "routeKey": "$connect", "connectionId": "c", "eventType": "CONNECT", "connectedAt": 1, "requestTimeEpoch": 1,
        "stage": "ws", "apiId": "a", "requestId": "r", "domainName": "d", "messageDirection": "IN"}}
    for function, event, holds in [
        ("RestFunction", http_event, lambda answer: answer.get("statusCode") == 200),
        ("WebhookFunction", hook_event, lambda answer: answer.get("statusCode") == 404),
        ("WebsocketFunction", connect, lambda answer: answer.get("statusCode") == 401),
        ("ProcessorFunction", {"action": "sweep"}, lambda answer: not answer or "errorType" not in answer and "stderr" not in answer),
        ("BroadcasterFunction", {"Records": []}, lambda answer: answer.get("batchItemFailures") == []),
        ("DialpadFunction", {"app_id": app["app_id"], "action": "authorize", "redirect_uri": edge, "state": "s"},
         lambda answer: "url" in answer.get("done", {})),
        ("MigratorFunction", {"action": "verify"}, lambda answer: answer.get("pending") == []),
    ]:
        answer = invoke(function, event, str(environment), str(template))
        check(function, holds(answer), answer)


def bridge():
    command = ["docker", "network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}"]
    address = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return address or "172.17.0.1"


try:
    main()
finally:
    for process in reversed(processes):
        os.kill(process.pid, 15)
    for process in processes:
        process.wait(timeout=60)
sys.exit(f"{len(problems)} problems" if problems else 0)
