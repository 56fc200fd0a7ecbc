"""Where two places say the same thing, they must agree.

- The environment in template.yaml and what each function's config.rs reads.
- A function's role, the AWS clients that it links, and the calls that it makes with them.
- The connections that functions may hold, and the parameter that promises how many.
- The routes that template.yaml writes out, and those of the functions.
- What the functions need of the template beyond names: time-outs, batches, routes.
- Alarms, dashboard, the metrics that the code emits, and the sections of docs/operations.md.
- docs/dependencies.md and the manifests.
"""

import json
import pathlib
import re
import subprocess
import sys
import tomllib

import yaml

# Each service, the crate that is its client, and where `shared` calls it.
SERVICES = {
    "dynamodb": ("aws-sdk-dynamodb", "shared/src/registry"),
    "lambda": ("aws-sdk-lambda", "shared/src/invoke"),
    "execute-api": ("aws-sdk-apigatewaymanagement", "shared/src/push"),
    "sqs": ("aws-sdk-sqs", "shared/src/queue"),
}

# What Lambda itself does with the role of a function that a queue triggers.
POLLING = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}

# Actions for which the service knows no resource, so that a policy must say "any".
WITHOUT_RESOURCE = {
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    # Describe… has none; Lambda checks the others on any, before an interface exists.
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
}

# The name of the stack, and how the dashboard's text says it.
THIS_STACK = ({"Ref": "AWS::StackName"}, "${AWS::StackName}")

problems = []


