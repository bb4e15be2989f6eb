"""Chromium without a window, driven by its command line alone.

A page is looked into by a script that the test adds to a copy of it. What the script returns is
written into the page, which Chromium then prints.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

#: Seconds after which a call counts as stuck, and milliseconds of the page's own clock.
LONGEST, PAGE_TIME = 120, 5_000

#: Requests that never leave the machine; and who asks where Chromium does so for its own ends.
LOCAL = ("file:", "data:", "about:", "blob:")
CHROMIUM = "not an origin"

FOUND = re.compile(r'<pre id="found">(.*?)</pre>', re.S)

RUN = """
window.addEventListener("load", () => {
  const found = document.createElement("pre");
  found.id = "found";
  try { found.textContent = JSON.stringify((() => { %s })()); }
  catch (error) { found.textContent = JSON.stringify({ error: String(error) }); }
  document.body.append(found);
});
"""


class NoBrowser(Exception):
    """There is no Chromium to test with."""


@dataclass(frozen=True)
class Seen:
    """What a page did: what the script returned, complaints of the console, requests."""

    found: Any
    console: tuple[str, ...]
    requests: tuple[str, ...]


@dataclass(frozen=True)
class Browser:
    """A Chromium, and a folder for what it writes."""

    program: str
    folder: Path

    @classmethod
    def find(cls, folder: Path) -> Browser:
        """The one that ``CHROMIUM`` names, or the first on the path.

        Raises
        ------
        NoBrowser
            There is none.
        """
        named = os.environ.get("CHROMIUM")
        for name in (named,) if named else NAMES:
            program = shutil.which(name)
            if program:
                return cls(program, folder)
        raise NoBrowser(
            f"expected Chromium as {named or ' or '.join(NAMES)}, found none: install it (Debian: "
            "apt-get install chromium), or name one, CHROMIUM=/path/to/it make test-browser"
        )

    def look(
        self,
        page: str,
        script: str = "return null;",
        *,
        width: int = 1120,
        options: tuple[str, ...] = (),
    ) -> Seen:
        """Open a page and run the body of a function in it."""
        path, log = self._new("page.html"), self._new("log.json")
        path.write_text(_with_script(page, RUN % script), encoding="utf-8")
        done = self._run(
            f"--window-size={width},1000", f"--virtual-time-budget={PAGE_TIME}",
            f"--log-net-log={log}", "--dump-dom", *options, path.as_uri(),
        )  # fmt: skip
        text = FOUND.search(done.stdout)
        assert text, f"Chromium printed no page: {done.stderr[-2000:]}"
        found = json.loads(html.unescape(text[1]))
        assert not (isinstance(found, dict) and "error" in found), found
        console = tuple(line for line in done.stderr.splitlines() if ":CONSOLE" in line)
        return Seen(found, console, _requests(log))

    def pdf(self, page: str) -> bytes:
        """The page, printed."""
        path, out = self._new("page.html"), self._new("page.pdf")
        path.write_text(page, encoding="utf-8")
        self._run("--no-pdf-header-footer", f"--print-to-pdf={out}", path.as_uri())
        return out.read_bytes()

    def _new(self, name: str) -> Path:
        path = self.folder / name
        path.unlink(missing_ok=True)
        return path

    def _run(self, *options: str) -> subprocess.CompletedProcess[str]:
        profile = self.folder / "profile"
        shutil.rmtree(profile, ignore_errors=True)
        # In a container that runs as root Chromium has no sandbox of its own.
        root = ("--no-sandbox",) if sys.platform == "linux" and os.geteuid() == 0 else ()
        command = [
            self.program, "--headless", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-default-apps", "--disable-extensions", "--enable-logging=stderr",
            "--host-resolver-rules=MAP * ~NOTFOUND", *root,
            f"--user-data-dir={profile}", *options,
        ]  # fmt: skip
        return subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, check=True)


def _with_script(page: str, script: str) -> str:
    """A copy whose policy allows one more script, which comes last."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    if policy:
        rules = html.unescape(policy[1])
        allowed = f"script-src 'sha256-{digest}'"
        more = (
            rules.replace("script-src", allowed) if "script-src" in rules else f"{rules}; {allowed}"
        )
        page = page.replace(policy[1], html.escape(more))
    return page.replace("</body>", f"<script>{script}</script></body>")


def _requests(log: Path) -> tuple[str, ...]:
    """Addresses that the page asked for, but local ones."""
    text = log.read_text(encoding="utf-8")
    try:
        kept = json.loads(text)
    except json.JSONDecodeError:  # Chromium ended before its log did
        kept = json.loads(text.rstrip().rstrip(",") + "]}")
    kind = kept["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    asked = [
        event["params"]
        for event in kept["events"]
        if event["type"] == kind and "url" in event.get("params", {})
    ]
    return tuple(
        params["url"]
        for params in asked
        if params["initiator"] != CHROMIUM and not params["url"].startswith(LOCAL)
    )
