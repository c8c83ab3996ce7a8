#!/bin/sh
# For wasm.sh: what was unstable in Rust 1.85 and the workspace uses.
exec "$@" -Zcrate-attr='feature(let_chains)'