def check(holds, problem):
    if not holds:
        problems.append(problem)


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short tags as their long forms."""


def tag(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix == "Ref" else f"Fn::{suffix}": value}


Loader.add_multi_constructor("!", tag)
template = yaml.load(pathlib.Path("template.yaml").read_text(), Loader)
resources = template["Resources"]
functions = {
    resource["Metadata"]["BuildProperties"]["Binary"]: (name, resource["Properties"])
    for name, resource in resources.items()
    if resource["Type"] == "AWS::Serverless::Function"
}

# --- functions -----------------------------------------------------------------------------------------------------

folders = {path.name for path in pathlib.Path("functions").iterdir() if path.is_dir()}
check(folders == set(functions), f"functions/ and template.yaml: {sorted(folders ^ set(functions))} in one only")



def as_list(value):
    return value if isinstance(value, list) else [value]


def statements(properties):
    """(action, resource) of each statement of a role and of the policies that the template attaches to it."""
    documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
    for policy in documents:
        for statement in policy["Statement"]:
            for action in as_list(statement["Action"]):
                for resource in as_list(statement["Resource"]):
                    yield action, repr(resource)


def calls(service, module, binary):
    """The actions behind the calls that a function makes, by the methods of `shared` that it names."""
    if service == "lambda":
        # One call behind all requests: whoever has the client makes it.
        main = pathlib.Path("functions", binary, "src", "main.rs").read_text()
        return {"lambda:InvokeFunction"} if "Invoker::new" in main else set()
    text = "\n".join(path.read_text() for path in pathlib.Path(module).glob("**/*.rs")).split("#[cfg(test)]")[0]
    bodies = dict(re.findall(r"async fn (\w+)(.*?)(?=\n    (?:pub )?(?:async )?fn |\Z)", text, flags=re.S))
    sources = "\n".join(path.read_text() for path in pathlib.Path("functions", binary, "src").glob("**/*.rs"))
    receiver = {"dynamodb": r"registry", "execute-api": r"push\w*|pusher", "sqs": r"\w*queue|queues\.\w+"}[service]
    named = {name for name in bodies if re.search(rf"\b(?:{receiver})\s*\.\s*{name}\(", sources)}
    while more := {name for name in bodies for used in named if f"self.{name}(" in bodies[used]} - named:
        named |= more
    operations = {
        operation for name in named for operation in re.findall(r"\.(\w+)\(\)", bodies[name]) if operation in OPERATIONS
    }
    return {f"{service}:{OPERATIONS[operation]}" for operation in operations}


# The SDK's methods, and the actions that IAM knows them by.
OPERATIONS = {
    "change_message_visibility_batch": "ChangeMessageVisibility",
    "delete_connection": "ManageConnections",
    "delete_item": "DeleteItem",
    "get_item": "GetItem",
    "post_to_connection": "ManageConnections",
    "put_item": "PutItem",
    "query": "Query",
    "scan": "Scan",
    "send_message": "SendMessage",
}

holders = {}

for binary, (name, properties) in functions.items():
    check(name == f"{binary.capitalize()}Function", f"{name}: is {binary}")

    config = pathlib.Path("functions", binary, "src", "config.rs")
    if config.exists():
        text = re.sub(r"^\s*//.*$", "", config.read_text(), flags=re.M)
        text = text.split("#[cfg(test)]")[0]
        # Every literal that looks like a variable: it need not stand in the call that reads it.
        reads = set(re.findall(r'"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)"', text))
    else:
        reads = set()
        problems.append(f"{config}: is missing")
    sets = set(properties.get("Environment", {}).get("Variables", {}))
    problems += [f"{name}: {variable} is read and not set" for variable in sorted(reads - sets)]
    problems += [f"{name}: {variable} is set and not read" for variable in sorted(sets - reads)]
    stack = properties.get("Environment", {}).get("Variables", {}).get("STACK_NAME", THIS_STACK[0])
    check(stack == THIS_STACK[0], f"{name}: its metrics are those of {stack}")

    role = properties["Role"]["Fn::GetAtt"].removesuffix(".Arn")
    check(role == f"{binary.capitalize()}Role", f"{name}: has the role {role}")
    allowed = list(statements(resources[role]["Properties"]))
    actions = {action for action, _ in allowed}
    events = properties.get("Events", {}).values()
    queues = {event["Properties"]["Queue"]["Fn::GetAtt"] for event in events if event["Type"] == "SQS"}
    polled = {resource for action, resource in allowed if action in POLLING}
    check(polled == {repr({"Fn::GetAtt": queue}) for queue in queues}, f"{role}: polls {sorted(polled)}")
    actions -= POLLING
    command = ["cargo", "tree", "--locked", "-p", binary, "-e", "normal", "--prefix", "none", "--format", "{p}"]
    tree = subprocess.run(command, capture_output=True, text=True)
    if tree.returncode != 0:
        sys.exit(tree.stderr)
    linked = {line.split()[0] for line in tree.stdout.splitlines() if line}
    needed = set()
    for service, (crate, module) in SERVICES.items():
        may = any(action.startswith(f"{service}:") for action in actions)
        links = crate in linked
        check(links or not may, f"{name}: may use {service} and does not link {crate}")
        check(may or not links, f"{name}: links {crate} and may not use it")
        if links:
            needed |= calls(service, module, binary)
    problems += [f"{role}: lacks {action}, which the code calls" for action in sorted(needed - actions)]
    problems += [f"{role}: allows {action}, which no code calls" for action in sorted(actions - needed)]

    # Every function that opens connections has its part of what the parameter allows.
    if "deadpool-postgres" in linked or "tokio-postgres" in linked:
        main = pathlib.Path("functions", binary, "src", "main.rs").read_text()
        opened = re.search(r"with_connections\((\d+)\)", main)
        holders[binary.capitalize()] = int(opened[1]) if opened else 1
        reserved = {"Fn::If": ["BoundsConnections", {"Fn::FindInMap": ["Concurrency", {"Ref": "DatabaseConnections"}, binary.capitalize()]}, {"Ref": "AWS::NoValue"}]}
        check(properties.get("ReservedConcurrentExecutions") == reserved, f"{name}: its connections are not bounded")

    # A message must not come back while it is being worked on.
    for event in properties.get("Events", {}).values():
        if event["Type"] == "SQS":
            queue = resources[event["Properties"]["Queue"]["Fn::GetAtt"].split(".")[0]]["Properties"]
            check(queue["VisibilityTimeout"] > properties["Timeout"], f"{name}: outlives its queue's visibility")
            # What is kept for minutes only is found without the queue too, and nobody could do anything about it.
            keeps = queue.get("MessageRetentionPeriod", 345600) > 300
            check("RedrivePolicy" in queue or not keeps, f"{name}: its queue has no dead-letter queue")
            check(
                event["Properties"].get("FunctionResponseTypes") == ["ReportBatchItemFailures"],
                f"{name}: does not report which messages failed",
            )

for name, resource in resources.items():
    if resource["Type"] not in ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy"):
        continue
    properties = resource["Properties"]
    if "PolicyDocument" in properties:
        properties = {"Policies": [properties]}
    for action, resource in statements(properties):
        check("*" not in action, f"{name}: allows any action: {action}")
        check(resource != repr("*") or action in WITHOUT_RESOURCE, f"{name}: allows {action} on any resource")

for promised, row in template["Mappings"]["Concurrency"].items():
    if promised == "unlimited":
        continue
    most = sum(row[function] * connections for function, connections in holders.items())
    check(most <= int(promised), f"Concurrency: {most} connections where {promised} are promised")
    # The schedule's runs are not the queue's: one that ends, and the next.
    check(row["Processor"] >= row["ProcessorMessages"] + 2, f"Concurrency: {promised} leaves no room for the schedule")

sweep = int(functions["processor"][1]["Environment"]["Variables"]["PROCESSOR_SWEEP_SECONDS"])
check(sweep < functions["processor"][1]["Timeout"], "ProcessorFunction: a sweep takes as long as the time-out")

routes = {
    (event["Properties"]["Method"], event["Properties"]["Path"])
    for _, properties in functions.values()
    for event in properties.get("Events", {}).values()
    if event["Type"] == "HttpApi"
}
for path, methods in resources["HttpApi"]["Properties"]["DefinitionBody"]["paths"].items():
    check(("ANY", path) in routes and list(methods) == ["x-amazon-apigateway-any-method"], f"HttpApi: {path} is no function's route")
throttled = set(resources["HttpApi"]["Properties"]["RouteSettings"])
known = {f"{method} {path}" for method, path in routes}
check(throttled <= known, f"HttpApi: settings for {sorted(throttled - known)}, which are no routes")

# --- alarms --------------------------------------------------------------------------------------------------------

operations = pathlib.Path("docs/operations.md").read_text()
headings = re.findall(r"^## (.+)$", operations, flags=re.M)
sections = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-"): heading for heading in headings}
code = "\n".join(path.read_text() for top in ("shared", "functions") for path in pathlib.Path(top).glob("**/src/**/*.rs"))
in_functions = "\n".join(path.read_text() for path in pathlib.Path("functions").glob("*/src/**/*.rs"))
made = {
    metric["MetricName"]
    for resource in resources.values()
    if resource["Type"] == "AWS::Logs::MetricFilter"
    for metric in resource["Properties"]["MetricTransformations"]
}


def metrics(value):
    """(namespace, name, dimensions) of each metric in an alarm."""
    if isinstance(value, dict):
        if "MetricName" in value and "Namespace" in value:
            dimensions = value.get("Dimensions", [])
            yield value["Namespace"], value["MetricName"], [(d["Name"], d["Value"]) for d in dimensions]
        for inner in value.values():
            yield from metrics(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from metrics(inner)


def check_metric(where, namespace, metric, dimensions):
    if namespace == "CTI":
        # Two stacks of one account share the namespace, so who names no stack sees the other's.
        stack, *parts = dimensions or [(None, None)]
        check(stack[0] == "Stack" and stack[1] in THIS_STACK, f"{where}: {metric} is not of this stack alone")
        words = [metric, "Stack", *(word for part in parts for word in part)]
        problems.extend(f"{where}: {word} is in no metric of the code" for word in words if f'"{word}"' not in code)
        check(f"Metric::{metric}" in in_functions, f"{where}: no function emits {metric}")
    elif isinstance(namespace, dict) or namespace.startswith("CTI/"):
        check(metric in made, f"{where}: no filter makes {metric}")
    else:
        check(namespace.startswith("AWS/"), f"{where}: {namespace} is nobody's namespace")


alarms = {name: resource["Properties"] for name, resource in resources.items() if resource["Type"] == "AWS::CloudWatch::Alarm"}
for name, properties in alarms.items():
    anchor = re.search(r"\(docs/operations\.md#([a-z0-9-]+)\)$", properties["AlarmDescription"])
    check(anchor and anchor[1] in sections, f"{name}: its description names no section of docs/operations.md")
    check(f"`{name}`" in operations, f"docs/operations.md: {name} is not there")
    check("AlarmActions" in properties, f"{name}: tells nobody")
    for metric in metrics(properties):
        check_metric(name, *metric)
problems += [
    f"docs/operations.md: {name} is no alarm" for name in sorted(set(re.findall(r"`(\w+Alarm)`", operations)) - set(alarms))
]

dashboard = json.loads(resources["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"])
for widget in dashboard["widgets"]:
    properties = widget["properties"]
    for metric in properties.get("metrics", []):
        namespace, name, *rest = (part for part in metric if isinstance(part, str))
        check_metric(f"Dashboard, {properties['title']}", namespace, name, list(zip(rest[::2], rest[1::2])))
    if "alarms" in properties:
        shown = {arn[2:-1].removesuffix(".Arn") for arn in properties["alarms"]}
        problems += [f"Dashboard: {name} is not on it" for name in sorted(set(alarms) - shown)]

# --- dependencies --------------------------------------------------------------------------------------------------

with open("Cargo.toml", "rb") as file:
    workspace = set(tomllib.load(file)["workspace"]["dependencies"]) - {"shared"}
direct = set()
for manifest in [pathlib.Path("shared/Cargo.toml"), pathlib.Path("local/Cargo.toml"), *pathlib.Path("functions").glob("*/Cargo.toml")]:
    parsed = tomllib.loads(manifest.read_text())
    for table in ("dependencies", "dev-dependencies", "build-dependencies"):
        direct |= set(parsed.get(table, {}))
direct -= {"shared", "local", *functions}
reasons = set(re.findall(r"^\| `([\w-]+)` \|", pathlib.Path("docs/dependencies.md").read_text(), flags=re.M))
problems += [f"docs/dependencies.md: {crate} has no reason" for crate in sorted(direct - reasons)]
problems += [f"docs/dependencies.md: {crate} is no dependency" for crate in sorted(reasons - direct)]
problems += [f"Cargo.toml: nobody uses {crate}" for crate in sorted(workspace - direct)]

for problem in problems:
    print(problem)
print(f"agreements: {len(functions)} functions, {len(alarms)} alarms, {len(direct)} dependencies, {len(problems)} problems")
sys.exit(bool(problems))
