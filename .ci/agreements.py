"""Where two places say the same thing, they must agree.

- The environment in template.yaml and what each function's config.rs reads.
- A function's policy and the AWS clients that it links.
- What the functions need of the template beyond names: time-outs, batches, routes.
- docs/dependencies.md and the manifests.
"""

import pathlib
import re
import subprocess
import sys
import tomllib

import yaml

SERVICES = {
    "dynamodb": "aws-sdk-dynamodb",
    "execute-api": "aws-sdk-apigatewaymanagement",
    "sqs": "aws-sdk-sqs",
}

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

    actions = set()
    for policy in properties.get("Policies", []):
        for statement in policy["Statement"]:
            action = statement["Action"]
            actions |= set(action if isinstance(action, list) else [action])
            for resource in statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]:
                check(resource != "*", f"{name}: a policy allows any resource")
    check(not any("*" in action for action in actions), f"{name}: a policy allows any action")
    command = ["cargo", "tree", "--locked", "-p", binary, "-e", "normal", "--prefix", "none", "--format", "{p}"]
    tree = subprocess.run(command, capture_output=True, text=True)
    if tree.returncode != 0:
        sys.exit(tree.stderr)
    linked = {line.split()[0] for line in tree.stdout.splitlines() if line}
    for service, crate in SERVICES.items():
        may = any(action.startswith(f"{service}:") for action in actions)
        links = crate in linked
        check(links or not may, f"{name}: may use {service} and does not link {crate}")
        check(may or not links, f"{name}: links {crate} and may not use it")

    # A message must not come back while it is being worked on.
    for event in properties.get("Events", {}).values():
        if event["Type"] == "SQS":
            queue = resources[event["Properties"]["Queue"]["Fn::GetAtt"].split(".")[0]]["Properties"]
            check(queue["VisibilityTimeout"] > properties["Timeout"], f"{name}: outlives its queue's visibility")
            check("RedrivePolicy" in queue, f"{name}: its queue has no dead-letter queue")
            check(
                event["Properties"].get("FunctionResponseTypes") == ["ReportBatchItemFailures"],
                f"{name}: does not report which messages failed",
            )

sweep = int(functions["processor"][1]["Environment"]["Variables"]["PROCESSOR_SWEEP_SECONDS"])
check(sweep < functions["processor"][1]["Timeout"], "ProcessorFunction: a sweep takes as long as the time-out")

routes = {
    (event["Properties"]["Method"], event["Properties"]["Path"])
    for _, properties in functions.values()
    for event in properties.get("Events", {}).values()
    if event["Type"] == "HttpApi"
}
throttled = set(resources["HttpApi"]["Properties"]["RouteSettings"])
known = {f"{method} {path}" for method, path in routes}
check(throttled <= known, f"HttpApi: settings for {sorted(throttled - known)}, which are no routes")

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
print(f"agreements: {len(functions)} functions, {len(direct)} dependencies, {len(problems)} problems")
sys.exit(bool(problems))
