#!/usr/bin/env python3
"""Runs a demo, lets a real Prometheus scrape it with the files of this directory, and asks it every expression.

usage: live.py SMC [--seconds N] [--save FILE]   SMC: the binary, as target/release/smc; FILE: keeps its last scrape
       live.py --url http://HOST:PORT            an engine or exporter that runs already
       live.py --file FILE                       a recorded scrape, served again and again: proves this program, not the engine

Fails when a metric is missing, an expression is refused or has no data where it must, a rule is not healthy, or `up` is
not 1. Everything lies in a temporary directory; both programs are ended. Without Prometheus on this machine it says so and
skips. Standard library only.
"""

import argparse
import http.server
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import check

# A scrape a second: so long until rates and the rules built upon them have values.
SETTLES_S = 20
INTERVAL = "15s"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fetched(url):
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.read().decode() if answer.status == 200 else None
    except OSError:
        return None


def wait_for(what, url, process, seconds=60):
    """Until the address answers; ends this program when that takes too long or the process ends first."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        text = fetched(url)
        if text is not None:
            return text
        if process and process.poll() is not None:
            sys.exit(f"live.py: {what} ended with status {process.returncode} before it answered at {url}")
        time.sleep(0.2)
    sys.exit(f"live.py: {what} does not answer at {url} after {seconds} s")


def configuration(address):
    """prometheus.yml as it is, but for the target, the pace and the place of the rules."""
    text = (check.PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8")
    text, targets = re.subn(r'targets: \["[^"]*"\]', f'targets: ["{address}"]', text)
    text, paces = re.subn(r"(scrape_interval|scrape_timeout|evaluation_interval): \w+", r"\1: 1s", text)
    text, rules = re.subn(r"- (\w+\.rules\.yml)", lambda m: f"- {check.PROMETHEUS / m[1]}", text)
    if targets < 1 or paces != 3 or rules != len(check.RULE_FILES):
        sys.exit("live.py: prometheus.yml is not written as it was")
    return text


def serve(path):
    """A recorded scrape on a port of this process."""
    body = Path(path).read_bytes()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"127.0.0.1:{server.server_address[1]}"


def end(process):
    if process and process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1].removeprefix("usage: "), description=__doc__.split("\n")[0])
    parser.add_argument("smc", nargs="?")
    parser.add_argument("--url")
    parser.add_argument("--file")
    parser.add_argument("--save")
    parser.add_argument("--seconds", type=int, default=SETTLES_S, help="how long Prometheus scrapes before it is asked")
    args = parser.parse_args()
    if sum(map(bool, (args.smc, args.url, args.file))) != 1:
        parser.error("one of SMC, --url, --file")
    prometheus = shutil.which("prometheus")
    if not prometheus:
        print("skipped: no prometheus on this machine: the expressions are not asked of a running one")
        return 0
    demo = server = None
    with tempfile.TemporaryDirectory(prefix="smc-live-") as home:
        home = Path(home)
        try:
            if args.smc:
                address = f"127.0.0.1:{free_port()}"
                seconds = str(args.seconds + 120)
                words = [args.smc, "demo", "--headless", "--seconds", seconds, "--metrics", address]
                words += ["--journal", str(home / "journal"), "--control", str(home / "run" / "control.sock")]
                log = open(home / "demo.log", "w+b")
                demo = subprocess.Popen(words, stdout=log, stderr=log)
            else:
                address = serve(args.file) if args.file else re.sub(r"^https?://|/.*$", "", args.url)
            scrape = wait_for("the engine's metrics port", f"http://{address}/metrics", demo)
            port = free_port()
            (home / "prometheus.yml").write_text(configuration(address), encoding="utf-8")
            words = [prometheus, f"--config.file={home / 'prometheus.yml'}", f"--storage.tsdb.path={home / 'data'}"]
            words += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
            server = subprocess.Popen(words)
            base = f"http://127.0.0.1:{port}"
            wait_for("Prometheus", f"{base}/-/ready", server)
            print(f"Prometheus scrapes {address} once a second for {args.seconds} s")
            time.sleep(args.seconds)
            scrape = fetched(f"http://{address}/metrics")
            if scrape is None:
                check.fault("the metrics port does not answer any more")
            else:
                looked_at(scrape)
                if args.save:
                    Path(args.save).write_text(scrape, encoding="utf-8")
                (home / "scrape.txt").write_text(scrape, encoding="utf-8")
                exprs = list(check.expressions())
                check.metrics_exist(check.exposition(str(home / "scrape.txt")), exprs)
                check.prometheus_answers(base, exprs, INTERVAL)
        finally:
            end(server)
            end(demo)
            if demo and demo.returncode and check.FAULTS:
                print((home / "demo.log").read_text(errors="replace")[-2000:], file=sys.stderr)
    return check.over()


def looked_at(scrape):
    """The scrape itself, by Prometheus' own rules of names and types; help texts are asked for as well."""
    program = shutil.which("promtool")
    if not program:
        print("skipped: no promtool on this machine: the scrape's form is not looked at")
        return
    done = subprocess.run([program, "check", "metrics"], input=scrape, capture_output=True, text=True)
    said = (done.stdout + done.stderr).strip()
    # 3 is advice about style, anything else a scrape that cannot be read.
    if done.returncode not in (0, 3):
        check.fault(f"promtool check metrics: {said}")
    elif said:
        print(f"promtool check metrics advises:\n{said}")


if __name__ == "__main__":
    sys.exit(main())
