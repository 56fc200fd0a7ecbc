"""Deploys what `sam build` made to MiniStack, an emulator of AWS on this machine, and uses it:
.ci/sam_deploy.py <folder of sam build> <folder for what it writes>

`sam deploy` takes the template as it is but for what MiniStack does not know, and what that is is printed and checked. Then
the README's steps: the migrator, an app, a delivery, and its frame on a socket, with every call of the functions judged
by their roles (`AUTH=true`). MiniStack does not import the routes of an HTTP API, so requests go to the functions.
"""

import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import time

import botocore.session
import wsproto
import yaml
from wsproto.events import AcceptConnection, RejectConnection, Request, TextMessage

from server import free_port, running, signed, wait_for

STACK = "cti-ministack"
REGION = "us-east-1"
BUCKET = "built-functions"
SECRET = "operators-only"
# What docs/local.md says is left out.
LEFT_OUT = {"DefaultRouteResponse", "FunctionErrorsAlarm", "FunctionThrottlesAlarm", "RejectedSignaturesAlarm",
            "ApiKeyChangedAlarm", "WebSocketErrorsAlarm", "AuthFailuresAlarm", "ApiKeyRefusedAlarm", "SpillQueueAlarm"}

built, work = map(pathlib.Path, sys.argv[1:3])
tools = pathlib.Path("target/ci-tools/bin").resolve()
problems = []


def check(what, holds, shown=""):
    print(f"  {'ok' if holds else 'FAILED'}  {what}", flush=True)
    if not holds:
        problems.append(what)
        print(f"    {shown}")


