"""A headless Chromium, driven by its DevTools protocol: what a person sees of a page."""

import base64
import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def find():
    """The program; skips the test where there is none."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    return pytest.skip(f"no headless browser: none of {', '.join(NAMES)} is installed (on Debian: apt install chromium)")


class Browser:
    """One tab. `errors` holds what pages reported on their consoles, `requested` every address that they asked for."""

    def __init__(self, width=1400, height=1000):
        websocket = pytest.importorskip("websocket", reason="websocket-client is missing: pip install websocket-client")
        self._profile = tempfile.mkdtemp(prefix="browser-")
        words = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-allow-origins=*"]
        words += ["--remote-debugging-port=0", f"--user-data-dir={self._profile}", f"--window-size={width},{height}", "about:blank"]
        self._process = subprocess.Popen([find(), *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            port, _ = wait_for(Path(self._profile, "DevToolsActivePort").exists, self._port, 60)
            import urllib.request

            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
                page = next(each for each in json.load(answer) if each["type"] == "page")
            self._socket = websocket.create_connection(page["webSocketDebuggerUrl"], timeout=180)
        except BaseException:
            self.close()
            raise
        self._number, self.errors, self.requested = 0, [], []
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def _port(self):
        return Path(self._profile, "DevToolsActivePort").read_text().split("\n")[:2]

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._profile, ignore_errors=True)

    def call(self, method, **parameters):
        """A command of the protocol and its result."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("id") == self._number:
                assert "error" not in message, message
                return message["result"]
            self._note(message)

    def _note(self, message):
        told = message.get("params", {})
        if message.get("method") == "Runtime.exceptionThrown":
            self.errors.append(told["exceptionDetails"].get("exception", {}).get("description", str(told)))
        elif message.get("method") == "Network.requestWillBeSent":
            self.requested.append(told["request"]["url"])

    def open(self, address):
        self.call("Page.navigate", url=address)

    def evaluate(self, script):
        """The value of a JavaScript expression, promises awaited."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait(self, script, seconds=60):
        """Waits until the expression is true and returns its value."""
        return wait_for(lambda: self.evaluate(script), lambda: self.evaluate(script), seconds, script)

    def click(self, element):
        """A click of the mouse on the middle of what a JavaScript expression gives."""
        box = self.evaluate(
            f"(() => {{ const e = {element}; e.scrollIntoView({{block: 'center'}}); const r = e.getBoundingClientRect(); "
            "return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def write(self, text):
        """Types into what has the focus, key by key."""
        for letter in text:
            self.call("Input.dispatchKeyEvent", type="keyDown", text=letter, key=letter)
            self.call("Input.dispatchKeyEvent", type="keyUp", key=letter)

    def picture(self, path, whole=False):
        """Stores what is seen as a PNG."""
        found = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        Path(path).write_bytes(base64.b64decode(found["data"]))


def wait_for(condition, result, seconds, what=""):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain for {what or condition}"
        time.sleep(0.2)
    return result()
