"""A headless Chromium, driven through the two pipes of its DevTools protocol: no port, no library."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import io
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["CHROMIUM", "Browser", "opened"]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_PATIENCE = 60.0  # seconds that a page may take


class Browser:
    """One page.

    Args:
        commands: what the browser reads from.
        answers: what it writes to.
    """

    def __init__(self, commands: io.FileIO, answers: io.FileIO) -> None:
        self._commands, self._answers = commands, answers
        self._number, self._rest, self._session = 0, b"", ""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.ask("Page.enable")
        self.errors: list[str] = []  # what scripts raised, and what the policy of a page forbade
        self.ask("Runtime.enable")
        self.ask("Log.enable")

    def ask(self, method: str, **parameters: object) -> dict[str, Any]:
        """One command of the protocol, and what it gives."""
        self._number += 1
        message: dict[str, object] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._commands.write(json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._number:
            self._note(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    def value(self, expression: str) -> Any:
        """What an expression of JavaScript gives in the page."""
        found = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise RuntimeError(f"{expression}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def go(self, address: str) -> None:
        """Open an address, and wait until it has loaded."""
        self._leave(lambda: self.ask("Page.navigate", url=address))

    def click(self, selector: str) -> None:
        """Press what a selector names, and wait for the page that it leads to."""
        self._leave(lambda: self.value(f"document.querySelector({json.dumps(selector)}).click()"))

    def key(self, key: str, *, leads: bool = False, ctrl: bool = False) -> None:
        """Press a key; `leads` waits for the page that it leads to."""
        code = 13 if key == "Enter" else ord(key.upper()[0])
        text = "\r" if key == "Enter" else key
        told: dict[str, Any] = {"key": key, "windowsVirtualKeyCode": code, "modifiers": 2 if ctrl else 0}

        def press() -> None:
            self.ask("Input.dispatchKeyEvent", type="keyDown", **told, **({} if ctrl else {"text": text}))
            self.ask("Input.dispatchKeyEvent", type="keyUp", **told)

        self._leave(press) if leads else press()

    def type(self, text: str) -> None:
        """Type where the cursor is."""
        self.ask("Input.insertText", text=text)

    def picture(self, path: Path, *, width: int = 1440, height: int = 1000) -> None:
        """The page as a PNG file."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        path.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"]))

    def until(self, expression: str) -> Any:
        """Wait until an expression of JavaScript is true."""
        end = time.monotonic() + _PATIENCE
        while not (found := self.value(expression)):
            if time.monotonic() > end:
                raise TimeoutError(f"never true: {expression}")
            time.sleep(0.02)
        return found

    def _leave(self, act: Any) -> None:
        """Do what leads to another page; the old one is marked, so that it is not taken for the new one."""
        self.value("window.isOld = true")
        act()
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            with contextlib.suppress(RuntimeError):  # in between there is no page to ask
                if self.value("!window.isOld && document.readyState === 'complete'"):
                    return
            time.sleep(0.01)
        raise TimeoutError("no page came")

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            part = self._answers.read(1 << 16)
            if not part:
                raise RuntimeError("the browser ended")
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found

    def _note(self, event: dict[str, Any]) -> None:
        if event.get("method") == "Runtime.exceptionThrown":
            self.errors.append(str(event["params"]["exceptionDetails"]))
        elif event.get("method") == "Log.entryAdded" and event["params"]["entry"]["level"] == "error":
            self.errors.append(str(event["params"]["entry"]["text"]))


@contextlib.contextmanager
def opened() -> Iterator[Browser]:
    """A browser with a profile of its own, which is gone with the block.

    Raises:
        FileNotFoundError: there is no Chromium here.
    """
    if CHROMIUM is None:
        raise FileNotFoundError("no Chromium here")
    here_in, there_out = os.pipe()
    there_in, here_out = os.pipe()
    theirs = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (there_in, there_out)]  # above what they become
    os.close(there_in)
    os.close(there_out)

    def take() -> None:  # the browser reads from 3 and writes to 4
        os.dup2(theirs[0], 3)
        os.dup2(theirs[1], 4)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--remote-debugging-pipe", f"--user-data-dir={profile}",
        ]  # fmt: skip
        process = subprocess.Popen(  # noqa: S603 - our own command, no shell
            command, preexec_fn=take, pass_fds=(3, 4), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            for end in theirs:
                os.close(end)
            with os.fdopen(here_out, "wb", buffering=0) as commands, os.fdopen(here_in, "rb", buffering=0) as answers:
                yield Browser(commands, answers)
        finally:
            process.kill()
            process.wait()
