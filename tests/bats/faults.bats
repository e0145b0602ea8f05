#!/usr/bin/env bats
# Faults: the runtime is killed, or the kernel refuses, at a system call of its way.
# Afterwards `delete --force` must bring the host back, at once, whatever was half made; a create
# that fails by itself has done so already.
#
# A sample of what `make fault` does at every call (tests/fault/campaign.py), thrown anew in each run;
# RF_FAULT_SEED=N, which is printed, repeats it.
load helpers

setup_file() {
	# How far the dice get depends on the machine; a run that is repeated gets as far as it needs.
	export RF_FAULT_SECONDS=3
	[ -z "${RF_FAULT_SEED:-}" ] || RF_FAULT_SECONDS=0 BATS_TEST_TIMEOUT=600
	export RF_FAULT_SEED=${RF_FAULT_SEED:-$((RANDOM * 32768 + RANDOM))}
	echo "# RF_FAULT_SEED=$RF_FAULT_SEED" >&3
}

extra_setup() {
	only_ours
	need python3
	need_helper strike
}

# sample N VERBS FAULTS [CONFIG]: N points of each verb and fault. What sets limits needs a controller for them.
sample() {
	case $2:${4:-} in *update* | *:rich) need_controller memory ;; esac
	"$top/tests/fault/campaign.py" --sample "$1" --verbs "$2" --faults "$3" --config "${4:-plain}" \
		--seed "$RF_FAULT_SEED" --seconds "$RF_FAULT_SECONDS" </dev/null 2>&1 3>&-
}

@test "create and run are killed" { sample 30 create,run KILL; }
@test "create and run are killed: hooks, limits, maps" { sample 20 create,run KILL rich; }
@test "start is killed" { sample 25 start KILL; }
@test "exec is killed" { sample 25 exec KILL; }
@test "delete is killed, and asked again" { sample 25 delete KILL; }
@test "kill is killed" { sample 12 kill KILL; }
@test "update is killed" { sample 12 update KILL; }

@test "create and run run out of memory" { sample 20 create,run ENOMEM; }
@test "create and run meet a full disk, and a broken one" { sample 10 create,run ENOSPC,EIO; }
@test "create and run have no descriptor left, or no permission" { sample 10 create,run EMFILE,EPERM; }
@test "create and run are interrupted" { sample 10 create,run EINTR,EAGAIN; }
@test "create and run meet errors: hooks, limits, maps" { sample 8 create,run ENOMEM,EIO rich; }
@test "start and exec meet errors" { sample 6 start,exec ENOMEM,EIO,EINTR; }
@test "kill and delete meet errors" { sample 6 kill,delete ENOMEM,EINTR; }
@test "update meets errors" { sample 6 update ENOMEM,EINTR; }

@test "start, kill and delete race on one container" { "$top/tests/fault/soak.py" --parts races --races 5 </dev/null 2>&1 3>&-; }
