"""What lies where: the names at the top, the sizes of files, the folders of the functions."""

import pathlib
import re
import subprocess
import sys

TOP = {
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "docs",
    "functions",
    "local",
    "migrations",
    "samconfig.toml",
    "shared",
    "template.yaml",
}
FUNCTIONS = {"broadcaster", "dialpad", "migrator", "processor", "rest", "webhook", "websocket"}
MOST_LINES = 500
MOST_MAIN_LINES = 40
MOST_README_LINES = 150

problems = []
listing = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard"], capture_output=True, text=True, check=True
)
files = [pathlib.Path(line) for line in listing.stdout.splitlines()]
files = [file for file in files if file.exists()]

top = {file.parts[0] for file in files if not file.parts[0].startswith(".")}
problems += [f"{name}: does not belong at the top" for name in sorted(top - TOP)]
problems += [f"{name}: is missing at the top" for name in sorted(TOP - top)]

functions = {file.parts[1] for file in files if file.parts[0] == "functions"}
if functions != FUNCTIONS:
    problems.append(f"functions/: {sorted(functions ^ FUNCTIONS)} should not differ")

for file in files:
    if file.suffix != ".rs":
        continue
    text = file.read_text()
    lines = text.count("\n")
    if lines > MOST_LINES:
        problems.append(f"{file}: {lines} lines; {MOST_LINES} are the most")
    if file.match("functions/*/src/main.rs") and lines > MOST_MAIN_LINES:
        problems.append(f"{file}: {lines} lines; a main only composes, in {MOST_MAIN_LINES} at the most")
    # The tests' crate roots have inner attributes before it.
    if not re.match(r"(#!\[[^\n]*\]\n|\s)*//! \S", text) and not file.match("tests/it/*.rs"):
        problems.append(f"{file}: does not say what it is for (`//!` at its top)")

readme = pathlib.Path("README.md")
if readme.exists() and readme.read_text().count("\n") > MOST_README_LINES:
    problems.append(f"README.md: more than {MOST_README_LINES} lines")

for problem in problems:
    print(problem)
print(f"layout: {len(files)} files, {len(problems)} problems")
sys.exit(bool(problems))
