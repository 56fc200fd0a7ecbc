"""What each function's package must be: .ci/package.py <folder of cargo lambda>

Below its size, and with panics that unwind, so that a handler's panic becomes an answer and not a dead process.
"""

import pathlib
import sys
import zipfile

MEGABYTE = 1_000_000
MOST = {"rest": 5 * MEGABYTE}
MOST_OF_OTHERS = 4 * MEGABYTE

problems = []
packages = sorted(pathlib.Path(sys.argv[1]).glob("*/bootstrap.zip"))
for package in packages:
    name = package.parent.name
    size = package.stat().st_size
    most = MOST.get(name, MOST_OF_OTHERS)
    with zipfile.ZipFile(package) as archive:
        binary = archive.read("bootstrap")
    print(f"{name:12} {size / MEGABYTE:5.2f} MB of {most / MEGABYTE:.0f} MB, {len(binary) / MEGABYTE:.2f} MB unpacked")
    if size > most:
        problems.append(f"{name}: too large")
    # The standard library's sources leave their names in a binary.
    if b"library/panic_abort/" in binary:
        problems.append(f"{name}: a panic ends its process")

if len(packages) != 7:
    problems.append(f"{len(packages)} packages instead of 7")
for problem in problems:
    print(problem)
sys.exit(bool(problems))
