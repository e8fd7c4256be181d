"""JupyterLab in a real browser: a server, a notebook of one cell in it, and what its kernel holds."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.blocking.client import BlockingKernelClient

from tests.waiting import wait_for

TOKEN = "test"


@contextmanager
def serve(folder: Path, **environment: str) -> Iterator[str]:
    """A JupyterLab server on `folder`; gives its address."""
    for name, settings in {
        "notebook-extension/tracker": {"windowingMode": "none"},  # all cells in the page
        "apputils-extension/notification": {"fetchNews": "false"},  # no question that covers a part of it
    }.items():
        file = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(settings))
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    own = {
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
    }
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"]
    command += [f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={folder}", "--ServerApp.port_retries=0"]
    with open(folder / "lab.log", "w") as log:
        server = subprocess.Popen(command, env=os.environ | own | environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):  # two minutes: the first start of a new machine reads every extension
            try:
                urllib.request.urlopen(f"{address}/api?token={TOKEN}", timeout=2)
                break
            except OSError:
                assert server.poll() is None, (folder / "lab.log").read_text()[-2000:]
                time.sleep(0.5)
        else:
            raise AssertionError(f"JupyterLab is not up after two minutes: {(folder / 'lab.log').read_text()[-2000:]}")
        yield address
    finally:
        server.terminate()
        server.wait(timeout=300)


def idle(page) -> bool:
    return page.locator('.jp-NotebookPanel-toolbar [data-status="idle"]').count() > 0


def run_all(page) -> None:
    """Wait for the notebook and its kernel, then Run > Run All Cells."""
    page.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=300_000)
    wait_for(lambda: "Python 3" in page.locator(".jp-NotebookPanel-toolbar").inner_text() and idle(page), "a kernel")
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


@dataclass
class Kernel:
    """One kernel that the notebooks of all tests share: importing torch takes longer than any of them."""

    address: str
    folder: Path
    id: str
    client: BlockingKernelClient

    @classmethod
    def start(cls, address: str, folder: Path) -> "Kernel":
        about = post(f"{address}/api/kernels", {"name": "python3"})
        file = folder / "runtime" / f"kernel-{about['id']}.json"
        wait_for(file.exists, "a kernel's connection file")
        client = BlockingKernelClient(connection_file=str(file))
        client.load_connection_file()
        client.start_channels()
        client.kernel_info(reply=True, timeout=300)
        return cls(address, folder, about["id"], client)

    def value(self, expression: str) -> Any:
        """What an expression is in the kernel, through JSON."""
        reply = self.client.execute("import json", user_expressions={"it": f"json.dumps({expression})"}, reply=True, timeout=300)
        told = reply["content"]["user_expressions"]["it"]
        assert told["status"] == "ok", told
        return json.loads(eval(told["data"]["text/plain"]))  # the repr of a JSON text

    def show(self, page, name: str, *cells: str, app: str = "lab/tree") -> None:
        """Open a notebook with these cells on this kernel, and run them to the end. app: "notebooks" for Notebook 7."""
        self.client.execute("import ipywidgets; ipywidgets.Widget.close_all()", reply=True, timeout=300)  # of the test before
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, self.folder / f"{name}.ipynb")
        session = {"path": f"{name}.ipynb", "name": name, "type": "notebook", "kernel": {"id": self.id}}
        post(f"{self.address}/api/sessions", session)
        page.goto(f"{self.address}/{app}/{name}.ipynb?token={TOKEN}&reset", timeout=300_000)
        run_all(page)
        prompts = page.locator(".jp-CodeCell .jp-InputPrompt")
        wait_for(lambda: prompts.count() and all(re.search(r"\d", t) for t in prompts.all_inner_texts()), "cells that have run")


def post(address: str, value: dict) -> dict:
    headers = {"Authorization": f"token {TOKEN}", "Content-Type": "application/json"}
    request = urllib.request.Request(address, data=json.dumps(value).encode(), headers=headers)
    with urllib.request.urlopen(request, timeout=300) as reply:
        return json.load(reply)
