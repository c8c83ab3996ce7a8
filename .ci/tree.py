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


def metadata(*options):
    command = ["cargo", "metadata", "--locked", "--format-version", "1", *options]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def shipped(tree):
    """The packages that a build of the workspace without its tests and benches takes in."""
    nodes = {node["id"]: node for node in tree["resolve"]["nodes"]}
    seen, todo = set(), list(tree["workspace_members"])
    while todo:
        package = todo.pop()
        if package in seen:
            continue
        seen.add(package)
        todo += [d["pkg"] for d in nodes[package]["deps"] if any(k["kind"] != "dev" for k in d["dep_kinds"])]
    return seen


def main():
    everything, plain = metadata("--all-features"), metadata()
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
    names = {p["id"]: p["name"] for p in plain["packages"]}
    for package in shipped(plain):
        if names[package] in BANNED:
            errors.append("%s: is banned, and a plain build takes it in" % names[package])
    for name, several in sorted(versions.items()):
        if len(several) > 1:
            print("warning: %s is there in versions %s" % (name, ", ".join(sorted(several))))
    for error in errors:
        print("error: " + error)
    print("%d packages, %d of them in a plain build" % (len(packages), len(shipped(plain))))
    return bool(errors)


if __name__ == "__main__":
    sys.exit(main())
