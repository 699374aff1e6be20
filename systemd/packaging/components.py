#!/usr/bin/env python3
"""Lists the components of a built worker, beside whose file SwiftPM has left the build's other files.

components.py sbom PROGRAM      prints a bill of materials in JSON, of the form CycloneDX 1.5
components.py notices PROGRAM   prints the licences and notices of the packages that the program contains

The packages are those whose code is linked into the program. Package.resolved also lists those that only tests use.
SOURCE_DATE_EPOCH is the time of the list, in seconds since 1970.
"""
import json
import os
import re
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHECKOUT = re.compile(r"/checkouts/([^/\\\s]+)/")


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def package_of(module):
    """The directory of the package that a module of the build comes from; None for the worker's own modules."""
    sources = module / "output-file-map.json"
    for record in [sources] if sources.exists() else sorted(module.rglob("*.d")):
        found = CHECKOUT.search(record.read_text(encoding="utf-8"))
        return found and found[1]
    return None


def packages(build):
    """The packages of Package.resolved whose code the program contains, each with its checkout."""
    objects = build / "prefect-worker.product/Objects.LinkFileList"
    if not objects.exists():
        sys.exit(f"{objects} is missing: build the program with `make release` first")
    modules = set(re.findall(r"[^/]+\.build(?=/)", objects.read_text(encoding="utf-8")))
    linked = {package_of(build / module) for module in modules} - {None}
    pins = json.loads((ROOT / "Package.resolved").read_text(encoding="utf-8"))["pins"]
    for pin in sorted(pins, key=lambda pin: pin["identity"]):
        name = pin["location"].removesuffix(".git").rsplit("/", 1)[-1]
        if name in linked:
            linked.remove(name)
            yield pin, ROOT / ".build/checkouts" / name
    if linked:
        sys.exit(f"Package.resolved lacks {', '.join(sorted(linked))}: run `swift package resolve`")


def texts(checkout):
    """The files of a package that its users must get with it. A directory of foreign sources has its own licence."""
    files = [*checkout.iterdir(), *checkout.glob("Sources/*/LICENSE*")]
    return sorted(path for path in files if re.match(r"(licen[cs]e|notice)", path.name, re.IGNORECASE))


def licence(checkout):
    own = [path for path in texts(checkout) if path.parent == checkout and "notice" not in path.name.lower()]
    text = "".join(path.read_text(encoding="utf-8") for path in own)
    return "Apache-2.0" if "Apache License" in text else "MIT" if "Permission is hereby granted" in text else "NOASSERTION"


def swift_version():
    return re.search(r"Swift version (\S+)", output("swift", "--version"))[1]


def system_libraries(program):
    """The Debian packages of the libraries that the system's loader finds: name, version, architecture."""
    needed = re.findall(r"\(NEEDED\).*\[(.+)\]", output("readelf", "--dynamic", "--wide", str(program)))
    paths = dict(re.findall(r"(\S+) => (/\S+)", output("ldd", str(program))))
    owners = set()
    for name in needed:
        # dpkg knows some files only by their path without the link from /lib to /usr/lib.
        path = paths.get(name)
        for known in [path, str(path).removeprefix("/usr"), f"/usr{path}"] if path else []:
            found = subprocess.run(["dpkg-query", "--search", known], capture_output=True, text=True)
            if found.returncode == 0:
                owners.add(found.stdout.split(": ")[0].split(", ")[0])
                break
    form = "${Package} ${Version} ${Architecture}\n"
    return sorted(output("dpkg-query", "--show", "--showformat", form, owner).split() for owner in owners)


def swift_component(pin, checkout):
    location = pin["location"].removesuffix(".git")
    version = pin["state"].get("version", pin["state"]["revision"])
    reference = f"pkg:swift/{location.removeprefix('https://')}@{version}"
    return {
        "type": "library", "bom-ref": reference, "name": pin["identity"], "version": version, "purl": reference,
        "licenses": [{"license": {"id": licence(checkout)}}],
        "externalReferences": [{"type": "vcs", "url": location, "comment": f"commit {pin['state']['revision']}"}],
    }


def sbom(program):
    name, version = output(str(program), "--version").split()[:2]
    swift = swift_version()
    runtime = {
        "type": "library", "bom-ref": f"swift@{swift}", "name": "swift-runtime", "version": swift,
        "description": "The runtime, standard library, Dispatch and Foundation of Swift, linked statically",
        "licenses": [{"expression": "Apache-2.0 WITH Swift-exception"}],
    }
    components = [swift_component(*found) for found in packages(program.parent)] + [runtime]
    for library, library_version, architecture in system_libraries(program):
        reference = f"pkg:deb/debian/{library}@{library_version.replace('+', '%2B')}?arch={architecture}"
        components.append({
            "type": "library", "bom-ref": reference, "name": library, "version": library_version, "purl": reference,
            "description": "A library of the system, of the version with which the program was linked",
        })
    main = f"pkg:generic/{name}@{version}"
    time = datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), timezone.utc)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json", "bomFormat": "CycloneDX", "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {
                "type": "application", "bom-ref": main, "name": name, "version": version, "purl": main,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            },
        },
        "components": components,
        "dependencies": [{"ref": main, "dependsOn": sorted(component["bom-ref"] for component in components)}],
    }


def notices(program):
    yield "The program contains the packages below, and the runtime of Swift (Apache-2.0 with the Swift exception).\n"
    for pin, checkout in packages(program.parent):
        for path in texts(checkout):
            yield f"{'=' * 80}\n{pin['identity']} {pin['state'].get('version', '')}: {path.relative_to(checkout)}\n{'=' * 80}\n"
            yield path.read_text(encoding="utf-8")


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("sbom", "notices"):
        sys.exit("usage: components.py sbom|notices PROGRAM")
    program = Path(sys.argv[2]).resolve()
    if sys.argv[1] == "sbom":
        print(json.dumps(sbom(program), indent=2))
    else:
        print("\n".join(notices(program)))


if __name__ == "__main__":
    main()
