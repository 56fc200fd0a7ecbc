"""Runs the commands of docs/guide.md and compares what they print with what the guide says.

Every block of bash runs, in the order of the page and in one shell, so that a variable set in one block is there in the
next. A block of text right after it is what must be printed: each of its lines, in that order, other lines may stand
between them; `…` stands for anything. The first block starts the server, and this script keeps it running.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import server

PAGE = server.ROOT / "docs" / "guide.md"
START = "cargo run -p local\n"
PATIENCE_SECONDS = 60
WSCAT = "wscat@6.1.0"
BLOCK = re.compile(r"^```bash\n(.*?)^```\n(?:\n*^```text\n(.*?)^```\n)?", re.M | re.S)


class Shell:
    """One bash for the whole page."""

    def __init__(self, folder, environment):
        self.folder = pathlib.Path(folder)
        self.process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=server.ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )

        # wscat ends where its input does, so the input is one that never ends.
        for pipe in ("input", "status"):
            os.mkfifo(self.folder / pipe)
        self.process.stdin.write(f'exec 9<>"{self.folder / "input"}"\n')

    def run(self, script):
        """Runs a block; gives its status and what it printed."""
        block, output, status = (self.folder / name for name in ("block", "output", "status"))
        block.write_text(script)
        # Not in a subshell: variables stay. The status is that of the last command.
        self.process.stdin.write(f'source "{block}" >"{output}" 2>&1 <&9; echo $? >"{status}"\n')
        self.process.stdin.flush()
        try:
            waiter = subprocess.run(["cat", str(status)], capture_output=True, text=True, timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise SystemExit(f"does not end:\n{script}\n--- printed\n{output.read_text()}") from None
        return int(waiter.stdout), output.read_text()


def missing(expected, printed):
    """The first expected line that was not printed after those before it."""
    lines = iter(printed.splitlines())
    for wanted in filter(None, map(str.strip, expected.splitlines())):
        pattern = ".*".join(re.escape(part) for part in wanted.split("…"))
        if not any(re.fullmatch(pattern, line.strip()) for line in lines):
            return wanted
    return None


def main():
    blocks = [(match[1], match[2], match.start()) for match in BLOCK.finditer(PAGE.read_text())]
    text, failures, compared = PAGE.read_text(), 0, 0
    if blocks[0][0] != START:
        raise SystemExit(f"{PAGE}: its first block must start the server")
    server.build()
    with server.running() as (url, announced), tempfile.TemporaryDirectory() as folder:
        authority = url.removeprefix("http://")
        tools = pathlib.Path(folder, "tools")
        subprocess.run(["npm", "install", "--silent", "--prefix", str(tools), WSCAT], check=True)
        environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        environment["PATH"] = f"{tools}/node_modules/.bin:{environment['PATH']}"
        shell = Shell(folder, environment)
        for number, (script, expected, start) in enumerate(blocks):
            line = text.count("\n", 0, start) + 1
            if number == 0:
                status, printed = 0, "\n".join(announced).replace(authority, "localhost:4000")
                database = next(entry for entry in announced if entry.startswith("export DATABASE_URL="))
                shell.run(database)
            else:
                # The programs that were built for the tests, and the port that was free.
                script = script.replace("cargo run -q -p local -- simulate", f"{server.LOCAL} simulate --url {url}")
                status, printed = shell.run(script.replace("localhost:4000", authority))
                printed = printed.replace(authority, "localhost:4000")
            lacks = missing(expected, printed) if expected else None
            compared += bool(expected)
            if status != 0 or lacks:
                failures += 1
                print(f"{PAGE.name}:{line}: status {status}" + (f", did not print: {lacks}" if lacks else ""))
                print(script + "\n--- printed\n" + printed)
        shell.process.stdin.close()
        shell.process.wait(timeout=10)
    print(f"guide: {len(blocks)} blocks run, {compared} compared, {failures} failed")
    return bool(failures)


if __name__ == "__main__":
    if missing_tool := next((tool for tool in ("curl", "jq", "npm", "psql") if not shutil.which(tool)), None):
        raise SystemExit(f"{missing_tool} is missing")
    sys.exit(main())
