#!/bin/sh
# Generates gen/ from proto/. Needed only after a change of proto/: Debian's protobuf-compiler, and @bufbuild/protoc-gen-es on PATH.
set -e
cd "$(dirname "$0")"
protoc -I proto -I /usr/include --es_out=gen --es_opt=target=ts,import_extension=ts proto/*.proto
