"""A small program that passes for a Cortex binary: flags, version, pages, an orderly stop."""

from __future__ import annotations

STAND_IN = """#!{python}
import http.server, json, os, signal, sys, threading, time

if "-version" in sys.argv:
    print("note: a line before it")
    print("Cortex, version 9.9.9-test (branch: HEAD, revision: abc123)")
    sys.exit(0)
if "-help" in sys.argv or "-help-all" in sys.argv:
    if "-help-all" in sys.argv:
        sys.exit("flag provided but not defined: -help-all")
    for name in (
        "target config.file server.http-listen-address server.http-listen-port "
        "server.grpc-listen-address memberlist.bind-addr memberlist.nodename memberlist.cluster-label "
        "ingester.lifecycler.ID ruler.ring.instance-id ruler.ring.instance-addr "
        "blocks-storage.backend blocks-storage.filesystem.dir querier.frontend-address"
    ).split() + [f"some.other-flag-{{n}}" for n in range(200)]:
        print(f"  -{{name}} string\\n    \\tAbout it.")
    sys.exit(0)

flags = dict(arg.lstrip("-").split("=", 1) for arg in sys.argv[1:] if "=" in arg)
if os.environ.get("STAND_IN") == "refuses":
    print("level=error msg=\\"field nonsense not found\\"", flush=True)
    sys.exit(1)
terms = []

def stop(*_):
    terms.append(1)
    print(f"SIGTERM {{len(terms)}}", flush=True)
    if len(terms) == 1 and os.environ.get("STAND_IN") != "stays":
        threading.Timer(0.3, lambda: os._exit(0)).start()

signal.signal(signal.SIGTERM, stop)

class Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        kind, status = "text/plain", 200
        path = self.path.split("?")[0]
        if path == "/ready":
            body = b"ready"
        elif path == "/config":
            body = open(flags["config.file"]).read().encode()
        elif path == "/runtime_config":
            body = open(os.path.join("etc/cortex-runtime-config/runtime_config.yaml")).read().encode()
        elif path == "/environment":
            body = json.dumps(dict(os.environ)).encode()
        elif path == "/ruler/ring" and flags["target"] == "ruler":
            kind = "application/json"
            me = {{"id": flags["ruler.ring.instance-id"], "state": "ACTIVE",
                  "address": flags["ruler.ring.instance-addr"] + ":9095"}}
            body = json.dumps({{"shards": [me]}}).encode()
        else:
            status, body = 404, b"404 page not found"
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

address = (flags["server.http-listen-address"], int(flags["server.http-listen-port"]))
http.server.ThreadingHTTPServer(address, Pages).serve_forever()
"""
