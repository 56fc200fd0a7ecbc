"""The arrows of docs/architecture.md: who may link, and who may name, what.

    main -> lib -> shared::{store, registry, push, queue, dialpad, auth} -> shared::domain

Links are asked of `cargo tree`, names of the sources. Comments do not count. And within a crate no two modules know each
other by way of any: see `circles.py`.
"""

import pathlib
import re
import subprocess
import sys
import tomllib

from circles import circles

# What the user asked for. Each is a dependency of some member, and used.
TWELVE = [
    "lambda_http",
    "lambda_runtime",
    "aws-sdk-apigatewaymanagement",
    "aws-sdk-dynamodb",
    "aws_lambda_events",
    "tokio-postgres",
    "deadpool-postgres",
    "serde",
    "serde_json",
    "uuid",
    "chrono",
    "tracing",
]

# Crates, by the beginning of their names, that a member must not link.
AWS = ("aws-",)
NEVER_LINKED = {
    "shared": (*AWS, "axum", "deadpool", "hyper", "lambda", "rustls", "tokio"),
    "webhook": ("aws-sdk-apigatewaymanagement", "aws-sdk-dynamodb", "schemars"),
    "rest": ("aws-sdk-apigatewaymanagement",),
    "websocket": ("aws-sdk-apigatewaymanagement", "aws-sdk-sqs", "schemars"),
    "processor": ("aws-sdk-apigatewaymanagement", "aws-sdk-dynamodb", "schemars"),
    "broadcaster": ("aws-sdk-sqs", "deadpool", "schemars", "tokio-postgres"),
    "dialpad": (*AWS, "deadpool", "tokio-postgres"),
    "migrator": AWS,
}

# Names, and the only places where they may stand. Test support may name all; the bench measures the driver
# alone, and torture looks into the tables.
PLACES = {
    r"\baws_(sdk_\w+|config|smithy_\w+)\b": (
        r"shared/src/(aws|invoke|registry|push|queue|testing)(\.rs|/.*)|functions/\w+/src/main\.rs"
    ),
    r"\b(tokio_postgres\w*|deadpool\w*|refinery\w*)\b": (
        r"shared/src/(store|migrate|postgres|testing)(\.rs|/.*)|local/src/(bench|torture)/.*"
    ),
}

# The parts that touch something outside; none knows another.
OUTSIDE = {"auth", "dialpad", "invoke", "push", "queue", "registry", "store"}
DOMAIN_MAY_NAME = {"chrono", "serde", "uuid"}

problems = []


def code(path):
    """The text without comments and without its unit tests, which stand at the end."""
    text = re.sub(r"^\s*//.*$", "", path.read_text(), flags=re.M)
    return re.split(r"^#\[cfg\(test\)\]\nmod \w+ \{", text, maxsplit=1, flags=re.M)[0]


def tree(package):
    command = ["cargo", "tree", "--locked", "--package", package, "--edges", "normal", "--prefix", "none"]
    command += ["--no-default-features", "--format", "{p}"]
    found = subprocess.run(command, capture_output=True, text=True)
    if found.returncode != 0:
        sys.exit(found.stderr)
    return {line.split()[0] for line in found.stdout.splitlines() if line}


for package, never in NEVER_LINKED.items():
    linked = sorted(name for name in tree(package) if name.startswith(never))
    if linked:
        problems.append(f"{package}: links {', '.join(linked)}")

sources = sorted(path for top in ("functions", "shared", "local") for path in pathlib.Path(top).glob("**/src/**/*.rs"))
texts = {path: code(path) for path in sources}

for path, text in texts.items():
    for names, places in PLACES.items():
        found = re.search(names, text)
        if found and not re.fullmatch(places, path.as_posix()):
            problems.append(f"{path}: names {found[0]}")

with open("Cargo.toml", "rb") as file:
    workspace = tomllib.load(file)["workspace"]["dependencies"]
outsiders = sorted(name.replace("-", "_") for name in workspace if name not in DOMAIN_MAY_NAME)

for path, text in texts.items():
    parts = path.parts
    if parts[:2] != ("shared", "src") or len(parts) < 3:
        continue
    module = parts[2].removesuffix(".rs")
    named = set(re.findall(r"\bcrate::(\w+)", text))
    for group in re.findall(r"\bcrate::\{([^;]*)\}", text):
        named |= set(re.findall(r"(?:^|,)\s*(\w+)", group))
    if module == "domain":
        problems += [f"{path}: the domain names crate::{name}" for name in sorted(named - {"domain"})]
        # A schema is derived where the type stands, and only where the feature is on.
        text = re.sub(r'#\[cfg_attr\(feature = "schema", derive\(schemars::JsonSchema\)\)\]', "", text)
        found = re.findall(rf"\b({'|'.join(outsiders)})(?:::|;)", text)
        found += re.findall(r"\bstd::(?:env|fs|net|process|thread)\b", text)
        problems += [f"{path}: the domain names {name}" for name in sorted(set(found))]
    elif module in OUTSIDE:
        problems += [f"{path}: {module} names {name}" for name in sorted(named & OUTSIDE - {module})]

manifests = [pathlib.Path(path) for path in ("shared/Cargo.toml", "local/Cargo.toml")]
manifests += sorted(pathlib.Path("functions").glob("*/Cargo.toml"))
for manifest in manifests:
    folder = manifest.parent / "src"
    # A program is a crate of its own.
    own = {path.relative_to(folder): text for path, text in texts.items() if folder in path.parents}
    own.pop(pathlib.Path("main.rs"), None)
    problems += [f"{folder}: {problem}" for problem in circles(own)]

direct = set()
for manifest in manifests:
    direct |= set(tomllib.loads(manifest.read_text()).get("dependencies", {}))
everything = "\n".join(texts.values())
for crate in TWELVE:
    if crate not in direct:
        problems.append(f"{crate}: is nobody's dependency")
    if not re.search(rf"\b{crate.replace('-', '_')}\b", everything):
        problems.append(f"{crate}: is not used")

for problem in problems:
    print(problem)
print(f"arrows: {len(NEVER_LINKED)} members, {len(sources)} sources, {len(problems)} problems")
sys.exit(bool(problems))