# --- the template ----------------------------------------------------------------------------------------------------


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short tags as their long forms."""


def tag(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        value = value.split(".", 1) if suffix == "GetAtt" else value
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


Loader.add_multi_constructor("!", tag)


def without(template, port):
    """The template without what MiniStack does not know, and with `@connections` where MiniStack has it."""
    resources = template["Resources"]
    sums = {name for name, resource in resources.items()
            if resource["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in resource["Properties"]}
    unknown = sums | {name for name, resource in resources.items() if resource["Type"] == "AWS::ApiGatewayV2::RouteResponse"}
    for name in unknown:
        del resources[name]
    stage = resources["WebSocketStage"]
    stage["DependsOn"] = [name for name in stage["DependsOn"] if name not in unknown]
    dashboard = resources["Dashboard"]["Properties"]["DashboardBody"]
    for name in unknown:
        dashboard["Fn::Sub"] = re.sub(rf'"\$\{{{name}\.Arn\}}",? ?', "", dashboard["Fn::Sub"])
    dashboard["Fn::Sub"] = re.sub(r'",\s*\]', '" ]', dashboard["Fn::Sub"])
    variables = resources["BroadcasterFunction"]["Properties"]["Environment"]["Variables"]
    variables["CONNECTIONS_ENDPOINT"] = {"Fn::Sub": f"http://127.0.0.1:{port}/_aws/execute-api/${{WebSocketApi}}/ws"}
    return unknown


# --- what a person would do ------------------------------------------------------------------------------------------


class Deployed:
    """The stack, through the clients that an operator has."""

    def __init__(self, port):
        self.port = port
        session = botocore.session.get_session()
        make = lambda service: session.create_client(
            service, region_name=REGION, endpoint_url=f"http://127.0.0.1:{port}",
            aws_access_key_id="test", aws_secret_access_key="test")
        self.lambda_, self.iam, self.cloudformation = make("lambda"), make("iam"), make("cloudformation")

    def resources(self):
        pages = self.cloudformation.get_paginator("list_stack_resources").paginate(StackName=STACK)
        return {one["LogicalResourceId"]: one for page in pages for one in page["StackResourceSummaries"]}

    def invoke(self, function, event):
        name = self.resources()[function]["PhysicalResourceId"]
        answer = self.lambda_.invoke(FunctionName=name, Payload=json.dumps(event).encode())
        return json.loads(answer["Payload"].read() or "null")

    def http(self, function, method, path, headers, body=None):
        """What API Gateway would pass on."""
        path, _, query = path.partition("?")
        answer = self.invoke(function, {
            "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query, "headers": headers,
            "isBase64Encoded": False, "requestContext": {"http": {"method": method, "path": path}, "requestId": "r"},
            **({"body": body} if body is not None else {})})
        if not isinstance(answer, dict) or "statusCode" not in answer:
            return 500, answer
        text = answer.get("body") or "null"
        return answer["statusCode"], json.loads(text) if text[0] in "{[n" else text


class Socket:
    """A client of the WebSocket API."""

    def __init__(self, port, path):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=100)
        self.protocol = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)
        self.socket.sendall(self.protocol.send(Request(host=f"127.0.0.1:{port}", target=path)))
        self.events = []
        first = self.next(AcceptConnection, RejectConnection)
        self.status = 101 if isinstance(first, AcceptConnection) else first.status_code

    def next(self, *kinds):
        while True:
            for index, event in enumerate(self.events):
                if isinstance(event, kinds):
                    del self.events[index]
                    return event
            received = self.socket.recv(65536)
            if not received:
                raise SystemExit("the socket was closed")
            self.protocol.receive_data(received)
            self.events += self.protocol.events()

    def say(self, message):
        self.socket.sendall(self.protocol.send(TextMessage(json.dumps(message))))

    def frame(self):
        return json.loads(self.next(TextMessage).data)

    def close(self):
        self.socket.close()


def use(deployed, database_url):
    print("the README's steps on the deployed stack")
    for action, holds in [
        ("plan", lambda answer: len(answer["pending"]) > 10 and not answer["applied"]),
        ("apply", lambda answer: len(answer["applied"]) > 10),
        ("verify", lambda answer: len(answer["present"]) > 10 and not answer["pending"]),
    ]:
        answer = deployed.invoke("MigratorFunction", {"action": action})
        check(f"migrator, {action}", "errorType" not in answer and holds(answer), answer)
    invoked = lambda *actions: subprocess.run([sys.executable, ".ci/migrator.py", STACK, *actions], env=os.environ | {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{deployed.port}", "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}, capture_output=True, text=True)
    piped = invoked("plan", "apply", "verify")
    check("the migrator, in a pipeline", piped.returncode == 0 and "verify: " in piped.stdout, piped)
    piped = invoked("undo", "plan")
    check("a pipeline that ends where the migrator fails", piped.returncode != 0 and "plan: " not in piped.stdout, piped)
    operator = {"authorization": f"Bearer {SECRET}", "content-type": "application/json"}
    status, app = deployed.http("RestFunction", "POST", "/internal/apps", operator, '{"name":"deployed"}')
    check("an app", status == 201, app)
    address = f"/_aws/execute-api/{deployed.resources()['WebSocketApi']['PhysicalResourceId']}/ws?api_key="
    refused = Socket(deployed.port, address + "app_wrong").status
    # MiniStack's own, whatever the function says.
    check("a socket with a wrong key is refused", refused == 403, refused)
    client = Socket(deployed.port, address + app["api_key"])
    check("a socket", client.status == 101, client.status)

    def ring(call_id):
        now = int(time.time() * 1000)
        call = {"call_id": call_id, "state": "ringing", "event_timestamp": now, "date_started": now,
                "direction": "inbound", "external_number": "+14155550123", "target": {"id": 7, "type": "user"}}
        return deployed.http("WebhookFunction", "POST", f"/webhooks/dialpad/{app['app_id']}",
                             {"content-type": "application/jwt"}, signed(call, app["webhook_secret"]))

    check("a delivery", ring(1) == (200, {"received": True}))
    frame = client.frame()
    check("its frame, through both queues", frame.get("event") == "call.ring", frame)
    calls = lambda: deployed.http("RestFunction", "GET", "/api/calls", {"x-app-api-key": app["api_key"]})
    check("its row", calls()[1]["data"][0]["status"] == "ringing", calls())
    client.say({"action": "ping", "after": 0})
    frame = client.frame()
    check("a ping", frame == {"event": "pong", "seq": 1, "count": 1}, frame)
    row = {"call_id": 2, "state": "ringing", "event_timestamp": int(time.time() * 1000), "target": {"id": 7, "type": "user"}}
    sql = f"INSERT INTO webhook_events (app_id, event_type, payload) VALUES ('{app['app_id']}', 'ringing', '{json.dumps(row)}')"
    subprocess.run(["psql", database_url, "-Xqc", sql], check=True)
    frame = client.frame()
    check("a row that nothing announced, by the schedule", frame.get("call_id") == "2", frame)

    print("the roles decide")
    stats = lambda: deployed.http("RestFunction", "GET", "/internal/monitoring/websocket/stats", operator)
    check("rest may ask who is connected", stats()[0] == 200, stats())
    role = deployed.resources()["RestRole"]["PhysicalResourceId"]
    deployed.iam.delete_role_policy(RoleName=role, PolicyName="connections")
    check("and may not without that policy", stats()[0] >= 500, stats())
    client.close()


def main():
    port = free_port()
    (work / "ministack").mkdir(parents=True, exist_ok=True)
    environment = os.environ | {
        # The functions' clients are told where it is by this one.
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "MINISTACK_HOST": "127.0.0.1", "AUTH": "true",
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION,
        "TMPDIR": str(work / "ministack"), "STATE_DIR": str(work / "ministack/state")}
    with open(work / "ministack.log", "w") as log:
        program = pathlib.Path(sys.executable).parent / "ministack"
        emulator = subprocess.Popen([program], env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        with running("--dialpad-port", str(free_port())) as (_, lines):
            deploy_and_use(port, environment, next(line for line in lines if "DATABASE_URL=" in line).split("=", 1)[1])
    finally:
        emulator.terminate()
        emulator.wait(timeout=30)


def deploy_and_use(port, environment, database_url):
    subprocess.run(["psql", database_url, "-Xqc", "CREATE DATABASE deployed"], check=True)
    template = yaml.load((built / "template.yaml").read_text(), Loader)
    left_out = without(template, port)
    print(f"sam deploy without {', '.join(sorted(left_out))}", flush=True)
    check("just what docs/local.md says is left out", left_out == LEFT_OUT, left_out)
    file = built / "ministack.json"
    file.write_text(json.dumps(template))

    def answers():
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_for("MiniStack", answers)
    client = botocore.session.get_session().create_client(
        "s3", region_name=REGION, endpoint_url=f"http://127.0.0.1:{port}", aws_access_key_id="test",
        aws_secret_access_key="test")
    client.create_bucket(Bucket=BUCKET)
    url = re.sub(r"/[^/]*$", "/deployed", database_url)
    started = time.monotonic()
    deployment = subprocess.run(
        [tools / "sam", "deploy", "--template-file", file, "--stack-name", STACK, "--s3-bucket", BUCKET,
         "--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", "--no-progressbar", "--parameter-overrides",
         "Architecture=x86_64", f"DatabaseUrl={url}", f"InternalApiSecret={SECRET}", "DatabaseConnections=25"],
        env=environment, capture_output=True, text=True)
    (work / "deploy.log").write_text(deployment.stdout + deployment.stderr)
    seconds = time.monotonic() - started
    check(f"sam deploy, {seconds:.0f} s", deployment.returncode == 0, (deployment.stdout + deployment.stderr)[-3000:])
    if deployment.returncode == 0:
        deployed = Deployed(port)
        resources = deployed.resources()
        made = [one for one in resources.values() if one["ResourceStatus"] == "CREATE_COMPLETE"]
        print(f"  {len(made)} of {len(resources)} resources made")
        use(deployed, url)


main()
sys.exit(f"{len(problems)} problems" if problems else 0)
