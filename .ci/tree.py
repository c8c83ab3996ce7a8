#!/usr/bin/env python3
"""Holds the dependency tree against deny.toml, as `cargo deny check licenses bans sources` does, without having to
build cargo-deny. Beyond that: nothing in `bans.deny` is in the tree that users build, whatever its `wrappers`."""
import json
import re
import subprocess
import sys
import tomllib

with open("deny.toml", "rb") as file:
    RULES = tomllib.load(file)
BANNED = {ban["crate"]: set(ban.get("wrappers", ())) for ban in RULES["bans"]["deny"]}


def allowed(expression, licences):
    """Is an SPDX expression met by the `licences`? `/` is the old way to write OR."""
    tokens = re.findall(r"[()]|[^\s()]+", expression.replace("/", " OR "))

    def either():
        value = both()
        while tokens and tokens[0] == "OR":
            tokens.pop(0)
            value = both() or value
        return value

    def both():
        value = one()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            value = one() and value
        return value

    def one():
        name = tokens.pop(0)
        if name == "(":
            value = either()
            tokens.pop(0)
            return value
        if tokens and tokens[0] == "WITH":
            name += " WITH " + tokens[1]
            del tokens[:2]
        return name in licences

    return either()


def cargo(*arguments):
    return subprocess.run(["cargo", *arguments, "--locked"], check=True, stdout=subprocess.PIPE, text=True).stdout


def shipped():
    """The names of the packages that a build of the workspace without its tests and benches takes in."""
    lines = cargo("tree", "--workspace", "--edges", "normal,build", "--target", "all", "--prefix", "none").splitlines()
    return {line.split()[0] for line in lines if line}


def main():
    everything, plain = json.loads(cargo("metadata", "--format-version", "1", "--all-features")), shipped()
    packages = {p["id"]: p for p in everything["packages"]}
    errors, versions = [], {}
    for package in packages.values():
        name = package["name"] + " " + package["version"]
        versions.setdefault(package["name"], []).append(package["version"])
        if not package["license"] or not allowed(package["license"], RULES["licenses"]["allow"]):
            errors.append("%s: licence %s is not allowed" % (name, package["license"]))
        if not (package["source"] or "crates.io-index").endswith("crates.io-index"):
            errors.append("%s: source %s is not allowed" % (name, package["source"]))
    for node in everything["resolve"]["nodes"]:
        for dependency in node["deps"]:
            banned = packages[dependency["pkg"]]["name"]
            dependent = packages[node["id"]]["name"]
            if dependent not in BANNED.get(banned, {dependent}):
                errors.append("%s: is banned, and %s depends on it" % (banned, dependent))
    errors += ["%s: is banned, and a plain build takes it in" % name for name in sorted(plain & set(BANNED))]
    for name, several in sorted(versions.items()):
        if len(several) > 1:
            print("warning: %s is there in versions %s" % (name, ", ".join(sorted(several))))
    for error in errors:
        print("error: " + error)
    print("%d packages, %d of them in a plain build" % (len(packages), len(plain)))
    return bool(errors)


if __name__ == "__main__":
    sys.exit(main())
