#!/usr/bin/env bats
# podman: being written
load helpers
