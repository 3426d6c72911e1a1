"""``python -m orchestrator.image``: find or build the node image and say what it is."""

from __future__ import annotations

import argparse
import signal
import sys

import docker
from docker.errors import DockerException

from orchestrator.errors import ImageError
from orchestrator.image.build import BYTES_PER_MB, ensure_image


def main(arguments: list[str] | None = None) -> int:
    """Build the image if needed and say what it is."""
    parser = argparse.ArgumentParser(prog="make image", description="Find or build the node image.")
    parser.add_argument("--rebuild", action="store_true", help="build every layer again")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # clean up on `kill` as on Ctrl-C
    try:
        client = docker.from_env()
        info = ensure_image(client, report=lambda line: print(line, file=sys.stderr), rebuild=options.rebuild)
    except ImageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except DockerException as error:
        print(f"error: no Docker engine answers: {error}", file=sys.stderr)
        return 7  # runtime unavailable, as everywhere in `lab`
    except KeyboardInterrupt:
        print("interrupted; nothing was left behind", file=sys.stderr)
        return 130
    print(f"{info.tag}  {info.size_bytes / BYTES_PER_MB:.0f} MB  {'built' if info.built else 'was there already'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
