# exec as runc (or crun, where the form is crun's) does it.
load like

extra_setup() { args sleep 1000 && cfg '.ociVersion = "1.0.2-dev"'; }

@test "exec: no id" { like runc none 'rt exec >/dev/null'; }
@test "exec: created" { like runc created 'rt exec $id echo hi'; }
@test "exec: stopped" { like runc stopped 'rt exec $id true'; }
@test "exec: missing" { like runc none 'rt exec $id true'; }
@test "exec: bad id" { like runc none 'rt exec ../x true'; }
@test "exec: paused" { like runc paused 'rt exec $id true'; }
@test "exec: letters in one word, of crun" { like crun running 'rt exec -du1000 $id /bin/sleep 1000'; }

@test "exec: commands and their ends" {
	likes runc running <<'CASES'
true: rt exec $id true
output: rt exec $id sh -c "echo out; echo err >&2"
input: echo in | rt exec $id cat
exit code: rt exec $id sh -c "exit 7"
exit code 126: rt exec $id sh -c "exit 126"
exit code 255: rt exec $id sh -c "exit 255"
ended by a signal: rt exec $id sh -c "kill -KILL \$\$"
unknown program: rt exec $id nonesuch
unknown path: rt exec $id /none/such
not executable: rt exec $id /etc/passwd
a directory: rt exec $id /etc
no command: rt exec $id
options of the command: rt exec $id echo -d --tty -x
-- before the id: rt exec -- $id echo hi
-- before the command: rt exec $id -- echo hi
unknown option: rt exec --nonesuch $id true >/dev/null
option without its value: rt exec --cwd >/dev/null
--ignore-paused of running: rt exec --ignore-paused $id echo hi
CASES
}

@test "exec: flags that describe the process" {
	likes runc running <<'CASES'
--env v: rt exec --env A=b $id env | sort
--env=v: rt exec --env=A=b $id env | sort
-e v, twice: rt exec -e A=b -e C=d=e $id env | sort
-env v: rt exec -env A=b $id env | sort
--env of HOME: rt exec -e HOME=/x $id env | sort
--env replaces: rt exec -e TERM=x $id env | sort
--cwd: rt exec --cwd /etc $id pwd
--cwd that isn't there: rt exec --cwd /none $id pwd
--cwd, relative: rt exec --cwd etc $id pwd
--user uid: rt exec --user 1000 $id sh -c "id; echo \$HOME"
-u uid:gid: rt exec -u 1000:1234 $id id
-u of nobody known: rt exec -u 4242 $id sh -c "id; echo \$HOME"
-u with no number: rt exec -u none:such $id id
--additional-gids, twice: rt exec -u 1000 --additional-gids 5 --additional-gids 6 $id id
-g with no number: rt exec -g abc $id id >/dev/null
--cap: rt exec --cap CAP_SYS_ADMIN --cap CAP_KILL $id grep Cap /proc/self/status
--cap for a user: rt exec -u 1000 -c CAP_SYS_ADMIN $id grep Cap /proc/self/status
--cap of none known: rt exec --cap CAP_NONESUCH $id grep Cap /proc/self/status
--no-new-privs: rt exec --no-new-privs $id grep NoNewPrivs /proc/self/status
--apparmor: rt exec --apparmor nonesuch $id true
--process-label: rt exec --process-label nonesuch $id true
CASES
}

@test "exec: flags about how it runs" {
	likes runc running <<'CASES'
--preserve-fds: echo three >f; rt exec --preserve-fds 1 $id sh -c "ls /proc/self/fd; cat <&3" 3<f
--preserve-fds with no number: rt exec --preserve-fds x $id true >/dev/null
-d --pid-file: rt exec -d --pid-file pid $id sleep 1000; ls; kill $(cat pid); rm pid
--pid-file in the foreground: rt exec --pid-file pid $id sh -c "echo hi"; grep -c "^[0-9]*$" pid
--pid-file in no directory: rt exec --pid-file no/pid $id true
-d with a terminal, no socket: rt exec -d -t $id true
console socket without -d: rt exec -t --console-socket $T/s $id true
console socket without -t: rt exec -d --console-socket $T/s $id true
console socket that isn't there: rt exec -d -t --console-socket $T/s $id true
console socket: on_tty "rt exec -d -t --console-socket \$T/tty \$id tty"
--process: process '["sh","-c","pwd; echo $A; id"]' >p; rt exec --process p $id; rm p
-p and a command: process '["echo","file"]' >p; rt exec -p p $id echo words; rm p
-p of no file: rt exec -p nofile $id
-p of no JSON: echo x >p; rt exec -p p $id; r=$?; rm p; exit $r
-p without args: process "[]" >p; rt exec -p p $id; r=$?; rm p; exit $r
--cgroup /: rt exec --cgroup / $id true
--cgroup that isn't there: rt exec --cgroup none $id true
--cgroup of one controller: mkdir $(group pids)/sub; rt exec --cgroup pids:sub $id grep -c pids:.*/sub /proc/self/cgroup
--cgroup of no controller: rt exec --cgroup none:sub $id true
--cgroup upwards: rt exec --cgroup ../.. $id true
CASES
}
