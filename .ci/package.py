"""The size of each function's package, against what it may have: .ci/package.py <folder of cargo lambda>"""

import pathlib
import sys

MEGABYTE = 1_000_000
MOST = {"rest": 5 * MEGABYTE}
MOST_OF_OTHERS = 4 * MEGABYTE

too_large = False
packages = sorted(pathlib.Path(sys.argv[1]).glob("*/bootstrap.zip"))
for package in packages:
    name = package.parent.name
    size = package.stat().st_size
    most = MOST.get(name, MOST_OF_OTHERS)
    too_large |= size > most
    print(f"{name:12} {size / MEGABYTE:5.2f} MB of {most / MEGABYTE:.0f} MB{'  TOO LARGE' if size > most else ''}")
sys.exit(too_large or not packages)
