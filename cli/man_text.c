/* cli/man_text.c: what the man pages say beyond the tables of verbs and options: longer texts,
 * examples, related pages. A line that begins with a dot is man(7) markup; a verb without a row has
 * a page all the same. */
#include "cli/man.h"

#include "common/str.h"

#include <stddef.h>

/* clang-format off */
static const struct man_text texts[] = {
	{"create",
	 "The bundle's config.json is read and checked, and the container's namespaces, mounts, cgroup "
	 "and first process are made. The process then waits for\n.BR ringfence\\-start (8).\n"
	 "Hooks of the kinds prestart, createRuntime and createContainer are run in this order.\n"
	 ".PP\nWhat fails is undone before the program ends.",
	 "Make a container from the bundle in the current directory, look at it, and run it:\n"
	 ".PP\n.EX\nringfence create c1\nringfence state c1\nringfence start c1\n.EE",
	 "start delete explain lint"},
	{"start",
	 "The container has to be in the status\n.IR created .\n"
	 "Hooks of the kind startContainer run in it before its program does, those of the kind "
	 "poststart on the host afterwards.", NULL, "create kill"},
	{"run",
	 "Standard input, output and error are the container's; with process.terminal the terminal is "
	 "handed through. Signals are passed on to the first process.",
	 "Write a default configuration for a root file system in ./rootfs and run its shell:\n"
	 ".PP\n.EX\nringfence spec\nringfence run c1\n.EE\n"
	 ".PP\nRun it in the background and look at its processes:\n"
	 ".PP\n.EX\nringfence run \\-d \\-b /srv/web web </dev/null >web.log 2>&1\nringfence ps web\n.EE",
	 "create exec delete spec"},
	{"exec", "Options end at CONTAINER: what follows belongs to the command.",
	 "A shell with a terminal:\n.PP\n.EX\nringfence exec \\-t c1 sh\n.EE\n"
	 ".PP\nOne command as another user, with one more variable:\n"
	 ".PP\n.EX\nringfence exec \\-u 1000:1000 \\-e LANG=C.UTF\\-8 c1 id\n.EE", "run ps"},
	{"kill", "SIGNAL is a name with or without SIG, or a number.",
	 "Ask the program to end, then end every process:\n"
	 ".PP\n.EX\nringfence kill c1\nringfence kill \\-\\-all c1 KILL\n.EE", "delete pause"},
	{"delete",
	 "The container has to be stopped, unless \\fB\\-\\-force\\fR is given. Its journal is replayed "
	 "backwards, so that whatever a killed create left is removed too, and hooks of the kind "
	 "poststop are run. A hook that fails is reported and is no error.",
	 "Remove a container whatever state it is in:\n.PP\n.EX\nringfence delete \\-\\-force c1\n.EE",
	 "kill create"},
	{"state", "It is the state document of the OCI runtime specification.",
	 "The first process's pid on the host:\n.PP\n.EX\nringfence state c1 | jq .pid\n.EE", "list"},
	{"list", NULL,
	 "Remove every container that has stopped:\n"
	 ".PP\n.EX\nringfence list \\-f json | jq \\-r \\(aq.[] | select(.status == \"stopped\").id\\(aq |\n"
	 "\txargs \\-r ringfence delete\n.EE", "state ps"},
	{"ps",
	 "The host's\n.BR ps (1)\nis run with the PS\\-OPTIONs (default\n.BR \\-ef ),\n"
	 "and only the container's lines are shown.\n"
	 ".PP\nA micro\\-VM's processes are its guest's, with the guest's pids; no program is run. Known are\n"
	 ".BR \\-e ,\n.BR \\-f ,\n.B aux\nand\n.BR \\-o\nwith pid, ppid, pgid, sid, uid, user, c, pcpu, pmem, vsz, rss, ni, nlwp, s, stat,\n"
	 "tty, stime, start, time, etime, etimes, comm, args, cmd and their other names; users are named by the host's passwd.",
	 ".EX\nringfence ps c1\nringfence ps c1 \\-o pid,rss,args\nringfence ps \\-f json c1\n.EE",
	 "list exec"},
	{"events", NULL, "Statistics, once:\n.PP\n.EX\nringfence events \\-\\-stats c1 | jq .data\n.EE",
	 "update"},
	{"pause", NULL, NULL, "resume"},
	{"resume", NULL, NULL, "pause"},
	{"update",
	 "What isn't named stays as it is. Values have the meaning of linux.resources in config.json, "
	 "and are translated for cgroup v2 where the host has it.",
	 "Half a processor, 256 MiB of memory and at most 100 processes:\n"
	 ".PP\n.EX\nringfence update \\-\\-cpu\\-period 100000 \\-\\-cpu\\-quota 50000 \\e\n"
	 "\t\\-\\-memory 256m \\-\\-pids\\-limit 100 c1\n.EE\n"
	 ".PP\nThe memory limit as JSON:\n.PP\n.EX\n"
	 "echo \\(aq{\"memory\": {\"limit\": 268435456}}\\(aq | ringfence update \\-r \\- c1\n.EE",
	 "events create"},
	{"spec",
	 "An existing config.json isn't overwritten. The document is runc's, so that tools which edit it find what they "
	 "expect.\n.PP\nThe default profile is narrower: no capability, a list of the system calls that "
	 "ordinary programs make, more masks, a control group namespace, at most 1024 processes, and "
	 "small writable places under a read\\-only root.\n.BR ringfence\\-lint (8)\nnames what any document opens beyond it.",
	 "A bundle with Debian's busybox:\n.PP\n.EX\nmkdir \\-p b/rootfs/bin\ncp /bin/busybox b/rootfs/bin/sh\n"
	 "ringfence spec \\-b b\nringfence run \\-b b c1\n.EE\n"
	 ".PP\nThe same behind the default profile's walls:\n"
	 ".PP\n.EX\nringfence spec \\-\\-profile default \\-b b\n.EE", "run lint"},
	{"features",
	 "It is the features structure of the OCI runtime specification, as engines read it.", NULL,
	 "info"},
	{"explain", NULL, ".EX\nringfence explain \\-b /srv/web\n.EE", "create lint"},
	{"lint",
	 "Each finding has the id of its rule and the JSON pointer of its place. Rules that begin with profile\\- "
	 "name what is open beyond the default profile of\n.BR ringfence\\-spec (8).",
	 "Fail on whatever weakens the walls:\n"
	 ".PP\n.EX\nringfence lint \\-\\-strict /srv/web || exit\n.EE", "explain create"},
	{"info", NULL, NULL, "features"},
	{NULL, NULL, NULL, NULL}};
/* clang-format on */

const struct man_text *man_text_of(const char *verb)
{
	const struct man_text *t = texts;

	while (t->verb && !str_eq(t->verb, verb))
		t++;
	return t;
}
