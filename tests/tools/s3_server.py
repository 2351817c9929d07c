"""A real S3 server (versitygw) on loopback, on a port that was free, with a folder of its own."""

import os
import shutil
import socket
import subprocess
import tempfile
import urllib.error
import urllib.request

BUCKET = "test-bucket"
REGION = "us-east-1"
ACCESS_KEY = "testaccess"
SECRET_KEY = "testsecret12"
START_ATTEMPTS = 5
POLLS = 2000
POLL_S = 0.01


def program():
    """Where scripts/test_servers.sh puts the server, unless ISOTHERM_VERSITYGW names another one."""
    cache = os.environ.get("ISOTHERM_CACHE") or os.path.expanduser("~/.cache/isotherm")
    found = os.environ.get("ISOTHERM_VERSITYGW") or os.path.join(cache, "bin/versitygw")
    if not os.access(found, os.X_OK):
        raise FileNotFoundError(f"no S3 server at {found}: run scripts/test_servers.sh, name one in "
                                "ISOTHERM_VERSITYGW, or set ISOTHERM_SKIP_SERVERS=1 to go without these tests")
    return found


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class S3Server:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="isotherm-s3-")
        # What is a folder to the file system is a bucket to the server.
        os.makedirs(self.path(""))
        for _ in range(START_ATTEMPTS):
            self.port = free_port()
            self.process = self.start()
            if self.is_ready():
                return
            self.stop_process()
        self.close()
        raise RuntimeError("the S3 server does not start")

    def start(self):
        with open(os.path.join(self.folder, "log"), "wb") as log:
            return subprocess.Popen([program(), "--port", f"127.0.0.1:{self.port}", "--access", ACCESS_KEY, "--secret",
                                     SECRET_KEY, "--region", REGION, "--keep-alive", "posix",
                                     os.path.join(self.folder, "objects")], stdout=log, stderr=log)

    def is_ready(self):
        for _ in range(POLLS):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/"):
                    return True
            except urllib.error.HTTPError:  # unsigned, so refused: by a server that is there
                return True
            except OSError:
                pass
            try:
                self.process.wait(POLL_S)
                return False  # another program took the port
            except subprocess.TimeoutExpired:
                pass
        return False

    def stop_process(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        self.stop_process()
        shutil.rmtree(self.folder, ignore_errors=True)

    def uri(self, prefix):
        return f"s3://{BUCKET}/{prefix}?endpoint=http://127.0.0.1:{self.port}&region={REGION}"

    def path(self, name):
        """Where the object lies as a file."""
        return os.path.join(self.folder, "objects", BUCKET, name)

    @staticmethod
    def environment():
        return {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
