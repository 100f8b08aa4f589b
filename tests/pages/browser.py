"""A headless Chromium, spoken to through a pipe by the DevTools protocol: no port, no library.

The browser may not fetch anything: it runs without a network where namespaces can be had, and every request that it makes is
noted. Each answer is awaited for TIMEOUT seconds at most."""

import base64
import contextlib
import json
import os
import pathlib
import select
import shutil
import subprocess
import tempfile

TIMEOUT = 60
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run",
         "--force-color-profile=srgb", "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-default-apps", "--remote-debugging-pipe"]


class Browser:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="mxcrypt-pages-")
        ours, theirs = os.pipe(), os.pipe()  # what the browser reads, what it writes
        self.out, self.back, self.number, self.events, self.rest = ours[1], theirs[0], 0, [], b""
        program = shutil.which("chromium") or "chromium"
        script = f"exec 3<&{ours[0]} 4>&{theirs[1]}; exec \"$@\""
        self.process = subprocess.Popen(
            ["sh", "-c", script, "sh", program, *FLAGS, f"--user-data-dir={self.folder}/profile", "about:blank"],
            pass_fds=(ours[0], theirs[1]), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": self.folder, "DBUS_SESSION_BUS_ADDRESS": "disabled:", "LC_ALL": "C.UTF-8"})
        os.close(ours[0])
        os.close(theirs[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # a browser that is killed leaves processes of its own behind for a moment, which write into its folder
        with contextlib.suppress(OSError, EOFError, TimeoutError, RuntimeError):
            self.ask("Browser.close")
        try:
            self.process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.out)
        os.close(self.back)
        shutil.rmtree(self.folder, ignore_errors=True)

    def receive(self):
        while b"\0" not in self.rest:
            if not select.select([self.back], [], [], TIMEOUT)[0]:
                raise TimeoutError("the browser does not answer")
            more = os.read(self.back, 1 << 20)
            if not more:
                raise EOFError("the browser has ended")
            self.rest += more
        text, self.rest = self.rest.split(b"\0", 1)
        return json.loads(text)

    def ask(self, method, session=None, **parameters):
        """The answer to a command; events that come before it are kept."""
        self.number += 1
        request = {"id": self.number, "method": method, "params": parameters}
        if session:
            request["sessionId"] = session
        os.write(self.out, json.dumps(request).encode() + b"\0")
        while True:
            message = self.receive()
            if message.get("id") == self.number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]
            self.events.append(message)

    def wait_for(self, session, name):
        while True:
            for event in self.events:
                if event.get("method") == name and event.get("sessionId") == session:
                    self.events.remove(event)
                    return event["params"]
            self.events.append(self.receive())

    def open(self, path, **look):
        return Tab(self, pathlib.Path(path).resolve().as_uri(), **look)


class Tab:
    """A page, looked at with a width, in light or dark or on paper, with script or without."""

    def __init__(self, browser, address, width=1280, dark=False, script=True, paper=False):
        self.browser, self.address, self.width = browser, address, width
        self.target = browser.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.ask("Target.attachToTarget", targetId=self.target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600)
        self.ask("Emulation.setEmulatedMedia", media="print" if paper else "screen",
                 features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.ask("Emulation.setScriptExecutionDisabled", value=not script)
        self.ask("Page.navigate", url=address)
        browser.wait_for(self.session, "Page.loadEventFired")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.browser.ask("Target.closeTarget", targetId=self.target)

    def ask(self, method, **parameters):
        return self.browser.ask(method, self.session, **parameters)

    def run(self, script):
        """What an expression gives in the page, whether or not the page's own script may run."""
        result = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"]["exception"]["description"])
        return result["result"].get("value")

    def noted(self, *names):
        """Parameters of the events of this page with these names, so far."""
        return [event["params"] for event in self.browser.events
                if event.get("sessionId") == self.session and event.get("method") in names]

    def picture(self, path):
        """The whole page, however high it is."""
        size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": self.width, "height": size["height"], "scale": 1}
        shot = self.ask("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        pathlib.Path(path).write_bytes(base64.b64decode(shot["data"]))
