#!/usr/bin/env python3
"""Measure how far one server goes, and several: see bench/README.md.

bench/run.sh scale PART [OPTION ...] prepares the machine and calls this.
"""

import argparse
import json
import os
import pathlib
import signal
import sys

import bench
from nvbench import server as servers
from nvbench.scale import edge, memory, partitions, shards, sizes

HERE = pathlib.Path(__file__).resolve().parent
PARTS = {"sizes": sizes, "partitions": partitions, "shards": shards, "memory": memory, "edge": edge}


def arguments():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = p.add_subparsers(dest="part", required=True)
    for name, part in PARTS.items():
        sub = parts.add_parser(name, help=(part.__doc__ or "").splitlines()[0])
        sub.add_argument("--results", default=str(HERE / "results"))
        part.arguments(sub)
    return p.parse_args()


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    args = arguments()
    server = servers.Server()
    args.available = bench.install(server, getattr(args, "engines", "nanovec").split(","))
    facts = bench.environment(server, args.available)
    os.makedirs(args.results, exist_ok=True)
    args.stem = os.path.join(args.results, f"{facts['date']}-scale-{args.part}")
    command = "bench/run.sh scale " + " ".join(sys.argv[1:])

    def record(results, text):
        """Keep what there is so far."""
        facts["load averages"] = ", ".join(f"{x:.1f}" for x in os.getloadavg())
        with open(f"{args.stem}.json", "w") as f:
            json.dump({"command": command, "environment": facts, "results": results}, f, indent=1)
        with open(f"{args.stem}.md", "w") as f:
            f.write(f"    {command}\n\n" + text + "\n" + "".join(f"- {k}: {v}\n" for k, v in facts.items()))

    PARTS[args.part].run(server, args, record)
    print(pathlib.Path(f"{args.stem}.md").read_text())


if __name__ == "__main__":
    main()
